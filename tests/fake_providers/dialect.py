"""What the fake providers share: requests, replies, and refusals in each provider's own words."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

from tests.fake_providers.script import Message, Meter


@dataclass
class Request:
    """One HTTP request as it came; header names are lower case. `body` is None for what is no JSON."""

    method: str
    target: str
    headers: dict[str, str]
    raw: bytes
    body: Any = None
    path: str = field(init=False)
    query: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.target)
        self.path, self.query = parts.path, dict(parse_qsl(parts.query, keep_blank_values=True))
        try:
            self.body = json.loads(self.raw)
        except ValueError:
            self.body = None


class Refusal(Exception):
    """The provider says no, with this status and JSON body."""

    def __init__(self, status: int, body: Any, **headers: str) -> None:
        self.status, self.body = status, body
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        super().__init__(f"{status} {json.dumps(body)[:300]}")


@dataclass
class Whole:
    """An answer in one piece."""

    value: Any
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Stream:
    """An answer in events, each as it goes over the wire."""

    frames: list[bytes]
    content_type: str = "text/event-stream"
    headers: dict[str, str] = field(default_factory=dict)


class Speaker(Protocol):
    """What a dialect asks of the provider: what the model says, how it is metered, and the number of the answer."""

    calls: int

    def say(self, body: Any) -> Message:
        """Return what the model says to this request."""
        ...

    def meter(self, asked: Any, message: Message, allowed: int | None) -> Meter:
        """Return the tokens of an answer."""
        ...

    def usage(self, true: Any) -> Any:
        """Return the usage to report: the true one unless a fault says otherwise; None leaves it out."""
        ...


Dialect = Callable[[Request, Speaker], Whole | Stream]
"""Answers one request, or raises Refusal."""


def names(listed: str) -> frozenset[str]:
    """Return the names that a text lists."""
    return frozenset(listed.split())


def sse(value: Any, event: str = "", eol: str = "\n") -> bytes:
    """Return one server-sent event."""
    name = f"event: {event}{eol}" if event else ""
    data = value if isinstance(value, str) else json.dumps(value)
    return f"{name}data: {data}{eol}{eol}".encode()


def bearer(request: Request) -> str:
    """Return the bearer token, or an empty text."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token if scheme == "Bearer" else ""


def strict_schema_problem(schema: Any, where: str = "") -> str:
    """Return why OpenAI would not take this as a strict schema, or an empty text."""
    if not isinstance(schema, Mapping):
        return ""
    if schema.get("type") == "object" or "properties" in schema:
        if schema.get("additionalProperties") is not False:
            return f"In context=({where}), 'additionalProperties' is required to be supplied and to be false."
        missing = set(schema.get("properties", {})) - set(schema.get("required", ()))
        if missing:
            return (
                f"In context=({where}), 'required' is required to be supplied and to be an array including every key "
                f"in properties. Missing '{sorted(missing)[0]}'."
            )
    inner = [*schema.get("properties", {}).items(), *schema.get("$defs", {}).items()]
    inner += [("items", schema["items"])] if "items" in schema else []
    for name, part in [*inner, *[("anyOf", part) for part in schema.get("anyOf", ())]]:
        if problem := strict_schema_problem(part, f"{where}, '{name}'".strip(", ")):
            return problem
    return ""
