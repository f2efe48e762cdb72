"""How many tokens a text has, without the model's tokenizer: a first guess by script, corrected by what models report.

A guess by bytes is off by a third for some models and languages; the providers' own usage reports say by how much. The
correction is a running mean of reported over guessed, per model, bounded, and lives as long as the process.
"""

from airside.core.lru import Lru
from airside.gateways.models.message import Media, Message, Text, Thinking, ToolCall, ToolResult

ASCII_CHARS_PER_TOKEN = 4.0
OTHER_TOKENS_PER_CHAR = 0.9  # Chinese and Japanese near 1, Cyrillic and accented Latin near 0.5
MEDIA_TOKENS = 1_600  # a large image at the dearest of the providers that state a number
MESSAGE_TOKENS = 4
CALL_TOKENS = 8
WEIGHT = 0.2
CORRECTION_MIN, CORRECTION_MAX = 0.5, 2.5
LEARNT_FROM_TOKENS = 200  # smaller requests are mostly overhead
MODELS_MAX = 1_000


def guess(text: str) -> float:
    """Return about how many tokens a text has."""
    if text.isascii():
        return len(text) / ASCII_CHARS_PER_TOKEN
    ascii_chars = len(text.encode("ascii", "ignore"))
    return ascii_chars / ASCII_CHARS_PER_TOKEN + (len(text) - ascii_chars) * OTHER_TOKENS_PER_CHAR


def guess_message(message: Message) -> float:
    """Return about how many tokens a message has."""
    return MESSAGE_TOKENS + sum(map(_guess_block, message.blocks))


def _guess_block(block: object) -> float:
    match block:
        case Text() | Thinking():
            return guess(block.text)
        case ToolCall():
            return CALL_TOKENS + guess(block.name) + guess(block.arguments)
        case ToolResult():
            return CALL_TOKENS + sum(map(_guess_block, block.content))
        case Media():
            return MEDIA_TOKENS + len(block.data) / 1_000 * (block.kind == "document")
    return 0.0


class Corrections:
    """By how much the guess is wrong, learnt per model."""

    def __init__(self) -> None:
        self._known: Lru[str, float] = Lru(MODELS_MAX)

    def of(self, model: str) -> float:
        """Return the factor by which a guess for this model is multiplied."""
        return self._known.get(model) or 1.0

    def learn(self, model: str, *, guessed: float, reported: int) -> None:
        """Take in what a provider reported for a request whose tokens were guessed (uncorrected)."""
        if guessed < LEARNT_FROM_TOKENS or reported <= 0:
            return
        seen = min(max(reported / guessed, CORRECTION_MIN), CORRECTION_MAX)
        known = self._known.get(model) or seen
        self._known.put(model, known + WEIGHT * (seen - known))
