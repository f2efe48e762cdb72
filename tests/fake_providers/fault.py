"""What a provider may do instead of answering well."""

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Fault:
    """What to do instead of answering well; the fields that are set apply, in this order.

    Events are counted as they leave: server-sent events with their name, or frames of an AWS event stream.
    """

    stall: bool = False  # accept the request and stay silent
    reset: bool = False  # cut the connection before the head
    status: int = 0  # answer with this status ...
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None  # ... and this body (also with status 200)
    cut_after: int | None = None  # of a stream: cut the connection after this many events
    end_after: int | None = None  # of a stream: end it properly after this many events
    stall_after: int | None = None  # of a stream: stay silent after this many events
    inject: tuple[int, bytes] | None = None  # of a stream: these bytes after that many events (1 MB lines, bad UTF-8)
    duplicate: bool = False  # of a stream: send every event twice
    drop: int | None = None  # of a stream: leave this event out
    usage: Any = "true"  # reported, in the provider's own shape, instead of the true usage; None leaves it out
    content_type: str = ""


LONG_LINE = b"data: " + b"x" * 1_048_576 + b"\n\n"
"""To inject: one line of a megabyte that is no JSON."""

BAD_UTF8 = b'data: {"text": "\xff\xfe\xc3"}\n\n'
"""To inject: an event that is not UTF-8."""
