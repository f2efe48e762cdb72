"""Secrets from environment variables that the configuration names: for a start, and for tests."""

import os
from collections.abc import Sequence

from airside.config.secrets import StoreSettings
from airside.secrets.lease import Document, text_of
from airside.secrets.store import cannot, missing, version_of


class EnvStore:
    """`Store` for `kind: env`. Variables that are not named in `names` do not exist for it."""

    def __init__(self, name: str, settings: StoreSettings) -> None:
        self._name = name
        self._names = frozenset(settings.names)

    async def fetch(self, name: str) -> Document:
        """Return a variable's value."""
        raw = os.environb.get(name.encode()) if name in self._names else None
        if raw is None:
            raise missing(self._name, name)
        text = text_of(raw, f"the variable {name}")
        return Document(text, version_of(text))

    async def others(self, name: str) -> Sequence[Document]:  # noqa: ARG002 - there are none
        """Return nothing."""
        return ()

    async def renew(self, document: Document) -> Document | None:  # noqa: ARG002 - nothing is leased
        """Return None."""
        return None

    async def check(self) -> None:
        """Return: an environment is always there."""

    async def put(self, name: str, content: str | dict[str, str]) -> None:  # noqa: ARG002 - the port's signature
        """Refuse: a process cannot change the environment it was started with."""
        raise cannot(self._name, "be written")

    async def close(self) -> None:
        """Nothing is held."""
