"""The publication's files: issues, topics, research types, templates. Files in git are the truth.

Issues are read and written as bytes; what they mean is core's business. A write replaces the file in one step, so that
a crash leaves the old one or the new one.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from digest_mailer.adapters.durable import write_file
from digest_mailer.adapters.file_stamps import read_stamp
from digest_mailer.core.errors import ContentError, DigestError, NothingMatched
from digest_mailer.core.identity import IssueId, Language, TopicKey, is_key, parse_issue_id, parse_issue_name
from digest_mailer.core.issue_file import Vocabulary
from digest_mailer.core.research_type import ResearchType, ResearchTypes
from digest_mailer.core.topic import MAX_TOPICS, Catalogue, Topic

_TOPIC_SHAPE = {
    "ordinal": int, "key": str, "name": str, "name_fr": str, "aliases": list, "retired": bool, "merged_into": str,
}  # fmt: skip
_TYPE_SHAPE = {"key": str, "name": str, "name_fr": str}
_KINDS = {int: "a whole number", str: "text in quotation marks", list: "a list", bool: "true or false"}
_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")  # with its end
_PUBLISHED = re.compile(rb"""["']?published["']?\s*:""")
_TEMPLATE_SUFFIXES = (".j2", ".css", ".js", ".po")


class IssueFiles:
    """The port `IssueSource` on a directory `newsletters/`, and the templates."""

    def __init__(self, root: Path, templates: Sequence[Path]) -> None:
        self.folder = root / "newsletters"
        self._root = root
        self._templates = templates  # the first that has a name wins
        self._read: tuple[str, Mapping[str, str]] = "", {}  # the templates' stamp, and what was read then

    def ids(self) -> tuple[IssueId, ...]:
        """The months that have a file, newest first."""
        found = (parse_issue_id(path.stem) for path in self.folder.glob("*.md"))
        return tuple(sorted((issue for issue in found if issue), reverse=True))

    def languages(self, issue: IssueId) -> tuple[Language, ...]:
        """The languages that an issue has a translation in, by their tags."""
        found = (parse_issue_name(path.stem) for path in self.folder.glob(f"{issue}.*.md"))
        return tuple(sorted(name[1] for name in found if name and name[1]))

    def strays(self) -> tuple[str, ...]:
        """Markdown files that no issue takes, as paths for a diagnostic: the name is no month, or a translation
        has no original."""
        ids = self.ids()
        return tuple(self._shown(path) for path in sorted(self.folder.glob("*.md")) if not _is_named(path.stem, ids))

    def path(self, issue: IssueId, language: Language | None = None) -> str:
        """The path of an issue's file, or of its translation's, as shown to people: relative to the publication."""
        return self._shown(self._file(issue, language))

    def read(self, issue: IssueId, language: Language | None = None) -> bytes:
        """The bytes of an issue file or of a translation. Raises NothingMatched when there is none."""
        try:
            return self._file(issue, language).read_bytes()
        except FileNotFoundError as problem:
            months = ", ".join(self.ids()[:5]) or "none yet"
            raise NothingMatched(f"there is no issue {issue}", f"the newest issues: {months}") from problem
        except OSError as problem:
            where = self.path(issue, language)
            raise DigestError(f"cannot read {where}: {problem.strerror}", "check the file") from problem

    def rewrite(self, issue: IssueId, language: Language | None, text: str) -> None:
        """Replace an issue's file, or its translation's, in one step."""
        _write(self._file(issue, language), text.encode())

    def write(self, path: Path, text: str) -> None:
        """Replace or make a file in one step."""
        _write(path, text.encode())

    def set_published(self, issue: IssueId, day: date) -> None:
        """Write `published: DAY` into the front matter, leaving every other byte as it is."""
        lines = _LINE.findall(self.read(issue))
        fence = next((number for number, one in enumerate(lines) if number and one.rstrip() == b"---"), None)
        if fence is None:
            raise ContentError(f"the front matter of {self.path(issue)} is not closed", "end it with a line of ---")
        old = next((number for number in range(1, fence) if _PUBLISHED.match(lines[number])), None)
        like = lines[old or 0]
        line = f"published: {day.isoformat()}".encode() + like[len(like.rstrip(b"\r\n")) :]
        if old is None:
            lines.insert(fence, line)
        else:
            lines[old] = line
        _write(self.folder / f"{issue}.md", b"".join(lines))

    def vocabulary(self) -> Vocabulary:
        """Topics and research types. Raises ContentError for a catalogue that is wrong."""
        return Vocabulary(self._catalogue(), self._types())

    def templates(self) -> Mapping[str, str]:
        """Every template by name: the publication's own before the packaged ones. Read again when one has changed."""
        stamp = read_stamp(self._templates)
        if self._read[0] != stamp:
            self._read = stamp, self._all_templates()
        return self._read[1]

    def _all_templates(self) -> Mapping[str, str]:
        sources: dict[str, str] = {}
        for folder in reversed(self._templates):
            for path in sorted(folder.rglob("*")):
                if path.is_file() and path.name.endswith(_TEMPLATE_SUFFIXES):
                    sources[path.relative_to(folder).as_posix()] = _text(path)
        return sources

    def _catalogue(self) -> Catalogue:
        path = self.folder / "topics.toml"
        return read_catalogue(path, _text(path))

    def _types(self) -> ResearchTypes:
        path = self.folder / "research-types.toml"
        types = []
        for number, table in enumerate(_tables(path, "type", _text(path)), 1):
            _check_table(path, f"type {number}", table, _TYPE_SHAPE, ("key", "name"))
            types.append(ResearchType(table["key"], table["name"], table.get("name_fr", "")))
        _check_names(path, [(one.key, (one.key, one.name)) for one in types])
        return ResearchTypes(tuple(types))

    def _file(self, issue: IssueId, language: Language | None) -> Path:
        return self.folder / (f"{issue}.{language}.md" if language else f"{issue}.md")

    def _shown(self, path: Path) -> str:
        return path.relative_to(self._root).as_posix()


def read_catalogue(path: Path, text: str) -> Catalogue:
    """The topics in the text of a `topics.toml`. Raises ContentError, which names the file, for what is wrong."""
    topics = [_topic(path, number, table) for number, table in enumerate(_tables(path, "topic", text), 1)]
    _check_unique(path, topics)
    catalogue = Catalogue(tuple(topics))
    _check_merged(path, catalogue)
    return catalogue


def _write(path: Path, data: bytes) -> None:
    """The old file or the new one, whatever happens; with the rights that it had."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, data)
    except OSError as problem:
        raise DigestError(f"cannot write {path}: {problem.strerror}", "check the folder and the disk") from problem


def _is_named(stem: str, issues: Sequence[IssueId]) -> bool:
    named = parse_issue_name(stem)
    return stem == "README" or (named is not None and named[0] in issues)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise ContentError(f"cannot read {path}: {problem}", "save it as UTF-8") from problem


def _tables(path: Path, name: str, text: str) -> list[Any]:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise ContentError(f"{path} is not valid TOML: {problem}", "correct the file") from problem
    tables = document.get(name)
    if set(document) != {name} or not isinstance(tables, list) or not tables:
        raise ContentError(f"{path} should hold [[{name}]] tables and nothing else", "compare the sample's")
    return tables


def _topic(path: Path, number: int, table: Any) -> Topic:
    what = f"topic {number}"
    _check_table(path, what, table, _TOPIC_SHAPE, ("ordinal", "key", "name"))
    if not 0 <= table["ordinal"] < MAX_TOPICS:
        raise ContentError(f"{path}: {what} needs an ordinal from 0 to {MAX_TOPICS - 1}", "the next free one")
    aliases = tuple(table.get("aliases", ()))
    if not all(isinstance(alias, str) for alias in aliases):
        raise ContentError(f"{path}: {what} has an alias that is no text", "put it in quotation marks")
    french, retired, merged = table.get("name_fr", ""), table.get("retired", False), table.get("merged_into")
    key, target = TopicKey(table["key"]), TopicKey(merged) if merged is not None else None
    return Topic(table["ordinal"], key, table["name"], french, aliases, retired, target)


def _check_table(path: Path, what: str, table: Any, shape: Mapping[str, type], needed: tuple[str, ...]) -> None:
    if not isinstance(table, dict):
        raise ContentError(f"{path}: {what} is no table", "compare the sample's")
    for key, value in table.items():
        if key not in shape:
            raise ContentError(f"{path}: {what} has the unknown key {key!r}", f"keys are: {', '.join(sorted(shape))}")
        if type(value) is not shape[key]:
            raise ContentError(f"{path}: {key} of {what} should be {_KINDS[shape[key]]}", "compare the sample's")
    for key in needed:
        if not table.get(key, "") and table.get(key) != 0:
            raise ContentError(f"{path}: {what} has no {key}", "every topic and type needs one, for good")
    if not is_key(table["key"]):
        raise ContentError(
            f"{path}: {what} has the malformed key {table['key']!r}", "lower-case letters, digits, hyphens"
        )


def _check_unique(path: Path, topics: Sequence[Topic]) -> None:
    ordinals: set[int] = set()
    for topic in topics:
        if topic.ordinal in ordinals:
            raise ContentError(f"{path}: ordinal {topic.ordinal} stands twice", "ordinals are never reused")
        ordinals.add(topic.ordinal)
    _check_names(path, [(topic.key, topic.names) for topic in topics])


def _check_merged(path: Path, catalogue: Catalogue) -> None:
    for topic in catalogue:
        if topic.merged_into is not None and not topic.retired:
            raise ContentError(f"{path}: {topic.key} is merged, but not retired", "add retired = true")
        try:
            catalogue.current(topic)
        except KeyError as problem:
            target = f"{topic.key} is merged into {problem.args[0]}, which is no key"
            raise ContentError(f"{path}: {target}", "name the key of another topic") from problem
        except ValueError as problem:
            raise ContentError(f"{path}: {problem}", "let one of them be a topic by itself") from problem


def _check_names(path: Path, named: Iterable[tuple[str, Sequence[str]]]) -> None:
    """Names are found without regard to case and to the number of spaces, so they may not differ in these only."""
    owners: dict[str, str] = {}
    for key, names in named:
        for name in {" ".join(name.split()).casefold() for name in names if name}:
            if name in owners:
                raise ContentError(f'{path}: "{name}" names both {owners[name]} and {key}', "a name means one topic")
            owners[name] = key
