"""Manifests: one shape from every source, nothing in force that nobody said, and texts that cannot deceive."""

import unicodedata
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airside import tool
from airside.config.tools import LocalToolSettings
from airside.core.call import CallState, Effect, Outcome
from airside.core.run import Identity
from airside.core.tool import ArgumentRole, FieldLabel, Tool
from airside.gateways.tools.answer import pack
from airside.gateways.tools.catalogue import Listed, ToolCatalogue, offered
from airside.gateways.tools.declare import declared
from airside.gateways.tools.foreign import plain, skeleton, tool_name
from airside.gateways.tools.manifest import ManifestEntry, Manifests, declare, fingerprint
from airside.gateways.tools.mcp_answers import EDITED, described, page, promise, result
from airside.gateways.tools.pins import Pins
from airside.gateways.tools.signature import callee
from airside.journal import events
from airside.testing import InMemoryPlane

SAID: dict[str, Any] = {
    "roles": {"to": "recipient", "amount": "amount"},
    "results": {"": "trusted", "token": "trusted secret"},
    "hosts": ["api.example.com:443"],
    "cache_ttl_s": 5.0,
    "cache_shared": True,
    "invalidates": ["look"],
    "cost_usd": "0.5",
}


def test_a_function_the_settings_and_a_file_say_the_same() -> None:
    @tool(effect="write", reversible=True, idempotent=True, amount="amount", amount_unit="cents", timeout_s=7, **SAID)
    def pay_all(to: str, amount: int) -> str:
        return f"{to} {amount}"

    said = {**SAID, "effect": "write", "reversible": True, "idempotent": True, "amount": "amount", "timeout_s": 7}
    said["amount_unit"] = "cents"
    told = callee(declared()["pay_all"]).tool
    bare = Tool(name="pay_all", description="", schema=told.schema, source="host")
    assert told == declare(bare, LocalToolSettings.model_validate(said))
    assert told == declare(bare, ManifestEntry.model_validate(said))
    assert told.roles == {"to": ArgumentRole.RECIPIENT, "amount": ArgumentRole.AMOUNT}
    assert told.results == {"": FieldLabel(trusted=True), "token": FieldLabel(trusted=True, secret=True)}
    assert (told.cost, told.declared, told.source) == (500_000_000, True, "host")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"roles": {"to": "victim"}}, "no role"),
        ({"results": {"": "sure"}}, "no label"),
        ({"results": {"": "trusted untrusted"}}, "no label"),
        ({"cache_ttl_s": -1}, "cache_ttl_s"),
        ({"cost_usd": "much"}, "not an amount"),
    ],
)
def test_declarations_that_make_no_sense_are_refused_with_their_place(more: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        tool(effect="read", name="odd", **more)(lambda: None)
    assert "test_manifest" in str(caught.value)
    with pytest.raises(ValueError, match="no `effect`"):
        tool(name="odd", roles={"a": "id"})(lambda: None)


def test_nothing_counts_of_what_is_only_drafted() -> None:
    bare = Tool(name="x", description="", schema={})
    draft = ManifestEntry.model_validate({**SAID, "effect": "read", "declared": False, "timeout_s": 3})
    made = declare(bare, draft, declared=draft.declared)
    assert (made.effect, made.roles, made.results, made.hosts, made.cache_ttl_s) == (Effect.EXECUTE, {}, {}, (), 0.0)
    assert (made.declared, made.timeout_s) == (False, 3)
    assert not declare(bare, LocalToolSettings(idempotent=True)).idempotent, "without an effect nothing is said"


def test_a_name_beats_patterns_and_a_longer_pattern_a_shorter_one() -> None:
    said = {
        name: ManifestEntry(effect="read", timeout_s=n + 1)
        for n, name in enumerate(["mcp:a/*", "mcp:a/get_*", "mcp:a/get_x", "mcp:b/[x]"])
    }
    manifests = Manifests(said)
    found = [manifests.of("mcp:a", name) for name in ("put", "get_y", "get_x")]
    assert [match.name for match in found if match] == ["mcp:a/*", "mcp:a/get_*", "mcp:a/get_x"]
    assert manifests.of("mcp:b", "x") is None, "only `*` stands for anything"
    assert manifests.of("mcp:ab", "put") is None
    assert manifests.unused(["mcp:a/get_x"]) == ["mcp:b/[x]"]


def test_a_fingerprint_is_that_of_everything_a_person_judges_by() -> None:
    first = fingerprint("n", "d", {"type": "object"}, {})
    others = [
        fingerprint("m", "d", {"type": "object"}, {}),
        fingerprint("n", "D", {"type": "object"}, {}),
        fingerprint("n", "d", {}, {}),
        fingerprint("n", "d", {"type": "object"}, {"type": "object"}),
    ]
    assert len({first, *others}) == 5


@given(st.text(max_size=200))
def test_plain_text_holds_nothing_unseen(text: str) -> None:
    made = plain(text, 50)
    assert len(made) <= 50
    assert not [c for c in made if unicodedata.category(c) in {"Cc", "Cf", "Co", "Cs"} and c not in "\n\t"]
    assert plain(made, 50) == made


@given(st.text(max_size=100))
def test_names_are_those_of_every_framework_or_none(native: str) -> None:
    try:
        name = tool_name("server__", native)
    except ValueError:
        return
    assert name.isascii()
    assert len(name) <= 64
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")


@pytest.mark.parametrize(("one", "other"), [("pay", "PAY"), ("a-b", "a_b"), ("l0g", "IOg"), ("fall1", "fa1Il")])
def test_names_that_look_alike_have_one_skeleton(one: str, other: str) -> None:
    assert skeleton(one) == skeleton(other)


def test_agents_are_offered_what_their_list_names() -> None:
    assert offered("github__get", ["github__*"])
    assert not offered("github__get", ["github__[g]et", "git", "github_?get"])
    assert not offered("x", [])


def test_pages_hold_every_tool_once() -> None:
    tools = [Tool(name=f"t{n:04}", description="", schema={}) for n in range(450)]
    seen: list[str] = []
    cursor = None
    while True:
        answer = page(tools, cursor)
        seen += [tool["name"] for tool in answer["tools"]]
        cursor = answer.get("nextCursor")
        if cursor is None:
            break
    assert seen == [tool.name for tool in tools]


def test_an_edited_call_keeps_the_promise_of_its_schema_and_says_that_it_was_edited() -> None:
    returns = {"type": "object", "properties": {"n": {"type": "integer"}}, "additionalProperties": False}
    promising = Tool(name="x", description="", schema={"type": "object"}, returns=returns)
    assert EDITED in described(promising)["outputSchema"]["properties"]
    outcome = Outcome(state=CallState.OK, body=pack(b'{"n":1}', b'{"a":2}'))
    told = result(outcome, promising)
    assert told["structuredContent"]["n"] == 1
    assert told["structuredContent"][EDITED]["arguments"] == {"a": 2}
    silent = Tool(name="x", description="", schema={"type": "object"})
    assert "structuredContent" not in result(outcome, silent)
    choosy = Tool(name="x", description="", schema={}, returns={"type": "object", "anyOf": [returns]})
    assert promise(choosy) == {}, "a promise that cannot be kept for edited calls is not given"


async def pinned(database_url: str) -> None:
    async with InMemoryPlane(database_url=database_url) as plane:
        catalogue = ToolCatalogue({})
        made = [_listed(name, "one") for name in ("a", "b", "hidden")]
        catalogue.set_foreign("mcp:s", made)
        who = msgspec.structs.replace(await plane.start_run(), tools=("a", "b", "c"))
        await Pins(plane.backend.database, catalogue).check(who, made[0])
        later = ToolCatalogue({})
        changed = [_listed("a", "one"), _listed("b", "two"), _listed("c", "one")]
        later.set_foreign("mcp:s", changed)
        pins = Pins(plane.backend.database, later)
        await pins.check(who, changed[0])
        for listed in changed[1:]:
            with pytest.raises(Exception, match="since this run began"):
                await pins.check(who, listed)
        assert [listed.tool.name for listed in await pins.shown(who, later.hosted_for(who.tools))] == ["a"]
        bodies = [body for kind, body in await _entries(plane, who) if kind == events.TOOLS_LISTED]
        assert bodies == [{"source": "mcp:s", "tools": {"a": "one", "b": "one"}}], "names and fingerprints, once"


async def _entries(plane: InMemoryPlane, who: Identity) -> list[tuple[str, Any]]:
    return [(row["type"], row["body"]) for row in await plane.entries(who)]


def _listed(name: str, told: str) -> Listed:
    from_server = Tool(name=name, description="", schema={}, source="mcp:s")
    return Listed(from_server, None, None, told)  # type: ignore[arg-type]  # its schema is not looked at


async def test_a_pin_is_written_once_and_holds_on_sqlite() -> None:
    await pinned("memory:")


async def test_a_pin_is_written_once_and_holds_on_postgres(postgres_url: str) -> None:
    await pinned(postgres_url)
