"""What a server's reply says about an attempt, by the stage at which it came.

The table of the SMTP transport: pure functions from (stage, reply) to an `Outcome`, or None to go on. They
decide no retry; `core.delivery` does. The rules are RFC 5321 section 4.2 and 4.3.2, RFC 3463 for enhanced
codes, RFC 4954 section 6 for log-in, RFC 1870 section 6.1 for size. Only the stage after the content may end in
`Unknown` (RFC 1047). A refusal that is about the sender (5.7.x, a blocklist) keeps the scope of its stage: who
decides what follows reads it from `enhanced` and the words.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from digest_mailer.core.delivery import Accepted, Deferred, Outcome, Refused, Scope, Unknown

_ENHANCED = re.compile(r"([245])\.\d{1,3}\.\d{1,3}(?![^\s:])")  # RFC 3463 section 2
_AUTH_CODES = (530, 534, 535, 538)  # RFC 4954 section 6: about the log-in, wherever they come
_MAX_TEXT = 500


class Stage(StrEnum):
    """How far the conversation had come."""

    GREETING = "greeting"  # TCP, TLS from its start, the 220
    EHLO = "EHLO"
    STARTTLS = "STARTTLS"
    AUTH = "AUTH"
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"  # up to 354: no octet of the content has left
    DOT = "end of content"  # from the first octet of the content on


# Whom a 4xx and a 5xx are about.
_SCOPES = {
    Stage.GREETING: (Scope.TRANSPORT, Scope.TRANSPORT),
    Stage.EHLO: (Scope.TRANSPORT, Scope.TRANSPORT),
    Stage.STARTTLS: (Scope.TRANSPORT, Scope.TRANSPORT),
    Stage.AUTH: (Scope.ACCOUNT, Scope.ACCOUNT),
    Stage.MAIL: (Scope.TRANSPORT, Scope.ACCOUNT),
    Stage.RCPT: (Scope.RECIPIENT, Scope.RECIPIENT),
    Stage.DATA: (Scope.MESSAGE, Scope.MESSAGE),
    Stage.DOT: (Scope.MESSAGE, Scope.MESSAGE),
}


@dataclass(frozen=True, slots=True)
class Reply:
    """A server's answer: its code and its text on one line, without the addresses of the envelope."""

    code: int
    text: str

    @property
    def enhanced(self) -> str:
        """The enhanced code, if one of the reply's own class opens the text (RFC 2034 section 4)."""
        found = _ENHANCED.match(self.text)
        return found[0] if found and found[1] == str(self.code)[0] else ""


def read_reply(code: int, text: bytes, *addresses: str) -> Reply:
    """A reply as it may be stored."""
    return Reply(code, storable(text, *addresses))


def storable(text: bytes, *addresses: str) -> str:
    """A server's words on one line, without controls and without these addresses: the ledger keeps none, and
    servers like to quote them."""
    line = text.decode("utf-8", "replace").strip()
    if len(line) <= _MAX_TEXT and line.isprintable() and "@" not in line and "  " not in line:
        return line  # nearly every positive reply; an address has an @
    line = " ".join("".join(char if char.isprintable() else " " for char in line).split())
    for address in filter(None, addresses):
        line = re.sub(re.escape(address), "(address)", line, flags=re.IGNORECASE)
    return line[:_MAX_TEXT]


def judge(stage: Stage, reply: Reply) -> Outcome | None:
    """What the reply ends the attempt in; None when the conversation goes on."""
    if stage is Stage.DATA and reply.code == 354:
        return None
    if 200 <= reply.code < 300 and stage is not Stage.DATA:
        return Accepted(reply.text) if stage is Stage.DOT else None
    if 400 <= reply.code < 500:
        return Deferred(_SCOPES[stage][0], reply.text, reply.code, reply.enhanced)
    if 500 <= reply.code < 600:
        return _refusal(stage, reply)
    return lost(stage, f"an answer that is not SMTP: {reply.text}")


def is_answer(stage: Stage, code: int) -> bool:
    """Whether the server still speaks our protocol."""
    return 400 <= code < 600 or (code == 354 if stage is Stage.DATA else 200 <= code < 300)


def lost(stage: Stage, why: str) -> Deferred | Unknown:
    """The outcome when no answer came: only content that has left can have been accepted."""
    sentence = f"at {stage}: {why}"
    return Unknown(sentence) if stage is Stage.DOT else Deferred(Scope.TRANSPORT, sentence)


def held(why: str) -> Deferred:
    """The outcome when no answer came and the end of the content had not left: a server that has no end has no
    message (RFC 5321 section 4.1.1.4; RFC 3030 section 2 for BDAT)."""
    return Deferred(Scope.TRANSPORT, f"at {Stage.DOT}: {why}, before the end had left")


def _refusal(stage: Stage, reply: Reply) -> Deferred | Refused:
    scope = _SCOPES[stage][1]
    if stage is Stage.RCPT and reply.code == 552 and not reply.enhanced:
        return Deferred(scope, reply.text, reply.code)  # RFC 5321 section 4.5.3.1.10
    if stage is Stage.RCPT and reply.code in _AUTH_CODES:
        scope = Scope.ACCOUNT
    if stage is Stage.MAIL and (reply.code == 552 or reply.enhanced == "5.3.4"):
        scope = Scope.MESSAGE  # an answer to SIZE=
    return Refused(scope, reply.text, reply.code, reply.enhanced)
