"""For admins: subscribers import, list, show, unsubscribe."""

import csv
import io
import re
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from digest_mailer.cli.session import Group, Session, table
from digest_mailer.core.audience import Consent, State, Subscriber
from digest_mailer.core.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Console

    from digest_mailer.bootstrap import App
    from digest_mailer.core.audience import Reject
    from digest_mailer.services.subscriptions import Imported

_SHOWN_REJECTS = 20


@click.group("subscribers", cls=Group)
def subscribers_command() -> None:
    """Import, list, show and unsubscribe people."""


@subscribers_command.command("import")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--map", "columns", multiple=True, metavar="COL=FIELD", help="What a column of the file is.")
@click.option("--consent", metavar="'SOURCE DATE'", help="Consent for rows that state none: where, and YYYY-MM-DD.")
@click.option("--rejects", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Import the good rows, and write the others there with a reason each.")  # fmt: skip
@click.option("--apply", is_flag=True, help="Do it; without, only show what it would do.")
@click.pass_obj
def import_command(
    session: Session, file: Path, columns: tuple[str, ...], consent: str | None, rejects: Path | None, apply: bool
) -> None:
    """Import people from CSV. It never brings back who has left or is suppressed."""
    app = session.app()
    given = {"columns": _columns(columns), "consent": _consent(consent)}
    imported = import_file(app, file, apply=apply, keep_rejects=rejects is not None, given=given)
    if rejects:
        _write_rejects(rejects, imported.rejects)
    result = imported.result
    counts = {
        "new": result.created,
        "changed": result.changed,
        "unchanged": result.unchanged,
        "kept_out": result.kept_out,
        "rejected": len(imported.rejects),
    }

    def show(console: "Console") -> None:
        listing = table("rows", "#number")
        for name, count in counts.items():
            listing.add_row(name.replace("_", " "), str(count))
        console.print(listing)
        for reject in imported.rejects[:_SHOWN_REJECTS]:
            console.print(f"row {reject.row}: {reject.email}: {reject.reason}", markup=False, soft_wrap=True)
        if len(imported.rejects) > _SHOWN_REJECTS:
            console.print(f"and {len(imported.rejects) - _SHOWN_REJECTS} more; --rejects FILE writes them all")
        session.say(_next(imported, apply=apply))

    bad = imported.rejects and rejects is None
    data = counts | {
        "applied": imported.applied,
        "rejects": [{"row": r.row, "email": r.email, "reason": r.reason} for r in imported.rejects],
    }
    session.finish("subscribers-import", data, show, ExitCode.CONTENT if bad else ExitCode.DONE)


@subscribers_command.command("list")
@click.option("--segment", metavar="S", help="Only people of this segment.")
@click.option("--state", "states", multiple=True, type=click.Choice([state.value for state in State]))
@click.pass_obj
def list_command(session: Session, segment: str | None, states: tuple[str, ...]) -> None:
    """List people by address."""
    from digest_mailer.services.planning import find_segment

    app = session.app()
    people = list(app.people.listing(find_segment(app.segments, segment), [State(state) for state in states]))

    def show(console: "Console") -> None:
        listing = table("address", "name", "state", "language", "topics")
        for person in people:
            topics = "all" if person.all_topics else str(len(_topics(app, person)))
            listing.add_row(person.address.typed, person.name, person.state, person.language, topics)
        console.print(listing)
        session.say(f"{len(people)} people")

    data = {"people": [_as_data(app, person) for person in people]}
    session.finish("subscribers", data, show, ExitCode.DONE if people else ExitCode.NOTHING)


@subscribers_command.command("show")
@click.argument("address", metavar="EMAIL")
@click.pass_obj
def show_command(session: Session, address: str) -> None:
    """Show one person: state, topics, consent, history."""
    app = session.app()
    person = app.subscriptions.by_address(address)
    history = app.people.history(person.id)

    def show(console: "Console") -> None:
        listing = table("", "")
        listing.show_header = False
        for name, value in _as_data(app, person).items():
            text = "; ".join(value) if isinstance(value, list) else str(value)
            listing.add_row(name.replace("_", " "), text)
        console.print(listing)
        for at, before, after, reason in history:
            moved = f"{before} → {after}" if before else after
            console.print(f"{at:%Y-%m-%d %H:%M} UTC  {moved}: {reason}", markup=False)

    moves = [{"at": at, "from": before, "to": after, "reason": why} for at, before, after, why in history]
    session.finish("subscriber", _as_data(app, person) | {"history": moves}, show)


@subscribers_command.command("unsubscribe")
@click.argument("address", metavar="EMAIL")
@click.option("--reason", default="asked the admin", show_default=True)
@click.pass_obj
def unsubscribe_command(session: Session, address: str, reason: str) -> None:
    """Unsubscribe one person. A send that is under way drops them too."""
    app = session.app()
    person = app.subscriptions.by_address(address)
    left = app.subscriptions.leave(person, reason)
    what = "is unsubscribed" if left else "had left already"
    data = {"address": person.address.typed, "left_now": left}
    session.finish("unsubscribe", data, lambda console: console.print(f"{person.address} {what}.", markup=False))


def import_file(
    app: "App", file: Path, *, apply: bool, keep_rejects: bool, given: "Mapping[str, Any] | None" = None
) -> "Imported":
    """Import a CSV file, `-` for standard input. Raises UsageError when it cannot be read."""
    from digest_mailer.bootstrap import read_subscribers
    from digest_mailer.services.subscriptions import file_digest

    name, data = _read(file)
    catalogue, today = app.library.vocabulary.catalogue, app.clock.now().date()

    def rows() -> Any:
        return read_subscribers(io.BytesIO(data), catalogue, today=today, source=name, **(given or {}))

    return app.importer.run(rows, name, lambda: file_digest(data), apply=apply, keep_rejects=keep_rejects)


def _read(file: Path) -> tuple[str, bytes]:
    if str(file) == "-":
        return "standard input", sys.stdin.buffer.read()
    try:
        return file.name, file.read_bytes()
    except OSError as problem:
        raise UsageError(f"cannot read {file}: {problem.strerror}", "check the path") from problem


def _columns(given: tuple[str, ...]) -> dict[str, str]:
    columns = {}
    for one in given:
        column, equals, name = one.partition("=")
        if not equals or not column.strip() or not name.strip():
            raise UsageError(f'--map "{one}" is not COL=FIELD', "for instance: --map 'E-mail Address=email'")
        columns[column] = name
    return columns


def _consent(given: str | None) -> Consent | None:
    if given is None:
        return None
    match = re.fullmatch(r"\s*(\S.*?)\s+(\d{4}-\d{2}-\d{2})\s*", given)
    try:
        if match:
            return Consent(match[1], date.fromisoformat(match[2]))
    except ValueError:
        pass
    raise UsageError(f'--consent "{given}" is not a source and a date', "like: --consent 'web form 2023-05-01'")


def _write_rejects(path: Path, rejects: "Sequence[Reject]") -> None:
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["row", "email", "reason"])
            writer.writerows([reject.row, reject.email, reject.reason] for reject in rejects)
    except OSError as problem:
        raise UsageError(f"cannot write {path}: {problem.strerror}", "choose another file") from problem


def _next(imported: "Imported", *, apply: bool) -> str:
    if imported.applied:
        return "imported"
    if apply:
        return "nothing was imported: correct the rejected rows, or set them aside with --rejects FILE"
    return "nothing was changed; do it with --apply"


def _topics(app: "App", person: Subscriber) -> list[str]:
    return [topic.name for topic in app.library.vocabulary.catalogue.in_words(person.topics)]


def _as_data(app: "App", person: Subscriber) -> dict[str, Any]:
    consent = f"{person.consent.source}, {person.consent.given_on}" if person.consent else ""
    return {
        "address": person.address.typed,
        "name": person.name,
        "state": str(person.state),
        "paused_until": str(person.paused_until or ""),
        "language": person.language,
        "topics": ["all topics"] if person.all_topics else _topics(app, person),
        "consent": consent,
        "attributes": [f"{name}: {value}" for name, value in person.attributes.items()],
    }
