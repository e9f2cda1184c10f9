"""Feeds from files and from the web: fetched, told apart, read.

A feed of the web is asked for by the version that was kept of it, so that an unchanged one is not sent again. Reading
has a limit of time too: the size of a feed says little about how long somebody made it to read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import tzinfo
from pathlib import Path

from digest_mailer.adapters.feed_copies import FeedCopies
from digest_mailer.adapters.fetching import MOST_OCTETS, Document, Fetcher, is_web_address
from digest_mailer.adapters.patience import within
from digest_mailer.core.errors import ContentError, UsageError
from digest_mailer.core.feed import Feed
from digest_mailer.ports import Clock

READING = 60.0  # seconds; 5,000 entries take a few
_ACCEPT = "application/rss+xml, application/atom+xml, application/feed+json, application/xml;q=0.9, */*;q=0.5"
_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")  # byte order marks


@dataclass(frozen=True, slots=True)
class Feeds:
    """Reads feeds, dates without a zone in the publication's."""

    fetcher: Fetcher
    copies: FeedCopies
    zone: tzinfo
    clock: Clock
    seconds: float = READING

    def read(self, source: str) -> Feed:
        """The feed of an address or a file. Raises ContentError when it is none, and what fetching raises."""
        document = self._fetched(source) if "://" in source else _of_file(source)
        if not document.content.strip():
            raise ContentError(f"{source} is empty", "name the address of RSS, Atom, RDF or a JSON Feed")
        try:
            return within(self.seconds, lambda: self._parsed(source, document))
        except TimeoutError as problem:
            raise ContentError(
                f"{source}: reading it took longer than {self.seconds:g} seconds", "it is not a usual feed"
            ) from problem

    def _parsed(self, source: str, document: Document) -> Feed:
        from digest_mailer.adapters.feed_json import read_json

        start = document.content[:4096].lstrip(b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n")
        if start.startswith(b"{"):
            return read_json(source, document.content, self.zone, self.clock.now(), at=document.url)
        from digest_mailer.adapters.feed_xml import read_xml

        content_type = document.headers.get("content-type", "")
        return read_xml(
            source, document.content, self.zone, self.clock.now(), at=document.url, content_type=content_type
        )

    def _fetched(self, url: str) -> Document:
        if not is_web_address(url):
            raise UsageError(f"{url} is neither a web address nor a file", "begin it with https://, or name a file")
        kept = self.copies.get(url)

        def headers(here: str) -> Mapping[str, str]:
            return {"Accept": _ACCEPT, **(kept[0].conditions(here) if kept else {})}

        document = self.fetcher.fetch(url, headers)
        if document.unchanged and kept:
            copy, content = kept
            return Document(copy.at, content, {"content-type": copy.content_type}, unchanged=True)
        self.copies.put(url, document.url, document.headers, document.content)
        return document


def _of_file(name: str) -> Document:
    try:
        with Path(name).open("rb") as file:
            content = file.read(MOST_OCTETS + 1)
    except OSError as problem:
        raise UsageError(
            f"cannot read {name}: {problem.strerror}", "check the path, or begin an address with https://"
        ) from problem
    if len(content) > MOST_OCTETS:
        raise ContentError(f"{name} is larger than {MOST_OCTETS >> 20} MiB", "keep the newest entries in a file")
    return Document("", content, {})
