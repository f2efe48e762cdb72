"""An MCP server as a source of tools: what it offers now, and how a call of one of its tools is executed.

Its list is asked for at the start, now and then, and whenever it says that it has changed. A call is only sent while
the tool is what it was when the call was decided on: a session that lists another definition refuses it.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from mcp.shared.exceptions import MCPError

from airside.config.tools import McpServerSettings
from airside.core import canonical
from airside.core.call import Call
from airside.core.errors import AirsideError, Code, CredentialRefused, TransientError
from airside.core.text import storable
from airside.gateways.tools.arguments import compile_schema
from airside.gateways.tools.binaries import Binaries
from airside.gateways.tools.catalogue import LeftOut, Listed
from airside.gateways.tools.faults import Fault, fault_error
from airside.gateways.tools.foreign import plain
from airside.gateways.tools.manifest import Manifests
from airside.gateways.tools.mcp_servers.connect import Connector
from airside.gateways.tools.mcp_servers.http import UNANSWERED, Exchange, exchange
from airside.gateways.tools.mcp_servers.listing import Offer
from airside.gateways.tools.mcp_servers.pool import Sessions
from airside.gateways.tools.mcp_servers.results import ERROR_CHARS_MAX, result_of
from airside.gateways.tools.mcp_servers.session import Session
from airside.gateways.tools.surroundings import Holder, Surroundings

BACKOFF_S: Final = (1.0, 2.0, 5.0, 15.0, 60.0)
META: Final = "airside/idempotency_key"

CHANGED: Final = "tool.changed"
LEFT_OUT: Final = "tool.left_out"
UNREACHABLE: Final = "tools.unreachable"

OnListed = Callable[[str, Sequence[Listed], Sequence[LeftOut]], list[LeftOut]]
"""Takes over the tools of a source, and what it left out; returns what is left out in all."""


class McpServer:
    """One configured server. `start` and `close` belong to the process; `offers` are its tools as last listed."""

    def __init__(
        self,
        name: str,
        settings: McpServerSettings,
        manifests: Manifests,
        around: Surroundings,
        on_listed: OnListed,
    ) -> None:
        self.source = f"mcp:{name}"
        self.offers: dict[str, Offer] = {}
        self.left_out: list[LeftOut] = []
        self._settings = settings
        self._connector = Connector(self.source, settings, manifests, around.credentials)
        self._around = around
        self._on_listed = on_listed
        self._slots = asyncio.Semaphore(settings.concurrency_max)
        self._sessions = Sessions(
            self._connector.connect,
            around.ended,
            around.clock,
            sessions_max=settings.sessions_max,
            idle_s=settings.idle_s,
        )
        self._news = asyncio.Event()
        self._listing: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Ask for the tools; a server that does not answer has none until it does."""
        self._sessions.start()
        failed = await self._listed()
        self._listing = asyncio.create_task(self._list_on(failed), name=f"tools of {self.source}")

    async def close(self) -> None:
        """End every session."""
        if self._listing:
            self._listing.cancel()
            await asyncio.wait([self._listing])
        await self._sessions.close()

    async def execute(self, call: Call) -> bytes:
        """Let the server execute a call and return its result as JSON.

        Raises AirsideError: `tool_changed` if the tool is not any more what was decided on, `tool_failed` and
        `limit_exceeded` for what the server answers, and what `fault_error` makes of no answer.
        """
        holder = Holder(call.who.tenant_id, "" if self._settings.stateless else call.who.run_id)
        until_s = time.monotonic() + call.timeout_s
        try:
            async with asyncio.timeout(call.timeout_s):
                await self._slots.acquire()
        except TimeoutError:
            raise fault_error(call, Fault.NOT_SENT) from None
        try:
            try:
                return await self._on_session(holder, call, until_s)
            except _Refused:  # it did nothing; a new session begins with the newest credential
                return await self._on_session(holder, call, until_s)
        except _Refused as refused:
            raise refused.error from None
        finally:
            self._slots.release()

    async def _on_session(self, holder: Holder, call: Call, until_s: float) -> bytes:
        left_s = until_s - time.monotonic()
        try:
            async with self._sessions.borrowed(holder, left_s) as session:
                offer = await self._as_decided(session, call, until_s)
                raw = await self._answer(holder, session, offer, call, until_s)
        except TimeoutError:
            raise fault_error(call, Fault.NOT_SENT) from None
        return await self._result(call, offer, raw)

    async def _as_decided(self, session: Session, call: Call, until_s: float) -> Offer:
        """Return the tool as the session has it; refuse the call if that is not what it was decided on."""
        if session.changed:
            async with asyncio.timeout(until_s - time.monotonic()):
                await self._connector.learn(session)
        decided = call.payload.fingerprint if isinstance(call.payload, Listed) else ""
        offer = session.offers.get(call.name)
        if offer is None or offer.fingerprint != decided:
            self._news.set()
            raise AirsideError(
                Code.TOOL_CHANGED,
                f"{self.source} has changed {call.name} since it was listed",
                details={"not_sent": True, "tool": call.name},
            )
        return offer

    async def _answer(
        self, holder: Holder, session: Session, offer: Offer, call: Call, until_s: float
    ) -> dict[str, Any]:
        noted = Exchange()
        token = exchange.set(noted)
        try:
            async with asyncio.timeout(until_s - time.monotonic()):
                return await session.call(offer.native, call.arguments or {}, {META: call.call_id})
        except TimeoutError:
            self._sessions.drop(holder, session)  # it may hang for good
            raise fault_error(call, Fault.TIMEOUT) from None
        except MCPError as error:
            failure = self._failure(call, session, noted, error)
            if not isinstance(failure, AirsideError) or failure.code is not Code.TOOL_FAILED:
                self._sessions.drop(holder, session)
            raise failure from None
        finally:
            exchange.reset(token)

    def _failure(self, call: Call, session: Session, noted: Exchange, error: MCPError) -> Exception:
        """Return what it means that there is no result: by what is known of the exchange, else by the server's word."""
        line = session.line
        if noted.too_long or line.too_long:
            limit = self._settings.result_bytes_max
            return AirsideError(Code.LIMIT_EXCEEDED, f"the server answered with more than {limit} bytes")
        if not noted.reached:
            return self._connector.down("it cannot be reached")
        if noted.status == 401:
            return _Refused(CredentialRefused(f"{self.source} does not accept its credential"))
        if noted.status == 404:
            return _Refused(self._connector.down("it does not know its own session"))
        if noted.status == 429:
            return _busy(self.source, noted)
        if line.over or noted.failed or noted.status >= 500:
            why = line.over or (f"it answered with status {noted.status}" if noted.status else "the connection broke")
            return fault_error(call, Fault.HOST_DIED, died=f"{self.source} gave no answer ({why})")
        if str(error.error.message).startswith(UNANSWERED):
            return fault_error(call, Fault.HOST_DIED, died=f"{self.source} took the call and gave no answer")
        said = plain(storable(str(error.error.message)), ERROR_CHARS_MAX)
        if noted.status >= 400:
            said = f"status {noted.status}: {said}"
        return AirsideError(Code.TOOL_FAILED, said or f"the server answered with error {error.error.code}")

    async def _result(self, call: Call, offer: Offer, raw: dict[str, Any]) -> bytes:
        binaries = await Binaries.of(call, self._around.keyring)
        returns = compile_schema(offer.tool.returns) if offer.tool.returns else None
        try:
            body = canonical.encode(result_of(raw, returns, binaries.keep))
        except AirsideError as error:
            code = error.code if error.code is Code.LIMIT_EXCEEDED else Code.TOOL_FAILED
            raise AirsideError(code, error.message) from None
        if len(body) > self._settings.result_bytes_max:
            limit = self._settings.result_bytes_max
            raise AirsideError(Code.LIMIT_EXCEEDED, f"the result has {len(body)} bytes; at most {limit} are accepted")
        await binaries.store(self._around.database)
        return body

    async def _list_on(self, failed: bool) -> None:
        failures = int(failed)
        while True:
            wait_s = BACKOFF_S[min(failures, len(BACKOFF_S)) - 1] if failures else self._settings.refresh_s
            try:
                async with asyncio.timeout(wait_s):
                    await self._news.wait()
            except TimeoutError:
                pass
            self._news.clear()
            failures = failures + 1 if await self._listed() else 0

    async def _listed(self) -> bool:
        """Ask for the tools anew and publish them; return whether that failed, in which case the old ones stay."""
        try:
            session = await self._connector.connect()
            offers, left_out = session.offers, session.left_out
            await session.close()
        except (AirsideError, TimeoutError) as error:
            why = error.message if isinstance(error, AirsideError) else "it did not answer in time"
            body = {"key": self.source, "source": self.source, "why": why}
            self._around.notices.tell(self._around.tenant, UNREACHABLE, body)
            return True
        self._tell_changes(offers)
        self.offers = offers
        listed = [
            Listed(offer.tool, compile_schema(offer.tool.schema), self.execute, offer.fingerprint)
            for offer in offers.values()
        ]
        self.left_out = self._on_listed(self.source, listed, left_out)
        for out in self.left_out:
            body = {"key": f"{self.source}/{out.name}", "source": self.source, "tool": out.name, "why": out.why}
            self._around.notices.tell(self._around.tenant, LEFT_OUT, body)
        return False

    def _tell_changes(self, offers: Mapping[str, Offer]) -> None:
        for name, offer in offers.items():
            before = self.offers.get(name)
            if offer.drifted or (before is not None and before.fingerprint != offer.fingerprint):
                body = {"key": name, "tool": name, "source": self.source, "fingerprint": offer.fingerprint}
                self._around.notices.tell(self._around.tenant, CHANGED, {**body, "undeclared": offer.drifted})


class _Refused(Exception):
    """The server did nothing, because it knows the session or its credential no more; `error` is for the last time."""

    def __init__(self, error: AirsideError) -> None:
        super().__init__(error.message)
        self.error = error


def _busy(source: str, noted: Exchange) -> TransientError:
    return TransientError(
        Code.RATE_LIMITED,
        f"{source} has too much to do",
        details={"not_sent": True},
        retry_after_s=noted.retry_after_s,
    )
