"""Writes src/airside/guards/normalise/characters.py: what looks like a Latin letter, what is not seen, what decorates.

    uv run --no-project --with confusable-homoglyphs==3.3.1 python scripts/lookalikes.py

The look-alikes are those of Unicode's confusables (UTS #39), as the package confusable-homoglyphs (MIT) carries
them, with additions of our own for letters that stand for others in practice though they differ to the eye.
"""

import json
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from importlib.resources import files
from pathlib import Path

TARGET = Path("src/airside/guards/normalise/characters.py")
LATIN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
SPOKEN = ("GREEK", "CYRILLIC", "ARMENIAN", "GEORGIAN")
NOBODYS = (  # scripts that are hardly written in today, and symbols
    *("LATIN", "CHEROKEE", "WARANG", "LISU", "CANADIAN", "COPTIC", "MIAO", "CARIAN", "OLD", "LYCIAN", "ELBASAN"),
    *("DESERET", "TIFINAGH", "OSAGE", "RUNIC", "APL", "ESTIMATED", "ALCHEMICAL", "BAMUM", "POWER", "DIVIDES"),
)
OURS = {
    "CYRILLIC": dict(zip("гпзчтмнвкьяи", "rn34tmhbkbru", strict=True)),
    "GREEK": dict(zip("εητκμωχβδζιλ", "entkuwxbdzil", strict=True)),
    "ARMENIAN": {},
    "GEORGIAN": {},
}
MARKS = ((0x300, 0x36F), (0x483, 0x489), (0x1AB0, 0x1AFF), (0x1DC0, 0x1DFF), (0x20D0, 0x20FF), (0xFE20, 0xFE2F))
UNSEEN = ((0xFE00, 0xFE0F), (0x180B, 0x180F), (0xE0000, 0xE0FFF), (0x2060, 0x206F))
FILLERS = (0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0)


def confusables() -> Iterator[tuple[str, str]]:
    """Yield characters that nothing folds, each with the Latin letter or digit that it looks like."""
    known = json.loads(files("confusable_homoglyphs").joinpath("confusables.json").read_text("utf-8"))
    for letter in LATIN:
        for entry in known.get(letter, []):
            character = entry["c"]
            if len(character) == 1 and ord(character) > 127 and unicodedata.normalize("NFKC", character) == character:
                yield character, letter


def script(character: str) -> str:
    """Return the first word of a character's name, which for letters is the script."""
    return unicodedata.name(character, "?").split()[0]


def folded(pairs: Iterator[tuple[str, str]]) -> dict[str, dict[str, str]]:
    """Return look-alikes by script, casefolded: small letters as they look, others as their capitals do."""
    small: dict[str, dict[str, str]] = {}
    capital: dict[str, dict[str, str]] = {}
    for character, letter in pairs:
        folded = character.casefold()
        if len(folded) == 1:
            by_case = small if folded == character else capital
            by_case.setdefault(script(character), {}).setdefault(folded, letter.lower())
    return {
        name: capital.get(name, {}) | small.get(name, {}) | OURS.get(name, {}) for name in small.keys() | capital.keys()
    }


def always() -> dict[str, str]:
    """Return characters that no living script's words need, or that mean the same: digits, dashes, quotes, spaces."""
    table: dict[str, str] = {}
    for code in range(128, sys.maxunicode + 1):
        character = chr(code)
        category = unicodedata.category(character)
        if unicodedata.normalize("NFKC", character).casefold() != character:
            continue
        if category == "Nd":
            table[character] = str(unicodedata.digit(character))
        elif category == "Pd":
            table[character] = "-"
        elif category in {"Zs", "Zl", "Zp"} or character == "\x85":
            table[character] = "\n" if category in {"Zl", "Zp"} or character == "\x85" else " "
    table |= dict.fromkeys("‘’‚‛′ʹʼʻˈ`´", "'") | dict.fromkeys("“”„‟″«»", '"')
    table |= {"‐": "-", "−": "-", "⁃": "-", "∕": "/", "⁄": "/", "․": ".", "·": "."}
    table |= named()
    return {character: to for character, to in table.items() if ord(character) > 127}


def named() -> dict[str, str]:
    """Return characters whose names say which letter they are: small capitals, turned, squared, flags, Braille."""
    table: dict[str, str] = {}
    for code in range(128, 0x1F200):
        name = unicodedata.name(chr(code), "")
        for head in (
            "LATIN LETTER SMALL CAPITAL ",
            "LATIN SMALL LETTER TURNED ",
            "NEGATIVE CIRCLED LATIN CAPITAL LETTER ",
            "NEGATIVE SQUARED LATIN CAPITAL LETTER ",
            "REGIONAL INDICATOR SYMBOL LETTER ",
            "SQUARED LATIN CAPITAL LETTER ",
        ):
            rest = name.removeprefix(head)
            if rest != name and len(rest) == 1:
                table[chr(code).casefold()] = rest.lower()
    braille = "a1 b12 c14 d145 e15 f124 g1245 h125 i24 j245 k13 l123 m134 n1345 o135 p1234 q12345 r1235 s234 t2345 u136"
    for letter, *dots in (*braille.split(), "v1236", "w2456", "x1346", "y13456", "z1356"):
        table[chr(0x2800 + sum(1 << (int(dot) - 1) for dot in dots))] = letter
    return table | {"\u2800": " "}


def invisible() -> Iterator[int]:
    """Yield what is not seen: controls, formats, fillers, variation selectors, tags, lone surrogates."""
    for code in range(sys.maxunicode + 1):
        category = unicodedata.category(chr(code))
        control = category == "Cc" and chr(code) not in "\t\n\v\f\r\x85"
        if control or category in {"Cf", "Cs"} or code in FILLERS or any(a <= code <= b for a, b in UNSEEN):
            yield code


def piling() -> Iterator[int]:
    """Yield what can pile up on another character: whatever decomposes to a mark first."""
    for code in range(sys.maxunicode + 1):
        if unicodedata.combining(unicodedata.normalize("NFKD", chr(code))[0]):
            yield code


def joining() -> Iterator[int]:
    """Yield what may become one with what stands before it, by normalisation."""
    seconds = set()
    for code in range(sys.maxunicode + 1):
        parts = unicodedata.decomposition(chr(code)).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            seconds.add(chr(int(parts[1], 16)))
    seconds |= set(map(chr, (*range(0x1161, 0x1176), *range(0x11A8, 0x11C3))))
    for code in range(sys.maxunicode + 1):
        first = unicodedata.normalize("NFKD", chr(code))[0]
        if first in seconds or unicodedata.combining(first):
            yield code


def ranges(codes: Iterable[int]) -> str:
    """Return codes as the inside of a character class."""
    spans: list[list[int]] = []
    for code in codes:
        if spans and code == spans[-1][1] + 1:
            spans[-1][1] = code
        else:
            spans.append([code, code])
    return "".join(f"{escape(first)}" + (f"-{escape(last)}" if last > first else "") for first, last in spans)


def escape(code: int) -> str:
    """Return a character as Python writes it in a literal."""
    return f"\\U{code:08x}" if code > 0xFFFF else f"\\u{code:04x}"


def pair(name: str, meaning: str, table: dict[str, str]) -> list[str]:
    """Return the lines of one table: characters and, under them, what they are read as."""
    entries = sorted(table.items())
    return [
        f"{name}: Final = (",
        *pieces("".join(escape(ord(c)) for c, _ in entries), 96),
        "    ,",
        *pieces("".join({"\n": "\\n", '"': '\\"'}.get(to, to) for _, to in entries), 96),
        ")",
        f'"""{meaning}"""',
        "",
    ]


def pieces(text: str, width: int) -> Iterator[str]:
    """Yield a long literal in lines; an escape is never cut."""
    line = ""
    at = 0
    while at < len(text):
        length = {"u": 6, "U": 10}.get(text[at + 1], 2) if text[at] == "\\" else 1
        line += text[at : at + length]
        at += length
        if len(line) >= width:
            yield f'    "{line}"'
            line = ""
    if line:
        yield f'    "{line}"'


def main() -> None:
    """Write the tables."""
    scripts = folded(confusables())
    nobodys = {c: to for name in NOBODYS for c, to in scripts.get(name, {}).items()}
    lines = [
        '"""Tables of characters, written by scripts/lookalikes.py. Do not edit.',
        "",
        "Look-alikes: Unicode's confusables (UTS #39, Unicode License V3), with additions of our own.",
        f"Properties: Unicode {unicodedata.unidata_version}.",
        '"""',
        "",
        "from typing import Final",
        "",
        *pair("ALWAYS", "What is read as another character wherever it stands.", nobodys | always()),
    ]
    for name in SPOKEN:
        own = {c: to for c, to in (scripts.get(name, {}) | OURS[name]).items() if c.isalpha()}
        lines += pair(name, "Letters of a script that people write in: look-alikes in words that only pretend.", own)
    for name, meaning, codes in (
        ("INVISIBLE", "What is not seen. Insides of two character classes: to U+FFFF and above.", invisible()),
        (
            "MARKS",
            "Marks that only decorate: no script needs them apart from what composes.",
            (c for a, b in MARKS for c in range(a, b + 1)),
        ),
        ("PILING", "What can pile up on another character.", piling()),
        ("JOINING", "What normalisation may join with what stands before it.", joining()),
    ):
        all_codes = list(codes)
        low, high = [code for code in all_codes if code <= 0xFFFF], [code for code in all_codes if code > 0xFFFF]
        lines += [
            f"{name}: Final = (",
            *(pieces(ranges(low), 96)),
            "    ,",
            *(pieces(ranges(high), 96) if high else ['""']),
            ")",
        ]
        lines += [f'"""{meaning}"""', ""]
    TARGET.write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
