"""A publication with so many readers: the sample's July issue of three articles, or of any number, approved.

Readers are written by SQL, because an import would check each of them and a benchmark makes a million. Everybody
follows one topic of each article at least, so everybody gets the whole issue; which ones differs, and so does the
line that says why.

    python benchmarks/publication.py FOLDER --people N [--articles N]

makes FOLDER/publication, and beside it `material.json` and `message.eml` for senders that know nothing of it.
"""

import argparse
import hashlib
import json
import random
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from digest_mailer.bootstrap import App, build_app
from digest_mailer.core.address import parse_address
from digest_mailer.core.edition import Edition, EditionKey, Slot, article_topics, encode_edition
from digest_mailer.core.identity import ENGLISH, ArticleKey, IssueId, SubscriberId
from digest_mailer.core.issue import Issue
from digest_mailer.core.issue_file import parse_issue
from digest_mailer.core.issue_writer import serialise_issue
from digest_mailer.core.message import SAMPLE_KEYRING, Message, Recipient, SlotValues, address
from digest_mailer.core.topic import NO_TOPICS

ROOT = Path(__file__).parents[1]
JULY = IssueId("2023-07")
USUAL = 3  # articles of the sample's July
_ROOM = 8 * 1024 * 1024  # of HTML: an issue of thirty articles would otherwise turn to its takeaways
_SEED = 1
_PLACE = 50  # domains that the readers are at
_SINCE = "2024-01-01T00:00:00.000000Z"
_SUBSCRIBERS = (
    "INSERT INTO subscriber (id, state, language, all_topics, topics_0, created_at, changed_at, changed_seq)"
    " VALUES (?, 'active', 'en', ?, ?, ?, ?, 0)"
)
_PERSONS = (
    "INSERT INTO person (subscriber_id, address_hash, canonical, typed, name, attributes) VALUES (?, ?, ?, ?, ?, '{}')"
)


def open_app(root: Path, articles: int = USUAL) -> App:
    """The publication, with room for a long issue."""
    app = build_app(root)
    if articles != USUAL:
        app.publication = replace(app.publication, html_budget=_ROOM)
    return app


def make(folder: Path, people: int, articles: int) -> None:
    """Make it, and what the rivals need of it."""
    root = folder / "publication"
    (root / "newsletters").mkdir(parents=True)
    shutil.copy(ROOT / "digest.toml", root / "digest.toml")
    for name in ("topics.toml", "research-types.toml", f"{JULY}.md"):
        shutil.copy(ROOT / "newsletters" / name, root / "newsletters" / name)
    app = open_app(root, articles)
    if articles != USUAL:
        lengthen(app, articles)
    edition = approve(app)
    app.secrets  # noqa: B018 - the keys are made on first use, and never where people are
    path = app.state / "digest.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        write_people(connection, people, list(masks(app)))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    write_material(folder, edition)


def lengthen(app: App, count: int) -> None:
    """Give the issue so many articles, the same few over and over."""
    words = app.library.vocabulary
    issue = many(parse_issue(app.files.read(JULY), app.files.path(JULY), words), count)
    path = app.root / "newsletters" / f"{JULY}.md"
    path.write_text(serialise_issue(issue, words), encoding="utf-8")


def many(issue: Issue, count: int) -> Issue:
    """An issue of this many articles."""
    articles = (
        replace(issue.articles[number % len(issue.articles)], key=ArticleKey(f"article-{number}"))
        for number in range(count)
    )
    return replace(issue, articles=tuple(articles))


def approve(app: App) -> Edition:
    """Approve the whole issue in English, which is all that these readers get. A long issue would not pass lint."""
    library = app.library
    issue, composer = library.load(JULY), app.composer(library)
    key = EditionKey(ENGLISH, tuple(range(1, len(issue.articles) + 1)))
    edition = composer.editions(issue, [key])[key]
    artefacts = {key: encode_edition(edition)}
    app.approvals.add(JULY, app.standing(app.library).digest(issue), artefacts, "benchmark", "", datetime.now(UTC))
    return edition


def masks(app: App) -> Iterator[int]:
    """What readers follow, as the bits of the catalogue's first word: a topic of each article, and one more."""
    library = app.library
    topics = article_topics(library.load(JULY), library.vocabulary.catalogue)
    choices = [[1 << bit for bit in range(63) if words[0] >> bit & 1] for words in topics]
    for number in range(48):
        mask = 0
        for place, bits in enumerate(choices[:USUAL]):
            mask |= bits[(number // (place + 1)) % len(bits)]
        yield mask | (1 << number % 36)


def write_people(connection: sqlite3.Connection, people: int, following: list[int]) -> None:
    """Write the readers, a third of whom follow everything. Ids are random, as in life: their rows lie scattered."""
    chance = random.Random(_SEED)  # noqa: S311 - the same list every time
    ids = sorted({chance.getrandbits(63) for _ in range(people)})
    rows = (
        (one, number % 3 == 0, following[number % len(following)], _SINCE, _SINCE) for number, one in enumerate(ids)
    )
    connection.executemany(_SUBSCRIBERS, rows)
    connection.executemany(_PERSONS, (_person(number, one) for number, one in enumerate(ids)))


def _person(number: int, identifier: int) -> tuple[int, bytes, str, str, str]:
    mailbox = f"reader{number}@clinic{number % _PLACE}.example.org"
    name = f"Reader Number {number}" if number % 4 else f"Éloïse Lectrice {number}"
    return identifier, hashlib.blake2b(b"%d" % identifier, digest_size=16).digest(), mailbox, mailbox, name


def write_material(folder: Path, edition: Edition) -> None:
    """The finished message to one reader, and the edition as texts with holes."""
    message = sample(edition)
    content = bytes(message.octets)
    (folder / "message.eml").write_bytes(content)
    data = {
        "sender": str(edition.sender.address),
        "recipient": message.envelope.recipient,
        "subject": edition.subject,
        "size": len(content),
        "html": _holes(edition.html),
        "text": _holes(edition.text),
        "values": _values(cast("SlotValues", message.values)),
    }
    (folder / "material.json").write_text(json.dumps(data), encoding="utf-8")


def sample(edition: Edition, number: int = 0) -> Message:
    """What one reader gets."""
    mailbox = parse_address(f"reader{number}@clinic{number % _PLACE}.example.org")
    reader = Recipient(SubscriberId(number), mailbox, f"Reader Number {number}", NO_TOPICS, True, 0)
    return address(edition, reader, datetime(2024, 1, 31, 12, tzinfo=UTC), SAMPLE_KEYRING)


def _holes(pieces: tuple[str | Slot, ...]) -> list[Any]:
    """Texts, and in a list of one each the name of what stands between them."""
    return [[one.value] if isinstance(one, Slot) else one for one in pieces]


def _values(values: SlotValues) -> dict[str, str]:
    edition, reader = values.edition, values.recipient
    base = edition.sender.base_url
    return {
        Slot.WHY: edition.why_line(reader.topics, all_topics=reader.all_topics),
        Slot.UNSUBSCRIBE: f"{base}/u/{values.leave}",
        Slot.PREFERENCES: f"{base}/p/{values.choose}",
    }


def main() -> None:
    """Make one."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--people", type=int, required=True)
    parser.add_argument("--articles", type=int, default=USUAL)
    options = parser.parse_args()
    make(options.folder, options.people, options.articles)


if __name__ == "__main__":
    main()
