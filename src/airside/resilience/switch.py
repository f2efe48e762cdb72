"""A breaker as all processes share it: one row, and the pure steps from state to state.

closed -> open -> (cool-down) -> half-open, one probe at a time -> closed, or open again for longer. Instants are those
of the database's clock. A clock that goes back must not keep anything switched off, so what lies further ahead than it
can be is taken as past.
"""

from msgspec import Struct
from msgspec.structs import replace

from airside.config.resilience import BreakerSettings
from airside.core.clock import SECOND_US
from airside.core.dependencies import Sign

CLOSED, OPEN, HALF_OPEN = "closed", "open", "half_open"
RETRY_AFTER_S_MAX = 60.0
"""The longest time for which a dependency's own Retry-After switches it off."""


SKEW_US = 60 * SECOND_US
"""How far instants may lie ahead beyond that: a transaction that waited for the row has the time of its beginning."""


class Switch(Struct, frozen=True, kw_only=True):
    """One row of `breakers` without its key; see 0002_breakers.sql."""

    state: str = CLOSED
    forced: int = 0
    reason: str = ""
    trips: int = 0
    successes: int = 0
    opened_us: int = 0
    due_us: int = 0
    closed_us: int = 0
    probe_id: str = ""
    probe_until_us: int = 0
    resumed_us: int = 0


def opened(
    switch: Switch, reason: str, now_us: int, settings: BreakerSettings, retry_after_s: float | None = None
) -> Switch | None:
    """Return the switch turned off, or None if it is already, or an operator holds it."""
    if switch.state != CLOSED:
        return None
    again_soon = switch.trips and abs(now_us - switch.closed_us) < settings.window_s * SECOND_US
    trips = switch.trips + 1 if again_soon else 1
    return Switch(
        state=OPEN,
        reason=reason,
        trips=trips,
        opened_us=now_us,
        due_us=now_us + cool_down_us(trips, settings, retry_after_s),
    )


def cool_down_us(trips: int, settings: BreakerSettings, retry_after_s: float | None = None) -> int:
    """Return how long a breaker stays open after its n-th trip in a row, at least what the dependency asked for."""
    grown_s = settings.cool_down_s * settings.cool_down_factor ** min(trips - 1, 64)
    own_s = min(retry_after_s or 0.0, RETRY_AFTER_S_MAX)
    return int(max(min(grown_s, settings.cool_down_s_max), own_s) * SECOND_US)


def wait_us(switch: Switch, now_us: int, settings: BreakerSettings) -> int:
    """Return how long no probe may be claimed; 0 is now."""
    ahead_us = int(max(settings.cool_down_s_max, RETRY_AFTER_S_MAX) * SECOND_US) + SKEW_US
    lease_us = int(settings.probe_lease_s * SECOND_US) + SKEW_US
    due_in_us = switch.due_us - now_us if switch.due_us - now_us <= ahead_us else 0
    lease_left_us = switch.probe_until_us - now_us if switch.probe_id else 0
    if lease_left_us > lease_us:
        lease_left_us = 0
    return max(0, due_in_us, lease_left_us)


def claimed(switch: Switch, probe_id: str, now_us: int, settings: BreakerSettings) -> Switch | None:
    """Return the switch with a probe under way, or None if none may be now."""
    if switch.forced or wait_us(switch, now_us, settings):
        return None
    until_us = now_us + int(settings.probe_lease_s * SECOND_US)
    return replace(switch, state=HALF_OPEN, probe_id=probe_id, probe_until_us=until_us)


def ended(
    switch: Switch,
    probe_id: str,
    sign: Sign,
    now_us: int,
    settings: BreakerSettings,
    retry_after_s: float | None = None,
) -> Switch | None:
    """Return the switch after a probe has ended, or None if that says nothing.

    A probe that took longer than its lease, so that another has been let through, still counts if it was good: else
    calls that take long would never close anything.
    """
    if switch.state != HALF_OPEN or (switch.probe_id != probe_id and sign is not Sign.GOOD):
        return None
    free = replace(switch, probe_id="", probe_until_us=0) if switch.probe_id == probe_id else switch
    if sign is Sign.NONE:
        return replace(free, state=OPEN)
    if sign is Sign.GOOD:
        successes = switch.successes + 1
        if successes >= settings.probes:
            return Switch(state=CLOSED, trips=switch.trips, opened_us=switch.opened_us, closed_us=now_us)
        return replace(free, successes=successes, resumed_us=0)
    trips = switch.trips + 1
    due_us = now_us + cool_down_us(trips, settings, retry_after_s)
    return replace(free, state=OPEN, trips=trips, successes=0, due_us=due_us)


def held_open(switch: Switch, reason: str, now_us: int) -> Switch:
    """Return the switch turned off by an operator, until one turns it on again."""
    since_us = now_us if switch.state == CLOSED else switch.opened_us
    return Switch(state=OPEN, forced=1, reason=reason, trips=switch.trips, opened_us=since_us, due_us=now_us)


def released(now_us: int) -> Switch:
    """Return the switch turned on by an operator; what came before is forgotten."""
    return Switch(closed_us=now_us)
