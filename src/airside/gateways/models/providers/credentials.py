"""Credentials in files that something else renews: read again when the file has changed."""

from pathlib import Path

from airside.core.errors import AirsideError, Code, TransientError


class FreshFile:
    """A file with a secret. `setting` is what names it, for errors."""

    def __init__(self, path: Path, setting: str) -> None:
        self._path = path
        self._setting = setting
        self._seen = (0, 0)
        self.known = ""
        try:
            self.text()
        except TransientError as error:
            raise AirsideError(Code.MISCONFIGURED, error.message) from None

    def text(self) -> str:
        """Return what the file holds now, without white space around it.

        Raises TransientError `upstream_failed` if it cannot be read or is empty: whoever renews it may be at it.
        """
        try:
            stat = self._path.stat()
            if self._seen != (stat.st_mtime_ns, stat.st_size):
                self.known, self._seen = self._path.read_text().strip(), (stat.st_mtime_ns, stat.st_size)
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "not text"
            raise self._unreadable(f"cannot be read: {why}") from None
        if not self.known:
            raise self._unreadable("is empty")
        return self.known

    def _unreadable(self, why: str) -> TransientError:
        self._seen = (0, 0)
        return TransientError(Code.UPSTREAM_FAILED, f"{self._setting} {why}", details={"not_sent": True})
