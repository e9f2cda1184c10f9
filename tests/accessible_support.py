"""Pages of the site on a screen."""

import re

from starlette.testclient import TestClient

from digest_mailer.adapters.browser import Browser


def flaws(browser: Browser, client: TestClient, html: str) -> list[object]:
    """Everything wrong with a page on a screen. The guest of this browser fetches nothing, so its style comes along."""
    css = client.get("/site.css").text
    dressed, count = re.subn(r'<link rel="stylesheet" href="[^"]*site\.css">', lambda _: f"<style>{css}</style>", html)
    assert count == 1
    return list(browser.look(dressed))
