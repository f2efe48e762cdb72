"""Closing: whoever follows a run is told its end by the end of the stream, and does not hold the server up."""

import asyncio
import time
from pathlib import Path

import httpx2

from tests.server.test_handoffs import office


async def test_a_followed_run_does_not_hold_up_the_end_of_the_server(tmp_path: Path) -> None:
    began = asyncio.Event()

    async def follow(client: httpx2.AsyncClient, run_id: str) -> str:
        text = ""
        async with client.stream("GET", f"/api/v1/runs/{run_id}/events") as answer:
            async for chunk in answer.aiter_text():
                text += chunk
                began.set()
        return text

    async with office(tmp_path, "memory:") as served:
        run_id = await served.submit("clerk", "sleep")
        async with httpx2.AsyncClient(
            base_url=served.url, headers=served.admin.headers, timeout=60, trust_env=False
        ) as client:
            following = asyncio.create_task(follow(client, run_id))
            await asyncio.wait_for(began.wait(), 20)
            served.plane.services.signals.closing = True
            asked = time.monotonic()
            seen = await asyncio.wait_for(following, 20)
            assert time.monotonic() - asked < 8, "the stream outlived the wish to close"
        assert "event: run.state" in seen
