"""The last copy of each feed, so that a server that says "not changed" need not send it again.

`feeds.json` has what a server calls its version (ETag, Last-Modified); the copies lie in a folder beside it. They are
a convenience: one that is lost or was changed is fetched again, one that cannot be kept is not.
"""

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from digest_mailer.adapters.durable import write_file

_FORMAT = 1
_NAME = "feeds.json"


@dataclass(frozen=True, slots=True)
class Copy:
    """What is known of a feed that was fetched: where it really was, its version, its content's hash and type."""

    at: str
    etag: str
    last_modified: str
    content_type: str
    sha256: str

    def conditions(self, url: str) -> dict[str, str]:
        """The headers that ask whether it has changed; only of the very address that said so."""
        named = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in named.items() if value and url == self.at}


class FeedCopies:
    """Copies in a directory, by the address that was asked for."""

    def __init__(self, folder: Path) -> None:
        self._list = folder / _NAME
        self._folder = folder / "feeds"

    def get(self, url: str) -> tuple[Copy, bytes] | None:
        """The copy of a feed and its content."""
        copy = self._copies().get(url)
        if copy is None:
            return None
        with suppress(OSError):
            content = self._file(url).read_bytes()
            if hashlib.sha256(content).hexdigest() == copy.sha256:
                return copy, content
        return None

    def put(self, url: str, at: str, headers: Mapping[str, str], content: bytes) -> None:
        """Keep a feed that says which version it is."""
        etag, last_modified, content_type = (
            headers.get(name, "") for name in ("etag", "last-modified", "content-type")
        )
        copy = Copy(at, etag, last_modified, content_type, hashlib.sha256(content).hexdigest())
        if not (copy.etag or copy.last_modified):
            return
        copies = self._copies() | {url: copy}
        document = {"format": _FORMAT, "feeds": {name: asdict(one) for name, one in copies.items()}}
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            write_file(self._file(url), content)
            write_file(self._list, json.dumps(document, ensure_ascii=False, indent=1).encode())

    def _file(self, url: str) -> Path:
        return self._folder / hashlib.sha256(url.encode("utf-8", "replace")).hexdigest()[:32]

    def _copies(self) -> dict[str, Copy]:
        try:
            document = json.loads(self._list.read_bytes())
            feeds = document["feeds"] if document["format"] == _FORMAT else {}
            copies = {url: Copy(**row) for url, row in feeds.items()}
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return {}
        return {url: copy for url, copy in copies.items() if all(isinstance(v, str) for v in asdict(copy).values())}
