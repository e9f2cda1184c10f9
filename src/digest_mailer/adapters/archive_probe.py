"""Asks an address of the archive whether it answers, before a live send relies on it."""

import http
import http.client
import urllib.error
import urllib.request
from http.client import HTTPMessage
from typing import IO
from urllib.request import Request

_SECONDS = 10


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Readers are promised the address that the mail shows, so the way there may not become unprotected."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        if not newurl.startswith(("https://", f"{req.type}://")):
            return None  # becomes an HTTPError with the redirect's own code
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def probe(url: str) -> str:
    """Empty when a GET of the address answers with a page, else why not. Follows no redirect away from https."""
    if not url.startswith(("https://", "http://")):
        return "not a web address"
    request = Request(url, headers={"User-Agent": "digest-mailer"})  # noqa: S310 - checked above
    try:
        with urllib.request.build_opener(_Redirects).open(request, timeout=_SECONDS) as answer:
            return "" if answer.status == http.HTTPStatus.OK else f"status {answer.status}"
    except urllib.error.HTTPError as problem:
        problem.close()
        return f"status {problem.code}"
    except (OSError, ValueError, http.client.HTTPException) as problem:
        return str(getattr(problem, "reason", problem)) or type(problem).__name__
