"""Payment cards (ISO/IEC 7812): an issuer's range, its lengths, and the check digit of Luhn."""

from typing import Final

from stdnum import luhn

from airside.guards.personal.context import listed
from airside.guards.personal.shapes import Shape

_ISSUERS: Final[tuple[tuple[int, int, frozenset[int]], ...]] = (
    # first, last prefix; lengths
    (4, 4, frozenset({13, 16, 19})),  # Visa
    (51, 55, frozenset({16})),  # Mastercard
    (2221, 2720, frozenset({16})),
    (34, 34, frozenset({15})),  # American Express
    (37, 37, frozenset({15})),
    (300, 305, frozenset({14, 16})),  # Diners Club
    (3095, 3095, frozenset({14, 16})),
    (36, 36, frozenset({14, 15, 16, 17, 18, 19})),
    (38, 39, frozenset({14, 16, 19})),
    (6011, 6011, frozenset({16, 19})),  # Discover
    (644, 659, frozenset({16, 19})),
    (3528, 3589, frozenset({16, 17, 18, 19})),  # JCB
    (1800, 1800, frozenset({15})),
    (2131, 2131, frozenset({15})),
    (62, 62, frozenset({16, 17, 18, 19})),  # UnionPay
    (81, 81, frozenset({16})),
    (2200, 2204, frozenset({16, 17, 18, 19})),  # Mir
    (9792, 9792, frozenset({16})),  # Troy
    (50, 50, frozenset(range(12, 20))),  # Maestro
    (56, 58, frozenset(range(12, 20))),
    (60, 61, frozenset(range(12, 20))),
    (63, 63, frozenset(range(12, 20))),
    (67, 69, frozenset(range(12, 20))),
    (1, 1, frozenset({15})),  # UATP
)
_BY_PREFIX: Final = {
    str(prefix): frozenset().union(
        *(lengths for first, last, lengths in _ISSUERS if first <= int(str(prefix)[: len(str(first))]) <= last)
    )
    for prefix in range(1000, 10_000)
}
_SEPARATORS: Final = str.maketrans("", "", " -.")

WORDS: Final = listed(
    "card|credit|debit|visa|mastercard|master card|amex|american express|maestro|diners|discover|jcb|unionpay",
    "pan|cc number|ccnum|cvv|cvc|expir|payment|pay with|charge|karte|kreditkarte|bankkarte|carte|tarjeta",
    "carta di credito|carta|cartão|cartao|kaart|karta|kort|kortti|kart|карта|карты|карту|картой|カード|卡号|信用卡",
    "银行卡|카드|بطاقة|कार्ड|bankkártya|κάρτα|cc",
)


def _luhn(number: str, lengths: frozenset[int]) -> bool:
    digits = number.translate(_SEPARATORS)
    return len(digits) in lengths and _issued(digits) and len(set(digits)) > 1 and luhn.is_valid(digits)


def _issued(digits: str) -> bool:
    lengths = _BY_PREFIX.get(digits[:4])
    return lengths is not None and len(digits) in lengths


def _usual(number: str) -> bool:
    return _luhn(number, frozenset({15, 16})) and not number.startswith("1 ")


def _rare(number: str) -> bool:
    return _luhn(number, frozenset(range(12, 20)))


def _called(number: str) -> bool:
    """Whether a number that is called a card can be one: also of a range that nobody had when this was written."""
    digits = number.translate(_SEPARATORS)
    return digits[0] in "23456" and len(set(digits)) > 1 and bool(luhn.is_valid(digits))


_GROUPED: Final = ("9999 9999 9999 9999", "9999-9999-9999-9999", "9999 999999 99999", "9999 999999 9999")

SHAPES: Final = (
    Shape(
        rule="card",
        kind="CARD",
        masks=(
            *("9" * 15, "9" * 16, "9999 9999 9999 9999", "9999-9999-9999-9999", "9999.9999.9999.9999"),
            *("9999 999999 99999", "9999-999999-99999", "9999 9999 9999 999", "9999-9999-9999-999"),
        ),
        valid=_usual,
        words=WORDS,
        alone=True,
    ),
    Shape(
        rule="card.grouped",
        kind="CARD",
        masks=(
            *("9999 999999 9999", "9999-999999-9999", "9999 9999 9999 9999 999", "9999-9999-9999-9999-999"),
            *("9999 9999 9999 99", "9999 9999 9999 9", "999999 9999999999999", "99999999 9999999999"),
        ),
        valid=_rare,
        words=WORDS,
        alone=True,
    ),
    Shape(
        rule="card.rare",
        kind="CARD",
        masks=(*("9" * length for length in range(12, 20)), "9999 9999 9999", "9999-9999-9999", *_GROUPED),
        valid=_called,
        words=WORDS,
    ),
)
