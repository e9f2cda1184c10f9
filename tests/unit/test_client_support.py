"""What mail programs lack: each kind of thing with the programs that drop it, and what everybody has."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest_mailer.core.errors import Severity
from digest_mailer.core.finding import Finding
from digest_mailer.rendering.rules.client_support import check_support
from digest_mailer.rendering.rules.page import read_page
from finished_support import HTML, replaced, told, with_body

PNG = 'src="https://digest.example.org/a.png" alt="" width="2" height="1"'


def check(html: str) -> list[Finding]:
    return check_support(read_page(html))


def styled(css: str, tag: str = "p") -> str:
    return with_body(f'<{tag} style="{css}">Words</{tag}>')


def test_a_right_edition_has_no_finding() -> None:
    assert check(HTML) == []


@pytest.mark.parametrize(
    ("css", "near", "clients"),
    [
        ("display:flex", "flex", "Outlook for Windows"),
        ("display: inline grid", "grid", "Outlook for Windows"),
        ("display:inline-flex", "inline-flex", "Outlook for Windows and Yahoo"),
        ("display:contents", "contents", "Outlook for Windows and Yahoo"),
        ("position:absolute;top:0", "absolute", "Gmail and every Outlook"),
        ("POSITION:RELATIVE", "relative", "Gmail and every Outlook"),
        ("position:sticky", "sticky", "Gmail and Outlook for Windows"),
        ("float:left", "float", "Outlook for Windows"),
        ("background-image:url(https://x.example.org/a.png)", "url(", "Outlook for Windows"),
        ("background:#ffffff url('a;b.png')", "url(", "Outlook for Windows"),
        ("background:linear-gradient(#000000, #ffffff)", "-gradient(", "every Outlook and Yahoo"),
        ("font-size:1.2rem", "1.2rem", "Outlook for Windows and Yahoo"),
        ("margin:0 .5rem", ".5rem", "Outlook for Windows and Yahoo"),
        ("width:50vw", "50vw", "Outlook for Windows and Fastmail"),
        ("height:100vh", "100vh", "Outlook for Windows and Fastmail"),
        ("width:10vmin", "10vmin", "Outlook for Windows and Yahoo"),
        ("max-width:65ch", "65ch", "Outlook for Windows and Yahoo"),
        ("width:calc(100% - 20px)", "calc(", "every Outlook and Yahoo"),
        ("color:var(--ink)", "var(", "Gmail, every Outlook and Yahoo"),
        ("--ink:#000000", "--ink", "Gmail, every Outlook and Yahoo"),
        ("width:min(100%, 520px)", "min(", "every Outlook, Yahoo and Fastmail"),
        ("font-size:clamp(15px, 2em, 19px)", "clamp(", "every Outlook, Yahoo and Fastmail"),
        ("font-size:max(16px, 1em)", "max(", "every Outlook, Yahoo and Fastmail"),
        ("margin:0 -20px", "-20px", "Gmail, every Outlook and Yahoo"),
        ("margin-top:-.5em", "-.5em", "Gmail, every Outlook and Yahoo"),
        ("margin:0 auto", "0 auto", "Outlook for Windows"),
        ("margin-left:auto", "auto", "Outlook for Windows"),
        ("object-fit:cover", "object-fit", "Outlook for Windows and Yahoo"),
        ("transform:rotate(5deg)", "rotate(", "Gmail, every Outlook and Yahoo"),
        ("animation:x 1s", "animation", "Gmail, every Outlook and Yahoo"),
        ("opacity:.6", "opacity", "Outlook for Windows"),
        ("opacity:0", "opacity", "Outlook for Windows"),
        ("visibility:hidden", "visibility", "Gmail and Outlook for Windows"),
        ("clip-path:circle(40%)", "circle(", "Gmail, every Outlook and Yahoo"),
        ("filter:grayscale(1)", "filter", "Gmail, every Outlook and Yahoo"),
        ("mix-blend-mode:multiply", "mix-blend-mode", "Outlook for Windows and Yahoo"),
        ("-webkit-background-clip:text", "-webkit-background-clip", "Outlook for Windows and Yahoo"),
        ("writing-mode:vertical-rl", "vertical", "Outlook for Windows, Yahoo and Fastmail"),
        ("column-count:2", "column-count", "Outlook for Windows and Yahoo"),
        ("aspect-ratio:16/9", "aspect-ratio", "Gmail, every Outlook and Yahoo"),
        ("padding-inline:4px", "padding-inline", "Gmail, every Outlook and Yahoo"),
        ("margin-inline-start:4px", "margin-inline-start", "Gmail, every Outlook and Yahoo"),
        ("inset:0", "inset", "Gmail, every Outlook and Yahoo"),
        ("color:rgba(0, 0, 0, .5)", "rgba(", "Outlook for Windows"),
        ("color:rgb(0 0 0 / 50%)", "rgb(0 0 0 / 50%)", "Gmail, every Outlook and Yahoo"),
        ("color:oklch(40% 0.1 200)", "oklch(", "Gmail, every Outlook and Yahoo"),
        ("color:light-dark(#000000, #ffffff)", "light-dark(", "Gmail, every Outlook and Yahoo"),
    ],
)
def test_css_that_a_program_drops(css: str, near: str, clients: str) -> None:
    (found,) = check(styled(css))
    assert (found.code, found.severity, found.near) == ("DM425", Severity.WARNING, near)
    assert found.message.endswith(f"does not work in {clients}")
    assert found.hint


@pytest.mark.parametrize(
    "css",
    [
        "display:block;display:inline-block;display:none;display:table-cell",
        "position:static;float:none;opacity:1;visibility:visible;filter:none;animation:none",
        "margin:0 -0 0 0;margin-right:20px;margin:0",
        "background:#ffffff none;background-color:#f3f4f0",
        "font-size:1.2em;width:50%;max-width:600px;line-height:1.5;height:auto",
        "font-family:Georgia, Times New Roman, serif;font-family:'1rem'",
        "border-radius:4px;letter-spacing:1px;text-transform:none;box-shadow:0 1px 2px #000000;word-break:break-all",
        "color:rgb(1, 2, 3);border-collapse:collapse;vertical-align:top;text-align:left;direction:rtl",
        "mso-hide:all;mso-line-height-rule:exactly;-webkit-text-size-adjust:100%",
        "color:#a1rem0;white-space:pre-wrap;min-width:0;max-height:0;overflow:hidden",
        "font-size:16px;font-size:max(16px, 1rem)",  # who cannot read the second has the first
        "color:#777777;color:rgba(0,0,0,.5)",
    ],
)
def test_css_that_does_no_harm(css: str) -> None:
    assert check(styled(css)) == []


def test_a_value_for_everybody_has_to_come_first() -> None:
    assert told(check(styled("font-size:1rem;font-size:16px"))) == [("DM425", "1rem")]


@pytest.mark.parametrize(
    ("html", "near", "clients"),
    [
        ("<article><p>Words</p></article>", "<article", "every Outlook and Yahoo"),
        ("<section><p>Words</p></section>", "<section", "every Outlook and Yahoo"),
        ("<header><p>Words</p></header>", "<header", "every Outlook and Yahoo"),
        ("<aside><p>Words</p></aside>", "<aside", "every Outlook and Yahoo"),
        ("<footer><p>Words</p></footer>", "<footer", "every Outlook and Yahoo"),
        ("<figure><p>Words</p></figure>", "<figure", "every Outlook and Yahoo"),
        ("<figcaption>Words</figcaption>", "<figcaption", "every Outlook and Yahoo"),
        ("<summary>Words</summary>", "<summary", "Gmail, every Outlook and Yahoo"),
        ("<p><select></select></p>", "<select", "Outlook for Windows"),
        ("<main><p>Words</p></main>", "<main", "Gmail, every Outlook and Yahoo"),
        ("<nav><p>Words</p></nav>", "<nav", "Gmail, every Outlook and Yahoo"),
        ("<details><p>Words</p></details>", "<details", "Gmail, every Outlook and Yahoo"),
        ("<p><input></p>", "<input", "Outlook for Windows and Proton Mail"),
        ("<p><textarea></textarea></p>", "<textarea", "Outlook for Windows"),
        ("<p><button>x</button></p>", "<button", "Outlook for Windows, Outlook on the web and Outlook for Mac"),
        (
            '<p><img src="https://x.example.org/a.heic"></p>',
            "https://x.example.org/a.heic",
            "Outlook for Windows and Outlook on the web",
        ),
        ("<video></video>", "<video", "Gmail, Outlook for Windows, Outlook on the web and Yahoo"),
        ("<audio></audio>", "<audio", "Gmail, every Outlook and Yahoo"),
        ("<svg></svg>", "<svg", "Gmail, every Outlook and Yahoo"),
        ("<p hidden>Words</p>", "hidden", "Gmail, every Outlook and Yahoo"),
        ('<p><img src="https://x.example.org/a.svg" alt=""></p>', "https://x.example.org/a.svg", "Gmail"),
        ('<p><img src="https://x.example.org/a.WEBP"></p>', "https://x.example.org/a.WEBP", "Outlook for Windows"),
        ('<p><img src="https://x.example.org/a.webp?v"></p>', "https://x.example.org/a.webp?v", "Outlook for Windows"),
        (
            '<p><img src="https://x.example.org/a.avif"></p>',
            "https://x.example.org/a.avif",
            "Outlook for Windows and Fastmail",
        ),
    ],
)
def test_html_that_a_program_drops(html: str, near: str, clients: str) -> None:
    (found,) = check(with_body(html))
    assert (found.code, found.severity, found.near) == ("DM425", Severity.WARNING, near)
    assert found.message.endswith(f"does not work in {clients}")


def test_a_link_of_the_head() -> None:
    icon = '<link rel="icon" href="https://x.example.org/i.png">'
    assert told(check(replaced("</head>", f"{icon}</head>"))) == [("DM425", "https://x.example.org/i.png")]
    assert told(check(replaced("</head>", '<link rel="icon"></head>'))) == [("DM425", "<link")]
    sheet = '<link rel="stylesheet" href="https://x.example.org/s.css">'  # that is DM422
    assert check(replaced("</head>", f"{sheet}</head>")) == []


@pytest.mark.parametrize(
    "html",
    [
        f'<p><img {PNG} align="left" style="float:left">Words</p>',
        '<table role="none" align="center" style="margin:0 auto"><tr><td>Words</td></tr></table>',
        '<div style="margin:0px auto;max-width:600px;"><p>Words</p></div>',  # MJML puts a table around it
        '<p style="margin:0px auto;border-top:1px solid #d5dcd9;font-size:1px;width:520px;"></p>',  # its divider
        '<div style="display:none"><p style="position:absolute">Words</p><article></article></div>',
        "<!--[if mso]><p style='position:absolute'><v:rect><section></section></v:rect></p><![endif]-->",
        f"<p><img {PNG}><b>a</b> <span>b</span> <code>c</code></p><blockquote>d</blockquote><hr><ul><li>e</li></ul>",
        '<p title="hidden video" class="hidden">rem: 1rem, display:flex, article</p>',
        "<p style='overflow: hidden ;'>Words</p>",
    ],
)
def test_html_that_does_no_harm(html: str) -> None:
    assert check(with_body(html)) == []


@pytest.mark.parametrize(
    "html",
    [
        f'<p><img {PNG} style="float:left">Words</p>',
        '<div align="left" style="float:left">Words</div>',
        f'<p><img {PNG} style="display:block;margin:0 auto"></p>',
        '<table role="none" style="margin:0 auto"><tr><td>Words</td></tr></table>',
    ],
)
def test_what_align_would_do_for_word(html: str) -> None:
    assert [code for code, _ in told(check(with_body(html)))] == ["DM425"]


def test_a_stylesheet_may_use_what_only_some_have() -> None:
    css = "@media (min-width: 480px) { .x { display: flex; position: relative; width: calc(1px + 1rem) } }"
    assert check(replaced("</head>", f"<style>{css}</style></head>")) == []


def test_one_thing_is_told_once() -> None:
    html = with_body('<p style="width:1rem">a</p><p style="width:2rem">b</p><p style="width:1rem;top:0">c</p>')
    assert told(check(html)) == [("DM425", "1rem")]


@given(st.text(), st.text())
def test_no_style_is_too_much(name: str, value: str) -> None:
    css = f"{name}:{value}".replace('"', "'")
    check(styled(css))
    check(f"<{name} {value}>")
