"""The audit trail: who did what to whom, when and why, in a chain that shows when something was changed or taken out.

An entry says in `facts` what may be kept for ever: states, counts, numbers, never an address or words about somebody.
What is personal (an address, a name, the reason that was typed) is its `content`, kept beside the trail under the
person's id, and the trail holds only a salted digest of it (SHA-256). An erasure deletes content and salt: then nobody
can find out what it was, not even by trying all addresses, and the chain is whole.

Each link is the SHA-256 of the link before it and all fields of the entry. Whoever changes, removes or inserts an
entry would have to change every one behind it, and the head of the chain, which can be written down elsewhere.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any

from digest_mailer.core.identity import SubscriberId

START = bytes(32)  # what the first entry is chained to
READER = "reader"  # the actor of what somebody did for themselves
NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Note:
    """What is to be written into the trail, before it has a number."""

    actor: str  # `cli:root`, `admin:3`, `reader`, `program`: an id, never an address
    action: str  # `import`, `unsubscribe`, `edit`: a verb of the command line where there is one
    subscriber: SubscriberId | None = None
    facts: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    content: Mapping[str, Any] = field(default_factory=lambda: NOTHING)  # personal; needs a subscriber


@dataclass(frozen=True, slots=True)
class Entry:
    """A link of the chain."""

    number: int  # from 1, without a gap
    at: str  # as it is stored
    actor: str
    action: str
    subscriber: SubscriberId | None
    facts: str  # JSON
    digest: bytes | None  # of salt and content
    chain: bytes = b""


@dataclass(frozen=True, slots=True)
class Record:
    """An entry as people read it, with what is personal in it where that was not erased."""

    number: int
    at: datetime
    actor: str
    action: str
    subscriber: SubscriberId | None
    facts: Mapping[str, Any]  # of an import also the name of its `file`, which is not in the chain
    content: Mapping[str, Any]
    erased: bool = False  # there was content


@dataclass(frozen=True, slots=True)
class TrailSearch:
    """Which entries somebody wants to see; nothing said means all."""

    person: SubscriberId | None = None
    action: str = ""
    since: datetime | None = None
    until: datetime | None = None  # and no longer


@dataclass(frozen=True, slots=True)
class Checked:
    """What a look at the whole chain found."""

    entries: int
    head: bytes  # the last link; of an empty trail START
    faults: tuple[str, ...]  # nothing when it is whole


def written(values: Mapping[str, Any]) -> str:
    """Facts or content as they are stored and hashed."""
    return json.dumps(dict(values), ensure_ascii=False, sort_keys=True, default=str)


def content_digest(salt: bytes, content: str) -> bytes:
    """What the trail holds of personal words."""
    return hashlib.sha256(salt + content.encode()).digest()


def link(before: bytes, entry: Entry) -> bytes:
    """The chain's next link: this entry behind that link."""
    digest = entry.digest.hex() if entry.digest is not None else None
    fields = [entry.number, entry.at, entry.actor, entry.action, entry.subscriber, entry.facts, digest]
    return hashlib.sha256(before + json.dumps(fields, ensure_ascii=False).encode()).digest()


def check(entries: Iterable[Entry], contents: Iterable[tuple[int, bytes, str]], erased: frozenset[int]) -> Checked:
    """Walk the chain. `contents` are number, salt and content of what was not erased, in the entries' order; `erased`
    the numbers of entries whose person was erased, which alone may lack theirs."""
    kept, faults, head, count = _Contents(contents), [], START, 0
    for entry in entries:
        count += 1
        if entry.number != count:
            faults.append(f"entry {count} is not there; the next is {entry.number}")
            count = entry.number
        if entry.chain != link(head, entry):
            faults.append(f"entry {entry.number} was changed, or does not follow the one before it")
        head = entry.chain
        if entry.digest is not None and (fault := kept.fault(entry, may_lack=entry.number in erased)):
            faults.append(fault)
    return Checked(count, head, tuple(faults))


def is_in_chain(entries: Iterable[Entry], head: str) -> bool:
    """Whether the chain went through this head, as it was written down in hexadecimal. The first of all is that of a
    trail without entries."""
    wanted = head.strip().lower()
    return wanted == START.hex() or any(entry.chain.hex() == wanted for entry in entries)


def as_line(entry: Entry) -> str:
    """An entry as a line of JSON, without anything personal: to be kept elsewhere."""
    line = {
        "number": entry.number,
        "at": entry.at,
        "actor": entry.actor,
        "action": entry.action,
        "subscriber": entry.subscriber,
        "facts": json.loads(entry.facts),
        "digest": entry.digest.hex() if entry.digest is not None else None,
        "chain": entry.chain.hex(),
    }
    return json.dumps(line, ensure_ascii=False) + "\n"


def told(record: Record) -> str:
    """What an entry says, in one line."""
    words = {"words": "erased"} if record.erased else record.content
    return ", ".join(f"{name}: {value}" for name, value in {**record.facts, **words}.items())


class _Contents:
    """Contents in order, looked at beside their entries."""

    def __init__(self, contents: Iterable[tuple[int, bytes, str]]) -> None:
        self._rest: Iterator[tuple[int, bytes, str]] = iter(contents)
        self._next = next(self._rest, None)

    def fault(self, entry: Entry, *, may_lack: bool) -> str:
        """What is wrong with the content of an entry; empty when nothing is."""
        while self._next and self._next[0] < entry.number:
            self._next = next(self._rest, None)
        if not self._next or self._next[0] != entry.number:
            return "" if may_lack else f"the words of entry {entry.number} are not there, and nobody was erased"
        if content_digest(*self._next[1:]) != entry.digest:
            return f"the words of entry {entry.number} were changed"
        return ""
