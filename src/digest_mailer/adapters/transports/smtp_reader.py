"""Octets from a server in, replies out: the grammar of RFC 5321 section 4.2.1 and nothing about their meaning.

A reply may come in one segment with others or in many pieces, on one line or on several, and its lines may end
without a carriage return. After what is no reply, or longer than any honest one, a reader is `broken`: nothing that
follows on the connection can be trusted to answer what it seems to.
"""

_MAX_LINE = 4096  # octets; 512 is the rule (RFC 5321 section 4.5.3.1.5), and some servers are talkative
_MAX_REPLY = 65_536
_LAST_LINES = {b"%d " % code: code for code in range(100, 1000)}  # how a reply's last line begins, and most replies

# Code and text; the lines of a text have a line feed between them, and may end in a carriage return.
RawReply = tuple[int, bytes]


class NotSmtp(Exception):  # noqa: N818 - the server's error, not ours
    """The server does not speak SMTP."""

    def __str__(self) -> str:  # what it said is not quoted: it may be anything
        return "an answer that is not SMTP"


class ReplyReader:
    """Keeps what is not whole yet. `feed` gives each reply as soon as it is, also when garbage follows it."""

    def __init__(self) -> None:
        self.broken = False
        self._rest = b""
        self._earlier: list[bytes] = []  # lines of a reply whose last has not come
        self._code = b""

    @property
    def empty(self) -> bool:
        """Whether no octet waits for others."""
        return not self._rest and not self._earlier

    def feed(self, data: bytes) -> list[RawReply]:
        """The replies that are whole with this."""
        lines = (self._rest + data if self._rest else data).split(b"\n")
        self._rest = lines.pop()
        replies = []
        for line in lines:
            code = _LAST_LINES.get(line[:4])
            if code is not None and not self._earlier:
                replies.append((code, line[4:]))
            elif (reply := self._line(line)) is not None:
                replies.append(reply)
            elif self.broken:
                break
        self.broken = self.broken or len(self._rest) > _MAX_LINE
        return replies

    def _line(self, line: bytes) -> RawReply | None:
        """One line of a longer reply, or a code that stands alone, which clients are to take too."""
        code, separator, text = line[:3], line[3:4], line[4:]
        known = b"%b " % code in _LAST_LINES and separator in (b" ", b"-", b"\r", b"")
        if not known or (self._earlier and code != self._code):  # every line carries the same code
            self.broken = True
            return None
        self._code = code
        self._earlier.append(text)
        self.broken = sum(map(len, self._earlier)) > _MAX_REPLY
        if separator == b"-" or self.broken:
            return None
        lines, self._earlier = self._earlier, []
        return int(code), b"\n".join(lines)
