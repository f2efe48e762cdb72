"""What an operator declares about the records that tools return: which values belong together, and whose they are.

Records are looked at by their structure and never by what is written in their texts: a text may say anything.
"""

from msgspec import Struct


class Anchor(Struct, frozen=True, kw_only=True):
    """Values of a record that its key vouches for, once the user's own words name the key.

    `tool` returns the records at the path `record` (`*` is any item; the whole result if empty). `keys` are fields by
    which people call a record, `values` fields that then count as named with it; the first is the record's identity: a
    key that two identities share names neither. With `beginning`, a key is also named by its first word, as long as no
    other record begins with it. A record may be a plain value; its only field is then the empty path.
    """

    tool: str
    record: str = ""
    keys: tuple[str, ...]
    values: tuple[str, ...]
    beginning: bool = False


class Relation(Struct, frozen=True, kw_only=True):
    """Values of a record that belong to whom the run is for: `record.owner == principal.NAME`."""

    tool: str
    record: str = ""
    owner: str
    principal: str
    values: tuple[str, ...]


class Declared(Struct, frozen=True):
    """All that is declared."""

    anchors: tuple[Anchor, ...] = ()
    relations: tuple[Relation, ...] = ()
