"""A whole publication in a directory of its own: the sample's issues and people, an approved issue, a fixed clock.

`make_publication` copies one that was made once, so it takes milliseconds; the first call of a run takes a second
or two. `freeze` puts a mailing's rows into the ledger as `send` does before it sends.
"""

import atexit
import shutil
import sqlite3
import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from core_support import JULY, ROOT
from digest_mailer.bootstrap import App, build_app
from digest_mailer.cli.people_files import import_file
from digest_mailer.core.address import parse_address
from digest_mailer.core.audience import Subscriber
from digest_mailer.core.edition import Assignment, article_topics
from digest_mailer.core.identity import IssueId
from digest_mailer.core.mailing import Status, WaveRequest
from digest_mailer.core.segment import EVERYBODY
from digest_mailer.core.token import Scope, sign

NOW = datetime(2024, 1, 31, 12, tzinfo=UTC)
EVERYTHING = "amelie.tremblay@clinic.example.org"  # follows all topics, in French
ONE_TOPIC = "oluwaseun.adeyemi@clinic.example.org"  # follows Adherance, which July has


@dataclass
class FixedClock:
    """A clock that stands still until it is told to go on."""

    instant: datetime = NOW

    def now(self) -> datetime:
        """The instant."""
        return self.instant

    def advance(self, step: timedelta) -> None:
        """Go on."""
        self.instant += step


def make_publication(
    folder: Path,
    *,
    people: bool = True,
    approved: Sequence[str] = (JULY,),
    overrides: dict[str, Any] | None = None,
) -> App:
    """The sample publication in a new directory `folder/publication`. Its clock is a `FixedClock` at NOW."""
    root = folder / "publication"
    if people and tuple(approved) == (JULY,) and not overrides:
        shutil.copytree(_pattern(), root)
        return _app(root, None)
    return _made(root, people, approved, overrides)


def freeze(app: App, issue_id: str = JULY) -> int:
    """Write the rows of a mailing to everybody, as `send` does. Answers how many."""
    library = app.library
    issue, catalogue = library.load(IssueId(issue_id)), library.vocabulary.catalogue
    approval = app.approvals.latest(issue.id)
    assert approval is not None
    publication, now = app.publication, app.clock.now()
    assignment = Assignment(article_topics(issue, catalogue), publication.languages, publication.no_match)
    request = WaveRequest(EVERYBODY, assignment, "sandbox:", now, now + timedelta(hours=48))
    people = app.ledger.open_wave(approval, request)
    with closing(app.ledger.lease(issue.id, "sandbox:", "tests", max(people, 1), now)) as lease:
        assert len(lease.turn((), people, now).claims) == people
        lease.release(Status.SENDING, "", (), (), now)
    return people


def person(app: App, address: str = EVERYTHING) -> Subscriber:
    """One of the people."""
    found = app.people.find(parse_address(address))
    assert found is not None
    return found


def link_token(app: App, scope: Scope, address: str = EVERYTHING, issue: str = JULY) -> str:
    """The token in the link of a mail to this person."""
    who = person(app, address)
    return sign(scope, who.id, IssueId(issue), who.generation, app.secrets.keys.tokens)


def table_rows(app: App) -> dict[str, list[Any]]:
    """Every row of every table: equal before and after means that nothing changed."""
    with sqlite3.connect(app.database.path) as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = {name: connection.execute(f'SELECT * FROM "{name}"').fetchall() for name in sorted(names)}  # noqa: S608
    connection.close()
    return rows


@cache
def _pattern() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="digest-mailer-tests-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    _made(folder / "publication", True, (JULY,), None)
    return folder / "publication"


def _made(root: Path, people: bool, approved: Sequence[str], overrides: dict[str, Any] | None) -> App:
    root.mkdir(parents=True)
    for name in ("digest.toml", "subscribers.example.csv"):
        shutil.copy(ROOT / name, root / name)
    shutil.copytree(ROOT / "newsletters", root / "newsletters")
    app = _app(root, overrides)
    if people:
        _import_people(app)
    for issue in approved:
        app.approver(app.library).approve(IssueId(issue), "tests", "")
    return app


def _app(root: Path, overrides: dict[str, Any] | None) -> App:
    return build_app(root, overrides=overrides, clock=FixedClock())


def _import_people(app: App) -> None:
    assert import_file(app, app.root / "subscribers.example.csv", "tests").applied
