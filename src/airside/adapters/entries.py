"""Entries that are functions: called with the task, and with what else they ask for by name."""

import asyncio
import contextlib
import contextvars
import inspect
import threading
from collections.abc import Callable, Mapping
from typing import Any


async def called(entry: Callable[..., Any], task: Any, offers: Mapping[str, Any]) -> Any:
    """Return what a function comes to, async or not.

    It gets those of `offers` that it has parameters for, by name, and the task as its first other parameter, if it has
    one. An ordinary function runs in a thread, so that it may block.
    """
    parameters = [
        parameter
        for parameter in inspect.signature(entry).parameters.values()
        if parameter.kind not in {parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL}
    ]
    named = {parameter.name: offers[parameter.name] for parameter in parameters if parameter.name in offers}
    rest = [parameter for parameter in parameters if parameter.name not in offers]
    positional = (task,) if rest and rest[0].kind is not inspect.Parameter.KEYWORD_ONLY else ()
    if rest and not positional:
        named[rest[0].name] = task
    if is_async(entry):
        return await entry(*positional, **named)
    made = await in_thread(entry, *positional, **named)
    return await made if inspect.isawaitable(made) else made


def is_async(entry: Callable[..., Any]) -> bool:
    """Whether calling an entry gives a coroutine."""
    return inspect.iscoroutinefunction(entry) or inspect.iscoroutinefunction(type(entry).__call__)


async def in_thread(function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """Call a function in a thread of its own, in a copy of this context.

    Not `asyncio.to_thread`: its executor needs one more thread to shut down, which an attempt at its limits cannot
    have, and the failure of that would hide the agent's.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Any] = loop.create_future()

    def settle(value: Any, error: BaseException | None) -> None:
        if done.cancelled():
            return
        if error is None:
            done.set_result(value)
        else:
            done.set_exception(error)

    def work() -> None:
        outcome: tuple[Any, BaseException | None]
        try:
            outcome = function(*arguments, **named), None
        except BaseException as error:  # noqa: BLE001 - it is raised again where it is awaited
            outcome = None, error
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, *outcome)

    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(work,), name="agent", daemon=True).start()
    return await done
