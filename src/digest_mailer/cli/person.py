"""For admins: what is done for one person. Commands of the group `subscribers`."""

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import click

from digest_mailer.cli.session import Command, Session
from digest_mailer.core.audience import Profile
from digest_mailer.core.errors import UsageError
from digest_mailer.core.identity import Language

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from digest_mailer.bootstrap import App
    from digest_mailer.core.audience import Consent
    from digest_mailer.core.topic import TopicWords
    from digest_mailer.services.subscriptions import Event

_REASON = click.option("--reason", default="", metavar="WHY", help="Kept in the audit trail.")


def _profile_options(command: "Callable[..., Any]") -> "Callable[..., Any]":
    """What `add` and `edit` take alike."""
    for option in (
        click.option("--attribute", "attributes", multiple=True, metavar="NAME=VALUE",
                     help="An attribute; without a value it is taken away."),
        click.option("--topics", metavar="A;B", help='Instead of the topics so far; "all" for all, "" for none.'),
        click.option("--language", metavar="L", help="Of the mail."),
        click.option("--name", help="As it is written in To:."),
    ):  # fmt: skip
        command = option(command)
    return command


@click.command("add", cls=Command)
@click.argument("address", metavar="EMAIL")
@_profile_options
@click.option(
    "--consent", required=True, metavar="'SOURCE DATE'", help="Where they asked for it, and when: YYYY-MM-DD."
)
@click.pass_obj
def add_command(session: Session, /, address: str, consent: str, **given: Any) -> None:
    """Add one person who asked for it elsewhere. Nobody is told; it never brings back who has left."""
    from digest_mailer.services.subscriptions import read_address

    app = session.app()
    profile = _edited(app, Profile(read_address(address)), given)
    person = app.subscriptions.add(profile, read_consent(consent, app.today), session.actor)
    data = {"address": person.address.typed, "id": person.id, "state": str(person.state)}
    session.finish("subscriber-add", data, lambda console: console.print(f"{person.address} is {person.state}."))


@click.command("edit", cls=Command)
@click.argument("address", metavar="EMAIL")
@click.option("--address", "new_address", metavar="EMAIL", help="Another address; what was sent to the old one counts.")
@_profile_options
@_REASON
@click.pass_obj
def edit_command(session: Session, /, address: str, new_address: str | None, reason: str, **given: Any) -> None:
    """Change one person's values."""
    from digest_mailer.services.subscriptions import read_address

    app = session.app()
    person = app.subscriptions.by_address(address)
    profile = _edited(app, person.profile, given)
    if new_address is not None:
        profile = replace(profile, address=read_address(new_address))
    changed = app.subscriptions.edit(person, profile, session.actor, reason)
    data = {"address": profile.address.typed, "changed": changed}
    said = "is changed" if changed else "was like that already"
    session.finish("subscriber-edit", data, lambda console: console.print(f"{profile.address} {said}.", markup=False))


@click.command("pause", cls=Command)
@click.argument("address", metavar="EMAIL")
@click.option("--until", required=True, metavar="DATE", help="The first day with mail again: YYYY-MM-DD.")
@_REASON
@click.pass_obj
def pause_command(session: Session, address: str, until: str, reason: str) -> None:
    """Send one person nothing before a day."""
    app = session.app()
    person, day = app.subscriptions.by_address(address), read_day(until)
    app.subscriptions.pause(person, day, session.actor, reason)
    data = {"address": person.address.typed, "paused_until": str(day)}
    session.finish("pause", data, lambda c: c.print(f"{person.address} gets nothing before {day}.", markup=False))


@click.command("resume", cls=Command)
@click.argument("address", metavar="EMAIL")
@_REASON
@click.pass_obj
def resume_command(session: Session, address: str, reason: str) -> None:
    """End one person's pause."""
    app = session.app()
    person = app.subscriptions.by_address(address)
    app.subscriptions.resume(person, session.actor, reason)
    data = {"address": person.address.typed, "state": "active"}
    session.finish("resume", data, lambda console: console.print(f"{person.address} gets mail again.", markup=False))


@click.command("reinstate", cls=Command)
@click.argument("address", metavar="EMAIL")
@click.option("--reason", required=True, metavar="WHY", help="Kept in the audit trail.")
@click.pass_obj
def reinstate_command(session: Session, address: str, reason: str) -> None:
    """Undo a bounce; or take a complaint for a mistake, which still leaves the person unsubscribed."""
    app = session.app()
    person = app.subscriptions.by_address(address)
    state = app.subscriptions.reinstate(person, session.actor, reason)
    data = {"address": person.address.typed, "state": str(state)}
    session.finish("reinstate", data, lambda console: console.print(f"{person.address} is {state}.", markup=False))


@click.command("unsubscribe", cls=Command)
@click.argument("address", metavar="EMAIL")
@click.option("--reason", default="asked the admin", show_default=True)
@click.pass_obj
def unsubscribe_command(session: Session, address: str, reason: str) -> None:
    """Unsubscribe one person. A send that is under way drops them too."""
    app = session.app()
    person = app.subscriptions.by_address(address)
    left = app.subscriptions.leave(person, reason, actor=session.actor)
    what = "is unsubscribed" if left else "had left already"
    data = {"address": person.address.typed, "left_now": left}
    session.finish("unsubscribe", data, lambda console: console.print(f"{person.address} {what}.", markup=False))


@click.command("history", cls=Command)
@click.argument("address", metavar="EMAIL")
@click.pass_obj
def history_command(session: Session, address: str) -> None:
    """Show everything on record of one person: consents, states, changes."""
    app = session.app()
    person = app.subscriptions.by_address(address)
    events, consents = app.subscriptions.history(person), app.people.consents(person.id)

    def show(console: "Console") -> None:
        for one in reversed(consents):
            confirmed = f", confirmed {one.confirmed_at:%Y-%m-%d %H:%M} UTC" if one.confirmed_at else ""
            console.print(f"consent {one.given_on}: {one.source}{confirmed}", markup=False)
        for event in events:
            console.print(told(event), markup=False)

    given = [{"source": one.source, "given_on": one.given_on, "wording": one.wording, "version": one.version,
              "place": one.place, "confirmed_at": one.confirmed_at} for one in consents]  # fmt: skip
    data = {"address": person.address.typed, "consents": given, "events": [as_data(event) for event in events]}
    session.finish("subscriber-history", data, show)


@click.command("erase", cls=Command)
@click.argument("address", metavar="EMAIL")
@click.option("--yes", is_flag=True, help="Do it; without, only say what it would do.")
@click.pass_obj
def erase_command(session: Session, address: str, yes: bool) -> None:
    """Forget one person. It cannot be undone."""
    app = session.app()
    person = app.subscriptions.by_address(address)
    deleted = ["address, name, attributes, topics", "consents", "words about them in the audit trail",
               "what their messages said to them"]  # fmt: skip
    kept = ["a keyed hash of the address on the suppression list, so that no import brings them back",
            "a number in the ledger and in the audit trail"]  # fmt: skip
    if not yes and session.asks:
        yes = click.confirm(f"Forget {person.address} for good", err=True)
    receipt = app.subscriptions.erase(person, session.actor) if yes else None

    def show(console: "Console") -> None:
        console.print("Deleted:" if yes else "It would delete:")
        for line in deleted:
            console.print(f"  {line}")
        console.print("Kept:" if yes else "It would keep:")
        for line in kept:
            console.print(f"  {line}")
        session.say(f"done; the receipt is entry {receipt} of the audit trail" if yes else "do it with --yes")

    session.finish("erase", {"erased": yes, "receipt": receipt, "deleted": deleted, "kept": kept}, show)


def told(event: "Event") -> str:
    """A line of a history."""
    moved = f" {event.before or 'nobody'} → {event.after}" if event.after else ""
    words = f"{event.at:%Y-%m-%d %H:%M} UTC  {event.what}{moved}"
    return f"{words}: {event.reason}" if event.reason else words + (f" ({event.actor})" if event.actor else "")


def as_data(event: "Event") -> dict[str, Any]:
    """The same as data."""
    return {"at": event.at, "what": event.what, "actor": event.actor, "from": event.before, "to": event.after,
            "reason": event.reason}  # fmt: skip


def read_day(text: str) -> date:
    """A day of an option. Raises UsageError for what is none."""
    try:
        return date.fromisoformat(text)
    except ValueError as problem:
        raise UsageError(f'"{text}" is not a day', "write it as 2023-07-01") from problem


def read_consent(given: str, today: date) -> "Consent":
    """`SOURCE DATE` of an option. Raises UsageError for what is not."""
    from digest_mailer.services.subscriptions import consent_by_hand

    source, _, day = given.strip().rpartition(" ")
    if not source.strip():
        raise UsageError(f'--consent "{given}" is not a source and a date', "like: --consent 'web form 2023-05-01'")
    return consent_by_hand(source, day, today)


def _edited(app: "App", profile: Profile, given: dict[str, Any]) -> Profile:
    """The profile with what the options say. Raises UsageError for what cannot be."""
    changed: dict[str, Any] = {}
    if given["name"] is not None:
        changed["name"] = " ".join(given["name"].split())
    if given["language"] is not None:
        changed["language"] = _language(app, given["language"])
    if given["topics"] is not None:
        changed["topics"], changed["all_topics"] = read_topics(app, given["topics"])
    if given["attributes"]:
        changed["attributes"] = _attributes(dict(profile.attributes), given["attributes"])
    return replace(profile, **changed)


def _language(app: "App", text: str) -> Language:
    known = app.publication.languages
    if text not in known:
        raise UsageError(f'"{text}" is not a language of this publication', f"one of: {', '.join(known)}")
    return Language(text)


def read_topics(app: "App", text: str) -> tuple["TopicWords", bool]:
    """Topics by name, and whether it is all. Raises UsageError for an unknown one."""
    catalogue = app.library.vocabulary.catalogue
    names = [" ".join(name.split()) for name in text.split(";") if name.strip()]
    if [name.casefold() for name in names] in (["all"], ["all topics"]):
        return catalogue.words(()), True
    found = [catalogue.find(name) for name in names]
    for name, topic in zip(names, found, strict=True):
        if topic is None or topic.retired:
            raise UsageError(f'there is no topic "{name}"', catalogue.suggest(name) or "see: digest-mailer topics list")
    return catalogue.words(topic.key for topic in found if topic), False


def _attributes(attributes: dict[str, str], given: tuple[str, ...]) -> dict[str, str]:
    for one in given:
        name, equals, value = one.partition("=")
        name = name.strip().lower()
        if not equals or not name:
            raise UsageError(f'--attribute "{one}" is not NAME=VALUE', "like: --attribute role=clinician")
        if value.strip():
            attributes[name] = value.strip()
        else:
            attributes.pop(name, None)
    return attributes


COMMANDS = (
    add_command, edit_command, pause_command, resume_command, reinstate_command, unsubscribe_command, history_command,
    erase_command,
)  # fmt: skip
