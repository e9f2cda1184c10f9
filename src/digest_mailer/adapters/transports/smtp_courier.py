"""Carries one message after the other over an open connection. The state machine of the SMTP transport.

A message is announced (`MAIL`, `RCPT`, `DATA`), carried (its content), and answered. With PIPELINING the
announcement of the next goes out in one write with the content of this one (RFC 2920 section 3.1), so a message
costs one round trip; without, each command waits for the answer to the one before. With CHUNKING the content goes
as one `BDAT … LAST` (RFC 3030 section 2) and needs no 354. Never are two contents unanswered.

It reads from `start` downwards: announce, three answers, carry, the answer to the content. How a connection ends is
in `smtp_custody`. No call waits, and a message makes no task, future or timer of its own.
"""

from digest_mailer.adapters.transports.smtp_announcer import Announcer
from digest_mailer.adapters.transports.smtp_connection import SmtpConnection
from digest_mailer.adapters.transports.smtp_custody import Custody
from digest_mailer.adapters.transports.smtp_extensions import Extensions
from digest_mailer.adapters.transports.smtp_letter import Desk, Letter, Tray
from digest_mailer.adapters.transports.smtp_pipeline import Answer, Pipeline
from digest_mailer.adapters.transports.smtp_reader import RawReply
from digest_mailer.adapters.transports.smtp_reply import Stage, is_answer, judge, storable
from digest_mailer.adapters.transports.smtp_settings import SmtpSettings
from digest_mailer.core.delivery import Accepted

_FINAL_DOT = b".\r\n"
_RSET = b"RSET\r\n"
_OUT_OF_ORDER = 503
_NOT_SMTP = "an answer that is not SMTP"


class Courier(Custody):
    """One connection's worth of messages. `wake` says that there may be more, `finish` that there will not."""

    def __init__(
        self, connection: SmtpConnection, extensions: Extensions, settings: SmtpSettings, desk: Desk, name: str
    ) -> None:
        self._announcer = Announcer(extensions)
        super().__init__(connection, Tray(desk, self._announcer, settings, name))
        self._chunking = self._announcer.chunking
        self._pipeline = Pipeline(together=extensions.pipelining)
        self._timeouts = settings.timeouts
        self._answers: tuple[Answer, ...] = (self._on_mail, self._on_rcpt)
        if not self._chunking:
            self._answers += (self._on_data,)
        self._open = False  # the server is inside a transaction that has ended for us
        self._doubtful = False  # it may be: it refused the last content, and some stay inside then

    def start(self, letter: Letter) -> None:
        """Begin with this one."""
        self._guarded(self._begin_with, letter)

    def wake(self) -> None:
        """Look whether there is something to do."""
        self._guarded(self._look)

    def finish(self) -> None:
        """End when everything is answered."""
        self._tray.closed = True
        self._guarded(self._look)

    def check(self, now: float) -> None:
        """Give up when an answer is overdue. To be called from time to time."""
        limit = self._timeouts.command if self._current is None else self._timeouts.final_dot
        if self._pipeline.overdue(now, limit):
            self._guarded(self._lose, "no answer in time")

    # Announce.

    def _begin_with(self, letter: Letter) -> None:
        self._connection.listener = self
        if self._connection.over:
            self._ahead = letter
            self._lose("the connection was lost")
        elif self._tray.passes(letter):
            self._say(self._announcement(letter))
        else:
            self._look()

    def _look(self) -> None:
        """Announce the next if the connection is free for it; end if it has had its share."""
        awaited = self._pipeline.awaited
        if self.finished.done() or self._ahead is not None or self._connection.holding:
            return
        if awaited and not self._pipeline.together:
            return
        if (letter := self._tray.next()) is not None:
            self._say(self._announcement(letter))
        elif not awaited and self._tray.spent:
            self.finished.set_result(None)

    def _announcement(self, letter: Letter) -> bytes:
        """What to say of it now."""
        self._ahead = letter
        letter.stage = Stage.MAIL
        commands, answers = self._announcer.announcement(letter.message), self._answers
        if self._open:
            commands, answers = _RSET + commands, (self._on_reset, *answers)
            self._open = False
        return self._pipeline.group(commands, [(answer, letter) for answer in answers])

    def _say(self, commands: bytes) -> None:
        self._pipeline.moved = True
        self._connection.write(commands)

    # Hear.

    def on_replies(self, replies: list[RawReply]) -> None:
        """The answers to the oldest commands."""
        self._guarded(self._hear, replies)

    def _hear(self, replies: list[RawReply]) -> None:
        pipeline, awaited, finished = self._pipeline, self._pipeline.awaited, self.finished
        pipeline.moved = True
        for code, text in replies:
            if finished.done():
                return
            if not awaited:  # 421 at most, and then it is over as well
                self._lose(storable(text))
                return
            answer, letter = awaited.popleft()
            answer(letter, code, text)
        if awaited or finished.done():
            return
        if command := pipeline.step():
            self._say(command)
        else:
            self._look()

    def _on_reset(self, _letter: Letter, code: int, text: bytes) -> None:
        if not 200 <= code < 300:
            self._lose(storable(text))

    def _on_mail(self, letter: Letter, code: int, text: bytes) -> None:
        if 200 <= code < 300:
            self._open = True
            letter.stage = Stage.RCPT
        else:
            self._refuse(letter, Stage.MAIL, code, text)

    def _on_rcpt(self, letter: Letter, code: int, text: bytes) -> None:
        if 200 <= code < 300:
            letter.stage = Stage.DATA
        else:
            self._refuse(letter, Stage.RCPT, code, text)
        if self._chunking and letter is self._ahead:
            if letter.refusal is None:
                self._carry(letter)
            else:
                self._put_down(letter)

    def _on_data(self, letter: Letter, code: int, text: bytes) -> None:
        if code != 354:
            self._refuse(letter, Stage.DATA, code, text)
            if letter is self._ahead:
                self._put_down(letter)
        elif letter.refusal is None:
            self._carry(letter)
        elif letter.stage is Stage.DATA:  # MAIL refused, RCPT taken: into which transaction? A dot could send it
            self._put_down(letter)
            self._close(self._tray.take_back())
        else:  # it wants a content, and nobody is to get one: RFC 2920 section 3.1
            self._open = False
            self._put_down(letter)
            self._send([_FINAL_DOT], self._on_nothing, letter)

    def _on_nothing(self, _letter: Letter, code: int, text: bytes) -> None:
        """A lone dot was answered. No recipient, no message, whatever the server says."""
        if code == 421 or not is_answer(Stage.DOT, code):
            self._lose(storable(text))

    def _refuse(self, letter: Letter, stage: Stage, code: int, text: bytes) -> None:
        """Keep the first refusal; it is settled when the server has said all about this letter."""
        outcome = judge(stage, letter.reply(code, text))
        if code == 421 or not is_answer(stage, code):  # RFC 5321 section 3.8
            self._lose(storable(text), outcome)
            return
        letter.refusal = letter.refusal or outcome
        if not self._pipeline.together:
            self._pipeline.skip()
            self._put_down(letter)

    def _put_down(self, letter: Letter) -> None:
        """It will not be carried."""
        self._ahead = None
        self._used = True
        if self._doubtful and not letter.again and getattr(letter.refusal, "code", None) == _OUT_OF_ORDER:
            self._open = letter.again = True  # our guess was wrong, not the letter: once more, behind RSET
            letter.refusal = None
            self._tray.give_back(letter)
        elif letter.refusal is not None:
            self._tray.settle(letter, letter.refusal)
        self._doubtful = False

    # Carry.

    def _carry(self, letter: Letter) -> None:
        """The content, if it still may go."""
        self._ahead = None
        self._used = True
        self._doubtful = False
        if not self._tray.begin(letter):
            if not self._chunking:  # after 354 every word would be content, and a lone dot an empty message
                self._close(None)
            return  # else the transaction is open, and the next begins with RSET
        self._open = False
        self._current = letter
        letter.stage = Stage.DOT
        octets = letter.message.octets
        if self._chunking:
            self._send([b"BDAT %d LAST\r\n" % octets.size, *octets.pieces()], self._on_end, letter)
        else:
            self._send(octets.wire(), self._on_end, letter)

    def _send(self, body: list[bytes], answer: Answer, letter: Letter) -> None:
        """A content, and behind it the announcement of the next."""
        self._pipeline.moved = True
        self._pipeline.awaited.append((answer, letter))
        following = self._tray.next() if self._pipeline.together else None
        self._connection.write_body(body, self._announcement(following) if following else b"")

    def _on_end(self, letter: Letter, code: int, text: bytes) -> None:
        """The content is answered."""
        outcome = Accepted(letter.storable(text)) if code < 300 else judge(Stage.DOT, letter.reply(code, text))
        if outcome is None or not is_answer(Stage.DOT, code):
            self._lose(f"{_NOT_SMTP}: {letter.storable(text)}")
            return
        self._current = None
        self._doubtful = code >= 300
        self._tray.settle(letter, outcome)
        if code == 421 or self._connection.holding:  # what still goes would be read as commands
            self._lose(storable(text))
