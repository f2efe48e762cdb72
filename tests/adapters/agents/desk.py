"""The tools that the agents of every framework share. What they do is written to a file, one line an effect."""

import os
import signal
from pathlib import Path

EFFECTS = Path(os.environ.get("DESK_EFFECTS", "effects"))
INSTRUCTIONS = "You keep the desk."


def _do(effect: str) -> None:
    with EFFECTS.open("a") as file:
        file.write(f"{effect}\n")
    wanted = Path(f"{EFFECTS}.crash")
    if os.environ["AIRSIDE_ATTEMPT"] == "1" and wanted.exists() and wanted.read_text() == effect.split(maxsplit=1)[0]:
        os.kill(os.getpid(), signal.SIGKILL)


def note(text: str) -> dict[str, str]:
    """Take a note."""
    _do(f"note {text}")
    return {"status": "NOTED", "by": "the clerk — Zoë"}


def pin(text: str) -> str:
    """Pin a paper to the wall."""
    _do(f"pin {text}")
    return f"PINNED {text}"


def look(place: str) -> str:
    """Look at a place."""
    _do(f"look {place}")
    return f"LOOKED at {place}"
