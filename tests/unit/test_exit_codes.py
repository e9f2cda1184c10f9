"""What `send` returns for how its run ended; scripts rely on it."""

import pytest

from digest_mailer.cli.sending import exit_code
from digest_mailer.core.delivery import HandOff
from digest_mailer.core.mailing import Progress
from digest_mailer.services.send import Ended, Ending


@pytest.mark.parametrize(
    ("ending", "people", "code"),
    [
        (Ending.COMPLETE, {HandOff.ACCEPTED: 3}, 0),
        (Ending.COMPLETE, {HandOff.ACCEPTED: 2, HandOff.REFUSED: 1}, 0),
        (Ending.COMPLETE, {HandOff.ACCEPTED: 2, HandOff.UNKNOWN: 1}, 5),
        (Ending.WAITING, {HandOff.ACCEPTED: 2, HandOff.DEFERRED: 1}, 5),
        (Ending.TROUBLE, {HandOff.PLANNED: 3}, 7),
        (Ending.TROUBLE, {HandOff.PLANNED: 2, HandOff.ACCEPTED: 1}, 5),
        (Ending.TROUBLE, {HandOff.PLANNED: 2, HandOff.UNKNOWN: 1}, 5),
        (Ending.TROUBLE, {HandOff.PLANNED: 2, HandOff.DEFERRED: 1}, 5),
        (Ending.STOPPED, {HandOff.PLANNED: 3}, 130),
    ],
)
def test_the_exit_code_says_whether_anybody_may_have_been_reached(
    ending: Ending, people: dict[HandOff, int], code: int
) -> None:
    assert exit_code(Ended(ending, Progress(people), accepted=0)) == code
