"""Files that people write and name in the settings: read at most up to a size, and refused by name."""

from pathlib import Path

from airside.core.errors import AirsideError, Code


def read_bounded(file: Path, bytes_max: int) -> bytes:
    """Return what a file holds. Raises AirsideError `misconfigured` if it cannot be read or has more bytes."""
    try:
        with file.open("rb") as opened:
            content = opened.read(bytes_max + 1)
    except OSError as error:
        raise AirsideError(Code.MISCONFIGURED, f"{file} cannot be read: {error.strerror}") from None
    if len(content) > bytes_max:
        raise AirsideError(Code.MISCONFIGURED, f"{file} has more than {bytes_max} bytes")
    return content
