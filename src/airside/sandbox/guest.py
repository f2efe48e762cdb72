"""The program around an agent's code, inside the sandbox: fetches it, runs it, tells what it left.

It is read as text and run by another Python, in WebAssembly or in a container, so it needs nothing but that one's
standard library. Nothing it says is believed: the host bounds and checks every word.
"""

from __future__ import annotations

import base64
import errno
import json
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

ERROR_CHARS_MAX = 2000
NOBODY = 65534


def door() -> Callable[[bytes], bytes]:
    """Return how this sandbox asks its host: bytes in, bytes out."""
    try:
        import _host  # type: ignore[import-not-found]  # exists in WebAssembly only

        asked: Callable[[bytes], bytes] = _host.call
        return asked
    except ImportError:
        give_up_privilege()
        asks, answers = os.dup(1), os.dup(0)
        os.dup2(2, 1)  # what is printed goes with the errors; only frames go there
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)

    def exactly(count: int) -> bytes:
        data = b""
        while len(data) < count:
            piece = os.read(answers, count - len(data))
            if not piece:
                os._exit(71)
            data += piece
        return data

    def ask(frame: bytes) -> bytes:
        data = memoryview(len(frame).to_bytes(4, "big") + b"H" + frame)
        while data:
            data = data[os.write(asks, data) :]
        head = exactly(5)
        return exactly(int.from_bytes(head[:4], "big"))

    return ask


def give_up_privilege() -> None:
    """In a container: become nobody if this is root, and take on the limits that were given as NAME=VALUE."""
    import resource

    if os.getuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    for word in sys.argv[1:]:
        name, _, value = word.partition("=")
        beyond = 1 if name == "CPU" else 0  # a second between the signal that says why and the end
        resource.setrlimit(getattr(resource, "RLIMIT_" + name), (int(value), int(value) + beyond))
    del sys.argv[1:]


class ToolError(Exception):
    """A tool call failed or was refused; `code` says why."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class Tools:
    """The tools this code may use: `tools.NAME(argument=…)`."""

    def __init__(self, names: list[str], ask: Callable[[bytes], bytes]) -> None:
        for name in names:
            setattr(self, name, self._caller(name, ask))

    def _caller(self, name: str, ask: Callable[[bytes], bytes]) -> Callable[..., Any]:
        def call(**arguments: Any) -> Any:
            frame = json.dumps({"op": "call", "tool": name, "arguments": arguments}).encode()
            answer = json.loads(ask(frame))
            if "error" in answer:
                raise ToolError(answer["error"], answer.get("code", ""))
            return answer["value"]

        call.__name__ = name
        return call


def clean(text: str) -> str:
    """Return text that can be carried: without lone surrogates."""
    return text.encode("utf-8", "replace").decode()


def changed_files(given: dict[str, bytes]) -> dict[str, str]:
    """Return the regular files of the working folder that are new or changed, as base64 by name."""
    found: dict[str, str] = {}
    try:
        names = sorted(os.listdir("."))
    except OSError:
        return found
    for name in names:
        if os.path.islink(name) or not os.path.isfile(name):
            continue
        with open(name, "rb") as file:
            data = file.read()
        if given.get(name) != data:
            found[clean(name)] = base64.b64encode(data).decode()
    return found


def run(source: str, names: dict[str, Any]) -> dict[str, str] | None:
    """Run code; return what went wrong, if anything did."""
    try:
        exec(compile(source, "code.py", "exec"), names)
    except SystemExit as stop:
        if stop.code not in (None, 0):
            return {"text": "SystemExit: " + str(stop.code)[:ERROR_CHARS_MAX], "kind": "SystemExit"}
        return None
    except MemoryError as error:
        error.__traceback__ = None
        names.clear()
        return {"text": "MemoryError: there is no memory left", "kind": "MemoryError"}
    except BaseException as error:
        kind = type(error).__name__
        number = errno.errorcode.get(error.errno or 0, "") if isinstance(error, OSError) else ""
        code = str(error.code) if isinstance(error, ToolError) else ""
        text = clean((kind + ": " + str(error))[:ERROR_CHARS_MAX])
        if error.__traceback__:
            error.__traceback__ = error.__traceback__.tb_next  # without this function
        try:
            sys.excepthook(type(error), error, error.__traceback__)
        except BaseException:
            text += " (the traceback could not be printed)"
        return {"text": text, "kind": kind, "errno": number, "code": code}
    return None


def main() -> None:
    """Be the whole program."""
    ask = door()
    job = json.loads(ask(b'{"op":"begin"}'))
    given = {name: base64.b64decode(data) for name, data in job["files"].items()}
    for name, data in given.items():
        with open(name, "wb") as file:
            file.write(data)
    names = {"__name__": "__main__", "__builtins__": __builtins__, "inputs": job["inputs"]}
    names["tools"] = Tools(job["tools"], ask)
    names["ToolError"] = ToolError
    error = run(job["source"], names)
    value = names.get("result")
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BaseException:
            error = error or {"text": "what was printed last could not be written", "kind": "OSError"}
    try:
        value = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as problem:
        value = "null"
        error = error or {"text": "result is not JSON: " + str(problem)[:ERROR_CHARS_MAX], "kind": "TypeError"}
    report = {"op": "end", "error": error, "files": changed_files(given)}
    answer = ask((json.dumps(report)[:-1] + ', "value": ' + value + "}").encode())
    if b'"error"' in answer:
        report["error"] = error or {"text": "result cannot be carried as JSON", "kind": "ValueError"}
        ask((json.dumps(report)[:-1] + ', "value": null}').encode())


if __name__ == "__main__":
    main()
    os._exit(0)  # what was said is all; code that hid in an exit handler or a thread does not run on
