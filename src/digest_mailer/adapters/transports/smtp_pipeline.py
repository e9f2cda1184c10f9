"""The order of commands and answers on one connection (RFC 2920), and the time that an answer has.

With PIPELINING all commands of a group are said at once, else each when the one before was answered. Answers come
in the order of the commands; each belongs to what was awaited first.
"""

from collections import deque
from collections.abc import Callable, Iterable

from digest_mailer.adapters.transports.smtp_letter import Letter

Answer = Callable[[Letter, int, bytes], None]
Awaited = tuple[Answer, Letter]


class Pipeline:
    """What is awaited, and what waits to be said."""

    def __init__(self, *, together: bool) -> None:
        self.together = together
        self.awaited: deque[Awaited] = deque()
        self._unsaid: deque[tuple[bytes, Awaited]] = deque()
        self.moved = False  # something was said or heard: the time begins anew
        self._since = 0.0

    def group(self, commands: bytes, answers: Iterable[Awaited]) -> bytes:
        """Commands, one a line, and who hears the answers: what to say of them now."""
        if self.together:
            self.awaited.extend(answers)
            return commands
        self._unsaid.extend(zip(commands.splitlines(keepends=True), answers, strict=True))
        return self.step()

    def step(self) -> bytes:
        """The next command that waited for the answer to the one before; empty when none does."""
        if not self._unsaid:
            return b""
        command, awaited = self._unsaid.popleft()
        self.awaited.append(awaited)
        return command

    def skip(self) -> None:
        """Say none of the rest."""
        self._unsaid.clear()

    def overdue(self, now: float, limit: float) -> bool:
        """Whether an answer is awaited for longer than this. Asked now and then, so that no answer needs a timer."""
        if self.moved or not self.awaited:
            self.moved, self._since = False, now
            return False
        return now - self._since >= limit
