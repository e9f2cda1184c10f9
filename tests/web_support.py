"""A web server on this machine that answers as scripted, and badly when told to."""

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Answer:
    """One answer: a status, headers, a body; or, with `raw`, the very octets."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    drip: bool = False  # an octet at a time, for as long as anybody listens
    hang: bool = False  # never


@dataclass
class Web:
    """Answers each path by a script; notes what it was asked, path and headers."""

    script: dict[str, Answer | Callable[[dict[str, str]], Answer]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    address: str = ""
    over: threading.Event = field(default_factory=threading.Event)

    def url(self, path: str = "/") -> str:
        """A page of this server."""
        return f"http://{self.address}{path}"


@contextmanager
def serving(web: Web, tls: ssl.SSLContext | None = None) -> Iterator[Web]:
    """The server, for as long as the context is open."""
    made = ThreadingHTTPServer(("127.0.0.1", 0), _handler(web))
    made.handle_error = lambda *_: None  # type: ignore[method-assign]  # who refuses a certificate says so
    if tls:
        made.socket = tls.wrap_socket(made.socket, server_side=True)
    web.address = f"127.0.0.1:{made.server_port}"
    thread = threading.Thread(target=made.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield web
    finally:
        web.over.set()
        made.shutdown()
        thread.join()
        made.server_close()


def _handler(web: Web) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            web.asked.append((self.path, headers))
            step = web.script.get(self.path, Answer(status=404))
            answer = step(headers) if callable(step) else step
            if answer.hang:
                web.over.wait(30)
            elif answer.raw is not None:
                self.wfile.write(answer.raw)
            else:
                self._send(answer)

        def _send(self, answer: Answer) -> None:
            self.send_response(answer.status)
            for name, value in ({"Content-Length": str(len(answer.body))} | answer.headers).items():
                self.send_header(name, value)
            self.end_headers()
            for part in map(bytes, zip(answer.body, strict=True)) if answer.drip else [answer.body]:
                if answer.drip and web.over.wait(0.005):
                    break
                self.wfile.write(part)

        def handle(self) -> None:
            with suppress(ConnectionError):  # nobody listens any more
                super().handle()

        def log_message(self, *_: object) -> None: ...

    return Handler
