"""A research citation as data: the reference as written, and its DOI in one form.

A DOI is shown and linked as `https://doi.org/10....` (Crossref display guidelines, 2017). Its form is
checked by Crossref's own pattern for modern DOIs; case is kept, comparison ignores it (DOI Handbook 2.4).
"""

import re
from dataclasses import dataclass
from typing import NewType

Doi = NewType("Doi", str)  # 10.NNNN/suffix, no prefix, no trailing punctuation

_DOI = re.compile(r"10\.\d{4,9}/[^\s\"<>]+")
# Where a citation states its DOI: an address, or the word doi and a colon.
_STATED = re.compile(r"(?:https?://(?:dx\.)?doi\.org/|doi:\s*)(10\.\d{4,9}/[^\s\"<>]+)", re.IGNORECASE)
_PREFIX = re.compile(r"(?:https?://(?:dx\.)?doi\.org/|doi:)\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Citation:
    """One reference: text as the author wrote it, DOI where it has one."""

    text: str
    doi: Doi | None = None

    @property
    def reference(self) -> str:
        """The text without its DOI, so that a mail can show the DOI once, as an address."""
        bare = _STATED.sub("", self.text).rstrip(" .,;")
        return f"{bare}." if bare else self.text

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
    while doi and (doi[-1] in ".,;:" or (doi[-1] == ")" and doi.count(")") > doi.count("("))):
        doi = doi[:-1]
    return doi
