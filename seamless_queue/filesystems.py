"""What the file system can do: atomic writes, cheap copies, and whether SQLite is safe on it."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import count

from .errors import DiskFull, NetworkFileSystem

#: File systems on which SQLite's locks or shared memory cannot be trusted.
NETWORK_TYPES = frozenset(
    [
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "lustre",
        "gpfs",
        "beegfs",
        "ceph",
        "afs",
        "9p",
        "ncpfs",
        "pvfs2",
        "orangefs",
        "glusterfs",
    ]
)
#: FUSE mounts of network file systems appear as fuse.NAME.
NETWORK_FUSE = ("fuse.sshfs", "fuse.gluster", "fuse.ceph", "fuse.s3", "fuse.gcs", "fuse.rclone", "fuse.nfs")

#: A disk with less space than this is full for all we want to do.
FULL_BYTES = 1 << 20
#: A disk on which so much can be written is not full any more.
PROBE_BYTES = 1 << 20

_unique = count()


def unique_name() -> str:
    """A file name that no other live process or thread of this host makes."""
    return f"{os.getpid()}-{next(_unique)}"


def is_temporary(name: str) -> bool:
    """Whether a file of this name is one that is being written, to be renamed."""
    return name.startswith(".seamless-") and name.endswith(".tmp")


def type_of(path: str, mountinfo: str = "/proc/self/mountinfo") -> str | None:
    """The file system type that holds `path` (proc(5), mountinfo), None where that cannot be told."""
    device = os.stat(path).st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}".encode()
    try:
        with open(mountinfo, "rb") as file:
            for line in file:
                if line.split(b" ", 3)[2] == wanted:
                    return line.partition(b" - ")[2].split(b" ", 1)[0].decode()
    except OSError:
        return None
    return None


def refuse_network(path: str, mountinfo: str = "/proc/self/mountinfo") -> None:
    """Raise NetworkFileSystem where `path` lies on one."""
    kind = type_of(path, mountinfo)
    if kind is not None and (kind in NETWORK_TYPES or kind.startswith(NETWORK_FUSE)):
        raise NetworkFileSystem(
            f"{path} is on a network file system ({kind}), where SQLite is not safe; "
            "put the store on a local disk with --store or SEAMLESS_CACHE"
        )


def is_disk_full(exc: BaseException) -> bool:
    """Whether an error says that no space (or quota) is left, from the file system or from SQLite."""
    if isinstance(exc, DiskFull):
        return True
    if isinstance(exc, OSError):
        return exc.errno in (errno.ENOSPC, errno.EDQUOT)
    return getattr(exc, "sqlite_errorname", "") == "SQLITE_FULL"


@contextmanager
def passing_over_full_disk() -> Iterator[None]:
    """What a full disk keeps from being done inside the block is left for later."""
    try:
        yield
    except Exception as exc:
        if not is_disk_full(exc):
            raise


def has_no_room(path: str) -> bool:
    """Whether the disk that holds `path` is as good as full."""
    status = os.statvfs(path)
    return status.f_bavail * status.f_frsize < FULL_BYTES


def can_write(directory: str) -> bool:
    """Whether a disk that was full takes a file again; tried out."""
    path = os.path.join(directory, unique_name())
    try:
        write_new_file(path, (bytes(PROBE_BYTES),))
    except OSError:
        return False
    os.unlink(path)
    return True


def copy_descriptor(source: int, target: int, size: int) -> None:
    """Copy a file's content between descriptors, by reflink where the file system has it.

    copy_file_range shares extents on btrfs, XFS and bcachefs and copies inside the kernel elsewhere.
    """
    done = 0
    while done < size:
        try:
            step = os.copy_file_range(source, target, min(size - done, 1 << 30), done, done)
        except (OSError, AttributeError) as exc:
            if is_disk_full(exc) or done:
                raise
            _copy_by_hand(source, target)
            return
        if step == 0:
            return
        done += step


def copy_part(source: int, target: int, offset: int, size: int) -> int:
    """Copy so many bytes from one place to the same place; how many there were."""
    done = 0
    while done < size:
        try:
            step = os.copy_file_range(source, target, size - done, offset + done, offset + done)
        except (OSError, AttributeError) as exc:
            if is_disk_full(exc):
                raise
            step = os.pwrite(target, os.pread(source, min(size - done, 1 << 20), offset + done), offset + done)
        if step == 0:
            break
        done += step
    return done


def _copy_by_hand(source: int, target: int) -> None:
    import shutil

    with os.fdopen(os.dup(source), "rb") as reader, os.fdopen(os.dup(target), "wb") as writer:
        reader.seek(0)
        shutil.copyfileobj(reader, writer, 1 << 20)


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    """Write all of it."""
    view = memoryview(data).cast("B") if memoryview(data).nbytes else memoryview(b"")
    while view:
        view = view[os.write(descriptor, view) :]


def write_new_file(path: str, parts: Iterable[bytes | memoryview]) -> None:
    """Write a file of our own that is not there yet; a half-written one is removed."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        for part in parts:
            write_all(descriptor, part)
    except BaseException:
        os.unlink(path)
        raise
    finally:
        os.close(descriptor)


def write_atomically(path: str, data: bytes | Iterable[bytes], *, durable: bool = False) -> None:
    """Put `data` (whole, or piece by piece) in place of `path`: readers see the old file or the new one, whole.

    A pipe or a device is written to.
    """
    pieces = (data,) if isinstance(data, bytes) else data
    if os.path.exists(path) and not os.path.isfile(path):
        with open(path, "wb") as file:
            file.writelines(pieces)
        return
    temporary = os.path.join(os.path.dirname(path), f".seamless-{unique_name()}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.writelines(pieces)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.rename(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def sync(path: str) -> None:
    """See to it that a file or directory survives a loss of power."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
