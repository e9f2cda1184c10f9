"""An SMTP sink behind TLS from the first octet: takes everything, keeps nothing. For measuring senders on loopback.

    python benchmarks/tls_sink.py CERTIFICATES

It makes an authority of its own and a certificate for 127.0.0.1, and writes CERTIFICATES for who shall trust it; the
port is printed on stdout. SIGTERM ends it; it prints the number of messages, in the words of `sink.c`. PIPELINING is
offered, and like the other sink it looks for the end of content and for nothing else.
"""

import argparse
import asyncio
import signal
import ssl
import sys
from pathlib import Path
from typing import cast

import trustme
import uvloop

HOST = "127.0.0.1"
_END = b"\r\n.\r\n"
_OFFER = b"250-sink.localhost\r\n250-PIPELINING\r\n250-SIZE 0\r\n250 8BITMIME\r\n"
_REPLIES = {
    b"EHLO": _OFFER,
    b"HELO": b"250 sink.localhost\r\n",
    b"MAIL": b"250 2.1.0 Ok\r\n",
    b"RCPT": b"250 2.1.5 Ok\r\n",
    b"DATA": b"354 Go on\r\n",
    b"RSET": b"250 2.0.0 Ok\r\n",
    b"QUIT": b"221 2.0.0 Bye\r\n",
}


class Client(asyncio.Protocol):
    """One connection."""

    messages = 0  # of all connections

    _transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's for TLS is one by its methods only
        self._held = bytearray()
        self._content = False
        self._transport.write(b"220 sink.localhost ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        """Work through what there is, and answer it in one go."""
        self._held += data
        replies = bytearray()
        while self._take_content(replies) if self._content else self._take_command(replies):
            pass
        if replies:
            self._transport.write(bytes(replies))
        if replies.endswith(_REPLIES[b"QUIT"]):
            self._transport.close()

    def _take_command(self, replies: bytearray) -> bool:
        end = self._held.find(b"\n")
        if end < 0:
            return False
        verb = bytes(self._held[:4]).upper()
        del self._held[: end + 1]
        replies += _REPLIES.get(verb, b"502 5.5.2 Unknown\r\n")
        self._content = verb == b"DATA"
        return True

    def _take_content(self, replies: bytearray) -> bool:
        end = self._held.find(_END)
        if end < 0:
            del self._held[: max(0, len(self._held) - len(_END) + 1)]  # the end may be cut in two
            return False
        del self._held[: end + len(_END)]
        self._content = False
        Client.messages += 1
        replies += b"250 2.0.0 Ok: taken\r\n"
        return True


def certificates(path: Path) -> ssl.SSLContext:
    """A context for the server, and a file for the clients."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST).configure_cert(context)
    return context


async def serve(context: ssl.SSLContext) -> None:
    """Until somebody ends it."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    server = await loop.create_server(Client, HOST, 0, ssl=context, backlog=1024)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await ended.wait()
    sys.stdout.write(f"messages {Client.messages}\n")
    sys.stdout.flush()
    server.close()


def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("certificates", type=Path)
    context = certificates(parser.parse_args().certificates)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(context))


if __name__ == "__main__":
    main()
