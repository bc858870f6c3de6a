"""Files for the user: written whole beside the old one, then put in its place.

Whatever goes wrong, what stood there before is still there, whole.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path

from crewe.exceptions import CreweError, InputError, fault, from_signal


def write(path: str | os.PathLike[str], content: str | bytes) -> Path:
    """Write a file whole or not at all, and give its path; folders on the way are made.

    The content goes to a new file in the same folder, to the disk, and only then by one renaming into place. A link
    stays a link, the rights of a file that was there stay, and a device or a pipe is written to as it is.

    Parameters
    ----------
    path : str or path
        Where to.
    content : str or bytes
        Text is written as UTF-8, line ends as they are.

    Raises
    ------
    InputError
        For text that is no Unicode, what is no path, and a path that is a folder.
    CreweError
        Where the system does not write: no room, no right, no such disk.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> write(folder / "new" / "page.html", "<p>").read_text()
    '<p>'
    """
    path = as_path(path)
    data = content if isinstance(content, bytes) else encoded(content)
    try:
        target = Path(os.path.realpath(path))
        if target.is_dir():
            raise fault(
                InputError,
                f"'{path}' is a folder",
                remedy="Add the name of the file to it",
            )
        if target.exists() and not target.is_file():
            target.write_bytes(data)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            _replace(target, data)
    except (OSError, ValueError) as error:
        if isinstance(error, CreweError):
            raise
        if (raised := from_signal(error)) is not None:
            raise raised from None
        words = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise fault(
            CreweError,
            f"'{path}' could not be written: {words}",
            remedy="What stood there before is untouched; write to a folder with room and the right to write",
        ) from error
    return path


def as_path(path: object) -> Path:
    """Give a path from text or from anything that stands for a path; refuse anything else."""
    try:
        return Path(path)  # type: ignore[arg-type]
    except TypeError as error:
        raise fault(
            InputError,
            f"{type(path).__name__} is no path",
            remedy="Give the path as text or as a pathlib.Path",
        ) from error


def encoded(text: str) -> bytes:
    """Give text as UTF-8; refuse half characters, which no file can hold."""
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        around = text[max(0, error.start - 20) : error.start + 1]
        raise fault(
            InputError,
            f"the text holds half a character (U+{ord(text[error.start]):04X}), which no file can hold",
            values=[ascii(around)],
            remedy="Read the data again with their right encoding, or take the character out",
        ) from error


def _replace(target: Path, data: bytes) -> None:
    name = f".{target.name[:100]}.{secrets.token_hex(6)}.part"
    beside = target.with_name(name)
    # Made with the rights that any new file gets here.
    handle = os.open(
        beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666
    )
    try:
        with open(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            os.chmod(beside, stat.S_IMODE(target.stat().st_mode))
        os.replace(beside, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(beside)
        raise
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    """Bring the renaming to the disk too; where a folder cannot be opened, nothing can be done."""
    if os.name != "posix":
        return
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
