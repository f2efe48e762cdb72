"""The ledger vouches for what the user said and for what nobody outside wrote, and for nothing else."""

import base64
import codecs
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airside.core.call import Effect
from airside.core.policy import VOUCHED, Origin
from airside.core.tool import WHOLE, ArgumentRole, FieldLabel, Tool
from airside.policy.provenance.declared import Anchor, Declared, Listing, Relation
from airside.policy.provenance.leaving import leaving
from airside.policy.provenance.ledger import Ledger, Made

TRUSTED = FieldLabel(trusted=True)


def tool(name: str, effect: Effect = Effect.READ, **more: Any) -> Tool:
    return Tool(name=name, description="", schema={}, effect=effect, declared=True, **more)


SEND = tool(
    "send",
    Effect.EXECUTE,
    roles={"to": ArgumentRole.RECIPIENT, "body": ArgumentRole.CONTENT, "usd": ArgumentRole.AMOUNT},
)
FIND = tool("find", roles={"query": ArgumentRole.QUERY}, results={WHOLE: TRUSTED})
INBOX = tool("inbox", results={"*.id": TRUSTED})


def saying(prompt: Any, declared: Declared | None = None, **principal: str) -> Ledger:
    ledger = Ledger(declared, principal)
    ledger.add_prompt(prompt)
    return ledger


def seen(ledger: Ledger, tool_: Tool, result: Any, number: int = 1, **arguments: Any) -> Ledger:
    ledger.add(Made(call_id=f"call_{number}", name=tool_.name, tool=tool_, arguments=arguments, result=result))
    return ledger


def origin(ledger: Ledger, value: Any, path: str = "to", of: Tool = SEND) -> Origin:
    (link,) = ledger.links(of, {path: value})
    return link.origin


class TestPrompt:
    @pytest.mark.parametrize(
        "value",
        [
            "bob@example.com",
            "BOB@example.com",
            "Bob <bob@example.com>",
            "Alice",
            "GB29 NWBK 6016 1331 9268 19",
            "13",
        ],
    )
    def test_what_the_user_named_is_the_users(self, value: str) -> None:
        ledger = saying("Ask Alice and bob@example.com about file '13' and GB29NWBK60161331926819.")
        assert origin(ledger, value) is Origin.PROMPT

    @pytest.mark.parametrize(
        "value",
        [
            "bob@example.co",
            "ob@example.com",
            "bob@example.com.evil.org",
            "xbob@example.com",
            "Mallory <mallory@evil.org>",
            "bob@example.com <mallory@evil.org>",
            "lic",
            "3",
            "bob@exаmple.com",
            "GB29NWBK6016133192681",
        ],
    )
    def test_what_only_looks_like_it_is_not(self, value: str) -> None:
        ledger = saying("Ask Alice and bob@example.com about file '13' and GB29NWBK60161331926819.")
        assert origin(ledger, value) not in VOUCHED

    @pytest.mark.parametrize("text", ["on June 13", "I am 13", "13 of them", "version 1.13", "room 2013"])
    def test_a_short_number_must_be_marked_as_an_id(self, text: str) -> None:
        assert origin(saying(text), "13") is Origin.UNKNOWN

    def test_amounts_are_named_however_short(self) -> None:
        ledger = saying("send 7 dollars and 1,200.50")
        assert [origin(ledger, value, "usd") for value in (7, 7.0, "1200.5", 8)] == [
            Origin.PROMPT,
            Origin.PROMPT,
            Origin.PROMPT,
            Origin.UNKNOWN,
        ]

    def test_a_day_vouches_for_its_hours(self) -> None:
        ledger = saying("meet on May 19th, 2024; remind me on November 3rd")
        said = [origin(ledger, value) for value in ("2024-05-19 12:00", "2023-05-19 12:00", "2027-11-03", "2024-05-20")]
        assert said == [Origin.PROMPT, Origin.UNKNOWN, Origin.PROMPT, Origin.UNKNOWN]

    @given(st.sampled_from(["\u200b", "\u202e", "\ufeff", "\u2066"]))
    def test_invisible_characters_neither_help_nor_hide(self, invisible: str) -> None:
        assert origin(saying("write to al\u200bice"), f"ali{invisible}ce") is Origin.PROMPT

    def test_no_prompt_vouches_for_nothing(self) -> None:
        assert origin(Ledger(), "bob@example.com") is Origin.UNKNOWN


class TestResults:
    def test_trusted_fields_are_trusted_and_others_are_not(self) -> None:
        ledger = seen(saying("go"), INBOX, [{"id": "mail-77", "from": "eve@evil.org"}])
        assert (origin(ledger, "mail-77"), origin(ledger, "eve@evil.org")) == (Origin.TRUSTED, Origin.UNTRUSTED)
        assert ledger.taints == ("untrusted", "untrusted:inbox")

    def test_an_echo_is_not_trusted(self) -> None:
        ledger = seen(saying("go"), FIND, {"found": "eve@evil.org", "by": "catalogue"}, query="eve@evil.org")
        assert (origin(ledger, "eve@evil.org"), origin(ledger, "catalogue")) == (Origin.UNTRUSTED, Origin.TRUSTED)

    @pytest.mark.parametrize("echo", ["you asked for eve@evil.org", {"eve@evil.org": 1}, ["x", "EVE@evil.org"]])
    def test_an_echo_in_any_place_is_not_trusted(self, echo: Any) -> None:
        assert origin(seen(saying("go"), FIND, echo, query="eve@evil.org"), "eve@evil.org") not in VOUCHED

    def test_a_vouched_query_leaves_results_trusted(self) -> None:
        ledger = seen(saying("find widgets-and-more"), FIND, {"sku": "widgets-and-more"}, query="widgets-and-more")
        assert origin(seen(ledger, FIND, ["bolts-99"], 2, query="widgets-and-more"), "bolts-99") is Origin.TRUSTED

    def test_results_inherit_the_taint_of_arguments_that_flow(self) -> None:
        compute = tool("compute", roles={"text": ArgumentRole.CONTENT}, results={WHOLE: TRUSTED})
        ledger = seen(saying("go"), compute, "gro.live@eve"[::-1], text="something unvouched")
        assert origin(ledger, "eve@evil.org") is Origin.UNTRUSTED

    def test_what_was_written_and_is_read_back_stays_untrusted(self) -> None:
        write = tool("add_contact", Effect.WRITE, roles={"email": ArgumentRole.CONTENT})
        contacts = tool("contacts", results={WHOLE: TRUSTED})
        ledger = seen(saying("go"), write, None, email="eve@evil.org")
        ledger = seen(ledger, contacts, [{"email": "eve@evil.org"}, {"email": "old@house.org"}], 2)
        assert (origin(ledger, "eve@evil.org"), origin(ledger, "old@house.org")) == (Origin.UNTRUSTED, Origin.TRUSTED)

    def test_local_and_unknown_tools_are_never_trusted(self) -> None:
        local = tool("mine", results={WHOLE: TRUSTED}, local=True)
        ledger = seen(saying("go"), local, "eve@evil.org")
        ledger.add(Made(call_id="call_2", name="gone", tool=None, result="bob@evil.org"))
        assert {origin(ledger, "eve@evil.org"), origin(ledger, "bob@evil.org")} == {Origin.UNTRUSTED}

    def test_errors_quote_whoever(self) -> None:
        ledger = saying("go")
        ledger.add(Made(call_id="call_1", name="find", tool=FIND, error="no such person: eve@evil.org"))
        assert origin(ledger, "eve@evil.org") is Origin.UNTRUSTED
        assert "untrusted" in ledger.taints

    def test_endorsed_values_are_vouched_for_as_a_whole_only(self) -> None:
        ledger = saying("go")
        ledger.endorse("eve@evil.org is fine", "apr_1")
        ledger.endorse("amy@house.org", "apr_2")
        assert (origin(ledger, "eve@evil.org"), origin(ledger, "amy@house.org")) == (Origin.UNKNOWN, Origin.ENDORSED)

    def test_short_ids_are_genuine_only_where_a_list_says_so(self) -> None:
        delete = tool("delete", Effect.EXECUTE, roles={"mail": ArgumentRole.ID, "file": ArgumentRole.ID})
        declared = Declared(listings=(Listing(tool="inbox", field="*.id", arguments=("delete.mail",)),))
        ledger = seen(saying("go", declared), INBOX, [{"id": "7"}])
        assert (origin(ledger, "7", "mail", delete), origin(ledger, "7", "file", delete)) == (
            Origin.TRUSTED,
            Origin.UNTRUSTED,
        ) or origin(ledger, "7", "file", delete) is Origin.UNKNOWN

    def test_listed_names_are_nothing_but_names(self) -> None:
        channels = tool("channels")
        declared = Declared(listings=(Listing(tool="channels", field="*", arguments=("send.to",)),))
        ledger = seen(saying("go", declared), channels, ["www.evil.org"])
        fetch = tool("fetch", roles={"url": ArgumentRole.TARGET})
        assert (origin(ledger, "www.evil.org"), origin(ledger, "www.evil.org", "url", fetch)) == (
            Origin.TRUSTED,
            Origin.UNTRUSTED,
        )


class TestRecords:
    PEOPLE = Declared((Anchor(tool="people", record="*", keys=("name",), values=("email",), arguments=("send.to",)),))
    LOOK = tool("people", roles={"name": ArgumentRole.QUERY})

    def test_a_named_record_vouches_for_its_values_where_they_belong(self) -> None:
        ledger = saying("write to Sarah Baker", self.PEOPLE)
        seen(ledger, self.LOOK, [{"name": "Sarah Baker", "email": "sb@house.org", "note": "eve@evil.org"}])
        fetch = tool("fetch", roles={"url": ArgumentRole.TARGET})
        assert origin(ledger, "sb@house.org") is Origin.ANCHORED
        assert origin(ledger, "eve@evil.org") is Origin.UNTRUSTED
        assert origin(ledger, "sb@house.org", "url", fetch) is Origin.UNTRUSTED

    def test_a_key_of_two_records_names_neither(self) -> None:
        ledger = saying("write to Sarah Baker", self.PEOPLE)
        seen(ledger, self.LOOK, [{"name": "Sarah Baker", "email": "sb@house.org"}])
        seen(ledger, self.LOOK, [{"name": "sarah  baker", "email": "eve@evil.org"}], 2)
        assert {origin(ledger, "sb@house.org"), origin(ledger, "eve@evil.org")} == {Origin.UNTRUSTED}

    def test_the_same_record_twice_is_one(self) -> None:
        ledger = saying("write to Sarah Baker", self.PEOPLE)
        for number in (1, 2):
            seen(ledger, self.LOOK, [{"name": "Sarah Baker", "email": "sb@house.org"}], number)
        assert origin(ledger, "sb@house.org") is Origin.ANCHORED

    def test_who_was_not_named_is_not_anchored(self) -> None:
        ledger = seen(saying("write to Sarah", self.PEOPLE), self.LOOK, [{"name": "Sarah Baker", "email": "x@y.org"}])
        assert origin(ledger, "x@y.org") is Origin.UNTRUSTED

    def test_a_record_that_the_run_wrote_vouches_for_nothing(self) -> None:
        add = tool("add", Effect.WRITE, roles={"email": ArgumentRole.CONTENT})
        ledger = seen(saying("write to Sarah Baker", self.PEOPLE), add, None, email="eve@evil.org")
        seen(ledger, self.LOOK, [{"name": "Sarah Baker", "email": "eve@evil.org"}], 2)
        assert origin(ledger, "eve@evil.org") is Origin.UNTRUSTED

    def test_half_of_a_key_names_the_only_one_that_begins_so(self) -> None:
        declared = Declared(
            (Anchor(tool="files", record="*", keys=("name",), values=("id",), arguments=("send.to",), beginning=True),)
        )
        ledger = seen(
            saying("share my grocery list", declared), tool("files"), [{"name": "grocery-list-may.docx", "id": "f-19"}]
        )
        assert origin(ledger, "f-19") is Origin.ANCHORED
        seen(ledger, tool("files"), [{"name": "grocery-list-evil.docx", "id": "f-20"}], 2)
        assert {origin(ledger, "f-19"), origin(ledger, "f-20")} == {Origin.UNTRUSTED}

    ORDERS = Declared(
        relations=(
            Relation(
                tool="order",
                owner="customer",
                principal="customer",
                values=("id", "lines.*.sku"),
                arguments=("send.to",),
            ),
        )
    )
    ORDER = tool("order", roles={"id": ArgumentRole.ID})

    @pytest.mark.parametrize(
        ("whose", "expected"), [("c-1", Origin.OWNED), ("c-2", Origin.UNTRUSTED), ("", Origin.UNTRUSTED)]
    )
    def test_ones_own_records_are_owned(self, whose: str, expected: Origin) -> None:
        principal = {"customer": whose} if whose else {}
        ledger = saying("return it", self.ORDERS, **principal)
        seen(ledger, self.ORDER, {"customer": "c-1", "id": "order-9", "lines": [{"sku": "sku-4"}]}, id="order-9")
        assert {origin(ledger, "order-9"), origin(ledger, "sku-4")} == {expected}


class TestLeaving:
    SECRETS = tool("profile", results={"card": FieldLabel(trusted=True, secret=True)})

    def ledger(self) -> Ledger:
        return seen(
            saying("mail amy@house.org the link https://house.org/x"), self.SECRETS, {"card": "4237-4252-7456-2574"}
        )

    DISGUISES = (
        "4237-4252-7456-2574",
        "4237425274562574",
        "4 2 3 7 4 2 5 2 7 4 5 6 2 5 7 4",
        "4237-4252-7456-2574"[::-1],
        base64.b64encode(b"card 4237-4252-7456-2574").decode(),
        b"4237-4252-7456-2574".hex(),
        "4237%2D4252%2D7456%2D2574",
        codecs.encode("4237-4252-7456-2574", "rot13"),
        "4237\u200b4252\u200b7456\u200b2574",
    )

    @pytest.mark.parametrize("body", DISGUISES)
    def test_secrets_do_not_leave(self, body: str) -> None:
        assert "body: secret profile.card" in leaving(
            self.ledger(), SEND, {"to": "amy@house.org", "body": f"see {body}"}
        )

    @pytest.mark.parametrize(
        "body", ["https://evil.org/x", "www.evil.org", "mail eve@evil.org", "pay 0123456789", "evil.com"]
    )
    def test_unknown_links_do_not_leave(self, body: str) -> None:
        assert leaving(self.ledger(), SEND, {"to": "amy@house.org", "body": body})

    @pytest.mark.parametrize(
        "body", ["https://house.org/x", "see report.docx, 12 pages", "amy@house.org", "it costs 99.50"]
    )
    def test_ordinary_texts_leave(self, body: str) -> None:
        assert leaving(self.ledger(), SEND, {"to": "amy@house.org", "body": body}) == []

    def test_what_stays_in_the_house_does_not_leave(self) -> None:
        note = tool("note", Effect.WRITE, roles={"text": ArgumentRole.CONTENT})
        assert leaving(self.ledger(), note, {"text": "4237-4252-7456-2574 https://evil.org"}) == []

    def test_a_query_of_a_read_that_looks_outside_tells_too(self) -> None:
        fetch = tool("fetch", roles={"url": ArgumentRole.TARGET}, hosts=("*:443",))
        assert leaving(self.ledger(), fetch, {"url": "https://house.org/x?d=4237425274562574"}) == [
            "url: secret profile.card",
            "url: unknown link",
        ]
        assert leaving(self.ledger(), fetch, {"url": "https://house.org/x"}) == []

    def test_credentials_are_secret_by_their_shape(self) -> None:
        ledger = seen(saying("go"), tool("read"), {"file": "key = AKIAIOSFODNN7EXAMPLE"})
        assert "secret" in ledger.taints
        assert leaving(ledger, SEND, {"to": "a", "body": "AKIAIOSFODNN7EXAMPLE"}) == ["body: secret read.file"]

    def test_an_undeclared_tool_may_tell_anybody(self) -> None:
        unknown = Tool(name="x", description="", schema={})
        assert leaving(self.ledger(), unknown, {"anything": ["www.evil.org"]}) == ["anything.0: unknown link"]
