"""The states of a breaker: growth, trials, clocks that jump."""

from msgspec.structs import replace

from airside.config.resilience import BreakerSettings
from airside.core.clock import SECOND_US
from airside.core.dependencies import Sign
from airside.resilience.switch import (
    CLOSED,
    HALF_OPEN,
    OPEN,
    Switch,
    claimed,
    cool_down_us,
    ended,
    held_open,
    opened,
    wait_us,
)

SETTINGS = BreakerSettings()
NOW = 1_000_000 * SECOND_US


def off(now_us: int = NOW) -> Switch:
    found = opened(Switch(), "broken", now_us, SETTINGS)
    assert found
    return found


def probing(switch: Switch, now_us: int) -> Switch:
    found = claimed(switch, "p", now_us, SETTINGS)
    assert found
    return found


def test_the_cool_down_grows_with_each_failed_trial_up_to_its_limit() -> None:
    assert [cool_down_us(n, SETTINGS) // SECOND_US for n in (1, 2, 3, 4, 5, 10_000)] == [1, 2, 4, 5, 5, 5]


def test_a_retry_after_lengthens_it_within_bounds() -> None:
    assert cool_down_us(1, SETTINGS, 30) == 30 * SECOND_US
    assert cool_down_us(1, SETTINGS, 86_400) == 60 * SECOND_US


def test_only_a_closed_breaker_trips() -> None:
    assert opened(off(), "again", NOW, SETTINGS) is None
    assert opened(held_open(Switch(), "by hand", NOW), "x", NOW, SETTINGS) is None


def test_a_breaker_that_flaps_cools_down_longer_each_time() -> None:
    switch, now_us = Switch(), NOW
    waits = []
    for _ in range(4):
        tripped = opened(switch, "broken", now_us, SETTINGS)
        assert tripped
        waits.append((tripped.due_us - now_us) // SECOND_US)
        now_us = tripped.due_us
        for _ in range(SETTINGS.probes):
            tripped = ended(probing(tripped, now_us), "p", Sign.GOOD, now_us, SETTINGS)
            assert tripped
        switch, now_us = tripped, now_us + SECOND_US
        assert switch.state == CLOSED
    assert waits == [1, 2, 4, 5]
    later = opened(switch, "broken", now_us + 60 * SECOND_US, SETTINGS)
    assert later is not None
    assert later.trips == 1, "a breaker that stayed closed for long begins anew"


def test_one_probe_at_a_time_and_not_before_the_cool_down() -> None:
    switch = off()
    assert claimed(switch, "p", switch.due_us - 1, SETTINGS) is None
    first = probing(switch, switch.due_us)
    assert first.state == HALF_OPEN
    assert claimed(first, "q", switch.due_us, SETTINGS) is None
    assert claimed(first, "q", first.probe_until_us, SETTINGS) is not None, "the prober has died"


def test_a_claim_that_began_before_another_was_made_does_not_take_it_for_a_clock_that_went_back() -> None:
    switch = off()
    first = probing(switch, switch.due_us + SECOND_US)
    assert claimed(first, "q", switch.due_us, SETTINGS) is None


def test_the_end_of_a_probe_that_was_given_away_changes_nothing() -> None:
    switch = off()
    first = probing(switch, switch.due_us)
    second = claimed(first, "q", first.probe_until_us, SETTINGS)
    assert second
    assert ended(second, "p", Sign.FAILED, first.probe_until_us, SETTINGS) is None


def test_calls_that_take_longer_than_a_lease_close_it_all_the_same() -> None:
    now_us = off().due_us
    switch: Switch | None = off()
    for number in range(SETTINGS.probes):
        assert switch
        slow = claimed(switch, f"slow {number}", now_us, SETTINGS)
        assert slow
        now_us = slow.probe_until_us
        overtaken = claimed(slow, f"next {number}", now_us, SETTINGS)
        assert overtaken
        switch = ended(overtaken, f"slow {number}", Sign.GOOD, now_us, SETTINGS)
        now_us += 60 * SECOND_US
    assert switch
    assert switch.state == CLOSED


def test_a_cancelled_probe_says_nothing_and_the_next_may_be_at_once() -> None:
    switch = off()
    freed = ended(probing(switch, switch.due_us), "p", Sign.NONE, switch.due_us, SETTINGS)
    assert freed
    assert (freed.state, freed.trips) == (OPEN, switch.trips)
    assert claimed(freed, "q", switch.due_us, SETTINGS)


def test_a_failed_trial_forgets_the_good_one_before_it() -> None:
    switch = off()
    good = ended(probing(switch, switch.due_us), "p", Sign.GOOD, switch.due_us, SETTINGS)
    assert good
    assert (good.state, good.successes) == (HALF_OPEN, 1)
    bad = ended(probing(good, switch.due_us), "p", Sign.FAILED, switch.due_us, SETTINGS)
    assert bad
    assert (bad.state, bad.successes, bad.trips) == (OPEN, 0, 2)


def test_a_clock_that_goes_back_an_hour_keeps_nothing_off_for_an_hour() -> None:
    switch = off()
    back_us = NOW - 3_600 * SECOND_US
    assert wait_us(switch, back_us, SETTINGS) == 0
    stuck = replace(switch, due_us=0, probe_id="p", probe_until_us=NOW + 15 * SECOND_US)
    assert claimed(stuck, "q", back_us, SETTINGS)


def test_what_an_operator_holds_is_never_tried() -> None:
    assert claimed(held_open(off(), "maintenance", NOW), "p", NOW + 10**15, SETTINGS) is None
