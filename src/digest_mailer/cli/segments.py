"""For admins: segments list, show, add, edit, remove, count, explain."""

from typing import TYPE_CHECKING, Any

import click

from digest_mailer.cli.session import Group, Session, table
from digest_mailer.core.errors import ExitCode, UsageError
from digest_mailer.core.identity import TopicKey
from digest_mailer.core.segment import Segment
from digest_mailer.core.segment_form import Condition, words
from digest_mailer.core.segment_text import parse, write

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rich.console import Console

    from digest_mailer.core.audience import State
    from digest_mailer.core.topic import Catalogue
    from digest_mailer.services.segmenting import Reason

_OPTIONS = {
    Condition.ANY: ("--any", "TOPIC", "Follows at least one of these."),
    Condition.ALL: ("--all", "TOPIC", "Follows every one of these."),
    Condition.NONE: ("--none", "TOPIC", "Follows not one of these."),
    Condition.STATE: ("--state", "STATE", "Is in one of these states."),
    Condition.LANGUAGE: ("--language", "L", "Reads one of these languages."),
    Condition.ATTRIBUTE: ("--attribute", "NAME=VALUE", "Has this attribute; of one name, one of the values."),
    Condition.JOINED_FROM: ("--joined-from", "DAY", "Joined on that day or later."),
    Condition.JOINED_BEFORE: ("--joined-before", "DAY", "Joined before that day."),
    Condition.RECEIVED: ("--received", "ISSUE", "Got at least one of these issues."),
    Condition.NOT_RECEIVED: ("--not-received", "ISSUE", "Got not one of these issues."),
}
_DAYS = (Condition.JOINED_FROM, Condition.JOINED_BEFORE)
_TOPICS = (Condition.ANY, Condition.ALL, Condition.NONE)
_NOTHING = {
    Condition.ATTRIBUTE: "nothing",
    **dict.fromkeys(_DAYS, "a day that is not known"),
    **dict.fromkeys((Condition.RECEIVED, Condition.NOT_RECEIVED), "none of them"),
}


def _conditions(command: "Callable[..., Any]") -> "Callable[..., Any]":
    """An expression, or an option for each condition."""
    for condition, (option, kind, words_) in reversed(_OPTIONS.items()):
        several = condition not in _DAYS
        command = click.option(option, condition.name, multiple=several, metavar=kind, help=words_)(command)
    return click.argument("expression", required=False)(command)


@click.group("segments", cls=Group)
def segments_command() -> None:
    """Name parts of the list, and count them.

    An EXPRESSION is like: any:attachment,empathy language:fr role=clinician joined>=2023 not:received:2023-06
    """


@segments_command.command("add")
@click.argument("name")
@_conditions
@click.pass_obj
def add_command(session: Session, /, name: str, expression: str | None, **given: Any) -> None:
    """Name a segment: people for whom every condition holds."""
    from digest_mailer.services.segmenting import add

    app = session.app()
    segment = _segment(app.library.vocabulary.catalogue, name, expression, given)
    add(app.segments, segment, session.actor, app.clock)
    _say_people(session, segment, sum(app.people.count(segment).values()))


@segments_command.command("edit")
@click.argument("name")
@_conditions
@click.pass_obj
def edit_command(session: Session, /, name: str, expression: str | None, **given: Any) -> None:
    """Give a segment another meaning. Mailings that were begun keep the people they were begun for."""
    from digest_mailer.services.segmenting import edit

    app = session.app()
    if expression is None and not any(given.values()):
        raise UsageError("what shall it mean?", f"like: segments edit {name} 'any:empathy language:fr'")
    segment = _segment(app.library.vocabulary.catalogue, name, expression, given)
    edit(app.segments, segment, session.actor, app.clock)
    _say_people(session, segment, sum(app.people.count(segment).values()))


@segments_command.command("remove")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def remove_command(session: Session, name: str, yes: bool) -> None:
    """Forget a segment's name and meaning. Nothing happens to its people."""
    from digest_mailer.services.segmenting import kept, remove

    app = session.app()
    meaning = write(kept(app.segments, name), app.library.vocabulary.catalogue)
    if not yes and not session.asks:
        raise UsageError(f"nobody said that {name} shall go; it means: {meaning}", "say --yes")
    if not yes:
        click.confirm(f"{name} means: {meaning}. Remove it", abort=True, err=True)
    remove(app.segments, name, session.actor, app.clock)
    data = {"segment": name, "expression": meaning}
    session.finish("segment-remove", data, lambda console: console.print(f"{name} is removed."))


@segments_command.command("list")
@click.pass_obj
def list_command(session: Session) -> None:
    """List the segments and what they mean."""
    app = session.app()
    catalogue = app.library.vocabulary.catalogue
    rows = [
        _meaning(catalogue, one)
        | {"name": one.name, "people": None if one.is_too_large else sum(app.people.count(one).values())}
        for one in app.segments.all()
    ]

    def show(console: "Console") -> None:
        listing = table("segment", "#people", "conditions")
        for row in rows:
            people = "too large" if row["people"] is None else str(row["people"])
            listing.add_row(row["name"], people, row["expression"])
        console.print(listing, markup=False)

    session.finish("segments", {"segments": rows}, show, ExitCode.DONE if rows else ExitCode.NOTHING)


@segments_command.command("show")
@click.argument("segment", metavar="NAME|EXPRESSION")
@click.option("--issue", metavar="ISSUE", help="And the editions that an issue would have for it.")
@click.pass_obj
def show_command(session: Session, segment: str, issue: str | None) -> None:
    """Show what a segment means, how many people it has, and the editions of an issue for it."""
    from digest_mailer.cli.sending import plan_data, show_plan
    from digest_mailer.services.segmenting import find_segment

    app = session.app()
    library = app.library
    catalogue, found = library.vocabulary.catalogue, find_segment(app.segments, segment, library)
    counts = app.people.count(found)
    transport = app.transport(None) if issue else None
    plan = app.launcher(library).plan(library.load(library.named(issue)), found) if issue else None

    def show(console: "Console") -> None:
        console.print(write(found, catalogue), markup=False, soft_wrap=True)
        _show_counts(console, counts)
        if plan and transport:
            show_plan(console, plan, transport)

    data = {"name": segment} | _meaning(catalogue, found) | _counts_data(counts)
    session.finish("segment-show", data | ({"plan": plan_data(plan, transport)} if plan and transport else {}), show)


@segments_command.command("count")
@click.argument("segment", metavar="NAME|EXPRESSION")
@click.pass_obj
def count_command(session: Session, segment: str) -> None:
    """Count a segment's people, by state."""
    from digest_mailer.services.segmenting import find_segment

    app = session.app()
    counts = app.people.count(find_segment(app.segments, segment, app.library))
    data = {"segment": segment} | _counts_data(counts)
    session.finish("segment-count", data, lambda console: _show_counts(console, counts))


@segments_command.command("explain")
@click.argument("address", metavar="EMAIL")
@click.argument("segment", metavar="NAME|EXPRESSION")
@click.pass_obj
def explain_command(session: Session, address: str, segment: str) -> None:
    """Tell why somebody is in a segment or not, condition by condition."""
    from digest_mailer.services.segmenting import explain, find_segment

    app = session.app()
    library = app.library
    catalogue = library.vocabulary.catalogue
    person = app.subscriptions.by_address(address)
    reasons = explain(find_segment(app.segments, segment, library), person, app.segments, catalogue)
    inside = all(reason.holds for reason in reasons)

    def show(console: "Console") -> None:
        listing = table("condition", "holds", "they have")
        for reason in reasons:
            listing.add_row(reason.condition, "yes" if reason.holds else "no", _has(reason, catalogue))
        if reasons:
            console.print(listing, markup=False)
        console.print(f"{person.address} is {'in' if inside else 'not in'} {segment}.", markup=False, soft_wrap=True)

    conditions = [{"condition": one.condition, "holds": one.holds, "has": _has(one, catalogue)} for one in reasons]
    data = {"address": person.address.typed, "segment": segment, "inside": inside, "conditions": conditions}
    session.finish("segment-explain", data, show)


def _segment(catalogue: "Catalogue", name: str, expression: str | None, given: "Mapping[str, Any]") -> Segment:
    """What was asked for, by an expression or by options."""
    from digest_mailer.services.segmenting import from_words

    said = {Condition[option]: value for option, value in given.items() if value}
    if expression is not None:
        if said:
            raise UsageError("an expression and options are two ways to say it", "say everything in one of them")
        return parse(expression, catalogue, name)
    lists = {one: (value,) if isinstance(value, str) else value for one, value in said.items()}
    return from_words(lists, catalogue, name)


def _meaning(catalogue: "Catalogue", segment: Segment) -> dict[str, Any]:
    """The conditions as data: the expression, and each condition with its words; topics by their names."""
    meaning: dict[str, Any] = {"expression": write(segment, catalogue)}
    topics = {Condition.ANY: segment.any_topics, Condition.ALL: segment.all_topics, Condition.NONE: segment.no_topics}
    for condition, attribute, values in words(segment, catalogue):
        key = condition.name.lower()
        if condition in topics:
            meaning[key] = [topic.name for topic in catalogue.in_words(topics[condition])]
        elif condition is Condition.ATTRIBUTE:
            meaning.setdefault(key, []).extend(f"{attribute}={value}" for value in values)
        else:
            meaning[key] = values[0] if condition in _DAYS else list(values)
    return meaning


def _has(reason: "Reason", catalogue: "Catalogue") -> str:
    """What the person has of what a condition asks for."""
    condition, _, _ = next(words(reason.part, catalogue))
    if condition in _TOPICS:
        followed = "; ".join(catalogue.by_key(TopicKey(key)).name for key in reason.has)
        return "all topics" if reason.everything else followed or "no topic"
    return ", ".join(reason.has) if reason.has else _NOTHING[condition]


def _say_people(session: Session, segment: Segment, people: int) -> None:
    data = {"segment": segment.name, "people": people}
    session.finish("segment", data, lambda console: console.print(f"{segment.name}: {people} people now"))


def _counts_data(counts: "Mapping[State, int]") -> dict[str, Any]:
    return {"people": sum(counts.values()), "by_state": {str(state): people for state, people in counts.items()}}


def _show_counts(console: "Console", counts: "Mapping[State, int]") -> None:
    listing = table("state", "#people")
    for state, people in sorted(counts.items()):
        listing.add_row(state, str(people))
    listing.add_row("all", str(sum(counts.values())))
    console.print(listing)
