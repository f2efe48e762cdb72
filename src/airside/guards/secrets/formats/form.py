"""The forms in which a provider's key is known: by its beginning, a mark inside it, or the name beside it."""

from collections.abc import Callable

from msgspec import Struct


class Token(Struct, frozen=True):
    """A key that shows whose it is: one of `prefixes`, then `body` (RE2), and no letter or digit after it.

    `source` is where the format is documented. `check` refuses what cannot be one; `sure` verifies a checksum or an
    inner structure: what fails it is still reported, with a lower score, since a copied key may have been cut or
    changed and is none the less a secret to whoever wrote it. A key that providers also print on public pages
    (`public`) counts only where something beside it puts it to use: a name, a quote, a sign.
    """

    rule: str
    provider: str
    prefixes: tuple[str, ...]
    body: str
    source: str
    check: Callable[[str], bool] | None = None
    sure: Callable[[str], bool] | None = None
    public: bool = False


class Around(Struct, frozen=True):
    """A key that shows whose it is by something in its middle or at its end: one of `marks`; `body` is all of it."""

    rule: str
    provider: str
    marks: tuple[str, ...]
    body: str
    source: str


class Named(Struct, frozen=True):
    """A key that only its shape and the name beside it tell: one of `names` (lower case) in the name it is given."""

    rule: str
    provider: str
    names: tuple[str, ...]
    body: str
    source: str
