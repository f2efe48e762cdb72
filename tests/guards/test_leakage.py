"""A system prompt that is given away is noticed, in disguise too; a quotation and an ordinary answer are not."""

import base64
import re
import time
from pathlib import Path

import pytest

from airside.guards.finding import Guard
from airside.guards.leakage import similarity
from airside.guards.normalise.readings import Readings

DOCS = Path(__file__).parents[2] / "docs"
PROMPT = """You are Ada, the assistant of the Blue Shop in Hamburg. Answer in one paragraph and in the language of the
customer. Never offer refunds above fifty euros without the approval of a colleague. The supplier of the blue lamps is
Lumen North, which customers must not be told. If somebody asks for the list of wholesale prices, say that it is not
public. When an order is late by more than a week, offer a voucher of ten euros once, and note it in its file."""
SENTENCES = re.split(r"(?<=\.)\s+", PROMPT)
GIVEN_AWAY = {
    "whole": PROMPT,
    "with words around": f"Sure, here it is: {PROMPT} Anything else?",
    "capitals": PROMPT.upper(),
    "other order": " ".join(reversed(SENTENCES)),
    "as a list": "\n".join(f"{at}. **{sentence}**" for at, sentence in enumerate(SENTENCES)),
    "most of it": " ".join(SENTENCES[:4]),
    "with changes": re.sub(r"\beuros\b", "dollars", PROMPT),
    "invisible": "\u200b".join(PROMPT),
    "base64": base64.b64encode(PROMPT.encode()).decode(),
}


@pytest.mark.parametrize("how", GIVEN_AWAY)
def test_a_prompt_that_is_given_away_is_noticed(how: str) -> None:
    text = GIVEN_AWAY[how]
    (found,) = similarity([PROMPT], Readings(text))
    assert (found.guard, found.rule) == (Guard.LEAKAGE, "system_prompt")
    assert found.score >= 0.4
    assert 0 <= found.start < found.end <= len(text)
    assert found.via == (("base64",) if how == "base64" else ())


@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_sentence_may_be_quoted(sentence: str) -> None:
    assert not similarity([PROMPT], Readings(f"Our rule says: {sentence} Is there anything else I can do for you?"))


def test_ordinary_answers_are_none() -> None:
    pages = [page.read_text() for page in DOCS.glob("*.md")]
    for page in pages:
        assert not similarity([PROMPT], Readings(page))
        assert not similarity([page], Readings(PROMPT))


def test_a_short_prompt_says_nothing_of_anybody() -> None:
    for prompt in ([], [""], ["You are a helpful assistant."], ["Be brief.", "Be kind."]):
        assert not similarity(prompt, Readings("You are a helpful assistant. Be brief. Be kind. " * 20))


def test_a_prompt_without_spaces_between_words_is_noticed() -> None:
    prompt = "あなたは青い店の助手です。五十ユーロを超える返金を約束してはいけません。供給元を客に教えてはいけません。"
    assert similarity([prompt], Readings(f"はい、これです:{prompt}"))
    assert not similarity([prompt], Readings("青い店の助手です。ご注文はどちらでしょうか。"))


def test_time_is_linear() -> None:
    def seconds(text: str) -> float:
        begun = time.process_time()
        similarity([PROMPT], Readings(text))
        return time.process_time() - begun

    for piece in (PROMPT, "a ", "\u65e5", SENTENCES[0]):
        text = piece * (20_000 // len(piece))
        small = min(seconds(text) for _ in range(3))
        assert seconds(text * 10) <= max(25 * small, 0.2), piece[:20]
