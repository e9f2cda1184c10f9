"""Lists of suppressed addresses in: `/admin/suppressions/import/`.

    /suppressions/import/         a form; POST takes the file and has it read
    /suppressions/import/NAME/    what it would add; POST with `do` adds it, or forgets the file

A list only ever adds. See `uploading` for what goes on behind the pages.
"""

from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from typing import BinaryIO

from starlette.datastructures import FormData
from starlette.responses import Response
from starlette.routing import Route

from digest_mailer.core.audience import Reject
from digest_mailer.core.errors import ContentError
from digest_mailer.services.importing import Asked
from digest_mailer.services.suppressing import Listed
from digest_mailer.services.uploads import Told, Upload, Work
from digest_mailer.web.admin.gate import Gate, Visit
from digest_mailer.web.admin.receiving import as_text, refresh
from digest_mailer.web.admin.uploading import UploadPages

LIMIT = 16 << 20  # octets: more than a hundred thousand rows as this publication exports them
SHOWN_REJECTS = 100
_TOLD = 1000  # rows at a time


@dataclass(slots=True)
class Addresses:
    """What is known of a list of suppressed addresses."""

    listed: Listed | None = None


@dataclass(frozen=True, slots=True)
class SuppressionImport(UploadPages[Addresses]):
    """The pages of such a list."""

    @property
    def area(self) -> str:
        """The path."""
        return "/suppressions/import/"

    @property
    def kind(self) -> type[Addresses]:
        """Suppressed addresses."""
        return Addresses

    @property
    def limit(self) -> int:
        """Octets of a file."""
        return LIMIT

    def form(self, visit: Visit) -> Response:
        """`/suppressions/import/`."""
        return self.ask(visit, Addresses())

    def about(self, form: FormData) -> Addresses:
        """Nothing more is asked."""
        del form
        return Addresses()

    def rejects(self, about: Addresses) -> Sequence[Reject]:
        """Rows that cannot be taken."""
        return about.listed.rejects if about.listed else ()

    def ask(self, visit: Visit, about: Addresses, trouble: str = "", status: int = 200) -> Response:
        """The page that asks for a file."""
        del about
        return self.gate.show(visit, "suppressions_import", {"trouble": trouble, "limit": LIMIT >> 20}, status)

    def show(self, visit: Visit, upload: Upload[Addresses], trouble: str = "", status: int = 200) -> Response:
        """`/suppressions/import/NAME/`."""
        upload = copy(upload)  # its thread goes on while the page is written
        values = {"upload": upload, "listed": upload.about.listed, "trouble": trouble, "shown": SHOWN_REJECTS}
        return self.gate.show(visit, "suppressions_list", values, status, refresh(upload))

    def work(self, upload: Upload[Addresses], asked: Asked) -> Work:
        """Read it, and put on the list what is not on it."""
        suppressing = self.gate.app.suppressing

        def work(data: BinaryIO, told: Told) -> bool:
            upload.about.listed = None
            with as_text(data) as text:
                lines, how = _counted(text, told), {"apply": asked.apply, "keep_rejects": asked.keep_rejects}
                listed = suppressing.load(lines, upload.source, asked.actor, **how)
            if asked.apply and listed.rejects and not asked.keep_rejects:
                raise ContentError("some rows cannot be taken any more", "have the file read again and look at them")
            upload.about.listed = listed
            return not asked.apply

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
