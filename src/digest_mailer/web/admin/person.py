"""One person: `/admin/people/NUMBER/`.

    /people/new/              add somebody who asked for mail elsewhere
    /people/NUMBER/           everything on record; POST pauses, resumes, reinstates, unsubscribes, as `do` says
    /people/NUMBER/edit/      their values; the form says what it was made for, so that of two windows one is told
    /people/NUMBER/erase/     GET tells what is deleted and what stays, POST does it

Of who was erased, a number and bare entries of the trail are left; they are shown, as something that is not there.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from digest_mailer.core.audience import State, Subscriber
from digest_mailer.core.errors import ChangedMeanwhileError, InterlockError, NothingMatched, UsageError
from digest_mailer.core.identity import SubscriberId
from digest_mailer.core.move import Move, after
from digest_mailer.services.subscriptions import check_seen, mark
from digest_mailer.web.admin.gate import Gate, Visit
from digest_mailer.web.admin.person_form import Typed, languages, shown_topics
from digest_mailer.web.admin.person_record import Record
from digest_mailer.web.forms import whole_number

_MOVES = (Move.PAUSE, Move.RESUME, Move.REINSTATE, Move.LIFT, Move.UNSUBSCRIBE)
_MAX_REASON = 500
_GONE = ("nobody has this number", "look for the person in the list")


@dataclass(frozen=True, slots=True)
class PersonPages:
    """The pages of one person."""

    gate: Gate

    def one(self, visit: Visit) -> Response:
        """`/people/NUMBER/`."""
        identifier = self._number(visit)
        person = self.gate.app.people.get(identifier)
        if person is None:
            return self._gone(visit, identifier)
        if not visit.posted:
            return self._show(visit, person)
        try:
            return self.gate.go(f"/people/{person.id}/", self._act(visit, person))
        except UsageError as problem:
            person = self.gate.app.people.get(identifier) or person
            if visit.typed("do") == Move.RESUME and person.state is State.ACTIVE:  # the button was pressed twice
                return self.gate.go(f"/people/{person.id}/", "same")
            return self._show(visit, person, problem.sentence)

    def edit(self, visit: Visit) -> Response:
        """`/people/NUMBER/edit/`."""
        app, identifier = self.gate.app, self._number(visit)
        person = app.people.get(identifier)
        if person is None:
            return self._gone(visit, identifier)
        catalogue = app.library.vocabulary.catalogue
        if not visit.posted:
            return self._edit(visit, person, Typed.of(person.profile, catalogue))
        typed = Typed.in_form(visit)
        try:
            profile = typed.profile(app, catalogue, person.profile)
            if profile == person.profile:
                return self.gate.go(f"/people/{person.id}/", "same")
            check_seen(person.profile, visit.typed("seen"))
            reason = typed.reason[:_MAX_REASON]
            app.subscriptions.edit(person, profile, visit.session.actor, reason, only_if=person.profile)
        except ChangedMeanwhileError:
            return self._edit(visit, app.people.get(person.id) or person, typed, changed=True)
        except (UsageError, InterlockError) as problem:
            return self._edit(visit, person, typed, problem.sentence)
        return self.gate.go(f"/people/{person.id}/", "saved")

    def new(self, visit: Visit) -> Response:
        """`/people/new/`."""
        app = self.gate.app
        catalogue, typed, trouble = app.library.vocabulary.catalogue, Typed(everything=True), ""
        if visit.posted:
            typed = Typed.in_form(visit)
            try:
                given = typed.consent(app.today)
                person = app.subscriptions.add(typed.profile(app, catalogue), given, visit.session.actor)
                return self.gate.go(f"/people/{person.id}/", "added")
            except (UsageError, InterlockError) as problem:
                trouble = problem.sentence
        values = self._form(visit, None, typed) | {"trouble": trouble, "today": app.today}
        return self.gate.show(visit, "person_new", values, 400 if trouble else 200)

    def erase(self, visit: Visit) -> Response:
        """`/people/NUMBER/erase/`."""
        app, identifier = self.gate.app, self._number(visit)
        person = app.people.get(identifier)
        if person is None:  # perhaps the button was pressed twice
            return self._gone(visit, identifier)
        if not visit.posted:
            mails = sum(1 for _ in app.oversight.deliveries(None, person=person.id))
            return self.gate.show(visit, "person_erase", {"person": person, "mails": mails})
        app.subscriptions.erase(person, visit.session.actor)
        return self.gate.go(f"/people/{person.id}/", "erased")

    def _act(self, visit: Visit, person: Subscriber) -> str:
        """Do what the form wants; answers what to say of it."""
        subscriptions, actor = self.gate.app.subscriptions, visit.session.actor
        reason = visit.typed("reason")[:_MAX_REASON]
        match visit.typed("do"):
            case "pause":
                subscriptions.pause(person, _day(visit.typed("until")), actor, reason)
                return "paused"
            case "resume":
                subscriptions.resume(person, actor, reason)
                return "resumed"
            case "reinstate":
                if not reason:
                    raise UsageError("it is not said why", "say what shows that the report was wrong")
                subscriptions.reinstate(person, actor, reason)
                return "reinstated"
            case "unsubscribe":
                left = subscriptions.leave(person, reason or "asked the admin", actor=actor)
                return "left" if left else "same"
            case _:
                raise UsageError("the form says nothing", "open the page again")

    def _show(self, visit: Visit, person: Subscriber, trouble: str = "") -> Response:
        app = self.gate.app
        values = Record(app, person, self.gate.phrases(visit)).values(everything=visit.asked("issues") == "all")
        values |= {
            "person": person,
            "trouble": trouble,
            "moves": {str(move) for move in _MOVES if after(person.state, move)},
            "names": app.admission.accounts.names(),
            "tomorrow": date.fromordinal(app.today.toordinal() + 1),
            "typed": {name: visit.typed(name) for name in ("do", "until", "reason")},
        }
        return self.gate.show(visit, "person", values, 400 if trouble else 200)

    def _gone(self, visit: Visit, identifier: SubscriberId) -> Response:
        """Who was erased, or never was."""
        entries = list(self.gate.app.trail.records(identifier))
        if not entries:
            raise NothingMatched(*_GONE)
        values = {"number_of_person": identifier, "entries": entries, "names": self.gate.app.admission.accounts.names()}
        return self.gate.show(visit, "person_gone", values, 404)

    def _edit(
        self, visit: Visit, person: Subscriber, typed: Typed, trouble: str = "", *, changed: bool = False
    ) -> Response:
        values = self._form(visit, person, typed) | {
            "person": person,
            "trouble": trouble,
            "changed": changed,
            "present": Record(self.gate.app, person, self.gate.phrases(visit)).profile(),
            "seen": mark(person.profile),
        }
        return self.gate.show(visit, "person_edit", values, 409 if changed else 400 if trouble else 200)

    def _form(self, visit: Visit, person: Subscriber | None, typed: Typed) -> dict[str, Any]:
        """What the fields of somebody's values need."""
        catalogue, profile = self.gate.app.library.vocabulary.catalogue, person.profile if person else None
        topics = shown_topics(catalogue, profile.topics) if profile else shown_topics(catalogue)
        return {
            "typed": typed,
            "languages": languages(self.gate.app, profile),
            "topics": [(one.key, one.display(visit.language), one.retired) for one in topics],
        }

    @staticmethod
    def _number(visit: Visit) -> SubscriberId:
        number = whole_number(visit.part("number"))
        if number is None:
            raise NothingMatched(*_GONE)
        return SubscriberId(number)


def person_routes(gate: Gate) -> list[Route]:
    """The pages of one person."""
    pages = PersonPages(gate)
    return [
        *gate.page("/people/new/", pages.new, post=True),
        *gate.page("/people/{number}/", pages.one, post=True),
        *gate.page("/people/{number}/edit/", pages.edit, post=True),
        *gate.page("/people/{number}/erase/", pages.erase, post=True),
    ]


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as problem:
        raise UsageError(f'"{text}" is not a day', "write it as 2023-07-01") from problem
