"""An HTTP API as a source of tools: its operations as its document has them, and how a call of one is executed.

Requests go to the one host of the settings, with the credential of the settings; nothing else of airside's leaves, and
no redirect is followed. The document is read once, at the start.
"""

import asyncio
from collections.abc import Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Final
from urllib.parse import quote, urlsplit

import httpx2
from msgspec.structs import replace

from airside.config.tools import OpenApiSettings
from airside.core import canonical
from airside.core.call import Call
from airside.core.errors import AirsideError, Code, TransientError
from airside.core.patterns import fits_any
from airside.core.tool import Tool
from airside.gateways.tools.arguments import compile_schema
from airside.gateways.tools.binaries import Binaries
from airside.gateways.tools.catalogue import LeftOut, Listed
from airside.gateways.tools.faults import Fault, fault_error
from airside.gateways.tools.foreign import shown, tool_name
from airside.gateways.tools.manifest import Manifests, declare, fingerprint
from airside.gateways.tools.openapi import answers
from airside.gateways.tools.openapi.document import Document, load
from airside.gateways.tools.openapi.operations import Operation, operation
from airside.gateways.tools.openapi.requests import Request, request
from airside.gateways.tools.surroundings import Surroundings

EXCERPT_BYTES_MAX: Final = 4_000
PORTS: Final = {"http": 80, "https": 443}


class Operations:
    """The operations of one configured API as its document has them. `left_out` could not become tools.

    `operations`, `tools` and `fingerprints` go by the names that the tools have here, in one order.
    """

    def __init__(self, name: str, settings: OpenApiSettings, manifests: Manifests) -> None:
        """Read the document; raises AirsideError `misconfigured`."""
        self.source = f"openapi:{name}"
        self.operations: dict[str, Operation] = {}
        self.tools: list[Tool] = []
        self.left_out: list[LeftOut] = []
        self.fingerprints: dict[str, str] = {}
        self._settings = settings
        document = load(settings.document)
        self.base = (settings.base_url or document.base_url()).rstrip("/")
        if not self.base:
            raise AirsideError(
                Code.MISCONFIGURED, f"tools.openapi.{name}.base_url: the document names no server with an address"
            )
        self._read(name, document, manifests)

    def _read(self, name: str, document: Document, manifests: Manifests) -> None:
        settings = self._settings
        prefix = settings.prefix if settings.prefix is not None else f"{name}__"
        given = {key.lower() for key in (*settings.headers, *settings.query, settings.idempotency_header)}
        for found in document.operations():
            place = f"{found.method.upper()} {found.path}"
            if not any(fits_any(text, settings.operations) for text in (found.native, place)):
                continue
            try:
                made = operation(document, found, given)
                tool = self._tool(tool_name(prefix, made.native), made, manifests)
                if tool.name in self.operations:
                    raise ValueError(f"another operation is called {tool.name} already")
                compile_schema(tool.schema)
            except (ValueError, AirsideError) as error:
                why = error.message if isinstance(error, AirsideError) else str(error)
                self.left_out.append(LeftOut(shown(found.native), why))
                continue
            self.operations[tool.name] = made
            self.tools.append(tool)

    def _tool(self, name: str, made: Operation, manifests: Manifests) -> Tool:
        told = self.fingerprints[name] = fingerprint(made.native, made.description, made.schema, {})
        tool = Tool(
            name=name,
            description=made.description,
            schema=made.schema,
            timeout_s=self._settings.timeout_s,
            source=self.source,
        )
        match = manifests.of(self.source, made.native)
        if match is None:
            return tool
        drifted = bool(match.entry.fingerprint) and match.entry.fingerprint != told
        tool = declare(tool, match.entry, declared=match.entry.declared and not drifted)
        return replace(tool, hosts=(self._host(),)) if tool.declared and not tool.hosts else tool

    def _host(self) -> str:
        parts = urlsplit(self.base)
        return f"{parts.hostname}:{parts.port or PORTS[parts.scheme]}"


class Api:
    """Makes the requests of calls. `listed` are its tools."""

    def __init__(self, read: Operations, settings: OpenApiSettings, around: Surroundings) -> None:
        self.source = read.source
        self.left_out = read.left_out
        self.operations = read.operations
        self.listed = [Listed(tool, compile_schema(tool.schema), self.execute) for tool in read.tools]
        self._base = read.base
        self._settings = settings
        self._around = around
        limits = httpx2.Limits(max_connections=settings.connections_max)
        self._http = httpx2.AsyncClient(
            transport=httpx2.AsyncHTTPTransport(limits=limits, trust_env=False),
            timeout=httpx2.Timeout(None, connect=settings.connect_timeout_s, pool=settings.connect_timeout_s),
            trust_env=False,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),  # what is set for one run reaches no other
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def execute(self, call: Call) -> bytes:
        """Make the request of a call and return the answer as JSON.

        Raises AirsideError: `tool_failed` and `limit_exceeded` for what the API answers, `secret_refused`, and what
        `fault_error` makes of no answer.
        """
        made = request(self.operations[call.name], call.arguments or {})
        settings = self._settings
        texts = {f"header {name}": value.get_secret_value() for name, value in settings.headers.items()}
        texts |= {f"query {name}": value.get_secret_value() for name, value in settings.query.items()}
        try:
            async with asyncio.timeout(call.timeout_s):
                return await self._around.credentials.using(
                    texts, lambda filled: self._sent(call, made, filled), timeout_s=call.timeout_s
                )
        except TimeoutError:
            raise fault_error(call, Fault.TIMEOUT) from None

    async def _sent(self, call: Call, made: Request, texts: Mapping[str, str]) -> bytes:
        own = {name.partition(" ")[2]: text for name, text in texts.items() if name.startswith("header")}
        query = [
            f"{quote(name.partition(' ')[2], safe='')}={quote(text, safe='')}"
            for name, text in texts.items()
            if name.startswith("query")
        ]
        target = made.target + ("&" if "?" in made.target else "?") * bool(query) + "&".join(query)
        headers = {"accept": "application/json, */*;q=0.5", "accept-encoding": "identity", **made.headers, **own}
        if self._settings.idempotency_header:
            headers[self._settings.idempotency_header] = call.call_id
        asked = self._http.build_request(
            self.operations[call.name].method, self._base + target, headers=headers, content=made.body
        )
        try:
            response = await self._http.send(asked, stream=True)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout):
            raise TransientError(
                Code.UPSTREAM_FAILED, f"{self.source} cannot be reached", details={"not_sent": True}
            ) from None
        except httpx2.TransportError:
            raise fault_error(call, Fault.HOST_DIED, died=f"the connection to {self.source} broke") from None
        try:
            return await self._answer(call, response)
        finally:
            await response.aclose()

    async def _answer(self, call: Call, response: httpx2.Response) -> bytes:
        bytes_max = self._settings.result_bytes_max
        good = 200 <= response.status_code < 300
        body = bytearray()
        try:
            async for chunk in response.aiter_raw():
                body += chunk
                if not good and len(body) >= EXCERPT_BYTES_MAX:
                    break
                if len(body) > bytes_max:
                    raise AirsideError(Code.LIMIT_EXCEEDED, f"the API answered with more than {bytes_max} bytes")
        except httpx2.TransportError:
            raise fault_error(call, Fault.HOST_DIED, died=f"the connection to {self.source} broke") from None
        if not good:
            wait = response.headers.get("retry-after", "")
            wait_s = float(wait) if wait.isdecimal() and len(wait) < 6 else None
            raise answers.failure(call, self.source, response.status_code, bytes(body), wait_s)
        binaries = await Binaries.of(call, self._around.keyring)
        value = answers.result(response.headers.get("content-type", ""), bytes(body), binaries)
        try:
            encoded = canonical.encode(value)
        except AirsideError as error:
            raise AirsideError(Code.TOOL_FAILED, error.message) from None
        await binaries.store(self._around.database)
        return encoded
