"""What the keys of providers look like, by family; each entry says where its format is documented."""

from airside.guards.secrets.formats import ai, business, cloud, code, messaging, operations, payments
from airside.guards.secrets.formats.form import Around, Named, Token

_FAMILIES = (ai, cloud, code, operations, payments, messaging, business)
TOKENS: tuple[Token, ...] = tuple(token for family in _FAMILIES for token in family.TOKENS)
NAMED: tuple[Named, ...] = tuple(named for family in _FAMILIES for named in family.NAMED)
AROUND: tuple[Around, ...] = (*cloud.AROUND, *code.AROUND, *operations.AROUND, *messaging.AROUND, *business.AROUND)
