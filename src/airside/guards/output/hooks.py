"""Checks of answers that others make: a function of the installation's own, or an address that is posted the answer.

A hook is given the answer and what it is said to rest on, and returns how bad it is, from 0 to 1; above a half it is a
finding. One that fails, or takes too long, has failed as a guard.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, Final, Protocol

import msgspec
from msgspec import Struct

from airside.config.guard_output import HookSettings
from airside.core.errors import AirsideError, Code
from airside.guards.finding import Finding, Guard

BAD: Final = 0.5


class Question(Struct, frozen=True):
    """What a hook is asked about: an agent's answer, and the user's words and the tools' results before it."""

    agent: str
    answer: str
    context: Sequence[str]


Check = Callable[[Question], Awaitable[float]]


class Post(Protocol):
    """Posts JSON to an address and returns the JSON that it answers."""

    async def __call__(self, url: str, value: Mapping[str, Any], *, timeout_s: float) -> Any:
        """Raise AirsideError if there is no answer."""
        ...


class Hook(Struct, frozen=True):
    """A hook, ready to be asked."""

    settings: HookSettings
    check: Check

    async def finding(self, question: Question) -> Finding | None:
        """Return what the hook finds; raises `guard_blocked` if it fails."""
        settings = self.settings
        try:
            score = float(await asyncio.wait_for(self.check(question), settings.timeout_s))
        except Exception as error:  # noqa: BLE001 - whatever another's code fails of, the guard has failed
            raise AirsideError(
                Code.GUARD_BLOCKED, f"the hook {settings.name} failed ({type(error).__name__})"
            ) from None
        if not score > BAD:
            return None
        guard = Guard(settings.guard)
        score = min(score, 1.0)
        return Finding(
            guard=guard, rule=settings.name, kind=settings.name, start=0, end=len(question.answer), score=score
        )


def hooks(settings: Sequence[HookSettings], post: Post) -> list[Hook]:
    """Return the configured hooks; raises `misconfigured` for a function that cannot be imported."""
    return [Hook(one, _imported(one) if one.call else _posted(one, post)) for one in settings]


def _imported(settings: HookSettings) -> Check:
    module, _, name = settings.call.partition(":")
    try:
        check = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        said = f"the hook {settings.name} cannot be imported: {error}"
        raise AirsideError(
            Code.MISCONFIGURED, said, advice="Write guards.hooks.call as package.module:function."
        ) from None
    return check  # type: ignore[no-any-return]  # it is what the settings say it is


def _posted(settings: HookSettings, post: Post) -> Check:
    async def check(question: Question) -> float:
        answer = await post(settings.url, msgspec.to_builtins(question), timeout_s=settings.timeout_s)
        return float(answer["score"])

    return check
