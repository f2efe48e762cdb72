"""The pieces of a conversation that may leave it: whole turns, so that no tool call loses its result."""

from collections.abc import Sequence

from msgspec import Struct

from airside.gateways.models.message import Message, ToolResult


class Turn(Struct, frozen=True):
    """Messages that stand or fall together: what a user said, or what a model said with its tools' results."""

    messages: tuple[Message, ...]


class Conversation(Struct, frozen=True):
    """A conversation apart: what always stays (system texts and the task, the first user message), and its turns."""

    pinned: tuple[Message, ...]
    turns: tuple[Turn, ...]


def apart(messages: Sequence[Message]) -> Conversation:
    """Return a conversation apart, in its order.

    A model's consecutive messages and the results that follow them are one turn: some formats spell one answer as
    several items. A later system text stays too, since an agent's rules must not be forgotten.
    """
    pinned: list[Message] = []
    turns: list[list[Message]] = []
    tasked = False
    for message in messages:
        answers = _answers(message)
        if message.role == "system":
            pinned.append(message)
        elif message.role == "user" and not answers and not tasked and not turns:
            pinned.append(message)
            tasked = True
        elif turns and (answers or (message.role == "assistant" and turns[-1][-1].role == "assistant")):
            turns[-1].append(message)
        else:
            turns.append([message])
    return Conversation(tuple(pinned), tuple(Turn(tuple(turn)) for turn in turns))


def _answers(message: Message) -> bool:
    return any(isinstance(block, ToolResult) for block in message.blocks)
