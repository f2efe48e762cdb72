"""What whoever submits a run vouches for: kept with the run, told to the gateways, refused when it makes no sense."""

import json
from typing import Any

import pytest

from airside.core import canonical
from airside.core.errors import AirsideError, Code
from airside.core.run import Identity, RunState
from airside.runs.isolation.port import AttemptSpec
from tests.runs.house import House

PLAN = {"steps": [{"tool": "send", "times": 2, "arguments": {"to": {"one_of": ["amy@house.org"]}}}]}


async def test_gateways_know_whom_a_run_is_for_and_who_began_it(plane: House) -> None:
    seen: list[Identity] = []

    async def look(house: House, spec: AttemptSpec) -> bytes:
        seen.append(await house.services.identities.resolve(spec.token, ""))
        return b"null"

    plane.agents["shop"] = look
    run = await plane.submit(principal={"customer": "c-17"}, caller="operator", untrusted=("mail",))
    ended = await plane.until(run, RunState.SUCCEEDED)
    (identity,) = seen
    assert (dict(identity.principal), identity.caller) == ({"customer": "c-17"}, "operator")
    assert (json.loads(ended.untrusted), ended.public()["principal"]) == (["mail"], {"customer": "c-17"})


async def test_a_plan_is_committed_with_its_run(plane: House) -> None:
    run = await plane.submit(plan=canonical.encode(PLAN))
    (row,) = await plane.sql("SELECT run_id, said_by FROM plans")
    assert (row["run_id"], row["said_by"]) == (run.run_id, "submission")
    (entry,) = await plane.sql("SELECT body FROM entries WHERE type = 'plan.committed'")
    assert json.loads(entry["body"])["steps"] == 1
    assert b"amy@house.org" not in bytes(entry["body"]), "the journal holds no content"


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"principal": {"custo mer": "x"}}, Code.INVALID_REQUEST),
        ({"principal": {"customer": ""}}, Code.INVALID_REQUEST),
        ({"principal": {"customer": "a\u0000b"}}, Code.INVALID_REQUEST),
        ({"principal": {f"n{number}": "x" for number in range(21)}}, Code.LIMIT_EXCEEDED),
        ({"untrusted": ("",)}, Code.INVALID_REQUEST),
        ({"untrusted": ("x",) * 101}, Code.LIMIT_EXCEEDED),
        ({"plan": b'{"steps":[{"tool":"x","times":0}]}'}, Code.INVALID_REQUEST),
        ({"plan": b'{"steps":'}, Code.INVALID_REQUEST),
        ({"plan": b"[" + b" " * 300_000 + b"]"}, Code.LIMIT_EXCEEDED),
    ],
)
async def test_what_makes_no_sense_leaves_no_run(plane: House, more: dict[str, Any], code: Code) -> None:
    with pytest.raises(AirsideError) as refused:
        await plane.submit(**more)
    assert refused.value.code is code
    assert await plane.sql("SELECT run_id FROM runs") == []


async def test_another_plan_under_the_same_key_is_another_submission(plane: House) -> None:
    first = await plane.submit(idempotency_key="k", plan=canonical.encode(PLAN))
    again = await plane.submit(idempotency_key="k", plan=canonical.encode(PLAN))
    assert again.run_id == first.run_id
    with pytest.raises(AirsideError) as refused:
        await plane.submit(idempotency_key="k", principal={"customer": "other"})
    assert refused.value.code is Code.IDEMPOTENCY_CONFLICT
