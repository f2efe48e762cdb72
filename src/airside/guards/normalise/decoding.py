"""What was written in another encoding, read: nested, and bounded in depth, number and size."""

from typing import Final

from airside.guards.normalise.blobs import blobs
from airside.guards.normalise.escapes import unescaped
from airside.guards.normalise.hidden import hidden
from airside.guards.normalise.reading import Reading

DEPTH_MAX: Final = 3  # encodings around one another
READINGS_MAX: Final = 64  # of one text
CHARACTERS_MIN: Final = 1 << 20  # that may come out of any text; of a longer one, as many as it has


def decoded(base: Reading, raw: Reading) -> tuple[list[Reading], bool]:
    """Return what is encoded in a text, and whether that is all. `raw` has what is not seen, `base` has not."""
    found: list[Reading] = []
    complete = True
    seen = {base.text}
    left = max(CHARACTERS_MIN, len(base.text))
    level = [base]
    for depth in range(DEPTH_MAX):
        inner: list[Reading] = []
        for reading in level:
            parts, all_of_it = _once(reading, raw if depth == 0 else reading, seen)
            complete = complete and all_of_it
            inner += parts
        for reading in inner:
            left -= len(reading.text)
            if left < 0 or len(found) == READINGS_MAX:
                return found, False
            found.append(reading)
        level = inner
        if not level:
            break
    return found, complete


def _once(reading: Reading, unclear: Reading, seen: set[str]) -> tuple[list[Reading], bool]:
    """Return what is directly encoded in a form and was not seen before; and whether that is all."""
    text = reading.text
    plain = reading.encoded if len(reading.encoded) == len(text) else text.encode("ascii", "replace")
    by_name: dict[str, list[tuple[str, int, int]]] = {}
    for name, said, start, end in blobs(plain):
        if said not in seen:
            seen.add(said)
            by_name.setdefault(name, []).append((said, start, end))
    found = [reading.parts(name, parts) for name, parts in by_name.items()]
    unseen: dict[str, list[tuple[str, int, int]]] = {}
    for name, said, start, end in hidden(unclear.text):
        unseen.setdefault(name, []).append((said, start, end))
    found += [unclear.parts(name, parts) for name, parts in unseen.items()]
    escapes, all_of_them = unescaped(reading, plain)
    found += [escape for escape in escapes if escape.text not in seen]
    seen.update(escape.text for escape in escapes)
    return found, all_of_them
