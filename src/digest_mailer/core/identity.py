"""The names by which things are known for good: issues, articles, topics, subscribers, editions.

An issue's id is its month, `YYYY-MM`; it orders issues by itself. Keys are slugs. A subscriber's id is
a random number of 63 bits (positive, so that every database stores it), never derived from the address.
"""

import re
import unicodedata
from collections.abc import Container
from datetime import date
from itertools import chain, count
from typing import NewType

IssueId = NewType("IssueId", str)  # YYYY-MM
ArticleKey = NewType("ArticleKey", str)
TopicKey = NewType("TopicKey", str)
SubscriberId = NewType("SubscriberId", int)
Language = NewType("Language", str)  # BCP 47, lower-case primary tag: en, fr
RowId = NewType("RowId", int)  # a row of the ledger

ENGLISH = Language("en")
FRENCH = Language("fr")

MAX_KEY = 80
_ISSUE_ID = re.compile(r"([0-9]{4})-([0-9]{2})")
_TAG = re.compile(r"[a-z]{2,3}")
CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\u202a-\u202e]")  # see is_control
_KEY = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def parse_issue_id(text: str) -> IssueId | None:
    """`2023-07` as an issue id; None when it is not a month between 2000-01 and 2999-12."""
    match = _ISSUE_ID.fullmatch(text)
    if not match or not "2000" <= match[1] <= "2999" or not 1 <= int(match[2]) <= 12:
        return None
    return IssueId(text)


def parse_issue_name(stem: str) -> tuple[IssueId, Language | None] | None:
    """The name of an issue file without `.md`: `2023-07`, or `2023-07.fr` for a translation; None for another."""
    month, _, tag = stem.partition(".")
    issue = parse_issue_id(month)
    if issue is None or stem == f"{month}." or (tag and not _TAG.fullmatch(tag)):
        return None
    return issue, Language(tag) if tag else None


def issue_month(issue: IssueId) -> date:
    """The first day of the issue's month."""
    return date(int(issue[:4]), int(issue[5:]), 1)


def next_month(issue: IssueId) -> IssueId:
    """The month after."""
    return issue_from_number(issue_number(issue) + 1)


def issue_number(issue: IssueId) -> int:
    """Months since January of year 0: fits in 16 bits until the year 5461. Used inside tokens."""
    return int(issue[:4]) * 12 + int(issue[5:]) - 1


def issue_from_number(number: int) -> IssueId:
    """The inverse of `issue_number`."""
    return IssueId(f"{number // 12:04d}-{number % 12 + 1:02d}")


def month_title(issue: IssueId) -> str:
    """The month in English words: `July 2023`."""
    return f"{_MONTHS[int(issue[5:]) - 1]} {issue[:4]}"


def month_from_title(text: str) -> IssueId | None:
    """`July 2023` as an issue id; None when the text is not a month in words."""
    name, _, year = text.partition(" ")
    if name not in _MONTHS:
        return None
    return parse_issue_id(f"{year}-{_MONTHS.index(name) + 1:02d}")


def is_key(text: str) -> bool:
    """Whether the text can be a permanent key: lower-case letters, digits, single hyphens."""
    return len(text) <= MAX_KEY and _KEY.fullmatch(text) is not None


def slug(text: str) -> str:
    """A key made from a title: accents and apostrophes dropped, words joined by hyphens, at most 80 long."""
    plain = unicodedata.normalize("NFKD", re.sub("['’]", "", text)).encode("ascii", "ignore").decode()
    words = re.findall(r"[a-z0-9]+", plain.lower())
    key = ""
    for word in words:
        longer = f"{key}-{word}" if key else word[:MAX_KEY]
        if len(longer) > MAX_KEY:
            break
        key = longer
    return key


def free_key(title: str, fallback: str, taken: Container[str]) -> ArticleKey:
    """A key made from a title, or from the fallback when no letters are left, that is not taken yet."""
    plain = slug(title) or fallback
    endings = chain([""], (f"-{number}" for number in count(2)))
    made = (plain[: MAX_KEY - len(ending)].rstrip("-") + ending for ending in endings)
    return ArticleKey(next(key for key in made if key not in taken))


def is_control(char: str) -> bool:
    """Control characters (C0, C1, DEL), line and paragraph separators, lone surrogates, bidirectional overrides.

    They have no place in a header, an address or a line of text: the first two end lines where a reader
    sees none, the last makes text read as something else.
    """
    return CONTROLS.fullmatch(char) is not None
