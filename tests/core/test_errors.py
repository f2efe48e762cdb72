"""Every code has a meaning, and denials are never answered with a status that stock SDKs retry."""

import pytest

from airside.core.errors import MEANINGS, AirsideError, Code

RETRIED_BY_SDKS = {408, 409, 429, *range(500, 600)}
DENIALS = [
    *(Code.UNAUTHENTICATED, Code.FORBIDDEN, Code.ATTEMPT_SUPERSEDED, Code.KILLED, Code.POLICY_DENIED),
    *(Code.APPROVAL_REQUIRED, Code.APPROVAL_DENIED, Code.APPROVAL_EXPIRED, Code.BUDGET_EXHAUSTED, Code.GUARD_BLOCKED),
    *(Code.OUTCOME_UNKNOWN, Code.DIVERGED, Code.CANCELLED, Code.INVALID_ARGUMENTS, Code.UNKNOWN_TOOL),
]


@pytest.mark.parametrize("code", list(Code))
def test_every_code_says_what_happened_and_what_to_do(code: Code) -> None:
    error = AirsideError(code)
    assert error.message
    assert error.advice.endswith(".")
    assert 400 <= error.status < 600


@pytest.mark.parametrize("code", DENIALS)
def test_a_denial_is_not_retried(code: Code) -> None:
    assert MEANINGS[code].status not in RETRIED_BY_SDKS


def test_the_message_of_the_case_beats_the_title() -> None:
    error = AirsideError(Code.NOT_FOUND, "there is no run run_1", advice="Look again.", retry_after_s=2.0)
    assert str(error) == "not_found: there is no run run_1"
    assert (error.advice, error.retry_after_s) == ("Look again.", 2.0)
