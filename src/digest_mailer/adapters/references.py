"""References by their DOIs: from files of CSL-JSON, as reference managers export them, and from the DOI resolver.

The resolver is asked by content negotiation (`application/vnd.citationstyles.csl+json`); it leads on to the agency
that registered the DOI.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from digest_mailer.adapters.fetching import Fetcher
from digest_mailer.core.citation import Doi, doi_url
from digest_mailer.core.csl import Item, doi_of
from digest_mailer.core.errors import ContentError, NothingMatched, UsageError

RESOLVER = "https://doi.org"
CSL_JSON = "application/vnd.citationstyles.csl+json"


def read_csl(path: Path) -> dict[str, Item]:
    """The references of a CSL-JSON file by their DOIs in lower case. Raises ContentError when it is none."""
    try:
        document = json.loads(path.read_bytes())
    except OSError as problem:
        raise UsageError(f"cannot read {path}: {problem.strerror}", "check the path") from problem
    except (ValueError, RecursionError) as problem:
        raise ContentError(f"{path} is not JSON", 'export the references as "CSL JSON"') from problem
    items = document if isinstance(document, list) else [document]
    found: dict[str, Item] = {doi.lower(): item for item in items if isinstance(item, dict) and (doi := doi_of(item))}
    if not found:
        raise ContentError(f"{path} has no reference with a DOI", 'export the references as "CSL JSON"')
    return found


@dataclass(frozen=True, slots=True)
class References:
    """Looks references up: in files first, then, with a fetcher, online."""

    files: Sequence[Path] = ()
    fetcher: Fetcher | None = None
    resolver: str = RESOLVER
    _items: dict[str, Item] = field(default_factory=dict)

    def find(self, doi: Doi) -> Item | None:
        """The reference of a DOI; None when it is in no file, and nobody may be asked. Raises NothingMatched when
        the resolver has none, and what fetching raises."""
        if self.files and not self._items:
            for path in self.files:
                self._items.update(read_csl(path))
        item = self._items.get(doi.lower())
        return item if item or not self.fetcher else self._asked(doi, self.fetcher)

    def _asked(self, doi: Doi, fetcher: Fetcher) -> Item:
        url = f"{self.resolver}/{quote(doi, safe='/')}"
        try:
            document = fetcher.fetch(url, lambda _: {"Accept": CSL_JSON})
        except NothingMatched as problem:
            raise NothingMatched(f"{doi_url(doi)} leads to no reference", "check the DOI in the paper") from problem
        try:
            item = json.loads(document.content)
        except (ValueError, RecursionError):
            item = None
        if not isinstance(item, dict):
            hint = "not every agency has references as data; write the citation by hand"
            raise ContentError(f"{doi_url(doi)} answers with something that is no reference", hint)
        return item
