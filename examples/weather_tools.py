"""A tool for the smallest agent, hosted by airside outside the agent's process."""

from airside import tool

KNOWN = {"turin": "sunny, 24 °C", "oslo": "snow, -3 °C", "lagos": "thunderstorms, 29 °C"}


@tool(effect="read", idempotent=True)
def weather(town: str) -> str:
    """Return the weather of a town, as of a quiet day last year."""
    return KNOWN.get(town.lower(), "unknown")
