"""What an answer of a web address means for an issue that links to it, for `lint --online`.

Only an address that is surely wrong is an error: an error keeps an issue from being sent, and publishers and
doi.org turn programs away from pages that readers see (403, 429, 503). `adapters.link_probe` does the asking.
"""

from http import HTTPStatus

from digest_mailer.core.errors import Severity
from digest_mailer.core.finding import Finding
from digest_mailer.core.link_answer import NO_HOST, LinkAnswer

GONE = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)


def judge(answer: LinkAnswer) -> Finding | None:
    """DM601 for an address that is gone, DM602 when that is not sure, DM603 when it has moved for good."""
    if answer.status in GONE or answer.problem == NO_HOST:
        hint = "correct the address, or take the link out"
        return Finding("DM601", f"{answer.url} is gone: {_said(answer)}", hint, near=answer.url)
    if not answer.good:
        hint = "open it in a browser; many publishers answer people and refuse programs"
        message = f"cannot tell whether {answer.url} still leads somewhere: {_said(answer)}"
        return Finding("DM602", message, hint, Severity.WARNING, near=answer.url)
    if answer.moved_to:
        message = f"{answer.url} has moved for good to {answer.moved_to}"
        return Finding("DM603", message, "write the new address", Severity.WARNING, near=answer.url)
    return None


def _said(answer: LinkAnswer) -> str:
    if answer.problem:
        return answer.problem
    try:
        return f"it answers {answer.status} {HTTPStatus(answer.status).phrase}"
    except ValueError:  # servers make up numbers
        return f"it answers {answer.status}"
