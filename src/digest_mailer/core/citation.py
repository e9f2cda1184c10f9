"""A research citation as data: the reference as written, and its DOI in one form.

A DOI is shown and linked as `https://doi.org/10....` (Crossref display guidelines, 2017). Its form is
checked by Crossref's own pattern for modern DOIs; case is kept, comparison ignores it (DOI Handbook 2.4).
"""

import re
from dataclasses import dataclass
from typing import NewType

Doi = NewType("Doi", str)  # 10.NNNN/suffix, no prefix, no trailing punctuation

_OPENING = {")": "(", "]": "["}
_DOI = re.compile(r"10\.[0-9]{4,9}/[^\s\"<>]+")
# Where a citation states its DOI: an address, or the word doi and a colon.
_STATED = re.compile(r"(?:https?://(?:dx\.)?doi\.org/|doi:\s*)(10\.[0-9]{4,9}/[^\s\"<>]+)", re.IGNORECASE)
# The brackets that a DOI leaves behind, and the space before them or before a full stop.
_AROUND_NOTHING = re.compile(r"\s*(?:\(\s*\)|\[\s*\]|<\s*>)|\s+(?=[.,;])")
_PREFIX = re.compile(r"(?:https?://(?:dx\.)?doi\.org/|doi:)\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Citation:
    """One reference: text as the author wrote it, DOI where it has one."""

    text: str
    doi: Doi | None = None

    @property
    def reference(self) -> str:
        """The text without its DOI, so that a mail can show the DOI once, as an address."""
        bare = _AROUND_NOTHING.sub("", _STATED.sub(self._without_doi, self.text)).rstrip(" .,;")
        if not bare:
            return self.text
        return bare if bare[-1] in "?!" else f"{bare}."

    def _without_doi(self, match: re.Match[str]) -> str:
        """What is left of the statement of a DOI: the text behind it, or all of it when the DOI is another one."""
        doi = _trim(match[1])
        own = self.doi is not None and doi.lower() == self.doi.lower()
        return match[1][len(doi) :] if own else match[0]

    @property
    def url(self) -> str | None:
        """The DOI as an https address."""
        return doi_url(self.doi) if self.doi else None


def doi_url(doi: Doi) -> str:
    """The address of a DOI."""
    return f"https://doi.org/{doi}"


def parse_doi(text: str) -> Doi | None:
    """Read a DOI in any of its common spellings; None when it is malformed."""
    bare = _trim(_PREFIX.sub("", text.strip(), count=1))
    return Doi(bare) if _DOI.fullmatch(bare) else None


def find_doi(citation: str) -> Doi | None:
    """The DOI that a citation states; None when it states none."""
    match = _STATED.search(citation)
    return Doi(_trim(match[1])) if match else None


def _trim(doi: str) -> str:
    """Drop the sentence's punctuation behind a DOI; a closing bracket stays when it was opened inside."""
    while doi and (doi[-1] in ".,;:" or (doi[-1] in _OPENING and doi.count(doi[-1]) > doi.count(_OPENING[doi[-1]]))):
        doi = doi[:-1]
    return doi
