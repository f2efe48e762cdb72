"""OpenAPI operations as tools, against a real HTTP API: what is sent, what answers mean, what documents may hold."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from airside.config.tools import OpenApiSettings
from airside.core.errors import AirsideError, Code
from airside.gateways.tools.openapi.document import Document, load
from airside.gateways.tools.openapi.operations import Operation, Parameter, operation
from airside.gateways.tools.openapi.requests import request
from airside.gateways.tools.openapi.source import Api, Operations
from tests.gateways.tools.desks import SERVERS, Desk, desk_of
from tests.gateways.tools.tooling import served, until

SHOP = SERVERS / "shop.yaml"
Answer = Callable[[Request], Awaitable[Response]]


class Shop:
    """An HTTP API that notes what it is asked, and answers as a test wants."""

    def __init__(self) -> None:
        self.seen: list[Request] = []
        self.bodies: list[bytes] = []
        self.answer: Answer = self.echo
        methods = ["GET", "POST", "DELETE"]
        self.app = Starlette(routes=[Route("/v1/{path:path}", self.any, methods=methods)])

    async def any(self, asked: Request) -> Response:
        self.seen.append(asked)
        self.bodies.append(await asked.body())
        return await self.answer(asked)

    async def echo(self, asked: Request) -> Response:
        raw = asked.scope["raw_path"].decode()
        return JSONResponse({"path": raw, "query": asked.url.query, "body": self.bodies[-1].decode()})


@pytest.fixture
def shop() -> Shop:
    return Shop()


@asynccontextmanager
async def api(desk: Desk, shop: Shop, **settings: Any) -> AsyncIterator[Api]:
    async with served(shop.app) as base:
        said = OpenApiSettings(
            **{"document": SHOP, "base_url": base + "/v1", "operations": ["*"], "timeout_s": 20, **settings}
        )
        made = Api(Operations("shop", said, desk.manifests), said, desk.around)
        desk.catalogue.set_foreign(made.source, made.listed)
        try:
            yield made
        finally:
            await made.close()


async def test_arguments_go_where_the_document_says(shop: Shop) -> None:
    async with desk_of() as desk, api(desk, shop, headers={"Authorization": "Bearer own"}, query={"api_key": "k/1"}):
        who = await desk.begin()
        told = await desk.call(
            who,
            "shop__getOrder",
            **{
                "order_id": "a/../b?c#d",
                "fields": ["x,y", "z"],
                "filter": {"a&b": "1=2"},
                "X-Trace": "t",
                "seen": True,
            },
        )
        assert told["path"] == "/v1/orders/a%2F..%2Fb%3Fc%23d"
        assert told["query"] == "fields=x%2Cy,z&filter[a%26b]=1%3D2&api_key=k%2F1"
        assert shop.seen[0].headers["x-trace"] == "t"
        assert shop.seen[0].headers["cookie"] == "seen=true"
        assert shop.seen[0].headers["authorization"] == "Bearer own"
        sent = {"order": "A", "amount": 2.5, "note": None, "parts": [{"order": "B", "amount": 1}]}
        told = await desk.call(who, "shop__refund", body=sent)
        assert json.loads(told["body"]) == sent
        told = await desk.call(who, "shop__fill", body={"a": "x&y=z", "b": [1, 2]})
        assert told["body"] == "a=x%26y%3Dz&b=1&b=2"
        assert shop.seen[2].headers["content-type"] == "application/x-www-form-urlencoded"


async def test_what_the_settings_fill_and_what_only_the_api_sets_is_not_offered(shop: Shop) -> None:
    async with desk_of() as desk, api(desk, shop, query={"api_key": "k"}):
        order, refund = desk.catalogue.lookup("shop__getOrder"), desk.catalogue.lookup("shop__refund")
        assert order is not None
        assert refund is not None
        assert set(order.schema["properties"]) == {"order_id", "fields", "filter", "X-Trace", "seen"}
        assert (order.declared, order.effect, order.hosts) == (False, "execute", ()), "a method promises nothing"
        own = refund.schema["$defs"]["Refund"]
        assert own["required"] == ["order", "amount"]
        assert own["properties"]["amount"] == {"type": "number", "exclusiveMinimum": 0}
        assert own["properties"]["note"]["type"] == ["string", "null"]
        assert own["properties"]["parts"]["items"] == {"$ref": "#/$defs/Refund"}, "a cycle stays one"
        who = await desk.begin()
        assert (await desk.failure(who, "shop__getOrder", order_id="1", api_key="mine")).code is Code.INVALID_ARGUMENTS
        for body in ({"order": "A", "amount": 0}, {"order": "A"}, {"order": 1, "amount": 1}):
            assert (await desk.failure(who, "shop__refund", body=body)).code is Code.INVALID_ARGUMENTS
        assert not shop.seen


async def test_operations_that_cannot_be_tools_are_left_out_and_no_others(shop: Shop) -> None:
    async with desk_of() as desk, api(desk, shop) as made:
        assert set(made.operations) == {
            "shop__getOrder",
            "shop__DELETE__orders__order_id_",
            "shop__refund",
            "shop__fill",
        }
        why = {out.name: out.why for out in made.left_out}
        assert "multipart" in why["upload"]
        assert "in the document only" in why["elsewhere"]
        assert "circle" in why["circle"]
    async with desk_of() as desk, api(desk, shop, operations=["getOrder", "DELETE /orders/*"]) as made:
        assert len(made.operations) == 2


@pytest.mark.parametrize("value", ["..", ".", ""])
async def test_no_argument_leaves_its_segment(shop: Shop, value: str) -> None:
    async with desk_of() as desk, api(desk, shop):
        assert (await desk.failure(await desk.begin(), "shop__getOrder", order_id=value)).code is Code.INVALID_ARGUMENTS
        assert not shop.seen


async def test_no_header_holds_two_lines(shop: Shop) -> None:
    async with desk_of() as desk, api(desk, shop):
        arguments = {"order_id": "1", "X-Trace": "a\r\nX-Admin: yes"}
        failed = await desk.failure(await desk.begin(), "shop__getOrder", **arguments)
        assert failed.code is Code.INVALID_ARGUMENTS


async def test_answers_of_every_kind(shop: Shop) -> None:
    answers = [
        Response(status_code=204),
        Response("text", media_type="text/plain"),
        Response(b"\x00\x01", media_type="image/png"),
        Response('{"a":1,"a":2}', media_type="application/json"),
        Response("[1", media_type="application/problem+json"),
    ]

    async def next_one(_asked: Request) -> Response:
        return answers.pop(0)

    shop.answer = next_one
    async with desk_of() as desk, api(desk, shop):
        who = await desk.begin()
        assert await desk.call(who, "shop__getOrder", order_id="1") is None
        assert await desk.call(who, "shop__getOrder", order_id="2") == "text"
        binary = await desk.call(who, "shop__getOrder", order_id="3")
        assert (binary["mime_type"], binary["bytes"], len(binary["content_id"])) == ("image/png", 2, 64)
        for number in "45":
            assert (await desk.failure(who, "shop__getOrder", order_id=number)).code is Code.TOOL_FAILED


@pytest.mark.parametrize(
    ("status", "effect", "expected"),
    [
        (400, "write", "tool_failed"),
        (404, "read", "tool_failed"),
        (307, "write", "tool_failed"),
        (500, "read", "upstream_failed"),
        (500, "write", "held"),
        (503, "write", "held"),
        (429, "write", "rate_limited"),
        (401, "write", "secret_refused"),
    ],
)
async def test_what_a_status_says(shop: Shop, status: int, effect: str, expected: str) -> None:
    async def fail(_asked: Request) -> Response:
        return JSONResponse({"why": "because"}, status, {"location": "/v1/orders/other", "retry-after": "0"})

    shop.answer = fail
    async with desk_of({"openapi:shop/*": {"effect": effect}}) as desk, api(desk, shop):
        who = await desk.begin()
        calling = asyncio.create_task(desk.call(who, "shop__getOrder", order_id="1"))
        await until(lambda: calling.done() or desk.plane.suspensions.asked, "it is known what happened")
        (row,) = await desk.plane.calls(who)
        assert (row["code"] if calling.done() else row["state"]) == expected
        tries = 3 if expected in {"upstream_failed", "rate_limited"} else 1
        assert len(shop.seen) == tries, "what may have happened is not sent again"
        if expected == "tool_failed":
            with pytest.raises(AirsideError, match=f"status {status}"):
                await calling
        calling.cancel()
        await asyncio.gather(calling, return_exceptions=True)


async def test_an_idempotent_effect_is_sent_again_with_the_same_key(shop: Shop) -> None:
    async def second(asked: Request) -> Response:
        return Response(status_code=502) if len(shop.seen) == 1 else await shop.echo(asked)

    shop.answer = second
    said = {"openapi:shop/refund": {"effect": "write", "idempotent": True}}
    async with desk_of(said) as desk, api(desk, shop, idempotency_header="Idempotency-Key"):
        who = await desk.begin()
        await desk.call(who, "shop__refund", body={"order": "A", "amount": 1})
        (row,) = await desk.plane.calls(who)
        assert [asked.headers["idempotency-key"] for asked in shop.seen] == [row["call_id"]] * 2


async def test_answers_are_bounded_in_bytes_and_time(shop: Shop) -> None:
    async def flood(_asked: Request) -> Response:
        async def much() -> AsyncIterator[bytes]:
            for _ in range(1_000):
                yield b" " * 100_000

        return StreamingResponse(much(), media_type="application/json")

    async def drip(_asked: Request) -> Response:
        async def slowly() -> AsyncIterator[bytes]:
            while True:
                yield b" "
                await asyncio.sleep(0.02)

        return StreamingResponse(slowly(), media_type="application/json")

    said = {"openapi:shop/*": {"effect": "read"}}
    async with desk_of(said) as desk, api(desk, shop, result_bytes_max=1_000_000, timeout_s=0.5):
        shop.answer = flood
        who = await desk.begin()
        assert (await desk.failure(who, "shop__getOrder", order_id="1")).code is Code.LIMIT_EXCEEDED
        shop.answer = drip
        assert (await desk.failure(who, "shop__getOrder", order_id="2")).code is Code.UPSTREAM_TIMEOUT


async def test_what_an_api_sets_as_cookies_reaches_no_other_run(shop: Shop) -> None:
    async def session(asked: Request) -> Response:
        answer = await shop.echo(asked)
        answer.set_cookie("session", "of the first run")
        return answer

    shop.answer = session
    async with desk_of({"openapi:shop/*": {"effect": "read"}}) as desk, api(desk, shop):
        await desk.call(await desk.begin(), "shop__getOrder", order_id="1")
        await desk.call(await desk.begin(), "shop__getOrder", order_id="2")
    assert [asked.headers.get("cookie") for asked in shop.seen] == [None, None]


@pytest.mark.parametrize(("path", "style"), [("/orders/{id}", "label"), ("/orders/.{id}", "simple")])
def test_no_style_of_a_segment_leads_up(path: str, style: str) -> None:
    parameter = Parameter(argument="id", name="id", place="path", style=style, explode=False, required=True)
    asked = Operation(
        native="x", method="GET", path=path, description="", schema={"type": "object"}, parameters=(parameter,)
    )
    assert request(asked, {"id": "a"}).target == "/orders/.a"
    with pytest.raises(AirsideError, match="path"):
        request(asked, {"id": "."})


async def test_an_api_that_is_away_has_done_nothing(shop: Shop) -> None:
    async with desk_of() as desk, api(desk, shop, base_url="http://127.0.0.1:9"):
        failed = await desk.failure(await desk.begin(), "shop__refund", body={"order": "A", "amount": 1})
        assert (failed.code, failed.details["not_sent"]) == (Code.UPSTREAM_FAILED, True)
        assert not desk.plane.suspensions.asked


def document(tmp_path: Path, text: str) -> Document:
    file = tmp_path / "api.yaml"
    file.write_text(text)
    return load(file)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("swagger: '2.0'", "no OpenAPI document"),
        ("openapi: 3.2.0", "no OpenAPI document"),
        ("[1, 2", "neither JSON nor YAML"),
        ('{"openapi": "3.1.0", "openapi": "3.1.0"}', "uplicate"),
        ("openapi: 3.1.0\na: &a [1]\nb: [*a, *a]", "aliases"),
        ("[" * 5_000, ""),
        ("- 1", "no OpenAPI document"),
        ("!!python/object/apply:os.system [x]", "neither JSON nor YAML"),
    ],
)
def test_files_that_are_no_documents(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(AirsideError) as caught:
        document(tmp_path, text)
    assert caught.value.code is Code.MISCONFIGURED
    assert said in caught.value.message


def test_odd_documents_yield_no_tools_and_no_exceptions(tmp_path: Path) -> None:
    odd = document(tmp_path, "openapi: 3.1.0\npaths: {/a: 7, /b: {get: []}, /c: {$ref: '#/paths/~1c'}, 5: {get: {}}}")
    assert [found.path for found in odd.operations()] == ["5"]
    assert document(tmp_path, "openapi: 3.1.0\npaths: 3").base_url() == ""
    dated = document(tmp_path, "openapi: 3.1.0\ninfo: {version: 2026-11-22}")
    assert dated.value["info"]["version"] == "2026-11-22"


def test_a_thousand_schemas_that_refer_to_each_other_are_bounded(tmp_path: Path) -> None:
    schemas: dict[str, Any] = {
        f"S{n}": {"properties": {"n": {"$ref": f"#/components/schemas/S{n + 1}"}}} for n in range(1_000)
    }
    schemas["S1000"] = {"type": "object"}
    body = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/S0"}}}}
    tree = {"openapi": "3.1.0", "paths": {"/a": {"post": {"requestBody": body}}}, "components": {"schemas": schemas}}
    made = document(tmp_path, json.dumps(tree))
    with pytest.raises(ValueError, match="more than 500"):
        operation(made, next(made.operations()), ())


def parameter(style: str, place: str, *, explode: bool) -> Operation:
    path = "/p/{color}" if place == "path" else "/p"
    one = Parameter("color", "color", place, style, explode, required=False)
    return Operation(native="x", method="GET", path=path, description="", schema={}, parameters=(one,))


@pytest.mark.parametrize(
    ("style", "place", "explode", "expected"),
    [  # the table of styles in the specification, with its values
        ("matrix", "path", False, ["/p/;color=blue", "/p/;color=blue,black", "/p/;color=R,100,G,200"]),
        ("matrix", "path", True, ["/p/;color=blue", "/p/;color=blue;color=black", "/p/;R=100;G=200"]),
        ("label", "path", False, ["/p/.blue", "/p/.blue,black", "/p/.R,100,G,200"]),
        ("label", "path", True, ["/p/.blue", "/p/.blue.black", "/p/.R=100.G=200"]),
        ("simple", "path", False, ["/p/blue", "/p/blue,black", "/p/R,100,G,200"]),
        ("simple", "path", True, ["/p/blue", "/p/blue,black", "/p/R=100,G=200"]),
        ("form", "query", False, ["/p?color=blue", "/p?color=blue,black", "/p?color=R,100,G,200"]),
        ("form", "query", True, ["/p?color=blue", "/p?color=blue&color=black", "/p?R=100&G=200"]),
        ("spaceDelimited", "query", False, ["/p?color=blue", "/p?color=blue%20black", "/p?color=R%20100%20G%20200"]),
        ("pipeDelimited", "query", False, ["/p?color=blue", "/p?color=blue%7Cblack", "/p?color=R%7C100%7CG%7C200"]),
        ("deepObject", "query", True, ["/p?color=blue", "/p?color=blue&color=black", "/p?color[R]=100&color[G]=200"]),
    ],
)
def test_styles_of_parameters(style: str, place: str, *, explode: bool, expected: list[str]) -> None:
    values = ["blue", ["blue", "black"], {"R": 100, "G": 200}]
    made = parameter(style, place, explode=explode)
    assert [request(made, {"color": value}).target for value in values] == expected


@given(value=st.text(), style=st.sampled_from(["simple", "label", "matrix"]), explode=st.booleans())
def test_whatever_a_text_holds_it_stays_in_its_segment(*, value: str, style: str, explode: bool) -> None:
    try:
        target = request(parameter(style, "path", explode=explode), {"color": value}).target
    except (AirsideError, UnicodeEncodeError):
        return
    assert target.startswith("/p/")
    assert target.count("/") == 2
    assert not set(target) & set("?#\\ \r\n\t")
