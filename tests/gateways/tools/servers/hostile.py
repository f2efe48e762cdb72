"""An MCP server that misbehaves, written by hand: `hostile.py MODE`. It speaks the older generation over stdio."""

import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

MODE = sys.argv[1]
OBJECT = {"type": "object"}


def tools() -> list[Any]:
    """Return what it lists, by mode."""
    if MODE == "names":
        names = ["fine", "f\u0456ne", "fi\u200bne", "Fine", "flne", "fIne", "a.b/c", "x" * 200, "", "two words"]
        return [{"name": name, "inputSchema": OBJECT} for name in names]
    if MODE == "schemas":
        deep: dict[str, Any] = {}
        for _ in range(80):
            deep = {"properties": {"a": deep}}
        return [
            {"name": "good", "inputSchema": OBJECT, "description": "ok"},
            {"name": "no_schema"},
            {"name": "list", "inputSchema": []},
            {"name": "wrong", "inputSchema": {"type": "object", "properties": {"a": {"type": "nonsense"}}}},
            {"name": "elsewhere", "inputSchema": {"type": "object", "$ref": "http://127.0.0.1:1/x"}},
            {"name": "deep", "inputSchema": {"type": "object", "properties": {"a": deep}}},
            {"name": "huge", "inputSchema": {"type": "object", "enum": ["y" * 300_000]}},
            {"name": "array", "inputSchema": {"type": "array"}},
            7,
            {"name": 9, "inputSchema": OBJECT},
        ]
    if MODE == "texts":
        text = "Look\u202e up\u2066 \x1b[31mthings\u200b" + "\U000e0041" + "\x00 now." + "z" * 100_000
        return [
            {
                "name": "t",
                "description": text,
                "inputSchema": {"type": "object", "properties": {"q": {"type": "string", "description": "a\u202eb"}}},
            }
        ]
    if MODE == "many":
        return [{"name": f"tool_{n}", "inputSchema": OBJECT} for n in range(40)]
    return [
        {"name": "act", "inputSchema": OBJECT},
        {"name": "sum", "inputSchema": OBJECT, "outputSchema": {"type": "object", "required": ["n"]}},
    ]


def send(value: Any) -> None:
    """Write one line."""
    sys.stdout.write((value if isinstance(value, str) else json.dumps(value)) + "\n")
    sys.stdout.flush()


def answer(request: dict[str, Any], result: dict[str, Any]) -> None:
    """Answer a request."""
    send({"jsonrpc": "2.0", "id": request["id"], "result": result})


def say(request: dict[str, Any], text: str) -> None:
    """Answer a call with a text."""
    answer(request, {"content": [{"type": "text", "text": text}]})


def note(request: dict[str, Any]) -> None:
    """Leave a trace of being called: one line for each time."""
    with Path(request["params"]["arguments"]["began"]).open("a") as file:
        file.write(f"{os.getpid()}\n")


def flood(_request: dict[str, Any]) -> None:
    """Answer with 200 MB in one line."""
    for _ in range(200):
        sys.stdout.write("x" * 1_000_000)


def garbage(_request: dict[str, Any]) -> None:
    """Write what is no message."""
    for _ in range(1_000):
        send("this is no json")
    time.sleep(3_600)


def drip(_request: dict[str, Any]) -> None:
    """Write slowly, for ever."""
    while True:
        sys.stdout.write(" ")
        sys.stdout.flush()
        time.sleep(0.05)


def asks(request: dict[str, Any]) -> None:
    """Ask the caller for a completion and for its files; answer what came back."""
    params = {"messages": [], "maxTokens": 5}
    send({"jsonrpc": "2.0", "id": "s1", "method": "sampling/createMessage", "params": params})
    send({"jsonrpc": "2.0", "id": "r1", "method": "roots/list"})
    answers = [json.loads(sys.stdin.readline()) for _ in range(2)]
    say(request, json.dumps({reply["id"]: "error" in reply for reply in answers}))


def forks(request: dict[str, Any]) -> None:
    """Start a child, and hang."""
    child = os.fork()
    if child:
        Path(request["params"]["arguments"]["began"]).write_text(f"{os.getpid()} {child}")
    time.sleep(3_600)


def die(request: dict[str, Any]) -> None:
    """Die in mid-call."""
    note(request)
    os._exit(3)


def tell(request: dict[str, Any]) -> None:
    """Tell what the process is and has."""
    count.append(1)
    told = {"pid": os.getpid(), "env": dict(os.environ), "cwd": str(Path.cwd()), "calls": len(count)}
    limits = {name: resource.getrlimit(getattr(resource, name))[0] for name in ("RLIMIT_DATA", "RLIMIT_NOFILE")}
    say(request, json.dumps({**told, **limits, "group": os.getpgrp() == os.getpid()}))


count: list[int] = []
TRICKS = {
    "flood": flood,
    "garbage": garbage,
    "drip": drip,
    "asks": asks,
    "forks": forks,
    "die": die,
    "tell": tell,
    "lies": lambda request: answer(request, {"content": [], "structuredContent": {"m": 1}}),
    "keeps": lambda request: answer(request, {"content": [], "structuredContent": {"n": 1}}),
    "nonsense": lambda request: answer(request, {"content": "what?"}),
    "wants": lambda request: answer(request, {"resultType": "input_required", "inputRequests": {}}),
    "refuses": lambda request: send(
        {"jsonrpc": "2.0", "id": request["id"], "error": {"code": -32000, "message": "not\u202e today"}}
    ),
}


def called(request: dict[str, Any]) -> None:
    """Answer a call, or not."""
    TRICKS.get(MODE, lambda request: say(request, "done"))(request)


def main() -> None:
    """Serve."""
    if MODE == "mute":
        time.sleep(3_600)
    if MODE == "leaves":
        sys.exit("cannot: the licence has run out")
    for line in sys.stdin:
        request = json.loads(line)
        method = request.get("method")
        if method == "initialize":
            info = {"name": "hostile", "version": "1"}
            result: Any = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": info}
            send({"jsonrpc": "2.0", "id": request["id"], "result": result})
        elif method == "tools/list":
            result = {"tools": tools()}
            if MODE == "endless":
                result["nextCursor"] = "again"
            send({"jsonrpc": "2.0", "id": request["id"], "result": result})
        elif method == "tools/call":
            called(request)
        elif "id" in request and "method" in request:
            error = {"code": -32601, "message": "Method not found"}
            send({"jsonrpc": "2.0", "id": request["id"], "error": error})


if __name__ == "__main__":
    main()
