"""Which files a command leaves, and under which local names."""

from collections.abc import Iterable

from .errors import CaptureError
from .model import Capture, Files, Kind
from .paths import inside_name, parent

#: Where a job keeps its standard output when it is captured beside other files.
STDOUT_NAME = "STDOUT"


class Captures:
    """Collects captures: those of -cp first, then redirections."""

    __slots__ = ("_targets", "stdout_target")

    def __init__(self, values: Iterable[str]) -> None:
        self._targets: dict[str, str] = {}
        self.stdout_target: str | None = None
        for value in values:
            self._add_option(value)

    def all(self) -> tuple[Capture, ...]:
        return tuple(Capture(name, target) for name, target in self._targets.items())

    def add_redirect(self, text: str) -> str:
        """Capture the target of a redirection and return its name inside the job."""
        name = inside_name(text, "redirection target")
        # -cp a:b has already said where a goes, and everything inside of it.
        if not self.holds(name):
            self._add(name, name)
        return name

    def holds(self, name: str) -> bool:
        """Whether a name inside the job is captured, or lies in a directory that is."""
        return any(name == known or name.startswith(known + "/") for known in self._targets)

    def existing_folders(self, names: Iterable[str], directory: str, files: Files) -> tuple[str, ...]:
        """Return, for each name, the deepest of its folders that exists locally and is not captured itself."""
        folders: dict[str, None] = {}
        for name in names:
            folder = parent(name)
            # The command makes what is captured: that it lies there from an earlier run must not change anything.
            while folder and (self.holds(folder) or files.kind(f"{directory}/{folder}") is not Kind.DIRECTORY):
                folder = parent(folder)
            if folder:
                folders[folder] = None
        return tuple(folders)

    def check(self) -> None:
        """Refuse a file that would be taken for the standard output."""
        if self.stdout_target is not None and STDOUT_NAME in self._targets:
            raise CaptureError(f"{STDOUT_NAME} is captured as a file and as -cp :FILE: rename the file")

    def _add_option(self, value: str) -> None:
        name, colon, target = value.partition(":")
        if not value or (colon and not target):
            raise CaptureError(f"invalid -cp {value!r}: write FILE, FILE:LOCAL or :LOCAL")
        local = inside_name(target or name, "-cp target")
        if name:
            self._add(inside_name(name, "-cp name"), local)
        else:
            self._set_stdout(local)

    def _add(self, name: str, target: str) -> None:
        known = self._targets.get(name)
        if known == target:
            return
        if known is not None:
            raise CaptureError(f"{name!r} is captured as {known!r} and as {target!r}: keep one of them")
        self._check_free(target)
        self._targets[name] = target

    def _set_stdout(self, target: str) -> None:
        if self.stdout_target == target:
            return
        if self.stdout_target is not None:
            raise CaptureError(
                f"standard output is captured as {self.stdout_target!r} and as {target!r}: keep one of them"
            )
        self._check_free(target)
        self.stdout_target = target

    def _check_free(self, target: str) -> None:
        if target == self.stdout_target or target in self._targets.values():
            raise CaptureError(f"two captures would be written to {target!r}: rename one with -cp NAME:LOCAL")
