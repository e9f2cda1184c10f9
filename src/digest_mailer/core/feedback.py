"""What is heard of a message after the hand-off, and what that makes of its fate.

Events come late, twice, and in any order: a bounce before the news of the delivery to the relay, a complaint days
after both. So a fate is the weightiest of all that was heard, whatever came first (the order is that of `Fate`), and
hearing something again changes nothing. And every event proves that the message was handed over: where the answer
had been lost, it settles the row as accepted.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from digest_mailer.core.delivery import Fate

_WEIGHT = (
    Fate.NONE,
    Fate.DELAYED,
    Fate.DELIVERED,
    Fate.BOUNCED,
    Fate.REJECTED,
    Fate.COMPLAINED,
    Fate.UNSUBSCRIBED,
)

BAD = (Fate.BOUNCED, Fate.REJECTED, Fate.COMPLAINED)


@dataclass(frozen=True, slots=True)
class FeedbackEvent:
    """One thing that was heard of one message."""

    message_id: str  # without its brackets
    fate: Fate  # NONE where it only proves that the message was taken
    words: str = ""  # of whoever said it, without addresses


def judge(fate: Fate, events: Iterable[Fate]) -> Fate:
    """The fate after these events."""
    return max((fate, *events), key=_WEIGHT.index)
