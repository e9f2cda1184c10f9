"""The publication's files: issues, topics, research types, templates. Files in git are the truth.

Only reads and writes bytes; what they mean is core's business. A write replaces the file in one step, so that
a crash leaves the old one or the new one.
"""

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from digest_mailer.core.errors import ContentError, DigestError, NothingMatched
from digest_mailer.core.identity import IssueId, TopicKey, is_key, parse_issue_id
from digest_mailer.core.issue_file import Vocabulary
from digest_mailer.core.research_type import ResearchType, ResearchTypes
from digest_mailer.core.topic import MAX_TOPICS, Catalogue, Topic

_TOPIC_KEYS = frozenset({"ordinal", "key", "name", "name_fr", "aliases", "retired"})
_TYPE_KEYS = frozenset({"key", "name", "name_fr"})
_PUBLISHED = re.compile(r"^published:.*$", re.MULTILINE)
_TEMPLATE_SUFFIXES = (".j2", ".css")


class IssueFiles:
    """The port `IssueSource` on a directory `newsletters/`, and the templates."""

    def __init__(self, root: Path, templates: Sequence[Path]) -> None:
        self.folder = root / "newsletters"
        self._root = root
        self._templates = templates  # the first that has a name wins

    def ids(self) -> tuple[IssueId, ...]:
        """The months that have a file, newest first."""
        found = (parse_issue_id(path.stem) for path in self.folder.glob("*.md"))
        return tuple(sorted((issue for issue in found if issue), reverse=True))

    def strays(self) -> tuple[str, ...]:
        """Markdown files whose name is no month, as paths for a diagnostic."""
        return tuple(self._shown(path) for path in sorted(self.folder.glob("*.md")) if not _is_named(path.stem))

    def path(self, issue: IssueId) -> str:
        """The file's path as shown to people: relative to the publication."""
        return self._shown(self.folder / f"{issue}.md")

    def read(self, issue: IssueId) -> bytes:
        """The bytes of an issue file. Raises NothingMatched when there is none."""
        try:
            return (self.folder / f"{issue}.md").read_bytes()
        except FileNotFoundError as problem:
            months = ", ".join(self.ids()[:5]) or "none yet"
            raise NothingMatched(f"there is no issue {issue}", f"the newest issues: {months}") from problem
        except OSError as problem:
            raise DigestError(f"cannot read {self.path(issue)}: {problem.strerror}", "check the file") from problem

    def write(self, path: Path, text: str) -> None:
        """Replace or make a file in one step."""
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f".{path.name}.new")
        with new.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)

    def set_published(self, issue: IssueId, day: date) -> None:
        """Write `published: DAY` into the front matter, leaving every other character as it is."""
        text = self.read(issue).decode("utf-8-sig")
        line = f"published: {day.isoformat()}"
        front, fence, rest = text.partition("\n---")
        front = _PUBLISHED.sub(line, front) if _PUBLISHED.search(front) else f"{front}\n{line}"
        self.write(self.folder / f"{issue}.md", front + fence + rest)

    def vocabulary(self) -> Vocabulary:
        """Topics and research types. Raises ContentError for a catalogue that is wrong."""
        return Vocabulary(self._catalogue(), self._types())

    def templates(self) -> Mapping[str, str]:
        """Every template by name: the publication's own before the packaged ones."""
        sources: dict[str, str] = {}
        for folder in reversed(self._templates):
            for path in sorted(folder.rglob("*")):
                if path.is_file() and path.name.endswith(_TEMPLATE_SUFFIXES):
                    sources[path.relative_to(folder).as_posix()] = _text(path)
        return sources

    def _catalogue(self) -> Catalogue:
        path = self.folder / "topics.toml"
        topics = [_topic(path, number, table) for number, table in enumerate(_tables(path, "topic"), 1)]
        _check_unique(path, topics)
        return Catalogue(tuple(topics))

    def _types(self) -> ResearchTypes:
        path = self.folder / "research-types.toml"
        types = []
        for number, table in enumerate(_tables(path, "type"), 1):
            _check_keys(path, f"type {number}", table, _TYPE_KEYS, ("key", "name"))
            types.append(ResearchType(table["key"], table["name"], table.get("name_fr", "")))
        return ResearchTypes(tuple(types))

    def _shown(self, path: Path) -> str:
        return path.relative_to(self._root).as_posix()


def _is_named(stem: str) -> bool:
    return parse_issue_id(stem) is not None or stem == "README"


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise ContentError(f"cannot read {path}: {problem}", "save it as UTF-8") from problem


def _tables(path: Path, name: str) -> list[dict[str, Any]]:
    try:
        document = tomllib.loads(_text(path))
    except tomllib.TOMLDecodeError as problem:
        raise ContentError(f"{path} is not valid TOML: {problem}", "correct the file") from problem
    tables = document.get(name)
    if set(document) != {name} or not isinstance(tables, list) or not tables:
        raise ContentError(f"{path} should hold [[{name}]] tables and nothing else", "compare the sample's")
    return tables


def _topic(path: Path, number: int, table: dict[str, Any]) -> Topic:
    what = f"topic {number}"
    _check_keys(path, what, table, _TOPIC_KEYS, ("ordinal", "key", "name"))
    ordinal, key = table["ordinal"], table["key"]
    if not isinstance(ordinal, int) or not 0 <= ordinal < MAX_TOPICS:
        raise ContentError(f"{path}: {what} needs an ordinal from 0 to {MAX_TOPICS - 1}", "the next free one")
    if not is_key(str(key)):
        raise ContentError(f"{path}: {what} has the malformed key {key!r}", "lower-case letters, digits, hyphens")
    aliases = tuple(str(alias) for alias in table.get("aliases", ()))
    name, french = str(table["name"]), str(table.get("name_fr", ""))
    return Topic(ordinal, TopicKey(key), name, french, aliases, bool(table.get("retired", False)))


def _check_keys(path: Path, what: str, table: dict[str, Any], known: frozenset[str], needed: tuple[str, ...]) -> None:
    for key in table:
        if key not in known:
            raise ContentError(f"{path}: {what} has the unknown key {key!r}", f"keys are: {', '.join(sorted(known))}")
    for key in needed:
        if key not in table:
            raise ContentError(f"{path}: {what} has no {key}", "every topic and type needs one, for good")


def _check_unique(path: Path, topics: Sequence[Topic]) -> None:
    ordinals: dict[int, Topic] = {}
    names: dict[str, Topic] = {}
    for topic in topics:
        if topic.ordinal in ordinals:
            raise ContentError(f"{path}: ordinal {topic.ordinal} stands twice", "ordinals are never reused")
        ordinals[topic.ordinal] = topic
        for name in {topic.key, topic.name.casefold(), *(alias.casefold() for alias in topic.aliases)}:
            if name in names:
                raise ContentError(
                    f'{path}: "{name}" names both {names[name].key} and {topic.key}', "a name means one topic"
                )
            names[name] = topic
