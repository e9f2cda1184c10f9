"""What one line of a page capture looks like: a month, a heading, a citation, a title, a list item.

A capture keeps words and loses type, so these are judgements by form alone; `adapters.capture_page` weighs them
by position. Invisible characters and no-break spaces count as what they look like.
"""

import re
from dataclasses import dataclass

from digest_mailer.core.identity import IssueId, month_from_title

TITLE_LIKE = 120  # characters up to which a line can look like a title
TITLE_WORDS = 4  # words from which a line above a paragraph can hardly be anything else
LONGEST_TITLE = 200
LONGEST_CITATION = 700
CITATION_START = 250  # characters within which a citation states its year

_INVISIBLE = re.compile("[\u200b\u2060\ufeff]")
_MONTH = re.compile(r"[A-Za-z]{3,9} [0-9]{4}")
_HEADING = re.compile(r"[#*_\s]*practice\s+implications?[*_\s]*(?:[:.][*_\s]*(?P<text>.*))?", re.IGNORECASE)
_RUN_IN = re.compile(r"Practice\s+Implications\s*(?:[–—-]\s*)?(?P<text>[A-Z“\"].*)")
_LIST_ITEM = re.compile(r"[-–—•*·◦]\s|\(?(?:[0-9]{1,2}|[a-z])[.)]\s")
_OPEN_END = re.compile(r"[.:;,][\"'”’)\]]*$")
_YEAR = r"\((?:[0-9]{4}[a-z]?(?:,\s[^()]{1,30})?|in press|n\.d\.)\)\."
_PERSON = re.compile(r"(?:[\w’'-]+\s){0,3}[^\W\d_][\w’'-]*,\s?[^\W\d_](?:-[^\W\d_])*\.")
_NAME = r"[A-Z][\w’'&.-]*,?\s(?:(?:of|the|and|for|et|al\.|&)\s){0,2}"
_GROUP = re.compile(rf"(?:(?:{_NAME}){{2,10}}|[A-Z][\w’'&-]*\.\s){_YEAR}")


@dataclass(frozen=True, slots=True)
class Line:
    """A line that holds something, without the space around it; counted from 1."""

    number: int
    text: str


def month_of(text: str) -> IssueId | None:
    """The month whose heading this line is."""
    plain = " ".join(_INVISIBLE.sub("", text).split())
    return month_from_title(plain.capitalize()) if _MONTH.fullmatch(plain) else None


def implications_in(text: str) -> str | None:
    """What follows the heading "Practice Implications" on its line, often nothing; None when it is no heading."""
    plain = _INVISIBLE.sub("", text)
    match = _HEADING.fullmatch(plain)
    if match is None and not looks_like_title(text):  # a line break that the capture lost
        match = _RUN_IN.fullmatch(plain)
    return (match["text"] or "").strip() if match else None


def looks_like_citation(text: str) -> bool:
    """Whether the line is a reference: an author, then a year in brackets and a full stop."""
    if len(text) >= LONGEST_CITATION:
        return False
    start = text[:CITATION_START]
    return bool(_GROUP.match(start) or (_PERSON.match(start) and re.search(_YEAR, start)))


def looks_like_title(text: str) -> bool:
    """Whether the line is short, no list item, and does not end as a sentence or its part does."""
    return len(text) <= TITLE_LIKE and not _OPEN_END.search(text) and not _LIST_ITEM.match(text)


def can_be_title(text: str) -> bool:
    """Whether the line may be a title where one has to stand ("Is It Therapeutic? It Depends.")."""
    return len(text) <= LONGEST_TITLE and not _LIST_ITEM.match(text) and not looks_like_citation(text)


def is_surely_title(text: str, following: str | None) -> bool:
    """Whether the line can hardly be anything but a title, seen with the line that follows it."""
    if following is None or not can_be_title(text):
        return False
    if looks_like_citation(following):
        return True
    paragraph = not looks_like_title(following) and not _LIST_ITEM.match(following)
    return looks_like_title(text) and len(text.split()) >= TITLE_WORDS and paragraph
