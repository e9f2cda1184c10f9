"""Segments: which people match, and the line that people type for them."""

import re
from dataclasses import replace
from datetime import date, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core_support import FRENCH, ROOT, address_of, catalogue
from digest_mailer.core.audience import State, Subscriber
from digest_mailer.core.errors import UsageError
from digest_mailer.core.identity import ENGLISH, IssueId, SubscriberId, TopicKey
from digest_mailer.core.segment import EVERYBODY, Segment, matches, parts
from digest_mailer.core.segment_form import Condition, Draft, period, read_pair, words, write_pair
from digest_mailer.core.segment_text import looks_like_expression, parse, write
from digest_mailer.core.topic import MAX_TOPICS, Catalogue, Topic, words_of
from digest_mailer.services.segmenting import from_words
from segment_support import DAYS, ISSUES, LANGUAGES, attributes, segments, segments_of_one, texts, topic_sets

ordinals = st.frozensets(st.integers(0, MAX_TOPICS - 1), max_size=4)
JUNE, MAY = IssueId("2023-06"), IssueId("2023-05")
people = st.builds(
    Subscriber,
    st.just(SubscriberId(1)),
    st.just(address_of()),
    state=st.sampled_from(State),
    language=st.sampled_from(LANGUAGES),
    topics=topic_sets,
    all_topics=st.booleans(),
    attributes=attributes,
    joined_on=st.none() | st.sampled_from(DAYS),
)


def subscriber_of(*topics: int, all_topics: bool = False, role: str = "") -> Subscriber:
    named = {"role": role} if role else {}
    return Subscriber(SubscriberId(1), address_of(), topics=words_of(topics), all_topics=all_topics, attributes=named)


def read(text: str) -> Segment:
    return parse(text, catalogue())


# -- who matches


@given(people)
def test_everybody_is_in_the_segment_of_everybody(person: Subscriber) -> None:
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
    students = Segment("x", attributes={"role": ("educator", "student")})
    both = Segment("x", languages=(ENGLISH, FRENCH), attributes={"role": ("student",), "city": ("Ottawa",)})
    student = subscriber_of(role="student")
    told = [matches(segment, student) for segment in (french, students, both)]
    assert told == [False, True, False]


def test_all_conditions_of_a_segment_must_hold() -> None:
    conditions = {"any_topics": words_of([1]), "languages": (ENGLISH,), "attributes": {"role": ("student",)}}
    for topic, role in product((1, 2), ("student", "educator")):
        held = matches(Segment("x", **conditions), subscriber_of(topic, role=role))  # type: ignore[arg-type]
        assert held == (topic == 1 and role == "student")


@pytest.mark.parametrize(
    ("first", "end", "inside"),
    [
        (date(2023, 5, 2), None, True),
        (date(2023, 5, 3), None, False),
        (None, date(2023, 5, 3), True),
        (None, date(2023, 5, 2), False),
    ],
)
def test_the_day_of_joining_counts_from_and_not_up_to(first: date | None, end: date | None, inside: bool) -> None:
    person = replace(subscriber_of(1), joined_on=date(2023, 5, 2))
    segment = Segment("x", joined_from=first, joined_before=end)
    assert matches(segment, person) == inside
    assert not matches(segment, replace(person, joined_on=None))


@pytest.mark.parametrize(
    ("received", "told"),
    [((), [False, True, False]), ((JUNE,), [True, False, False]), ((MAY, JUNE), [True, False, False])],
)
def test_received_is_any_of_the_issues_and_not_received_none(received: tuple[IssueId, ...], told: list[bool]) -> None:
    asked = [Segment(received=(JUNE,)), Segment(not_received=(JUNE, MAY)), Segment(received=(IssueId("2023-04"),))]
    assert [matches(segment, subscriber_of(1), received) for segment in asked] == told


@given(segments, people, st.frozensets(st.sampled_from(ISSUES)))
def test_who_matches_each_condition_matches_the_segment(
    segment: Segment, person: Subscriber, received: frozenset[IssueId]
) -> None:
    single = [matches(part, person, received) for part in parts(segment)]
    assert all(single) == matches(segment, person, received)


# -- words and expressions


@given(segments_of_one)
def test_an_expression_is_read_back_as_it_was_written(segment: Segment) -> None:
    assert parse(write(segment, catalogue()), catalogue(), segment.name) == segment


@given(segments)
def test_a_draft_of_its_words_is_the_segment(segment: Segment) -> None:
    draft = Draft(catalogue())
    for condition, attribute, values in words(segment, catalogue()):
        for value in values:
            draft.add(condition, value, attribute)
    assert draft.segment(segment.name) == segment


def test_a_segment_is_as_large_as_the_database_bears_and_no_larger() -> None:
    pairs = [f"a{number % 60}={number}" for number in range(101)]
    issues = [f"{2000 + number // 12}-{number % 12 + 1:02}" for number in range(301)]
    said = {Condition.ATTRIBUTE: pairs[:100], Condition.RECEIVED: issues[:200], Condition.NOT_RECEIVED: issues[100:300]}
    assert not from_words(said, catalogue()).is_too_large
    for condition, words_ in ((Condition.ATTRIBUTE, pairs), (Condition.NOT_RECEIVED, issues[100:])):
        with pytest.raises(UsageError, match="at most"):
            from_words({**said, condition: words_}, catalogue())
    with pytest.raises(UsageError, match=r"column \d+ of the segment: a segment asks for 300 issues at most"):
        parse(f"received:{','.join(issues)}", catalogue())
    assert Segment(attributes={"a": tuple(pairs)}).is_too_large
    assert Segment(received=tuple(map(IssueId, issues))).is_too_large


@given(texts | st.text(max_size=20), texts | st.text(max_size=20))
def test_an_attribute_is_read_back_as_it_was_written_in_a_line(name: str, value: str) -> None:
    line = write_pair(name, value)
    assert not re.search(r"[\r\n]", line)
    assert read_pair(f" {line} ") == (name, value)


@pytest.mark.parametrize(
    ("line", "pair"),
    [
        ("role=clinician", ("role", "clinician")),
        (" Role = General Hospital ", ("role", "General Hospital")),
        ("role=", ("role", "")),
        ("a=b=c", ("a", "b=c")),
        ('"Work Place" = "a ""b"', ("Work Place", '"a ""b"')),
        ('"a=b"="x\\"y\\\\\\n"', ("a=b", 'x"y\\\n')),
        ('""=x', ("", "x")),
    ],
)
def test_a_line_of_an_attribute_is_understood(line: str, pair: tuple[str, str]) -> None:
    assert read_pair(line) == pair


@pytest.mark.parametrize("line", ["role", "=x", "", '"role', '"role"x=1', '"role"'])
def test_what_is_no_attribute_is_refused(line: str) -> None:
    with pytest.raises(UsageError, match="is not NAME=VALUE"):
        read_pair(line)


@given(st.text(alphabet='any:=<>,"\\ topicsejrd0123-#', max_size=40) | st.text(max_size=20))
def test_whatever_is_typed_is_read_or_refused_with_a_place(text: str) -> None:
    try:
        segment, problem = read(text), ""
    except UsageError as refused:
        segment, problem = EVERYBODY, refused.what
    told = re.match(r"column (\d+) of the segment: ", problem)
    assert 1 <= int(told[1]) <= len(text) + 1 if told else not problem
    assert read(write(segment, catalogue())) == replace(segment, name="")


@pytest.mark.parametrize(
    ("typed", "expression"),
    [
        ("topic:attachment", "any:attachment"),
        ("Topics: Attachment , EMPATHY", "any:attachment,empathy"),
        ('not topic:"Trauma and/or PTSD" and not:topic:empathy', "none:empathy,trauma-and-ptsd"),
        ("all:attachment all:empathy", "all:attachment,empathy"),
        ("State = Active, paused", "state:active,paused"),
        ("language:fr,FR", "language:fr"),
        ("role:clinician", "role=clinician"),
        ("Role=clinician,student", "role=clinician,student"),
        ('attribute:"work place"="General Hospital"', '"work place"="General Hospital"'),
        ('"work place":"General Hospital"', '"work place"="General Hospital"'),
        ("attribute:state=new", '"state"=new'),
        ("joined>=2023 joined<2023-07", "joined>=2023-01-01 joined<2023-07-01"),
        ("joined > 2023-12 and joined <= 2024-02-28", "joined>=2024-01-01 joined<2024-02-29"),
        ("joined:2023", "joined>=2023-01-01 joined<2024-01-01"),
        ("received:2023-06 not received:2023-05", "received:2023-06 not:received:2023-05"),
        ("not:received:2023-05 not:received:2023-06,2023-05", "not:received:2023-05,2023-06"),
        ("any:#200", "any:#200"),
        ("everybody", "everybody"),
        ("  ", "everybody"),
        ('city="say \\"ah\\", \\\\"', 'city="say \\"ah\\", \\\\"'),
    ],
)
def test_what_people_type_is_understood(typed: str, expression: str) -> None:
    assert write(read(typed), catalogue()) == expression


@pytest.mark.parametrize(
    ("typed", "column", "message", "hint"),
    [
        ("any:atachment", 5, 'unknown topic "atachment"', 'did you mean "Attachment"?'),
        ("language:fr any:empathy,atachment", 25, 'unknown topic "atachment"', 'did you mean "Attachment"?'),
        ("any:empathy any:attachment", 13, "said twice", "commas"),
        ("joined>=2022 joined>=2023", 14, "said twice", ""),
        ("state:activ", 7, 'unknown state "activ"', 'did you mean "active"?'),
        ("stat:active", 1, 'unknown condition "stat"', 'did you mean "state"?'),
        ("langauge=fr", 1, 'unknown condition "langauge"', "attribute:langauge"),
        ("language:french", 10, '"french" is no language', "en or fr"),
        ("attachment", 1, '"attachment" says nothing', "topic:empathy"),
        ("any:", 5, "a value is missing", ""),
        ("any:empathy,", 13, "a value is missing", ""),
        ("role", 1, '"role" says nothing', ""),
        ("any therapist effects", 1, "any needs a colon", "any:"),
        ("any:>empathy", 5, 'unknown topic ">empathy"', ""),
        ("role>=5", 1, "role needs a colon", ""),
        ("joined", 1, "joined needs a day", "joined>=2023-01-01"),
        ("joined>=yesterday", 9, '"yesterday" is no day', "YYYY-MM-DD"),
        ("joined:2023-13", 8, '"2023-13" is no day', ""),
        ("joined>9999", 8, "no day behind", ""),
        ("joined:2022,2023", 13, "joined takes one day", "joined>="),
        ("received:2023-6", 10, '"2023-6" is no issue', "YYYY-MM"),
        ("not:state:active", 5, "not goes before", "received"),
        ('role="General', 6, "quotation mark is not closed", ""),
        ('role=a"b"', 7, "a space or a comma", ""),
        ("any:#252", 5, 'unknown topic "#252"', ""),
    ],
)
def test_what_cannot_be_read_is_named_with_its_place(typed: str, column: int, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(typed)
    assert caught.value.what.startswith(f"column {column} of the segment: ")
    assert message in caught.value.what
    assert hint in caught.value.hint


@given(st.dates())
def test_a_day_a_month_and_a_year_are_periods(day: date) -> None:
    one, month, year = (period(str(day)[:length]) for length in (10, 7, 4))
    assert one == (day, None if day == date.max else day + timedelta(1))
    assert month[0] == day.replace(day=1)
    assert year[0] == date(day.year, 1, 1)
    for first, behind in (month, year):
        assert first <= day
        assert behind is None or (
            behind > day and behind.day == 1 and (behind - first).days in (28, 29, 30, 31, 365, 366)
        )
        assert behind is not None or day.year == 9999


def test_only_what_no_name_can_be_looks_like_an_expression() -> None:
    assert [looks_like_expression(text) for text in ("trauma-fr", "joined>2020", "role=x", "any:x", "a b")] == [
        False, True, True, True, False,
    ]  # fmt: skip


def test_a_topic_that_its_key_does_not_find_is_written_by_number() -> None:
    """Names come first where a catalogue has a key that is the name of an earlier topic."""
    odd = Catalogue((Topic(0, TopicKey("one"), "two"), Topic(1, TopicKey("two"), "Other")))
    segment = Segment(any_topics=words_of((0, 1, 5)))
    assert write(segment, odd) == "any:one,#1,#5"
    assert parse(write(segment, odd), odd) == segment


def test_every_condition_can_be_written() -> None:
    line = (
        "any:empathy all:empathy none:attachment state:active language:fr role=x joined>=2023-01-01 joined<2024-01-01 "
        "received:2023-06 not:received:2023-05"
    )
    assert [condition for condition, _, _ in words(read(line), catalogue())] == list(Condition)
    assert write(read(line), catalogue()) == line


# -- the page of the reference


def rows(heading: str) -> list[tuple[str, str]]:
    """The first two cells of the table under these headings, without their quotation as code."""
    page = (ROOT / "docs" / "reference" / "segments.md").read_text(encoding="utf-8")
    table = page.split(f"| {heading} |")[1].split("\n\n")[0]
    found = [[cell.strip().strip("`") for cell in line.split(" | ")] for line in table.splitlines()[2:]]
    return [(first.removeprefix("| ").strip("`"), second.removesuffix(" |").strip("`")) for first, second, *_ in found]


def test_the_examples_of_the_page_mean_what_it_says() -> None:
    examples = rows("typed | the same as")
    assert len(examples) > 5
    for typed, expression in examples:
        assert write(read(typed), catalogue()) == expression
    refused = rows("typed | refused with")
    assert len(refused) > 2
    for typed, told in refused:
        with pytest.raises(UsageError) as caught:
            read(typed)
        assert caught.value.what == told


def test_the_page_explains_every_condition() -> None:
    terms = [term for term, _ in rows("term | holds for whom | option")]
    explained = [condition for term in terms for condition, _, _ in words(read(term), catalogue())]
    assert explained == list(Condition)
