"""Reads what a POST brings, within a limit, and never trusts it.

RFC 8058 section 3.1: the body of a one-click POST is `List-Unsubscribe=One-Click`, as
application/x-www-form-urlencoded or as multipart/form-data; fields beside it mean nothing to us.
"""

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.types import Message

from digest_mailer.core.budget import network_of

MAX_BODY = 64 * 1024
MAX_TICKED = 300  # boxes; there are never as many
MAX_NUMBER = (1 << 63) - 1  # of SQLite
_DIGITS = len(str(MAX_NUMBER))
ONE_CLICK = ("List-Unsubscribe", "One-Click")


async def read_body(request: Request) -> bytes:
    """The body. Raises HTTPException 413 as soon as it is too long, by its own word or by what came."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and (len(declared) > len(str(MAX_BODY)) or int(declared) > MAX_BODY):
        raise HTTPException(413)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise HTTPException(413)
    return bytes(body)


async def read_form(request: Request) -> FormData:
    """The fields of a form of ours. Raises HTTPException 413 when it is too long, 400 when it cannot be read."""
    try:
        return _whole(await _fields(request, await read_body(request)))
    except (MultiPartException, ValueError, LookupError) as problem:
        raise HTTPException(400) from problem


def field(form: FormData, name: str) -> str:
    """A field's text; empty when there is none, or a file in its place."""
    value = form.get(name, "")
    return value if isinstance(value, str) else ""


def ticked(form: FormData, name: str) -> list[str]:
    """The values of the boxes of this name that are ticked."""
    return [str(one) for one in form.getlist(name)[:MAX_TICKED]]


def whole_number(text: str) -> int | None:
    """A number from 1 on, as large as the database has them; none for what is no such number."""
    plain = text.isascii() and text.isdecimal() and len(text) <= _DIGITS
    return int(text) if plain and 0 < int(text) <= MAX_NUMBER else None


def sender_network(request: Request) -> str:
    """The network that a request comes from; see `core.budget.network_of`."""
    return network_of(request.client.host if request.client else "")


async def is_one_click(request: Request, body: bytes) -> bool:
    """Whether a mail program sent this and not our page. A body that cannot be read is not one-click's."""
    try:
        return ONE_CLICK in (await _fields(request, body)).multi_items()
    except (HTTPException, MultiPartException, ValueError, LookupError):
        return False


def _whole(form: FormData) -> FormData:
    """The same. Raises UnicodeEncodeError when half of a character stands in it."""
    for name, value in form.multi_items():
        f"{name}{value}".encode()
    return form


async def _fields(request: Request, body: bytes) -> FormData:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async with Request(request.scope, receive).form() as form:
        return form
