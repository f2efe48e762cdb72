"""Fixtures of the tool gateway's tests."""

from collections.abc import AsyncIterator

import pytest

from tests.gateways.tools.tooling import Tooling, served, settings, tooling_of


@pytest.fixture
async def tooling() -> AsyncIterator[Tooling]:
    """A gateway over the shop's tools."""
    async with tooling_of(settings()) as made:
        yield made


@pytest.fixture
async def url(tooling: Tooling) -> AsyncIterator[str]:
    """Where the gateway's MCP face is served."""
    async with served(tooling.face) as base:
        yield base + "/mcp"
