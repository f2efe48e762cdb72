"""The tool for code: an honest manifest, results as agents read them, calls from inside through the gateway."""

import msgspec
import pytest

from airside.core.call import Effect
from airside.core.errors import AirsideError, Code
from airside.gateways.tools.arguments import compile_schema
from airside.sandbox.port import Limit, Meters, Result
from airside.sandbox.tool import manifest, told
from tests.sandbox.conftest import LIMITS

METERS = Meters(
    tier="wasm",
    fuel=7,
    memory_peak_bytes=1,
    wall_s=0.1,
    cpu_s=0.1,
    output_bytes=2,
    open_files_peak=0,
    tool_calls=0,
)


def result(**changes) -> Result:
    fields = {"output": "hi", "value": b"[1]", "error": "", "files": {}, "meters": METERS}
    return Result(**(fields | changes))


def test_the_manifest_claims_no_more_than_holds():
    tool = manifest("code", "wasm", LIMITS, (), 3600.0)
    assert (tool.effect, tool.reversible, tool.idempotent, tool.hosts) == (Effect.READ, True, True, ())
    assert tool.results == {}, "what code returns is untrusted"
    assert tool.cache_ttl_s == 3600.0
    calling = manifest("code", "wasm", LIMITS, ("lookup",), 3600.0)
    assert calling.cache_ttl_s == 0.0, "what tools say may change"
    assert "tools.lookup" in calling.description


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"code": ""},
        {"code": "1", "files": {"../x": ""}},
        {"code": "1", "files": {"/etc/x": ""}},
        {"code": "1", "files": {"a/b": ""}},
        {"code": "1", "files": {".hidden": ""}},
        {"code": "1", "files": {"a": 1}},
        {"code": "1", "files": {f"f{n}": "" for n in range(33)}},
        {"code": "1", "more": 1},
    ],
)
def test_arguments_that_do_not_fit(arguments):
    schema = compile_schema(manifest("code", "wasm", LIMITS, (), 0.0).schema)
    with pytest.raises(AirsideError):
        schema.check(arguments)
    schema.check({"code": "1", "inputs": [1], "files": {"a.csv": "x"}})


def test_an_answer_has_everything_and_no_more():
    answer = msgspec.json.decode(told(result(files={"a": b"text", "b": b"\xff"})))
    assert answer["result"] == [1]
    assert answer["files"] == {"a": {"text": "text"}, "b": {"base64": "/w=="}}
    assert answer["meters"]["fuel"] == 7
    assert "error" not in answer
    assert msgspec.json.decode(told(result(error="ValueError: x")))["error"] == "ValueError: x"


def test_a_limit_is_an_error_that_names_it():
    meters = msgspec.structs.replace(METERS, limit=Limit.FUEL)
    with pytest.raises(AirsideError, match="fuel") as refused:
        told(result(error="fuel: too much", meters=meters))
    assert refused.value.code == Code.LIMIT_EXCEEDED
    assert refused.value.details["limit"] == "fuel"
    assert refused.value.details["meters"]["fuel"] == 7
    assert refused.value.advice


def test_a_result_too_deep_to_read_is_no_result():
    answer = msgspec.json.decode(told(result(value=b"[" * 100_000 + b"]" * 100_000)))
    assert answer["result"] is None
    assert "deep" in answer["error"]
