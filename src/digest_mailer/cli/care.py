"""For whoever keeps it running: db upgrade, config check."""

from typing import TYPE_CHECKING

import click

from digest_mailer.cli.session import Group, Session, table

if TYPE_CHECKING:
    from rich.console import Console


@click.group("db", cls=Group)
def db_command() -> None:
    """Bring the database up to date."""


@db_command.command("upgrade")
@click.pass_obj
def upgrade_command(session: Session) -> None:
    """Make the database, or bring it to this version's step. Doing it again changes nothing."""
    app = session.app()
    before, after = app.upgrade_database()
    what = f"the database is at step {after}" + ("" if before == after else f", before {before or 'there was none'}")
    session.finish("db-upgrade", {"before": before, "after": after}, lambda console: console.print(what))


@click.group("config", cls=Group)
def config_command() -> None:
    """Check the settings."""


@config_command.command("check")
@click.pass_obj
def check_command(session: Session) -> None:
    """Check the settings, the topics, the templates and the way out, without sending or connecting."""
    app = session.app()
    library = app.library
    publication, transport = app.publication, app.transport()
    vocabulary = library.vocabulary
    data = {
        "publication": publication.name,
        "base_url": publication.base_url,
        "sender": publication.sender.address.typed,
        "languages": list(publication.languages),
        "topics": len(vocabulary.catalogue.topics),
        "research_types": len(vocabulary.types.types),
        "templates": len(library.source.templates()),
        "issues": len(library.source.ids()),
        "transport": transport.url,
        "live": transport.live,
    }

    def show(console: "Console") -> None:
        listing = table("", "")
        listing.show_header = False
        for name, value in data.items():
            listing.add_row(name.replace("_", " "), ", ".join(value) if isinstance(value, list) else str(value))
        console.print(listing)
        session.say("the settings are in order")

    session.finish("config-check", data, show)
