"""Evidence of messages that were taken: from a Maildir, single mails, delivery reports, and logs of mail servers.

Read are only files that the admin names. What proves that a server took a message: the message itself where it was
delivered to; a report about it (RFC 3464: failed, delayed, delivered, relayed), which also tells its fate; a Postfix
log in which the queue manager has taken what the clean-up knew by its Message-ID (the clean-up alone proves nothing: it
writes before the message has ended); an Exim log with its arrival; or a plain list, one Message-ID a line, alone or
behind an address. Addresses are read past, not kept.
"""

import email.policy
import re
from collections.abc import Iterator
from email.message import EmailMessage
from email.parser import BytesHeaderParser, BytesParser
from pathlib import Path

from digest_mailer.core.delivery import Fate
from digest_mailer.core.errors import NothingMatched
from digest_mailer.core.feedback import FeedbackEvent

_HEADER = re.compile(rb"[A-Za-z][A-Za-z0-9-]*:[ \t]")
_CLEANUP = re.compile(r"/cleanup\[\d+\]: ([0-9A-Za-z]+): message-id=<([^>\s]+)>")
_QUEUED = re.compile(r"/qmgr\[\d+\]: ([0-9A-Za-z]+): from=<")
_EXIM = re.compile(r" \w{6}-\w{6,11}-\w{2,4} <= .* id=(\S+@\S+)")
_LISTED = re.compile(r"(?:\S+\s+)?<?([^\s<>@]+@[^\s<>]+)>?\s*")
_FATES = {  # RFC 3464 section 2.3.3
    "failed": Fate.BOUNCED,
    "delayed": Fate.DELAYED,
    "delivered": Fate.DELIVERED,
    "relayed": Fate.NONE,
    "expanded": Fate.NONE,
}


def read_evidence(path: Path) -> Iterator[FeedbackEvent]:
    """Everything that a file, or all files below a directory, prove. Raises NothingMatched when it is not there."""
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            if file.is_file() and file.parent.name != "tmp":  # there is what is not whole yet (maildir(5))
                yield from _of_file(file)
    elif path.is_file():
        yield from _of_file(path)
    else:
        raise NothingMatched(f"there is no {path}", "name a Maildir, a mail, a delivery report or a log")


def _of_file(path: Path) -> Iterator[FeedbackEvent]:
    with path.open("rb") as file:
        is_mail = bool(_HEADER.match(file.readline()))
        file.seek(0)
        if not is_mail:
            yield from _of_log(path)
            return
        headers = BytesHeaderParser(policy=email.policy.default).parse(file)
        file.seek(0)
        if headers.get_content_type() == "multipart/report":
            yield from _of_report(BytesParser(policy=email.policy.default).parse(file))
        elif identifier := _identifier(headers):
            yield FeedbackEvent(identifier, Fate.DELIVERED, "found where it was delivered to")


def _of_report(report: EmailMessage) -> Iterator[FeedbackEvent]:
    """A delivery report: the first that is said of a recipient, and the message that it returns."""
    status = next((part for part in report.walk() if part.get_content_type() == "message/delivery-status"), None)
    if status is None:
        return
    blocks = [block for block in status.get_payload() if isinstance(block, EmailMessage)]
    said = next((block for block in blocks if block["Action"]), None)
    action = str(said["Action"]).strip().lower() if said else ""
    words = " ".join(str(said[name]) for name in ("Action", "Status") if said and said[name])
    for part in report.walk():
        if part.get_content_type() in ("message/rfc822", "text/rfc822-headers") and action in _FATES:
            identifier = _identifier(_returned(part))
            if identifier:
                yield FeedbackEvent(identifier, _FATES[action], words)
                return


def _returned(part: EmailMessage) -> EmailMessage:
    """The message that a report returns, or its headers."""
    payload = part.get_payload()
    if isinstance(payload, list) and payload and isinstance(payload[0], EmailMessage):
        return payload[0]
    content = part.get_payload(decode=True)
    headers = BytesHeaderParser(policy=email.policy.default).parsebytes(content if isinstance(content, bytes) else b"")
    assert isinstance(headers, EmailMessage)  # noqa: S101 - by its policy
    return headers


def _of_log(path: Path) -> Iterator[FeedbackEvent]:
    cleaned: dict[str, str] = {}
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if found := _CLEANUP.search(line):
                cleaned[found[1]] = found[2]
            elif (found := _QUEUED.search(line)) and found[1] in cleaned:
                yield FeedbackEvent(cleaned.pop(found[1]), Fate.NONE, "queued, says the server's log")
            elif found := _EXIM.search(line):
                yield FeedbackEvent(found[1], Fate.NONE, "arrived, says the server's log")
            elif found := _LISTED.fullmatch(line):
                yield FeedbackEvent(found[1], Fate.NONE, "named in a list of messages taken")


def _identifier(headers: EmailMessage) -> str:
    return str(headers["Message-ID"] or "").strip().strip("<>")
