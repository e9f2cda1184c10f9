"""How a subscriber's state moves: named moves, and nothing else changes it.

A move is made by the reader, by an admin, by an import or by what a server reported; which of them may do what is the
caller's to ask, what a move leads to is said here. Leaving can never be undone from outside: who unsubscribed, or whose
mail came back, returns only by confirming as the owner of the address; a complaint must first be lifted by an admin.
"""

from collections.abc import Mapping
from enum import StrEnum

from digest_mailer.core.audience import State


class Move(StrEnum):
    """What happened. The name is the action in the audit trail."""

    SIGN_UP = "sign-up"  # asked for mail on the page; nothing is sent but the question whether it was they
    CONFIRM = "confirm"  # the owner of the address said yes
    ADD = "add"  # by an admin, with a consent given elsewhere
    PAUSE = "pause"
    RESUME = "resume"  # before the pause ends
    UNSUBSCRIBE = "unsubscribe"
    BOUNCE = "bounce"  # the mailbox is gone
    COMPLAIN = "complain"  # reported as spam
    REINSTATE = "reinstate"  # by an admin: the mailbox is there after all
    LIFT = "lift"  # by an admin: a complaint was a mistake; the person has left all the same
    ERASE = "erase"


_A, _P, _N = State.ACTIVE, State.PAUSED, State.PENDING
_U, _B, _C = State.UNSUBSCRIBED, State.BOUNCED, State.COMPLAINED

_FROM_TO: Mapping[Move, Mapping[State | None, State]] = {
    Move.SIGN_UP: {None: _N, _N: _N},
    Move.CONFIRM: {_N: _A, _U: _A, _B: _A},
    Move.ADD: {None: _A},
    Move.PAUSE: {_A: _P, _P: _P},
    Move.RESUME: {_P: _A},
    Move.UNSUBSCRIBE: {_N: _U, _A: _U, _P: _U, _B: _U},
    Move.BOUNCE: {_N: _B, _A: _B, _P: _B},
    Move.COMPLAIN: {_N: _C, _A: _C, _P: _C, _U: _C, _B: _C},
    Move.REINSTATE: {_B: _A},
    Move.LIFT: {_C: _U},
    Move.ERASE: {state: State.ERASED for state in State if state is not State.ERASED},
}


def after(state: State | None, move: Move) -> State | None:
    """Where the move leads from this state, None being nobody there yet; None when it leads nowhere from it."""
    return _FROM_TO[move].get(state)
