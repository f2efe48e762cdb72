"""Phone numbers, international and as countries write their own, told from dates, prices and other numbers.

Candidates are found by one linear pass. One with a country's code is checked by its plan; another counts if a word
speaks of a phone, or if a country has such a number and writes it in just these groups. Between two readings of a line
of numbers the longer wins.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import re2

from airside.guards.personal.context import BEFORE_CHARS, Contexts, listed
from airside.guards.personal.numbering import REGIONS, Numbering, international
from airside.guards.personal.plain import Plain
from airside.guards.personal.shapes import CHECKED_MAX
from airside.guards.personal.spotted import Spotted

IN_CONTEXT: Final = 0.85
AS_WRITTEN: Final = 0.6
_WRITTEN: Final = "phone.national"

_DIGITS: Final = range(7, 16)
_LINE_CHARS_MAX: Final = 64
_NEAR_CHARS: Final = 60
_BEHIND_CHARS: Final = 20
_RUN: Final = re2.compile(rb"[(+]{0,2}[0-9][0-9 ./()\-]{5,}[0-9]")
_PIECE: Final = re2.compile(
    rb"\+[0-9](?:[ ./()-]{0,2}[0-9]){6,14}|\([0-9]{2,5}\) ?[0-9]{3,4}[ -]?[0-9]{3,4}"
    rb"|\b[0-9]{2,5}(?:[./-][0-9]{2,8}){1,5}\b|\b[0-9]{3} [0-9]{3} [0-9]{4}\b"
)
_EXTENSION: Final = re.compile(
    r" ?(?:x|ext\.? ?|extension |#|доб\. ?|-? ?Durchwahl )[0-9]{1,6}(?![0-9A-Za-z])", re.ASCII
)
_DECIMAL: Final = re.compile(r"[+]?[0-9]+[.][0-9]+")
_GROUPS: Final = re.compile(r"[0-9]+")
_DATE: Final = re.compile(
    r"(?:[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
    r"|(?:19|20)[0-9]{2}[-./ ](?:0?[1-9]|1[0-2])[-./ ](?:0?[1-9]|[12][0-9]|3[01])"
    r"|(?:0?[1-9]|[12][0-9]|3[01])[-./ ](?:0?[1-9]|[12][0-9]|3[01])[-./ ](?:19|20)[0-9]{2}"
    r"|(?:19|20)[0-9]{2}[-/ ](?:19|20)[0-9]{2})(?![0-9])"
)
_BEHIND_PRICE: Final = re.compile(r" ?(?:[%€$£¥]|(?:EUR|USD|GBP|euros?|dollars?|people|km|kg|bytes|ms|rows)\b)")
_SPACED_THOUSANDS: Final = re.compile(r"[0-9]{1,3}(?: 000)+|[0-9]{1,3}(?:\.000)+")

_WORDS: Final = listed(
    "phone|telephone|tel|mobile|cell|cellphone|call|calling|called|dial|fax|whatsapp|sms|text me|text",
    "reach me|reach|ring|contact|hotline|landline|voicemail|phone number|telegram|signal|helpline|ph|telefon",
    "handy|mobil|rufnummer|anruf|anrufen|rückruf|téléphone|portable|appelez|appeler|numéro de tél|teléfono",
    "telefono|móvil|llame|llamar|cellulare|chiam|telefone|celular|ligue|ligar|telefoon|mobiel|bellen|gsm",
    "telemóvel|komórka|zadzwoń|mobilní|volejte|telefonszám|hívj|puhelin|puh|soita|ring mig|tlf|τηλέφωνο",
    "κινητό|телефон|тел|мобильный|звоните|позвон|电话|手机|電話|携帯|致电|전화|휴대폰|연락처|هاتف|جوال|اتصل|फ़ोन|फोन|मोबाइल|โทร",
    "điện thoại|telepon|hubungi|טלפון|נייד|yeniden arayın|arayın|cep tel|desk|direct line|answering",
)
_OTHER_WORDS: Final = listed(
    "order|invoice|ticket|tracking|account|reference|ref|case|sku|serial|part no|isbn|issn|version|build|port",
    "pin|zip|postcode|postal|date|timestamp|epoch|amount|total|price|cost|balance|budget|population|id|commit",
    "hash|uuid|error|code|page|line|row|rows|bytes|bestellung|rechnung|auftrag|kundennummer|commande|facture",
    "pedido|factura|ordine|fattura|заказ|订单|注文|주문|coordinates|latitude|longitude|ip|doi|arxiv|patent|tax|vat",
    "revenue|transaction|batch|lot|model",
)
_CONTEXTS: Final = Contexts([*((word, "phone") for word in _WORDS), *((word, "other") for word in _OTHER_WORDS)])


class Phones:
    """Finds phone numbers; `regions` are countries whose own numbers are known."""

    def __init__(self, regions: Sequence[str]) -> None:
        self._numbering = Numbering(regions or REGIONS)

    def find(self, plain: Plain) -> Iterator[Spotted]:
        """Yield the phone numbers in a text."""
        checked = 0
        for match in _RUN.finditer(plain.data):
            for start, end in _lines(plain, match.start(), match.end()):
                checked += 1
                if checked > CHECKED_MAX:
                    yield Spotted("phone.unchecked", "PHONE", start, len(plain.text), 0.2)
                    return
                yield from self._in_line(plain, start, end)

    def _in_line(self, plain: Plain, start: int, end: int) -> Iterator[Spotted]:
        """Yield the numbers among words of digits on a line, from the left, the longest first."""
        words = [(start + word.start(), start + word.end()) for word in _WORD.finditer(plain.text[start:end])]
        first = 0
        while first < len(words):
            for last in range(min(len(words), first + 8), first, -1):
                whole = last - first == len(words)
                found = self._judged(plain, words[first][0], words[last - 1][1], whole=whole)
                if found is not None:
                    yield found
                    first = last
                    break
            else:
                first += 1

    def _judged(self, plain: Plain, start: int, end: int, *, whole: bool) -> Spotted | None:
        until = _with_extension(plain.text, end)
        found = self._number(plain, start, end, until)
        if found is None or (found[0] == _WRITTEN and not whole and " " in plain.text[start:end]):
            return None  # a piece of a line of numbers
        return Spotted(found[0], "PHONE", start, until, found[1])

    def _number(self, plain: Plain, start: int, end: int, until: int) -> tuple[str, float] | None:
        written = plain.text[start:end]
        groups = _GROUPS.findall(written)
        digits = "".join(groups)
        if len(digits) not in _DIGITS or not plain.apart(start, until) or not _whole(plain.data, start, until):
            return None
        if _DECIMAL.fullmatch(written):
            return None
        if written[0] == "+" or written[:2] in {"(+", "00"}:
            score = international(written if "+" in written else f"+{written[2:]}")
            if score and ("+" in written or (score == 1 and not plain.crowded(start, end))):
                return "phone.international", max(score, 0.7)
        if "+" in written or len(set(digits)) < 3 or not _national(written, plain.text, end):
            return None
        if len(groups) > 2 and {len(group) for group in groups} == {4}:  # rather a piece of a card's or an account's
            return None
        regions = self._numbering.with_number(digits)
        if not regions and not _phone_like(groups):
            return None
        near = _CONTEXTS.near(plain.text, start, end)
        return self._as_national(written, groups, regions, near)

    def _as_national(
        self, written: str, groups: list[str], regions: frozenset[str], near: Mapping[str, int]
    ) -> tuple[str, float] | None:
        spoken = near.get("phone", 1_000)
        other = near.get("other", 1_000)
        called = spoken < other and (spoken <= _NEAR_CHARS or BEFORE_CHARS <= spoken <= BEFORE_CHARS + _BEHIND_CHARS)
        if called:
            return "phone.called", IN_CONTEXT
        if other < 40 or not regions:
            return None
        usual = regions & self._numbering.writing(tuple(map(len, groups)))
        trunk = groups[0][0] == "0" and len(groups) > 2 and _phone_like(groups)
        if len(groups) > 1 and (usual or trunk) and _telling(written, groups):
            return _WRITTEN, AS_WRITTEN
        return None


_WORD: Final = re.compile(r"[^ ]+(?:\) ?)?")


def _lines(plain: Plain, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the parts of a run of digits and separators in which a number is looked for: a long one is a table."""
    if end - start <= _LINE_CHARS_MAX:
        yield start, end
        return
    for match in _PIECE.finditer(plain.data, start, end):
        yield match.span()


def _whole(data: bytes, start: int, end: int) -> bool:
    """Whether no time, fraction, price or path goes on before or behind."""
    before, after = data[max(start - 2, 0) : start], data[end : end + 2]
    if before[-1:] in (b"$", b"#", b"/", b"=", b"*") and before[-1:] != b"=":
        return False
    if before[-1:] in (b":", b",") and before[:1].isdigit():
        return False
    return not (after[:1] in (b":", b",", b"/", b"%") and (after[1:].isdigit() or after[:1] == b"%"))


def _national(written: str, text: str, end: int) -> bool:
    """Whether something is not plainly a date, a price or a decimal."""
    if _DATE.match(written) or _SPACED_THOUSANDS.fullmatch(written):
        return False
    return not (written.count(".") == 1 and " " not in written and "-" not in written) and not _BEHIND_PRICE.match(
        text, end
    )


def _phone_like(groups: list[str]) -> bool:
    """Whether digits are grouped as people write phone numbers: few groups of two to five."""
    return 1 < len(groups) <= 6 and all(1 < len(group) <= 5 for group in groups[1:]) and len("".join(groups)) <= 12


def _telling(written: str, groups: list[str]) -> bool:
    """Whether the way it is written tells a number from a table's or a sentence's: brackets, a trunk 0, many groups."""
    if groups[0] == "0" and "." in written:
        return False
    if written.startswith("(") or ") " in written or groups[0].startswith("0"):
        return True
    sizes = [len(group) for group in groups]
    if sizes == [3, 3, 4]:
        return True
    if sizes == [3, 2, 4]:  # rather a social security number
        return False
    return len(groups) > 2 and len({char for char in written if not char.isdigit()}) == 1


def _with_extension(text: str, end: int) -> int:
    found = _EXTENSION.match(text, end)
    return found.end() if found else end
