"""What exceptions of agents tell."""

import httpx2
import openai
import pytest

from airside.core.errors import AirsideError, Code
from airside.runs.isolation.failure import describe


def status_error(status: int, code: str) -> openai.APIStatusError:
    request = httpx2.Request("POST", "http://127.0.0.1/v1/chat/completions")
    body = {"message": "no", "code": code}
    return openai.APIStatusError("no", response=httpx2.Response(status, request=request), body=body)


def raised(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as caught:
        return caught


def test_codes_are_found_through_the_wrappings_of_frameworks() -> None:
    inner = status_error(402, "budget_exhausted")
    outer = RuntimeError("the framework gave up")
    outer.__cause__ = inner
    assert describe(outer)[1] == "budget_exhausted"
    assert describe(ExceptionGroup("two", [ValueError(), inner]))[1] == "budget_exhausted"
    assert describe(AirsideError(Code.KILLED))[1] == "killed"


@pytest.mark.parametrize("error", [ValueError("x"), status_error(400, "context_length_exceeded"), OSError(2, "x")])
def test_other_failures_have_no_code(error: BaseException) -> None:
    assert describe(error)[1] == ""


def test_messages_are_bounded_and_survive_a_broken_str() -> None:
    class Odd(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert len(describe(ValueError("x" * 10_000))[0]) < 2_100
    assert "cannot be shown" in describe(raised(Odd()))[0]


def test_chains_may_be_circular() -> None:
    first, second = ValueError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first
    assert describe(first)[1] == ""
