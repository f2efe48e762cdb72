"""How a request is named and rewritten: equal requests have equal pieces, and untouched values keep their bytes."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from airside.core import canonical
from airside.gateways.models.formats.openai_chat import request as openai_chat
from airside.gateways.models.formats.openai_chat.format import CHAT
from airside.gateways.models.formats.openai_chat.request import parse, upstream_body
from airside.gateways.models.formats.port import ModelRequest

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def read(**value: Any) -> ModelRequest:
    return parse(CHAT, json.dumps({"model": "m", **value}).encode(), bytes_max=100_000)


@settings(deadline=None)
@given(TEXT, TEXT)
def test_the_fast_way_and_the_canonical_way_make_the_same_pieces(role_text: str, content: str) -> None:
    request = read(messages=[{"role": "user", "content": content}, {"content": role_text, "role": "system"}])
    assert request.parts[0] == canonical.encode({"role": "user", "content": content})
    assert request.parts[1] == canonical.encode({"role": "system", "content": role_text})


@settings(deadline=None)
@given(st.dictionaries(TEXT, st.one_of(TEXT, st.booleans(), st.none(), st.integers(), st.floats(allow_nan=False))))
def test_parameters_have_one_canonical_form_whichever_encoder_writes_it(parameters: dict[str, object]) -> None:
    finite = {name: item for name, item in parameters.items() if item not in (float("inf"), float("-inf"))}
    assert openai_chat._parameters(finite) == canonical.encode(finite)


def conversation(first: str, second: str) -> list[dict[str, Any]]:
    calls = [{"id": name, "type": "function", "function": {"name": "f", "arguments": "{}"}} for name in (first, second)]
    return [
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": None, "tool_calls": calls},
        {"role": "tool", "tool_call_id": second, "content": "2"},
        {"role": "tool", "tool_call_id": first, "content": "1"},
    ]


def test_tool_call_ids_are_numbered_but_their_pairing_counts() -> None:
    one, other = read(messages=conversation("call_a", "call_b")), read(messages=conversation("xyz", "abc"))
    assert one.parts == other.parts
    swapped = conversation("call_a", "call_b")
    swapped[2]["tool_call_id"], swapped[3]["tool_call_id"] = "call_a", "call_b"
    assert read(messages=swapped).parts != one.parts
    assert b"call_a" in upstream_body(one, model="m", output_tokens=5, limit_field="max_tokens")


def test_mode_is_left_out_of_the_name_and_everything_else_is_in_it() -> None:
    messages = [{"role": "user", "content": "x"}]
    plain = read(messages=messages, temperature=0.5)
    streamed = read(messages=messages, temperature=0.5, stream=True, stream_options={"include_usage": True})
    assert plain.parts == streamed.parts
    assert plain.parts != read(messages=messages, temperature=0.6).parts
    assert plain.parts != read(messages=messages, temperature=0.5, seed=1).parts
    longer = read(messages=[*messages, {"role": "assistant", "content": "y"}], temperature=0.5)
    assert longer.parts[0] == plain.parts[0]  # a message is the same piece in every request


def test_only_what_must_change_changes_upstream() -> None:
    messages = b'[{"role":"user",  "content":"\\u00e9 \xc3\xa9"}]'
    body = b'{"model": "m", "seed": 12345678901234567890123, "messages": ' + messages + b"}"
    request = parse(CHAT, body, bytes_max=1_000)
    sent = upstream_body(request, model="m-real", output_tokens=9, limit_field="max_completion_tokens")
    assert messages in sent
    assert b"12345678901234567890123" in sent
    assert json.loads(sent) | {"messages": 0} == {
        "model": "m-real",
        "seed": 12345678901234567890123,
        "messages": 0,
        "max_completion_tokens": 9,
    }


def test_the_granted_maximum_replaces_the_clients_own() -> None:
    messages = [{"role": "user", "content": "x"}]
    for asked in ({"max_tokens": 50}, {"max_completion_tokens": 50}, {"max_tokens": 50, "max_completion_tokens": 70}):
        request = read(messages=messages, **asked)
        assert request.output_tokens_max == 50
        sent = json.loads(upstream_body(request, model="m", output_tokens=20, limit_field="max_tokens"))
        assert {name: sent[name] for name in asked} == dict.fromkeys(asked, 20)
    options = {"include_obfuscation": False}
    streamed = read(messages=messages, stream=True, stream_options=options)
    sent = json.loads(upstream_body(streamed, model="m", output_tokens=20, limit_field="max_tokens"))
    assert sent["stream_options"] == {"include_obfuscation": False, "include_usage": True}
    assert not streamed.include_usage


def test_the_input_bound_is_half_the_bytes_rounded_up() -> None:
    request = read(messages=[{"role": "user", "content": "x"}])
    assert request.input_tokens_bound * 2 - len(request.body) in {0, 1}
