"""Private stores: of one process and its workers, on fast temporary storage, gone with it.

TMPDIR/seamless-UID/NAME        the store itself
/dev/shm/seamless-UID/NAME      its large buffers (see segments.py)
RUNTIME/seamless-UID/NAME       its sockets (see doorbell.py)

NAME tells whose it is (process namespace, process, start time), so that the next process of this user
removes what a killed one has left.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from itertools import count

from . import owner
from .errors import SeamlessError

SHARED_MEMORY = "/dev/shm"
_NAME = re.compile(r"private-(?P<namespace>[^-]+)-(?P<pid>\d+)-(?P<started>\d+)-\d+")

_number = count()


def user_directory(root: str) -> str:
    """The directory of this user below a shared temporary one: 0700, nobody else's."""
    path = os.path.join(root, f"seamless-{os.geteuid()}")
    with suppress(FileExistsError):
        os.mkdir(path, 0o700)
    status = os.lstat(path)
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o077:
        raise SeamlessError(f"{path} is not a private directory of yours; remove it or set TMPDIR to another place")
    return path


def new_path() -> str:
    """Where a private store of this process is to be made; what dead processes have left is removed."""
    sweep()
    from tempfile import gettempdir

    me = owner.current()
    name = f"private-{_namespace(me.pid_namespace)}-{me.pid}-{me.started}-{next(_number)}"
    return os.path.join(user_directory(gettempdir()), name)


def name_of(path: str) -> str | None:
    """The name of the private store at `path`; None if it is none."""
    name = os.path.basename(path)
    return name if _NAME.fullmatch(name) else None


def remove(path: str) -> None:
    """Remove a private store, with its segments and sockets; its workers are gone."""
    name = name_of(path)
    for root in _roots() if name else ():
        _remove_tree(os.path.join(root, f"seamless-{os.geteuid()}", str(name)))
    _remove_tree(path)


def sweep() -> None:
    """Remove what belongs to processes that are dead."""
    for path in list(abandoned()):
        _remove_tree(path)


def abandoned() -> Iterator[str]:
    """What belongs to processes that are dead."""
    for root in _roots():
        for path in _private_below(os.path.join(root, f"seamless-{os.geteuid()}")):
            if _is_dead(os.path.basename(path)):
                yield path


def _roots() -> set[str]:
    from tempfile import gettempdir

    return {SHARED_MEMORY, gettempdir(), "/tmp", os.environ.get("XDG_RUNTIME_DIR") or "/tmp"}


def _private_below(directory: str) -> Iterator[str]:
    try:
        names = os.listdir(directory)
    except OSError:
        return
    yield from (os.path.join(directory, name) for name in names if _NAME.fullmatch(name))


def _is_dead(name: str) -> bool:
    """Whether the owner of a private store is seen dead; one in another container cannot be seen."""
    found = _NAME.fullmatch(name)
    if found is None or found["namespace"] != _namespace(owner.current().pid_namespace):
        return False
    return owner.start_time(int(found["pid"])) != int(found["started"])


def _namespace(text: str) -> str:
    return re.sub(r"\D", "", text) or "0"


def _remove_tree(path: str) -> None:
    if os.path.isdir(path):
        import shutil

        shutil.rmtree(path, ignore_errors=True)
