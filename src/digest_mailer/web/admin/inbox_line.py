"""Subject and preheader as lists of mails cut them off. Programs cut by pixels, so characters are what is usual.

Sources, as published and not measured here: Mail on an iPhone 14 by emailtooltester.com ("Email subject lines
character limit"); the subject of Gmail's app by lettercounter.org ("Email subject line length guide"), its preheader
the least that acellemail.com ("Email preheader text") gives; Gmail in a browser, which puts both on one line, by
lettercounter.org and inboxeagle.com ("Email preheader").
"""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Width:
    """What one program shows. `together`: both share a line, and the preheader has what the subject leaves."""

    name: str
    subject: int
    preheader: int
    together: bool = False


WIDTHS = (
    Width("iPhone Mail", 48, 99),
    Width("Gmail (Android, iPhone)", 37, 40),
    Width("Gmail (web)", 70, 90, together=True),
)


@dataclass(frozen=True, slots=True)
class InboxLine:
    """Both as a list shows them; what is cut off ends with an ellipsis."""

    name: str
    subject: str
    preheader: str


def inbox_lines(subject: str, preheader: str) -> Iterator[InboxLine]:
    """A subject and a preheader in each of the usual lists."""
    for width in WIDTHS:
        room = max(width.preheader - len(subject), 0) if width.together else width.preheader
        yield InboxLine(width.name, _cut(subject, width.subject), _cut(preheader, room) if room > 1 else "")


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1].rstrip()}…"
