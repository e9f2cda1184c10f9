"""Editions: readers grouped by the articles they will see, and the rendered result.

With two or three articles there are at most seven selections however many readers there are, so each
edition is rendered, checked, previewed and approved once. Nothing in it depends on the reader but three
slots: why you get this, the address to leave, the address to change topics. `encode_edition` is the stored
artefact: canonical JSON with a format version; its SHA-256 is the edition's name for good.
"""

import hashlib
import html
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain, combinations

from digest_mailer.core.address import parse_address
from digest_mailer.core.errors import ConfigError
from digest_mailer.core.identity import IssueId, Language
from digest_mailer.core.issue import Issue
from digest_mailer.core.publication import NoMatch, Sender
from digest_mailer.core.topic import Catalogue, TopicWords, has_ordinal, intersect

FORMAT = 2  # 1 said neither whether the text is flowed, and it was not, nor whether the edition is shortened
FEW_ARTICLES = 3  # up to here every selection is built
_LONG_RUN = 3
_LONGEST_NAME = 60
MAX_WHY = 160  # characters of topic names in the why-line


class Slot(StrEnum):
    """Places in an edition that hold a reader's own value."""

    WHY = "why"
    UNSUBSCRIBE = "unsubscribe"
    PREFERENCES = "preferences"

    @property
    def mark(self) -> str:
        """How templates write it: survives MJML, premailer and quoted-printable unchanged."""
        return f"__DM_{self.name}__"


Pieces = tuple[str | Slot, ...]
_MARK = re.compile("|".join(slot.mark for slot in Slot))
_SLOT_BY_MARK = {slot.mark: slot for slot in Slot}


def split_slots(text: str) -> Pieces:
    """Rendered text as fixed pieces and slots."""
    pieces: list[str | Slot] = []
    end = 0
    for match in _MARK.finditer(text):
        pieces += [text[end : match.start()], _SLOT_BY_MARK[match[0]]]
        end = match.end()
    return (*pieces, text[end:])


def fill(pieces: Pieces, values: Mapping[Slot, str]) -> str:
    """The text with every slot filled. A value is never searched for slots again."""
    return "".join(values[piece] if isinstance(piece, Slot) else piece for piece in pieces)


# -- selections


@dataclass(frozen=True, slots=True, order=True)
class EditionKey:
    """Language and positions (from 1) of the articles shown: `en-1.3` for the first and the third. More than
    three in a row are written as a run, `en-1-12`; a name too long for a file becomes a hash."""

    language: Language
    positions: tuple[int, ...]

    @property
    def selection(self) -> int:
        """The positions as bits, 1 for the first article."""
        return sum(1 << (position - 1) for position in self.positions)

    def __str__(self) -> str:
        runs: list[list[int]] = []
        for position in self.positions:
            if runs and position == runs[-1][-1] + 1:
                runs[-1].append(position)
            else:
                runs.append([position])
        name = ".".join(f"{run[0]}-{run[-1]}" if len(run) > _LONG_RUN else ".".join(map(str, run)) for run in runs)
        if len(name) > _LONGEST_NAME:
            name = hashlib.sha256(name.encode()).hexdigest()[:16]
        return f"{self.language}-{name}"


@dataclass(frozen=True, slots=True)
class ReaderGroup:
    """Readers who follow the same of an issue's topics, in one language."""

    topics: TopicWords
    all_topics: bool
    language: Language
    readers: int


@dataclass(frozen=True, slots=True)
class EditionPlan:
    """Which editions an audience needs, and how many readers each has."""

    issue: IssueId
    readers: Mapping[EditionKey, int]
    unmatched: int  # readers without an article, who get nothing

    @property
    def total(self) -> int:
        """Readers who get a mail."""
        return sum(self.readers.values())


def select(
    article_topics: Sequence[TopicWords], topics: TopicWords, *, all_topics: bool, no_match: NoMatch
) -> tuple[int, ...]:
    """Positions (from 1) of the articles that a reader of these topics gets; empty for no mail."""
    everything = tuple(range(1, len(article_topics) + 1))
    if all_topics:
        return everything
    chosen = tuple(n for n, words in enumerate(article_topics, 1) if any(intersect(words, topics)))
    return everything if not chosen and no_match is NoMatch.ALL else chosen


@dataclass(frozen=True, slots=True)
class Assignment:
    """Everything that decides which edition of an issue a reader gets; kept with a mailing, whose audience may be
    written after the issue's file was changed."""

    articles: tuple[TopicWords, ...]
    languages: tuple[Language, ...]
    no_match: NoMatch

    def key(self, topics: TopicWords, language: Language, *, all_topics: bool) -> EditionKey | None:
        """The edition of a reader of these topics; None for no mail. A language that the publication lacks gets
        its first."""
        positions = select(self.articles, topics, all_topics=all_topics, no_match=self.no_match)
        known = language if language in self.languages else self.languages[0]
        return EditionKey(known, positions) if positions else None


def article_topics(issue: Issue, catalogue: Catalogue) -> tuple[TopicWords, ...]:
    """The topics of each article as words, in the issue's order."""
    return tuple(catalogue.words(article.topics) for article in issue.articles)


def plan(
    issue: Issue,
    catalogue: Catalogue,
    groups: Iterable[ReaderGroup],
    languages: Sequence[Language],
    no_match: NoMatch,
) -> EditionPlan:
    """Group readers by the edition they get. Languages the publication lacks get its first."""
    assignment = Assignment(article_topics(issue, catalogue), tuple(languages), no_match)
    readers: dict[EditionKey, int] = {}
    unmatched = 0
    for group in groups:
        key = assignment.key(group.topics, group.language, all_topics=group.all_topics)
        if key is None:
            unmatched += group.readers
            continue
        readers[key] = readers.get(key, 0) + group.readers
    return EditionPlan(issue.id, dict(sorted(readers.items())), unmatched)


def keys_to_build(
    count: int, languages: Sequence[Language], wanted: Iterable[EditionKey] = ()
) -> tuple[EditionKey, ...]:
    """The editions to make of an issue of `count` articles: every selection up to three articles; above that
    the whole issue, each single article, and the selections that readers have (`wanted`)."""
    positions = range(1, count + 1)
    if count <= FEW_ARTICLES:
        chosen = set(chain.from_iterable(combinations(positions, size) for size in positions))
    else:
        chosen = {tuple(positions), *((one,) for one in positions)}
    keys = {EditionKey(language, one) for language in languages for one in chosen}
    return tuple(sorted(keys | set(wanted)))


# -- the rendered edition


@dataclass(frozen=True, slots=True)
class Label:
    """A topic of the edition's articles, named in its language, for the why-line."""

    ordinal: int
    name: str


@dataclass(frozen=True, slots=True)
class WhyPhrases:
    """The sentences of the why-line in the edition's language; `{topics}` and `{count}` are filled in."""

    topics: str
    all_topics: str
    no_match: str
    more: str


@dataclass(frozen=True, slots=True)
class Edition:
    """One rendered selection of one issue: everything a message needs but the reader."""

    issue: IssueId
    key: EditionKey
    articles: tuple[str, ...]
    subject: str
    html: Pieces
    text: Pieces
    sender: Sender
    labels: tuple[Label, ...]
    why: WhyPhrases
    shortened: bool = False  # to takeaways, because it would have been too long for a mail
    flowed: bool = True  # the text is format=flowed

    def why_line(self, topics: TopicWords, *, all_topics: bool) -> str:
        """Why this reader gets this edition: followed topics among those of its articles, in catalogue order,
        cut to MAX_WHY characters of names."""
        if all_topics:
            return self.why.all_topics
        followed = [label.name for label in self.labels if has_ordinal(topics, label.ordinal)]
        if not followed:
            return self.why.no_match
        shown = [followed[0]]
        for name in followed[1:]:
            if len("; ".join([*shown, name])) > MAX_WHY:
                break
            shown.append(name)
        hidden = len(followed) - len(shown)
        names = "; ".join(shown) + (self.why.more.format(count=hidden) if hidden else "")
        return self.why.topics.format(topics=names)


def escape_html(value: str) -> str:
    """A slot's value for the HTML part."""
    return html.escape(value, quote=True)


def encode_edition(edition: Edition) -> bytes:
    """The stored artefact."""
    sender = edition.sender
    document = {
        "format": FORMAT,
        "issue": edition.issue,
        "language": edition.key.language,
        "positions": edition.key.positions,
        "articles": edition.articles,
        "subject": edition.subject,
        "shortened": edition.shortened,
        "flowed": edition.flowed,
        "html": _pieces_out(edition.html),
        "text": _pieces_out(edition.text),
        "sender": {
            "name": sender.name,
            "address": sender.address.typed,
            "reply_to": sender.reply_to.typed,
            "list_name": sender.list_name,
            "list_id": sender.list_id,
            "base_url": sender.base_url,
            "feedback_id": sender.feedback_id,
            "bounce_mailbox": sender.bounce_mailbox.typed if sender.bounce_mailbox else None,
            "unsubscribe_mailbox": sender.unsubscribe_mailbox.typed if sender.unsubscribe_mailbox else None,
        },
        "labels": [[label.ordinal, label.name] for label in edition.labels],
        "why": {
            "topics": edition.why.topics,
            "all_topics": edition.why.all_topics,
            "no_match": edition.why.no_match,
            "more": edition.why.more,
        },
    }
    return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def decode_edition(artefact: bytes) -> Edition:
    """An edition from its artefact. Raises ConfigError for a format that this version does not know."""
    document = json.loads(artefact)
    if document["format"] not in (1, FORMAT):
        raise ConfigError(
            f"the stored edition has format {document['format']}, this version reads {FORMAT}",
            "send it with the version that approved it, or approve the issue again",
        )
    sender = document["sender"]
    mailboxes = {name: sender[name] and parse_address(sender[name]) for name in _MAILBOXES}
    return Edition(
        issue=IssueId(document["issue"]),
        key=EditionKey(Language(document["language"]), tuple(document["positions"])),
        articles=tuple(document["articles"]),
        subject=document["subject"],
        html=_pieces_in(document["html"]),
        text=_pieces_in(document["text"]),
        sender=Sender(**{**sender, **mailboxes}),
        labels=tuple(Label(ordinal, name) for ordinal, name in document["labels"]),
        why=WhyPhrases(**document["why"]),
        shortened=document.get("shortened", False),
        flowed=document.get("flowed", False),
    )


def edition_hash(artefact: bytes) -> str:
    """The artefact's name: SHA-256 in hex."""
    return hashlib.sha256(artefact).hexdigest()


_MAILBOXES = ("address", "reply_to", "bounce_mailbox", "unsubscribe_mailbox")


def _pieces_out(pieces: Pieces) -> list[str | dict[str, str]]:
    return [{"slot": piece.value} if isinstance(piece, Slot) else piece for piece in pieces]


def _pieces_in(pieces: Sequence[str | Mapping[str, str]]) -> Pieces:
    return tuple(piece if isinstance(piece, str) else Slot(piece["slot"]) for piece in pieces)
