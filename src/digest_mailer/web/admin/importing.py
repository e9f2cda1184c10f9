"""Lists of people in: `/admin/import/`.

    /import/                  what a file needs, and a form; POST takes the file and has it read
    /import/NAME/             how far that has come, then what it would do; POST with `do` reads it again as the form
                              says, takes it in, or forgets it
    /import/NAME/rejects/     the rows that cannot be taken, as CSV, to be corrected and imported

NAME is random, and good for who uploaded the file. See `uploading` for what goes on behind the pages.
"""

import csv
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import IO, BinaryIO

from starlette.datastructures import FormData
from starlette.responses import Response
from starlette.routing import Route

from digest_mailer.bootstrap import FIELDS, REJECT_COLUMNS
from digest_mailer.core.audience import Reject
from digest_mailer.core.errors import ContentError, NothingMatched
from digest_mailer.core.intake import Column
from digest_mailer.services.importing import Asked, Imported, file_digest, rejected_rows
from digest_mailer.services.uploads import Stage, Told, Upload, Work
from digest_mailer.web.admin.files import download
from digest_mailer.web.admin.gate import Gate, Visit
from digest_mailer.web.admin.import_form import ENCODINGS, Typed, read_typed
from digest_mailer.web.admin.receiving import refresh
from digest_mailer.web.admin.uploading import UploadPages

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
class ImportPages(UploadPages[People]):
    """The pages of imports."""

    @property
    def area(self) -> str:
        """The path."""
        return "/import/"

    @property
    def kind(self) -> type[People]:
        """People."""
        return People

    @property
    def limit(self) -> int:
        """Octets of a file."""
        return LIMIT

    def form(self, visit: Visit) -> Response:
        """`/import/`."""
        return self.ask(visit, People(Typed()))

    def rejected(self, visit: Visit) -> Response:
        """`/import/NAME/rejects/`."""
        app, upload = self.gate.app, self.find(visit)
        rejects = self.rejects(upload.about)
        if not rejects:
            raise NothingMatched("there are no rejected rows", "look at the upload")
        said = upload.about.typed.said(app.library.vocabulary.catalogue, app.today)
        with app.uploads.open(upload) as data:
            file = app.people_file(data, upload.source, said)

            def fill(target: IO[str]) -> None:
                rows = rejected_rows(file.header, file.rows(), rejects, REJECT_COLUMNS)
                csv.writer(target, lineterminator="\n").writerows(rows)

            return download("rejects.csv", "text/csv", fill)

    def about(self, form: FormData) -> People:
        """What the file does not say."""
        return People(read_typed(form))

    def rejects(self, about: People) -> Sequence[Reject]:
        """Rows that cannot be taken."""
        return about.imported.rejects if about.imported else ()

    def say(self, visit: Visit, upload: Upload[People]) -> Work:
        """With what the form says now, where it has that."""
        typed = read_typed(visit.form, upload.about.columns) if visit.typed("form") else upload.about.typed
        return self._work(upload, typed, Asked())

    def work(self, upload: Upload[People], asked: Asked) -> Work:
        """Read it, compare it with who is there, merge it."""
        return self._work(upload, upload.about.typed, asked)

    def ask(self, visit: Visit, about: People, trouble: str = "", status: int = 200) -> Response:
        """The page that asks for a file."""
        values = self._fields(visit, about.typed) | {"trouble": trouble, "limit": LIMIT >> 20}
        return self.gate.show(visit, "import", values, status)

    def show(self, visit: Visit, upload: Upload[People], trouble: str = "", status: int = 200) -> Response:
        """`/import/NAME/`."""
        upload = copy(upload)  # its thread goes on while the page is written
        about = upload.about
        values = self._fields(visit, about.typed) | {
            "upload": upload,
            "about": about,
            "imported": about.imported if upload.stage in (Stage.READ, Stage.DONE) else None,
            "fields": FIELDS,
            "shown": SHOWN_REJECTS,
            "trouble": trouble,
        }
        return self.gate.show(visit, "import_list", values, status, refresh(upload))

    def _work(self, upload: Upload[People], typed: Typed, asked: Asked) -> Work:
        app, about = self.gate.app, upload.about

        def work(data: BinaryIO, told: Told) -> bool:
            about.typed, about.imported, about.kind, about.encoding = typed, None, "", ""
            about.columns = app.people_columns(data, upload.source, typed.file)
            said = typed.said(app.library.vocabulary.catalogue, app.today)
            file = app.people_file(data, upload.source, said)
            about.kind, about.encoding = file.kind, file.encoding
            imported = app.importer.run(file.batches(), upload.source, lambda: file_digest(data), asked, told)
            if asked.apply and not imported.applied:
                raise ContentError("some rows cannot be taken any more", "have the file read again and look at them")
            about.imported = imported
            return not imported.applied or bool(imported.rejects)

        return work

    def _fields(self, visit: Visit, typed: Typed) -> dict[str, object]:
        """What the form shows beside the file."""
        offered = self.gate.app.library.vocabulary.catalogue.offered
        topics = [(topic.key, topic.display(visit.language), topic.key in typed.topics) for topic in offered]
        return {"typed": typed, "topics": topics, "encodings": ENCODINGS, "today": self.gate.app.today}


def import_routes(gate: Gate) -> list[Route]:
    """The pages of imports."""
    pages = ImportPages(gate)
    return [
        *gate.page("/import/", pages.form),
        *gate.upload("/import/", pages.take),
        *gate.page("/import/{name}/", pages.upload, post=True),
        *gate.page("/import/{name}/rejects/", pages.rejected),
    ]
