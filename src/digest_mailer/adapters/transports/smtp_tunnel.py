"""TLS between a connection and its socket, as two streams of octets: no socket and no loop in it.

The loop's own TLS transports keep a buffer that cannot be looked into, and whether the end of a message still lay
there decides whether it may be sent again. The context brings the rules: the certificate and the host's name are
verified (RFC 8314 section 5.3). An end without close_notify is an end; SMTP says itself where a message stops.
"""

import ssl


class Tunnel:
    """The client's end of TLS. `outgoing` holds what is to be written after every call."""

    def __init__(self, context: ssl.SSLContext, host: str) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self.ready = False  # the handshake is over

    def shake(self) -> None:
        """Go on with the handshake. Raises ssl.SSLError when it fails."""
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return
        self.ready = True

    def opened(self, data: bytes) -> bytes:
        """What came in, readable. Raises ssl.SSLError, also at the server's proper end."""
        self._incoming.write(data)
        if not self.ready:
            self.shake()
        return self._read() if self.ready else b""

    def _read(self) -> bytes:
        parts = []
        try:
            while part := self._tls.read(65_536):
                parts.append(part)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            if not parts:  # else the end of the socket will tell
                raise
        return b"".join(parts)

    def sealed(self, data: bytes) -> bytes:
        """What goes out, protected."""
        self._tls.write(data)
        return self._outgoing.read()

    def outgoing(self) -> bytes:
        """What TLS itself has to say."""
        return self._outgoing.read()
