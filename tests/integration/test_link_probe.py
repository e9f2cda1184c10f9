"""Asking addresses, against servers on this machine that answer as scripted: manners, redirects, what is kept."""

import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from digest_mailer.adapters import link_cache
from digest_mailer.adapters.link_probe import HOSTS_AT_ONCE, LinkProbe
from digest_mailer.core.link_answer import NO_HOST, LinkAnswer
from publication_support import FixedClock

Step = int | tuple[int, str] | Callable[[], int]  # a status, a redirect, or what makes one


@dataclass
class Server:
    """Answers each path by a script: a step, or one step a method. Notes what it was asked."""

    script: dict[str, Step | Mapping[str, Step]] = field(default_factory=dict)
    seen: list[tuple[str, str]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    now: Callable[[], float] = lambda: 0.0
    address: str = ""

    def url(self, path: str = "/") -> str:
        """A page of this server."""
        return f"http://{self.address}{path}"

    def answer(self, method: str, path: str) -> tuple[int, str]:
        """What the script says."""
        self.seen.append((method, path))
        self.times.append(self.now())
        step = self.script.get(path, 200)
        if isinstance(step, Mapping):
            step = step[method]
        if callable(step):
            step = step()
        return step if isinstance(step, tuple) else (step, "")


@contextmanager
def running(server: Server) -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            server.headers.append(dict(self.headers))
            status, location = server.answer(self.command, self.path)
            self.send_response(status)
            if location:
                self.send_header("Location", location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self) -> None:
            self.do_HEAD()

        def log_message(self, *_: object) -> None: ...

    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.address = f"127.0.0.1:{made.server_port}"
    thread = threading.Thread(target=made.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        made.shutdown()
        thread.join()
        made.server_close()


@dataclass
class Rig:
    """A probe whose clock stands still but for its own pauses, and a server."""

    path: Path
    server: Server
    clock: FixedClock = field(default_factory=FixedClock)
    pauses: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.clock.advance(timedelta(seconds=seconds))

    def probe(self, **changes: Any) -> LinkProbe:
        options: dict[str, Any] = {"sleep": self.sleep, "timeout": 5, "loopback": True}
        return LinkProbe(self.path, self.clock, **options | changes)

    def ask(self, path: str = "/", **changes: Any) -> LinkAnswer:
        """What a new probe, without anything kept, says of a page of the server."""
        self.path.unlink(missing_ok=True)
        url = self.server.url(path)
        return self.probe(**changes)([url])[url]


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with running(Server()) as server:
        made = Rig(tmp_path / "cache" / "links.json", server)
        server.now = lambda: made.clock.now().timestamp()
        yield made


# -- one address


@pytest.mark.parametrize("status", [200, 204])
def test_a_page_that_is_there_is_asked_for_its_head_only(rig: Rig, status: int) -> None:
    rig.server.script["/"] = status
    assert rig.ask() == LinkAnswer(rig.server.url(), status)
    assert rig.server.seen == [("HEAD", "/")]


@pytest.mark.parametrize("refusal", [400, 403, 404, 405, 410, 500, 501])
def test_where_head_is_refused_get_is_tried(rig: Rig, refusal: int) -> None:
    rig.server.script["/"] = {"HEAD": refusal, "GET": 200}
    assert rig.ask() == LinkAnswer(rig.server.url(), 200)
    assert rig.server.seen == [("HEAD", "/"), ("GET", "/")]
    assert rig.pauses == [1.0]


@pytest.mark.parametrize("status", [403, 404, 410, 500])
def test_what_get_says_counts(rig: Rig, status: int) -> None:
    rig.server.script["/"] = status
    assert rig.ask() == LinkAnswer(rig.server.url(), status)


@pytest.mark.parametrize("status", [429, 503])
def test_who_has_too_much_to_do_is_not_asked_again(rig: Rig, status: int) -> None:
    rig.server.script["/"] = status
    assert rig.ask() == LinkAnswer(rig.server.url(), status)
    assert rig.server.seen == [("HEAD", "/")]


def test_it_says_who_it_is(rig: Rig) -> None:
    rig.ask()
    assert rig.server.headers[0]["User-Agent"] == "digest-mailer (link check)"


def test_the_fragment_stays_here(rig: Rig) -> None:
    assert rig.ask("/page#part").url.endswith("/page#part")
    assert rig.server.seen == [("HEAD", "/page")]


def test_spaces_and_letters_beyond_ascii_go_out_encoded(rig: Rig) -> None:
    assert rig.ask("/é tude/%20?q=ü").status == 200
    assert rig.server.seen == [("HEAD", "/%C3%A9%20tude/%20?q=%C3%BC")]


def test_silence_is_a_problem(rig: Rig) -> None:
    over = threading.Event()
    rig.server.script["/"] = lambda: 200 if over.wait(10) else 500
    try:
        answer = rig.ask(timeout=0.05)
    finally:
        over.set()
    assert (answer.status, answer.problem) == (0, "timed out")


def test_nobody_there_is_a_problem(rig: Rig) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/"
        answer = rig.probe()([url])[url]
    assert answer.status == 0
    assert "refused" in answer.problem


def test_another_protocol_is_a_problem(rig: Rig) -> None:
    url = rig.server.url().replace("http:", "https:")
    answer = rig.probe()([url])[url]
    assert answer.status == 0
    assert "SSL" in answer.problem


@pytest.mark.parametrize(("number", "said"), [(socket.EAI_NONAME, NO_HOST), (socket.EAI_AGAIN, "Temporary failure")])
def test_a_name_that_nobody_has_differs_from_a_name_that_nobody_could_look_up(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, number: int, said: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(number, said)

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    url = "https://nowhere.example.org/"
    assert said in rig.probe()([url])[url].problem
    assert (rig.probe()([url])[url].problem == NO_HOST) is (number == socket.EAI_NONAME)


@pytest.mark.parametrize("url", ["", "mailto:editor@example.org", "ftp://127.0.0.1/", "file:///etc/passwd", "#x"])
def test_what_is_no_web_address(rig: Rig, url: str) -> None:
    assert rig.probe()([url])[url] == LinkAnswer(url, problem=f"{url} is not a web address")


@pytest.mark.parametrize("url", ["http://", "http://[bad/", "https://a..b/", "https://" + "x" * 70 + ".example/"])
def test_what_is_no_host(rig: Rig, url: str) -> None:
    answer = rig.probe()([url])[url]
    assert answer.url == url
    assert answer.status == 0
    assert answer.problem


# -- redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_followed(rig: Rig, status: int) -> None:
    rig.server.script["/"] = status, "/there"
    moved_to = rig.server.url("/there") if status in (301, 308) else ""
    assert rig.ask() == LinkAnswer(rig.server.url(), 200, moved_to)
    assert rig.server.seen == [("HEAD", "/"), ("HEAD", "/there")]


def test_what_has_moved_for_good_is_the_beginning_of_the_way(rig: Rig) -> None:
    rig.server.script |= {"/": (301, "/a"), "/a": (308, "/b"), "/b": (302, "/c"), "/c": (301, "/d")}
    assert rig.ask() == LinkAnswer(rig.server.url(), 200, rig.server.url("/b"))
    assert rig.ask("/b") == LinkAnswer(rig.server.url("/b"), 200)


def test_a_page_that_moved_and_went(rig: Rig) -> None:
    rig.server.script |= {"/": (301, "/a"), "/a": 404}
    assert rig.ask() == LinkAnswer(rig.server.url(), 404, rig.server.url("/a"))


@pytest.mark.parametrize("hops", [5, 6])
def test_five_redirects_are_enough(rig: Rig, hops: int) -> None:
    rig.server.script |= {f"/{n}": (302, f"/{n + 1}") for n in range(hops)}
    answer = rig.ask("/0")
    assert (answer.status, bool(answer.problem)) == ((200, False) if hops == 5 else (302, True))
    assert len(rig.server.seen) == 6


def test_a_circle_ends(rig: Rig) -> None:
    rig.server.script |= {"/": (302, "/a"), "/a": (302, "/")}
    assert rig.ask() == LinkAnswer(rig.server.url(), 302, problem="it redirects more than 5 times")


def test_a_circle_that_a_cookie_ends(tmp_path: Path) -> None:
    """Some publishers set a cookie and ask to come again."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(200 if self.headers["Cookie"] == "seen=1" else 302)
            self.send_header("Set-Cookie", "seen=1")
            self.send_header("Location", "/")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server, ExitStack() as stack:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        stack.callback(thread.join)
        stack.callback(server.shutdown)
        rig = Rig(tmp_path / "links.json", Server(address=f"127.0.0.1:{server.server_port}"))
        assert rig.ask() == LinkAnswer(rig.server.url(), 200)


def test_a_redirect_to_itself_is_no_move(rig: Rig) -> None:
    rig.server.script["/"] = 301, "/"
    assert rig.ask().moved_to == ""


def test_a_redirect_keeps_the_fragment(rig: Rig) -> None:
    rig.server.script |= {"/a": (301, "/b"), "/c": (301, "/d#other")}
    assert rig.ask("/a#part").moved_to == rig.server.url("/b#part")
    assert rig.ask("/c#part").moved_to == rig.server.url("/d#other")


def test_a_redirect_in_raw_utf8(rig: Rig) -> None:
    rig.server.script["/"] = 301, "/é tude".encode().decode("latin-1")
    assert rig.ask() == LinkAnswer(rig.server.url(), 200, rig.server.url("/%C3%A9%20tude"))


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("", "it redirects to nowhere"),
        ("mailto:x@example.org", "mailto:x@example.org is not a web address"),
        ("file:///etc/passwd", "file:///etc/passwd is not a web address"),
        ("ftp://127.0.0.1/", "ftp://127.0.0.1/ is not a web address"),
        ("http://[bad", "Invalid IPv6 URL"),
    ],
)
def test_a_redirect_to_something_else(rig: Rig, location: str, said: str) -> None:
    rig.server.script["/"] = 302, location
    answer = rig.ask()
    assert answer.problem == said
    assert not answer.good


def test_a_redirect_may_lead_to_another_server(rig: Rig) -> None:
    with running(Server({"/there": 200})) as other:
        rig.server.script["/"] = 302, other.url("/there")
        assert rig.ask() == LinkAnswer(rig.server.url(), 200)
        assert other.seen == [("HEAD", "/there")]
    assert rig.pauses == []


# -- this machine and its network


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{}/",
        "http://localhost:{}/",
        "http://[::1]:{}/",
        "http://10.0.0.1/",
        "http://192.168.1.1/",
        "http://169.254.169.254/latest/",
        "http://[fe80::1]/",
        "http://[::ffff:127.0.0.1]:{}/",
        "http://2130706433:{}/",
        "http://0.0.0.0:{}/",
    ],
)
def test_this_machine_and_its_network_are_not_asked(rig: Rig, url: str) -> None:
    url = url.replace("{}", rig.server.address.partition(":")[2])
    answer = rig.probe(loopback=False)([url])[url]
    assert "within this machine" in answer.problem
    assert rig.server.seen == []


def test_a_redirect_into_the_network_is_not_followed(rig: Rig) -> None:
    rig.server.script["/"] = 302, "http://169.254.169.254/latest/"
    assert "within this machine" in rig.ask().problem


# -- manners


def test_a_second_between_two_requests_to_a_host(rig: Rig) -> None:
    rig.server.script["/0"] = 302, "/there"
    urls = [rig.server.url(f"/{n}") for n in range(3)]
    assert list(rig.probe()(urls)) == urls
    assert rig.pauses == [1.0, 1.0, 1.0]
    gaps = [later - earlier for earlier, later in zip(rig.server.times, rig.server.times[1:], strict=False)]
    assert gaps == [1.0, 1.0, 1.0]


def test_a_pause_is_only_as_long_as_it_must_be(rig: Rig) -> None:
    def slow() -> int:
        rig.clock.advance(timedelta(seconds=3))
        return 200

    probe = rig.probe()
    rig.server.script["/0"] = slow
    probe([rig.server.url("/0")])
    rig.clock.advance(timedelta(seconds=0.25))
    probe([rig.server.url("/1")])
    rig.clock.advance(timedelta(seconds=60))
    probe([rig.server.url("/2")])
    assert rig.pauses == [0.75]


def test_a_clock_that_is_set_back_stops_nothing(rig: Rig) -> None:
    probe = rig.probe()
    probe([rig.server.url("/0")])
    rig.clock.advance(timedelta(days=-1))
    probe([rig.server.url("/1")])
    assert rig.pauses == [1.0]


def test_one_request_at_a_time_to_a_host_however_many_lead_there(rig: Rig) -> None:
    company = threading.Barrier(2)
    met: list[int] = []

    def alone() -> int:
        try:
            met.append(company.wait(0.05))  # for a second request, which must not come
        except threading.BrokenBarrierError:
            company.reset()
        return 200

    with ExitStack() as stack:
        others = [stack.enter_context(running(Server({"/": (302, rig.server.url(f"/{n}"))}))) for n in range(4)]
        rig.server.script |= {f"/{n}": alone for n in range(4)}
        answers = rig.probe()(other.url() for other in others)
    assert [answer.status for answer in answers.values()] == [200] * 4
    assert len(rig.server.seen) == 4
    assert met == []
    assert rig.pauses == [1.0] * 3


def test_several_hosts_at_once(rig: Rig) -> None:
    """Each server answers only when all of them have been asked."""
    together = threading.Barrier(HOSTS_AT_ONCE)

    def meet() -> int:
        together.wait(10)
        return 200

    with ExitStack() as stack:
        servers = [stack.enter_context(running(Server({"/": meet}))) for _ in range(HOSTS_AT_ONCE)]
        answers = rig.probe()(server.url() for server in servers)
    assert [answer.status for answer in answers.values()] == [200] * HOSTS_AT_ONCE


def test_an_address_is_asked_once(rig: Rig) -> None:
    url = rig.server.url()
    assert list(rig.probe()([url, url, url])) == [url]
    assert len(rig.server.seen) == 1


# -- what is kept


@pytest.mark.parametrize(
    ("step", "kept"),
    [
        (200, link_cache.GOOD_FOR),
        ((302, "/there"), link_cache.GOOD_FOR),
        ((301, "/there"), link_cache.GOOD_FOR),
        (404, link_cache.BAD_FOR),
        (429, link_cache.BAD_FOR),
        (503, link_cache.BAD_FOR),
        ((302, "ftp://x"), link_cache.BAD_FOR),
    ],
)
def test_an_answer_counts_for_a_while(rig: Rig, step: Step, kept: timedelta) -> None:
    rig.server.script["/"] = step
    url = rig.server.url()
    first = rig.probe()([url])
    count = len(rig.server.seen)
    rig.clock.advance(kept - timedelta(minutes=1))
    assert rig.probe()([url]) == first
    assert len(rig.server.seen) == count
    rig.clock.advance(timedelta(minutes=2))
    assert rig.probe()([url]) == first
    assert len(rig.server.seen) == 2 * count


def test_a_week_and_an_hour() -> None:
    assert timedelta(days=7) == link_cache.GOOD_FOR
    assert timedelta(hours=1) == link_cache.BAD_FOR


def test_an_answer_from_the_future_does_not_count(rig: Rig) -> None:
    rig.probe()([rig.server.url()])
    rig.clock.advance(timedelta(days=-1))
    rig.probe()([rig.server.url()])
    assert len(rig.server.seen) == 2


def test_what_no_longer_counts_is_not_kept(rig: Rig) -> None:
    rig.probe()([rig.server.url("/old")])
    rig.clock.advance(timedelta(days=8))
    rig.probe()([rig.server.url("/new")])
    assert [row["url"] for row in json.loads(rig.path.read_bytes())["answers"]] == [rig.server.url("/new")]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b'{"format": 2, "answers": [{"url": "URL", "status": 200, "asked": "2024-01-31T12:00:00+00:00"}]}',
        b'{"format": 1, "answers": [{"url": "x"}]}',
        b'{"format": 1, "answers": [{"url": "x", "asked": "never"}]}',
        b'{"format": 1, "answers": [{"url": "x", "asked": "2024-01-31T12:00:00", "other": 1}]}',
        b'{"format": 1, "answers": [{"url": "URL", "status": 200, "asked": "2024-01-31T12:00:00"}]}',
        b'{"format": 1, "answers": "no"}',
    ],
)
def test_a_cache_that_cannot_be_read_is_empty(rig: Rig, content: bytes) -> None:
    rig.path.parent.mkdir()
    rig.path.write_bytes(content.replace(b"URL", rig.server.url().encode()))
    assert rig.probe()([rig.server.url()])[rig.server.url()].status == 200
    assert len(rig.server.seen) == 1


def test_a_cache_that_cannot_be_written_stops_nothing(rig: Rig) -> None:
    rig.path.parent.write_text("a file stands where the folder should be")
    assert rig.probe()([rig.server.url()])[rig.server.url()].status == 200


def test_an_interruption_keeps_the_answers_so_far(rig: Rig) -> None:
    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    urls = [rig.server.url("/0"), rig.server.url("/1")]
    with pytest.raises(KeyboardInterrupt):
        rig.probe(sleep=interrupt)(urls)
    assert rig.server.seen == [("HEAD", "/0")]
    rig.probe()(urls)
    assert rig.server.seen == [("HEAD", "/0"), ("HEAD", "/1")]


def test_an_interruption_is_heard_at_every_host(rig: Rig) -> None:
    """The pause at one host is interrupted while another is being asked: that one is asked nothing more."""

    def interrupt(seconds: float) -> None:
        rig.sleep(seconds)
        if len(rig.pauses) == 1:
            raise KeyboardInterrupt

    probe = rig.probe(sleep=interrupt)
    with running(Server({"/0": lambda: 200 if probe._stop.wait(10) else 500})) as other:
        urls = [server.url(path) for server in (rig.server, other) for path in ("/0", "/1")]
        with pytest.raises(KeyboardInterrupt):
            probe(urls)
        assert other.seen == [("HEAD", "/0")]
    assert rig.probe()(urls[2:3]) == {urls[2]: LinkAnswer(urls[2], 200)}
