"""Lists of people in: `/admin/import/`.

    /import/                  what a file needs, and a form; POST takes the file and has it read
    /import/NAME/             how far that has come, then what it would do; POST with `do` reads it again as the form
                              says, takes it in, or forgets it
    /import/NAME/rejects/     the rows that cannot be taken, as CSV, to be corrected and imported

NAME is random, and good for who uploaded the file. A thread does the work, and the page shows itself again until that
is done. Nothing is changed before somebody has seen what would be, and then all of it at once.
"""

import csv
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, BinaryIO

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.responses import Response
from starlette.routing import Route

from digest_mailer.bootstrap import FIELDS, REJECT_COLUMNS
from digest_mailer.core.errors import ContentError, DigestError, InterlockError, NothingMatched
from digest_mailer.core.intake import Column
from digest_mailer.services.importing import Asked, Imported, file_digest, rejected_rows
from digest_mailer.services.uploads import Stage, Told, Upload, Work
from digest_mailer.web.admin.files import download
from digest_mailer.web.admin.gate import Gate, Visit
from digest_mailer.web.admin.import_form import ENCODINGS, Typed, read_typed
from digest_mailer.web.admin.receiving import file_in, received, refresh

LIMIT = 512 << 20  # octets
SHOWN_REJECTS = 20


@dataclass(slots=True)
class People:
    """What is asked and known of a list of people."""

    typed: Typed
    columns: tuple[Column, ...] = ()
    kind: str = ""  # what wrote the file, where that is known
    encoding: str = ""
    imported: Imported | None = None


@dataclass(frozen=True, slots=True)
class ImportPages:
    """The pages of imports."""

    gate: Gate

    def form(self, visit: Visit) -> Response:
        """`/import/`."""
        return self._form(visit, Typed())

    async def take(self, visit: Visit) -> Response:
        """POST there."""
        async with received(visit.request, LIMIT) as form:
            return await run_in_threadpool(self._take, visit, form)

    def upload(self, visit: Visit) -> Response:
        """`/import/NAME/`."""
        uploads, upload = self.gate.app.uploads, self._find(visit)
        do = visit.typed("do") if visit.posted else ""
        if do == "drop":
            uploads.drop(upload)
            return self.gate.go("/import/", "dropped")
        if do == "read":
            typed = read_typed(visit.form, upload.about.columns) if visit.typed("form") else upload.about.typed
            uploads.read(upload, self._work(upload, typed, Asked()))
        if do == "apply":
            keep, known = visit.typed("good") == "yes", upload.about.imported
            if known and known.rejects and not keep:
                return self._show(visit, upload, forgot=True)
            uploads.apply(upload, self._work(upload, upload.about.typed, Asked(True, keep, visit.session.actor)))
        if do:
            return self.gate.go(f"/import/{upload.name}/")
        return self._show(visit, upload)

    def rejects(self, visit: Visit) -> Response:
        """`/import/NAME/rejects/`."""
        app, upload = self.gate.app, self._find(visit)
        imported = upload.about.imported
        if imported is None or not imported.rejects:
            raise NothingMatched("there are no rejected rows", "look at the upload")
        said = upload.about.typed.said(app.library.vocabulary.catalogue, app.clock.now().date())
        with app.uploads.open(upload) as data:
            file = app.people_file(data, upload.source, said)

            def fill(target: IO[str]) -> None:
                rows = rejected_rows(file.header, file.rows(), imported.rejects, REJECT_COLUMNS)
                csv.writer(target, lineterminator="\n").writerows(rows)

            return download("rejects.csv", "text/csv", fill)

    def _find(self, visit: Visit) -> Upload[People]:
        return self.gate.app.uploads.find(visit.part("name"), visit.session.actor, People)

    def _take(self, visit: Visit, form: FormData) -> Response:
        typed, found = read_typed(form), file_in(form)
        if found is None:
            return self._form(visit, typed, self.gate.phrases(visit).gettext("Choose a file first."))
        uploads = self.gate.app.uploads
        try:
            upload = uploads.keep(*found, visit.session.actor, People(typed))
        except DigestError as problem:
            return self._form(visit, typed, problem.sentence, 507)
        with suppress(InterlockError):  # the page says so, and has a button to read it later
            uploads.read(upload, self._work(upload, typed, Asked()))
        return self.gate.go(f"/import/{upload.name}/")

    def _work(self, upload: Upload[People], typed: Typed, asked: Asked) -> Work:
        app, about = self.gate.app, upload.about

        def work(data: BinaryIO, told: Told) -> bool:
            about.typed, about.imported, about.kind, about.encoding = typed, None, "", ""
            about.columns = app.people_columns(data, upload.source, typed.file)
            said = typed.said(app.library.vocabulary.catalogue, app.clock.now().date())
            file = app.people_file(data, upload.source, said)
            about.kind, about.encoding = file.kind, file.encoding
            imported = app.importer.run(file.batches(), upload.source, lambda: file_digest(data), asked, told)
            if asked.apply and not imported.applied:
                raise ContentError("some rows cannot be taken any more", "have the file read again and look at them")
            about.imported = imported
            return not imported.applied or bool(imported.rejects)

        return work

    def _form(self, visit: Visit, typed: Typed, trouble: str = "", status: int = 400) -> Response:
        values = self._fields(visit, typed) | {"trouble": trouble, "limit": LIMIT >> 20}
        return self.gate.show(visit, "import", values, status if trouble else 200)

    def _show(self, visit: Visit, upload: Upload[People], *, forgot: bool = False) -> Response:
        about = upload.about
        values = self._fields(visit, about.typed) | {
            "upload": upload,
            "about": about,
            "imported": about.imported if upload.stage in (Stage.READ, Stage.DONE) else None,
            "fields": FIELDS,
            "shown": SHOWN_REJECTS,
            "forgot": forgot,
        }
        return self.gate.show(visit, "import_list", values, 400 if forgot else 200, refresh(upload))

    def _fields(self, visit: Visit, typed: Typed) -> dict[str, object]:
        """What the form shows beside the file."""
        offered = self.gate.app.library.vocabulary.catalogue.offered
        topics = [(topic.key, topic.display(visit.language), topic.key in typed.topics) for topic in offered]
        today = self.gate.app.clock.now().date()
        return {"typed": typed, "topics": topics, "encodings": ENCODINGS, "today": today}


def import_routes(gate: Gate) -> list[Route]:
    """The pages of imports. What was uploaded before the day is forgotten."""
    pages = ImportPages(gate)
    gate.app.uploads.tidy()
    return [
        *gate.page("/import/", pages.form),
        *gate.upload("/import/", pages.take),
        *gate.page("/import/{name}/", pages.upload, post=True),
        *gate.page("/import/{name}/rejects/", pages.rejects),
    ]
