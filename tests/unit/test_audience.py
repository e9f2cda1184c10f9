"""Who is entitled to mail, and what an import may change."""

from datetime import date, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core_support import FRENCH, address_of
from digest_mailer.core.audience import (
    EVERYBODY,
    Exclusion,
    Segment,
    State,
    Subscriber,
    eligible,
    has_left,
    matches,
    more_restricted,
)
from digest_mailer.core.identity import ENGLISH, SubscriberId
from digest_mailer.core.topic import MAX_TOPICS, words_of

TODAY = date(2023, 7, 1)
states = st.sampled_from(list(State))
pauses = st.none() | st.dates()
ordinals = st.frozensets(st.integers(0, MAX_TOPICS - 1), max_size=4)


def subscriber_of(*topics: int, all_topics: bool = False, role: str = "") -> Subscriber:
    attributes = {"role": role} if role else {}
    return Subscriber(
        SubscriberId(1), address_of(), topics=words_of(topics), all_topics=all_topics, attributes=attributes
    )


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


@given(ordinals, st.booleans(), states)
def test_everybody_is_in_the_segment_of_everybody(topics: frozenset[int], every: bool, state: State) -> None:
    person = Subscriber(SubscriberId(1), address_of(), state, topics=words_of(topics), all_topics=every)
    assert matches(EVERYBODY, person)


@given(ordinals, ordinals, ordinals, ordinals)
def test_topics_of_a_segment_are_those_of_sets(
    mine: frozenset[int], some: frozenset[int], every: frozenset[int], none: frozenset[int]
) -> None:
    segment = Segment("x", any_topics=words_of(some), all_topics=words_of(every), no_topics=words_of(none))
    wanted = (not some or bool(mine & some)) and every <= mine and not mine & none
    assert matches(segment, subscriber_of(*mine)) == wanted


@given(ordinals, ordinals, ordinals)
def test_a_follower_of_everything_follows_each(
    some: frozenset[int], every: frozenset[int], none: frozenset[int]
) -> None:
    segment = Segment("x", any_topics=words_of(some), all_topics=words_of(every), no_topics=words_of(none))
    assert matches(segment, subscriber_of(all_topics=True)) == (not none)


def test_a_segment_may_name_languages_and_attributes() -> None:
    french = Segment("x", languages=(FRENCH,))
    students = Segment("x", attributes={"role": "student"})
    both = Segment("x", languages=(ENGLISH, FRENCH), attributes={"role": "student", "city": "Ottawa"})
    student = subscriber_of(role="student")
    told = [matches(segment, student) for segment in (french, students, both)]
    assert told == [False, True, False]


def test_all_conditions_of_a_segment_must_hold() -> None:
    parts = {"any_topics": words_of([1]), "languages": (ENGLISH,), "attributes": {"role": "student"}}
    for topic, role in product((1, 2), ("student", "educator")):
        held = matches(Segment("x", **parts), subscriber_of(topic, role=role))  # type: ignore[arg-type]
        assert held == (topic == 1 and role == "student")
