"""What other Python programs do: hand the same mail to the same server, by libraries that many use.

    python benchmarks/hand_over.py WAY MATERIAL PORT --messages N --connections N [--ca FILE] [--library FOLDER]

    smtplib      finished octets, a thread a connection
    aiosmtplib   finished octets, a task a connection, on uvloop
    naive        for each reader the page by Jinja, an EmailMessage and smtplib: what one writes on a Sunday

No ledger, no retries, no database: only the work that cannot be left out. Connections are used again. The time does
not count the imports. Prints JSON.
"""

import argparse
import asyncio
import importlib
import json
import smtplib
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any

import jinja2
from processes import memory

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Errand:
    """What is to be handed over, and where."""

    material: Path
    port: int
    messages: int
    connections: int
    ca: Path | None
    library: Path | None

    @cached_property
    def content(self) -> bytes:
        """A finished message."""
        return (self.material / "message.eml").read_bytes()

    @cached_property
    def texts(self) -> dict[str, Any]:
        """The edition with holes, and a reader's values."""
        found: dict[str, Any] = json.loads((self.material / "material.json").read_text(encoding="utf-8"))
        return found

    @property
    def sender(self) -> str:
        """The envelope's."""
        return str(self.texts["sender"])

    @property
    def shares(self) -> list[int]:
        """How many go over each connection."""
        each, more = divmod(self.messages, self.connections)
        return [each + (place < more) for place in range(self.connections)]

    @cached_property
    def context(self) -> ssl.SSLContext | None:
        """For TLS from the first octet."""
        return ssl.create_default_context(cafile=self.ca) if self.ca else None

    def connect(self) -> smtplib.SMTP:
        """A connection of smtplib's."""
        if self.context:
            return smtplib.SMTP_SSL(HOST, self.port, context=self.context)
        return smtplib.SMTP(HOST, self.port)


def by_smtplib(errand: Errand) -> None:
    """Finished octets over smtplib."""
    content, recipient = errand.content, str(errand.texts["recipient"])

    def connection(share: int) -> None:
        with errand.connect() as server:
            for _ in range(share):
                server.sendmail(errand.sender, recipient, content)

    _in_threads(errand, connection)


def naively(errand: Errand) -> None:
    """Everything made anew for each reader."""
    html, text, numbers = _template(errand.texts["html"], escape=True), _template(errand.texts["text"]), count()
    values, subject, sender = errand.texts["values"], errand.texts["subject"], errand.sender

    def connection(share: int) -> None:
        with errand.connect() as server:
            for number in _taken(numbers, share):
                message = EmailMessage(policy=SMTP)
                recipient = f"reader{number}@clinic{number % 50}.example.org"
                message["From"], message["To"], message["Subject"] = sender, recipient, subject
                message["Message-ID"] = f"<{number}@digest.example.org>"
                message.set_content(text.render(values))
                message.add_alternative(html.render(values), subtype="html")
                server.sendmail(sender, recipient, message.as_bytes())

    _in_threads(errand, connection)


def by_aiosmtplib(errand: Errand) -> None:
    """Finished octets over aiosmtplib."""
    if errand.library:
        sys.path.insert(0, str(errand.library))
    library, loops = importlib.import_module("aiosmtplib"), importlib.import_module("uvloop")
    content, recipient = errand.content, str(errand.texts["recipient"])

    async def connection(share: int) -> None:
        tls = {"use_tls": bool(errand.context), "start_tls": False, "tls_context": errand.context}
        async with library.SMTP(hostname=HOST, port=errand.port, **tls) as server:
            for _ in range(share):
                await server.sendmail(errand.sender, [recipient], content)

    async def everybody() -> None:
        await asyncio.gather(*map(connection, errand.shares))

    with asyncio.Runner(loop_factory=loops.new_event_loop) as runner:
        runner.run(everybody())


def _in_threads(errand: Errand, connection: Callable[[int], None]) -> None:
    with ThreadPoolExecutor(errand.connections) as threads:
        list(threads.map(connection, errand.shares))


def _template(pieces: list[Any], *, escape: bool = False) -> jinja2.Template:
    """The finished page with a variable in each hole; what is fixed is not for Jinja to read."""
    fixed = {f"piece{place}": one for place, one in enumerate(pieces) if isinstance(one, str)}
    source = "".join(
        f"{{{{ piece{place} | safe }}}}" if isinstance(one, str) else f"{{{{ {one[0]} }}}}"
        for place, one in enumerate(pieces)
    )
    maker = jinja2.Environment(autoescape=escape)  # noqa: S701 - plain text has nothing to escape
    maker.globals.update(fixed)
    return maker.from_string(source)


def _taken(numbers: "count[int]", share: int) -> Iterator[int]:
    for _ in range(share):
        yield next(numbers)


WAYS = {"smtplib": by_smtplib, "aiosmtplib": by_aiosmtplib, "naive": naively}


def main() -> None:
    """Hand over, and tell how long it took."""
    parser = argparse.ArgumentParser()
    parser.add_argument("way", choices=WAYS)
    parser.add_argument("material", type=Path)
    parser.add_argument("port", type=int)
    parser.add_argument("--messages", type=int, required=True)
    parser.add_argument("--connections", type=int, required=True)
    parser.add_argument("--ca", type=Path)
    parser.add_argument("--library", type=Path)
    options = parser.parse_args()
    errand = Errand(options.material, options.port, options.messages, options.connections, options.ca, options.library)
    way = WAYS[options.way]
    cpu, begun = time.process_time(), time.perf_counter()
    way(errand)
    seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
    result = {"messages": errand.messages, "seconds": seconds, "cpu": cpu, "rss_peak": memory("VmHWM")}
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
