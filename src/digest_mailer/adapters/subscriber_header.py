"""The header of a list of people: which separator, and what each column is.

Capitals, spaces, hyphens and underscores make no difference. A column that is nearly spelled like a field which the
file lacks is an error, so that no spelling mistake loses data.
"""

import csv
import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from digest_mailer.adapters.subscriber_row import FIELDS, IGNORED, LITERAL, REQUIRED, Layout
from digest_mailer.adapters.subscriber_text import QUOTES
from digest_mailer.core.audience import MAX_NAME
from digest_mailer.core.errors import ContentError, did_you_mean
from digest_mailer.core.identity import is_control
from digest_mailer.core.spreadsheet import unguarded

DELIMITERS = (",", ";", "\t", "|")  # spreadsheets in French write semicolons
NO_TOPICS = "say with --topics what these people follow: --topics 'A;B', or --topics all"

_ALIASES = {
    "emailaddress": "email", "mail": "email", "courriel": "email", "adressecourriel": "email",
    "topic": "topics", "fullname": "name", "nom": "name", "lang": "language", "langue": "language",
    "status": "state", "pauseuntil": "paused_until",
}  # fmt: skip
_EXAMPLE = f"the first row names the columns, for instance: {','.join(REQUIRED)}"


def read_header(line: str, source: str, by_hand: Mapping[str, str]) -> tuple[str, list[str]]:
    """The separator that makes most sense of the first line, and its cells."""
    line = line.removeprefix("\ufeff")  # a mark that the encoding somebody named does not take away
    if not line:
        raise ContentError(f"{source} is empty", _EXAMPLE)
    if not line.strip():
        raise ContentError(f"row 1 of {source} is empty where the header should be", _EXAMPLE)
    readings: list[tuple[int, int, int, list[str]]] = []
    for rank, delimiter in enumerate(DELIMITERS):
        try:
            cells = [unguarded(cell.strip()) for cell in next(csv.reader([line], delimiter=delimiter, strict=True))]
        except csv.Error:
            continue
        known = sum(_field_of(cell, by_hand) is not None for cell in cells)
        readings.append((known, len(cells), -rank, cells))
    if not readings:
        raise ContentError(f"row 1 of {source}, the header, cannot be read as CSV", QUOTES)
    _, _, rank, cells = max(readings)
    return DELIMITERS[-rank], cells


def layout_of(header: Sequence[str], source: str, by_hand: Mapping[str, str], required: Sequence[str]) -> Layout:
    """What each column is. Raises ContentError for a header that cannot be relied on."""
    fields: dict[str, int] = {}
    attributes: dict[str, int] = {}
    for index, name in enumerate(header):
        check_name(name, index, source)
        if compact(name) in _IGNORED:
            continue
        known = _field_of(name, by_hand)
        target, key = (fields, known) if known in FIELDS else (attributes, known or _attribute(name))
        if key in target:
            what = f'{source} has two columns for "{key}" (row 1): number {target[key] + 1} and number {index + 1}'
            raise ContentError(what, "delete or rename one of them")
        target[key] = index
    missing = [name for name in required if name not in fields]
    if missing and any("@" in name for name in header):
        raise ContentError(f"row 1 of {source} is a person, not a header", _EXAMPLE)
    for index in attributes.values():
        _check_spelling(header[index], fields, source, by_hand)
    if missing:
        hint = NO_TOPICS if missing == ["topics"] else _EXAMPLE
        raise ContentError(f"the header (row 1) of {source} lacks {', '.join(missing)}", hint)
    absent = by_hand.keys() - {compact(name) for name in header}
    if absent:
        name = min(absent)
        raise ContentError(f'{source} has no column "{name}" (row 1)', did_you_mean(name, header))
    return Layout(fields, attributes, tuple(header))


def check_name(name: str, index: int, source: str) -> None:
    """Raise ContentError for the name of a column that cannot be one."""
    if not name:
        raise ContentError(f"column {index + 1} of {source} has no name", "name it in row 1, or delete the column")
    if any(is_control(char) for char in name) or len(name) > MAX_NAME:
        what = f"the name of column {index + 1} of {source} is too long or holds a control character"
        raise ContentError(what, "shorten it, or delete what cannot be seen")


def _check_spelling(name: str, fields: Mapping[str, int], source: str, by_hand: Mapping[str, str]) -> None:
    """Refuse a near miss of a field that the file lacks: its values would silently go somewhere else."""
    if name.startswith(LITERAL):
        return
    lacking = {compact(one): one for one in FIELDS if one not in fields}
    close = get_close_matches(compact(name), lacking, n=1, cutoff=0.8)
    if close and _field_of(name, by_hand) is None:
        hint = f'did you mean "{lacking[close[0]]}"? Give an attribute a name that is less alike'
        raise ContentError(f'{source} has an unknown column "{name}" (row 1)', hint)


def _attribute(name: str) -> str:
    """The name of an attribute; behind a prefix it stands as it is."""
    return name.removeprefix(LITERAL) if name.startswith(LITERAL) else name.lower()


def _field_of(name: str, by_hand: Mapping[str, str]) -> str | None:
    """The field that a column holds, or the attribute that `by_hand` makes of it; None for another column."""
    key = compact(name)
    return by_hand.get(key) or _BY_COMPACT.get(key) or _ALIASES.get(key)


def compact(name: str) -> str:
    """A column's name as it is compared."""
    return re.sub(r"[\s_-]+", "", name.casefold())


_BY_COMPACT = {compact(field): field for field in FIELDS}
_IGNORED = frozenset(compact(name) for name in IGNORED)
