"""For admins: suppressions list, add, remove, import, export."""

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from digest_mailer.cli.files import written
from digest_mailer.cli.session import Group, Session, table
from digest_mailer.core.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from rich.console import Console

_SHOWN_REJECTS = 20
_FILE = click.Path(path_type=Path, dir_okay=False, allow_dash=True)


@click.group("suppressions", cls=Group)
def suppressions_command() -> None:
    """Addresses that get no mail, whoever imports them again."""


@suppressions_command.command("list")
@click.pass_obj
def list_command(session: Session) -> None:
    """List the suppressed addresses; of people who were erased only the hash is left."""
    rows = list(session.app().suppressing.rows())

    def show(console: "Console") -> None:
        listing = table("address", "ground", "reason", "since")
        for row in rows:
            listing.add_row(
                row["email"] or f"hash {row['hash'][:12]}…", row["ground"], row["reason"], row["since"][:10]
            )
        console.print(listing)
        session.say(f"{len(rows)} addresses")

    session.finish("suppressions", {"suppressions": rows}, show, ExitCode.DONE if rows else ExitCode.NOTHING)


@suppressions_command.command("add")
@click.argument("addresses", nargs=-1, required=True, metavar="EMAIL...")
@click.option("--reason", default="asked the admin", show_default=True)
@click.pass_obj
def add_command(session: Session, addresses: tuple[str, ...], reason: str) -> None:
    """Suppress addresses, whether they subscribe or not. A send that is under way drops them too."""
    added = session.app().suppressing.add(addresses, reason, session.actor)
    data = {"addresses": len(addresses), "added": added}
    session.finish("suppressions-add", data, lambda console: console.print(f"{added} added."))


@suppressions_command.command("remove")
@click.argument("address", metavar="EMAIL")
@click.option("--reason", required=True, metavar="WHY", help="Kept in the audit trail.")
@click.pass_obj
def remove_command(session: Session, address: str, reason: str) -> None:
    """Take an address off the list. Who has left stays so: they come back by signing up again."""
    session.app().suppressing.remove(address, reason, session.actor)
    session.finish(
        "suppressions-remove", {"removed": 1}, lambda c: c.print(f"{address} is off the list.", markup=False)
    )


@suppressions_command.command("import")
@click.argument("file", type=_FILE)
@click.option("--skip-rejects", is_flag=True, help="Take the good rows although others are bad.")
@click.option("--apply", is_flag=True, help="Do it; without, only show what it would do.")
@click.pass_obj
def import_command(session: Session, file: Path, skip_rejects: bool, apply: bool) -> None:
    """Take in a list of suppressed addresses, as CSV with a column email or hash. It only adds."""
    source, text = _read(file)
    listed = session.app().suppressing.load(text, source, session.actor, apply=apply, keep_rejects=skip_rejects)
    done = apply and (skip_rejects or not listed.rejects)
    bad = [{"row": one.row, "email": one.email, "reason": one.reason} for one in listed.rejects]

    def show(console: "Console") -> None:
        listing = table("rows", "#number")
        for name, count in (("entries", listed.entries), ("new", listed.added), ("rejected", len(bad))):
            listing.add_row(name, str(count))
        console.print(listing)
        for one in listed.rejects[:_SHOWN_REJECTS]:
            console.print(f"row {one.row}: {one.email}: {one.reason}", markup=False, soft_wrap=True)
        session.say("imported" if done else "nothing was changed; do it with --apply")

    data = {"entries": listed.entries, "added": listed.added, "applied": done, "rejects": bad}
    code = ExitCode.CONTENT if bad and not skip_rejects else ExitCode.DONE
    session.finish("suppressions-import", data, show, code)


@suppressions_command.command("export")
@click.option("-o", "--output", type=_FILE, default=Path("-"), metavar="FILE", help="Where to; - for standard output.")
@click.pass_obj
def export_command(session: Session, output: Path) -> None:
    """Write the list as CSV, for this publication to take back."""
    app = session.app()
    if session.json:
        raise UsageError("suppressions export writes CSV", "leave out --json, or use: suppressions list --json")
    with written(output) as file:
        count = app.suppressing.write(file)
    app.note_export(session.actor, "suppressions", count)
    session.say(f"{count} addresses")


def _read(file: Path) -> tuple[str, io.StringIO]:
    try:
        data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        return file.name, io.StringIO(data.decode("utf-8-sig"), newline="")
    except OSError as problem:
        raise UsageError(f"cannot read {file}: {problem.strerror}", "check the path") from problem
    except UnicodeDecodeError as problem:
        raise UsageError(f"{file} is not UTF-8", "save it as CSV UTF-8") from problem
