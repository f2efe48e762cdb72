"""Who may reach the management API: a bearer API key whose role suffices. A run token reaches nothing here."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request

from airside.core.errors import AirsideError, Code
from airside.core.run import Principal, Role
from airside.runs.keys import Keys

RUN_TOKEN_PREFIX = "rt_"  # noqa: S105 - the public prefix of tokens, not a token
SECRET_CHARACTERS_MAX = 200
_RANK = {Role.VIEWER: 1, Role.REVIEWER: 2, Role.OPERATOR: 3, Role.ADMIN: 4}


def allows(role: Role, needed: Role) -> bool:
    """Whether a role includes another; `agent` includes none and is included by none."""
    return _RANK.get(role, 0) >= _RANK[needed]


def bearer(header: str) -> str:
    """Return the credential of an Authorization header, or an empty text."""
    scheme, _, credential = header.partition(" ")
    return credential.strip() if scheme.lower() == "bearer" else ""


async def principal_of(request: Request, keys: Keys) -> Principal:
    """Return who asks. Raises `unauthenticated`, and `forbidden` for run tokens.

    Keys are found by the hash of 256 random bits, so how long the search takes tells nothing about a secret.
    """
    secret = bearer(request.headers.get("authorization", ""))
    if secret.startswith(RUN_TOKEN_PREFIX):
        raise AirsideError(Code.FORBIDDEN, "a run token opens the gateways only, never the management API")
    if len(secret) > SECRET_CHARACTERS_MAX:
        raise AirsideError(Code.UNAUTHENTICATED, "this is no API key of airside", advice=_KEY_ADVICE)
    try:
        return await keys.principal(secret)
    except AirsideError as error:
        if error.code is Code.UNAUTHENTICATED:
            raise AirsideError(error.code, error.message, advice=_KEY_ADVICE) from None
        raise


_KEY_ADVICE = "Send `Authorization: Bearer ak_...`; an admin makes keys with `airside keys create`."


def _holder_of(needed: Role) -> Callable[[Request], Awaitable[Principal]]:
    async def dependency(request: Request) -> Principal:
        principal = await principal_of(request, request.app.state.plane.services.keys)
        if not allows(principal.role, needed):
            raise AirsideError(
                Code.FORBIDDEN,
                f"this needs the role {needed}; the key has {principal.role}",
                details={"needed": str(needed), "role": str(principal.role)},
            )
        return principal

    dependency.role = needed  # type: ignore[attr-defined]  # read by the test that enumerates every route
    return dependency


Viewer = Annotated[Principal, Depends(_holder_of(Role.VIEWER))]
Reviewer = Annotated[Principal, Depends(_holder_of(Role.REVIEWER))]
Operator = Annotated[Principal, Depends(_holder_of(Role.OPERATOR))]
Admin = Annotated[Principal, Depends(_holder_of(Role.ADMIN))]
