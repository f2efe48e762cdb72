"""Secrets for one process: the configured stores behind one cache, given back when the process ends."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial

from airside.config.settings import Settings
from airside.core.call import Call
from airside.core.clock import Clock
from airside.core.ports import Notices
from airside.gateways.tools.egress import Egress, refuse_ungranted
from airside.secrets.grants import Grants
from airside.secrets.service import Secrets
from airside.secrets.stores.configured import stores
from airside.secrets.watch import Watch


def open_secrets(settings: Settings, clock: Clock, stack: AsyncExitStack) -> Secrets:
    """Make what resolves handles; nothing is fetched yet. Raises AirsideError `misconfigured`."""
    made = Secrets(stores(settings.secrets), settings.secrets, clock, Watch(clock, settings.secrets.remember_s))
    stack.push_async_callback(made.close)
    return made


def egress_step(settings: Settings, secrets: Secrets, notices: Notices, clock: Clock) -> Egress:
    """Return the last step of tool calls: secrets in, secrets out."""
    return Egress(secrets, _grants(settings), notices, clock)


def granted_only(settings: Settings) -> Callable[[Call], None]:
    """Return what refuses calls with handles that nobody granted, before policy and reviewers see them."""
    return partial(refuse_ungranted, _grants(settings))


def _grants(settings: Settings) -> Grants:
    return Grants(settings.secrets.grants, settings.tenant)
