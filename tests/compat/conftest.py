"""One airside for each module of rows."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.compat.house import House, house
from tests.compat.rows import rows


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """A running airside in which every row is an agent."""
    async with house(tmp_path_factory.mktemp("compat"), rows()) as running:
        yield running


@pytest.fixture
def airside(served: House) -> House:
    """The running airside with a provider that has seen nothing yet."""
    served.provider.seen.clear()
    served.provider.refusals.clear()
    served.provider.faults.clear()
    served.provider.vanished = 0
    return served
