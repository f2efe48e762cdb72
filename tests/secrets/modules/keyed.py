"""Tools that use secrets, well and badly."""

import base64
import ctypes
import os
import sys
from pathlib import Path

from airside import CredentialRefused, ToolContext, tool


@tool(effect="write")
def open_issue(title: str, context: ToolContext) -> dict[str, str]:
    """Open an issue at a tracker that accepts only the token in VALID; echoes more than it should."""
    token = context.secret("tracker")
    if token != Path(os.environ["VALID"]).read_text():
        raise CredentialRefused(f"the tracker refused {token}")
    return {"title": title, "echo": token, "encoded": base64.b64encode(f"u:{token}".encode()).decode()}


@tool(effect="read")
def fetch(url: str, headers: dict[str, str]) -> dict[str, str | bool]:
    """Pretend to fetch; tells whether it was given the value and not the handle."""
    shown = headers.get("Authorization", "")
    return {"url": url, "was_value": shown.startswith("Bearer value-"), "sent": shown}


@tool(effect="read")
def look_around(context: ToolContext) -> dict[str, bool | str]:
    """Look for secrets where none should be."""
    everywhere = " ".join([*sys.argv, Path("/proc/self/environ").read_text(), repr(context)])
    return {"seen": "value-" in everywhere, "dumpable": bool(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))}


@tool(effect="read")
def fail_loudly(context: ToolContext) -> str:
    """Raise an error that quotes the secret."""
    raise RuntimeError(f"cannot log in with {context.secret('tracker')[::-1]}")


@tool(effect="read")
def ungranted(context: ToolContext) -> str:
    """Ask for what nobody granted."""
    return context.secret("tracker")


@tool(effect="read")
def print_it(context: ToolContext) -> str:
    """Print a secret, as people do when they look for a fault."""
    print("the token is", context.secret("tracker"), flush=True)
    print("in base64", base64.b64encode(context.secret("tracker").encode()).decode(), file=sys.stderr, flush=True)
    return "printed"
