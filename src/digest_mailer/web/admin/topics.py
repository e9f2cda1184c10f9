"""Topics: `/admin/topics/`, what readers can follow, who does, and what was written on it.

    /topics/              every topic with its followers, its articles by year, and whether readers wait for one
    /topics/new/          add one
    /topics/KEY/          its names, what asks for it, and forms that change it
    /topics/KEY/change/   what a change would touch; a second POST does it

Authors may look, admins change. A change was planned on the topic as it was then; when that is changed meanwhile, the
plan is shown anew. A change is planned and done in one turn (`Topics.changing`), so that none takes another one back.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from digest_mailer.core.account import Role
from digest_mailer.core.errors import ChangedMeanwhileError, UsageError
from digest_mailer.core.identity import IssueId
from digest_mailer.core.topic import Topic
from digest_mailer.services.coverage import Covered, cover
from digest_mailer.services.topics import Change, Topics
from digest_mailer.web.admin.gate import Gate, Visit

_YEARS = 5  # columns; older articles are in the sum of all
_TYPED = ("do", "name", "french", "aliases", "into")
_DONE = {"rename": "renamed", "alias": "named", "retire": "retired", "merge": "merged"}


@dataclass(frozen=True, slots=True)
class TopicPages:
    """The pages of topics."""

    gate: Gate

    def all(self, visit: Visit) -> Response:
        """`/topics/`."""
        library = self.gate.app.library
        found = cover(library, self.gate.app.following)
        months = self._months(visit, {found.newest, *(one.last for one in found.topics)})
        values = {
            "offered": [one for one in found.topics if not one.topic.retired],
            "retired": [one for one in found.topics if one.topic.retired],
            "years": sorted(found.years, reverse=True)[:_YEARS],
            "older": len(found.years) > _YEARS,
            "all_topics": found.all_topics,
            "waiting": sum(one.waiting for one in found.topics),
            "newest": months.get(found.newest, ""),
            "months": months,
            "catalogue": library.vocabulary.catalogue,
        }
        return self.gate.show(visit, "topics", values)

    def new(self, visit: Visit) -> Response:
        """`/topics/new/`."""
        trouble = ""
        if visit.posted:
            names = (visit.typed("key"), visit.typed("name"), visit.typed("french"), self._lines(visit))
            try:
                with self._topics().changing() as topics:
                    change = topics.add(*names)
                    topics.carry_out(change, visit.session.actor)
                return self.gate.go(f"/topics/{change.after.key}/", "added")
            except UsageError as problem:
                trouble = problem.sentence
        typed = {name: visit.typed(name) for name in ("key", "name", "french", "aliases")}
        return self.gate.show(visit, "topic_new", {"trouble": trouble, "typed": typed}, 400 if trouble else 200)

    def one(self, visit: Visit) -> Response:
        """`/topics/KEY/`."""
        return self._show(visit, self._topics())

    def change(self, visit: Visit) -> Response:
        """`/topics/KEY/change/`: the plan of a change; with `seen`, which names what it was planned on, the change."""
        topics, do = self._topics(), visit.typed("do")
        if not visit.posted or do not in _DONE:
            return self.gate.go(f"/topics/{topics.find(visit.part('key')).key}/")
        try:
            with topics.changing() as topics:
                change = self._planned(visit, topics)
                if change.after == change.before and not change.into:
                    return self.gate.go(f"/topics/{change.after.key}/", "same")
                if not visit.typed("seen"):
                    return self._plan(visit, change)
                topics.carry_out(change, visit.session.actor, visit.typed("seen"))
        except ChangedMeanwhileError:
            return self._plan(visit, change, changed=True)
        except UsageError as problem:
            return self._show(visit, topics, problem.sentence)
        return self.gate.go(f"/topics/{(change.into or change.after).key}/", _DONE[do])

    def _planned(self, visit: Visit, topics: Topics) -> Change:
        key = visit.part("key")
        match visit.typed("do"):
            case "rename":
                french = visit.typed("french") if "french" in visit.form else None
                return topics.rename(key, visit.typed("name"), french)
            case "alias":
                return topics.alias(key, self._lines(visit))
            case "retire":
                return topics.retire(key)
            case _:
                return topics.merge(key, visit.typed("into"))

    def _plan(self, visit: Visit, change: Change, *, changed: bool = False) -> Response:
        values = {
            "change": change,
            "do": visit.typed("do"),
            "typed": {name: visit.typed(name) for name in _TYPED},
            "seen": change.mark,
            "changed": changed,
            "months": self._months(visit, {*change.outdated, *_issues(change)}),
        }
        return self.gate.show(visit, "topic_change", values, 409 if changed else 200)

    def _show(self, visit: Visit, topics: Topics, trouble: str = "") -> Response:
        touched = topics.touched(visit.part("key"))
        topic = touched.after
        values: dict[str, Any] = {
            "topic": topic,
            "touched": touched,
            "covered": self._covered(topics, topic),
            "current": topics.catalogue.current(topic),
            "others": [one for one in topics.catalogue.offered if one.key != topic.key],
            "months": self._months(visit, _issues(touched)),
            "trouble": trouble,
            "typed": {name: visit.typed(name) for name in _TYPED},
        }
        return self.gate.show(visit, "topic", values, 400 if trouble else 200)

    def _covered(self, topics: Topics, topic: Topic) -> Covered:
        found = cover(topics.library, self.gate.app.following).topics
        return next(one for one in found if one.topic.key == topic.key)

    def _topics(self) -> Topics:
        """On the file as it is now."""
        app = self.gate.app
        return app.topics(app.library)

    def _months(self, visit: Visit, issues: Iterable[IssueId | None]) -> Mapping[IssueId | None, str]:
        phrases = self.gate.phrases(visit)  # made once: it looks whether the words have changed
        return {issue: phrases.month(issue) for issue in issues if issue}

    @staticmethod
    def _lines(visit: Visit) -> list[str]:
        return [line.strip() for line in visit.typed("aliases").splitlines() if line.strip()]


def _issues(change: Change) -> set[IssueId]:
    return {use.issue for use in change.articles}


def topic_routes(gate: Gate) -> list[Route]:
    """The pages of topics."""
    pages = TopicPages(gate)
    return [
        *gate.page("/topics/", pages.all, needs=Role.AUTHOR),
        *gate.page("/topics/new/", pages.new, post=True),
        *gate.page("/topics/{key}/", pages.one, needs=Role.AUTHOR),
        *gate.page("/topics/{key}/change/", pages.change, post=True),
    ]
