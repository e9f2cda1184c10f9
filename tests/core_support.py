"""Values for the tests of the core: the real catalogue, and small issues, editions and people to bend.

`…_of(**changes)` builds one value with the given parts changed. Strategies for Hypothesis stand at the end.
"""

import tomllib
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from digest_mailer.core.address import EmailAddress, parse_address
from digest_mailer.core.edition import Edition, EditionKey, Label, Slot, WhyPhrases, split_slots
from digest_mailer.core.identity import (
    ENGLISH,
    ArticleKey,
    IssueId,
    Language,
    SubscriberId,
    TopicKey,
    is_control,
)
from digest_mailer.core.issue import Article, Issue, Markdown
from digest_mailer.core.issue_file import Vocabulary, parse_issue
from digest_mailer.core.message import Recipient
from digest_mailer.core.publication import Publication, Sender
from digest_mailer.core.research_type import ResearchType, ResearchTypes
from digest_mailer.core.token import TokenKeys
from digest_mailer.core.topic import NO_TOPICS, Catalogue, Topic

ROOT = Path(__file__).parents[1]
CORPUS = ROOT / "tests" / "corpus"
JULY = IssueId("2023-07")
FRENCH = Language("fr")
NOON = datetime(2023, 7, 1, 12, tzinfo=UTC)
TODAY = date(2024, 1, 31)
TOKEN_KEYS = TokenKeys(1, {1: b"a key of the tests, number one", 2: b"a key of the tests, number two"})


@cache
def catalogue() -> Catalogue:
    """The topics of the sample publication."""
    tables = tomllib.loads((ROOT / "newsletters" / "topics.toml").read_text("utf-8"))["topic"]
    return Catalogue(
        tuple(
            Topic(
                ordinal=table["ordinal"],
                key=TopicKey(table["key"]),
                name=table["name"],
                name_fr=table.get("name_fr", ""),
                aliases=tuple(table.get("aliases", ())),
                retired=table.get("retired", False),
            )
            for table in tables
        )
    )


@cache
def types() -> ResearchTypes:
    """The types of research of the sample publication."""
    tables = tomllib.loads((ROOT / "newsletters" / "research-types.toml").read_text("utf-8"))["type"]
    return ResearchTypes(tuple(ResearchType(t["key"], t["name"], t.get("name_fr", "")) for t in tables))


def vocabulary() -> Vocabulary:
    """What the sample issues may refer to."""
    return Vocabulary(catalogue(), types())


@cache
def sample_issue(name: str = "2023-07") -> Issue:
    """An issue of the sample publication."""
    path = ROOT / "newsletters" / f"{name}.md"
    return parse_issue(path.read_bytes(), path.name, vocabulary())


def topics(*names: str) -> tuple[TopicKey, ...]:
    """Keys of topics by any of their names."""
    found = [catalogue().find(name) for name in names]
    return tuple(topic.key for topic in found if topic)


def address_of(text: str = "reader@example.org") -> EmailAddress:
    """An address."""
    return parse_address(text)


def sender_of(**changes: Any) -> Sender:
    """The sender of a small publication."""
    parts: dict[str, Any] = {
        "name": "Practice Digest",
        "address": address_of("digest@digest.example.org"),
        "reply_to": address_of("editor@digest.example.org"),
        "list_name": "Practice Digest",
        "list_id": "practice.digest.example.org",
        "base_url": "https://digest.example.org",
        "feedback_id": "practicedigest",
    }
    return Sender(**parts | changes)


def publication_of(**changes: Any) -> Publication:
    """A small publication."""
    parts: dict[str, Any] = {
        "sender": sender_of(),
        "name": "Practice Digest",
        "masthead": "Studies for practice.",
        "masthead_long": "Studies for practice, every month.",
        "author": "the editors",
        "language_notice": "In English.",
        "contact": address_of("editor@digest.example.org"),
        "postal_address": "1 Example Street, Ottawa",
        "timezone": "America/Toronto",
    }
    return Publication(**parts | changes)


def article_of(key: str = "one", *names: str, **changes: Any) -> Article:
    """An article about the named topics."""
    parts: dict[str, Any] = {
        "key": ArticleKey(key),
        "title": f"Article {key}",
        "body": Markdown("What was found."),
        "implications": Markdown("What it means."),
        "topics": topics(*names),
    }
    return Article(**parts | changes)


def issue_of(*articles: Article, **changes: Any) -> Issue:
    """An issue of these articles; of one about empathy when none is given."""
    parts: dict[str, Any] = {
        "id": JULY,
        "articles": articles or (article_of("one", "Empathy"),),
        "subject": "What helps",
        "preheader": "Three chapters.",
    }
    return Issue(**parts | changes)


PHRASES = WhyPhrases(
    topics="You follow {topics}.",
    all_topics="You follow all topics.",
    no_match="You get every issue.",
    more=" and {count} more",
)


def edition_of(**changes: Any) -> Edition:
    """A rendered edition with all three slots in both parts."""
    slots = " ".join(slot.mark for slot in Slot)
    parts: dict[str, Any] = {
        "issue": JULY,
        "key": EditionKey(ENGLISH, (1, 2)),
        "articles": ("one", "two"),
        "subject": "What helps",
        "html": split_slots(f"<!doctype html><html><body><p>Hello, {slots}</p></body></html>"),
        "text": split_slots(f"Hello, {slots}\n"),
        "sender": sender_of(),
        "labels": tuple(Label(topic.ordinal, topic.name) for topic in catalogue() if topic.ordinal < 6),
        "why": PHRASES,
    }
    return Edition(**parts | changes)


def recipient_of(**changes: Any) -> Recipient:
    """A reader of everything."""
    parts: dict[str, Any] = {
        "id": SubscriberId(2**62 + 12345),
        "address": address_of(),
        "name": "Amélie Tremblay",
        "topics": NO_TOPICS,
        "all_topics": True,
        "generation": 0,
    }
    return Recipient(**parts | changes)


# -- strategies


def texts(min_size: int = 0, max_size: int = 300) -> st.SearchStrategy[str]:
    """Any text without control characters."""
    anything = st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp"))
    return st.text(anything.filter(lambda char: not is_control(char)), min_size=min_size, max_size=max_size)


def lines(min_size: int = 0, max_size: int = 120) -> st.SearchStrategy[str]:
    """Any text of one line, without spaces around it."""
    return texts(min_size, max_size).filter(lambda text: text == text.strip() and len(text) >= min_size)


topic_keys = st.sampled_from([topic.key for topic in catalogue()])
subscriber_ids = st.integers(0, 2**63 - 1).map(SubscriberId)
issue_ids = st.builds(lambda year, month: IssueId(f"{year}-{month:02d}"), st.integers(2000, 2999), st.integers(1, 12))
