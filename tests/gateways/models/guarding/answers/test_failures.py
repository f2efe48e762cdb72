"""What providers say of their failures is checked as their answers are, however the failure comes."""

from pathlib import Path
from typing import Any

import pytest

from airside.core.call import Call
from airside.core.errors import AirsideError, Code, TransientError
from airside.gateways.models.provider import Ask
from tests.gateways.models.guarding.answers.guarded import MODEL, SECRET, USER, guarded

COMPLETE = "airside.gateways.models.providers.http.HttpProvider.complete"
ASKED = {
    "/v1/chat/completions": {"model": MODEL, "messages": USER},
    "/v1/embeddings": {"model": MODEL, "input": "Tell me."},
}


@pytest.mark.parametrize("kind", [AirsideError, TransientError])
@pytest.mark.parametrize("mode", ["redact", "block"])
@pytest.mark.parametrize("path", ASKED)
async def test_a_raised_failure_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, mode: str, kind: type[AirsideError]
) -> None:
    async def fails(_: Any, call: Call, ask: Ask) -> Any:
        details = {"not_sent": True, "why": [f"sent {SECRET}"], SECRET: 1, "tries": 2}
        raise kind(Code.UPSTREAM_FAILED, f"it said {SECRET}", advice=f"Ask {SECRET}.", details=details)

    monkeypatch.setattr(COMPLETE, fails)
    async with guarded(tmp_path, modes={"secrets": mode}) as g:
        answer = await g.pair.post(path, ASKED[path])
        assert answer.status_code == 502
        (error,) = g.spy.errors
        assert isinstance(error, kind)
        assert SECRET not in answer.text + str(error) + error.message + error.advice + str(error.details)
        assert error.details["not_sent"] is True
        if mode == "redact":
            assert error.message == "it said [SECRET]"
            assert error.details["why"] == ["sent [SECRET]"]
            assert error.details["tries"] == 2
        else:
            assert "withheld" in error.message


async def test_a_failure_that_says_nothing_is_told_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raised = TransientError(Code.UPSTREAM_FAILED, "it answered 500", details={"unbilled": True}, retry_after_s=3.0)

    async def fails(*_: Any) -> Any:
        raise raised

    monkeypatch.setattr(COMPLETE, fails)
    async with guarded(tmp_path) as g:
        answer = await g.pair.post("/v1/chat/completions", ASKED["/v1/chat/completions"])
        assert (answer.status_code, g.spy.errors) == (502, [raised])
        assert (raised.message, raised.details, raised.retry_after_s) == ("it answered 500", {"unbilled": True}, 3.0)
