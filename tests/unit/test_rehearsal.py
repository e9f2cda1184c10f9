"""Faults of a rehearsal: how they are written, how often they come, and that they come again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest_mailer.adapters.transports.sandbox import Mischief, parse_sandbox
from digest_mailer.core.errors import ConfigError
from digest_mailer.core.rehearsal import Fault, Faults, parse_faults

PEOPLE = [f"reader{number}@example.org" for number in range(4000)]


def befallen(faults: Faults, attempt: int = 1) -> dict[str, Fault]:
    found = {address: faults.of_message(address, attempt) for address in PEOPLE}
    return {address: fault for address, fault in found.items() if fault}


@pytest.mark.parametrize(
    ("text", "rates"),
    [
        ("4xx=5%,5xx=1%,drop=0.1%", {Fault.LATER: 0.05, Fault.NEVER: 0.01, Fault.DROP: 0.001}),
        ("stall=.25, slow = 1", {Fault.STALL: 0.25, Fault.SLOW: 1}),
        ("half-open=100%,tls=100%,slow=100%,drop-lost=100%", dict.fromkeys(
            (Fault.HALF_OPEN, Fault.TLS, Fault.SLOW, Fault.DROP_LOST), 1)),
        ("drop-data=0%", {Fault.DROP_DATA: 0}),
        ("4xx=70%,5xx=20%,drop=10%", {Fault.LATER: 0.7, Fault.NEVER: 0.2, Fault.DROP: 0.1}),  # 100%, but for binary
        ("storm=3", {}),
    ],
)  # fmt: skip
def test_a_rate_is_in_percent_or_a_number_up_to_one(text: str, rates: dict[Fault, float]) -> None:
    faults = parse_faults(text, 9)
    assert faults.rates == pytest.approx(rates)
    assert faults.seed == 9
    assert faults.any == (text != "drop-data=0%")


@pytest.mark.parametrize(
    ("text", "what", "hint"),
    [
        ("", "unknown fault ''", "4xx=5%"),
        ("5x=1%", "unknown fault '5x'", 'did you mean "5xx"?'),
        ("drop_data=1%", "unknown fault 'drop_data'", 'did you mean "drop-data"?'),
        ("Stall=1%", "unknown fault 'Stall'", 'did you mean "stall"?'),
        ("halfopen=1%", "unknown fault 'halfopen'", 'did you mean "half-open"?'),
        ("4xx=1%,", "unknown fault ''", "4xx=5%"),
        ("4xx", "4xx= is no rate", "4xx=5%"),
        ("4xx=5", "4xx=5 is no rate", "4xx=0.05"),
        ("4xx=101%", "4xx=101% is no rate", "4xx=5%"),
        ("4xx=-1%", "4xx=-1% is no rate", "4xx=5%"),
        ("4xx=nan", "4xx=nan is no rate", "4xx=5%"),
        ("4xx=1e-3", "4xx=1e-3 is no rate", "4xx=5%"),
        ("4xx=٥%", "4xx=٥% is no rate", "4xx=5%"),
        ("drop=1%,drop=2%", "the fault drop stands twice", "keep one"),
        ("4xx=60%,5xx=41%", "the faults of a message come to 101%", "4xx, 5xx may come to 100% at most"),
        ("seed=4", "no fault is named", "4xx=5%"),
        ("storm=0", "no fault is named", "4xx=5%"),
        ("storm=5%", "storm=5% is not a whole number", "storm=50"),
        ("drop=1%,seed=x", "seed=x is not a whole number", "seed=7"),
    ],
)
def test_what_cannot_be_read_is_named_with_a_way_on(text: str, what: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_faults(text, 1)
    assert caught.value.what == what
    assert hint in caught.value.hint


@given(
    st.dictionaries(st.sampled_from(Fault), st.integers(0, 1600).map(lambda number: number / 10_000)),
    st.integers(1, 10**9),
    st.integers(0, 10**9),
)
def test_what_is_said_of_faults_reads_back_to_the_same(rates: dict[Fault, float], storm: int, seed: int) -> None:
    said = str(Faults(rates, storm, seed))
    again = parse_faults(said, seed + 1)
    assert again.rates == pytest.approx(rates)
    assert (again.storm, again.seed) == (storm, seed)
    assert parse_sandbox(f"?fail={said}", 0) == parse_sandbox(f"?fail={said.replace('%', '%25')}", 0) == again


def test_the_url_of_the_sandbox_names_faults_or_nothing() -> None:
    assert parse_sandbox("", 7) is None
    assert parse_sandbox("?fail=4xx=10%25,5xx=5%", 7) == Faults({Fault.LATER: 0.1, Fault.NEVER: 0.05}, seed=7)
    with pytest.raises(ConfigError, match="unknown key 'fial'") as caught:
        parse_sandbox("?fial=4xx=10%", 7)
    assert caught.value.hint == 'did you mean "fail"?'


def test_faults_come_about_as_often_as_they_are_asked_for() -> None:
    faults = parse_faults("4xx=20%,5xx=10%,drop-data=5%,drop=5%,drop-lost=5%,stall=5%,seed=1", 0)
    found = list(befallen(faults).values())
    for fault, rate in faults.rates.items():
        assert found.count(fault) / len(PEOPLE) == pytest.approx(rate, abs=0.02)
    connections = parse_faults("half-open=25%,seed=1", 0)
    struck = sum(connections.strikes(Fault.HALF_OPEN, number) for number in range(4000))
    assert struck / 4000 == pytest.approx(0.25, abs=0.03)


def test_nothing_and_everything_are_exact() -> None:
    assert befallen(parse_faults("drop=0,seed=3", 0)) == {}
    assert set(befallen(parse_faults("stall=1,seed=3", 0)).values()) == {Fault.STALL}
    assert len(befallen(parse_faults("stall=1,seed=3", 0))) == len(PEOPLE)
    slow = parse_faults("slow=1", 3)
    assert all(slow.strikes(Fault.SLOW, number) for number in range(500))
    assert not any(slow.strikes(Fault.TLS, number) for number in range(500))
    assert befallen(slow) == {}


def test_the_same_seed_gives_the_same_faults_and_another_others() -> None:
    first, again = (befallen(parse_faults("drop=10%", 7)) for _ in range(2))
    assert first == again
    assert first != befallen(parse_faults("drop=10%", 8))


def test_another_try_is_another_draw() -> None:
    faults = parse_faults("drop=50%", 7)
    assert befallen(faults, 1) != befallen(faults, 2)


def test_a_storm_refuses_the_first_for_now_whoever_they_are_and_is_no_try() -> None:
    mischief = Mischief(parse_faults("storm=3,drop=100%", 7))
    assert [mischief.next_message(address) for address in PEOPLE[:5]] == [Fault.LATER] * 3 + [Fault.DROP] * 2
    calm, stormy = (Mischief(parse_faults(f"{storm}drop=50%", 7)) for storm in ("", "storm=9,"))
    assert [stormy.next_message(PEOPLE[0]) for _ in range(9)] == [Fault.LATER] * 9
    assert [calm.next_message(one) for one in PEOPLE] == [stormy.next_message(one) for one in reversed(PEOPLE)][::-1]
