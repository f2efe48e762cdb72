"""The judges of texts as configured, each with what it asks."""

import ipaddress
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import msgspec

from airside.config.guards import GuardSettings
from airside.config.judges import JudgeSettings
from airside.core.addresses import is_public
from airside.core.errors import AirsideError, Code
from airside.gateways.models.asides import Asides
from airside.gateways.models.guarding.judging import AsideModel
from airside.guards.defaults import wanted
from airside.guards.finding import Guard
from airside.guards.injection import classifier
from airside.guards.injection.judges.model import ProviderModel
from airside.guards.injection.judges.onnx import LocalModel
from airside.guards.injection.judges.remote import Address
from airside.guards.judge import NO_JUDGES, Ask, Judges, PieceByPiece
from airside.runs.webhooks import PublicResolver

_REPLY_BYTES_MAX = 65_536


def judges_of(settings: GuardSettings, asides: Asides) -> Judges:
    """Return the judges; raises `misconfigured` for a model in a folder that cannot be loaded."""
    if not settings.judges or not settings.enabled or not wanted(settings, Guard.INJECTION):
        return NO_JUDGES
    score_of = classifier.detector().score
    return Judges([PieceByPiece(one, _asked(one, asides), score_of) for one in settings.judges])


def _asked(settings: JudgeSettings, asides: Asides) -> Ask:
    if settings.folder:
        return LocalModel(settings.folder, settings.attack_labels, timeout_s=settings.timeout_s)
    if settings.model:
        return ProviderModel(settings.name, AsideModel(asides, settings.model, timeout_s=settings.timeout_s))
    return Address(settings, post)


async def post(url: str, value: Mapping[str, Any], *, timeout_s: float, allow_private: bool) -> Any:
    """Post JSON to an address and return the JSON that it answers; raises `upstream_failed`, also where it is private.

    The connection goes to the address that was looked at: a name that is resolved anew gains nothing.
    """
    if not allow_private and not _maybe_public(urlsplit(url).hostname or ""):
        raise AirsideError(Code.UPSTREAM_FAILED, "the judge's address is private (guards.judges: allow_private)")
    connector = aiohttp.TCPConnector(resolver=PublicResolver(allow_private=allow_private), use_dns_cache=False)
    patience = aiohttp.ClientTimeout(total=timeout_s)
    try:
        async with (
            aiohttp.ClientSession(timeout=patience, connector=connector, trust_env=False) as session,
            session.post(url, json=value, allow_redirects=False) as answer,
        ):
            if answer.status != 200:
                raise AirsideError(Code.UPSTREAM_FAILED, f"the judge answered {answer.status}")
            body = await answer.content.read(_REPLY_BYTES_MAX)
            return msgspec.json.decode(body)
    except (aiohttp.ClientError, OSError, msgspec.MsgspecError) as error:
        raise AirsideError(Code.UPSTREAM_FAILED, f"the judge gave no answer ({type(error).__name__})") from None


def _maybe_public(host: str) -> bool:
    """Whether a host is a public address, or a name, which is looked at when it is resolved."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return True
    return is_public(host)
