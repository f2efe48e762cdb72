"""`python -m tests.fake_providers --port 9000`: the fake providers in a process of their own."""

import argparse
import asyncio

import uvloop

from tests.fake_providers.provider import FakeProvider, serving


async def main() -> None:
    """Serve until the process is ended; the first line of output is the base URL of the OpenAI face."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--delay-ms", type=float, default=0.0)
    parser.add_argument("--chunk-delay-ms", type=float, default=0.0)
    parser.add_argument("--reply", default="", help="the text of every answer")
    options = parser.parse_args()
    provider = FakeProvider(
        delay_s=options.delay_ms / 1_000, chunk_delay_s=options.chunk_delay_ms / 1_000, reply_text=options.reply
    )
    provider.keep = False
    async with serving(provider, options.port) as url:
        print(url, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main())
