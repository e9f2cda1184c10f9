"""No faster than was asked for, slower where a provider asks for patience, and never stuck."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest_mailer.core.delivery import Accepted, Deferred, Outcome, Refused, Scope, Unknown
from digest_mailer.core.pacing import Limit, Pacer, asks_for_patience

TAKEN = Accepted("ok")
SLOW_DOWN = Deferred(Scope.RECIPIENT, "4.7.28 too fast", 421, "4.7.28")
FULL = Deferred(Scope.RECIPIENT, "4.2.2 full", 452, "4.2.2")


def go(pacer: Pacer, domain: str, now: float = 0.0) -> bool:
    """Send one if it may go."""
    if pacer.delay(domain, now):
        return False
    pacer.begin(domain)
    return True


def test_without_a_limit_everything_goes_at_once() -> None:
    pacer = Pacer()
    assert all(go(pacer, "gmail.com") for _ in range(1000))
    assert not pacer.busy


def test_a_rate_is_kept_to_the_message() -> None:
    pacer, now, sent = Pacer(per_second=5), 0.0, 0
    while now < 60:
        if wait := pacer.delay("a.ca", now):
            now += wait
        else:
            pacer.begin("a.ca")
            sent += 1
    assert 300 <= sent <= 306


@given(st.floats(0.1, 1000), st.lists(st.floats(0, 3), min_size=1, max_size=50))
def test_no_second_gets_more_than_twice_the_rate(rate: float, pauses: list[float]) -> None:
    """A bucket holds a second's worth, so a burst after a rest is bounded."""
    pacer, now, times = Pacer(per_second=rate), 0.0, []
    for pause in pauses:
        now += pause
        times += [now for _ in range(5) if go(pacer, "a.ca", now)]
    for start in times:
        assert sum(start <= one < start + 1 for one in times) <= 2 * max(rate, 1) + 1


def test_a_family_is_limited_as_one_and_others_are_not() -> None:
    pacer = Pacer(limits={"microsoft": Limit(in_flight=2)})
    assert [go(pacer, domain) for domain in ("outlook.com", "hotmail.fr", "live.ca", "clinic.ca")] == [
        True, True, False, True,
    ]  # fmt: skip
    pacer.end("hotmail.fr", TAKEN)
    assert go(pacer, "msn.com")


@pytest.mark.parametrize(
    ("domain", "family"),
    [("gmail.com", "google"), ("googlemail.com", "google"), ("outlook.fr", "microsoft"), ("aol.co.uk", "yahoo"),
     ("me.com", "apple"), ("notgmail.com", "notgmail.com"), ("live.clinic.ca", "live.clinic.ca"), ("a.ca", "a.ca")],
)  # fmt: skip
def test_domains_of_one_provider_are_a_family(domain: str, family: str) -> None:
    assert Pacer().family(domain) == family


def test_a_rate_of_a_family_is_by_the_minute() -> None:
    pacer = Pacer(limits={"google": Limit(per_minute=60)})
    assert [go(pacer, "gmail.com") for _ in range(3)] == [True, False, False]
    assert pacer.delay("gmail.com", 0.0) == pytest.approx(1.0)
    assert go(pacer, "gmail.com", 1.0)


def test_who_asks_for_patience_gets_half_and_then_one_more_at_a_time() -> None:
    pacer = Pacer()
    for _ in range(8):
        assert go(pacer, "gmail.com")
    pacer.end("gmail.com", SLOW_DOWN)
    assert pacer.busy
    assert not go(pacer, "googlemail.com")
    for _ in range(7):
        pacer.end("gmail.com", TAKEN)
    assert [go(pacer, "gmail.com") for _ in range(5)] == [True] * 4 + [False]
    for _ in range(20):
        pacer.end("gmail.com", TAKEN)
        go(pacer, "gmail.com")
    assert go(pacer, "gmail.com")


def test_what_was_asked_for_is_never_exceeded() -> None:
    pacer = Pacer(limits={"google": Limit(in_flight=3)})
    for _ in range(200):
        if go(pacer, "gmail.com"):
            continue
        pacer.end("gmail.com", TAKEN)
    flying = sum(go(pacer, "gmail.com") for _ in range(10))
    assert flying <= 3


@given(st.lists(st.sampled_from([TAKEN, SLOW_DOWN, FULL, None]), max_size=100))
def test_it_never_comes_to_a_stop(outcomes: list[Outcome | None]) -> None:
    """With nothing in flight, a message may always go."""
    pacer = Pacer()
    for outcome in outcomes:
        assert go(pacer, "gmail.com")
        pacer.end("gmail.com", outcome)


@pytest.mark.parametrize(
    ("outcome", "patience"),
    [
        (SLOW_DOWN, True),
        (Deferred(Scope.MESSAGE, "busy", 421), True),
        (Deferred(Scope.RECIPIENT, "4.7.1 greylisted", 451, "4.7.1"), True),
        (FULL, False),
        (Deferred(Scope.TRANSPORT, "gone", 421), False),
        (Refused(Scope.RECIPIENT, "5.7.1", 550, "5.7.1"), False),
        (Unknown("lost"), False),
        (TAKEN, False),
    ],
)
def test_only_a_servers_own_protection_asks_for_patience(outcome: Outcome, patience: bool) -> None:
    assert asks_for_patience(outcome) is patience


# -- what is heard behind a relay


def rate(pacer: Pacer, domain: str, now: float) -> float:
    """Messages a second that may go to the domain, once what was saved up is spent."""
    while not pacer.delay(domain, now):
        pacer.begin(domain)
        pacer.end(domain, None)
    times = []
    for _ in range(20):
        now += pacer.delay(domain, now)
        times.append(now)
        pacer.begin(domain)
        pacer.end(domain, None)
    return 19 / (times[-1] - times[0])


def test_who_sends_much_back_gets_half_as_much_and_slowly_more_again() -> None:
    pacer = Pacer()
    pacer.heed(30, {"gmail.com": 200, "googlemail.com": 100, "clinic.ca": 300}, {"gmail.com": 10, "googlemail.com": 10})
    assert pacer.busy
    assert rate(pacer, "googlemail.com", 100) == pytest.approx(5)  # they had ten a second
    assert not pacer.delay("clinic.ca", 100)
    pacer.heed(30, {"gmail.com": 150}, {"gmail.com": 20})
    assert rate(pacer, "gmail.com", 2000) == pytest.approx(2.5)
    rates = []
    for now in range(3000, 9000, 1000):
        pacer.heed(30, {"gmail.com": 100}, {})
        rates.append(rate(pacer, "gmail.com", now))
    assert rates[:3] == [pytest.approx(2.5 * 1.25**n) for n in (1, 2, 3)]
    assert rates == sorted(rates)
    for _ in range(5):
        pacer.heed(30, {"gmail.com": 100}, {})
    assert not pacer.delay("gmail.com", 20_000)  # as at the beginning


@pytest.mark.parametrize(
    ("handed", "troubled"),
    [(1000, 4), (1000, 50), (10, 4), (0, 4)],  # too few, or no more than a clean list has
)
def test_a_little_trouble_is_borne(handed: int, troubled: int) -> None:
    pacer = Pacer()
    pacer.heed(30, {"clinic.ca": handed}, {"clinic.ca": troubled})
    assert not pacer.busy


def test_trouble_with_what_went_long_ago_slows_to_a_crawl_at_most() -> None:
    pacer = Pacer()
    for _ in range(20):
        pacer.heed(30, {}, {"clinic.ca": 50})
    assert rate(pacer, "clinic.ca", 10_000) == pytest.approx(1 / 60)


def test_an_asked_rate_comes_back_after_trouble() -> None:
    pacer = Pacer(limits={"google": Limit(per_minute=60)})
    pacer.heed(30, {"gmail.com": 30}, {"gmail.com": 30})
    assert rate(pacer, "gmail.com", 100) == pytest.approx(0.5)
    for _ in range(4):
        pacer.heed(30, {"gmail.com": 15}, {})
    assert rate(pacer, "gmail.com", 10_000) == pytest.approx(1)


def test_a_million_domains_are_not_kept_in_mind() -> None:
    pacer = Pacer(per_second=1e9)
    for number in range(30_000):
        pacer.begin(f"clinic{number}.ca")
        pacer.end(f"clinic{number}.ca", Accepted())
    assert len(pacer._families) <= len(pacer._domains) + 1 <= 10_001
