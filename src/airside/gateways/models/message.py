"""The one message model between the wire formats: what a model is asked (`Prompt`) and what it says (`Answer`).

A request goes through here only when its client and its upstream speak different formats, or when a step must read a
conversation (routing, caches, the context window). It holds what the formats have in common and what they would lose:
a format that cannot express a part of a Prompt or an Answer raises `untranslatable`, it never leaves the part out.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

from msgspec import Struct

from airside.core.call import Usage
from airside.core.errors import AirsideError, Code

NOWHERE = -1
_NONE: Mapping[str, Any] = MappingProxyType({})


class Text(Struct, frozen=True, tag="text"):
    """Plain text. `cache` marks the end of a prefix that the provider is asked to cache."""

    text: str
    cache: bool = False


class Media(Struct, frozen=True, tag="media"):
    """An image, document or sound: either `data` (base64) with its `media_type`, or a `url`."""

    kind: Literal["image", "document", "audio"]
    media_type: str = ""
    data: str = ""
    url: str = ""
    title: str = ""
    detail: str = ""


class Thinking(Struct, frozen=True, tag="thinking"):
    """A model's reasoning. `signature` or `sealed` can be read only by the `origin` format that made them."""

    text: str
    origin: str
    signature: str = ""
    sealed: str = ""
    item_id: str = ""


class Refused(Struct, frozen=True, tag="refused"):
    """The model's own words for not answering."""

    text: str


class ToolCall(Struct, frozen=True, tag="tool_call"):
    """A call that the model asks for; `arguments` is the JSON text as the model wrote it.

    `signature` is what Gemini wants back beside its own calls.
    """

    call_id: str
    name: str
    arguments: str
    signature: str = ""


class ToolResult(Struct, frozen=True, tag="tool_result"):
    """What a tool gave back for the call of that id."""

    call_id: str
    content: tuple[Text | Media, ...]
    name: str = ""
    is_error: bool = False


Block = Text | Media | Thinking | Refused | ToolCall | ToolResult


class Message(Struct, frozen=True):
    """One turn. `at` is the index of the item of the wire request that it was read from; tool results are `user`."""

    role: Literal["system", "user", "assistant"]
    blocks: tuple[Block, ...]
    at: int = NOWHERE

    @property
    def text(self) -> str:
        """The plain text of the turn."""
        return "\n".join(block.text for block in self.blocks if isinstance(block, Text))


class ToolSpec(Struct, frozen=True):
    """A tool that the model may call; `schema` is the JSON Schema of its arguments."""

    name: str
    description: str
    schema: Mapping[str, Any]
    strict: bool | None = None


class ToolChoice(Struct, frozen=True):
    """Whether the model must call a tool; `name` with mode `tool`. `parallel` is None where the client says nothing."""

    mode: Literal["auto", "none", "required", "tool"] = "auto"
    name: str = ""
    parallel: bool | None = None


class OutputFormat(Struct, frozen=True):
    """The structure that the answer must have."""

    kind: Literal["text", "json_object", "json_schema"] = "text"
    name: str = ""
    schema: Mapping[str, Any] = _NONE
    strict: bool | None = None


class Sampling(Struct, frozen=True):
    """How the next token is chosen; None is the model's default."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    stop: tuple[str, ...] = ()


class Reasoning(Struct, frozen=True):
    """How much the model may think: an `effort` by name, or a budget in tokens; None and empty is its default."""

    effort: str = ""
    budget_tokens: int | None = None
    summary: str = ""


class Prompt(Struct, frozen=True, kw_only=True):
    """What a model is asked. System text stands in `messages` too, where the wire format had it."""

    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    tool_choice: ToolChoice | None = None
    output: OutputFormat = OutputFormat()
    sampling: Sampling = Sampling()
    reasoning: Reasoning = Reasoning()
    output_tokens_max: int | None = None
    user: str = ""


Stop = Literal["end", "length", "tool_calls", "stop_sequence", "content_filter", "refusal"]


class Answer(Struct, frozen=True, kw_only=True):
    """What a model said. `usage` is None where the provider reported none.

    `answer_id` names it, without a prefix that a format may want; `fingerprint` is the provider's for its backend.
    """

    blocks: tuple[Block, ...]
    stop: Stop
    usage: Usage | None
    model: str
    answer_id: str = ""
    stop_sequence: str = ""
    fingerprint: str = ""


class Edit(Struct, frozen=True):
    """A change of a request's conversation that leaves everything else as it came, byte for byte where possible.

    `drop` are wire indices (`Message.at`) that leave; `results` gives tool results new text by their call id; `summary`
    is put, as text of the user, where the first dropped message stood.
    """

    drop: frozenset[int] = frozenset()
    results: Mapping[str, str] = MappingProxyType({})
    summary: str = ""


def untranslatable(what: str, source: str, target: str) -> AirsideError:
    """Return the refusal of a request, or answer, with a part that the other format cannot express."""
    return AirsideError(
        Code.INVALID_REQUEST,
        f"{what} of the {source} format cannot be expressed in the {target} format of the upstream",
        advice="Leave it out, or route this model to a provider that speaks the client's format.",
    )
