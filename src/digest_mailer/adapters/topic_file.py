"""Writes `newsletters/topics.toml`: one topic at a time, and nothing else in the file changes.

Comments, order, line ends and the spelling of every other value stay as people wrote them. The result is read back
before it takes the old file's place, in one step; where it would not say exactly what was wanted, nothing is written.
Whoever changes it has a turn, so that of two processes none takes back what the other one wrote.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tomlkit
from filelock import FileLock, Timeout
from tomlkit.items import Array, InlineTable, Table

from digest_mailer.adapters.durable import write_file
from digest_mailer.adapters.issue_files import read_catalogue
from digest_mailer.core.errors import ConfigError, ContentError, DigestError, Locked
from digest_mailer.core.topic import Topic

_PATIENCE = 30  # seconds that a turn is waited for; one takes milliseconds
_BY_HAND = "write every topic as a [[topic]] table, as in the sample, or change it by hand"


class TopicFile:
    """The port `TopicEditor` on a publication's directory, with a lock beside its database."""

    def __init__(self, root: Path, lock: Path) -> None:
        self.path = root / "newsletters" / "topics.toml"
        self._lock_path = lock
        self._lock = FileLock(lock, timeout=_PATIENCE, mode=0o600)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Nobody else changes the file meanwhile. Raises Locked when somebody else does not end, ConfigError when the
        lock cannot be made. A turn within a turn is the same one."""
        try:
            self._lock_path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock.acquire()
        except Timeout as problem:
            raise Locked("somebody else is changing the topics", "try again") from problem
        except OSError as problem:
            what = f"cannot make the lock {self._lock_path}: {problem.strerror}"
            raise ConfigError(what, "check the folder's rights") from problem
        try:
            yield
        finally:
            self._lock.release()

    def put(self, topic: Topic) -> None:
        """Write a topic in the place of the one with its key, or behind all others. Raises ContentError when the file
        is not written in a way that this can change."""
        with self.turn():
            self._put(topic)

    def _put(self, topic: Topic) -> None:
        try:
            before = self.path.read_bytes().decode()
        except (OSError, UnicodeDecodeError) as problem:
            raise ContentError(f"cannot read {self.path}: {problem}", "save it as UTF-8") from problem
        catalogue = read_catalogue(self.path, before)
        known = next((one for one in catalogue if one.key == topic.key), None)
        text = _changed(before, known, topic) if known else _extended(before, topic)
        wanted = catalogue.amended(topic)
        if text is None or read_catalogue(self.path, text) != wanted:
            raise ContentError(f"{self.path} is written in a way that cannot be changed by a program", _BY_HAND)
        try:
            write_file(self.path, text.encode())
        except OSError as problem:
            raise DigestError(f"cannot write {self.path}: {problem.strerror}", "check the folder") from problem


def _changed(text: str, known: Topic, topic: Topic) -> str | None:
    """The text with the values of one table changed that differ; None when it has no such table."""
    document = tomlkit.parse(text)
    table = next((one for one in document["topic"] if one["key"] == topic.key), None)
    if not isinstance(table, Table):
        return None
    before, after, added = _values(known), _values(topic), {}
    for name in before.keys() - after.keys():
        table.remove(name)
    for name, value in after.items():
        if value == before.get(name):
            continue
        if name == "aliases" and isinstance(table.get(name), Array):
            _set_items(table[name], value)
        elif name in table:
            table[name] = value
        else:
            added[name] = value
    _add(table, added)
    return _with_ends_of(text, tomlkit.dumps(document))


def _extended(text: str, topic: Topic) -> str:
    """The text with one more table at its end."""
    table = tomlkit.table()
    table.update(_values(topic))
    tables = tomlkit.aot()
    tables.append(table)
    document = tomlkit.document()
    document.add("topic", tables)
    return _with_ends_of(text, text.rstrip() + "\n\n" + tomlkit.dumps(document))


def _values(topic: Topic) -> dict[str, Any]:
    """What a table says of a topic; what is not to be said is left out."""
    values: dict[str, Any] = {"ordinal": topic.ordinal, "key": str(topic.key), "name": topic.name}
    more = {"name_fr": topic.name_fr, "aliases": list(topic.aliases), "retired": topic.retired}
    more["merged_into"] = str(topic.merged_into or "")
    return values | {name: value for name, value in more.items() if value}


def _set_items(array: Array, wanted: Sequence[str]) -> None:
    """Change an array item by item, so that its lines and comments stay."""
    for gone in [item for item in array if item not in wanted]:
        array.remove(gone)
    for new in wanted:
        if new not in array:
            array.append(new)


def _add(table: Table | InlineTable, values: dict[str, Any]) -> None:
    """Add values behind the last one of a table. What stands below that, a blank line, a comment, belongs to the next
    table and stays there."""
    body = table.value.body
    last = max(place for place, (name, _) in enumerate(body) if name is not None)
    below = body[last + 1 :]
    del body[last + 1 :]
    for name, value in values.items():
        table.append(name, value)
    for place in below:
        table.value.append(*place)


def _with_ends_of(like: str, text: str) -> str:
    """The text with its lines ended as in the other."""
    lines = text.replace("\r\n", "\n")
    return lines.replace("\n", "\r\n") if "\r\n" in like else lines
