"""Cursor pages: at most 200 items, and an opaque cursor that names where the next page begins."""

from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel

from airside.runs.cursor import PAGE_MAX

Limit = Annotated[int, Query(ge=1, le=PAGE_MAX, description="items on the page")]
Cursor = Annotated[str, Query(max_length=200, description="`next_cursor` of the page before")]


class Page(BaseModel):
    """One page; `next_cursor` is null on the last."""

    items: list[dict[str, Any]]
    next_cursor: str | None
