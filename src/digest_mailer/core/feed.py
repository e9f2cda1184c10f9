"""A feed of somebody's articles as values: its entries as they came, and the month that each belongs to.

What a feed says is nobody's word: a date may be none, a title may hold anything. So every text here is one line that
an issue file may hold, and a date is read strictly, from the text that the feed has: a 13th month is not taken for
January, as lenient readers do.
"""

import html
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from email.utils import parsedate_to_datetime
from itertools import islice
from urllib.parse import unquote, urljoin

from digest_mailer.core.citation import Doi, find_doi, parse_doi
from digest_mailer.core.fields import clean_text
from digest_mailer.core.identity import IssueId, parse_issue_id
from digest_mailer.core.links import is_link, parts

OLDEST = 1990  # no feed has older entries; 1970 is what a clock says that was never set
AHEAD = timedelta(days=366)  # an entry may be dated ahead, but not by more
LONGEST_TITLE = 500  # characters
LONGEST_CATEGORY = 100
MOST_CATEGORIES = 50
MOST_ENTRIES = 20_000

_MONTH = re.compile(r"[0-9]{4}-[0-9]{2}")
_BLANK_LINE = re.compile(r"\n[ \t\r]*\n")
_IN_PATH = re.compile(r"/doi/(?:[a-z]+/)?(10\.[0-9]{4,9}/[^\s?#\"<>]+)")  # as publishers address their articles
# What would end a link in Markdown, or hide in it.
_UNSAFE = re.compile('[\x00-\x20\x7f-\xa0"<>()\\[\\]\\\\^`{|}\u2028\u2029\u202a-\u202e\ud800-\udfff]|__(?=DM_)')


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a feed. Title and categories are plain words, `content` is HTML that nobody has cleaned."""

    title: str
    link: str = ""
    published: datetime | None = None
    undated: str = ""  # why there is no date
    categories: tuple[str, ...] = ()
    doi: Doi | None = None
    content: str = ""
    base: str = ""  # the address that relative links count from
    excerpt: bool = False  # the content is only the beginning


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed as far as it can be read, and what is wrong with it."""

    source: str
    title: str = ""
    entries: tuple[Entry, ...] = ()
    problems: tuple[str, ...] = ()
    broken: bool = False  # something of it may be missing


def read_date(text: str, zone: tzinfo, now: datetime) -> datetime:
    """When an entry was published, by RFC 822 or ISO 8601; without a zone, in the publication's.

    Raises ValueError, with words for a person, for what is no date, and for one that cannot be meant.
    """
    try:
        found = _parsed(text.strip())
        found = found if found.tzinfo else found.replace(tzinfo=zone)
        instant = found.astimezone(UTC)
    except (ValueError, OverflowError, TypeError, IndexError) as problem:
        raise ValueError(f'"{text.strip()[:40]}" is not a date') from problem
    if instant.year < OLDEST or instant > now + AHEAD:
        raise ValueError(f'"{text.strip()[:40]}" cannot be its date')
    return instant


def dated(stated: str, zone: tzinfo, now: datetime) -> tuple[datetime | None, str]:
    """When an entry was published; else why that is not known."""
    if not stated.strip():
        return None, "it has no date"
    try:
        return read_date(stated, zone, now), ""
    except ValueError as problem:
        return None, clean_text(str(problem))


def _parsed(text: str) -> datetime:
    if _MONTH.fullmatch(text):
        text += "-01"
    if text[:4].isdigit() and text[4:5] in ("-", ""):
        return datetime.fromisoformat(text)
    return parsedate_to_datetime(text)


def month_of(entry: Entry, zone: tzinfo) -> IssueId | None:
    """The month that an entry was published in, where the publication is."""
    return parse_issue_id(f"{entry.published.astimezone(zone):%Y-%m}") if entry.published else None


def months_of(entries: Iterable[Entry], zone: tzinfo) -> dict[IssueId, int]:
    """How many entries each month has, newest first."""
    counts: dict[IssueId, int] = {}
    for month in filter(None, (month_of(entry, zone) for entry in entries)):
        counts[month] = counts.get(month, 0) + 1
    return dict(sorted(counts.items(), reverse=True))


def stated_doi(names: Iterable[str], addresses: Iterable[str], text: str) -> Doi | None:
    """The DOI of an entry: where it is named, in its addresses, at last the first that its text states."""
    for name in names:
        if doi := parse_doi(name):
            return doi
    for address in addresses:
        if doi := find_doi(unquote(address)) or _in_path(unquote(address)):
            return doi
    return find_doi(text)


def _in_path(address: str) -> Doi | None:
    match = _IN_PATH.search(address)
    return parse_doi(match[1]) if match else None


def web_address(text: str) -> str:
    """An address as it may stand in Markdown and in a mail; empty when it is none."""
    safe = _UNSAFE.sub(lambda match: "".join(f"%{octet:02X}" for octet in _octets(match[0])), text.strip())
    return safe if is_link(safe) and "%" not in parts(safe)[1] else ""


def absolute(address: str, base: str) -> str:
    """An address as seen from the document it stands in; empty when it cannot be read."""
    try:
        return urljoin(base, address.strip()) if base else address.strip()
    except ValueError:
        return ""


def page_address(address: str, base: str) -> str:
    """The address of an entry on the web; empty when it is none."""
    link = web_address(absolute(address, base)) if address.strip() else ""
    return "" if link.lower().startswith("mailto:") else link


def names_of(categories: Iterable[str]) -> tuple[str, ...]:
    """Categories as plain words, each once; nobody files an entry under more than fifty."""
    named = (clean_text(category)[:LONGEST_CATEGORY] for category in islice(categories, MOST_CATEGORIES))
    return tuple(dict.fromkeys(name for name in named if name))


def title_of(text: str) -> str:
    """A title as plain words; one that is no title any more is cut."""
    return clean_text(text)[:LONGEST_TITLE].rstrip()


def as_html(text: str) -> str:
    """Plain text as HTML: a blank line ends a paragraph."""
    return "".join(f"<p>{html.escape(part)}</p>" for part in _BLANK_LINE.split(text)) if text else ""


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "replace")
