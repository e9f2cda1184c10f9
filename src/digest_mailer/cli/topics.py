"""For admins: topics list, coverage, add, rename, alias, retire, merge."""

from contextlib import nullcontext
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from digest_mailer.cli.session import Group, Session, table
from digest_mailer.core.errors import ExitCode

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from rich.console import Console

    from digest_mailer.core.topic import Merged, Topic
    from digest_mailer.services.coverage import Coverage, Covered
    from digest_mailer.services.topics import Change, Topics


@click.group("topics", cls=Group)
def topics_command() -> None:
    """List, add, rename, merge and retire what readers can follow."""


@topics_command.command("list")
@click.pass_obj
def list_command(session: Session) -> None:
    """List the topics: names, followers, articles."""
    found = _cover(session)

    def show(console: "Console") -> None:
        listing = table("##", "key", "name", "also", "#followers", "#articles", "last")
        listing.columns[1].no_wrap = True  # to be typed
        for one in found.topics:
            topic = one.topic
            names = (topic.key, _names(topic) + _standing(topic), ", ".join(topic.aliases))
            _add_row(listing, topic.ordinal, *names, one.followers, one.articles, one.last or "")
        console.print(listing)
        session.say(f"{found.all_topics} more people follow all topics")
        for one in found.topics:
            if one.topic.merged_into and one.followers:
                command = f"digest-mailer topics merge {one.topic.key} {one.topic.merged_into} --apply"
                session.say(f"{one.followers} people still follow {one.topic.key}, which was merged; run: {command}")

    rows = [_topic(one.topic) | {"followers": one.followers} | _articles(one) for one in found.topics]
    session.finish("topics", {"topics": rows, "all_topics": found.all_topics}, show)


@topics_command.command("coverage")
@click.pass_obj
def coverage_command(session: Session) -> None:
    """Count articles by topic and year. A topic that is followed and has none for twelve months is marked."""
    found = _cover(session)
    shown = [one for one in found.topics if one.articles or not one.topic.retired]

    def show(console: "Console") -> None:
        listing = table("topic", *(f"#{year}" for year in found.years), "#followers", "last", "")
        for one in shown:
            years = (one.years.get(year, "") for year in found.years)
            mark = "no article for 12 months" if one.waiting else ""
            _add_row(listing, one.topic.name + _standing(one.topic), *years, one.followers, one.last or "", mark)
        console.print(listing)
        session.say(f"{found.all_topics} more people follow all topics")
        if found.newest:
            waiting = sum(one.waiting for one in shown)
            session.say(f"{waiting} followed topics have no article in the 12 months up to {found.newest}")

    rows = [
        {"key": one.topic.key, "name": one.topic.name, "retired": one.topic.retired, "years": one.years}
        | {"followers": one.followers, "waiting": one.waiting}
        | _articles(one)
        for one in shown
    ]
    data = {"until": found.newest, "years": found.years, "all_topics": found.all_topics, "topics": rows}
    session.finish("topics-coverage", data, show)


@topics_command.command("add")
@click.argument("key")
@click.argument("name")
@click.option("--fr", "french", default="", metavar="NAME", help="Its name in French.")
@click.option("--alias", "aliases", multiple=True, metavar="A", help="Another name that it is found by; repeatable.")
@click.pass_obj
def add_command(session: Session, key: str, name: str, french: str, aliases: tuple[str, ...]) -> None:
    """Add a topic behind all others. Its key and its ordinal are for good."""
    with _topics(session).changing() as topics:
        _change(session, topics, topics.add(key, name, french, aliases), "is added")


@topics_command.command("rename")
@click.argument("topic")
@click.argument("name", required=False, default="")
@click.option("--fr", "french", default="", metavar="NAME", help="The new name in French.")
@click.option("--no-fr", is_flag=True, help="It has no name in French any more.")
@click.pass_obj
def rename_command(session: Session, topic: str, name: str, french: str, no_fr: bool) -> None:
    """Give a topic another name; the old one becomes an alias."""
    if not (name or french or no_fr):
        raise click.UsageError("give a new name, or one in French with --fr")
    if french and no_fr:
        raise click.UsageError("--fr and --no-fr say opposite things")
    words = "" if no_fr else french or None
    with _topics(session).changing() as topics:
        _change(session, topics, topics.rename(topic, name, words), "is its name now")


@topics_command.command("alias")
@click.argument("topic")
@click.argument("aliases", nargs=-1, required=True, metavar="ALIAS...")
@click.pass_obj
def alias_command(session: Session, topic: str, aliases: tuple[str, ...]) -> None:
    """Add names to find a topic by. Issue files and imports may use them."""
    with _topics(session).changing() as topics:
        _change(session, topics, topics.alias(topic, aliases), "has these aliases")


@topics_command.command("retire")
@click.argument("topic")
@click.option("--apply", "--yes", "apply", is_flag=True, help="Do it; without, only show what it would touch.")
@click.pass_obj
def retire_command(session: Session, topic: str, apply: bool) -> None:
    """Offer a topic no longer. No new issue may name it; what readers chose and old links stay."""
    with _turn(session, apply=apply) as topics:
        _planned(session, topics, topics.retire(topic), apply=apply)


@topics_command.command("merge")
@click.argument("topic", metavar="FROM")
@click.argument("into", metavar="INTO")
@click.option("--apply", "--yes", "apply", is_flag=True, help="Do it; without, only show what it would touch.")
@click.pass_obj
def merge_command(session: Session, topic: str, into: str, apply: bool) -> None:
    """Let a topic go on as another. It is retired, its names mean that one, its followers follow that one."""
    with _turn(session, apply=apply) as topics:
        _planned(session, topics, topics.merge(topic, into), apply=apply)


def _topics(session: Session) -> "Topics":
    app = session.app()
    return app.topics(app.library)


def _turn(session: Session, *, apply: bool) -> "AbstractContextManager[Topics]":
    """Topics to be changed, or only to be looked at."""
    topics = _topics(session)
    return topics.changing() if apply else nullcontext(topics)


def _cover(session: Session) -> "Coverage":
    from digest_mailer.services.coverage import cover

    app = session.app()
    return cover(app.library, app.following)


def _change(session: Session, topics: "Topics", change: "Change", done: str) -> None:
    """Do what needs no plan."""
    topics.carry_out(change, session.actor)
    changed, topic = change.after != change.before, change.after

    def show(console: "Console") -> None:
        what = done if changed else "is as it was"
        aliases = f" (also {', '.join(topic.aliases)})" if topic.aliases else ""
        console.print(f"{topic.key}: {_names(topic)}{aliases} {what}.", markup=False, soft_wrap=True)
        if change.outdated:
            session.say(f"to be approved again before they are sent: {', '.join(change.outdated)}")

    session.finish("topic", {"topic": _topic(topic), "changed": changed, "outdated": change.outdated}, show)


def _planned(session: Session, topics: "Topics", change: "Change", *, apply: bool) -> None:
    """Show what a change touches, and do it when that is wanted."""
    moved = topics.carry_out(change, session.actor) if apply else None

    def show(console: "Console") -> None:
        _show_plan(console, change, moved)
        session.say("done" if apply else "nothing was changed; do it with --apply")

    data = {
        "topic": _topic(change.after),
        "into": _topic(change.into) if change.into else None,
        "followers": asdict(change.followers),
        "segments": change.segments,
        "articles": [asdict(use) for use in change.articles],
        "outdated": change.outdated,
        "applied": apply,
        "moved": asdict(moved) if moved else None,
    }
    session.finish("topics-merge" if change.into else "topics-retire", data, show, ExitCode.DONE)


def _show_plan(console: "Console", change: "Change", moved: "Merged | None") -> None:
    into, people = change.into, change.followers
    verb = f"Merge {change.after.key} into {into.key}" if into else f"Retire {change.after.key}"
    listing = table("", "", title=f"{verb}: {_names(change.after)}" + (f" → {_names(into)}" if into else ""))
    listing.show_header = False
    _add_row(listing, "follow it by name", people.people)
    _add_row(listing, "of them, active or paused", people.reading)
    if into:
        _add_row(listing, f"of them, follow {into.key} too", people.both)
    else:
        _add_row(listing, "of these, follow nothing else, and would get nothing", people.only)
    _add_row(listing, "segments that ask for it", ", ".join(change.segments) or "none")
    _add_row(listing, "approvals that would not stand", ", ".join(change.outdated) or "none")
    for use in change.articles:
        _add_row(listing, f"article of {use.issue}", f"{use.title} ({use.article})")
    if moved and into:
        _add_row(listing, "moved", f"{moved.people} people, {len(moved.segments)} segments")
    console.print(listing)


def _add_row(listing: Any, *cells: object) -> None:
    """A row whose texts are shown as they are."""
    from rich.text import Text

    listing.add_row(*(Text(str(cell)) for cell in cells))


def _names(topic: "Topic") -> str:
    return topic.name + (f" / {topic.name_fr}" if topic.name_fr else "")


def _standing(topic: "Topic") -> str:
    if topic.merged_into:
        return f" (merged into {topic.merged_into})"
    return " (retired)" if topic.retired else ""


def _topic(topic: "Topic") -> dict[str, Any]:
    return asdict(topic)


def _articles(one: "Covered") -> dict[str, Any]:
    return {"articles": one.articles, "last_issue": one.last}
