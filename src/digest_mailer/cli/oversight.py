"""For admins: pause, resume, cancel, retry, unknown, deliveries, why."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from digest_mailer.cli.sending import Duration, deliver, ended_data, exit_code, show_ended
from digest_mailer.cli.session import Command, Session, table
from digest_mailer.core.delivery import HandOff
from digest_mailer.core.errors import ExitCode, NothingMatched, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from rich.console import Console

    from digest_mailer.core.mailing import Delivery
    from digest_mailer.services.why import NotSent, Sent

_STATES = click.Choice([str(state) for state in HandOff])


@click.command("pause", cls=Command)
@click.argument("issue")
@click.pass_obj
def pause_command(session: Session, issue: str) -> None:
    """Stop a mailing for a while. What is on the wire is finished; nothing further is begun."""
    app = session.app()
    named = app.library.named(issue)
    app.overseer().pause(named)
    session.finish("pause", {"issue": named}, lambda c: c.print(f"Paused. Go on with: digest-mailer resume {named}"))


@click.command("resume", cls=Command)
@click.argument("issue")
@click.option("--wait", type=Duration(), default="15m", show_default=True, metavar="TIME",
              help="How long to stay for people who are due again.")  # fmt: skip
@click.option("--transport", "url", metavar="URL", help="Another way out than the configured one.")
@click.pass_obj
def resume_command(session: Session, issue: str, wait: "timedelta", url: str | None) -> None:
    """Go on with a mailing that was paused, stopped or held, to the people it was begun for."""
    app = session.app()
    library, transport = app.library, app.transport(url)
    named = library.named(issue)
    app.launcher(library).check_resume(named, transport)
    with app.lock(named):
        ended = deliver(session, app, named, transport, wait)
    people = app.overseer().unknown(named)

    def show(console: "Console") -> None:
        show_ended(console, named, ended)
        if people:
            show_unknown(console, named, people)

    session.finish("resume", ended_data(ended) | {"unknown_people": unknown_data(people)}, show, exit_code(ended))


@click.command("cancel", cls=Command)
@click.argument("issue")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def cancel_command(session: Session, issue: str, yes: bool) -> None:
    """End a mailing for good: nobody else gets the issue."""
    app = session.app()
    named = app.library.named(issue)
    waiting = app.ledger.still_open(named).waiting
    if not yes and session.asks:
        click.confirm(f"{waiting} people will not get {named}. Cancel it", abort=True, err=True)
    people = app.overseer().cancel(named)
    data = {"issue": named, "cancelled": people}
    session.finish("cancel", data, lambda c: c.print(f"Cancelled: {people} people do not get {named}."))


@click.command("retry", cls=Command)
@click.argument("issue")
@click.option("--state", "states", multiple=True, default=["deferred"], show_default=True, metavar="STATE",
              type=click.Choice(["deferred", "refused", "expired"]), help="Whom; may be given again.")  # fmt: skip
@click.pass_obj
def retry_command(session: Session, issue: str, states: tuple[str, ...]) -> None:
    """Have people tried again, who are deferred, were refused, or for whom it was too late."""
    app = session.app()
    named = app.library.named(issue)
    people = app.overseer().retry(named, [HandOff(state) for state in states])
    words = f"{people} people will be tried again with: digest-mailer resume {named}"
    session.finish("retry", {"issue": named, "people": people}, lambda console: console.print(words))


@click.command("unknown", cls=Command)
@click.argument("issue")
@click.argument("emails", nargs=-1, metavar="[EMAIL]...")
@click.option("--resolve", type=click.Choice(["accepted", "resend"]),
              help="They have it; or send it to them again, which may be a second copy.")  # fmt: skip
@click.option("--evidence", "paths", type=click.Path(path_type=Path), multiple=True, metavar="FILE|DIR",
              help="A Maildir, a mail, a delivery report or a server's log: who is in it has the mail.")  # fmt: skip
@click.pass_obj
def unknown_command(
    session: Session, issue: str, emails: tuple[str, ...], resolve: str | None, paths: tuple[Path, ...]
) -> None:
    """Show who may or may not have got an issue, and settle it by evidence or by your word."""
    app = session.app()
    named, overseer = app.library.named(issue), app.overseer()
    data: dict[str, Any] = {"issue": named}
    words = []
    for path in paths:
        settled = overseer.learn(named, app.read_evidence(path))
        data |= {"accepted_by_evidence": data.get("accepted_by_evidence", 0) + settled.accepted}
        words.append(f"{path}: {settled.accepted} of them have it, {settled.unknown} are still unknown")
    people = overseer.unknown(named, emails)
    if resolve and people:
        state = HandOff.ACCEPTED if resolve == "accepted" else HandOff.PLANNED
        data["resolved"] = overseer.resolve(named, people, state)
        go_on = f"; go on with: digest-mailer resume {named}" if resolve == "resend" else ""
        words.append(f"{data['resolved']} settled as {resolve}{go_on}")
        people = overseer.unknown(named)
    data["unknown_people"] = unknown_data(people)

    def show(console: "Console") -> None:
        for line in words:
            console.print(line, markup=False, soft_wrap=True)
        if people:
            show_unknown(console, named, people)
        elif not words:
            console.print(f"Nobody of {named} is unknown.")

    session.finish("unknown", data, show, ExitCode.PARTIAL if people else ExitCode.DONE)


@click.command("deliveries", cls=Command)
@click.argument("issue")
@click.option("--state", "states", multiple=True, type=_STATES, metavar="STATE", help="Only these; may be given again.")
@click.option("--domain", default="", metavar="D", help="Only addresses at this domain.")
@click.pass_obj
def deliveries_command(session: Session, issue: str, states: tuple[str, ...], domain: str) -> None:
    """List everybody of a mailing: how far their message has come, and what was answered."""
    app = session.app()
    named = app.library.named(issue)
    app.overseer().mailing(named)
    rows = list(app.oversight.deliveries(named, [HandOff(state) for state in states], domain))
    if not rows:
        raise NothingMatched(f"nobody of {named} is like that", f"see: digest-mailer status {named}")
    data = {"issue": named, "deliveries": [delivery_data(row) for row in rows]}

    def show(console: "Console") -> None:
        listing = table("address", "hand-off", "fate", "#tries", "changed (UTC)", "answer")
        for row in rows:
            changed = f"{row.changed:%Y-%m-%d %H:%M}"
            listing.add_row(row.address or "(erased)", row.state, row.fate, str(row.attempts), changed, row.detail)
        console.print(listing, markup=False)
        console.print(f"{len(rows)} people.")

    session.finish("deliveries", data, show)


@click.command("why", cls=Command)
@click.argument("email")
@click.option("--issue", metavar="ISSUE", help="Only this one.")
@click.option("--eml", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Write the message of the newest issue, or of this one, there.")  # fmt: skip
@click.pass_obj
def why_command(session: Session, email: str, issue: str | None, eml: Path | None) -> None:
    """Tell what somebody got, what they did not get, and why."""
    app = session.app()
    named = app.library.named(issue) if issue else None
    person, explainer = app.subscriptions.by_address(email), app.explainer()
    found = list(explainer.sent(person, named))
    absent = [explainer.not_sent(person, named)] if named and not found else []
    if eml:
        _write_message(eml, found)
    entitled = explainer.entitled(person)
    data = {
        "email": str(person.address),
        "state": person.state,
        "follows": explainer.topics(person),
        "gets_mail": not entitled,
        "why_not": entitled,
        "issues": [_sent_data(one) for one in found],
        "not_sent": [{"issue": one.issue, "reason": one.reason} for one in absent],
    }

    def show(console: "Console") -> None:
        console.print(f"{person.address}: {person.state}; follows {explainer.topics(person)}", markup=False)
        if entitled:
            console.print(f"Would get no mail today: {entitled}", markup=False)
        for one in found:
            _show_sent(console, one)
        for other in absent:
            _show_not_sent(console, other)
        if not found and not absent:
            console.print("No issue was sent to this person yet.")

    session.finish("why", data, show)


def unknown_data(people: "Sequence[Delivery]") -> list[dict[str, str]]:
    """Unknown people as data."""
    from digest_mailer.services.oversight import how_likely

    return [{"address": one.address, "detail": one.detail, "arrived": how_likely(one.detail)} for one in people]


def show_unknown(console: "Console", issue: str, people: "Sequence[Delivery]") -> None:
    """One short screen: names, how likely they have it, and what can be done."""
    listing = table("unknown", "what happened", "did it arrive?")
    for one in unknown_data(people):
        listing.add_row(one["address"] or "(erased)", one["detail"], one["arrived"])
    console.print(listing, markup=False)
    ask = f"digest-mailer unknown {issue}"
    console.print(f"Ask the server's log: {ask} --evidence FILE", markup=False, soft_wrap=True)
    console.print(f"Leave them: {ask} --resolve accepted    Send again: {ask} --resolve resend", soft_wrap=True)


def delivery_data(row: "Delivery") -> dict[str, Any]:
    """A row as data."""
    return {
        "issue": row.issue,
        "address": row.address,
        "hand_off": row.state,
        "fate": row.fate,
        "attempts": row.attempts,
        "due": row.due.isoformat() if row.due else None,
        "changed": row.changed.isoformat(),
        "answer": row.detail,
    }


def _sent_data(one: "Sent") -> dict[str, Any]:
    attempts = [
        {
            "number": attempt.number,
            "content_left": attempt.started.isoformat() if attempt.started else None,
            "ended": attempt.ended.isoformat(),
            "transport": attempt.transport,
            "connection": attempt.connection,
            "outcome": attempt.outcome,
            "code": attempt.code,
            "enhanced": attempt.enhanced,
            "reply": attempt.reply,
        }
        for attempt in one.attempts
    ]
    return delivery_data(one.delivery) | {
        "edition": str(one.edition.key),
        "articles": one.edition.articles,
        "subject": one.edition.subject,
        "why": one.why,
        "octets": one.message.octets.size if one.message else None,
        "same_as_sent": one.same,
        "attempt_log": attempts,
    }


def _show_sent(console: "Console", one: "Sent") -> None:
    row = one.delivery
    fate = f", then {row.fate}" if row.fate != "none" else ""
    console.print(f"\n{row.issue}: {row.state}{fate}. {one.edition.subject}", markup=False)
    console.print(f"  edition {one.edition.key}: {', '.join(one.edition.articles)}", markup=False, soft_wrap=True)
    if one.why:
        console.print(f"  {one.why}", markup=False, soft_wrap=True)
    for attempt in one.attempts:
        code = f" {attempt.code}" if attempt.code else ""
        when = f"{attempt.ended:%Y-%m-%d %H:%M:%S}"
        console.print(f"  {when}  {attempt.outcome}{code}  {attempt.reply}", markup=False, soft_wrap=True)
    if row.state != "accepted" and row.detail and not one.attempts:
        console.print(f"  {row.detail}", markup=False, soft_wrap=True)
    console.print(f"  {_bytes(one)}", markup=False)


def _bytes(one: "Sent") -> str:
    if one.message is None:
        return "the message cannot be built again: the person's values were erased"
    size = f"{one.message.octets.size} octets"
    if one.same is None:
        return f"message of {size}; it is not on record that any of it left"
    return f"message of {size}, the same as was sent" if one.same else f"message of {size}, NOT the same as was sent"


def _show_not_sent(console: "Console", one: "NotSent") -> None:
    console.print(f"\n{one.issue}: not sent: {one.reason}", markup=False)


def _write_message(path: Path, found: "Sequence[Sent]") -> None:
    message = found[0].message if found else None
    if message is None:
        raise NothingMatched("there is no message to write", "see the same command without --eml")
    if path.exists():
        raise UsageError(f"{path} is there already", "name a new file")
    path.write_bytes(message.content)
