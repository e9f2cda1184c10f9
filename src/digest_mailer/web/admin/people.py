"""The list of people: `/admin/people/`.

    /people/            a page of those whom the filter names, by address, with links to the next and the one before
    /people/export/     POST answers with all of them as a file

What is typed is looked for at the beginning of addresses first, which an index answers at once; where nobody is found,
and on wish, anywhere in addresses and names. The links of pages name people by their number, never by their address:
several at the edge of the page, so that the place is kept when one of them is erased.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import IO, Any

from starlette.responses import Response
from starlette.routing import Route

from digest_mailer.core.audience import State, Subscriber
from digest_mailer.core.errors import NothingMatched, UsageError
from digest_mailer.core.identity import SubscriberId
from digest_mailer.core.people_search import PAGE, PeoplePage, Search
from digest_mailer.services.exporting import Exporter
from digest_mailer.services.library import Library
from digest_mailer.web.admin.files import download
from digest_mailer.web.admin.gate import Gate, Visit
from digest_mailer.web.admin.people_filter import Filter
from digest_mailer.web.forms import whole_number

_FORMATS = {"csv": "text/csv; charset=utf-8", "json": "application/json"}
_STATES = tuple(state for state in State if state is not State.ERASED)
_EDGE = 5  # people that a link names
_NOBODY = PeoplePage((), earlier=False, later=False)


@dataclass(frozen=True, slots=True)
class PeoplePages:
    """The pages of the list."""

    gate: Gate

    def all(self, visit: Visit) -> Response:
        """`/people/`."""
        library, asked, trouble = self.gate.app.library, Filter.read(visit.asked), ""
        search: Search | None = None
        try:
            search = asked.search(self.gate.app, library)
        except (UsageError, NothingMatched) as problem:
            trouble = problem.sentence
        page = self._page(visit, search) if search else _NOBODY
        if search and search.words and not (search.inside or page.people or visit.asked("behind")):
            search, asked = replace(search, inside=True), replace(asked, inside="1")
            page = self._page(visit, search)
        values = self._choices(visit, library) | {
            "filter": asked,
            "trouble": trouble,
            "people": page.people,
            "topic_counts": {one.id: len(library.vocabulary.catalogue.in_words(one.topics)) for one in page.people},
            "total": self._total(search) if search else None,
            "whole": not (page.earlier or page.later),
            "previous": asked.query(before=_names(page.people[:_EDGE])) if page.earlier and page.people else "",
            "next": asked.query(behind=_names(page.people[: -_EDGE - 1 : -1])) if page.later else "",
            "first": asked.query(),
        }
        return self.gate.show(visit, "people", values, 400 if trouble else 200)

    def export(self, visit: Visit) -> Response:
        """`/people/export/`: nothing but a POST gives the file, because the trail is told."""
        kind = visit.typed("format")
        if not visit.posted or kind not in _FORMATS:
            return self.gate.go("/people/")
        app, library = self.gate.app, self.gate.app.library
        search = Filter.read(visit.typed).search(app, library)
        exporter = Exporter(lambda: app.people.found(search) if search else (), library.vocabulary.catalogue)

        def fill(file: IO[str]) -> None:
            count = exporter.csv(file) if kind == "csv" else exporter.json(file)
            app.note_export(visit.session.actor, "subscribers", count)

        return download(f"people-{app.today}.{kind}", _FORMATS[kind], fill)

    def _page(self, visit: Visit, search: Search) -> PeoplePage:
        """The page that is asked for; the first one where all whom it begins or ends with are gone, or nobody is left
        before."""
        people = self.gate.app.people
        if before := self._address(visit.asked("before")):
            page = people.page(search, before=before)
            return page if page.earlier or len(page.people) == PAGE else people.page(search)
        return people.page(search, behind=self._address(visit.asked("behind")))

    def _address(self, names: str) -> str:
        """The address of the first of these people who is there."""
        numbers = filter(None, map(whole_number, names.split(".")[:_EDGE]))
        found = (self.gate.app.people.get(SubscriberId(number)) for number in numbers)
        return next((person.address.canonical for person in found if person), "")

    def _total(self, search: Search) -> int | None:
        """How many there are in all; None where that cannot be told without a look at every row."""
        return sum(self.gate.app.people.count(search.segment).values()) if search.is_countable else None

    def _choices(self, visit: Visit, library: Library) -> dict[str, Any]:
        """What the filter can be set to."""
        app, speech = self.gate.app, visit.language
        current = [one for one in library.vocabulary.catalogue if not one.merged_into]
        return {
            "states": _STATES,
            "languages": app.publication.languages,
            "topics": [(one.key, one.display(speech)) for one in sorted(current, key=lambda one: one.retired)],
            "segments": [one.name for one in app.segments.all()],
        }


def _names(people: Sequence[Subscriber]) -> str:
    return ".".join(str(person.id) for person in people)


def people_routes(gate: Gate) -> list[Route]:
    """The pages of the list."""
    pages = PeoplePages(gate)
    return [*gate.page("/people/", pages.all), *gate.page("/people/export/", pages.export, post=True)]
