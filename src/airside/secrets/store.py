"""The port of stores, and what their failures mean."""

import hashlib
import os
from collections.abc import Sequence
from typing import Any, Final, Protocol

from airside.core.errors import AirsideError, Code, TransientError
from airside.secrets.lease import Document

_KEY: Final = os.urandom(32)


class Store(Protocol):
    """A place that secrets come from. Names are what a handle has after the store, fields left out.

    Every method may raise TransientError `secret_unavailable` where asking again may help, AirsideError
    `secret_unavailable` where it will not, and takes at most about `secrets.timeout_s`.
    """

    async def fetch(self, name: str) -> Document:
        """Return what the store has now."""
        ...

    async def others(self, name: str) -> Sequence[Document]:
        """Return versions beside the current one that may be in force while a rotation is under way, best first."""
        ...

    async def renew(self, document: Document) -> Document | None:
        """Return the same values for a longer time, or None if only `fetch` can help."""
        ...

    async def check(self) -> None:
        """Return if the store can be reached and lets us in."""
        ...

    async def put(self, name: str, content: str | dict[str, str]) -> None:
        """Write a new version; raises AirsideError `invalid_request` where this cannot be done from here."""
        ...

    async def close(self) -> None:
        """Give back leases and connections."""
        ...


def version_of(content: Any) -> str:
    """Return a name for contents, for stores without versions: keyed, so that it says nothing outside this process."""
    return hashlib.blake2b(repr(content).encode(errors="replace"), key=_KEY, digest_size=12).hexdigest()


def down(store: str, why: str, **details: bool) -> TransientError:
    """Return the error of a store that does not answer as it should just now."""
    return TransientError(
        Code.SECRET_UNAVAILABLE,
        f"the store {store} {why}",
        advice=f"Look at it with `airside secrets check`; it is described under secrets.stores.{store}.",
        details={"not_sent": True, **details},
    )


def missing(store: str, name: str) -> AirsideError:
    """Return the error of a secret that is not there: asking again does not help."""
    return AirsideError(
        Code.SECRET_UNAVAILABLE,
        f"the store {store} has nothing under {name}",
        advice="Write it there, or correct the handle.",
        details={"not_sent": True, "missing": True},
    )


def cannot(store: str, what: str) -> AirsideError:
    """Return the error of something that a kind of store does not do."""
    return AirsideError(Code.INVALID_REQUEST, f"the store {store} cannot {what}", advice="Do it where it is kept.")
