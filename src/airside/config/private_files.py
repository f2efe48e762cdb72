"""Files that only their owner may read: made once, replaced in one step, refused once others can read them."""

import contextlib
import os
import stat
from pathlib import Path

from airside.core.errors import AirsideError, Code

TEXT_BYTES_MAX = 4_096


def read_private(file: Path) -> str:
    """Return a file's text. Raises FileNotFoundError, and AirsideError `misconfigured` if others may read it."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise AirsideError(Code.MISCONFIGURED, f"{file} cannot be read: {error.strerror}") from None
    with os.fdopen(descriptor, errors="replace") as stream:
        mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
        if mode & 0o077:
            raise AirsideError(
                Code.MISCONFIGURED,
                f"{file} has mode {mode:04o}: readable by others than its owner",
                advice=f"Run: chmod 600 {file}",
            )
        return stream.read(TEXT_BYTES_MAX)


def create_private(file: Path, text: str) -> None:
    """Write a file unless it exists: of several processes at once, one wins, and all then read the same.

    Raises AirsideError `misconfigured` if it cannot be made.
    """
    draft = _draft(file)
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write(draft, text)
        with contextlib.suppress(FileExistsError):
            os.link(draft, file)
        _sync_folder(file.parent)
    except OSError as error:
        raise AirsideError(Code.MISCONFIGURED, f"{file} cannot be made: {error.strerror}") from error
    finally:
        draft.unlink(missing_ok=True)


def write_private(file: Path, text: str) -> None:
    """Replace a file's text in one step; whoever reads it meanwhile sees the old text or the new."""
    draft = _draft(file)
    _write(draft, text)
    draft.replace(file)


def _draft(file: Path) -> Path:
    return file.with_name(f".{file.name}.{os.getpid()}.{os.urandom(4).hex()}")


def _write(file: Path, text: str) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(descriptor)


def _sync_folder(folder: Path) -> None:
    """Make a new name durable: a lost key file would cost more than the file itself."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
