"""For admins: subscribers list, show. For one person see `cli.person`, for files `cli.people_files`."""

from typing import TYPE_CHECKING, Any

import click

from digest_mailer.cli.people_files import COMMANDS as FILE_COMMANDS
from digest_mailer.cli.person import COMMANDS, told
from digest_mailer.cli.person import as_data as event_data
from digest_mailer.cli.session import Group, Session, table
from digest_mailer.core.audience import State, Subscriber
from digest_mailer.core.errors import ExitCode

if TYPE_CHECKING:
    from rich.console import Console

    from digest_mailer.bootstrap import App


@click.group("subscribers", cls=Group)
def subscribers_command() -> None:
    """Import, export, list, show and change people."""


for _command in (*COMMANDS, *FILE_COMMANDS):
    subscribers_command.add_command(_command)


@subscribers_command.command("list")
@click.option("--segment", metavar="S", help="Only people of this segment: its name or an expression.")
@click.option("--state", "states", multiple=True, type=click.Choice([state.value for state in State]))
@click.pass_obj
def list_command(session: Session, segment: str | None, states: tuple[str, ...]) -> None:
    """List people by address."""
    from digest_mailer.services.segmenting import find_segment

    app = session.app()
    people = list(
        app.people.listing(find_segment(app.segments, segment, app.library), [State(state) for state in states])
    )

    def show(console: "Console") -> None:
        listing = table("address", "name", "state", "language", "topics")
        for person in people:
            topics = "all" if person.all_topics else str(len(_topics(app, person)))
            listing.add_row(person.address.typed, person.name, person.state, person.language, topics)
        console.print(listing)
        session.say(f"{len(people)} people")

    data = {"people": [as_data(app, person) for person in people]}
    session.finish("subscribers", data, show, ExitCode.DONE if people else ExitCode.NOTHING)


@subscribers_command.command("show")
@click.argument("address", metavar="EMAIL")
@click.pass_obj
def show_command(session: Session, address: str) -> None:
    """Show one person: state, topics, consent, history."""
    app = session.app()
    person = app.subscriptions.by_address(address)
    history = app.subscriptions.history(person)

    def show(console: "Console") -> None:
        listing = table("", "")
        listing.show_header = False
        for name, value in as_data(app, person).items():
            text = "; ".join(value) if isinstance(value, list) else str(value)
            listing.add_row(name.replace("_", " "), text)
        console.print(listing)
        for event in history:
            console.print(told(event), markup=False)

    data = as_data(app, person) | {"history": [event_data(event) for event in history]}
    session.finish("subscriber", data, show)


def _topics(app: "App", person: Subscriber) -> list[str]:
    return [topic.name for topic in app.library.vocabulary.catalogue.in_words(person.topics)]


def as_data(app: "App", person: Subscriber) -> dict[str, Any]:
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
