"""RSS, Atom and RDF become a `Feed`, through feedparser: the formats as they are found, not as they were meant.

Of feedparser only the reading is used. Its dates are lenient (a 13th month is January), its cleaning lets addresses
through that run scripts, and both cost time: dates are read from the text by `core.feed`, contents are cleaned by
`adapters.feed_blocks` when they are used. It is given octets and never an address, so that it fetches nothing.
"""

import html
import io
import re
from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Any
from xml.sax import SAXParseException

import feedparser
from feedparser.exceptions import CharacterEncodingOverride, CharacterEncodingUnknown, UndeclaredNamespace

from digest_mailer.adapters.feed_blocks import plain_words
from digest_mailer.core.errors import ContentError
from digest_mailer.core.feed import (
    MOST_ENTRIES,
    Entry,
    Feed,
    absolute,
    as_html,
    dated,
    names_of,
    page_address,
    stated_doi,
    title_of,
)
from digest_mailer.core.fields import clean_text

_ENTRY = re.compile(rb"<(?:\w+:)?(?:item|entry)[\s>/]", re.IGNORECASE)
_FEED_LINK = re.compile(r"<link\b[^<>]*>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""([a-z]+)\s*=\s*["']([^"']*)["']""", re.IGNORECASE)
_REFERENCE = re.compile(r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|\w{2,31});", re.IGNORECASE)
_EXCERPT = re.compile(r"(?:…|\.\.\.|\bContinue reading|\bRead more)\]?\s*(?:</\w+>\s*)*$")


def read_xml(source: str, data: bytes, zone: tzinfo, now: datetime, *, at: str = "", content_type: str = "") -> Feed:
    """Read a feed; `at` is the address that it came from. Raises ContentError when it is none."""
    if len(_ENTRY.findall(data)) > MOST_ENTRIES:
        raise ContentError(f"{source} has more than {MOST_ENTRIES:,} entries", "keep the newest in a file of its own")
    # A body's type says which characters it has; where it came from is what relative links count from.
    told = {name: value for name, value in (("content-location", at), ("content-type", content_type)) if value}
    try:
        parsed = feedparser.parse(
            io.BytesIO(data), response_headers=told, sanitize_html=False, resolve_relative_uris=False
        )
    except Exception as problem:
        hint = "it is broken in a way that nothing can be read of it; look at it in a browser"
        raise ContentError(f"{source} cannot be read: {clean_text(str(problem))[:200]}", hint) from problem
    if not parsed.get("version") and not parsed.entries:
        raise ContentError(f"{source} is not a feed", _instead(data, at))
    problems, broken = _problems(parsed)
    entries = tuple(_entry(one, zone, now, at) for one in parsed.entries)
    return Feed(source, clean_text(str(parsed.feed.get("title", ""))), entries, problems, broken)


def _entry(entry: Mapping[str, Any], zone: tzinfo, now: datetime, at: str) -> Entry:
    content, base = _content(entry)
    links = [str(one.get("href", "")) for one in _listed(entry, "links")]
    published, undated = _date(entry, zone, now)
    names = (str(entry.get(name, "")) for name in ("prism_doi", "dc_identifier", "id"))
    base = absolute(base, at)
    return Entry(
        title=_title(entry),
        link=page_address(str(entry.get("link", "")), base),
        published=published,
        undated=undated,
        categories=names_of(
            html.unescape(str(tag.get("label") or tag.get("term") or "")) for tag in _listed(entry, "tags")
        ),
        doi=stated_doi(names, [*links, str(entry.get("id", ""))], html.unescape(content)),
        content=content,
        base=base,
        excerpt=bool(_EXCERPT.search(html.unescape(content[-200:]))),
    )


def _title(entry: Mapping[str, Any]) -> str:
    title, detail = str(entry.get("title", "")), entry.get("title_detail")
    kind = str(detail.get("type", "")) if isinstance(detail, Mapping) else ""
    if kind != "text/plain":
        title = plain_words(title)
    elif _REFERENCE.search(title):  # coded twice
        title = html.unescape(title)
    return title_of(title)


def _content(entry: Mapping[str, Any]) -> tuple[str, str]:
    """The longest text that an entry has, as HTML; and the base of its links. Only without one, its summary."""
    contents = [one for one in _listed(entry, "content") if one.get("value")]
    summary = entry.get("summary_detail")
    if not contents and isinstance(summary, Mapping):
        contents = [summary]
    if not contents:
        return "", ""
    longest = max(contents, key=lambda one: len(str(one.get("value", ""))))
    value = str(longest.get("value", ""))
    if longest.get("type") == "text/plain":
        value = as_html(value)
    return value, str(longest.get("base") or "")


def _date(entry: Mapping[str, Any], zone: tzinfo, now: datetime) -> tuple[datetime | None, str]:
    """When an entry was published, or changed where it does not say; else why that is not known."""
    stated = [str(entry[name]) for name in ("published", "created", "updated") if name in entry]
    return dated(stated[0] if stated else "", zone, now)


def _listed(entry: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    values = entry.get(name)
    return [one for one in values if isinstance(one, Mapping)] if isinstance(values, list) else []


def _problems(parsed: Mapping[str, Any]) -> tuple[tuple[str, ...], bool]:
    """What feedparser stumbled over, in plain words; and whether something may be missing."""
    problem = parsed.get("bozo_exception") if parsed.get("bozo") else None
    match problem:
        case None:
            return (), False
        case CharacterEncodingOverride():
            return (f"its characters are not those that it declares; it was read as {parsed.get('encoding')}",), False
        case CharacterEncodingUnknown():
            return ("nobody can tell which characters it has; some may be wrong",), True
        case UndeclaredNamespace():
            return ("it uses a prefix that it does not declare",), False
        case SAXParseException():
            said = clean_text(str(problem.getMessage()))
            where = f"line {problem.getLineNumber()}, column {(problem.getColumnNumber() or 0) + 1}"
            return (f"its XML is broken at {where}: {said}; what stands there or behind it may be missing",), True
        case _ if type(problem).__name__ == "NonXMLContentType":
            return (), False
        case _:
            return (f"it could not be read as it should: {clean_text(str(problem))[:200]}",), True


def _instead(data: bytes, at: str) -> str:
    """A hint: the feed that a web page names."""
    for tag in _FEED_LINK.findall(data[: 256 * 1024].decode("utf-8", "replace")):
        named = {name.lower(): value for name, value in _ATTRIBUTE.findall(tag)}
        if named.get("type", "").lower() in ("application/rss+xml", "application/atom+xml", "application/feed+json"):
            return f"it is a page that names a feed: {clean_text(absolute(named.get('href', ''), at))}"
    return "name the address of RSS, Atom, RDF or a JSON Feed; a web page often has it in a link called RSS"
