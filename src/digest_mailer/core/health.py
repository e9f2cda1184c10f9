"""Whether a way out is well: when to stop for everybody's sake, whatever happens to single messages.

Two signs stop a run before it does harm. Answers that are lost again and again may each be a message that arrived,
so a few in a row without an acceptance between hold the rest. And a server that refuses us rather than the person
(our standing, our signature, our account: RFC 3463 section 3.8, codes X.7.x) will refuse everybody; going on
only makes it worse. Both quote the server and leave the decision to the admin.
"""

import re
from dataclasses import dataclass

from digest_mailer.core.delivery import Accepted, Deferred, Outcome, Refused, Scope, Unknown

LOST_ANSWERS = 3  # in a row, without an acceptance between
SENDER_FAULTS = 5  # in a row, without an acceptance between
_SENDER_FAULT = re.compile(r"5\.7\.\d{1,3}")
_WORDS = re.compile(
    r"\b(?:block(?:ed|list(?:ed)?)|black ?list(?:ed)?|dnsbl|rbl|spamhaus|barracuda|dmarc|dkim|spf|reputation"
    r"|unauthenticated|not authenticated|relay(?:ing)? (?:access )?denied)\b",
    re.IGNORECASE,
)


def is_sender_fault(outcome: Outcome) -> bool:
    """Whether a refusal is about us and not about the person or the message."""
    if not isinstance(outcome, Refused):
        return False
    if outcome.scope in (Scope.TRANSPORT, Scope.ACCOUNT):
        return True
    if outcome.enhanced:
        return bool(_SENDER_FAULT.fullmatch(outcome.enhanced))
    return bool(_WORDS.search(outcome.reply))  # a bare 5xx: only its words can tell


@dataclass
class Health:
    """What a run has seen of one way out."""

    lost: int = 0
    faults: int = 0

    def note(self, outcome: Outcome) -> str:
        """Take in an outcome; answers why the run must stop, empty as long as it need not."""
        match outcome:
            case Accepted():
                self.lost = self.faults = 0
                return ""
            case Unknown(reply):
                self.lost += 1
                return f"{self.lost} answers in a row were lost: {reply}" if self.lost >= LOST_ANSWERS else ""
            case Refused(reply=reply) if is_sender_fault(outcome):
                self.faults += 1
                return f"{self.faults} in a row refused us: {reply}" if self.faults >= SENDER_FAULTS else ""
            case Refused() | Deferred():
                return ""
