"""Tools of the test of a whole airside with guards."""

import hashlib

import airside


@airside.tool(effect="read")
def customer() -> dict[str, str]:
    """Return a customer."""
    return {"mail": "anna.berg@bergbau-hamm.de"}


@airside.tool(effect="write")
def deliver(to: str) -> str:
    """Deliver, and tell to whom without saying it."""
    return hashlib.sha256(to.encode()).hexdigest()[:8]


@airside.tool(effect="write")
def keep(text: str) -> str:
    """Tell what came, letter by letter."""
    return " ".join(text)
