"""Cells of a list that a spreadsheet would take for a formula, and run: marked going out, unmarked coming in."""

import re

_FORMULA = re.compile("'*[=+@-]")
_GUARDED = re.compile("'+[=+@-]")


def guarded(text: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{text}" if _FORMULA.match(text) else text


def unguarded(text: str) -> str:
    """What `guarded` was given."""
    return text[1:] if _GUARDED.match(text) else text
