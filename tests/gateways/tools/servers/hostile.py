"""An MCP server that misbehaves, written by hand: `hostile.py MODE`. It speaks the older generation over stdio."""

import json
import os
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


def called(request: dict[str, Any]) -> None:  # noqa: C901 - a list of tricks
    """Answer a call, or not."""
    number = request["id"]
    if MODE == "flood":
        for _ in range(200):
            sys.stdout.write("x" * 1_000_000)
    elif MODE == "garbage":
        for _ in range(1_000):
            send("this is no json")
        time.sleep(3_600)
    elif MODE == "drip":
        while True:
            sys.stdout.write(" ")
            sys.stdout.flush()
            time.sleep(0.05)
    elif MODE == "asks":
        params = {"messages": [], "maxTokens": 5}
        send({"jsonrpc": "2.0", "id": "s1", "method": "sampling/createMessage", "params": params})
        send({"jsonrpc": "2.0", "id": "r1", "method": "roots/list"})
        answers = [json.loads(sys.stdin.readline()) for _ in range(2)]
        text = json.dumps({answer["id"]: "error" in answer for answer in answers})
        send({"jsonrpc": "2.0", "id": number, "result": {"content": [{"type": "text", "text": text}]}})
    elif MODE == "lies":
        result = {"content": [], "structuredContent": {"m": 1}}
        send({"jsonrpc": "2.0", "id": number, "result": result})
    elif MODE == "nonsense":
        send({"jsonrpc": "2.0", "id": number, "result": {"content": "what?"}})
    elif MODE == "refuses":
        send({"jsonrpc": "2.0", "id": number, "error": {"code": -32000, "message": "not\u202e today"}})
    elif MODE == "forks":
        if os.fork() == 0:
            time.sleep(3_600)
        Path(request["params"]["arguments"]["began"]).write_text(f"{os.getpid()}")
        time.sleep(3_600)
    else:
        send({"jsonrpc": "2.0", "id": number, "result": {"content": [{"type": "text", "text": "done"}]}})


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
