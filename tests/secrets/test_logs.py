"""Values that were resolved, and bearer tokens, never reach the log, whoever writes it."""

import base64
import logging
from collections.abc import Iterator

import pytest
import structlog

from airside.core.dependencies import SHARED
from airside.secrets.handle import Handle
from airside.secrets.watch import Watch
from airside.server import logs
from tests.secrets.parts import HandClock

VALUE = "value-of-the-logs-9Xb3vU1aS8dF"


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


def test_logs_hold_neither_values_nor_bearer_tokens(capsys: pytest.CaptureFixture[str]) -> None:
    watch = Watch(HandClock(), 3_600)
    watch.remember("acme", Handle("house", "github"), "v1", VALUE)
    watch.remember(SHARED, Handle("house", "shared"), "v1", "0123456789abcdef")
    logs.configure("info")
    structlog.get_logger().info(f"sent {VALUE}", where=base64.b64encode(VALUE.encode()).decode())
    logging.getLogger("foreign").warning("key %s; Authorization: Bearer abc.def-ghi_jkl~mno", "0123456789ABCDEF")
    said = capsys.readouterr().err
    for value in (VALUE, base64.b64encode(VALUE.encode()).decode(), "0123456789ABCDEF", "abc.def-ghi_jkl~mno"):
        assert value not in said
    assert "secret://house/github" in said
    assert "secret://house/shared" in said
    del watch
