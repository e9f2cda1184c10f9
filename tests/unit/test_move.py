"""Where each move leads from each state. The table is the promise; nothing else moves a state."""

import pytest

from digest_mailer.core.audience import State
from digest_mailer.core.move import Move, after

NOWHERE = "-"
TABLE = """
             nobody  pending       active        paused        unsubscribed  bounced       complained    erased
sign-up      pending pending       -             -             -             -             -             -
confirm      -       active        -             -             active        active        -             -
add          active  -             -             -             -             -             -             -
pause        -       -             paused        paused        -             -             -             -
resume       -       -             -             active        -             -             -             -
unsubscribe  -       unsubscribed  unsubscribed  unsubscribed  -             unsubscribed  -             -
bounce       -       bounced       bounced       bounced       -             -             -             -
complain     -       complained    complained    complained    complained    complained    -             -
reinstate    -       -             -             -             -             active        -             -
lift         -       -             -             -             -             -             unsubscribed  -
erase        -       erased        erased        erased        erased        erased        erased        -
"""
HEAD, *ROWS = [line.split() for line in TABLE.strip().splitlines()]
CELLS = [(row[0], column, target) for row in ROWS for column, target in zip(HEAD, row[1:], strict=True)]


@pytest.mark.parametrize(("move", "before", "target"), CELLS)
def test_a_move(move: str, before: str, target: str) -> None:
    state = None if before == "nobody" else State(before)
    assert after(state, Move(move)) == (None if target == NOWHERE else State(target))


def test_the_table_has_every_move_and_every_state() -> None:
    assert {row[0] for row in ROWS} == set(Move)
    assert set(HEAD) == {"nobody", *State}
