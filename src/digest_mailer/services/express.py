"""The lane of mail that somebody waits for. It has a connection of its own and asks neither the ledger nor the pacer
of a mailing, so a million messages in front of it do not delay it. One attempt each: who waits is told what came of
it, and asks again.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from digest_mailer.core.delivery import Outcome
from digest_mailer.core.identity import RowId
from digest_mailer.core.message import Message
from digest_mailer.ports import Clock, Signer, Transport


@dataclass(frozen=True, slots=True)
class Express:
    """Hands single messages over at once."""

    transport: Transport
    clock: Clock
    signer: Signer | None = None

    async def send(self, messages: Sequence[Message]) -> list[Outcome]:
        """What became of each message, in their order."""
        if self.signer:
            messages = [self.signer.sign(message, self.clock.now()) for message in messages]
        errand = _Errand(messages)
        await self.transport.deliver(errand)
        return [errand.outcomes[number] for number in range(len(messages))]


class _Errand:
    """The `Work` of these messages; a row is a message's place."""

    def __init__(self, messages: Sequence[Message]) -> None:
        self._left = deque((RowId(number), message) for number, message in enumerate(messages))
        self.outcomes: dict[int, Outcome] = {}

    def take(self) -> tuple[RowId, Message] | None:
        return self._left.popleft() if self._left else None

    async def more(self) -> bool:
        return bool(self._left)

    def begin(self, row: RowId, connection: str = "") -> bool:
        del row, connection
        return True

    def settle(self, row: RowId, outcome: Outcome, connection: str = "") -> None:
        del connection
        self.outcomes[row] = outcome
