"""One headless Chromium that looks at finished mails as a reader's screen would show them.

`lint` and the tests ask it: is everything readable in light and in dark (axe), does a phone have to scroll
sideways, is the page in standards mode. `adapters.appearance` holds what is asked and how the answers read.

The page under examination is a guest: its scripts do not run, and nothing that it names is fetched, neither
from the network nor from the disk. Playwright's loop lives in a thread of its own, because it would keep
`asyncio.run` from working in the thread that started it.

Needs the extra `browser` and a Chromium on the machine; both are looked for on entry, not on import.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from digest_mailer.adapters.appearance import AXE, MEASURE, SCHEMES, WIDE, WIDTHS, Scheme, findings
from digest_mailer.core.errors import ConfigError, TemporaryProblem
from digest_mailer.core.finding import Finding

if TYPE_CHECKING:
    from playwright.sync_api import Page, Playwright, Route

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
EXTRA = "install it with: pip install 'digest-mailer[browser]'"
PROGRAM = "install it with: apt install chromium"

_ADDRESS = "https://mail.invalid/"  # RFC 2606: never anybody's
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"  # no script, nothing fetched
_ARGUMENTS = (
    # Refused requests are not all: Chromium looks hosts up and connects to them ahead of asking, and calls home
    # by itself. Playwright speaks to it through a pipe, so no host at all needs to be found.
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
    "--no-pings",
)
_HEIGHT = 900
_STYLE = re.compile(r"<style\b.*?</style\s*>", re.IGNORECASE | re.DOTALL)

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class View:
    """How a mail is shown: window width in CSS pixels, colour scheme, and whether `<style>` counts (some mail
    programs drop it)."""

    width: int
    scheme: Scheme = "light"
    styles: bool = True


class Browser:
    """A running Chromium, as a context. Raises ConfigError on entry when it or its driver is missing."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="chromium")
        self._open = ExitStack()
        self._shown: tuple[str, bool] | None = None
        self._page: Page

    def __enter__(self) -> Self:
        try:
            self._page = self._do(self._start)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._do(self._open.close)
        self._thread.shutdown()

    def look(self, html: str) -> list[Finding]:
        """Everything wrong with a finished HTML on a screen; see `adapters.appearance`."""
        by_scheme = self.ask(html, AXE, [View(WIDE, scheme) for scheme in SCHEMES])
        by_width = self.ask(html, MEASURE, [View(width) for width in WIDTHS])
        return findings(dict(zip(SCHEMES, by_scheme, strict=True)), dict(zip(WIDTHS, by_width, strict=True)))

    def ask(self, html: str, script: str, views: Sequence[View]) -> list[Any]:
        """What a JavaScript function answers about the mail in each view. It must not change the page."""
        return self._watched(lambda: [self._show(html, view).evaluate(script) for view in views])

    def shot(self, html: str, view: View) -> bytes:
        """A picture of the whole mail, as PNG."""
        return self._watched(lambda: self._show(html, view).screenshot(full_page=True, animations="disabled"))

    def _watched(self, work: Callable[[], Answer]) -> Answer:
        """Raises TemporaryProblem when Chromium is no longer there, killed or out of memory."""
        from playwright.sync_api import Error

        try:
            return self._do(work)
        except Error as problem:
            why = str(problem).partition("\n")[0]
            raise TemporaryProblem(f"Chromium could not look at a mail: {why}", "run the command again") from problem

    def _do(self, work: Callable[[], Answer]) -> Answer:
        return self._thread.submit(work).result()

    def _show(self, html: str, view: View) -> "Page":
        """Bring a view up; loads the mail only where another one stands."""
        if self._shown != (html, view.styles):
            self._shown = None
            self._page.set_content(html if view.styles else _STYLE.sub("", html))
            self._shown = (html, view.styles)
        self._page.set_viewport_size({"width": view.width, "height": _HEIGHT})
        self._page.emulate_media(color_scheme=view.scheme)
        return self._page

    def _start(self) -> "Page":
        try:
            from axe_playwright_python.sync_playwright import Axe
            from playwright.sync_api import Error, sync_playwright
        except ImportError as problem:
            raise ConfigError(f"the Python package {problem.name} is not installed", EXTRA) from problem
        playwright = self._open.enter_context(sync_playwright())
        try:
            page = self._launch(playwright)
            page.route(_ADDRESS, _serve_an_empty_page)
            page.goto(_ADDRESS)
            page.route("**/*", _refuse)  # asked first from here on
        except Error as problem:
            why = str(problem).partition("\n")[0]
            raise ConfigError(f"Chromium is not there or does not start: {why}", PROGRAM) from problem
        page.evaluate(Axe().axe_script)  # once: it stays while one mail takes the place of another
        return page

    def _launch(self, playwright: "Playwright") -> "Page":
        """A window of the machine's own Chromium, or else of the one that Playwright installed."""
        scratch = self._open.enter_context(tempfile.TemporaryDirectory(prefix="digest-mailer-"))
        ours = {name: value for name, value in os.environ.items() if not name.startswith("DIGEST_")}  # secrets
        chromium = playwright.chromium.launch(
            executable_path=find_program(),
            chromium_sandbox=not _is_root(),  # Chromium refuses to run as root within it
            args=_ARGUMENTS,
            env={**ours, "XDG_CONFIG_HOME": scratch, "XDG_CACHE_HOME": scratch},
        )
        self._open.callback(chromium.close)
        return chromium.new_page(service_workers="block")


def find_program() -> Path | None:
    """The machine's own Chromium."""
    found = (shutil.which(name) for name in PROGRAMS)
    return next((Path(path) for path in found if path), None)


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _serve_an_empty_page(route: "Route") -> None:
    """Its policy binds every mail that is written into it."""
    headers = {"Content-Security-Policy": _POLICY}
    route.fulfill(body="<!DOCTYPE html>", content_type="text/html; charset=utf-8", headers=headers)


def _refuse(route: "Route") -> None:
    route.abort("aborted")  # any other reason puts an error page into the window
