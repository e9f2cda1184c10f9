"""The list of people that comes with the sample publication covers what a demonstration needs."""

import csv
from collections import Counter
from datetime import date
from functools import cache

import pytest

from core_support import ROOT, TODAY, catalogue, sample_issue
from digest_mailer.adapters.subscriber_csv import read_subscribers
from digest_mailer.core.audience import Candidate, State, eligible
from digest_mailer.core.edition import article_topics, keys_to_build, select
from digest_mailer.core.identity import ENGLISH
from digest_mailer.core.publication import NoMatch
from digest_mailer.core.topic import ordinals_of

FILE = ROOT / "subscribers.example.csv"
SELECTIONS = [key.positions for key in keys_to_build(3, [ENGLISH])]


@cache
def people() -> tuple[Candidate, ...]:
    with FILE.open("rb") as file:
        read = tuple(read_subscribers(file, catalogue(), today=TODAY))
    found = tuple(one for one in read if isinstance(one, Candidate))
    assert found == read, "every row of the sample can be imported"
    return found


def selection(person: Candidate) -> tuple[int, ...]:
    topics = article_topics(sample_issue(), catalogue())
    return select(topics, person.topics, all_topics=person.all_topics, no_match=NoMatch.SKIP)


def active() -> list[Candidate]:
    return [p for p in people() if eligible(p.state, p.paused_until, suppressed=False, today=TODAY) is None]


def test_there_are_people_for_a_demonstration() -> None:
    assert len(people()) >= 44


def test_the_header_is_the_one_that_the_reference_shows() -> None:
    with FILE.open(encoding="utf-8", newline="") as file:
        header = next(csv.reader(file))
    assert ",".join(header) == "email,name,language,topics,state,paused_until,consent_source,consent_date,role"


def test_every_state_that_a_file_can_say_occurs() -> None:
    assert {person.state for person in people()} == set(State) - {State.ERASED}


def test_one_pause_lasts_and_one_is_over() -> None:
    ends = {person.paused_until for person in people() if person.state is State.PAUSED}
    assert date(2099, 1, 1) in ends
    assert any(end and end < date(2024, 1, 1) for end in ends)


def test_every_topic_has_a_reader() -> None:
    followed = {ordinal for person in people() for ordinal in ordinals_of(person.topics)}
    assert followed == {topic.ordinal for topic in catalogue()}


def test_the_topic_with_commas_is_written_with_its_commas() -> None:
    with FILE.open(encoding="utf-8", newline="") as file:
        cells = [row["topics"] for row in csv.DictReader(file)]
    assert "Attendance, Attrition, and Drop-Out" in cells


@pytest.mark.parametrize("positions", SELECTIONS, ids=str)
def test_every_selection_of_the_newest_issue_has_two_active_readers(positions: tuple[int, ...]) -> None:
    assert Counter(selection(person) for person in active())[positions] >= 2


def test_some_active_readers_have_no_article_in_the_newest_issue() -> None:
    assert sum(1 for person in active() if any(person.topics) and not selection(person)) >= 2


def test_somebody_follows_everything_and_somebody_nothing() -> None:
    assert any(person.all_topics for person in active())
    assert any(not person.all_topics and not any(person.topics) for person in active())


def test_the_whole_issue_goes_to_followers_of_all_topics_and_to_choosers() -> None:
    whole = [person.all_topics for person in active() if selection(person) == (1, 2, 3)]
    assert {True, False} == set(whole)


def test_both_languages_have_active_readers() -> None:
    assert {person.language for person in active()} == {"en", "fr"}


@pytest.mark.parametrize("piece", ["é", "ü", "Å", "王", "Ł", "ا", "ע", "Д", "ễ", "'", '"', ","])
def test_names_are_as_varied_as_people(piece: str) -> None:
    assert any(piece in person.name for person in people())


def test_one_name_is_long_and_one_is_missing() -> None:
    lengths = [len(person.name) for person in people()]
    assert max(lengths) > 75
    assert min(lengths) == 0


def test_consent_comes_from_several_places_with_a_date() -> None:
    assert len({person.consent.source for person in people()}) >= 8
    assert all(date(2022, 1, 1) <= person.consent.given_on < TODAY for person in people())


def test_every_address_is_reserved_for_examples() -> None:
    assert all(person.address.is_reserved for person in people())


def test_roles_are_an_attribute() -> None:
    assert {p.attributes.get("role", "") for p in people()} == {"clinician", "researcher", "student", "educator", ""}
