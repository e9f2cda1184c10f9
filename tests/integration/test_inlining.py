"""Inlining moves the styles and changes nothing: another inliner gives the same, and Chromium shows the same."""

import re
from dataclasses import dataclass
from typing import Any

import css_inline
import pytest
from lxml import html as lxml_html

from browser_support import differences
from core_support import ROOT
from digest_mailer.adapters.browser import Browser, View
from digest_mailer.bootstrap import build_app
from digest_mailer.core.edition import EditionKey
from digest_mailer.core.identity import ENGLISH, IssueId
from digest_mailer.rendering import inlining

EDITIONS = [("2023-07", (1, 2, 3)), ("2023-03", (1, 2)), ("2021-02", (2,)), ("2020-07", (1, 2, 3))]
VIEWS = [View(width, scheme) for width in (680, 375) for scheme in ("light", "dark")]


@dataclass(frozen=True)
class Inlined:
    """An edition before and after."""

    before: str
    css: str
    after: str

    @property
    def reference(self) -> str:
        """The same mail for a program that honours stylesheets: after MJML's own reset, before what is responsive."""
        reset, end, rest = self.before.partition("</style>")
        assert "#outlook a" in reset
        return f"{reset}{end}<style>{self.css}</style>{rest}"


@pytest.fixture(params=EDITIONS, ids=lambda param: param[0])
def inlined(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Inlined:
    """A sample edition, caught on its way through the renderer."""
    issue, positions = request.param
    caught: list[Inlined] = []
    inline = inlining.inline

    def spy(html: str, css: str) -> str:
        after = inline(html, css)
        caught.append(Inlined(html, css, after))
        return after

    monkeypatch.setattr(inlining, "inline", spy)
    app = build_app(ROOT)
    library = app.library
    app.composer(library).editions(library.readable(IssueId(issue)), [EditionKey(ENGLISH, positions)])
    (one,) = caught
    return one


def elements(html: str) -> list[tuple[str, dict[str, str], dict[str, str]]]:
    """Tag, attributes and inline declarations of every element of the body."""
    body: Any = lxml_html.document_fromstring(html).find("body")
    return [(one.tag, dict(one.attrib) | {"style": ""}, declarations(one.get("style", ""))) for one in body.iter("*")]


def declarations(style: str) -> dict[str, str]:
    """What is declared, written in one way: premailer drops the unit of 0 and some quotes."""
    found = (one.partition(":") for one in re.split(r";(?![^(]*\))", style) if one.strip())
    return {name.strip(): re.sub(r"\b0px\b", "0", value.strip()).replace("'", '"') for name, _, value in found}


def test_another_inliner_gives_every_element_the_same_declarations(inlined: Inlined) -> None:
    other = css_inline.inline(
        inlined.before,
        extra_css=inlined.css,
        inline_style_tags=False,
        keep_style_tags=True,
        load_remote_stylesheets=False,
        keep_link_tags=True,
    )
    ours, theirs = elements(inlined.after), elements(other)
    assert len(ours) > 100
    assert ours == theirs


def test_chromium_shows_every_element_as_with_a_stylesheet(browser: Browser, inlined: Inlined) -> None:
    for view in VIEWS:
        assert list(differences(browser, inlined.after, inlined.reference, view)) == []


def test_the_comparison_sees_a_difference(browser: Browser) -> None:
    one, other = "<p>x</p><p>y</p>", '<p>x</p><p style="color:#ff0000">y</p>'
    found = list(differences(browser, one, other, View(375)))
    assert "2 p “y” color: rgb(0, 0, 0), not rgb(255, 0, 0)" in found
    assert all(line.startswith("2 p “y” ") for line in found)
    assert list(differences(browser, other, other, View(375))) == []
