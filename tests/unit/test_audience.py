"""Who is entitled to mail, and what an import may change."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest_mailer.core.audience import Exclusion, State, eligible, has_left, more_restricted

TODAY = date(2023, 7, 1)
states = st.sampled_from(list(State))
pauses = st.none() | st.dates()


@given(states, pauses)
def test_only_the_active_and_those_whose_pause_is_over_get_mail(state: State, until: date | None) -> None:
    may = eligible(state, until, suppressed=False, today=TODAY) is None
    over = state is State.PAUSED and until is not None and until <= TODAY
    assert may == (state is State.ACTIVE or over)


@given(states, pauses)
def test_nobody_suppressed_gets_mail(state: State, until: date | None) -> None:
    assert eligible(state, until, suppressed=True, today=TODAY) is Exclusion.SUPPRESSED


def test_a_pause_ends_on_its_day() -> None:
    assert eligible(State.PAUSED, TODAY, suppressed=False, today=TODAY - timedelta(1)) is Exclusion.PAUSED
    assert eligible(State.PAUSED, TODAY, suppressed=False, today=TODAY) is None


def test_a_pause_without_a_date_lasts() -> None:
    assert eligible(State.PAUSED, None, suppressed=False, today=date.max) is Exclusion.PAUSED


def test_every_exclusion_says_which() -> None:
    told = {state: eligible(state, None, suppressed=False, today=TODAY) for state in State}
    assert told == {
        State.PENDING: Exclusion.PENDING,
        State.ACTIVE: None,
        State.PAUSED: Exclusion.PAUSED,
        State.UNSUBSCRIBED: Exclusion.UNSUBSCRIBED,
        State.BOUNCED: Exclusion.BOUNCED,
        State.COMPLAINED: Exclusion.COMPLAINED,
        State.ERASED: Exclusion.ERASED,
    }


@given(states, states)
def test_an_import_never_restricts_less(now: State, wanted: State) -> None:
    after = more_restricted(now, wanted)
    assert after in (now, wanted)
    assert more_restricted(after, now) == after == more_restricted(wanted, now)


@given(states, states, states)
def test_imports_have_the_same_end_in_any_order(one: State, two: State, three: State) -> None:
    assert more_restricted(more_restricted(one, two), three) == more_restricted(one, more_restricted(two, three))


@pytest.mark.parametrize("now", [state for state in State if has_left(state)])
def test_who_has_left_stays_out(now: State) -> None:
    assert all(has_left(more_restricted(now, wanted)) for wanted in State)


def test_an_import_never_confirms_for_somebody_else() -> None:
    """A pause ends by itself, so a pending person who became a paused one would get mail unconfirmed."""
    assert more_restricted(State.PENDING, State.PAUSED) is State.PENDING
    assert more_restricted(State.PENDING, State.ACTIVE) is State.PENDING


def test_only_four_states_are_out_for_good() -> None:
    out = {state for state in State if has_left(state)}
    assert out == {State.UNSUBSCRIBED, State.BOUNCED, State.COMPLAINED, State.ERASED}
