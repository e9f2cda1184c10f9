"""For authors: test."""

import asyncio
from typing import TYPE_CHECKING

import click

from digest_mailer.cli.session import Command, Session, table
from digest_mailer.core.delivery import Accepted
from digest_mailer.core.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from rich.console import Console


@click.command("test", cls=Command)
@click.argument("issue")
@click.option(
    "--to", multiple=True, required=True, metavar="EMAIL", help="Who looks at it; may be given several times."
)
@click.option("--as", "reader", metavar="EMAIL", help="The edition and the words that this subscriber would get.")
@click.option("--all-editions", "every", is_flag=True, help="Every edition, each in a mail of its own.")
@click.option("--transport", "url", metavar="URL", help="Another way out than the configured one.")
@click.pass_obj
def test_command(
    session: Session, issue: str, to: tuple[str, ...], reader: str | None, every: bool, url: str | None
) -> None:
    """Send an issue to yourself, as it would arrive: approved or not, to any address, counted nowhere.

    The subject begins with [TEST], and the links that unsubscribe do nothing.
    """
    from digest_mailer.services.subscriptions import read_address
    from digest_mailer.services.trial import check_addresses

    if reader and every:
        raise UsageError("a reader gets one edition", "leave --as or --all-editions out")
    app = session.app()
    library, transport = app.library, app.transport(url)
    named, addresses = library.named(issue), [read_address(one) for one in to]
    check_addresses(addresses, transport)
    trial, shown = app.trial(library), library.readable(named)
    person = app.subscriptions.by_address(reader) if reader else None
    keys = trial.keys(shown, person, all_editions=every)
    messages = trial.messages(shown, keys, addresses, person)
    outcomes = asyncio.run(app.express(transport).send(messages))
    rows = [
        {
            "to": message.envelope.recipient,
            "subject": message.subject,
            "outcome": type(outcome).__name__.lower(),
            "reply": outcome.reply,
        }
        for message, outcome in zip(messages, outcomes, strict=True)
    ]

    def show(console: "Console") -> None:
        listing = table("to", "subject", "outcome", "reply")
        for row in rows:
            listing.add_row(*row.values())
        console.print(listing)

    taken = sum(isinstance(outcome, Accepted) for outcome in outcomes)
    code = ExitCode.DONE if taken == len(rows) else ExitCode.PARTIAL if taken else ExitCode.TEMPORARY
    session.finish("test", {"issue": named, "transport": transport.url, "messages": rows}, show, code)
