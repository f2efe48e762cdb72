"""Puts the steps around the call itself, and closes every way by which an unexpected exception could let it through."""

from asyncio import CancelledError
from collections.abc import Awaitable, Callable, Sequence

import structlog

from airside.core.call import Call, Outcome
from airside.core.errors import AirsideError, Code
from airside.core.ids import new_id
from airside.core.ports import Forward, Step

_log = structlog.get_logger(__name__)


def compose(steps: Sequence[Step], terminal: Forward) -> Forward:
    """Return one callable that lets a call pass `steps` in their order and then `terminal`.

    The result raises nothing but AirsideError and CancelledError: any other exception, of a step or of the terminal,
    becomes AirsideError `internal` with an error id right where it leaves, so that each step meets only known failures.
    """
    forward = _closed(lambda call, _: terminal(call), terminal)
    for step in reversed(steps):
        forward = _closed(step, forward)
    return forward


def _closed(step: Callable[[Call, Forward], Awaitable[Outcome]], forward: Forward) -> Forward:
    async def through(call: Call) -> Outcome:
        try:
            return await step(call, forward)
        except (AirsideError, CancelledError):
            raise
        except Exception as error:
            raise internal(call.call_id, error) from error

    return through


def internal(call_id: str, error: Exception) -> AirsideError:
    """Return what a client is told of a failure of airside's own, an error id, and log under it where it broke.

    What the exception says is never told nor logged: its text may hold content.
    """
    error_id = new_id("err")
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
    _log.error("call_failed", error_id=error_id, call_id=call_id, type=type(error).__name__, where=where)
    return AirsideError(Code.INTERNAL, f"airside itself failed (error id {error_id})", details={"error_id": error_id})
