"""Local tools: functions inside the agent's process. Its adapter asks, runs them itself, and reports what came of it.

`POST /v1/tools/authorize` and `POST /v1/tools/report`; what is exchanged stands in `docs/tools.md`. The agent's word
counts for nothing that protects others: effects come from the configuration, and a report closes only a call that was
authorised for this very attempt.
"""

from collections.abc import Awaitable, Callable, Mapping
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
from airside.gateways.tools.guarding.results import Results
from airside.gateways.tools.guarding.values import NOTES
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


class _Report(Struct, frozen=True):
    """A report as it is journaled, and what the adapter is told that it did not say itself."""

    body: bytes
    told: Mapping[str, Any]
    notes: Mapping[str, Any] = {}
    failure: AirsideError | None = None
    blocked: bool = False


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
        results: Results,
        *,
        body_bytes_max: int,
    ) -> None:
        self._gateway = gateway
        self._journal = journal
        self._keyring = keyring
        self._settle = settle
        self._reporter = reporter
        self._breakers = breakers
        self._results = results
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
            asked = canonical.encode(request.arguments)
            return {
                "decision": "run",
                "call_id": outcome.call_id,
                "arguments": arguments,
                "edited": outcome.edited,
                "restored": bool(outcome.arguments) and not outcome.edited and outcome.arguments != asked,
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
        call = _call(identity, row)
        failure = _failure(request)
        report = await self._failed(call, failure) if failure else await self._brought(call, request)
        if row.state is not CallState.OPEN:
            await self._refuse_other(identity, row, report.body)
            at_us = row.closed_us
        else:
            leaned_on = (Dependency(identity.tenant_id, f"tool:{row.name}"),)
            self._breakers.note(leaned_on, Sign.ERROR if failure else Sign.GOOD, 0.0)
            at_us = await self._closed(call, report)
        if report.blocked:
            assert report.failure is not None, "what blocks is a failure"
            raise report.failure
        return {"call_id": row.call_id, "at_us": at_us, **report.told}

    async def _failed(self, call: Call, failure: AirsideError) -> "_Report":
        """Return a failure as it is kept; `told` if that is not what was reported."""
        kind, _, raised = failure.message.partition(": ")
        await self._results.clean_error(call.who, failure)
        if not failure.message.startswith(f"{kind}: "):
            failure.message = f"{kind}: {failure.message}"
        kept = failure.message.partition(": ")[2]
        told = {} if kept == raised else {"error": {"type": kind, "message": kept}}
        return _Report(body_of(failure), told, failure=failure)

    async def _brought(self, call: Call, request: ReportRequest) -> "_Report":
        """Return a result as it is kept; `told` if that is not what was reported."""
        raw = _packed(request, call)
        try:
            body, notes = await self._results.body(call, raw)
        except AirsideError as error:
            if error.code is not Code.GUARD_BLOCKED:
                raise
            return _Report(body_of(error), {}, failure=error, blocked=True)
        told = {} if body == raw else {"result": unpack(body).result}
        return _Report(body, told, {NOTES: notes} if notes else {})

    async def _closed(self, call: Call, report: "_Report") -> int:
        if report.failure is not None:
            await self._settle.failure(call, report.failure)
            return report.failure.at_us
        body, notes = report.body, report.notes
        outcome = Outcome(state=CallState.OK, body=body, upstream=LOCAL_UPSTREAM, call_id=call.call_id, notes=notes)
        return await self._settle.outcome(call, outcome)

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


def _packed(request: ReportRequest, call: Call) -> bytes:
    edited = canonical.encode(request.arguments or {}) if call.edited else None
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
