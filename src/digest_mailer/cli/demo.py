"""For newcomers: the main job from start to end, with sample people and an inbox on this machine."""

import shutil
import socket
import sys
import tempfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from digest_mailer.cli.people_files import import_file
from digest_mailer.cli.sending import deliver, ended_data, exit_code, show_plan
from digest_mailer.cli.session import Command, Session, table
from digest_mailer.core.delivery import HandOff
from digest_mailer.core.errors import ExitCode
from digest_mailer.core.segment import EVERYBODY

if TYPE_CHECKING:
    from rich.console import Console

    from digest_mailer.bootstrap import App
    from digest_mailer.services.send import Ended

_PORT = 8400


@dataclass(frozen=True, slots=True)
class _Told:
    """What the demo did, step by step."""

    steps: list[tuple[str, str]]
    data: dict[str, Any]
    ended: "Ended"


@click.command("demo", cls=Command)
@click.argument("directory", required=False, type=click.Path(path_type=Path, file_okay=False), metavar="[DIR]")
@click.option("--no-serve", is_flag=True, help="End when the mail is sent.")
@click.pass_obj
def demo_command(session: Session, directory: Path | None, no_serve: bool) -> None:
    """Send the sample issue to sample people over SMTP, in an inbox of your own. Nothing leaves this machine."""
    from digest_mailer.bootstrap import build_app, new_publication

    folder = directory or Path(tempfile.mkdtemp(prefix="digest-demo-"))
    serves = not no_serve and not session.json and sys.stdin.isatty() and sys.stdout.isatty()
    port = _free_port()
    new_publication(folder, base_url=f"http://127.0.0.1:{port}")
    app = build_app(folder)
    told = _tell(session, app, folder)
    address = f"http://127.0.0.1:{port}/inbox/"
    again = f"{_program()} -C {folder} serve --port {port}"

    def show(console: "Console") -> None:
        listing = table("step", "what happened")
        for step, what in told.steps:
            listing.add_row(step, what)
        console.print(listing)
        console.print(
            f"The inbox: {address}" if serves else f"See the inbox with: {again}", markup=False, soft_wrap=True
        )

    if not serves:
        session.finish("demo", told.data | {"inbox": address, "serve": again}, show, exit_code(told.ended))
    show(session.console())
    session.say("Ctrl-C ends it.")
    from digest_mailer.cli.serving import run_site, say_way_in

    say_way_in(session, app, "127.0.0.1", port)
    run_site(app, "127.0.0.1", port)
    raise click.exceptions.Exit(int(ExitCode.DONE))


def _tell(session: Session, app: "App", folder: Path) -> _Told:
    library = app.library
    newest = library.newest()
    imported = import_file(app, folder / "subscribers.example.csv", session.actor)
    examined = library.examine(newest)
    issue = library.load(newest)
    approval = app.approver(library).approve(newest, "demo", "approved by the demo")
    transport = app.transport()
    with app.lock(newest):
        launch = app.launcher(library).prepare(newest, EVERYBODY, transport)
        if launch.plan and not session.json:
            show_plan(session.console(), launch.plan, transport)
        app.launcher(library).start(launch, transport, launch.people)
        ended = deliver(session, app, newest, transport, timedelta(0))
    left_out = ", ".join(f"{n} {why}" for why, n in launch.plan.excluded.items()) if launch.plan else ""
    steps = [
        ("project", str(folder)),
        ("import", f"{imported.result.created} sample people, each with consent"),
        ("lint", f"{newest}: {len(examined.diagnostics)} findings"),
        ("approve", f"{issue.heading}: {len(approval.editions)} editions kept (the demo approved it itself)"),
        ("plan", f"{launch.people} people get a mail; left out: {left_out}"),
        ("send", f"{ended.progress[HandOff.ACCEPTED]} accepted by the sandbox over SMTP"),
    ]
    data = {"directory": str(folder), "issue": newest, "imported": imported.result.created, **ended_data(ended)}
    return _Told(steps, data, ended)


def _program() -> str:
    """How this command can be called again: by its name, or by where it is when that is not on the path."""
    return "digest-mailer" if shutil.which("digest-mailer") else sys.argv[0]


def _free_port() -> int:
    """The usual port, or any that is free."""
    for port in (_PORT, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    return _PORT
