"""For admins: audit list, verify, export."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from digest_mailer.cli.files import written
from digest_mailer.cli.session import Group, Session, table
from digest_mailer.core.audit import as_line, is_in_chain, told
from digest_mailer.core.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from digest_mailer.core.audit import Record


@click.group("audit", cls=Group)
def audit_command() -> None:
    """Show, check and export who did what."""


@audit_command.command("list")
@click.option("--action", default="", metavar="A", help="Only this one, like unsubscribe or import.")
@click.option("--person", metavar="EMAIL", help="Only about this person.")
@click.option("--limit", default=100, show_default=True, metavar="N", help="Newest so many; 0 for all.")
@click.pass_obj
def list_command(session: Session, action: str, person: str | None, limit: int) -> None:
    """List the entries, newest first."""
    app = session.app()
    whom = app.subscriptions.by_address(person).id if person else None
    records = list(app.trail.records(whom, action, limit))

    def show(console: "Console") -> None:
        listing = table("#", "when (UTC)", "who", "what", "whom", "facts")
        for one in records:
            whom = str(one.subscriber or "")
            listing.add_row(str(one.number), f"{one.at:%Y-%m-%d %H:%M:%S}", one.actor, one.action, whom, told(one))
        console.print(listing)

    data = {"entries": [_as_data(one) for one in records]}
    session.finish("audit", data, show, ExitCode.DONE if records else ExitCode.NOTHING)


@audit_command.command("verify")
@click.option("--head", metavar="HEX", help="A head that was written down earlier: must still be in the chain.")
@click.pass_obj
def verify_command(session: Session, head: str | None) -> None:
    """Check that no entry was changed, taken out or put in."""
    app = session.app()
    checked = app.trail.verify()
    faults = list(checked.faults)
    if head is not None and not is_in_chain(app.trail.links(), head):
        faults.append("the head that was written down is not in the chain: entries behind it were taken out or changed")

    def show(console: "Console") -> None:
        for fault in faults:
            console.print(fault, markup=False)
        if not faults:
            console.print(f"{checked.entries} entries, the chain is whole.")
        console.print(f"head: {checked.head.hex()}")

    data: dict[str, Any] = {"entries": checked.entries, "head": checked.head.hex(), "faults": faults}
    session.finish("audit-verify", data, show, ExitCode.CONTENT if faults else ExitCode.DONE)


@audit_command.command("export")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True), default=Path("-"),
              metavar="FILE", help="Where to; - for standard output.")  # fmt: skip
@click.pass_obj
def export_command(session: Session, output: Path) -> None:
    """Write the chain, a line of JSON an entry, without anything personal: to be kept elsewhere."""
    app = session.app()
    if session.json:
        raise UsageError("audit export writes JSON lines by itself", "leave out --json")
    count = 0
    with written(output) as file:
        for one in app.trail.links():
            file.write(as_line(one))
            count += 1
    session.say(f"{count} entries")


def _as_data(record: "Record") -> dict[str, Any]:
    return {"number": record.number, "at": record.at, "actor": record.actor, "action": record.action,
            "subscriber": record.subscriber, "facts": dict(record.facts), "content": dict(record.content),
            "erased": record.erased}  # fmt: skip
