"""Reads what a POST brings, within a limit, and never trusts it.

RFC 8058 section 3.1: the body of a one-click POST is `List-Unsubscribe=One-Click`, as
application/x-www-form-urlencoded or as multipart/form-data; fields beside it mean nothing to us.
"""

from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.types import Message

MAX_BODY = 64 * 1024
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


async def is_one_click(request: Request, body: bytes) -> bool:
    """Whether a mail program sent this and not our page. A body that cannot be read is not one-click's."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    again = Request(request.scope, receive)
    try:
        async with again.form() as form:
            return ONE_CLICK in form.multi_items()
    except (HTTPException, MultiPartException, ValueError, LookupError):
        return False
