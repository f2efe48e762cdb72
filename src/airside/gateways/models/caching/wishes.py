"""What a call may have of the caches: what its header, its agent and the settings say, and what its request allows."""

from typing import Literal

from msgspec import Struct

from airside.config.cache import CacheSettings
from airside.core.call import Call
from airside.core.errors import AirsideError, Code
from airside.gateways.models.formats.openai_embeddings.format import NAME as EMBEDDINGS
from airside.gateways.models.formats.port import ModelRequest
from airside.gateways.models.message import Text

Mode = Literal["off", "exact", "semantic"]
_KNOWN = frozenset({"off", "exact", "semantic", "join"})


class Wish(Struct, frozen=True):
    """How far a call may be answered without a model. `explicit` is whether the call itself asked for it."""

    mode: Mode
    join: bool
    explicit: bool

    @property
    def nothing(self) -> bool:
        """Whether the caches leave the call alone."""
        return self.mode == "off" and not self.join


def wish(call: Call, settings: CacheSettings, agent_mode: Mode | None) -> Wish:
    """Return what a call wishes; raises `invalid_request` for a header that says something unknown.

    The header is a list of `exact`, `semantic`, `off` and `join`; it beats the agent's setting, which beats the
    installation's.
    """
    mode, join = agent_mode or settings.mode, settings.join
    said = call.wishes.get("cache") if settings.wishes else None
    if said is None:
        return Wish(mode, join, explicit=False)
    words = {word.strip().lower() for word in said.split(",")} - {""}
    if not words <= _KNOWN:
        unknown = sorted(words - _KNOWN)[0][:40]
        raise AirsideError(
            Code.INVALID_REQUEST,
            f"x-airside-cache says {unknown!r}",
            advice="It takes exact, semantic, off and join, with commas between them.",
        )
    if "off" in words:
        return Wish("off", join=False, explicit=True)
    chosen: Mode = "semantic" if "semantic" in words else "exact" if "exact" in words else mode
    return Wish(chosen, "join" in words, explicit=bool(words - {"join"}))


def repeatable(request: ModelRequest, asked: Wish, settings: CacheSettings) -> bool:
    """Whether an answer may be given twice: the request says temperature 0, or somebody said that any will do."""
    free = asked.explicit or settings.any_temperature or request.format.name == EMBEDDINGS
    return free or request.prompt.sampling.temperature == 0


def question(request: ModelRequest) -> str:
    """Return the one text that may be compared by meaning: the last message, of the user, text only; else empty.

    A request that offers tools may act, so it has none.
    """
    if request.format.name == EMBEDDINGS:
        return ""
    prompt = request.prompt
    if prompt.tools or not prompt.messages:
        return ""
    last = prompt.messages[-1]
    if last.role != "user" or len(last.blocks) != 1 or not isinstance(last.blocks[0], Text):
        return ""
    return last.blocks[0].text
