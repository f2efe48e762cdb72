"""The MCP face: the SDK's own client, clients without SDK, and what a hostile one tries."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from mcp.client.session import ClientSession
from mcp.client.streamable_http import streamable_http_client
from msgspec.structs import replace

from airside.core.call import Call, CallState, Outcome
from airside.core.errors import AirsideError, Code
from airside.core.ports import Forward
from airside.gateways.tools.gateway import rebuild, tool_of
from tests.gateways.tools.tooling import TOKEN, Tooling, served, settings, tooling_of, until

GOOD = {"authorization": f"Bearer {TOKEN}"}
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared() -> AsyncIterator[tuple[Tooling, str]]:
    """One host for all tests of this module: none of them changes it for good."""
    async with tooling_of(settings()) as made, served(made.face) as base:
        yield made, base + "/mcp"


@pytest.fixture
def tooling(shared: tuple[Tooling, str]) -> Tooling:
    made = shared[0]
    made.gate = made.known.failure = None
    made.calls.clear()
    return made


@pytest.fixture
def url(shared: tuple[Tooling, str]) -> str:
    return shared[1]


@pytest_asyncio.fixture(loop_scope="module")
async def http(url: str, tooling: Tooling) -> AsyncIterator[httpx2.AsyncClient]:
    limits = httpx2.Limits(max_connections=100)
    async with httpx2.AsyncClient(base_url=url, headers=GOOD, limits=limits, timeout=30) as client:
        yield client


def request(method: str, request_id: Any = 1, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}


async def call(http: httpx2.AsyncClient, name: str, **arguments: Any) -> Any:
    answer = await http.post("", json=request("tools/call", name=name, arguments=arguments))
    assert answer.status_code == 200, answer.text
    return answer.json()["result"]


async def test_the_sdks_client_lists_and_calls(url: str, tooling: Tooling) -> None:
    async with (
        httpx2.AsyncClient(headers=GOOD) as client,
        streamable_http_client(url, http_client=client) as streams,
        ClientSession(streams[0], streams[1]) as session,
    ):
        await session.initialize()
        listed = {tool.name: tool for tool in (await session.list_tools()).tools}
        assert listed["refund"].input_schema["required"] == ["order_id", "amount", "reason"]
        assert "hidden" not in listed
        found = await session.call_tool("find_order", {"order_id": "A1"})
        assert found.structured_content == {"order_id": "A1", "day": "2026-11-22", "total": "12.50"}
        failed = await session.call_tool("raise_error", {"kind": "value"})
        assert failed.is_error
        assert failed.content[0].text == "tool_failed: ValueError: no such order: 4711"
        unfit = await session.call_tool("refund", {"order_id": "A1", "amount": -1, "reason": "late"})
        assert unfit.is_error
        assert "invalid_arguments: amount:" in unfit.content[0].text
    assert all(seen.token == TOKEN for seen in tooling.calls)


async def test_the_newer_protocol_generation_is_served_without_a_handshake(http: httpx2.AsyncClient) -> None:
    version = "2026-07-28"
    meta = {
        "io.modelcontextprotocol/protocolVersion": version,
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    headers = {"mcp-protocol-version": version, "mcp-method": "tools/call", "mcp-name": "echo"}
    body = request("tools/call", name="echo", arguments={"value": {"a": 1}}, _meta=meta)
    answer = await http.post("", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    result = answer.json()["result"]
    assert result["structuredContent"] == {"a": 1}
    assert result["resultType"] == "complete"
    assert answer.headers["x-airside-call"].startswith("call_")
    headers |= {"mcp-method": "tools/list"}
    del headers["mcp-name"]
    listed = await http.post("", json=request("tools/list", _meta=meta), headers=headers)
    assert "hidden" not in [tool["name"] for tool in listed.json()["result"]["tools"]]


async def test_nothing_but_tools_is_offered(http: httpx2.AsyncClient) -> None:
    client = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    said = (await http.post("", json=request("initialize", **client))).json()["result"]
    assert set(said["capabilities"]) <= {"tools", "experimental"}
    for method in ("resources/list", "prompts/list", "completion/complete", "nonsense"):
        assert "error" in (await http.post("", json=request(method))).json()


async def test_plain_clients_call_without_handshake(http: httpx2.AsyncClient) -> None:
    answer = await http.post("", json=request("tools/call", "id-7", name="echo", arguments={"value": "text"}))
    assert answer.json() == {
        "jsonrpc": "2.0",
        "id": "id-7",
        "result": {
            "content": [{"type": "text", "text": "text"}],
            "isError": False,
            "_meta": {"airside/text": True},
        },
    }
    assert answer.headers["x-airside-replayed"] == "false"
    listed = (await http.post("", json={"jsonrpc": "2.0", "id": 2, "method": "tools/list"})).json()["result"]["tools"]
    assert {"find_order", "refund"} <= {tool["name"] for tool in listed}
    assert "hidden" not in {tool["name"] for tool in listed}


async def test_both_ways_answer_alike(http: httpx2.AsyncClient) -> None:
    legacy = {"mcp-protocol-version": "2025-11-25"}
    for name, arguments in (
        ("find_order", {"order_id": "A1"}),
        ("echo", {"value": [1, 2]}),
        ("raise_error", {"kind": "value"}),
        ("refund", {"order_id": "A1"}),
        ("nobody", {}),
    ):
        body = request("tools/call", name=name, arguments=arguments)
        plain, full = await http.post("", json=body), await http.post("", json=body, headers=legacy)
        assert plain.json() == full.json(), name
        assert plain.status_code == full.status_code == 200


@pytest.mark.parametrize("token", ["", "Bearer", "Basic abc", "Bearer rt_foreign"])
@pytest.mark.parametrize("legacy", [False, True])
async def test_without_a_good_token_nothing_is_told(url: str, tooling: Tooling, token: str, legacy: bool) -> None:
    headers = {"authorization": token} | ({"mcp-protocol-version": "2025-11-25"} if legacy else {})
    async with httpx2.AsyncClient(headers=headers) as client:
        for body in (request("tools/list"), request("tools/call", name="echo", arguments={"value": 1})):
            answer = await client.post(url, json=body)
            assert answer.status_code == 401, answer.text
            assert answer.headers["www-authenticate"] == "Bearer"
            assert answer.json()["error"]["data"]["code"] == "unauthenticated"
    assert tooling.calls == []


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize(("code", "status"), [(Code.KILLED, 403), (Code.JOURNAL_UNAVAILABLE, 503)])
async def test_what_an_agent_cannot_go_on_from_is_an_http_error(
    http: httpx2.AsyncClient, tooling: Tooling, code: Code, status: int, legacy: bool
) -> None:
    tooling.known.failure = AirsideError(code)
    headers = {"mcp-protocol-version": "2025-11-25"} if legacy else {}
    answer = await http.post("", json=request("tools/call", 9, name="echo", arguments={"value": 1}), headers=headers)
    assert answer.status_code == status
    assert answer.json()["error"]["data"]["code"] == code
    assert answer.json()["id"] == 9


async def test_refusals_are_results_that_an_agent_can_read(http: httpx2.AsyncClient, tooling: Tooling) -> None:
    async def deny(call: Call, forward: Forward) -> Outcome:
        raise AirsideError(Code.POLICY_DENIED, "no-refunds: never", details={"rules": "no-refunds"})

    tooling.gate = deny
    result = await call(http, "echo", value=1)
    assert result["isError"] is True
    assert result["content"][0]["text"].startswith("policy_denied: no-refunds: never.")
    assert result["_meta"]["airside/error"]["details"] == {"rules": "no-refunds"}


async def test_unknown_and_unoffered_tools_are_refused_alike(http: httpx2.AsyncClient, tooling: Tooling) -> None:
    for name in ("nobody", "hidden", "note", "", "a b", "x" * 100_000, "nul\x00"):
        result = await call(http, name)
        assert result["_meta"]["airside/error"]["code"] == "unknown_tool", name
    assert tooling.calls == []


@pytest.mark.parametrize(
    ("arguments", "place"),
    [
        ({"order_id": "A1", "amount": 5}, "reason"),
        ({"order_id": "A1", "amount": "5", "reason": "late"}, "amount"),
        ({"order_id": "A1", "amount": 0, "reason": "late"}, "amount"),
        ({"order_id": "A1", "amount": 5, "reason": "secret-reason"}, "reason"),
        ({"order_id": "A1", "amount": 5, "reason": "late", "context": {}}, "context"),
        ({"order_id": None, "amount": 5, "reason": "late"}, "order_id"),
        ([], "object"),
        ("text", "object"),
    ],
)
async def test_arguments_that_do_not_fit_never_reach_policy(
    http: httpx2.AsyncClient, tooling: Tooling, arguments: Any, place: str
) -> None:
    answer = await http.post("", json=request("tools/call", name="refund", arguments=arguments))
    error = answer.json()["result"]["_meta"]["airside/error"]
    assert error["code"] == "invalid_arguments"
    assert place in error["message"]
    assert "secret-reason" not in error["message"], "values may be personal"
    assert tooling.calls == []


@pytest.mark.parametrize(
    "text",
    [
        '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"value":1,"value":2}}}',
        '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","name":"big","arguments":{}}}',
        '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"value":NaN}}}',
        '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":[]}',
        '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":7}}',
        '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"value":1e400}}}',
        '[{"jsonrpc":"2.0","id":1,"method":"tools/list"}]',
        '{"jsonrpc":',
        "\xff",
        "",
        '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"value":"\\ud800"}}}',
    ],
)
@pytest.mark.parametrize("legacy", [False, True])
async def test_malformed_bodies_are_refused(
    http: httpx2.AsyncClient, tooling: Tooling, text: str, legacy: bool
) -> None:
    headers = {"content-type": "application/json"} | ({"mcp-protocol-version": "2025-11-25"} if legacy else {})
    answer = await http.post("", content=text.encode("latin-1"), headers=headers)
    assert "Traceback" not in answer.text
    assert "error" in answer.json() or answer.json()["result"]["isError"]
    assert tooling.calls == []


async def test_bodies_are_limited_in_size_and_depth(http: httpx2.AsyncClient) -> None:
    answer = await http.post("", json=request("tools/call", name="echo", arguments={"value": "x" * 200_000}))
    assert answer.status_code == 413
    deep = "[" * 5_000 + "]" * 5_000
    text = f'{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"echo","arguments":{{"value":{deep}}}}}}}'
    answer = await http.post("", content=text, headers={"content-type": "application/json"})
    assert answer.json()["error"]["data"]["code"] == "limit_exceeded"


async def test_only_post_is_served(http: httpx2.AsyncClient) -> None:
    for method in ("GET", "DELETE", "PUT"):
        assert (await http.request(method, "")).status_code == 405


@pytest.mark.parametrize("legacy", [False, True])
async def test_a_client_that_leaves_cancels_its_call(url: str, tooling: Tooling, legacy: bool) -> None:
    entered, cancelled = asyncio.Event(), asyncio.Event()

    async def wait(call: Call, forward: Forward) -> Outcome:
        entered.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise
        raise AssertionError

    tooling.gate = wait
    headers = GOOD | ({"mcp-protocol-version": "2025-11-25"} if legacy else {})
    async with httpx2.AsyncClient(headers=headers) as client:
        body = request("tools/call", name="echo", arguments={"value": 1})
        posting = asyncio.create_task(client.post(url, json=body))
        await entered.wait()
        posting.cancel()
        await asyncio.gather(posting, return_exceptions=True)
    await asyncio.wait_for(cancelled.wait(), 40)
    tooling.gate = None
    async with httpx2.AsyncClient(headers=headers) as client:
        assert (await client.post(url, json=body)).status_code == 200


async def test_an_edited_call_tells_so_and_runs_the_edit(http: httpx2.AsyncClient, tooling: Tooling) -> None:
    async def edit(call: Call, forward: Forward) -> Outcome:
        return await forward(replace(rebuild(call, b'{"value":{"cents":5}}'), edited=True))

    tooling.gate = edit
    result = await call(http, "echo", value={"cents": 500})
    assert result["content"][0]["text"].startswith("A reviewer changed the arguments")
    assert '{"value":{"cents":5}}' in result["content"][0]["text"]
    assert result["content"][1]["text"] == '{"cents":5}'
    assert result["_meta"]["airside/edited_arguments"] == {"value": {"cents": 5}}
    assert "structuredContent" not in result


async def test_an_edit_must_fit_the_schema(tooling: Tooling) -> None:
    await tooling.call("refund", order_id="A1", amount=5, reason="late")
    asked = tooling.calls[-1]
    tool = tool_of(asked)
    assert tool is not None
    assert tool.amount_argument == "amount"
    with pytest.raises(AirsideError) as caught:
        rebuild(asked, b'{"amount":-5,"order_id":"A1","reason":"late"}')
    assert caught.value.code is Code.INVALID_ARGUMENTS
    edited = rebuild(asked, b'{"amount":4,"order_id":"A1","reason":"late"}')
    assert edited.arguments == {"amount": 4, "order_id": "A1", "reason": "late"}
    assert edited.parts == (b'{"amount":4,"order_id":"A1","reason":"late"}',)


async def test_a_replayed_outcome_reads_as_the_first_did(http: httpx2.AsyncClient, tooling: Tooling) -> None:
    first = await call(http, "find_order", order_id="A1")
    body = b'{"result":{"day":"2026-11-22","order_id":"A1","total":"12.50"}}'

    async def replayed(call: Call, forward: Forward) -> Outcome:
        return Outcome(state=CallState.OK, body=body, call_id="call_0", at_us=7, replayed=True)

    tooling.gate = replayed
    answer = await http.post("", json=request("tools/call", name="find_order", arguments={"order_id": "A1"}))
    assert answer.json()["result"] == first
    assert answer.headers["x-airside-call"] == "call_0"
    assert answer.headers["x-airside-replayed"] == "true"
    assert answer.headers["x-airside-clock"] == "7"


async def test_64_calls_at_once(http: httpx2.AsyncClient) -> None:
    answers = await asyncio.gather(*[call(http, "echo", value={"n": number}) for number in range(64)])
    assert [answer["structuredContent"]["n"] for answer in answers] == list(range(64))


async def test_a_killed_host_is_an_error_result(http: httpx2.AsyncClient, tooling: Tooling, tmp_path: Path) -> None:
    result = await call(http, "kill_myself")
    assert result["_meta"]["airside/error"]["code"] == "outcome_unknown"
    await until(lambda: tooling.hosted.pid, "the host is back")
    assert (await call(http, "echo", value="again"))["isError"] is False
