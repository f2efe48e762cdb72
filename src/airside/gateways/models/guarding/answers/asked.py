"""What a request says of the answer that it wants, read when it is needed: structure, tools, hosts that were named."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final

from msgspec import Struct

from airside.core.errors import AirsideError
from airside.gateways.models.formats.port import ModelRequest
from airside.gateways.models.message import Message, Prompt, Text
from airside.guards.output.calls import Offered
from airside.guards.output.structure import Schema, compiled

_STRUCTURED: Final = ("response_format", "text", "output_config", "output_format", "generationConfig")
_LINK_CHARS_MIN: Final = 12


_SYSTEM: Final = ("system", "instructions", "systemInstruction", "system_instruction")


class Wanted(Struct, frozen=True):
    """The structure that an answer must have; without a schema any JSON object."""

    schema: Schema | None
    spelled: Mapping[str, Any]


class Asked:
    """One request."""

    def __init__(self, request: ModelRequest) -> None:
        self.request = request

    @cached_property
    def prompt(self) -> Prompt | None:
        """The conversation; None if it has parts that the message model cannot hold."""
        try:
            return self.request.prompt
        except AirsideError:
            return None

    def wanted(self, own: Mapping[str, Any] | None) -> Wanted | None:
        """Return the structure that was asked for, else the agent's `own` schema; None if any text will do."""
        value = self.request.value
        if any(value.get(name) for name in _STRUCTURED) and self.prompt is not None:
            output = self.prompt.output
            if output.kind == "json_object":
                return Wanted(None, {})
            schema = compiled(output.schema) if output.kind == "json_schema" else None
            if schema is not None:
                return Wanted(schema, output.schema)
        schema = compiled(own) if own else None
        return Wanted(schema, own) if schema is not None and own else None

    @cached_property
    def offered(self) -> Mapping[str, Offered] | None:
        """The tools that were offered; None if that is not known."""
        if self.prompt is None:
            return None
        return {tool.name: Offered(tool.name, compiled(tool.schema)) for tool in self.prompt.tools}

    @cached_property
    def system(self) -> tuple[str, ...]:
        """The developer's words, found without reading the whole conversation."""
        value = self.request.value
        turns = [*_turns(value.get("messages")), *_turns(value.get("input"))]
        own = [value.get(name) for name in _SYSTEM]
        own += [turn.get("content") for turn in turns if turn.get("role") in {"system", "developer"}]
        return tuple(text for item in own for text in _texts(item))

    @property
    def _messages(self) -> tuple[Message, ...]:
        return self.prompt.messages if self.prompt is not None else ()

    @cached_property
    def _own_words(self) -> str:
        """What the developer and the user said, not what tools gave back."""
        said = [
            block.text
            for message in self._messages
            if message.role != "assistant"
            for block in message.blocks
            if isinstance(block, Text)
        ]
        return "\n".join(said).casefold()

    def named(self, host: str) -> bool:
        """Whether the developer or the user named a host, or the domain that it is under."""
        labels = host.split(".")
        return any(".".join(labels[at:]) in self._own_words for at in range(max(1, len(labels) - 1)))

    def quoted(self, link: str) -> bool:
        """Whether a link stands in the conversation as it is."""
        return len(link) >= _LINK_CHARS_MIN and link.encode("utf-8", "surrogatepass") in self.request.body


class Unknown(Asked):
    """A request that is not at hand any more: nothing is known of what it wanted."""

    @cached_property
    def prompt(self) -> Prompt | None:
        """Nothing."""
        return None


def _turns(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _texts(value: Any) -> list[str]:
    """Return the texts of a message's content, however a format holds them."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    if isinstance(value, dict):
        return [text for name in ("text", "parts") for text in _texts(value.get(name))]
    return []
