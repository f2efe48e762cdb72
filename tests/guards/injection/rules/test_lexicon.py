"""The phrases are whole: every sign has its phrases, every phrase serves a sign, in every language."""

import pytest

from airside.guards.injection.rules.lexicon import LANGUAGES, phrases
from airside.guards.injection.rules.signals import SIGNALS

CONCEPTS = {
    language: {sense.concept for phrase in phrases() for sense in phrase.senses if sense.language == language}
    for language in LANGUAGES
}
USED = {signal.first for signal in SIGNALS} | {signal.second for signal in SIGNALS if signal.second} | {"talk"}
CORE = {
    *("override", "undo", "own_rules", "rules", "void", "leak", "show", "own_secret", "secret", "become", "unbound"),
    *("mode", "service_mode", "enable", "comply", "opening", "ai", "authority", "hypothetical", "conceal", "address"),
    *("task", "send", "act", "data", "before_tool", "decode", "follow", "mine", "self_ref", "talk"),
}


def test_every_sign_has_phrases_and_every_phrase_serves_a_sign() -> None:
    assert set().union(*CONCEPTS.values()) == USED


@pytest.mark.parametrize("language", sorted(set(LANGUAGES) - {"any"}))
def test_every_language_has_the_core(language: str) -> None:
    assert CONCEPTS[language] >= CORE


def test_no_phrase_is_so_short_that_it_stands_everywhere() -> None:
    short = [phrase for phrase in phrases() if len(phrase.text) < 3 and phrase.text.isascii()]
    assert short == []
    assert [
        phrase for phrase in phrases() if len(phrase.text) < 4 and phrase.open_start and phrase.text.isascii()
    ] == []


def test_no_phrase_has_marks_of_the_files_left() -> None:
    assert [phrase.text for phrase in phrases() if "*" in phrase.text or phrase.text != phrase.text.strip()] == []
    named = {"{law}", "{whose}", "{inner}", "{past}", "{own}", "{some}", "{before}", "{self}", "{soft}"}
    assert [phrase.text for phrase in phrases() if any(mark in phrase.text for mark in named)] == []


def test_words_without_accents_are_sought_too() -> None:
    texts = {phrase.text for phrase in phrases()}
    assert {"instructions précédentes", "instructions precedentes"} <= texts
