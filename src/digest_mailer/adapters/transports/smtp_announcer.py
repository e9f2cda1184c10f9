"""The commands that lead up to a message's content, as one server takes them; and what it cannot be asked.

`MAIL`, `RCPT` and, without CHUNKING, `DATA`, with the parameters of the extensions that the server offers: SIZE
(RFC 1870), and RET, ENVID, NOTIFY and ORCPT for delivery reports (RFC 3461 section 4). Addresses and ids are
checked, because whatever ends a line would begin a command.
"""

import re

from digest_mailer.adapters.transports.smtp_extensions import Extensions
from digest_mailer.core.delivery import Refused, Scope
from digest_mailer.core.message import Envelope, Message

_PATH = re.compile(r"[!-;=?-~]*")  # printable ASCII without space, < and >: RFC 5321 section 4.1.2
_NO_XCHAR = re.compile(r"[^!-*,-<>-~]")  # RFC 3461 section 4
_MAX_ENVID = 100  # RFC 3461 section 4.4
_MAX_ORCPT = 500  # RFC 3461 section 4.2


class Announcer:
    """Knows one server's extensions."""

    def __init__(self, extensions: Extensions) -> None:
        self._limit = extensions.size
        self._sized = extensions.sized
        self._dsn = extensions.dsn
        self.chunking = extensions.chunking and extensions.pipelining
        self._last = "" if self.chunking else "DATA\r\n"

    def objection(self, message: Message) -> Refused | None:
        """Why the server need not be asked at all."""
        envelope = message.envelope
        if not _PATH.fullmatch(envelope.sender):
            return Refused(Scope.ACCOUNT, "the sender's address cannot be written in an SMTP command")
        if not _PATH.fullmatch(envelope.recipient):
            return Refused(Scope.RECIPIENT, "the address cannot be written in an SMTP command")
        if 0 < self._limit < message.octets.size:  # RFC 1870 section 6.1
            return Refused(Scope.MESSAGE, f"{message.octets.size} octets, and the server takes {self._limit}")
        return None

    def announcement(self, message: Message) -> bytes:
        """The commands, each with its line end."""
        envelope = message.envelope
        size = f" SIZE={message.octets.size}" if self._sized else ""
        returned, notified = _reports(envelope, message.message_id) if self._dsn else ("", "")
        return (
            f"MAIL FROM:<{envelope.sender}>{size}{returned}\r\nRCPT TO:<{envelope.recipient}>{notified}\r\n{self._last}"
        ).encode("ascii")


def _reports(envelope: Envelope, message_id: str) -> tuple[str, str]:
    """What a report shall quote, and when there shall be one."""
    envid = re.sub(r"\+.?$", "", xtext(message_id.strip("<>"))[:_MAX_ENVID])  # no half a +HH
    recipient = xtext(envelope.recipient)
    original = f" ORCPT=rfc822;{recipient}" if len(recipient) <= _MAX_ORCPT else ""
    return f" RET=HDRS ENVID={envid}", f" NOTIFY=FAILURE,DELAY{original}"


def xtext(text: str) -> str:
    """The text with + and = and whatever is not printable as +HH (RFC 3461 section 4)."""
    return _NO_XCHAR.sub(_hex, text)


def _hex(found: re.Match[str]) -> str:
    return "".join(f"+{octet:02X}" for octet in found[0].encode())
