"""Secrets for one process: the configured stores behind one cache, given back when the process ends."""

from contextlib import AsyncExitStack

from airside.config.settings import Settings
from airside.core.clock import Clock
from airside.secrets.service import Secrets
from airside.secrets.stores.configured import stores
from airside.secrets.watch import Watch


def open_secrets(settings: Settings, clock: Clock, stack: AsyncExitStack) -> Secrets:
    """Make what resolves handles; nothing is fetched yet. Raises AirsideError `misconfigured`."""
    made = Secrets(stores(settings.secrets), settings.secrets, clock, Watch(clock, settings.secrets.remember_s))
    stack.push_async_callback(made.close)
    return made
