"""Fixtures of the secrets' tests: one OpenBao server for all of them."""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session")
def bao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real server; skips without the extra `vault` or the wheel."""
    pytest.importorskip("hvac")
    from tests.secrets.openbao import openbao

    with openbao(tmp_path_factory.mktemp("bao")) as address:
        yield address
