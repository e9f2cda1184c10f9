"""What the tests on a screen share: a small sound mail to break, the sample publication's messages, computed styles."""

import json
from collections.abc import Iterator
from functools import cache

from core_support import ROOT
from digest_mailer.adapters.browser import Browser, View
from digest_mailer.bootstrap import build_app
from digest_mailer.core.identity import IssueId
from digest_mailer.services.preview import Sample, samples

# The names of all CSS properties; and name, beginning and every computed value of every element of the body.
_STYLES = """() => {
  const properties = [...getComputedStyle(document.body)];
  const values = style => properties.map(property => style.getPropertyValue(property));
  const elements = [document.body, ...document.body.querySelectorAll("*")].map(element => [
    [element.localName, ...element.classList].join("."),
    element.textContent.trim().slice(0, 40),
    values(getComputedStyle(element)),
  ]);
  return JSON.stringify([properties, elements]);
}"""


def mail(body: str, style: str = "", doctype: str = "<!DOCTYPE html>") -> str:
    """A finished HTML that has nothing wrong with it but what is given."""
    return (
        f'{doctype}<html lang="en"><head><meta charset="utf-8"><title>July</title>'
        '<meta name="viewport" content="width=device-width">'
        "<style>body{color:#1f2933;background:#ffffff}"
        "@media (prefers-color-scheme:dark){body{color:#e6e9eb;background:#11171a}}</style>"
        f"<style>{style}</style></head><body><h1>July</h1>{body}</body></html>"
    )


@cache
def messages(issue: IssueId) -> tuple[Sample, ...]:
    """A message of every edition of a sample issue, as `build` makes them."""
    app = build_app(ROOT)
    library = app.library
    return tuple(samples(app.composer(library), library.readable(issue), None))


def sample_issues() -> list[IssueId]:
    """The months of the sample publication, newest first."""
    return sorted((IssueId(path.stem) for path in (ROOT / "newsletters").glob("????-??.md")), reverse=True)


def differences(browser: Browser, html: str, reference: str, view: View) -> Iterator[str]:
    """Every computed property that is not what it is in the reference, one line each."""
    (properties, shown), (_, wanted) = (json.loads(browser.ask(one, _STYLES, [view])[0]) for one in (html, reference))
    assert len(properties) > 300
    assert len(shown) == len(wanted)
    for number, ((name, text, style), (other, _, expected)) in enumerate(zip(shown, wanted, strict=True)):
        assert name == other
        for property_, has, had in zip(properties, style, expected, strict=True):
            if has != had:
                yield f"{number} {name} “{text}” {property_}: {has}, not {had}"
