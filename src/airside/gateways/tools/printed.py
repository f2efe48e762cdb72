"""What hosted tools print: passed on to this process's stderr line by line, without the values of secrets."""

import os
import sys
import threading
from contextlib import suppress
from typing import Final

from airside.secrets.watch import without_values

LINE_BYTES_MAX: Final = 65_536


def relay() -> int:
    """Return the end of a pipe for a process to print to. The caller closes its copy; reading ends with the last."""
    reading, writing = os.pipe()
    threading.Thread(target=_pass_on, args=(reading,), name="printed by tools", daemon=True).start()
    return writing


def _pass_on(reading: int) -> None:
    """Read on a thread of its own: a tool must never wait for a busy gateway to print."""
    with os.fdopen(reading, "rb") as printed:
        while line := printed.readline(LINE_BYTES_MAX):
            text = without_values(line.decode(errors="replace"))
            if sys.__stderr__ is not None:
                with suppress(OSError, ValueError):
                    os.write(sys.__stderr__.fileno(), text.encode(errors="replace"))
