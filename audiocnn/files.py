"""Files that fail in one clear line, and output that is there whole or not at all."""

import contextlib
import ctypes
import os
import re
import shutil
import stat
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Set
from pathlib import Path
from typing import TextIO

try:
    import fcntl
except ModuleNotFoundError:  # Windows: what a killed process leaves stays there
    fcntl = None

_C = ctypes.CDLL(None if os.name == "posix" else "msvcrt")
_MUTED = threading.Lock()
_PARTIALS = threading.Lock()
_FOLDED = re.compile(r"^([a-z][a-z0-9]+:)/(?!/)")  # an address, as pathlib makes it
MAX_SHOWN = 400  # characters of a path in a message: a name has 255 at most
MAX_REASON = 2000  # of a reason, which may list files
# What is no file that could be read to its end, and would be waited for.
_SPECIAL = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
_partials: set[Path] = set()  # files that this process is writing
_swept: set[Path] = set()  # folders without any of a process that was killed
# What a terminal obeys instead of showing it: control characters, which end lines and set colours, marks of
# the writing direction; and the halves of bytes that are not UTF-8, which cannot be written at all.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class FileError(Exception):
    """A file that cannot be read or written: one line, `path: reason`.

    Args:
        path: the file.
        reason: an error or a text.
    """

    def __init__(self, path: str | os.PathLike, reason: object):
        super().__init__(path, reason)
        self.path = path
        self.reason = " ".join(str(reason).split())

    def __str__(self) -> str:
        path = _FOLDED.sub(lambda match: match[1] + ("///" if match[1] == "file:" else "//"), str(self.path))
        return printable(f"{shorten(path)}: {shorten(self.reason, MAX_REASON)}")


def shorten(text: str, max_shown: int = MAX_SHOWN) -> str:
    """Leave out the middle of a long text.

    Args:
        text: of a message, such as a path.
        max_shown: its characters, at most.
    """
    if len(text) <= max_shown:
        return text
    return f"{text[: max_shown // 2]} ... {text[-max_shown // 4 :]}"


def printable(text: object) -> str:
    """Return a text, such as a path, in one line that any terminal and any UTF-8 file takes.

    Args:
        text: what may hold any characters; those that cannot be shown become escapes, as in Python.
    """
    return _UNPRINTABLE.sub(lambda match: _escape(match[0]), str(text))


def _escape(character: str) -> str:
    """Return a character as Python would write it, a byte that is no UTF-8 as that byte."""
    if "\udc80" <= character <= "\udcff":
        return f"\\x{ord(character) - 0xDC00:02x}"
    return repr(character)[1:-1]


def read_bytes(path: str | os.PathLike, max_bytes: int) -> bytes:
    """Read a file of bounded length.

    Args:
        path: the file.
        max_bytes: how long it may be.

    Raises:
        FileError: the system refuses, or the file is longer.
    """
    try:
        check_regular(path)
        with open(path, "rb") as file:
            data = file.read(max_bytes + 1)
    except OSError as error:
        raise FileError(path, describe_error(error)) from error
    if len(data) > max_bytes:
        raise FileError(path, f"is longer than {max_bytes >> 20} MiB, the most that is read of such a file")
    return data


class FileWarning(UserWarning):
    """What of a file is skipped, guessed or read only in part: one line, `path: remark; remark`."""


class PartWarning(FileWarning):
    """A file of which a part cannot be read: a verb has a result, and the exit status 1."""


def warn(path: str | os.PathLike, remarks: Iterable[str], category: type[FileWarning] = FileWarning) -> None:
    """Warn of what is skipped, guessed or read only in part of a file; of nothing where there is nothing.

    Args:
        path: the file.
        remarks: what, with counts.
        category: the class of the warning.
    """
    if text := "; ".join(remarks):
        warnings.warn(category(printable(f"{path}: {text}")), stacklevel=3)


@contextlib.contextmanager
def write_atomically(path: str | os.PathLike) -> Iterator[Path]:
    """Write a file whole or not at all; folders above it are made.

    Args:
        path: file to write.

    Yields:
        A path beside it, with its suffix, to write to. It takes the file's place when the `with` block ends.
        When that fails, what stood there stays and nothing else is left.

    Raises:
        FileError: the system refuses (no permission, disk full, a file where a folder is needed).
    """
    path = Path(path)
    if not path.name:  # "." and ""
        raise FileError(path, "is a folder, expected a file")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(path.parent)
        with _create_partial(path) as partial:
            yield partial
            partial.replace(path)
    except OSError as error:
        raise FileError(path, describe_error(error)) from error


@contextlib.contextmanager
def stage(folder: Path) -> Iterator[Path]:
    """Create a hidden folder in a folder, for files that are moved from there when all are written.

    Args:
        folder: is made, with the folders above it.

    Yields:
        The hidden folder. It is removed when the `with` block ends.

    Raises:
        FileError: the system refuses.
    """
    partial = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(folder)
        with _create_partial(folder / "files", is_folder=True) as partial:
            yield partial
    except OSError as error:
        if partial:  # it is another's
            raise
        raise FileError(folder, describe_error(error)) from error


@contextlib.contextmanager
def _create_partial(path: Path, is_folder: bool = False) -> Iterator[Path]:
    """Create an empty file or folder beside a file; what is left of it is removed at the end.

    It is locked, as the system does until the process ends in whatever way: a partial file that can be locked
    is abandoned.
    """
    # Hidden, so that a search for audio passes over it; not longer than the name, which may be at the limit.
    partial = path.with_name(f".{os.urandom(4).hex()}.partial{path.suffix}")
    descriptor = None
    try:
        with _PARTIALS:
            _partials.add(partial)
            descriptor = _create_locked(partial, is_folder)
        yield partial
    finally:
        _remove(partial)
        _partials.discard(partial)
        if descriptor is not None:
            os.close(descriptor)


def _create_locked(path: Path, is_folder: bool) -> int:
    """Create a file or folder and lock it, again where another process removed it before it was locked."""
    while True:
        if is_folder:
            path.mkdir(exist_ok=True)
        descriptor = os.open(path, os.O_RDONLY if is_folder else os.O_RDWR | os.O_CREAT, 0o666)
        _lock(descriptor)
        if path.exists():
            return descriptor
        os.close(descriptor)


def _lock(descriptor: int, wait: bool = True) -> bool:
    """Lock a file for this process; return whether that could be done."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB * (not wait))
    except OSError:
        return False
    return True


def _remove_abandoned(folder: Path) -> None:
    """Remove the partial files of killed processes from a folder, when it is first written to."""
    if folder in _swept:
        return
    _swept.add(folder)
    for partial in folder.glob(".????????.partial*"):
        with contextlib.suppress(OSError):
            descriptor = os.open(partial, os.O_RDONLY)
            if _lock(descriptor, wait=False):
                _remove(partial)
            os.close(descriptor)


def remove_partials() -> None:
    """Remove the files that this process is writing, before it ends; none can be begun after that."""
    _PARTIALS.acquire()
    for partial in list(_partials):
        _remove(partial)


def _remove(partial: Path) -> None:
    if partial.is_dir():
        shutil.rmtree(partial, ignore_errors=True)
        return
    with contextlib.suppress(OSError):
        partial.unlink()


def check_regular(path: str | os.PathLike, kind: type[FileError] = FileError) -> os.stat_result:
    """Check that a path is a file with content: no folder, and no pipe or device, which might never end.

    Args:
        path: the file.
        kind: of the error.

    Returns:
        Its status.

    Raises:
        FileError: it is none.
    """
    try:
        status = os.stat(path)
    except (OSError, ValueError) as error:
        raise kind(path, describe_error(error) if isinstance(error, OSError) else error) from error
    if is_folder(path, status, kind):
        raise kind(path, "is a folder, expected a file")
    if not status.st_size:
        raise kind(path, "is empty")
    return status


def is_folder(path: str | os.PathLike, status: os.stat_result, kind: Callable[..., FileError]) -> bool:
    """Say whether a path is a folder, not a file.

    Args:
        path: the path.
        status: of it.
        kind: of the error.

    Raises:
        FileError: it is neither, but a pipe or a device, which might never end.
    """
    if what := _SPECIAL.get(stat.S_IFMT(status.st_mode)):
        raise kind(path, f"is {what}, expected a file")
    return stat.S_ISDIR(status.st_mode)


def identify(paths: Iterable[str | os.PathLike]) -> set[tuple[int, int]]:
    """Return what files are known by, whatever the paths that lead to them.

    Args:
        paths: of files; those that are not there are left out.

    Returns:
        The numbers of their devices and of the files there.
    """
    found = set()
    for path in paths:
        with contextlib.suppress(OSError, ValueError):
            status = os.stat(path)
            found.add((status.st_dev, status.st_ino))
    return found


def check_writable(path: str | os.PathLike, protected: Set[tuple[int, int]] = frozenset()) -> None:
    """Refuse a place where no file can or must be written, before the work rather than after.

    Args:
        path: file to write.
        protected: files that must stay, as of `identify`: those that the work reads.

    Raises:
        FileError: it is protected, it is a folder, a folder above it is a file, or that cannot be written to.
    """
    path = Path(path)
    if identify([path]) & protected:
        raise FileError(path, "is one of the inputs, expected another output")
    if path.is_dir():
        raise FileError(path, "is a folder, expected a file to write")
    folder = next(parent for parent in path.parents if parent.exists())
    if not folder.is_dir():
        raise FileError(path, f"{folder} is a file, not a folder")
    if not os.access(folder, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
        raise FileError(path, f"{folder} cannot be written to")


def describe_error(error: OSError) -> str:
    """Describe why the system refused, without the number and the path that `str(error)` has.

    Args:
        error: raised by the system.
    """
    if isinstance(error, FileExistsError):
        return f"{error.filename} is a file, not a folder"
    return error.strerror or str(error) or type(error).__name__


@contextlib.contextmanager
def mute(*, stdout: bool = True) -> Iterator[None]:
    """Drop what C code writes to the standard error, and to the standard output.

    libmpg123 comments on every damaged mp3 on the one, libsndfile's reader of SDS on the other. What Python
    printed before comes out; other threads wait for their turn.

    Args:
        stdout: whether the standard output is muted too.
    """
    with _MUTED, contextlib.ExitStack() as muted:
        muted.enter_context(_mute(sys.stderr, 2))
        if stdout:
            muted.enter_context(_mute(sys.stdout, 1))
        yield


@contextlib.contextmanager
def _mute(stream: TextIO | None, descriptor: int) -> Iterator[None]:
    try:
        kept = os.dup(descriptor)
    except OSError:  # the process has no such stream
        yield
        return
    with contextlib.suppress(OSError, ValueError):  # full or closed, which is found when it is used
        if stream:
            stream.flush()
    with open(os.devnull, "wb") as devnull:
        os.dup2(devnull.fileno(), descriptor)
    try:
        yield
    finally:
        _C.fflush(None)  # C keeps what it prints in a buffer of its own
        os.dup2(kept, descriptor)
        os.close(kept)
