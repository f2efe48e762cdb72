"""The tool host: `python -m airside.gateways.tools.host --fd N`, a process of its own that runs hosted tools.

It is started and supervised by `hosted.py`, with a scrubbed environment and no credential of airside. It dies with its
parent, cannot be read by other processes of the same user, and keeps tools' crashes, leaks and hangs out of the
gateway. Async tools run on the loop, sync tools in a thread each; how many at once is the gateway's business.
"""

import argparse
import asyncio
import ctypes
import functools
import importlib
import inspect
import os
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError, to_jsonable_python

from airside.core import canonical
from airside.core.errors import AirsideError, Code, TransientError
from airside.core.text import message_of, storable
from airside.gateways.tools import frames
from airside.gateways.tools.declare import ToolContext, declared
from airside.gateways.tools.gathering import Gathering
from airside.gateways.tools.signature import Callee, callee
from airside.gateways.tools.together import declared_together

PR_SET_PDEATHSIG: Final = 1
PR_SET_DUMPABLE: Final = 4
MESSAGE_CHARS_MAX: Final = 2_000
OWN_CODES: Final = frozenset(
    {Code.INVALID_ARGUMENTS, Code.LIMIT_EXCEEDED, Code.TOOL_FAILED, Code.SECRET_DENIED, Code.SECRET_REFUSED}
)


class Host:
    """Executes calls that arrive as frames and answers each with one frame."""

    def __init__(self, callees: Mapping[str, Callee], writer: asyncio.StreamWriter, result_bytes_max: int) -> None:
        self._callees = callees
        self._writer = writer
        self._result_bytes_max = result_bytes_max
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._gathering = Gathering(declared_together(), _called)

    def take(self, frame: frames.Invoke | frames.Cancel) -> None:
        """Begin or cancel an execution. A sync tool cannot be cancelled: it answers when it ends."""
        if isinstance(frame, frames.Cancel):
            if task := self._tasks.get(frame.number):
                task.cancel()
            return
        task = asyncio.create_task(self._answer(frame))
        self._tasks[frame.number] = task
        task.add_done_callback(lambda _: self._tasks.pop(frame.number, None))

    async def _answer(self, invoke: frames.Invoke) -> None:
        body = b""
        try:
            value = await self._execute(self._callees[invoke.tool], invoke)
            body = encode_result(value, self._result_bytes_max)
            answer: frames.Returned | frames.Raised = frames.Returned(invoke.number, body)
        except asyncio.CancelledError:
            answer = frames.Raised(invoke.number, Code.CANCELLED, "the execution was cancelled")
        except BaseException as error:  # noqa: BLE001 - whatever a tool raises must not end the host
            answer = _raised(invoke, error)
        self._writer.write(frames.encode(answer))
        await self._writer.drain()

    async def _execute(self, callee: Callee, invoke: frames.Invoke) -> Any:
        arguments = _bound(callee, invoke)
        if self._gathering.takes(invoke.tool):
            return await self._gathering.result(invoke.tool, invoke.tenant_id, arguments)
        return await _called(callee.function, **arguments)


def _bound(callee: Callee, invoke: frames.Invoke) -> dict[str, Any]:
    context = ToolContext(invoke.call_id, invoke.run_id, invoke.tenant_id, invoke.secrets)
    try:
        return callee.bind(invoke.arguments, context)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "arguments"
        raise AirsideError(Code.INVALID_ARGUMENTS, f"{place}: {first['msg']}") from None


async def _called(function: Callable[..., Any], *values: Any, **arguments: Any) -> Any:
    """Call a function: on the loop if it is async, else in a thread."""
    if inspect.iscoroutinefunction(function):
        return await function(*values, **arguments)
    name = getattr(function, "__name__", "?")
    value = await _in_thread(functools.partial(function, *values, **arguments), name)
    return await value if inspect.isawaitable(value) else value


async def _in_thread(work: Callable[[], Any], name: str) -> Any:
    """Run in a daemon thread of its own: a pool would let hanging tools starve the others and block the exit."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[tuple[Any, BaseException | None]] = loop.create_future()

    def run() -> None:
        try:
            ended: tuple[Any, BaseException | None] = (work(), None)
        except BaseException as error:  # noqa: BLE001 - carried over to the loop
            ended = (None, error)
        with suppress(RuntimeError):  # the loop is closed: the host is on its way out
            loop.call_soon_threadsafe(done.set_result, ended)

    threading.Thread(target=run, name=f"tool {name}", daemon=True).start()
    while not done.done():
        with suppress(asyncio.CancelledError):  # a thread cannot be cancelled, and its slot is taken until it ends
            await asyncio.shield(done)
    value, error = done.result()
    if error is not None:
        raise error
    return value


def encode_result(value: Any, bytes_max: int) -> bytes:
    """Return a tool's result as canonical JSON; dataclasses, pydantic models, dates and the like become JSON values.

    Raises AirsideError: `tool_failed` for what is not JSON, `limit_exceeded` beyond `bytes_max`.
    """
    try:
        body = canonical.encode(to_jsonable_python(value, inf_nan_mode="constants"))
    except (PydanticSerializationError, ValueError, RecursionError) as error:
        raise AirsideError(Code.TOOL_FAILED, f"the result is not JSON: {error}") from None
    except AirsideError as error:
        code = error.code if error.code is Code.LIMIT_EXCEEDED else Code.TOOL_FAILED
        raise AirsideError(code, f"the result is not acceptable: {error.message}") from None
    if len(body) > bytes_max:
        raise AirsideError(Code.LIMIT_EXCEEDED, f"the result has {len(body)} bytes; at most {bytes_max} are accepted")
    return body


def _raised(invoke: frames.Invoke, error: BaseException) -> frames.Raised:
    if isinstance(error, TransientError):
        return frames.Raised(invoke.number, error.code, storable(error.message), transient=True)
    if isinstance(error, AirsideError) and error.code in OWN_CODES:
        return frames.Raised(invoke.number, error.code, storable(error.message))
    # For the operator: the places without the message, which may hold personal data
    print(f"tool {invoke.tool} raised {type(error).__name__}", file=sys.stderr)  # noqa: T201
    traceback.print_tb(error.__traceback__, file=sys.stderr)
    message = f"{type(error).__name__}: {message_of(error)}"
    return frames.Raised(invoke.number, Code.TOOL_FAILED, storable(message[:MESSAGE_CHARS_MAX]))


def load(start: frames.Start) -> dict[str, Callee]:
    """Import the configured modules and return the tools they declare.

    Raises AirsideError `misconfigured`, naming module and line, when one cannot be imported or declares nonsense.
    """
    sys.path[:0] = start.path
    for module in start.modules:
        try:
            importlib.import_module(module)
        except BaseException as error:  # noqa: BLE001 - a module may raise anything while it is imported
            what = f"{type(error).__name__}: {message_of(error)} ({_place(error)})"
            raise AirsideError(Code.MISCONFIGURED, f"tools.modules: {module} cannot be imported: {what}") from None
    return {name: callee(declaration) for name, declaration in declared().items()}


def _place(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return f"{error.filename}, line {error.lineno}"
    own = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "importlib" not in frame.filename and frame.filename not in {__file__, declared.__code__.co_filename}
    ]
    return f"{own[-1].filename}, line {own[-1].lineno}" if own else "not found on the path; see tools.path"


def harden(parent: int) -> None:
    """Die with the parent process, and let no process of the same user read this one's memory or environment."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    for option, value in ((PR_SET_PDEATHSIG, signal.SIGKILL), (PR_SET_DUMPABLE, 0)):
        if prctl(option, value, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), f"prctl({option}) failed")
    if os.getppid() != parent:  # it died before we asked to be told
        os._exit(1)


async def serve(connection: socket.socket) -> None:
    """Load the tools, tell what they are, and execute until the gateway is gone."""
    reader, writer = await asyncio.open_unix_connection(sock=connection)
    start = await frames.receive(reader, frames.to_host)
    if not isinstance(start, frames.Start):
        return
    try:
        callees = load(start)
    except AirsideError as error:
        writer.write(frames.encode(frames.Failed(error.message)))
        writer.close()
        await writer.wait_closed()
        return
    writer.write(frames.encode(frames.Ready(tuple(callee.tool for callee in callees.values()))))
    host = Host(callees, writer, start.result_bytes_max)
    while isinstance(frame := await frames.receive(reader, frames.to_host), frames.Invoke | frames.Cancel):
        host.take(frame)
    os._exit(0)  # without waiting for tools that still run: nobody would hear their answers


def main() -> None:
    """Run the tool host."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True)
    options = parser.parse_args()
    harden(options.parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the gateway, which ends us in order
    os.set_inheritable(options.fd, False)  # a tool's child must not keep the connection open
    asyncio.run(serve(socket.socket(fileno=options.fd)))


if __name__ == "__main__":
    main()
