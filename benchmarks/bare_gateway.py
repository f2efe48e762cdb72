"""The bare pass-through that airside is measured against: uvicorn raw ASGI and aiohttp, and nothing between them."""

import argparse
import asyncio
import socket
from typing import Any

import aiohttp
import uvicorn
import uvloop


class Bare:
    """Forwards every request's body upstream and every byte of the answer back."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session: aiohttp.ClientSession | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            )
        message = await receive()
        chunks = [message["body"]]
        while message.get("more_body"):
            message = await receive()
            chunks.append(message["body"])
        headers = {name.decode(): value.decode() for name, value in scope["headers"] if name in FORWARDED}
        async with self._session.post(self._url, data=b"".join(chunks), headers=headers) as answer:
            kind = answer.headers["content-type"].encode()
            await send({"type": "http.response.start", "status": answer.status, "headers": [(b"content-type", kind)]})
            async for chunk in answer.content.iter_any():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


FORWARDED = {b"content-type", b"authorization"}


async def main() -> None:
    """Serve until killed; the first line printed is the URL."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--upstream", required=True)
    options = parser.parse_args()
    listener = socket.create_server(("127.0.0.1", 0))
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    config = uvicorn.Config(
        Bare(options.upstream + "/chat/completions"),
        http="httptools",
        lifespan="off",
        ws="none",
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
    )
    await uvicorn.Server(config).serve([listener])


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
