"""Whose words stand where, in every wire format; and that nothing gets past because it stands in an odd place."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airside.core.call import Call, CallKind, CallState, Effect, Outcome
from airside.core.errors import AirsideError
from airside.gateways.models.formats.port import Addressed, ModelRequest
from airside.gateways.models.guarding.items.every import items_of
from airside.gateways.models.guarding.read import texts_of
from airside.gateways.models.guarding.walk import walked
from airside.gateways.models.pricing import configured
from airside.gateways.models.provider import Ask, Route, on_route
from airside.guards.finding import Place
from tests.gateways.models.guarding.rig import EMAIL, SECRET, Rig
from tests.gateways.models.guarding.talks import PNG, TALKS, at, parsed, put, strings
from tests.gateways.models.world import IDENTITY, PRICE

SAID = {
    "chat": {
        "system": ["be brief"],
        "user": ["where is my order", "and this one", "user-1", "from: the shop", "halt"],
        "history": ["let me see", '{"id": "4711"}'],
        "result": ['{"order": {"state": "shipped"}}'],
        "description": ["finds an order", "of the order"],
    },
    "responses": {
        "system": ["be brief", "be kind"],
        "user": ["where is my order", "thanks", "user-1", "from: the shop"],
        "history": ["look it up", '{"id": "4711"}', "it is on its way"],
        "result": ["it is shipped"],
        "description": ["finds an order", "of the order"],
    },
    "messages": {
        "system": ["be brief"],
        "user": ["where is my order", "and this one", "user_id: user-1", "halt"],
        "history": ["let me see", "4711"],
        "result": ["shipped"],
        "description": ["finds an order", "of the order"],
    },
    "gemini": {
        "system": ["be brief"],
        "user": ["where is my order", "thanks"],
        "history": ["4711", "it is on its way"],
        "result": ["shipped"],
        "description": ["finds", "of the order"],
    },
    "embeddings": {"user": ["where is my order", "and this one", "user-1"]},
}
FIRST_OF_USER: dict[str, tuple[Any, ...]] = {
    "chat": ("messages", 1, "content"),
    "responses": ("input", 1, "content", 0, "text"),
    "messages": ("messages", 0, "content"),
    "gemini": ("contents", 0, "parts", 0, "text"),
    "embeddings": ("input", 1),
}
EXEMPT = {"model", "role", "type"}
"""Fields that name what is asked, or that a format refuses to take other words in."""


class Provider:
    name, timeout_s = "p", 10.0


ROUTE = Route(Provider(), "m", configured(PRICE))  # type: ignore[arg-type]  # nothing is sent


def call_of(request: ModelRequest) -> Call:
    ask = Ask(request, ROUTE, request.format.delivered(), [], 100)
    call = Call(
        call_id="call_1",
        kind=CallKind.MODEL,
        name="m",
        token="t",
        parts=request.parts,
        effect=Effect.READ,
        idempotent=True,
        timeout_s=1,
        identity=IDENTITY,
        payload=ask,
    )
    return on_route(call, ROUTE)


async def sent(rig: Rig, request: ModelRequest) -> Call:
    """Return the call as the rest of the pipeline is given it."""
    passed: list[Call] = []

    async def forward(call: Call) -> Outcome:
        passed.append(call)
        return Outcome(state=CallState.OK, body=b"{}")

    await rig.step(call_of(request), forward)
    return passed[0]


def upstream(call: Call) -> bytes:
    request = call.payload.request
    return bytes(request.format.forward(request, model="m", output_tokens=50))


@pytest.mark.parametrize("name", TALKS)
def test_every_text_is_its_speakers(name: str) -> None:
    request = parsed(name, TALKS[name][1])
    found: dict[str, list[str]] = {}
    for item in items_of(request):
        assert 0 <= item.part < len(request.parts)
        for place, text in texts_of(item):
            found.setdefault(place.value, []).append(text)
    for place, texts in SAID[name].items():
        assert set(texts) <= set(found[place]), place
        for other in found.keys() - {place}:
            assert not set(texts) & set(found[other]), (place, other)
    assert PNG not in str(found)


@pytest.mark.parametrize("name", TALKS)
async def test_what_is_clean_goes_on_to_the_byte(name: str) -> None:
    rig, request = Rig(), parsed(name, TALKS[name][1])
    call = await sent(rig, request)
    assert call.payload.request is request
    assert "guards" not in call.notes


@pytest.mark.parametrize("name", TALKS)
@pytest.mark.parametrize("what", ["secret", "in a sentence", "number", "key"])
async def test_nothing_gets_past_wherever_it_stands(name: str, what: str) -> None:
    tried = 0
    for path in strings(TALKS[name][1]):
        if path[-1] in EXEMPT:
            continue
        planted = {"secret": SECRET, "in a sentence": f"take {SECRET}, quickly"}.get(what, SECRET)
        talk = put(TALKS[name][1], path, planted)
        if what == "number":
            talk = put(TALKS[name][1], path, {"deep": [1, {"odd": [planted]}]})
        if what == "key":
            parent = at(TALKS[name][1], path[:-1])
            if not isinstance(parent, dict):
                continue
            talk = put(TALKS[name][1], path[:-1], {**parent, planted: 1})
        try:
            request = parsed(name, talk)
        except AirsideError:
            continue  # the format takes no such thing
        tried += 1
        call = await sent(Rig(), request)
        try:
            body = upstream(call)
        except AirsideError:
            continue  # nor does its upstream
        assert SECRET.encode() not in body, path
        assert b"[SECRET]" in body or b"U0VDUkVU" in body, path
        assert call.notes["guards"][0]["rule"] == "planted_key", path
        assert SECRET not in json.dumps(call.notes), path
        assert call.payload.request.parts == request.parts, path
    assert tried >= (1 if name == "embeddings" else 4)


@pytest.mark.parametrize("name", TALKS)
async def test_the_rest_keeps_its_bytes(name: str) -> None:
    path = FIRST_OF_USER[name]
    odd = put(TALKS[name][1], path, f"it is {SECRET}")
    body = json.dumps(odd, indent=1, ensure_ascii=True).encode()
    request = TALKS[name][0].parse(body, Addressed(model="fake-large" if name == "gemini" else ""), bytes_max=1_000_000)
    said = (await sent(Rig(), request)).payload.request
    assert json.loads(said.body) == put(odd, path, "it is [SECRET]")
    assert said.value == put(dict(request.value), path, "it is [SECRET]")
    last = body.rindex(b"\n  {") if name != "embeddings" else 0
    assert last == 0 or body[last + 3 : last + 30] in said.body


async def test_what_is_rewritten_needs_what_it_costs() -> None:
    talk = {"model": "m", "messages": [{"role": "user", "content": f"{SECRET} " * 100}]}
    request = parsed("chat", talk)
    before, after = call_of(request), await sent(Rig(), request)
    assert after.need.fixed_tokens < before.need.fixed_tokens


async def test_documents_in_base64_are_read() -> None:
    text = f"dear {EMAIL}, the key is {SECRET}"
    packed = base64.b64encode(text.encode()).decode()
    blocks: list[Any] = [
        {"type": "file", "file": {"filename": "a.txt", "file_data": f"data:text/plain;base64,{packed}"}},
        {"type": "file", "file": {"filename": "a.bin", "file_data": packed}},
        {"type": "document", "source": {"type": "base64", "media_type": "text/html", "data": packed}},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": text}},
        {"type": "text", "text": f"data:image/png;base64,{SECRET}"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,not base64 {SECRET}"}},
    ]
    for block in blocks:
        talk = {"model": "m", "messages": [{"role": "user", "content": [block]}]}
        body = upstream(await sent(Rig(), parsed("chat", talk)))
        assert SECRET.encode() not in body, block
        for piece in (packed, packed[40:60]):
            assert piece.encode() not in body, block


async def test_arguments_stay_json() -> None:
    arguments = {"key": SECRET, "number": 4}
    for written in (json.dumps(arguments), json.dumps(arguments).replace("zk", "\\u007ak")):
        call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": written}}
        talk = {"model": "m", "messages": [{"role": "assistant", "tool_calls": [call]}]}
        said = json.loads(upstream(await sent(Rig(), parsed("chat", talk))))
        (made,) = said["messages"][0]["tool_calls"]
        assert json.loads(made["function"]["arguments"]) == {"key": "[SECRET]", "number": 4}


async def test_signed_thoughts_that_change_are_thoughts_no_more() -> None:
    thought = {"type": "thinking", "thinking": f"the key {SECRET}", "signature": "c2lnbmVk" * 9}
    quiet = {**thought, "thinking": "hm"}
    content = [quiet, thought, {"type": "text", "text": "yes"}]
    talk = {"model": "m", "max_tokens": 9, "messages": [{"role": "assistant", "content": content}]}
    said = json.loads(upstream(await sent(Rig(), parsed("messages", talk))))["messages"][0]["content"]
    assert said == [quiet, {"type": "text", "text": "the key [SECRET]"}, content[2]]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON)
def test_a_walk_changes_nothing_by_itself(value: Any) -> None:
    assert walked(value, Place.USER, lambda text, _: text) is value


@given(JSON.filter(lambda value: isinstance(value, list | dict)), st.randoms())
def test_whatever_is_planted_is_met(value: Any, random: Any) -> None:
    paths = list(strings(value))
    if not paths:
        return
    path = random.choice(paths)
    planted = put(value, path, f"x {SECRET}")
    said = walked(planted, Place.USER, lambda text, _: text.replace(SECRET, "gone"))
    assert SECRET not in json.dumps(said)


_LONG_KEY = "sk-ant-api03-" + "Zk3vQ9xT7mB2wR5yN8cL1dF6hJ4gP0sAuE" * 2 + "Zk3vQ9xT7mB2wR5yN8cL1dF6hAA"
_TOLD = base64.b64encode(f"a text that is no picture at all, with {_LONG_KEY} in it".encode()).decode()


@pytest.mark.parametrize(
    ("name", "path", "value", "leaks"),
    [
        ("messages", ("messages", 0, "content"), [{"type": "text", "text": "a", "signature": _LONG_KEY}], _LONG_KEY),
        ("chat", ("metadata",), {"signature": _LONG_KEY}, _LONG_KEY),
        ("chat", ("metadata",), {"password": "hunTer2x!9Zq"}, "hunTer2x!9Zq"),
        ("chat", ("metadata",), {"card": 4111111111111111.0}, "4111111111111111"),
        ("chat", ("messages", 4, "content", 1, "image_url", "url"), f"data:image/png;base64,{_TOLD}", _TOLD),
        ("chat", ("messages", 4, "content", 1, "image_url", "url"), f"data:image/png;base64,{_LONG_KEY}", _LONG_KEY),
    ],
)
async def test_what_a_field_is_said_to_hold_hides_nothing(
    name: str, path: tuple[Any, ...], value: Any, leaks: str
) -> None:
    rig = Rig(real=True, modes={"secrets": "redact", "personal": "redact"})
    talk = put(TALKS[name][1], path, value)
    assert leaks.encode() not in upstream(await sent(rig, parsed(name, talk)))
