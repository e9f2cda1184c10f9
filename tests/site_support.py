"""The site on a port of this machine, and a browser that reaches nothing else."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn

from components import require
from digest_mailer.adapters.browser import find_program
from digest_mailer.bootstrap import App
from digest_mailer.cli.site_server import SiteServer
from digest_mailer.web.app import build_site

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_ARGUMENTS = [
    "--no-sandbox",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--disable-background-networking",
]


@contextmanager
def chromium() -> Iterator["Browser"]:
    """Chromium under Playwright."""
    require("chromium", "playwright")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=find_program(), args=_ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def served(app: App) -> Iterator[str]:
    """The site on a free port of this machine; its address. It runs in this process, so that its clock can go on
    without waiting."""
    ready = threading.Event()
    config = uvicorn.Config(build_site(app, inbox=False), port=0, log_level="warning", lifespan="off")
    server = SiteServer(config, app.watch, ready.set)
    thread = threading.Thread(target=server.run)
    thread.start()
    assert ready.wait(60)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(60)


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])
