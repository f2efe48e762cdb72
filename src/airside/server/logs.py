"""Logs: JSON lines on stderr that carry ids, codes and places, never content, credentials or exception texts."""

import logging
import re
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any

import structlog

from airside.secrets.watch import without_values

_SECRET_NAMES = re.compile(r"authorization|token|secret|password|api_key|cookie|body|content|arguments", re.IGNORECASE)
_SECRET_TEXT = re.compile(r"\b(rt_|ak_|sk-|whsec_|[Bb]earer\s)[\w+/=.~-]{8,}|(://[^:/@\s]+:)[^@\s]+@")
PLACES_MAX = 12


def configure(level: str) -> None:
    """Send structlog and the standard library's logging to stderr as JSON lines of `level` and above."""
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _places_instead_of_tracebacks,
        _without_secrets,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(getattr(logging, level.upper()), logging.INFO))
    for chatty in ("uvicorn", "uvicorn.error", "mcp", "httpx2", "procrastinate"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def places(error: BaseException) -> list[str]:
    """Return where an exception came from, innermost last, without the values that it mentions."""
    frames = traceback.extract_tb(error.__traceback__)[-PLACES_MAX:]
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]


def _places_instead_of_tracebacks(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    found = event.pop("exc_info", None)
    error = found[1] if isinstance(found, tuple) else found
    if error is True:
        error = sys.exc_info()[1]
    if isinstance(error, BaseException):
        event["exception"] = type(error).__name__
        event["places"] = places(error)
    return event


def _without_secrets(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name, value in event.items():
        if name != "event" and _SECRET_NAMES.search(name):
            event[name] = "(withheld)"
        elif isinstance(value, str):
            event[name] = without_values(_SECRET_TEXT.sub(r"\1\2(withheld)", value))
    return event
