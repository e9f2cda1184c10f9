"""Segments: `/admin/segments/`, a form with one field a condition, and what the segment comes to.

    /segments/                the kept ones, in words and counted, where that is quick
    /segments/new/            a form; its buttons count, show the editions of an issue, tell why somebody is in, save
    /segments/NAME/           the same for a kept one
    /segments/NAME/remove/    asks, then forgets the name
    /segments/count/          the count alone, for the script that asks while somebody types
    /live.js                  that script

Only saving and removing change anything. What the form says counts, saved or not; an expression that is typed instead
fills the form. These pages are the only ones with a script, and do without it: their policy allows our own file, and no
other. Authors may use them, but who is in a segment is for admins.
"""

from dataclasses import dataclass, replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from digest_mailer.core.account import Role
from digest_mailer.core.audience import State
from digest_mailer.core.errors import ChangedMeanwhileError, ContentError, IssueError, NothingMatched, UsageError
from digest_mailer.core.segment import EVERYBODY, Segment
from digest_mailer.core.segment_form import Condition
from digest_mailer.core.segment_text import parse, write
from digest_mailer.services import segmenting
from digest_mailer.services.library import Library
from digest_mailer.services.segmenting import from_words, in_words, kept, mark
from digest_mailer.web.admin.gate import AREA, Gate, Visit
from digest_mailer.web.admin.segment_fields import DAYS, TOPICS, Sheet, Wording, field_of, said_in
from digest_mailer.web.pages import CONTENT_POLICY

_SCRIPT = "web/admin/live.js"
_PARTS = ("form", "changed", "expression", "editions", "explain")  # of the page
_MANY = 100_000  # people among whom to count what is no index's costs a noticeable time
_NOT_SAID = "nothing"  # that a page was made for
LIVE_POLICY = f"{CONTENT_POLICY}; script-src 'self'; connect-src 'self'"


@dataclass(frozen=True, slots=True)
class SegmentPages:
    """The pages of segments."""

    gate: Gate

    def all(self, visit: Visit) -> Response:
        """`/segments/`."""
        app = self.gate.app
        wording, catalogue = self._wording(visit, app.library), app.library.vocabulary.catalogue
        large = sum(app.people.count(EVERYBODY).values()) > _MANY
        rows = [
            {
                "name": one.name,
                "terms": wording.terms(one),
                "expression": write(one, catalogue),
                "too_large": one.is_too_large,
                "people": None if large and (one.attributes or one.issues) else self._people(one),
            }
            for one in app.segments.all()
        ]
        return self.gate.show(visit, "segments", {"segments": rows})

    def new(self, visit: Visit) -> Response:
        """`/segments/new/`."""
        return self._answer(visit, None)

    def one(self, visit: Visit) -> Response:
        """`/segments/NAME/`."""
        return self._answer(visit, kept(self.gate.app.segments, visit.part("name")))

    def remove(self, visit: Visit) -> Response:
        """`/segments/NAME/remove/`: GET asks, POST does it."""
        app, changed = self.gate.app, False
        if visit.posted:
            try:
                segmenting.remove(
                    app.segments, visit.part("name"), visit.session.actor, app.clock, visit.typed("seen") or _NOT_SAID
                )
                return self.gate.go("/segments/", "removed")
            except ChangedMeanwhileError:
                changed = True
        library = app.library
        segment = kept(app.segments, visit.part("name"))
        values = {
            "segment": segment.name,
            "conditions": self._wording(visit, library).terms(segment),
            "people": self._people(segment),
            "seen": mark(segment),
            "changed": changed,
        }
        return self.gate.show(visit, "segment_remove", values, 409 if changed else 200)

    def count(self, visit: Visit) -> Response:
        """`/segments/count/`: the people of what a form says, as a piece of a page."""
        library = self.gate.app.library
        try:
            values = self._counted(from_words(said_in(visit.form), library.vocabulary.catalogue), library)
        except UsageError as problem:
            values = {"people": None, "why_not": problem.sentence}
        return self.gate.show(visit, "segment_count", values)

    def script(self, _request: Request) -> Response:
        """`/live.js`."""
        source = self.gate.app.files.templates()[_SCRIPT]
        return Response(source, media_type="text/javascript", headers={"Cache-Control": "no-cache"})

    def _answer(self, visit: Visit, before: Segment | None) -> Response:
        library = self.gate.app.library
        catalogue = library.vocabulary.catalogue
        name = before.name if before else visit.typed("name")
        if not visit.posted:
            return self._show(Sheet(visit, library, before, in_words(before, catalogue) if before else {}, name))
        if visit.typed("do") == "type":
            return self._typed(Sheet(visit, library, before, {}, name, visit.typed("expression")))
        sheet = Sheet(visit, library, before, said_in(visit.form), name)
        return self._save(sheet) if visit.typed("do") == "save" else self._show(sheet)

    def _typed(self, sheet: Sheet) -> Response:
        """The form filled with what an expression means; nothing is saved."""
        catalogue = sheet.library.vocabulary.catalogue
        try:
            return self._show(replace(sheet, said=in_words(parse(sheet.expression, catalogue), catalogue)))
        except UsageError as problem:
            said = in_words(sheet.before, catalogue) if sheet.before else {}
            trouble = {"expression": problem.sentence}
            return self._show(replace(sheet, said=said, trouble=trouble, status=400))

    def _save(self, sheet: Sheet) -> Response:
        app, visit = self.gate.app, sheet.visit
        try:
            segment = from_words(sheet.said, sheet.library.vocabulary.catalogue, sheet.name)
            if sheet.before is None:
                segmenting.add(app.segments, segment, visit.session.actor, app.clock)
            else:
                seen = visit.typed("seen") or _NOT_SAID
                segmenting.edit(app.segments, segment, visit.session.actor, app.clock, seen)
        except UsageError as problem:
            return self._show(replace(sheet, trouble={"form": problem.sentence}, status=400))
        except ChangedMeanwhileError:
            now = kept(app.segments, sheet.name)
            return self._show(replace(sheet, before=now, trouble={"changed": "changed"}, status=409))
        return self.gate.go(f"/segments/{segment.name}/", "added" if sheet.before is None else "saved")

    def _show(self, sheet: Sheet) -> Response:
        """The form, and everything that was asked of what it says."""
        visit, library, trouble = sheet.visit, sheet.library, dict(sheet.trouble)
        values: dict[str, Any] = {"people": None, "why_not": "", "plan": None, "reasons": None}
        try:
            segment = from_words(sheet.said, library.vocabulary.catalogue, sheet.name)
        except UsageError as problem:
            trouble.setdefault("form", problem.sentence)
        else:
            values |= self._counted(segment, library)
            for part, find in (("editions", self._editions), ("explain", self._reasons)):
                try:
                    values |= find(sheet, segment)
                except (ContentError, IssueError, NothingMatched, UsageError) as problem:
                    trouble[part] = problem.what
        status = sheet.status if sheet.status != 200 or not trouble else 400
        values |= self._fields(sheet) | {"trouble": dict.fromkeys(_PARTS, "") | trouble}
        return self.gate.show(visit, "segment", values, status, {"Content-Security-Policy": LIVE_POLICY})

    def _people(self, segment: Segment) -> int | None:
        """How many there are; none where the database cannot tell."""
        return None if segment.is_too_large else sum(self.gate.app.people.count(segment).values())

    def _counted(self, segment: Segment, library: Library) -> dict[str, Any]:
        counts = self.gate.app.people.count(segment)
        return {
            "people": sum(counts.values()),
            "states": [(state, counts[state]) for state in State if counts.get(state)],
            "expression": write(segment, library.vocabulary.catalogue),
            "why_not": "",
        }

    def _editions(self, sheet: Sheet, segment: Segment) -> dict[str, Any]:
        """The editions that the chosen issue would have."""
        library, chosen = sheet.library, sheet.visit.typed("issue")
        if not chosen:
            return {}
        return {"plan": self.gate.app.launcher(library).plan(library.load(library.named(chosen)), segment)}

    def _reasons(self, sheet: Sheet, segment: Segment) -> dict[str, Any]:
        """Why the person of the typed address is in or not; for admins."""
        app, visit = self.gate.app, sheet.visit
        if not visit.typed("address") or not visit.session.is_admin:
            return {}
        person = app.subscriptions.by_address(visit.typed("address"))
        reasons = segmenting.explain(segment, person, app.segments, sheet.library.vocabulary.catalogue)
        wording = self._wording(visit, sheet.library)
        rows = [(wording.terms(one.part)[0], one.holds, wording.had(one)) for one in reasons]
        return {"reasons": rows, "inside": all(one.holds for one in reasons), "person": person}

    def _fields(self, sheet: Sheet) -> dict[str, Any]:
        """What the form shows of what was said."""
        app, visit, library = self.gate.app, sheet.visit, sheet.library
        wording, there = self._wording(visit, library), library.source.ids()
        said = {condition: list(sheet.said.get(condition, ())) for condition in Condition}
        topics = [(field_of(one), wording.label(one), wording.topics(said[one])) for one in TOPICS]
        return {
            "called": sheet.name,
            "before": sheet.before,
            "present": wording.terms(sheet.before) if sheet.before else [],
            "seen": sheet.seen,
            "topics": topics,
            "states_to_tick": wording.states(said[Condition.STATE]),
            "languages": wording.languages(app.publication.languages, said[Condition.LANGUAGE]),
            "attributes": "\n".join(said[Condition.ATTRIBUTE]),
            "days": [(field_of(one), wording.label(one), "".join(said[one])) for one in DAYS],
            "issues": [
                (field_of(one), wording.label(one), wording.issues(there, said[one]))
                for one in (Condition.RECEIVED, Condition.NOT_RECEIVED)
            ],
            "typed": sheet.expression,
            "choices": [(one, wording.issue(one)) for one in there],
            "issue": visit.typed("issue"),
            "address": visit.typed("address"),
        }

    def _wording(self, visit: Visit, library: Library) -> Wording:
        return Wording(library.vocabulary.catalogue, self.gate.phrases(visit))


def segment_routes(gate: Gate) -> list[Route]:
    """The pages of segments."""
    pages = SegmentPages(gate)
    return [
        *gate.page("/segments/", pages.all, needs=Role.AUTHOR),
        *gate.page("/segments/new/", pages.new, post=True, needs=Role.AUTHOR),
        *gate.page("/segments/count/", pages.count, post=True, needs=Role.AUTHOR),
        *gate.page("/segments/{name}/", pages.one, post=True, needs=Role.AUTHOR),
        *gate.page("/segments/{name}/remove/", pages.remove, post=True, needs=Role.AUTHOR),
        Route(f"{AREA}/live.js", pages.script),
    ]
