"""What an operator declares about the records that tools return: which values belong together, and whose they are.

Records are looked at by their structure and never by what is written in their texts: a text may say anything.
"""

from msgspec import Struct


class Anchor(Struct, frozen=True, kw_only=True):
    """Values of a record that its key vouches for, once the user's own words name the key.

    `tool` returns the records at the path `record` (`*` is any item; the whole result if empty). `keys` are fields by
    which people call a record, `values` fields that then count as named with it, but only as the `arguments`
    (`TOOL.PATH`) that they belong to: the id of an event is no file's. `identity` (the first of `values` if empty)
    tells records apart: a key that two of them share names neither. With `beginning`, a key is also named by its first
    words, half of them at least, as long as no other record begins so. A record may be a plain value; its only field is
    then the empty path.
    """

    tool: str
    record: str = ""
    keys: tuple[str, ...]
    values: tuple[str, ...]
    arguments: tuple[str, ...]
    identity: str = ""
    beginning: bool = False


class Relation(Struct, frozen=True, kw_only=True):
    """Values of a record that belong to whom the run is for, if `record.owner == principal.NAME`; as some arguments."""

    tool: str
    record: str = ""
    owner: str
    principal: str
    values: tuple[str, ...]
    arguments: tuple[str, ...]


class Listing(Struct, frozen=True, kw_only=True):
    """A list of what exists in one's own house: each `field` of the result is genuine, but only where it belongs.

    `arguments` are `TOOL.PATH`. Whoever gave a channel its name: it is a channel, and never an address or a link.
    """

    tool: str
    field: str
    arguments: tuple[str, ...]


class Declared(Struct, frozen=True):
    """All that is declared."""

    anchors: tuple[Anchor, ...] = ()
    relations: tuple[Relation, ...] = ()
    listings: tuple[Listing, ...] = ()
