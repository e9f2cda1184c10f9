"""The DKIM keys of one publication, in `.digest/keys/dkim/` for the owner's eyes only.

    SELECTOR.pem   a private key, PKCS8 without a password
    pairs.toml     which keys belong together, oldest first, and which pair signs

A pair is an RSA key and, beside it, an ed25519 one. Rotation keeps two pairs published at a time: the next one is
made and published, then it signs, and when no mail of the one before is on its way any more, that one goes.

A key from elsewhere works too: put it here as SELECTOR.pem and write its selector into `pairs.toml`.
"""

import json
import re
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from digest_mailer.adapters.dkim import DkimKey, load_key, make_key
from digest_mailer.adapters.durable import sync_directory, write_file
from digest_mailer.core.dkim import Algorithm
from digest_mailer.core.errors import ConfigError, UsageError

_INDEX = "pairs.toml"
_HEAD = "# The pairs of DKIM keys, oldest first, and the RSA key of the pair that signs.\n"
_LABEL = "[a-z0-9](?:[a-z0-9-]{0,58}[a-z0-9])?"  # of a name in the DNS, with room for a letter behind
_SELECTOR = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")  # RFC 6376 section 3.1
_LETTERS = {Algorithm.RSA: "r", Algorithm.ED25519: "e"}  # behind the name of a pair; RSA first

Pair = tuple[str, ...]  # selectors, the RSA key's first


@dataclass(frozen=True, slots=True)
class Ring:
    """All pairs, oldest first, and the one that signs."""

    pairs: tuple[Pair, ...]
    signing: Pair

    @property
    def newest(self) -> Pair:
        """The pair that was made last."""
        return self.pairs[-1]

    def state(self, pair: Pair) -> str:
        """Where a pair is in its life: next, signs, before."""
        if pair == self.signing:
            return "signs"
        return "next" if self.pairs.index(pair) > self.pairs.index(self.signing) else "before"


class DkimKeyFiles:
    """The key files of one publication."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, selector: str) -> Path:
        """Where a key is."""
        return self.folder / f"{selector}.pem"

    def ring(self) -> Ring:
        """The pairs. Raises ConfigError when there are none."""
        ring = self._find()
        if ring is None:
            raise ConfigError(f"there is no DKIM key in {self.folder}", NO_KEY)
        return ring

    def keys(self, pair: Pair) -> tuple[DkimKey, ...]:
        """The keys of a pair."""
        return tuple(self._load(selector) for selector in pair)

    def new(self, name: str, *, ed25519: bool) -> Pair:
        """Make the first pair, which signs from now on. Raises UsageError when there is one already."""
        with self._alone():
            if ring := self._find():
                what = f"there are DKIM keys already: {' '.join(ring.signing)}"
                raise UsageError(what, "make the next pair with: digest-mailer keys dkim rotate")
            pair = self._make(name, ed25519=ed25519)
            self._keep(Ring((pair,), pair))
        return pair

    def rotate(self, name: str) -> Pair:
        """Make the next pair beside the one that signs, of the same kinds of keys."""
        with self._alone():
            ring = self.ring()
            if ring.newest != ring.signing:
                what = f"the next pair is made already: {' '.join(ring.newest)}"
                raise UsageError(what, "when it is published: digest-mailer keys dkim rotate --activate")
            pair = self._make(self._free(name), ed25519=len(ring.signing) > 1)
            self._keep(Ring((*ring.pairs, pair), ring.signing))
        return pair

    def activate(self) -> Pair:
        """Let the newest pair sign."""
        with self._alone():
            ring = self.ring()
            if ring.newest == ring.signing:
                what = f"the newest pair signs already: {' '.join(ring.newest)}"
                raise UsageError(what, "make the next one with: digest-mailer keys dkim rotate")
            self.keys(ring.newest)  # a pair that cannot be read must not sign
            self._keep(Ring(ring.pairs, ring.newest))
        return ring.newest

    def retire(self) -> Pair:
        """Remove the oldest pair, unless it signs."""
        with self._alone():
            ring = self.ring()
            oldest, *others = ring.pairs
            if oldest == ring.signing:
                what = f"the oldest pair is the one that signs: {' '.join(oldest)}"
                raise UsageError(what, "let the next one sign first: digest-mailer keys dkim rotate --activate")
            self._keep(Ring(tuple(others), ring.signing))  # first, so that no name is left without its key
            for selector in oldest:
                self.path(selector).unlink(missing_ok=True)
            sync_directory(self.folder)
        return oldest

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Nobody else changes the keys meanwhile."""
        try:
            self.folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.folder.mkdir(mode=0o700, exist_ok=True)
            with FileLock(self.folder / "make.lock", mode=0o600):
                yield
        except OSError as problem:
            raise ConfigError(f"cannot keep keys in {self.folder}: {problem.strerror}", "check the disk") from problem

    def _make(self, name: str, *, ed25519: bool) -> Pair:
        pair = {check_selector(name + letter): algorithm for algorithm, letter in _LETTERS.items()}
        if not ed25519:
            pair.popitem()
        for selector in pair:
            if self.path(selector).exists():
                raise UsageError(f"there is a key {self.path(selector)} already", "choose another --selector")
        for selector, algorithm in pair.items():
            write_file(self.path(selector), make_key(selector, algorithm).pem(), 0o600)
        return tuple(pair)

    def _free(self, name: str) -> str:
        """The name, with a number behind it when there are keys of that name."""
        number = 1
        found = name
        while any(self.path(found + letter).exists() for letter in _LETTERS.values()):
            number += 1
            found = f"{name}-{number}"
        return found

    def _keep(self, ring: Ring) -> None:
        pairs = "".join(f"  {json.dumps(pair)},\n" for pair in ring.pairs)  # JSON's strings and lists are TOML too
        text = f"{_HEAD}signs = {json.dumps(ring.signing[0])}\npairs = [\n{pairs}]\n"
        write_file(self.folder / _INDEX, text.encode("ascii"), 0o600)

    def _find(self) -> Ring | None:
        path = self.folder / _INDEX
        try:
            return _ring(tomllib.loads(path.read_text(encoding="ascii")))
        except FileNotFoundError:
            return None
        except OSError as problem:
            raise ConfigError(f"cannot read {path}: {problem.strerror}", "check who may read it") from problem
        except (ValueError, KeyError, TypeError) as problem:  # not TOML, or not what is said above
            hint = 'it reads like: signs = "dm202611r" and pairs = [["dm202611r", "dm202611e"]]'
            raise ConfigError(f"{path} does not say which keys sign", hint) from problem

    def _load(self, selector: str) -> DkimKey:
        path = self.path(selector)
        try:
            return load_key(selector, path.read_bytes(), str(path))
        except OSError as problem:
            hint = "put it back from a backup, or make the next pair with: digest-mailer keys dkim rotate"
            raise ConfigError(f"cannot read the key {path}: {problem.strerror}", hint) from problem


def check_selector(text: str) -> str:
    """The text when it can be a selector, and so a file name. Raises UsageError when it cannot."""
    if not _SELECTOR.fullmatch(text):
        raise UsageError(f'"{text}" cannot be a selector', "use lower-case letters, digits and hyphens, like dm202611")
    return text


def _ring(document: dict[str, Any]) -> Ring:
    """What the index says. Raises ValueError, KeyError or TypeError when it is none."""
    pairs = tuple(tuple(pair) for pair in document["pairs"])
    if not all(pair and all(map(_SELECTOR.fullmatch, pair)) for pair in pairs):
        raise ValueError("a pair without selectors")
    for pair in pairs:
        if pair[0] == document["signs"]:
            return Ring(pairs, pair)
    raise ValueError("a pair that is not there signs")


NO_KEY = "make one with: digest-mailer keys dkim new"
