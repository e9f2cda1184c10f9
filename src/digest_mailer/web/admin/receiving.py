"""Files that are uploaded by a form, which are larger than any other form may be.

Starlette keeps a part of more than a megabyte in a nameless file as it comes, so that none of this stands in memory.
"""

import io
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, BinaryIO

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.types import Message

from digest_mailer.core.identity import is_control
from digest_mailer.services.uploads import Upload
from digest_mailer.web.forms import MAX_BODY

MAX_FIELDS = 400  # a column or a topic each
_MAX_NAME = 100
_SECONDS = 2  # between two looks


@asynccontextmanager
async def received(request: Request, limit: int) -> AsyncIterator[FormData]:
    """The form with its one file. Raises HTTPException 413 as soon as it is too long, by its own word or by what came,
    400 when it cannot be read."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and (len(declared) > len(str(limit)) + 1 or int(declared) > limit + MAX_BODY):
        raise HTTPException(413)
    taken = 0

    async def receive() -> Message:
        nonlocal taken
        message = await request.receive()
        taken += len(message.get("body", b""))
        if taken > limit + MAX_BODY:
            raise HTTPException(413)
        return message

    asked = Request(request.scope, receive)
    try:
        form = await asked.form(max_files=1, max_fields=MAX_FIELDS, max_part_size=MAX_BODY)
    except (MultiPartException, ValueError, LookupError) as problem:
        raise HTTPException(400) from problem
    try:
        yield form
    finally:
        await form.close()


def file_in(form: FormData) -> tuple[BinaryIO, str] | None:
    """The file and its name without folders; None when none was chosen."""
    found = form.get("file")
    if not isinstance(found, UploadFile) or not found.filename:
        return None
    name = found.filename.replace("\\", "/").rpartition("/")[2]
    plain = "".join(char for char in name if not is_control(char)).strip()[:_MAX_NAME]
    return found.file, plain or "the file"


@contextmanager
def as_text(data: BinaryIO) -> Iterator[io.TextIOWrapper]:
    """A file as text in UTF-8; it stays open."""
    text = io.TextIOWrapper(data, encoding="utf-8-sig", newline="")
    try:
        yield text
    finally:
        text.detach()


def refresh(upload: Upload[Any]) -> Mapping[str, str]:
    """The header of a page that shows how far the work has come, and shows it again until that is done."""
    return {"Refresh": str(_SECONDS)} if upload.at_work else {}
