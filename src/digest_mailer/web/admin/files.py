"""Files that a page answers with. They are written as a whole before they are sent, so that what goes wrong is told,
and nobody takes half of a list for all of it."""

import io
from collections.abc import Callable, Iterator
from tempfile import SpooledTemporaryFile
from typing import IO

from starlette.responses import Response, StreamingResponse

_IN_MEMORY = 1 << 20  # octets; what is longer goes to a nameless file
_CHUNK = 1 << 16


def download(name: str, media_type: str, fill: Callable[[IO[str]], object]) -> Response:
    """A text to be saved under this name, as `fill` writes it. CSV begins with the mark by which spreadsheets know that
    it is in UTF-8; without it they take an é for two letters."""
    spool = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - closed when it was sent
    try:
        encoding = "utf-8-sig" if media_type.startswith("text/csv") else "utf-8"
        text = io.TextIOWrapper(spool, encoding=encoding, newline="")
        fill(text)
        text.detach()
    except BaseException:
        spool.close()
        raise
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Content-Length": str(spool.tell())}
    spool.seek(0)
    return StreamingResponse(_chunks(spool), media_type=media_type, headers=headers)


def _chunks(spool: "SpooledTemporaryFile[bytes]") -> Iterator[bytes]:
    with spool:
        while octets := spool.read(_CHUNK):
            yield octets
