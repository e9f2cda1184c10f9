"""Lists of suppressed addresses in: `/admin/suppressions/import/`.

    /suppressions/import/         a form; POST takes the file and has it read
    /suppressions/import/NAME/    what it would add; POST with `do` adds it, or forgets the file

As everywhere with uploads, a thread does the work and the page shows how far it has come. A list only ever adds.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.responses import Response
from starlette.routing import Route

from digest_mailer.core.errors import InterlockError
from digest_mailer.services.suppressing import Listed
from digest_mailer.services.uploads import Told, Upload, Work
from digest_mailer.web.admin.gate import Gate, Visit
from digest_mailer.web.admin.receiving import as_text, file_in, received, refresh

LIMIT = 16 << 20  # octets: more than a hundred thousand rows as this publication exports them
SHOWN_REJECTS = 100
_TOLD = 1000  # rows at a time


@dataclass(slots=True)
class Addresses:
    """What is known of a list of suppressed addresses."""

    listed: Listed | None = None


@dataclass(frozen=True, slots=True)
class SuppressionImport:
    """The pages of such a list."""

    gate: Gate

    def form(self, visit: Visit) -> Response:
        """`/suppressions/import/`."""
        return self.gate.show(visit, "suppressions_import", {"trouble": "", "limit": LIMIT >> 20})

    async def take(self, visit: Visit) -> Response:
        """POST there."""
        async with received(visit.request, LIMIT) as form:
            return await run_in_threadpool(self._take, visit, form)

    def upload(self, visit: Visit) -> Response:
        """`/suppressions/import/NAME/`."""
        uploads = self.gate.app.uploads
        upload: Upload[Addresses] = uploads.find(visit.part("name"), visit.session.actor, Addresses)
        do = visit.typed("do") if visit.posted else ""
        if do == "drop":
            uploads.drop(upload)
            return self.gate.go("/suppressions/import/", "dropped")
        if do == "read":
            uploads.read(upload, self._work(upload, visit.session.actor, apply=False))
        if do == "apply" and upload.about.listed:
            if upload.about.listed.rejects and visit.typed("good") != "yes":
                return self._show(visit, upload, "rejects")
            uploads.apply(upload, self._work(upload, visit.session.actor, apply=True))
        if do:
            return self.gate.go(f"/suppressions/import/{upload.name}/")
        return self._show(visit, upload)

    def _take(self, visit: Visit, form: FormData) -> Response:
        found, uploads = file_in(form), self.gate.app.uploads
        if found is None:
            trouble = self.gate.phrases(visit).gettext("Choose a file first.")
            return self.gate.show(visit, "suppressions_import", {"trouble": trouble, "limit": LIMIT >> 20}, 400)
        upload = uploads.keep(*found, visit.session.actor, Addresses())
        with suppress(InterlockError):  # the page says so, and has a button to read it later
            uploads.read(upload, self._work(upload, visit.session.actor, apply=False))
        return self.gate.go(f"/suppressions/import/{upload.name}/")

    def _show(self, visit: Visit, upload: Upload[Addresses], trouble: str = "") -> Response:
        values = {"upload": upload, "listed": upload.about.listed, "trouble": trouble, "shown": SHOWN_REJECTS}
        return self.gate.show(visit, "suppressions_list", values, 400 if trouble else 200, refresh(upload))

    def _work(self, upload: Upload[Addresses], actor: str, *, apply: bool) -> Work:
        suppressing = self.gate.app.suppressing

        def work(data: BinaryIO, told: Told) -> bool:
            upload.about.listed = None
            with as_text(data) as text:
                lines = _counted(text, told)
                listed = suppressing.load(lines, upload.source, actor, apply=apply, keep_rejects=apply)
            upload.about.listed = listed
            return not apply

        return work


def suppression_import_routes(gate: Gate) -> list[Route]:
    """The pages of such a list."""
    pages = SuppressionImport(gate)
    return [
        *gate.page("/suppressions/import/", pages.form),
        *gate.upload("/suppressions/import/", pages.take),
        *gate.page("/suppressions/import/{name}/", pages.upload, post=True),
    ]


def _counted(lines: Iterable[str], told: Told) -> Iterator[str]:
    number = 0
    for number, line in enumerate(lines, 1):
        yield line
        if number % _TOLD == 0:
            told(_TOLD)
    told(number % _TOLD)
