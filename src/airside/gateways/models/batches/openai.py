"""OpenAI's batch API: a file of questions goes up, a batch names it, files of answers and errors come down."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import msgspec
from yarl import URL

from airside.config.settings import ProviderSettings
from airside.core.errors import AirsideError, Code, TransientError
from airside.gateways.models.batches.port import Answered, Item, Standing
from airside.gateways.models.formats.openai_chat.format import CHAT
from airside.gateways.models.providers.http import Service
from airside.gateways.models.upstream import Fetching, Interrupted, Patience, Response, TimedOut, Unreachable

ENDPOINT = "/v1/chat/completions"
RESULT_BYTES_MAX = 268_435_456
STATUS_BYTES_MAX = 1_048_576
_ENDED = frozenset({"completed", "failed", "expired", "cancelled"})
_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")


class OpenAIBatches:
    """`BatchProvider` for `kind: openai`."""

    def __init__(self, name: str, settings: ProviderSettings, service: Service, upstream: Fetching) -> None:
        self.name = name
        self._service = service
        self._root = self._service.prices
        self._upstream = upstream
        self._patience = Patience(settings.connect_timeout_s, settings.timeout_s)

    async def submit(self, batch_id: str, items: Sequence[Item]) -> str:
        """Upload the questions and make the batch. Until it is made, nothing can be billed."""
        boundary = f"airside-{batch_id}"
        kind = f"multipart/form-data; boundary={boundary}"
        try:
            uploaded = await self._asked("/files", _form(boundary, _lines(items)), kind)
            file = _name(uploaded)
        except AirsideError as error:
            error.details = {**error.details, "unbilled": True}
            raise
        wanted = {
            "input_file_id": file,
            "endpoint": ENDPOINT,
            "completion_window": "24h",
            "metadata": {"airside_batch": batch_id},
        }
        return _name(await self._asked("/batches", msgspec.json.encode(wanted)))

    async def look(self, upstream_id: str) -> Standing:
        """Return how a batch stands."""
        said = _object(await self._fetched(f"/batches/{_checked(upstream_id)}", STATUS_BYTES_MAX))
        status = said.get("status")
        files = [said.get(field) for field in ("output_file_id", "error_file_id")]
        named = tuple(_checked(file) for file in files if isinstance(file, str) and file)
        return Standing(status in _ENDED, status == "completed", named)

    async def results(self, standing: Standing) -> Mapping[str, Answered]:
        """Read the files of answers and errors."""
        found: dict[str, Answered] = {}
        for file in standing.files:
            for line in (await self._fetched(f"/files/{file}/content", RESULT_BYTES_MAX)).splitlines():
                if line.strip():
                    call_id, answered = _answered(line)
                    found[call_id] = answered
        return found

    async def cancel(self, upstream_id: str) -> None:
        """Ask the provider to stop; a batch that has ended meanwhile refuses, which is as good."""
        try:
            await self._asked(f"/batches/{_checked(upstream_id)}/cancel", b"")
        except TransientError:
            raise
        except AirsideError:
            return

    async def close(self) -> None:
        """Close the connections."""
        await self._upstream.close()

    async def _asked(self, path: str, body: bytes, content_type: str = "application/json") -> dict[str, Any]:
        url = URL(self._root + path)
        headers = {**await self._service.headers(url, body), "Content-Type": content_type}
        try:
            response = await self._upstream.post(str(url), headers, body, self._patience)
        except (Unreachable, Interrupted) as error:
            self._broken(error)
        return _object(await self._body(response, STATUS_BYTES_MAX))

    async def _fetched(self, path: str, bytes_max: int) -> bytes:
        url = URL(self._root + path)
        try:
            response = await self._upstream.get(str(url), await self._service.headers(url, b""), self._patience)
        except (Unreachable, Interrupted) as error:
            self._broken(error)
        return await self._body(response, bytes_max)

    async def _body(self, response: Response, bytes_max: int) -> bytes:
        try:
            body = await response.read(bytes_max)
        except Interrupted as error:
            self._broken(error)
        finally:
            response.close()
        if response.status == 200:
            return body
        said = f"{self.name} answered {response.status} to a batch request"
        if response.status >= 500 or response.status in {408, 409, 429}:
            raise TransientError(Code.UPSTREAM_FAILED, said)
        text = CHAT.provider_error(body)[1][:2_000]
        for secret in self._service.hidden():
            text = text.replace(secret, "[redacted]")
        message = f"{said}: {text}" if text else said
        raise AirsideError(Code.UPSTREAM_REJECTED, message, details={"unbilled": True})

    def _broken(self, error: Exception) -> NoReturn:
        code = Code.UPSTREAM_TIMEOUT if isinstance(error, TimedOut) else Code.UPSTREAM_FAILED
        details = {"unbilled": True} if isinstance(error, Unreachable) else {}
        raise TransientError(code, f"{self.name}: {error}", details=details) from None


def _lines(items: Sequence[Item]) -> bytes:
    return b"\n".join(
        msgspec.json.encode(
            {"custom_id": item.call_id, "method": "POST", "url": ENDPOINT, "body": msgspec.Raw(item.body)}
        )
        for item in items
    )


def _form(boundary: str, lines: bytes) -> bytes:
    mark = f"--{boundary}\r\nContent-Disposition: form-data; name="
    purpose = f'{mark}"purpose"\r\n\r\nbatch\r\n'
    file = f'{mark}"file"; filename="batch.jsonl"\r\nContent-Type: application/jsonl\r\n\r\n'
    return b"".join([purpose.encode(), file.encode(), lines, f"\r\n--{boundary}--\r\n".encode()])


def _answered(line: bytes) -> tuple[str, Answered]:
    said = _object(line)
    response, error = said.get("response"), said.get("error")
    call_id = said.get("custom_id")
    if not isinstance(call_id, str):
        raise TransientError(Code.UPSTREAM_FAILED, "a line of a batch's answers names no question")
    if isinstance(response, dict) and isinstance(response.get("status_code"), int):
        return call_id, Answered(response["status_code"], msgspec.json.encode(response.get("body")))
    return call_id, Answered(0, msgspec.json.encode({"error": error}), undone=True)


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(body)
    except (msgspec.MsgspecError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise TransientError(Code.UPSTREAM_FAILED, "a batch request was answered with something that is no JSON object")
    return value


def _name(said: dict[str, Any]) -> str:
    return _checked(said.get("id"))


def _checked(name: object) -> str:
    """Return a name that may stand in a path."""
    if not isinstance(name, str) or not _ID.fullmatch(name):
        raise TransientError(Code.UPSTREAM_FAILED, "the provider gave a batch or file no usable name")
    return name
