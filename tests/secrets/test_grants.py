"""Nobody may use a secret that no grant names, and a denial says nothing of what exists."""

from typing import Any

import pytest

from airside.config.secrets import GrantSettings
from airside.core.errors import AirsideError, Code
from airside.secrets.grants import Asker, Grants

TOKEN = "secret://house/github#token"
CLERK = Asker("acme", "clerk", "fetch")


def grants(*more: GrantSettings, **changes: Any) -> Grants:
    fields: dict[str, Any] = {
        "secret": TOKEN,
        "tools": ["fetch"],
        "arguments": ["headers.Authorization", "items.*.key"],
        "hosts": ["api.example.com"],
        "name": "github",
    }
    return Grants([GrantSettings(**fields | changes), *more], "acme")


def used(found: Grants, arguments: Any, asker: Asker = CLERK) -> list[str]:
    return [str(use.handle) for use in found.uses(asker, arguments)]


def denied(found: Grants, arguments: Any, asker: Asker = CLERK) -> AirsideError:
    with pytest.raises(AirsideError) as caught:
        found.uses(asker, arguments)
    return caught.value


def test_a_granted_handle_is_found_where_it_is_granted() -> None:
    arguments = {
        "url": "https://api.example.com/x",
        "headers": {"Authorization": f"Bearer {TOKEN}"},
        "items": [{"key": TOKEN}],
    }
    assert used(grants(), arguments) == [TOKEN, TOKEN]


@pytest.mark.parametrize(
    ("arguments", "asker"),
    [
        ({"headers": {"Authorization": TOKEN}}, Asker("acme", "clerk", "send")),
        ({"headers": {"Authorization": TOKEN}}, Asker("rival", "clerk", "fetch")),
        ({"headers": {"X-Other": TOKEN}}, CLERK),
        ({"headers.Authorization": TOKEN}, CLERK),
        ({"body": TOKEN}, CLERK),
        (TOKEN, CLERK),
        ([TOKEN], CLERK),
        ({"headers": {"Authorization": "secret://house/github"}}, CLERK),
        ({"headers": {"Authorization": "secret://house/github#tokens"}}, CLERK),
        ({"headers": {"Authorization": "Bearer secret://house/other#token"}}, CLERK),
        ({"headers": {"Authorization": f"{TOKEN} secret://house/other"}}, CLERK),
        ({"headers": {"Authorization": TOKEN}, "url": "https://evil.example/"}, CLERK),
        ({"headers": {"Authorization": TOKEN}, "url": "https://api.example.com@evil.example/"}, CLERK),
        ({"headers": {"Authorization": TOKEN}, "url": "https://[broken/"}, CLERK),
        ({"headers": {"Authorization": TOKEN}, "url": "https:/evil.example/"}, CLERK),
        ({"headers": {"Authorization": TOKEN}, "url": "https:\\\\evil.example/"}, CLERK),
        ({"headers": {"Authorization": TOKEN}, "url": "https://api.example.com\\@evil.example/"}, CLERK),
        ({"headers": {"Authorization": TOKEN}, "then": ["x", "see ftp://evil.example"]}, CLERK),
    ],
)
def test_any_other_use_is_denied(arguments: Any, asker: Asker) -> None:
    assert denied(grants(), arguments, asker).code is Code.SECRET_DENIED


def test_a_denial_is_the_same_whether_or_not_the_secret_exists() -> None:
    said = {denied(grants(), {"body": f"secret://{name}"}).message for name in ("house/github", "house/no", "no/no")}
    assert len(said) == 1


def test_a_handle_in_passing_stays_text_where_nothing_is_granted() -> None:
    assert used(grants(), {"body": f"the result named {TOKEN}, which is fine"}) == []
    assert used(grants(), {TOKEN: "a key is no place"}) == []


@pytest.mark.parametrize("text", ["secret://house/../github#token", "secret://house/github%23token", "secret://"])
def test_what_begins_like_a_handle_and_is_none_is_refused(text: str) -> None:
    assert denied(grants(), {"headers": {"Authorization": text}}).code is Code.INVALID_ARGUMENTS


@pytest.mark.parametrize("text", ["SECRET://house/github#token", "ѕecret://house/github#token"])
def test_what_is_spelled_otherwise_is_ordinary_text(text: str) -> None:
    assert used(grants(), {"headers": {"Authorization": text}}) == []


def test_patterns_name_agents_tools_tenants_and_names() -> None:
    found = grants(secret="secret://house/team/*", tools=["fetch*"], agents=["cl*"], tenants=["*"], arguments=["*"])
    handle = "secret://house/team/x#y"
    assert used(found, {"a": {"b": [handle]}}, Asker("rival", "clerk", "fetch_page")) == [handle]
    for asker in (Asker("rival", "chef", "fetch"), Asker("rival", "clerk", "send")):
        assert denied(found, {"a": handle}, asker).code is Code.SECRET_DENIED
    assert denied(found, {"a": "secret://house/teams/x"}).code is Code.SECRET_DENIED


def test_functions_are_given_what_is_granted_by_name_only() -> None:
    found = grants(GrantSettings(secret="secret://house/other", tools=["send"], name="other"))
    assert found.named(CLERK) == {"github": TOKEN}
    assert found.named(Asker("acme", "clerk", "send")) == {"other": "secret://house/other"}
    assert found.named(Asker("rival", "clerk", "fetch")) == {}


def test_a_grant_by_name_alone_opens_no_place_in_arguments() -> None:
    assert denied(grants(arguments=[]), {"headers": {"Authorization": TOKEN}}).code is Code.SECRET_DENIED
