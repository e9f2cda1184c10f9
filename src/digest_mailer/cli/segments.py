"""For admins: segments add, list, count."""

from typing import TYPE_CHECKING, Any

import click

from digest_mailer.cli.session import Group, Session, table
from digest_mailer.core.audience import EVERYBODY, Segment
from digest_mailer.core.errors import ExitCode, UsageError
from digest_mailer.core.identity import Language, TopicKey, is_key

if TYPE_CHECKING:
    from rich.console import Console

    from digest_mailer.core.topic import Catalogue, TopicWords


@click.group("segments", cls=Group)
def segments_command() -> None:
    """Name parts of the list, and count them."""


@segments_command.command("add")
@click.argument("name")
@click.option("--any", "any_of", multiple=True, metavar="TOPIC", help="Follows at least one of these.")
@click.option("--all", "all_of", multiple=True, metavar="TOPIC", help="Follows every one of these.")
@click.option("--none", "none_of", multiple=True, metavar="TOPIC", help="Follows not one of these.")
@click.option("--language", "languages", multiple=True, metavar="L", help="Reads one of these languages.")
@click.option("--attribute", "attributes", multiple=True, metavar="NAME=VALUE", help="Has this attribute.")
@click.pass_obj
def add_command(
    session: Session,
    name: str,
    any_of: tuple[str, ...],
    all_of: tuple[str, ...],
    none_of: tuple[str, ...],
    languages: tuple[str, ...],
    attributes: tuple[str, ...],
) -> None:
    """Name a segment: people for whom every condition given holds."""
    app = session.app()
    catalogue = app.library.vocabulary.catalogue
    if not is_key(name) or name == EVERYBODY.name:
        raise UsageError(f'"{name}" cannot name a segment', "use lower-case letters, digits and hyphens")
    segment = Segment(
        name=name,
        any_topics=_words(catalogue, any_of),
        all_topics=_words(catalogue, all_of),
        no_topics=_words(catalogue, none_of),
        languages=tuple(Language(one) for one in languages),
        attributes=_attributes(attributes),
    )
    if not app.segments.add(segment, app.clock.now()):
        raise UsageError(f'there is a segment "{name}" already', "choose another name")
    people = sum(app.people.count(segment).values())
    data = {"segment": name, "people": people}
    session.finish("segment", data, lambda console: console.print(f"{name}: {people} people now"))


@segments_command.command("list")
@click.pass_obj
def list_command(session: Session) -> None:
    """List the segments and what they mean."""
    app = session.app()
    catalogue = app.library.vocabulary.catalogue
    rows = [{"name": one.name, "people": sum(app.people.count(one).values()), **_meaning(catalogue, one)}
            for one in app.segments.all()]  # fmt: skip

    def show(console: "Console") -> None:
        listing = table("segment", "#people", "conditions")
        for row in rows:
            conditions = [f"{name}: {', '.join(value)}" for name, value in row.items() if isinstance(value, list)]
            listing.add_row(str(row["name"]), str(row["people"]), "\n".join(conditions))
        console.print(listing)

    session.finish("segments", {"segments": rows}, show, ExitCode.DONE if rows else ExitCode.NOTHING)


@segments_command.command("count")
@click.argument("name")
@click.pass_obj
def count_command(session: Session, name: str) -> None:
    """Count a segment's people, by state."""
    from digest_mailer.services.planning import find_segment

    app = session.app()
    counts = app.people.count(find_segment(app.segments, name))

    def show(console: "Console") -> None:
        listing = table("state", "#people")
        for state, count in sorted(counts.items()):
            listing.add_row(state, str(count))
        listing.add_row("all", str(sum(counts.values())))
        console.print(listing)

    data = {"segment": name, "people": sum(counts.values()), "by_state": {str(s): n for s, n in counts.items()}}
    session.finish("segment-count", data, show)


def _words(catalogue: "Catalogue", names: tuple[str, ...]) -> "TopicWords":
    keys: list[TopicKey] = []
    for name in names:
        topic = catalogue.find(name)
        if topic is None:
            raise UsageError(f'unknown topic "{name}"', catalogue.suggest(name) or "topics.toml lists them all")
        keys.append(topic.key)
    return catalogue.words(keys)


def _attributes(given: tuple[str, ...]) -> dict[str, str]:
    attributes = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals or not name.strip() or '"' in name:
            raise UsageError(f'--attribute "{one}" is not NAME=VALUE', "like: --attribute role=clinician")
        attributes[name.strip().lower()] = value.strip()
    return attributes


def _meaning(catalogue: "Catalogue", segment: Segment) -> dict[str, Any]:
    parts = {
        "any": [topic.name for topic in catalogue.in_words(segment.any_topics)],
        "all": [topic.name for topic in catalogue.in_words(segment.all_topics)],
        "none": [topic.name for topic in catalogue.in_words(segment.no_topics)],
        "language": list(segment.languages),
        "attribute": [f"{name}={value}" for name, value in segment.attributes.items()],
    }
    return {name: value for name, value in parts.items() if value}
