"""Which modules a worker notes as its users', and when it forgets them."""

from __future__ import annotations

import importlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from seamless.transformer.usermodules import Places, UserModules

LONG_AGO = 1_600_000_000


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A directory that modules are found in; what was imported goes."""
    before, path = dict(sys.modules), list(sys.path)
    sys.path.insert(0, str(tmp_path))
    yield tmp_path
    sys.path[:] = path
    for name in set(sys.modules) - set(before):
        del sys.modules[name]
    importlib.invalidate_caches()


@pytest.fixture
def modules() -> UserModules:
    return UserModules(Places(sys.path[1:]))


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def bring(name: str) -> object:
    importlib.invalidate_caches()
    return importlib.import_module(name)


def forgets(modules: UserModules) -> bool:
    """Whether a job that begins now finds none of the modules that were written here."""
    before = written()
    assert modules.can_begin()
    assert written() in (set(), before)
    return not written()


def written() -> set[str]:
    return {name for name in sys.modules if name.startswith("sq_")}


def later() -> int:
    """A moment at which all files have long been written."""
    return time.time_ns() + 10_000_000_000


def test_what_has_not_changed_stays(place: Path, modules: UserModules) -> None:
    write(place / "sq_one.py", "")
    module = bring("sq_one")
    modules.note(later())
    assert not forgets(modules)
    assert sys.modules["sq_one"] is module


@pytest.mark.parametrize("change", ["content", "time", "same", "gone", "path"])
def test_what_has_changed(place: Path, modules: UserModules, change: str) -> None:
    path = write(place / "sq_one.py", "x = 1")
    bring("sq_one")
    modules.note(later())
    status = path.stat()
    if change == "content":
        write(path, "x = 12")
    elif change == "time":
        os.utime(path, (LONG_AGO, LONG_AGO))
    elif change == "same":
        # As large, and of the same moment, by a rename.
        os.utime(write(place / "new", "x = 2"), ns=(status.st_mtime_ns, status.st_mtime_ns))
        os.rename(place / "new", path)
    elif change == "gone":
        path.unlink()
    else:
        sys.path.insert(0, str(place / "elsewhere"))
    assert forgets(modules)


def test_all_are_forgotten_together(place: Path, modules: UserModules) -> None:
    """Packages, their modules and namespace packages, since they refer to each other; what is installed stays."""
    write(place / "sq_package" / "__init__.py", "")
    write(place / "sq_package" / "part.py", "import sq_names.inner")
    write(place / "sq_names" / "inner.py", "WHO = 1")
    bring("sq_package.part")
    bring("wave")
    modules.note(later())
    os.utime(place / "sq_names" / "inner.py", (LONG_AGO, LONG_AGO))
    assert forgets(modules)
    assert "wave" in sys.modules
    write(place / "sq_names" / "inner.py", "WHO = 22")
    assert vars(bring("sq_names.inner"))["WHO"] == 22


def test_a_file_that_was_written_while_the_job_ran(place: Path, modules: UserModules) -> None:
    """Nobody knows whether it was imported before or afterwards."""
    began = time.time_ns()
    write(place / "sq_one.py", "")
    bring("sq_one")
    modules.note(began)
    assert forgets(modules)


def test_what_holds_on_to_modules_of_the_job(place: Path, modules: UserModules) -> None:
    write(place / "sq_one.py", "")
    bring("sq_one")
    modules.note(later(), trusted=False)
    assert forgets(modules)


def test_paths_of_jobs_are_not_mixed(place: Path, modules: UserModules) -> None:
    """What one job has found by a path of its own was not found by another's."""
    for name in ("sq_one", "sq_two"):
        write(place / f"{name}.py", "")
    bring("sq_one")
    modules.note(later())
    sys.path.insert(0, str(place / "elsewhere"))
    bring("sq_two")
    modules.note(later())
    del sys.path[0]
    assert forgets(modules)


def test_what_libraries_have_added_to_the_path(place: Path, modules: UserModules) -> None:
    write(place / "sq_one.py", "")
    bring("sq_one")
    modules.note(later())
    sys.path.append(str(Path(pytest.__file__).parent))
    assert not forgets(modules)


@pytest.mark.parametrize("change", ["nothing", "own path", "not trusted", "beginning", "file", "other file"])
def test_compiled_modules_need_another_process(place: Path, modules: UserModules, change: str) -> None:
    """Unless it is only that the job has added a path: then they stay, and what is no part of them goes."""
    compiled = next(Path(psutil.__file__).parent.glob("_psutil_*.so"))
    name = compiled.name.partition(".")[0]
    write(place / "sq_one.py", f"import sq_package.{name}")
    write(place / "sq_package" / "__init__.py", "")
    (place / "sq_package" / compiled.name).write_bytes(compiled.read_bytes())
    assert modules.can_begin()
    if change == "own path":
        sys.path.insert(0, str(place / "elsewhere"))
    bring("sq_one")
    modules.note(later(), trusted=change != "not trusted")
    if change in ("own path", "beginning"):
        sys.path[:] = [str(place / "elsewhere"), *sys.path] if change == "beginning" else sys.path[1:]
    elif change == "file":
        os.utime(place / "sq_package" / compiled.name, (LONG_AGO, LONG_AGO))
    elif change == "other file":
        os.utime(place / "sq_one.py", (LONG_AGO, LONG_AGO))
    assert modules.can_begin() == (change in ("nothing", "own path", "not trusted"))
    kept = {"sq_package", f"sq_package.{name}"}
    assert written() == (kept if change in ("own path", "not trusted") else {*kept, "sq_one"})


def test_installed_packages_of_others(place: Path, modules: UserModules) -> None:
    """They go with the search path, and are not looked at before every job."""
    path = write(place / "lib" / "site-packages" / "sq_one.py", "")
    sys.path.insert(0, str(path.parent))
    bring("sq_one")
    modules.note(later())
    write(path, "x = 1")
    assert not forgets(modules)
    del sys.path[0]
    assert forgets(modules)
    assert "sq_one" not in sys.modules


def test_a_module_in_an_archive(place: Path, modules: UserModules) -> None:
    import zipfile

    archive = place / "sq.zip"
    for text, is_first in (("WHO = 1", True), ("WHO = 22", False)):
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("sq_one.py", text)
        if is_first:
            sys.path.insert(0, str(archive))
            bring("sq_one")
            modules.note(later())
            assert not forgets(modules)
    assert forgets(modules)
    assert vars(bring("sq_one"))["WHO"] == 22


def test_bytecode_of_a_file_just_written_is_not_believed(
    place: Path, modules: UserModules, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names its source by size and whole second."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    path = write(place / "sq_one.py", "WHO = 1")
    status = path.stat()
    bring("sq_one")
    modules.note(later())
    os.utime(write(path, "WHO = 2"), ns=(status.st_mtime_ns, status.st_mtime_ns))
    assert forgets(modules)
    assert vars(bring("sq_one"))["WHO"] == 2


def test_ours_and_the_interpreters_are_not_noted(modules: UserModules) -> None:
    for name in ("seamless.transformer.why.answers", "wave"):
        sys.modules.pop(name, None)
        importlib.import_module(name)
    modules.note(later())
    sys.path.append("/nowhere")
    assert modules.can_begin()
    sys.path.pop()
    assert {"seamless.transformer.why.answers", "wave"} <= set(sys.modules)
