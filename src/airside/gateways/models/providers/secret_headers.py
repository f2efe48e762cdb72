"""Credentials of providers that are `secret://` handles: filled in for each request."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from yarl import URL

from airside.core.lru import Lru
from airside.gateways.models.formats.port import Format
from airside.gateways.models.providers.filled import FilledHeaders
from airside.gateways.models.providers.http import Service
from airside.secrets.service import Secrets

KNOWN_MAX: Final = 8  # values of one provider that are looked for in its error texts


class WithSecrets:
    """`Service` around another whose credential is a handle."""

    def __init__(self, service: Service, secrets: Secrets) -> None:
        self._service = service
        self._secrets = secrets
        self._known: Lru[str, str] = Lru(KNOWN_MAX)
        self.languages: Sequence[Format] = service.languages
        self.prices = service.prices

    def url(self, language: Format, model: str, *, stream: bool) -> URL:
        """Return where a model is asked."""
        return self._service.url(language, model, stream=stream)

    def dress(self, language: Format, body: bytes) -> bytes:
        """Return the request as this provider wants it."""
        return self._service.dress(language, body)

    async def headers(self, url: URL, body: bytes) -> Mapping[str, str]:
        """Return the headers, with the value of the credential; raises TransientError if it cannot be had just now."""
        templates = await self._service.headers(url, body)
        return await FilledHeaders(templates, self._secrets, {}, lambda value: self._known.put(value, value)).fill()

    def unframed(self) -> Callable[[bytes], bytes] | None:
        """Return what turns pieces of a stream into events."""
        return self._service.unframed()

    def hidden(self) -> Sequence[str]:
        """Return the secrets that must not be told: the values that were used lately."""
        return (*self._service.hidden(), *self._known)
