"""A reference as data, CSL-JSON, becomes the line that a digest cites: APA style, as plain text.

CSL-JSON is what reference managers export and what DOI agencies answer with. Its data come from many hands: a title
may be a list or hold markup, a name one word, a date missing. What is missing is left out; what is of the wrong kind
counts as missing.
"""

import html
import re
from collections.abc import Mapping
from typing import Any

from digest_mailer.core.citation import Citation, Doi, doi_url, parse_doi
from digest_mailer.core.fields import clean_text

MOST_NAMES = 20  # of more, APA shows the first 19 and the last

_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
_IN_BOOK = ("chapter", "paper-conference", "entry-encyclopedia", "entry-dictionary", "book-chapter")

Item = Mapping[str, Any]


def doi_of(item: Item) -> Doi | None:
    """The DOI of a reference."""
    return parse_doi(_text(item, "DOI"))


def title_of(item: Item) -> str:
    """The title of the work, its subtitle behind a colon."""
    title, subtitle = _text(item, "title"), _text(item, "subtitle")
    return f"{title}: {subtitle}" if title and subtitle and subtitle not in title else title


def cite(item: Item, doi: Doi) -> Citation:
    """The line of a reference: authors, year, title, where it appeared, DOI."""
    authors = _listed([_inverted(one) for one in _names(item, "author")])
    title = title_of(item)
    parts = [authors, f"({_year(item)})", title] if authors else [title, f"({_year(item)})"]
    parts += [_container(item), doi_url(doi)]
    return Citation(" ".join(_ended(part) for part in parts[:-1] if part) + f" {parts[-1]}", doi)


def _container(item: Item) -> str:
    """Journal, volume and pages; of a chapter the book; of a book its publisher."""
    where, pages = _text(item, "container-title"), _text(item, "page").replace("-", "–")
    publisher = _text(item, "publisher")
    if where and _text(item, "type") in _IN_BOOK:
        editors = _names(item, "editor")
        by = f"{_listed([_forward(one) for one in editors])} ({'Eds.' if editors[1:] else 'Ed.'}), " if editors else ""
        book = f"In {by}{where}" + (f" (pp. {pages})" if pages else "")
        return f"{_ended(book)} {publisher}" if publisher else book
    if not where:
        return publisher
    volume, number = _text(item, "volume"), _text(item, "issue") or _text(item, "number")
    counted = volume + (f"({number})" if number else "")
    return ", ".join(part for part in (where, counted, pages or _text(item, "article-number")) if part)


def _ended(part: str) -> str:
    return part if part[-1] in ".?!" else f"{part}."


def _year(item: Item) -> str:
    for name in ("issued", "published", "published-online", "published-print"):
        date = item.get(name)
        if not isinstance(date, Mapping):
            continue
        parts = date.get("date-parts")
        first = parts[0] if isinstance(parts, list) and parts else None
        year = str(first[0]) if isinstance(first, list) and first else f"{date.get('raw', '')}{date.get('literal', '')}"
        if found := re.search(r"[0-9]{4}", year):
            return found[0]
    return "n.d."


def _names(item: Item, role: str) -> list[Mapping[str, Any]]:
    names = item.get(role)
    listed = [one for one in names if isinstance(one, Mapping)] if isinstance(names, list) else []
    return [one for one in listed if _inverted(one)]


def _family(name: Mapping[str, Any]) -> str:
    words = (_text(name, "dropping-particle"), _text(name, "non-dropping-particle"), _text(name, "family"))
    return " ".join(word for word in words if word)


def _inverted(name: Mapping[str, Any]) -> str:
    """`van der Berg, A. B., Jr.`; an institution by its name."""
    family = _family(name)
    if not family:
        return _text(name, "literal") or _text(name, "name") or _text(name, "given")
    return ", ".join(part for part in (family, _initials(_text(name, "given")), _text(name, "suffix")) if part)


def _forward(name: Mapping[str, Any]) -> str:
    family = _family(name)
    return " ".join(part for part in (_initials(_text(name, "given")), family) if part) if family else _inverted(name)


def _initials(given: str) -> str:
    """`Anne-Marie J` as `A.-M. J.`"""
    words = (re.split(r"[-‐‑]", word) for word in re.sub(r"\.(?=\w)", ". ", given).split())
    return " ".join("-".join(f"{part[0].upper()}." for part in parts if part) for parts in words)


def _listed(names: list[str]) -> str:
    if len(names) > MOST_NAMES:
        return f"{', '.join(names[: MOST_NAMES - 1])}, . . . {names[-1]}"
    return f"{', '.join(names[:-1])}, & {names[-1]}" if names[1:] else "".join(names)


def _text(item: Item, name: str) -> str:
    value = item.get(name)
    if isinstance(value, list):
        value = value[0] if value else None
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        return ""
    return clean_text(_TAG.sub("", html.unescape(str(value))))
