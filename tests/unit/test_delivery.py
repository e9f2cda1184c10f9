"""What follows an attempt: every outcome has one answer, and no sequence of them goes on for ever."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core_support import NOON
from digest_mailer.core.delivery import (
    OPEN,
    Accepted,
    Deferred,
    Done,
    GiveUp,
    HandOff,
    Hold,
    Outcome,
    PutBack,
    Refused,
    Retry,
    RetryPolicy,
    Scope,
    Step,
    Unknown,
)

POLICY = RetryPolicy()
MAX_AGE = timedelta(hours=48)
MINUTE = timedelta(minutes=1)
scopes = st.sampled_from(list(Scope))
replies = st.text(max_size=20)
outcomes: st.SearchStrategy[Outcome] = st.one_of(
    st.builds(Accepted, replies),
    st.builds(Deferred, scopes, replies, st.none() | st.integers(400, 499)),
    st.builds(Refused, scopes, replies, st.none() | st.integers(500, 599)),
    st.builds(Unknown, replies),
)
jitters = st.floats(0, 1)
policies = st.builds(
    RetryPolicy,
    st.lists(st.timedeltas(timedelta(seconds=1), timedelta(days=2)), max_size=6).map(tuple),
)


def step(outcome: Outcome, attempt: int = 1, now: datetime = NOON, jitter: float = 0.5) -> Step:
    return POLICY.next_step(outcome, attempt, NOON + MAX_AGE, now, jitter)


def test_an_accepted_message_is_done() -> None:
    assert step(Accepted("250 2.0.0 ok")) == Done()


@pytest.mark.parametrize("attempt", [1, 2, 100])
def test_an_unknown_one_is_held_and_never_repeated(attempt: int) -> None:
    assert step(Unknown("connection lost"), attempt) == Hold()


@pytest.mark.parametrize("scope", [Scope.RECIPIENT, Scope.MESSAGE])
def test_a_refusal_of_mailbox_or_message_is_final(scope: Scope) -> None:
    assert step(Refused(scope, "550 5.1.1 no such user", 550)) == GiveUp(HandOff.REFUSED)


@pytest.mark.parametrize("scope", [Scope.TRANSPORT, Scope.ACCOUNT])
def test_a_fault_of_the_way_puts_the_message_back(scope: Scope) -> None:
    assert step(Deferred(scope, "421 4.3.0 later")) == PutBack(stop=False)
    assert step(Refused(scope, "535 5.7.8 wrong password")) == PutBack(stop=True)


@pytest.mark.parametrize("scope", [Scope.RECIPIENT, Scope.MESSAGE])
def test_a_deferral_of_mailbox_or_message_is_tried_again(scope: Scope) -> None:
    assert step(Deferred(scope, "450 4.2.1 greylisted", 450)) == Retry(NOON + MINUTE)


@pytest.mark.parametrize(("attempt", "minutes"), [(1, 1), (2, 5), (3, 15), (4, 60), (5, 240), (6, 720), (7, 1440)])
def test_the_pauses_grow(attempt: int, minutes: int) -> None:
    assert step(Deferred(Scope.RECIPIENT, "450 later"), attempt) == Retry(NOON + minutes * MINUTE)


def test_there_are_two_tries_in_the_first_hour() -> None:
    """RFC 5321 section 4.5.4.1."""
    latest = [POLICY.delays[n] * 1.2 for n in (0, 1)]
    assert sum(latest, timedelta(0)) < timedelta(hours=1)


def test_after_the_last_try_the_message_expires() -> None:
    assert step(Deferred(Scope.RECIPIENT, "450 later"), len(POLICY.delays) + 1) == GiveUp(HandOff.EXPIRED)


def test_no_try_is_planned_when_the_digest_would_be_stale() -> None:
    last = NOON + MAX_AGE - MINUTE
    assert step(Deferred(Scope.RECIPIENT, "450 later"), 1, last) == Retry(NOON + MAX_AGE)
    assert step(Deferred(Scope.RECIPIENT, "450 later"), 1, last + MINUTE) == GiveUp(HandOff.EXPIRED)


@given(outcomes, policies, st.integers(1, 50), st.timedeltas(timedelta(0), timedelta(days=9)), jitters)
def test_every_outcome_has_an_answer(
    outcome: Outcome, policy: RetryPolicy, attempt: int, age: timedelta, jitter: float
) -> None:
    now = NOON + age
    answer = policy.next_step(outcome, attempt, NOON + MAX_AGE, now, jitter)
    if isinstance(answer, Retry):
        assert now < answer.at <= NOON + MAX_AGE
    if isinstance(answer, GiveUp):
        assert answer.state not in OPEN


@given(st.integers(1, 7), jitters)
def test_jitter_moves_a_try_by_at_most_a_fifth(attempt: int, jitter: float) -> None:
    plain = POLICY.delays[attempt - 1]
    answer = step(Deferred(Scope.RECIPIENT, "450 later"), attempt, NOON, jitter)
    assert isinstance(answer, Retry)
    assert plain * 0.8 <= answer.at - NOON <= plain * 1.2


@given(st.lists(outcomes, min_size=14, max_size=14), policies, jitters)
def test_no_sequence_of_outcomes_goes_on_for_ever(some: list[Outcome], policy: RetryPolicy, jitter: float) -> None:
    """Faults of the way do not count as tries; without them a message is tried at most once more than it has pauses."""
    now, tries = NOON, 0
    for outcome in some:
        answer = policy.next_step(outcome, tries + 1, NOON + MAX_AGE, now, jitter)
        if isinstance(answer, PutBack):
            continue
        tries += 1
        if not isinstance(answer, Retry):
            break
        now = answer.at
    assert tries <= len(policy.delays) + 1
    assert now <= NOON + MAX_AGE


def test_what_is_open_is_what_may_still_arrive() -> None:
    assert set(HandOff) - set(OPEN) == {
        HandOff.ACCEPTED,
        HandOff.REFUSED,
        HandOff.SUPPRESSED,
        HandOff.CANCELLED,
        HandOff.EXPIRED,
    }
