"""For admins: subscribers import and export. Commands of the group `subscribers`."""

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from digest_mailer.cli.files import written
from digest_mailer.cli.person import read_consent
from digest_mailer.cli.rejected_rows import check_writable, write_rejects
from digest_mailer.cli.session import Command, Session, table
from digest_mailer.core.audience import State
from digest_mailer.core.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from digest_mailer.bootstrap import App
    from digest_mailer.services.importing import Imported, Said

_SHOWN_REJECTS = 20
_FILE = click.Path(path_type=Path, dir_okay=False, allow_dash=True)
Step = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class _Read:
    """What came of a file."""

    imported: "Imported"
    name: str
    rows: int
    encoding: str
    kind: str  # what wrote it, where that is known

    @property
    def told(self) -> str:
        """What was read, in words."""
        kind = f", an export of {self.kind}" if self.kind else ""
        return f"{self.rows} rows of {self.name}, read as {self.encoding}{kind}"


@click.command("import", cls=Command)
@click.argument("file", type=_FILE)
@click.option("--map", "columns", multiple=True, metavar="COL=FIELD", help="What a column of the file is.")
@click.option("--consent", metavar="'SOURCE DATE'", help="Consent for rows that state none: where, and YYYY-MM-DD.")
@click.option("--topics", default="", metavar="A;B", help='Topics of rows that state none; "all" for all.')
@click.option("--encoding", default="", metavar="NAME", help="Of the file, where it cannot be told.")
@click.option("--rejects", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Import the good rows, and write the others there with a reason each.")  # fmt: skip
@click.option("--apply", is_flag=True, help="Do it; without, only show what it would do.")
@click.pass_obj
def import_command(
    session: Session, /, file: Path, rejects: Path | None, apply: bool, consent: str | None, **given: Any
) -> None:
    """Import people from CSV. It never brings back who has left or is suppressed.

    Exports of Mailchimp, Substack, Kit and listmonk are recognised by their columns.
    """
    from digest_mailer.services.importing import Said

    agreed = read_consent(consent, session.app().today) if consent is not None else None
    said = Said(_columns(given["columns"]), agreed, given["topics"], given["encoding"])
    read = _import(session, file, said, apply=apply, rejects=rejects)
    imported = read.imported
    result = imported.result
    counts = {"new": result.created, "changed": result.changed, "unchanged": result.unchanged,
              "kept_out": result.kept_out, "rejected": len(imported.rejects)}  # fmt: skip

    def show(console: "Console") -> None:
        listing = table("rows", "#number")
        for name, count in counts.items():
            listing.add_row(name.replace("_", " "), str(count))
        console.print(listing)
        for reject in imported.rejects[:_SHOWN_REJECTS]:
            console.print(f"row {reject.row}: {reject.email}: {reject.reason}", markup=False, soft_wrap=True)
        if len(imported.rejects) > _SHOWN_REJECTS:
            console.print(f"and {len(imported.rejects) - _SHOWN_REJECTS} more; --rejects FILE writes them all")
        session.say(f"{read.told}; {_next(imported, apply=apply)}")

    bad = imported.rejects and rejects is None
    listed = [{"row": one.row, "email": one.email, "reason": one.reason} for one in imported.rejects]
    data = counts | {"applied": imported.applied, "encoding": read.encoding, "export_of": read.kind or None}
    code = ExitCode.CONTENT if bad else ExitCode.DONE
    session.finish("subscribers-import", data | {"rejects": listed}, show, code)


@click.command("export", cls=Command)
@click.option("--segment", metavar="S", help="Only people of this segment.")
@click.option("--state", "states", multiple=True, type=click.Choice([state.value for state in State]))
@click.option("--format", "form", type=click.Choice(["csv", "json"]), default="csv", show_default=True)
@click.option("-o", "--output", type=_FILE, default=Path("-"), metavar="FILE", help="Where to; - for standard output.")
@click.pass_obj
def export_command(session: Session, segment: str | None, states: tuple[str, ...], form: str, output: Path) -> None:
    """Write people as CSV, for an import to take back, or as JSON."""
    from digest_mailer.services.exporting import Exporter
    from digest_mailer.services.segmenting import find_segment

    if session.json and form == "csv":
        raise UsageError("subscribers export writes CSV", "say --format json")
    app = session.app()
    chosen, wanted = find_segment(app.segments, segment, app.library), [State(state) for state in states]
    exporter = Exporter(lambda: app.people.listing(chosen, wanted), app.library.vocabulary.catalogue)
    with written(output) as file:
        count = exporter.csv(file) if form == "csv" else exporter.json(file)
    app.note_export(session.actor, "subscribers", count)
    session.say(f"{count} people")
    raise click.exceptions.Exit(int(ExitCode.DONE if count else ExitCode.NOTHING))


COMMANDS = (import_command, export_command)


def import_file(app: "App", path: Path, actor: str) -> "Imported":
    """Import a CSV file of which every row is good, at once. Raises UsageError when it cannot be read."""
    from digest_mailer.services.importing import Asked, Said, file_digest

    with _opened(path) as (name, data):
        file = app.people_file(data, name, Said())
        return app.importer.run(file.batches(), name, lambda: file_digest(data), Asked(apply=True, actor=actor))


def _import(session: Session, path: Path, said: "Said", *, apply: bool, rejects: Path | None) -> _Read:
    from digest_mailer.services.importing import Asked, file_digest

    if rejects:
        check_writable(rejects, path)
    app, rows = session.app(), 0
    with _opened(path) as (name, data):
        file = app.people_file(data, name, said)
        with _progress(session, data, name) as step:

            def count(number: int) -> None:
                nonlocal rows
                rows += number
                step(number)

            asked = Asked(apply, rejects is not None, session.actor)
            imported = app.importer.run(file.batches(), name, lambda: file_digest(data), asked, count)
        if rejects:
            write_rejects(rejects, file, imported.rejects)
        return _Read(imported, name, rows, file.encoding, file.kind)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[str, BinaryIO]]:
    """The file and its name. Standard input is kept in a nameless file, because a list is read more than once."""
    if str(path) == "-":
        with TemporaryFile() as spool:
            shutil.copyfileobj(sys.stdin.buffer, spool)
            spool.seek(0)
            yield "standard input", spool
        return
    try:
        data = path.open("rb")
    except OSError as problem:
        raise UsageError(f"cannot read {path}: {problem.strerror}", "check the path") from problem
    with data:
        yield path.name, data


@contextmanager
def _progress(session: Session, data: BinaryIO, name: str) -> Iterator[Step]:
    """A bar of how much of the file was read; only on a terminal."""
    if session.json or session.quiet or not sys.stderr.isatty():
        yield lambda _number: None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    size = data.seek(0, 2)
    data.seek(0)
    columns = (TextColumn(name, markup=False), BarColumn(), TextColumn("{task.fields[rows]:,} rows"),
               TextColumn("{task.fields[rate]:,.0f}/s"), TimeElapsedColumn())  # fmt: skip
    with Progress(*columns, console=session.console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=size, rows=0, rate=0.0)

        def step(number: int) -> None:
            shown = progress.tasks[0]
            rows = shown.fields["rows"] + number
            progress.update(task, completed=data.tell(), rows=rows, rate=rows / (shown.elapsed or 1))

        yield step


def _columns(given: tuple[str, ...]) -> dict[str, str]:
    columns = {}
    for one in given:
        column, equals, name = one.partition("=")
        if not equals or not column.strip() or not name.strip():
            raise UsageError(f'--map "{one}" is not COL=FIELD', "for instance: --map 'E-mail Address=email'")
        columns[column] = name
    return columns


def _next(imported: "Imported", *, apply: bool) -> str:
    if imported.applied:
        return "imported"
    if apply:
        return "nothing was imported: correct the rejected rows, or set them aside with --rejects FILE"
    return "nothing was changed; do it with --apply"
