"""The forms of one text: as it came, folded, and decoded, each with the way back to the characters as they came."""

from collections.abc import Sequence
from functools import cached_property

from airside.guards.normalise.decoding import decoded
from airside.guards.normalise.disguises import Vocabulary, disguised, joined
from airside.guards.normalise.folding import clear, fold
from airside.guards.normalise.reading import Reading

__all__ = ["Reading", "Readings", "Vocabulary"]


class Readings:
    """The forms of one text, made when first asked for."""

    def __init__(self, text: str) -> None:
        self.raw = Reading(text)
        self._disguised: dict[Vocabulary, Sequence[Reading]] = {}

    @cached_property
    def clear(self) -> Reading:
        """The text in NFKC and without invisible characters, with its case; `raw` itself, if that is the same."""
        text, starts = clear(self.raw.text)
        return self.raw if text == self.raw.text else self.raw.form(text, (), starts)

    @cached_property
    def folded(self) -> Reading:
        """The text without disguise: NFKC, casefolded, invisible characters out, look-alikes as what they look like."""
        return _folded(self.raw)

    @cached_property
    def _decoded(self) -> tuple[Sequence[Reading], bool]:
        return decoded(self.clear, self.raw)

    @property
    def decoded(self) -> Sequence[Reading]:
        """Parts that were written in another encoding, read, with their case; bounded in depth, number and size."""
        return self._decoded[0]

    @property
    def complete(self) -> bool:
        """Whether everything that looks encoded was read: a text can have more of it than the bounds allow."""
        return self._decoded[1]

    @cached_property
    def texts(self) -> Sequence[Reading]:
        """All forms that keep case: the text as it came, clear, and what is decoded. For secrets and exact values."""
        clear = () if self.clear is self.raw else (self.clear,)
        return (self.raw, *clear, *self.decoded)

    @cached_property
    def folds(self) -> Sequence[Reading]:
        """All forms without disguise: the text and what is decoded, folded. For words."""
        forms = (self.folded, *(_folded(reading) for reading in self.decoded))
        return (*forms, *(spaced for form in forms for spaced in joined(form)))

    def disguised(self, vocabulary: Vocabulary) -> Sequence[Reading]:
        """Return the forms in which words of a vocabulary stand shifted, reversed, in leet, spaced out or accented.

        They are made once for each vocabulary, and only where such a word stands: ask for words that matter.
        """
        known = self._disguised.get(vocabulary)
        if known is None:
            forms = (self.folded, *(form for form in self.folds[1:] if form.via[-1:] != ("spaced",)))
            turned = [one for form in forms for one in disguised(form, vocabulary)]
            apart = [one for form in forms for one in joined(form, vocabulary)]
            known = self._disguised[vocabulary] = (*turned, *apart)
        return known


def _folded(reading: Reading) -> Reading:
    text, starts = fold(reading.text)
    return reading.form(text, (), starts)
