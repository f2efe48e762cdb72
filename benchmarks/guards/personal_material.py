"""Texts with made-up personal data at known places: valid values and near misses, in ten languages and several formats.

Values are drawn by a fixed seed from the shapes themselves (kept if their checksum holds), from `phonenumbers`' example
numbers and from word lists; nothing is anybody's. Near misses are values with one digit changed.
"""

import json
from collections.abc import Iterator
from random import Random
from typing import NamedTuple

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType
from stdnum import luhn
from stdnum.iso7064 import mod_97_10

from airside.guards.personal import cards, identity_europe, identity_world
from airside.guards.personal.banking import LENGTHS
from airside.guards.personal.numbering import REGIONS
from airside.guards.personal.shapes import Shape


class Sample(NamedTuple):
    """A text with at most one value; `kind` is empty where there is nothing to find."""

    text: str
    kind: str
    start: int
    end: int


LABELLED = (
    "{label}: {value}",
    "My {label} is {value}, please update the record.",
    "Meine {label} lautet {value}.",
    "Mon numéro ({label}) est le {value}, merci.",
    "Mi {label} es {value} y vivo aquí.",
    "Il mio {label} è {value}.",
    "O meu {label} é {value}.",
    "Moje {label} to {value}.",
    "Мой {label}: {value}, спасибо.",
    "私の{label}は{value}です。",
    "我的{label}是{value}，谢谢。",
    '{{"id": 17, "{label}": "{value}", "active": true}}',
    "id;{label};city\n17;{value};Oslo",
    "| {label} | {value} | yes |",
    "https://shop.example/account?{label}={value}&lang=en",
)
BARE = (
    "{value}",
    "Please check {value} today.",
    '["{value}", 5]',
    "17,{value},x",
    "| 4 | {value} |",
    "Bitte {value} prüfen",
)
WORDS = {"EMAIL": "e-mail", "CARD": "card", "IBAN": "IBAN", "PHONE": "phone"}
FIRST = ("jane", "li.wei", "o'brien", "maría", "jürgen", "анна", "x_y", "a.b+c", "info", "s-ko")
DOMAINS = (
    "example.com",
    "mail.example.co.uk",
    "bücher.example.de",
    "пример.рф",
    "sub.a-b.org",
    "firma.gmbh",
    "uni.ac.jp",
)
BENIGN = (
    "Order {d8} was shipped on 2024-0{d1}-1{d1} for ${d3}.99.",
    "commit {h40} fixes #{d4}",
    "uuid {h8}-{h4}-4{h3}-a{h3}-{h12}",
    "version {d1}.{d2}.{d3} build {d5}",
    "The population grew from {d7} to {d7} between 19{d2} and 20{d2}.",
    "epoch 1{d12} and 1{d9}",
    "pixels {d4}x{d4}, offset 0x{h8}, {d3}.{d5} ms",
    "ISBN 978-3-16-{d6}-0 costs {d2},{d2} €",
    "[{d3}, {d4}, {d5}, {d2}.{d3}, -{d3}]",
    "2024-05-0{d1}T10:1{d1}:3{d1}.{d6}Z INFO worker-{d2} took {d4} ms",
    "rows {d3} {d4} {d5} {d2} {d6} {d3}",
    "sha256:{h64}",
    "Invoice {d4}-{d4} totals {d2} {d3} Kč",
    "ticket ABC-{d4}, sku {d3}-{d5}, lat 5{d1}.{d6}, lon 1{d1}.{d6}",
)


def samples(seed: int = 5, each: int = 12) -> Iterator[Sample]:
    """Yield texts with values that are to be found, and near misses with nothing in them."""
    random = Random(seed)
    for kind, label, value, alone in _values(random, each):
        frames = [random.choice(LABELLED)] + ([random.choice(BARE)] if alone else [])
        for frame in frames:
            yield _framed(frame, kind, label, value)
    for kind, label, value in _near_misses(random, each):
        text = _framed(random.choice(LABELLED), kind, label, value)
        yield Sample(text.text, "", 0, 0)


def benign(seed: int = 7, count: int = 2_000) -> Iterator[str]:
    """Yield texts full of numbers that are nobody's."""
    random = Random(seed)
    fills = {f"d{size}": (size, "0123456789") for size in range(1, 13)}
    fills |= {f"h{size}": (size, "0123456789abcdef") for size in (3, 4, 8, 12, 40, 64)}
    for place in range(count):
        frame = BENIGN[place % len(BENIGN)]
        while "{" in frame:
            name = frame[frame.index("{") + 1 : frame.index("}")]
            size, letters = fills[name]
            frame = frame.replace("{" + name + "}", "".join(random.choices(letters, k=size)), 1)
        yield frame


def phones(seed: int = 9, each: int = 1) -> Iterator[Sample]:
    """Yield example numbers of countries, as written at home and abroad, behind a word or alone."""
    random = Random(seed)
    for region in REGIONS:
        for kind in (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE):
            number = phonenumbers.example_number_for_type(region, kind)
            if number is None:
                continue
            for form in (PhoneNumberFormat.NATIONAL, PhoneNumberFormat.INTERNATIONAL, PhoneNumberFormat.E164):
                value = phonenumbers.format_number(number, form)
                for _ in range(each):
                    yield _framed(random.choice(LABELLED[:14]), "PHONE", "phone", value)


def _framed(frame: str, kind: str, label: str, value: str) -> Sample:
    before, after = frame.split("{value}")
    quoted = json.dumps(value, ensure_ascii=False)[1:-1] if frame.startswith("{{") else value
    start = len(before.format(label=label))
    text = before.format(label=label) + quoted + after.format(label=label)
    return Sample(text, kind, start, start + len(quoted))


def _values(random: Random, each: int) -> Iterator[tuple[str, str, str, bool]]:
    for _ in range(each * 4):
        yield "EMAIL", "e-mail", f"{random.choice(FIRST)}{random.randrange(99)}@{random.choice(DOMAINS)}", True
        yield "CARD", "card", _card(random), True
        yield "IBAN", "IBAN", _iban(random), True
    for shape in (*identity_europe.SHAPES, *identity_world.SHAPES):
        for _ in range(each // 3):
            value = _drawn(random, shape)
            if value is not None:
                yield shape.kind, shape.words[0], value, shape.alone


def _near_misses(random: Random, each: int) -> Iterator[tuple[str, str, str]]:
    for _ in range(each * 4):
        card = _changed(random, _card(random))
        if not luhn.is_valid(card.replace(" ", "")):
            yield "CARD", "number", card
        yield "IBAN", "IBAN", _changed(random, _iban(random))
        yield "EMAIL", "e-mail", f"{random.choice(FIRST)}@{random.choice(('localhost', 'example', 'a..com', '-x.com'))}"
    everything = (*identity_europe.SHAPES, *identity_world.SHAPES, *cards.SHAPES)
    for shape in (one for one in everything if one.alone and one.kind == "NATIONAL_ID"):
        value = _drawn(random, shape)
        if value is not None:
            changed = _changed(random, value)
            if not any(other.valid(changed) for other in everything if _mask(changed) in other.masks):
                yield shape.kind, "number", changed


def _card(random: Random) -> str:
    prefix, length = random.choice((("4", 16), ("52", 16), ("37", 15), ("6011", 16), ("3530", 16), ("2221", 16)))
    body = prefix + "".join(random.choices("0123456789", k=length - 1 - len(prefix)))
    number = body + luhn.calc_check_digit(body)
    cut = (4, 10) if length == 15 else (4, 8, 12)
    separator = random.choice(("", " ", "-"))
    return separator.join(number[begin:end] for begin, end in zip((0, *cut), (*cut, length), strict=True))


def _iban(random: Random) -> str:
    country, length = random.choice(
        [pair for pair in LENGTHS.items() if pair[0] in {"DE", "GB", "FR", "NL", "AT", "CH"}]
    )
    letters = "ABCDEFGHIJ" if country in {"GB", "NL"} else ""
    bban = "".join(random.choices(letters, k=4) if letters else ())
    bban += "".join(random.choices("0123456789", k=length - 4 - len(bban)))
    number = country + mod_97_10.calc_check_digits(bban + country) + bban
    return " ".join(number[at : at + 4] for at in range(0, length, 4)) if random.random() < 0.5 else number


def _drawn(random: Random, shape: Shape, tries: int = 3_000) -> str | None:
    """Return a number of a shape whose check holds; None if chance does not bring one."""
    mask = random.choice(shape.masks)
    for _ in range(tries):
        value = "".join(
            random.choice("0123456789")
            if char == "9"
            else random.choice("ABCDEFGHJKLMNPRSTVWXYZ")
            if char == "A"
            else char
            for char in mask
        )
        try:
            if shape.valid(value):
                return value
        except (ValueError, IndexError, KeyError):
            continue
    return None


def _changed(random: Random, value: str) -> str:
    places = [place for place, char in enumerate(value) if char.isdigit()]
    place = random.choice(places)
    return value[:place] + str((int(value[place]) + random.randrange(1, 9)) % 10) + value[place + 1 :]


def _mask(value: str) -> str:
    return "".join("9" if char.isdigit() else "A" if char.isalpha() else char for char in value)
