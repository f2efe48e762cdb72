"""An address that is posted a text, and answers how sure it is that the text tries to give orders."""

import math
from collections.abc import Mapping
from typing import Any, Protocol

from airside.config.judges import JudgeSettings
from airside.core.errors import AirsideError, Code
from airside.core.run import Identity
from airside.guards.finding import Place


class Post(Protocol):
    """Posts JSON to an address and returns the JSON that it answers."""

    async def __call__(self, url: str, value: Mapping[str, Any], *, timeout_s: float, allow_private: bool) -> Any:
        """Raise AirsideError if there is no answer, or if the address may not be reached."""
        ...


class Address:
    """Asks an address. It is posted `{"text", "place"}` and answers `{"score": 0…1}`."""

    def __init__(self, settings: JudgeSettings, post: Post) -> None:
        self._settings = settings
        self._post = post

    async def score(self, _: Identity, text: str, place: Place) -> float:
        """Return the score that was answered; raises `upstream_failed` if it is none."""
        settings = self._settings
        value = {"text": text.encode("utf-8", "replace").decode(), "place": place.value}
        answer = await self._post(
            settings.url, value, timeout_s=settings.timeout_s, allow_private=settings.allow_private
        )
        score = answer.get("score") if isinstance(answer, dict) else None
        if isinstance(score, bool) or not isinstance(score, int | float) or not _is_share(score):
            raise AirsideError(Code.UPSTREAM_FAILED, f"the judge {settings.name} gave no score between 0 and 1")
        return float(score)


def _is_share(score: float) -> bool:
    return math.isfinite(score) and 0 <= score <= 1
