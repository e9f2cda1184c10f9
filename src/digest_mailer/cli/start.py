"""For newcomers: init."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from digest_mailer.cli.session import Command, Session

if TYPE_CHECKING:
    from rich.console import Console


@click.command("init", cls=Command)
@click.argument("directory", required=False, type=click.Path(path_type=Path, file_okay=False), metavar="[DIR]")
@click.pass_obj
def init_command(session: Session, directory: Path | None) -> None:
    """Make the files of a new publication: settings, sample issues, sample people. Nobody is imported."""
    from digest_mailer.bootstrap import build_app, new_publication

    target = directory or session.directory
    made = new_publication(target)
    app = build_app(target)
    app.upgrade_database()
    app.secrets.make()

    def show(console: "Console") -> None:
        for name in made:
            console.print(str(target / name), markup=False)
        session.say(
            "next: set name, sender and addresses in digest.toml, then see: digest-mailer config check\n"
            "      digest-mailer subscribers import FILE shows what an import would do"
        )

    session.finish("init", {"directory": str(target), "files": made}, show)
