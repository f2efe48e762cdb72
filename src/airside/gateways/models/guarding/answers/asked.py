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
        """The developer's words."""
        return tuple(message.text for message in self._messages if message.role == "system")

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
