"""What every role of a process stands on: settings, clock, database and keys."""

from contextlib import AsyncExitStack

from msgspec import Struct

from airside.composition.policy import open_policy
from airside.composition.secrets import open_secrets
from airside.config.installation import database_url, master_key_file, prepare_folder
from airside.config.settings import Settings
from airside.core.clock import Clock, SystemClock
from airside.core.ids import new_id
from airside.core.ports import Keyring
from airside.journal.backend import Backend, connect
from airside.journal.master_key import load_master_key
from airside.journal.observed import ObservedJournal
from airside.journal.sealing import DatabaseKeyring
from airside.policy.live import LivePolicy
from airside.resilience.services import Resilience
from airside.runs.levels import Levels
from airside.secrets.service import Secrets


class Ground(Struct, frozen=True):
    """What every role stands on."""

    settings: Settings
    clock: Clock
    backend: Backend
    keyring: Keyring
    resilience: Resilience
    levels: Levels
    secrets: Secrets
    policy: LivePolicy


async def open_ground(settings: Settings, stack: AsyncExitStack) -> Ground:
    """Open the database and the keys."""
    prepare_folder(settings)
    master_key = load_master_key(master_key_file(settings))
    backend = await connect(database_url(settings), settings=settings.database, executor_id=new_id("exe"))
    stack.push_async_callback(backend.close)
    keyring = DatabaseKeyring(backend.database, master_key)
    await keyring.prove(settings.tenant)
    clock = SystemClock()
    resilience = await stack.enter_async_context(Resilience.open(settings, backend.database, clock))
    levels = Levels(backend.database, settings.budgets.levels, resilience.notices)
    stack.push_async_callback(levels.settled)
    watched = Backend(backend.database, ObservedJournal(backend.journal, levels))
    secrets = open_secrets(settings, clock, stack)
    policy = open_policy(settings, backend.database, resilience.notices, master_key, stack)
    return Ground(settings, clock, watched, keyring, resilience, levels, secrets, policy)
