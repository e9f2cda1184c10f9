"""Editions: everyone gets exactly the wanted articles, and a stored edition is the one that was approved."""

import json
from dataclasses import replace
from itertools import chain, combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core_support import (
    FRENCH,
    PHRASES,
    address_of,
    article_of,
    catalogue,
    edition_of,
    issue_of,
    sender_of,
    texts,
    topic_keys,
)
from digest_mailer.core.edition import (
    MAX_WHY,
    Edition,
    EditionKey,
    Label,
    ReaderGroup,
    Slot,
    WhyPhrases,
    article_topics,
    decode_edition,
    edition_hash,
    encode_edition,
    escape_html,
    fill,
    keys_to_build,
    plan,
    select,
    split_slots,
)
from digest_mailer.core.errors import ConfigError
from digest_mailer.core.identity import ENGLISH, Language, TopicKey
from digest_mailer.core.publication import NoMatch
from digest_mailer.core.topic import NO_TOPICS

key_sets = st.frozensets(topic_keys, max_size=6)
languages = st.sampled_from([ENGLISH, FRENCH, Language("de")])
groups = st.builds(
    lambda keys, every, language, readers: ReaderGroup(catalogue().words(keys), every, language, readers),
    key_sets, st.booleans(), languages, st.integers(1, 1000),
)  # fmt: skip


# -- selections


@given(st.lists(key_sets, min_size=1, max_size=5), key_sets)
def test_a_reader_gets_exactly_the_articles_of_followed_topics(
    articles: list[frozenset[TopicKey]], followed: frozenset[TopicKey]
) -> None:
    words = [catalogue().words(one) for one in articles]
    chosen = select(words, catalogue().words(followed), all_topics=False, no_match=NoMatch.SKIP)
    assert chosen == tuple(n for n, one in enumerate(articles, 1) if one & followed)


@given(st.lists(key_sets, min_size=1, max_size=5), key_sets, st.sampled_from(list(NoMatch)))
def test_a_follower_of_everything_gets_the_whole_issue(
    articles: list[frozenset[TopicKey]], followed: frozenset[TopicKey], no_match: NoMatch
) -> None:
    words = [catalogue().words(one) for one in articles]
    chosen = select(words, catalogue().words(followed), all_topics=True, no_match=no_match)
    assert chosen == tuple(range(1, len(articles) + 1))


def test_who_finds_nothing_gets_nothing_or_all_as_the_publication_says() -> None:
    words = [catalogue().words([TopicKey("empathy")]), catalogue().words([TopicKey("training")])]
    other = catalogue().words([TopicKey("anxiety-disorders")])
    assert select(words, other, all_topics=False, no_match=NoMatch.SKIP) == ()
    assert select(words, other, all_topics=False, no_match=NoMatch.ALL) == (1, 2)


def test_an_article_without_topics_goes_to_followers_of_everything_only() -> None:
    assert select([NO_TOPICS], NO_TOPICS, all_topics=False, no_match=NoMatch.SKIP) == ()
    assert select([NO_TOPICS], NO_TOPICS, all_topics=True, no_match=NoMatch.SKIP) == (1,)


@given(st.lists(groups, max_size=12), st.sampled_from(list(NoMatch)))
def test_a_plan_counts_every_reader_in_the_right_edition(some: list[ReaderGroup], no_match: NoMatch) -> None:
    issue = issue_of(
        article_of("one", "Empathy", "Training"), article_of("two", "Training"), article_of("three", "CBT")
    )
    words = article_topics(issue, catalogue())
    made = plan(issue, catalogue(), some, [ENGLISH, FRENCH], no_match)
    expected: dict[EditionKey, int] = {}
    for group in some:
        positions = select(words, group.topics, all_topics=group.all_topics, no_match=no_match)
        if positions:
            key = EditionKey(FRENCH if group.language == FRENCH else ENGLISH, positions)
            expected[key] = expected.get(key, 0) + group.readers
    assert made.readers == expected
    assert made.total + made.unmatched == sum(group.readers for group in some)


def test_the_plan_of_nobody_is_empty() -> None:
    made = plan(issue_of(), catalogue(), [], [ENGLISH], NoMatch.SKIP)
    assert (made.readers, made.total, made.unmatched) == ({}, 0, 0)


@given(st.lists(groups, max_size=12))
def test_three_articles_need_at_most_seven_editions_a_language(some: list[ReaderGroup]) -> None:
    issue = issue_of(article_of("one", "Empathy"), article_of("two", "Training"), article_of("three", "CBT"))
    made = plan(issue, catalogue(), some, [ENGLISH], NoMatch.SKIP)
    assert made.readers.keys() <= set(keys_to_build(3, [ENGLISH]))


def test_every_selection_of_few_articles_is_built() -> None:
    assert [str(key) for key in keys_to_build(1, [ENGLISH])] == ["en-1"]
    assert [str(key) for key in keys_to_build(2, [ENGLISH])] == ["en-1", "en-1.2", "en-2"]
    built = [str(key) for key in keys_to_build(3, [ENGLISH, FRENCH]) if key.language == FRENCH]
    assert built == ["fr-1", "fr-1.2", "fr-1.2.3", "fr-1.3", "fr-2", "fr-2.3", "fr-3"]


def test_of_many_articles_the_wanted_selections_are_built() -> None:
    wanted = EditionKey(ENGLISH, (2, 4))
    built = [str(key) for key in keys_to_build(4, [ENGLISH], [wanted, EditionKey(ENGLISH, (1,))])]
    assert built == ["en-1", "en-1-4", "en-2", "en-2.4", "en-3", "en-4"]


def test_every_selection_has_its_own_name() -> None:
    positions = range(1, 13)
    every = chain.from_iterable(combinations(positions, size) for size in positions)
    names = [str(EditionKey(ENGLISH, one)) for one in every]
    assert len(set(names)) == len(names)


selections = st.frozensets(st.integers(1, 400), min_size=1).map(lambda some: tuple(sorted(some)))


@given(selections, selections)
def test_names_of_large_selections_differ_and_fit_into_a_file_name(one: tuple[int, ...], two: tuple[int, ...]) -> None:
    names = {str(EditionKey(ENGLISH, one)), str(EditionKey(ENGLISH, two))}
    assert len(names) == len({one, two})
    assert all(len(name) <= 64 and name.replace("-", "").replace(".", "").isalnum() for name in names)


# -- slots

pieces = st.lists(texts(max_size=20) | st.sampled_from([slot.mark for slot in Slot]), max_size=8).map("".join)


@given(pieces)
def test_a_text_comes_back_when_each_slot_is_filled_with_its_mark(text: str) -> None:
    assert fill(split_slots(text), {slot: slot.mark for slot in Slot}) == text


@given(pieces, texts())
def test_a_value_is_never_searched_for_slots(text: str, value: str) -> None:
    values = dict.fromkeys(Slot, value + Slot.UNSUBSCRIBE.mark)
    expected = text
    for slot in Slot:
        expected = expected.replace(slot.mark, "\0")
    assert fill(split_slots(text), values) == expected.replace("\0", value + Slot.UNSUBSCRIBE.mark)


@given(texts())
def test_a_value_cannot_leave_its_place_in_html(value: str) -> None:
    escaped = escape_html(value)
    assert not set("<>\"'") & set(escaped)


# -- the why-line

labels = st.lists(texts(1, 120), max_size=8).map(lambda names: tuple(Label(n, name) for n, name in enumerate(names)))


@given(labels, st.frozensets(st.integers(0, 10)))
def test_the_why_line_names_followed_topics_of_the_edition_in_order(
    some: tuple[Label, ...], ordinals: frozenset[int]
) -> None:
    phrases = WhyPhrases(topics="{topics}", all_topics="all", no_match="none", more="")
    words = catalogue().words(topic.key for topic in catalogue() if topic.ordinal in ordinals)
    line = edition_of(labels=some, why=phrases).why_line(words, all_topics=False)
    names = [label.name for label in some if label.ordinal in ordinals]
    shown = [count for count in range(1, len(names) + 1) if "; ".join(names[:count]) == line]
    assert shown if names else line == "none"
    assert not names or len(line) <= max(MAX_WHY, len(names[0]))


def test_the_why_line_counts_what_it_leaves_out() -> None:
    some = tuple(Label(n, "x" * 70) for n in range(5))
    line = edition_of(labels=some).why_line(catalogue().words(t.key for t in catalogue()), all_topics=False)
    assert line == f"You follow {'x' * 70}; {'x' * 70} and 3 more."


def test_the_why_line_of_a_follower_of_everything_names_nothing() -> None:
    assert edition_of().why_line(NO_TOPICS, all_topics=True) == PHRASES.all_topics


def test_braces_in_the_name_of_a_topic_stay() -> None:
    edition = edition_of(labels=(Label(0, "{count} {topics} {"),))
    words = catalogue().words([TopicKey("adherance")])
    assert edition.why_line(words, all_topics=False) == "You follow {count} {topics} {."


# -- the stored artefact

mailboxes = st.none() | st.sampled_from(["bounces@digest.example.org", "Leave@digest.example.org"]).map(address_of)
editions = st.builds(
    lambda key, subject, html, text, sender, some: edition_of(
        key=key, subject=subject, html=split_slots(html), text=split_slots(text), sender=sender, labels=some
    ),
    st.builds(EditionKey, languages, selections),
    texts(),
    pieces,
    pieces,
    st.builds(
        lambda name, one, two: sender_of(name=name, bounce_mailbox=one, unsubscribe_mailbox=two),
        texts(), mailboxes, mailboxes,
    ),
    labels,
)  # fmt: skip


@given(editions)
def test_an_edition_survives_its_artefact(edition: Edition) -> None:
    artefact = encode_edition(edition)
    assert decode_edition(artefact) == edition
    assert encode_edition(decode_edition(artefact)) == artefact


@given(editions, editions)
def test_editions_have_one_name_exactly_when_they_are_equal(one: Edition, two: Edition) -> None:
    same = edition_hash(encode_edition(one)) == edition_hash(encode_edition(two))
    assert same == (one == two)


def test_an_artefact_of_another_format_says_what_to_do() -> None:
    document = json.loads(encode_edition(edition_of())) | {"format": 99}
    with pytest.raises(ConfigError, match="format 99") as caught:
        decode_edition(json.dumps(document).encode())
    assert "approve" in caught.value.hint


def test_what_is_stored_never_changes_by_itself() -> None:
    """The first artefacts are in databases; when this fails, FORMAT must rise and the old one be read still."""
    assert edition_hash(encode_edition(edition_of(labels=()))) == PINNED


PINNED = "4072197672acffbfaa7475c0ae7a8df3467f0a1e893fddacd21249c574dea175"


def test_an_artefact_of_the_first_format_is_read_still() -> None:
    """It said neither of the two, and its text was not flowed."""
    edition = edition_of()
    document = json.loads(encode_edition(edition)) | {"format": 1}
    del document["flowed"], document["shortened"]
    assert decode_edition(json.dumps(document).encode()) == replace(edition, flowed=False)
