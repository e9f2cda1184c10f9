"""Asks an address of the archive whether it answers, before a live send relies on it."""

import http
import http.client
import urllib.error
import urllib.request

_SECONDS = 10


def probe(url: str) -> str:
    """Empty when a GET of the address answers with a page, else why not. Follows no redirect to another scheme."""
    if not url.startswith(("https://", "http://")):
        return "not a web address"
    request = urllib.request.Request(url, headers={"User-Agent": "digest-mailer"})  # noqa: S310 - checked above
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
            return "" if answer.status == http.HTTPStatus.OK else f"status {answer.status}"
    except urllib.error.HTTPError as problem:
        problem.close()
        return f"status {problem.code}"
    except (OSError, ValueError, http.client.HTTPException) as problem:
        return str(getattr(problem, "reason", problem)) or type(problem).__name__
