"""In the tool host: calls of a tool that come within moments of each other are handed to its function for many."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from airside.gateways.tools.together import Together, paired

Run = Callable[[Callable[[list[dict[str, Any]]], Any], list[dict[str, Any]]], Awaitable[Any]]
"""Runs a function, sync or async, with the arguments of many calls."""


class _Group:
    """Calls that wait to be made together."""

    def __init__(self) -> None:
        self.calls: list[tuple[dict[str, Any], asyncio.Future[Any]]] = []
        self.full = asyncio.Event()


class Gathering:
    """Gathers calls by tool and tenant; what belongs to different tenants is never asked together."""

    def __init__(self, together: Mapping[str, Together], run: Run) -> None:
        self._together = together
        self._run = run
        self._groups: dict[tuple[str, str], _Group] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def takes(self, tool: str) -> bool:
        """Whether calls of a tool are made together."""
        return tool in self._together

    async def result(self, tool: str, tenant_id: str, arguments: dict[str, Any]) -> Any:
        """Return the result of one call, made together with others of its tool and tenant."""
        how, key = self._together[tool], (tool, tenant_id)
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = _Group()
            task = asyncio.create_task(self._made(how, key, group))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        waiting = asyncio.get_running_loop().create_future()
        group.calls.append((arguments, waiting))
        if len(group.calls) >= how.calls_max:
            self._groups.pop(key)
            group.full.set()
        return await waiting

    async def _made(self, how: Together, key: tuple[str, str], group: _Group) -> None:
        """Wait for company, make the calls, and give each its result. Whoever was cancelled meanwhile is left out."""
        try:
            async with asyncio.timeout(how.wait_s):
                await group.full.wait()
        except TimeoutError:
            if self._groups.get(key) is group:
                self._groups.pop(key)
        calls = [(arguments, waiting) for arguments, waiting in group.calls if not waiting.done()]
        if not calls:
            return
        try:
            results = paired(await self._run(how.function, [arguments for arguments, _ in calls]), len(calls))
        except BaseException as error:  # noqa: BLE001 - whatever it raises, it is the answer to each of them
            results = [error] * len(calls)
        for (_, waiting), result in zip(calls, results, strict=True):
            if waiting.done():
                continue
            if isinstance(result, BaseException):
                waiting.set_exception(result)
            else:
                waiting.set_result(result)
