"""Settings of what is found of personal data."""

from typing import Annotated, Literal

from pydantic import Field

from airside.config.fields import Section

PersonalKind = Literal[
    "EMAIL",
    "PHONE",
    "CARD",
    "IBAN",
    "BANK_ACCOUNT",
    "NATIONAL_ID",
    "TAX_ID",
    "PASSPORT",
    "DRIVER_LICENCE",
    "MEDICAL_RECORD",
    "DATE_OF_BIRTH",
    "ADDRESS",
    "IP",
    "MAC",
    "WALLET",
    "VEHICLE",
    "PERSON",
    "LOCATION",
]
Region = Annotated[str, Field(pattern="^[A-Z]{2}$", description="ISO 3166-1 alpha-2")]


class PersonalSettings(Section):
    """What counts as personal data. docs/guards.md."""

    ignore: list[PersonalKind] = Field(default=[], max_length=50, description="kinds that are not looked for")
    phone_regions: list[Region] = Field(
        default=[],
        max_length=300,
        description="countries whose national phone numbers are known; empty is a wide choice",
    )
    names: bool = Field(
        default=False, description="find names of people and places by a language model; needs the extra `pii`"
    )
    names_model: str = Field(
        default="",
        max_length=500,
        description="an installed spaCy pipeline or its folder; empty is what the extra brings",
    )
    names_chars_max: int = Field(
        default=20_000,
        ge=1_000,
        le=1_000_000,
        description="of a longer text names are looked for in so many characters",
    )
