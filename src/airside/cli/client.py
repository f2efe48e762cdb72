"""The CLI's client of the management API: plain JSON in and out, refusals as AirsideError, reconnecting SSE."""

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

import httpx2

from airside.core.errors import AirsideError, Code

TIMEOUT_S = 30.0
SILENCE_S_MAX = 60.0
RECONNECTS_MAX = 20


class Client:
    """Speaks to one airside installation with one API key."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url.rstrip("/")
        self._http = httpx2.Client(
            base_url=self.url,
            headers={"authorization": f"Bearer {key}"} if key else {},
            timeout=TIMEOUT_S,
            trust_env=False,
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def get(self, path: str, **query: str | int) -> Any:
        """Return what GET answers."""
        return self.request("GET", path, query=query)

    def text(self, path: str) -> str:
        """Return what GET answers where that is no JSON document, such as lines."""
        try:
            answer = self._http.get(path)
        except httpx2.HTTPError as error:
            raise self._unreachable(error) from None
        if answer.is_error:
            raise refusal(answer.status_code, answer.content)
        return answer.text

    def post(self, path: str, body: object = None, *, headers: Mapping[str, str] | None = None) -> Any:
        """Return what POST answers."""
        return self.request("POST", path, body=body, headers=headers)

    def delete(self, path: str, **query: str | int) -> Any:
        """Return what DELETE answers."""
        return self.request("DELETE", path, query=query)

    def request(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        query: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Return the answer's JSON. Raises AirsideError: airside's own, or `journal_unavailable` if nobody answers."""
        content = None if body is None else json.dumps(body).encode()
        given = dict(headers or {}) | ({"content-type": "application/json"} if content is not None else {})
        try:
            answer = self._http.request(method, path, params=query or None, content=content, headers=given)
        except httpx2.HTTPError as error:
            raise self._unreachable(error) from None
        if answer.is_error:
            raise refusal(answer.status_code, answer.content)
        return answer.json()

    def follow(self, run_id: str, deadline_s: float) -> Iterator[dict[str, Any]]:
        """Yield a run's transitions until it has ended or `time.monotonic()` passes `deadline_s`.

        A broken connection is made again and resumes where it broke.
        """
        last, failures = "", 0
        while time.monotonic() < deadline_s:
            try:
                for version, event in self._events(run_id, last, deadline_s):
                    last, failures = version, 0
                    yield event
                return
            except httpx2.HTTPError as error:
                if time.monotonic() >= deadline_s:
                    return
                failures += 1
                if failures > RECONNECTS_MAX:
                    raise self._unreachable(error) from None
                time.sleep(min(0.1 * 2**failures, 3.0))

    def _events(self, run_id: str, last: str, deadline_s: float) -> Iterator[tuple[str, dict[str, Any]]]:
        headers = {"last-event-id": last} if last else {}
        silence_s = min(SILENCE_S_MAX, max(0.05, deadline_s - time.monotonic()))
        timeout = httpx2.Timeout(TIMEOUT_S, read=silence_s)
        with self._http.stream("GET", f"/api/v1/runs/{run_id}/events", headers=headers, timeout=timeout) as answer:
            if answer.is_error:
                raise refusal(answer.status_code, answer.read())
            version = ""
            for line in answer.iter_lines():
                name, _, value = line.partition(": ")
                if name == "id":
                    version = value
                elif name == "data":
                    yield version, json.loads(value)

    def _unreachable(self, error: httpx2.HTTPError) -> AirsideError:
        return AirsideError(
            Code.JOURNAL_UNAVAILABLE,
            f"airside does not answer at {self.url} ({type(error).__name__})",
            advice="Start it with `airside up`, or set AIRSIDE_URL.",
        )


def refusal(status: int, body: bytes) -> AirsideError:
    """Return the error that a response stands for; an answer that is not airside's is said to be so."""
    try:
        problem = json.loads(body)
        code = Code(problem["code"])
        message, advice = str(problem["detail"]), str(problem["advice"])
    except (ValueError, KeyError, TypeError):
        advice = "Is AIRSIDE_URL the address of airside?"
        return AirsideError(Code.INTERNAL, f"an answer that is not airside's, status {status}", advice=advice)
    if problem.get("error_id"):
        message += f" (error id {problem['error_id']})"
    return AirsideError(code, message, advice=advice, details=problem.get("details") or {})
