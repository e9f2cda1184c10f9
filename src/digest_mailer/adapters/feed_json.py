"""A JSON Feed (versions 1 and 1.1, jsonfeed.org) becomes a `Feed`. What is of the wrong kind counts as missing."""

import html
import json
from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Any

from digest_mailer.core.errors import ContentError
from digest_mailer.core.feed import (
    MOST_ENTRIES,
    Entry,
    Feed,
    as_html,
    dated,
    names_of,
    page_address,
    stated_doi,
    title_of,
)
from digest_mailer.core.fields import clean_text

_VERSION = "https://jsonfeed.org/version/"
_ADDRESSES = ("url", "external_url", "id")


def read_json(source: str, data: bytes, zone: tzinfo, now: datetime, *, at: str = "") -> Feed:
    """Read a feed; `at` is the address that it came from. Raises ContentError when it is none."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as problem:
        where = f" at line {problem.lineno}" if isinstance(problem, json.JSONDecodeError) else ""
        raise ContentError(
            f"{source} begins like a JSON Feed, but its JSON is broken{where}", "fetch it again"
        ) from None
    items = document.get("items") if isinstance(document, dict) else None
    if not isinstance(items, list):
        raise ContentError(
            f"{source} is JSON, but not a JSON Feed: it has no items", f'one says "version": "{_VERSION}1.1"'
        )
    if len(items) > MOST_ENTRIES:
        raise ContentError(f"{source} has more than {MOST_ENTRIES:,} entries", "keep the newest in a file of its own")
    problems = () if _text(document, "version").startswith(_VERSION) else ("it does not say that it is a JSON Feed",)
    entries = tuple(_entry(item, zone, now, at) for item in items if isinstance(item, dict))
    missing = len(items) - len(entries)
    if missing:
        problems = (*problems, f"{missing} of its items cannot be read")
    return Feed(source, clean_text(_text(document, "title")), entries, problems, bool(missing))


def _entry(item: Mapping[str, Any], zone: tzinfo, now: datetime, at: str) -> Entry:
    addresses = [_text(item, name) for name in _ADDRESSES]
    content = _text(item, "content_html") or as_html(_text(item, "content_text"))
    summary = as_html(_text(item, "summary"))
    tags = item.get("tags")
    published, undated = dated(_text(item, "date_published") or _text(item, "date_modified"), zone, now)
    return Entry(
        title=title_of(_text(item, "title")),
        link=next(filter(None, (page_address(one, at) for one in addresses)), ""),
        published=published,
        undated=undated,
        categories=names_of(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else (),
        doi=stated_doi([_text(item, "doi"), _text(item, "id")], addresses, html.unescape(content)),
        content=content or summary,
        base=page_address(addresses[0], at) or at,
        excerpt=not content and bool(summary),
    )


def _text(item: Mapping[str, Any], name: str) -> str:
    """A text of an item; numbers are taken for ids, as old feeds have them."""
    value = item.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if value.bit_length() < 256 else ""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""
