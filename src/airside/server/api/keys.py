"""API keys: make, list, revoke. Admins only; a secret is shown once."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from pydantic import Field

from airside.core.errors import AirsideError, Code
from airside.core.run import Role
from airside.runs.keys import NAME_CHARACTERS_MAX
from airside.server.api.plane_of import PlaneOf
from airside.server.api.strict import Body, StrictRoute
from airside.server.auth import Admin

router = APIRouter(prefix="/api/v1/keys", tags=["keys"], route_class=StrictRoute)
KeyId = Annotated[str, Path(max_length=100)]


class NewKey(Body):
    """A key to make."""

    name: str = Field(min_length=1, max_length=NAME_CHARACTERS_MAX, description="whose it is or what for")
    role: Role = Field(strict=False)


@router.post("", status_code=201)
async def create(new: NewKey, admin: Admin, plane: PlaneOf, response: Response) -> dict[str, Any]:
    """Make a key. The answer holds its secret, which is never shown again."""
    key_id, secret = await plane.services.keys.create(admin.tenant_id, new.name, new.role, admin.key_id)
    response.headers["cache-control"] = "no-store"
    return {"id": key_id, "name": new.name, "role": str(new.role), "secret": secret}


@router.get("")
async def listed(admin: Admin, plane: PlaneOf) -> dict[str, Any]:
    """List keys (at most 200), oldest first, without their secrets."""
    return {"items": [_public(row) for row in await plane.services.keys.list(admin.tenant_id)]}


@router.delete("/{key_id}")
async def revoke(key_id: KeyId, admin: Admin, plane: PlaneOf) -> dict[str, Any]:
    """Revoke a key; an admin cannot revoke the key in use, so that one admin key always remains."""
    if key_id == admin.key_id:
        raise AirsideError(
            Code.CONFLICT, "a key cannot revoke itself", advice="Use another admin key, or make one with `keys create`."
        )
    await plane.services.keys.revoke(admin.tenant_id, key_id, admin.key_id)
    return {"id": key_id, "revoked": True}


def _public(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": row["key_id"],
        "name": row["name"],
        "role": row["role"],
        "created_us": row["created_us"],
        "revoked_us": row["revoked_us"],
    }
