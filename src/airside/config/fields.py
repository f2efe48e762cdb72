"""What sections of settings are made of: the shared types with their limits, the section that knows no others."""

from decimal import Decimal
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Seconds = Annotated[float, Field(gt=0, le=86_400)]
Usd = Annotated[Decimal, Field(ge=0, le=1_000_000)]
Count = Annotated[int, Field(ge=0, le=1_000_000_000)]
Bytes = Annotated[int, Field(ge=1, le=1_073_741_824)]


def _off(value: Any) -> Any:
    return "off" if value is False else value


OffIsAWord: Final = BeforeValidator(_off)  # of a choice with "off": YAML reads a bare `off` as false


class Section(BaseModel):
    """A group of settings; unknown names are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)
