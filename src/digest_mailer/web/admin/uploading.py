"""What the pages of all uploaded lists do alike: take a file, have it read, show what it would do, have that done.

A kind of list says what is asked with its file, how its pages look and what is to be done with it. A thread does the
work, and the page shows itself again until that is done. Nothing is changed before somebody has seen what would be: the
form that takes a list in says which reading it shows.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.responses import Response

from digest_mailer.core.audience import Reject
from digest_mailer.core.errors import ChangedMeanwhileError, DigestError, InterlockError, TemporaryProblem
from digest_mailer.services.importing import Asked
from digest_mailer.services.uploads import Stage, Upload, Uploads, Work
from digest_mailer.web.admin.gate import Gate, Visit
from digest_mailer.web.admin.receiving import file_in, received

About = TypeVar("About")


@dataclass(frozen=True, slots=True)
class UploadPages(ABC, Generic[About]):
    """The pages of a kind of list."""

    gate: Gate

    @property
    @abstractmethod
    def area(self) -> str:
        """The path below `/admin`."""

    @property
    @abstractmethod
    def kind(self) -> type[About]:
        """What is known of such a list."""

    @property
    @abstractmethod
    def limit(self) -> int:
        """Octets of a file."""

    @abstractmethod
    def about(self, form: FormData) -> About:
        """What is asked with a new file."""

    @abstractmethod
    def ask(self, visit: Visit, about: About, trouble: str = "", status: int = 200) -> Response:
        """The page that asks for a file."""

    @abstractmethod
    def show(self, visit: Visit, upload: Upload[About], trouble: str = "", status: int = 200) -> Response:
        """The page of an upload. `trouble` is a sentence, or one of `again`, `changed` and `rejects`."""

    @abstractmethod
    def rejects(self, about: About) -> Sequence[Reject]:
        """The rows that cannot be taken, as far as is known."""

    @abstractmethod
    def work(self, upload: Upload[About], asked: Asked) -> Work:
        """What is to be done with an upload."""

    def say(self, visit: Visit, upload: Upload[About]) -> Work:
        """How it is to be read, where the form says that anew."""
        del visit
        return self.work(upload, Asked())

    @property
    def uploads(self) -> Uploads:
        """All of them."""
        return self.gate.app.uploads

    async def take(self, visit: Visit) -> Response:
        """A POST with a file."""
        async with received(visit.request, self.limit) as form:
            return await run_in_threadpool(self._take, visit, form)

    def upload(self, visit: Visit) -> Response:
        """The page of an upload, and what its forms do."""
        upload = self.find(visit)
        match visit.typed("do") if visit.posted else "":
            case "":
                return self.show(visit, upload)
            case "drop":
                return self.gate.go(self.area, "deleted" if self.uploads.drop(upload) else "dropped")
            case do:
                return self._begin(visit, upload, do)

    def find(self, visit: Visit) -> Upload[About]:
        """The upload that the path names. Raises NothingMatched when it is not theirs, or gone."""
        return self.uploads.find(visit.part("name"), visit.session.actor, self.kind)

    def _take(self, visit: Visit, form: FormData) -> Response:
        about, found = self.about(form), file_in(form)
        if found is None:
            return self.ask(visit, about, self.gate.phrases(visit).gettext("Choose a file first."), 400)
        try:
            upload = self.uploads.keep(*found, visit.session.actor, about)
        except DigestError as problem:
            return self.ask(visit, about, problem.sentence, 507)
        with suppress(InterlockError):  # the page says so, and has a button to read it later
            try:
                self.uploads.read(upload, self.work(upload, Asked()))
            except TemporaryProblem as problem:
                return self.show(visit, upload, problem.sentence, 503)
        return self.gate.go(f"{self.area}{upload.name}/")

    def _begin(self, visit: Visit, upload: Upload[About], do: str) -> Response:
        """Have it read or taken in. Who pressed a button twice, or looks at what is no longer so, sees how it is."""
        try:
            if do == "read":
                self.uploads.read(upload, self.say(visit, upload))
            if do == "apply":
                keep = visit.typed("good") == "yes"
                if upload.stage is Stage.READ and self.rejects(upload.about) and not keep:
                    return self.show(visit, upload, "rejects", 400)
                work = self.work(upload, Asked(True, keep, visit.session.actor))
                self.uploads.apply(upload, work, _number(visit.typed("seen")))
        except ChangedMeanwhileError:
            return self.show(visit, upload, "changed", 409)
        except InterlockError:
            if upload.stage is Stage.DONE:
                return self.show(visit, upload, "again", 409)
            raise
        except TemporaryProblem as problem:
            return self.show(visit, upload, problem.sentence, 503)
        return self.gate.go(f"{self.area}{upload.name}/")


def _number(text: str) -> int:
    """The number of a reading; none has the number 0."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0
