"""What the numbering plans of countries say of a phone number, from the tables of `phonenumbers` (libphonenumber's).

A plan is asked by one set of RE2 expressions instead of by parsing once for each country: which countries have such a
number, and in which of them it is written in such groups of digits.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Final

import phonenumbers
import re2
from phonenumbers import PhoneMetadata

REGIONS: Final = (
    *("US", "CA", "GB", "IE", "AU", "NZ", "ZA", "IN", "DE", "AT", "CH", "FR", "BE", "NL", "LU", "ES", "PT", "IT", "GR"),
    *("CY", "MT", "SE", "NO", "DK", "FI", "IS", "PL", "CZ", "SK", "HU", "RO", "BG", "HR", "SI", "EE", "LV", "LT", "UA"),
    *("RU", "TR", "IL", "JP", "KR", "CN", "TW", "HK", "SG", "MY", "TH", "ID", "PH", "VN", "BR", "MX", "AR", "CL", "CO"),
    *("PE", "NG", "KE", "EG", "SA", "AE"),
)
_TYPES: Final = ("fixed_line", "mobile", "toll_free", "premium_rate", "shared_cost", "personal_number", "voip", "uan")
_GROUP: Final = re.compile(r"\(\\d(?:\{(\d+)(?:,(\d+))?\})?\)")
_DIGITS_MAX: Final = 12
_NONE: Final[frozenset[str]] = frozenset()


class Numbering:
    """The numbering plans of some countries."""

    def __init__(self, regions: Sequence[str]) -> None:
        """`regions` are ISO 3166-1 codes; one without a numbering plan is passed over."""
        options = re2.Options()
        options.max_mem = 64 << 20
        self._plans = re2.Set.FullMatchSet(options)
        self._regions: list[str] = []
        grouped: dict[tuple[int, ...], set[str]] = {}
        for region in regions:
            metadata = PhoneMetadata.metadata_for_region(region)
            if metadata is None:
                continue
            self._plans.Add(_expression(metadata))
            self._regions.append(region)
            for sizes in _written(metadata):
                grouped.setdefault(sizes, set()).add(region)
        self._plans.Compile()
        self._grouped: Mapping[tuple[int, ...], frozenset[str]] = {
            sizes: frozenset(found) for sizes, found in grouped.items()
        }

    def with_number(self, digits: str) -> frozenset[str]:
        """Return the countries in which digits, as dialled inside the country, are a number."""
        return frozenset(self._regions[index] for index in self._plans.Match(digits) or ())

    def writing(self, sizes: tuple[int, ...]) -> frozenset[str]:
        """Return the countries in which some number is written in groups of so many digits."""
        return self._grouped.get(sizes, _NONE)


def international(number: str) -> float:
    """Return how sure it is that this is a number: 1 if its range is assigned, less if only its length fits."""
    try:
        parsed = phonenumbers.parse(number, None)
    except phonenumbers.NumberParseException:
        return 0.0
    if phonenumbers.is_valid_number(parsed):
        return 1.0
    return 0.6 if phonenumbers.is_possible_number(parsed) else 0.0


def _expression(metadata: PhoneMetadata) -> str:
    patterns = [
        description.national_number_pattern
        for description in (getattr(metadata, name) for name in _TYPES)
        if description is not None and description.national_number_pattern
    ]
    prefix = f"(?:{re.escape(metadata.national_prefix)})?" if metadata.national_prefix else ""
    return prefix + "(?:" + "|".join(patterns) + ")"


def _written(metadata: PhoneMetadata) -> Iterator[tuple[int, ...]]:
    """Yield the sizes of groups in which a country writes numbers, also with the digit dialled before them."""
    trunk = len(metadata.national_prefix or "")
    for form in metadata.number_format:
        groups = [range(int(low or 1), int(high or low or 1) + 1) for low, high in _GROUP.findall(form.pattern or "")]
        for sizes in product(*groups):
            if 6 < sum(sizes) <= _DIGITS_MAX:
                yield sizes
                if trunk:
                    yield (sizes[0] + trunk, *sizes[1:])
                    yield (trunk, *sizes)
