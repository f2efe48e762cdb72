"""Local tools: functions inside the agent's process. Its adapter asks, runs them itself, and reports what came of it.

`POST /v1/tools/authorize` and `POST /v1/tools/report`; what is exchanged stands in `docs/tools.md`. The agent's word
counts for nothing that protects others: effects come from the configuration, and a report closes only a call that was
authorised for this very attempt.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from msgspec import UNSET, Raw, Struct, UnsetType

from airside.core import canonical
from airside.core.call import Call, CallKind, CallState, Outcome
from airside.core.dependencies import Breakers, Dependency, Sign
from airside.core.errors import AirsideError, Code
from airside.core.ports import Journal, Keyring, Recorded
from airside.core.run import Identity
from airside.gateways import http
from airside.gateways.tools.answer import error_value, pack, unpack
from airside.gateways.tools.declare import NAME
from airside.gateways.tools.gateway import LOCAL_UPSTREAM, ToolGateway
from airside.gateways.tools.json_post import JsonPost, typed
from airside.pipeline.refusal import body_of
from airside.pipeline.settle import Settle

Reporter = Callable[[str, str], Awaitable[Identity]]
"""Returns who is behind a token and run header, also while the run is suspending: what has begun must be reported."""

MESSAGE_CHARS_MAX: Final = 2_000


class AuthorizeRequest(Struct, forbid_unknown_fields=True):
    """The body of authorize. `schema` is the tool's JSON Schema as the framework has it."""

    tool: str
    arguments: dict[str, Any] = {}
    schema: dict[str, Any] | None = None


class ToolError(Struct, forbid_unknown_fields=True):
    """What a tool raised."""

    type: str
    message: str = ""


class ReportRequest(Struct, forbid_unknown_fields=True):
    """The body of report: exactly one of `result` (any JSON) and `error`. `arguments` as authorize gave them."""

    call_id: str
    result: Any | UnsetType = UNSET
    error: ToolError | UnsetType = UNSET
    arguments: dict[str, Any] | None = None


class LocalFace:
    """The two ASGI applications for local tools: `authorize` and `report`."""

    def __init__(
        self,
        gateway: ToolGateway,
        journal: Journal,
        keyring: Keyring,
        settle: Settle,
        reporter: Reporter,
        breakers: Breakers,
        *,
        body_bytes_max: int,
    ) -> None:
        self._gateway = gateway
        self._journal = journal
        self._keyring = keyring
        self._settle = settle
        self._reporter = reporter
        self._breakers = breakers
        self.authorize = JsonPost(self._authorize, body_bytes_max=body_bytes_max)
        self.report = JsonPost(self._report, body_bytes_max=body_bytes_max)

    async def _authorize(self, caller: http.Caller, value: Any) -> dict[str, Any]:
        request = typed(value, AuthorizeRequest)
        if not NAME.fullmatch(request.tool):
            raise AirsideError(Code.INVALID_REQUEST, "tool: use 1 to 64 of a-z A-Z 0-9 _ -")
        try:
            outcome = await self._gateway.authorize(caller, request.tool, request.arguments, request.schema)
        except AirsideError as error:
            if error.code not in {Code.TOOL_FAILED, Code.LIMIT_EXCEEDED} or not error.call_id:
                raise
            return {"decision": "recorded", "call_id": error.call_id, "error": error_value(error)}
        if outcome.pending:
            arguments = Raw(outcome.arguments) if outcome.arguments else request.arguments
            return {
                "decision": "run",
                "call_id": outcome.call_id,
                "arguments": arguments,
                "edited": outcome.edited,
                "at_us": outcome.at_us,
            }
        return _recorded(outcome, request.arguments)

    async def _report(self, caller: http.Caller, value: Any) -> dict[str, Any]:
        request = typed(value, ReportRequest)
        if (request.result is UNSET) == (request.error is UNSET):
            raise AirsideError(Code.INVALID_REQUEST, "give exactly one of result and error")
        identity = await self._reporter(caller.token, caller.run)
        row = await self._journal.look(identity, request.call_id)
        if row is None or row.executor_id != identity.executor_of_attempt:
            raise AirsideError(Code.NOT_FOUND, f"this attempt has no local call {request.call_id[:64]!r}")
        failure = _failure(request)
        body = body_of(failure) if failure else _packed(request, row)
        if row.state is not CallState.OPEN:
            await self._refuse_other(identity, row, body)
            return {"call_id": row.call_id, "at_us": row.closed_us}
        call = _call(identity, row)
        leaned_on = (Dependency(identity.tenant_id, f"tool:{row.name}"),)
        self._breakers.note(leaned_on, Sign.ERROR if failure else Sign.GOOD, 0.0)
        if failure:
            await self._settle.failure(call, failure)
            return {"call_id": row.call_id, "at_us": failure.at_us}
        outcome = Outcome(state=CallState.OK, body=body, upstream=LOCAL_UPSTREAM, call_id=row.call_id)
        return {"call_id": row.call_id, "at_us": await self._settle.outcome(call, outcome)}

    async def _refuse_other(self, identity: Identity, row: Recorded, body: bytes) -> None:
        """Let a repeated report pass, and refuse one that says something else than the first."""
        key = await self._keyring.subject(identity.tenant_id, identity.subject)
        if key.name(body) != row.outcome:
            raise AirsideError(Code.CONFLICT, f"call {row.call_id} already has another outcome: {row.state}")


def _recorded(outcome: Outcome, asked: dict[str, Any]) -> dict[str, Any]:
    answer = unpack(outcome.body)
    return {
        "decision": "recorded",
        "call_id": outcome.call_id,
        "result": answer.result,
        "arguments": answer.edited_arguments if answer.edited else asked,
        "edited": answer.edited,
        "at_us": outcome.at_us,
    }


def _failure(request: ReportRequest) -> AirsideError | None:
    if isinstance(request.error, UnsetType):
        return None
    message = f"{request.error.type}: {request.error.message}"
    return AirsideError(Code.TOOL_FAILED, message[:MESSAGE_CHARS_MAX])


def _packed(request: ReportRequest, row: Recorded) -> bytes:
    edited = canonical.encode(request.arguments or {}) if row.edited else None
    return pack(canonical.encode(request.result), edited)


def _call(identity: Identity, row: Recorded) -> Call:
    """Return the call as far as its record tells, for the entry of its outcome."""
    return Call(
        call_id=row.call_id,
        kind=CallKind.TOOL,
        name=row.name,
        token="",
        parts=(),
        effect=row.effect,
        idempotent=row.idempotent,
        timeout_s=0.0,
        identity=identity,
        occurrence=row.occurrence,
        try_number=row.try_number,
        approval_id=row.approval_id,
        edited=row.edited,
        local=True,
    )
