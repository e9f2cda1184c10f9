"""The letters that a connection has in hand, and what is said of each when the connection is over.

At most one content is unanswered: of that only the server knows, unless its end never left. At most one letter is
announced: of that nothing has left but addresses. `finished` is done when the connection has carried what it may.
Then it holds the letter that is worth another connection, if there is one: the server had closed between two
messages, and of this one it had heard no more than the announcement.
"""

import asyncio
from collections.abc import Callable

from digest_mailer.adapters.transports.smtp_connection import SmtpConnection
from digest_mailer.adapters.transports.smtp_letter import Letter, Tray
from digest_mailer.adapters.transports.smtp_reply import Stage, held, lost
from digest_mailer.core.delivery import Outcome


class Custody:
    """What a courier holds."""

    def __init__(self, connection: SmtpConnection, tray: Tray) -> None:
        self.finished: asyncio.Future[Letter | None] = asyncio.get_running_loop().create_future()
        self._connection = connection
        self._tray = tray
        self._ahead: Letter | None = None  # announced
        self._current: Letter | None = None  # carried, not answered
        self._used = False  # a message came to its end here

    def on_lost(self, problem: Exception) -> None:
        """The connection is over."""
        self._guarded(self._lose, str(problem) or type(problem).__name__)

    def _lose(self, why: str, outcome: Outcome | None = None) -> None:
        """Say of each letter how far it came. `outcome` is the answer that ends the announced one's attempt."""
        if self.finished.done():
            return
        current, ahead = self._current, self._ahead
        if current is not None:
            self._tray.settle(current, held(why) if self._connection.holding else lost(Stage.DOT, why))
        if ahead is not None and (current is not None or not self._unheard(ahead)):
            self._tray.settle(ahead, ahead.refusal or outcome or lost(ahead.stage, why))
            ahead = None
        self._close(ahead)

    def _unheard(self, letter: Letter) -> bool:
        """Whether the server closed between two messages, so that this one is worth another connection: once."""
        unheard = self._used and letter.stage is Stage.MAIL and letter.refusal is None and not letter.again
        letter.again = letter.again or unheard
        return unheard

    def _close(self, left: Letter | None) -> None:
        self._connection.abort()
        self._current = self._ahead = None
        self.finished.set_result(left)

    def _guarded(self, call: Callable[..., None], *arguments: object) -> None:
        """What the desk raises comes out of `finished`; nothing is settled after it."""
        try:
            call(*arguments)
        except Exception as problem:  # noqa: BLE001 - handed on
            self._connection.abort()
            if not self.finished.done():
                self.finished.set_exception(problem)
