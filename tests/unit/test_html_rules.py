"""Each rule for a finished HTML part: what it finds, and the neighbours that it leaves alone."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest_mailer.core.edition import Slot
from digest_mailer.core.errors import Severity
from digest_mailer.rendering.rules.html_rules import GMAIL_CLIP, ROOM, check_html
from digest_mailer.rendering.rules.look import Look, inherited, read_colour
from digest_mailer.rendering.rules.markup import scan
from digest_mailer.rendering.rules.naming import LONGEST, short
from digest_mailer.rendering.rules.outlook_view import holds
from digest_mailer.rendering.rules.page import read_page
from digest_mailer.rendering.rules.style import GMAIL_STYLE, read_style
from finished_support import HTML, PLACE, replaced, told, with_body

PNG = "https://digest.example.org/a.png"
URL = "https://digest.example.org/x"

WARNINGS = {"DM412", "DM413", "DM423"}


def test_a_right_edition_has_no_finding() -> None:
    assert check_html(HTML) == []


# -- size


def test_the_html_is_too_long_from_one_byte_on() -> None:
    """Every mark counts as what it may become."""
    marks = sum(HTML.count(slot.mark) * (room - len(slot.mark)) for slot, room in ROOM.items())
    room = GMAIL_CLIP - len(HTML) - marks - len(" é")
    assert check_html(replaced("stand here.", f"stand here. {'x' * (room - 1)}é")) == []
    found = check_html(replaced("stand here.", f"stand here. {'x' * room}é"))
    assert told(found) == [("DM401", "")]
    assert "104,449" in found[0].message


def test_there_is_room_for_a_long_reason_and_a_long_address() -> None:
    assert ROOM[Slot.WHY] >= 500
    assert ROOM[Slot.UNSUBSCRIBE] == ROOM[Slot.PREFERENCES] >= len(f"https://{'x' * 90}.example.org/u/{'t' * 40}")


# -- styles


def sheet(css: str) -> str:
    """The HTML with one more stylesheet."""
    return replaced("</head>", f"<style>{css}</style></head>")


def test_all_stylesheets_count_together() -> None:
    so_far = len("".join(re.findall(r"<style>(.*?)</style>", HTML)))
    css = f"/*{'é' * 100}{'x' * (GMAIL_STYLE - so_far - 204)}*/"  # fills it to the last byte
    assert check_html(sheet(css)) == []
    assert told(check_html(replaced("</head>", f"<style>{css}</style><style> </style></head>"))) == [("DM403", "")]
    assert GMAIL_STYLE == 16_384


@pytest.mark.parametrize(
    ("css", "near"),
    [
        ("p { color: red;", "{"),
        ("p { color: red; } }", "}"),
        ("} p { color: red; }", "}"),
        ("@media print { @font-face { font-family: x; } }", "@font-face"),
        ("p { color red; }", "color red"),
        ("p { color: red; margin }", "margin"),
        ("@media print { p { : red } }", ": red"),
        ("p { background: url(x; }", "background: url(x"),
    ],
)
def test_css_that_gmail_drops(css: str, near: str) -> None:
    assert told(check_html(sheet(css))) == [("DM404", near)]


@pytest.mark.parametrize(
    "css",
    [
        "",
        "@media (prefers-color-scheme: dark) { .x { color: #ffffff !important; } }",
        '@charset "utf-8"; p { content: "}"; }',
        "p { content: '@media {'; /* } @page { */ }",
        "[data-ogsc] .x, .x > table > tbody { color: red }",
        "a[href^=x] { background: url(a@2x.png) }",
        "@font-face { font-family: x; src: url(https://x.example.org/a;b.woff) }",
        "p {} q { ; }",
        ":root { --x: 1px; color-scheme: light dark }",
    ],
)
def test_css_that_gmail_reads(css: str) -> None:
    assert check_html(sheet(css)) == []


@pytest.mark.parametrize(
    ("css", "near"),
    [
        ("color", "color"),
        ("color:", "color:"),
        ("color red; margin:0", "color red"),
        ("margin:0; background:url(x", "background:url(x"),
        ("margin:0; {color:red}", "{color:red}"),
        ("font-family:'Times", "font-family:'Times"),
        ("1px: color", "1px: color"),
    ],
)
def test_a_style_that_cannot_be_read(css: str, near: str) -> None:
    assert ("DM404", near) in told(check_html(with_body(f'<p style="{css}">Words stand here.</p>')))


@pytest.mark.parametrize(
    ("css", "near"),
    [
        ("padding-left:0; padding:10px", "padding-left"),
        ("margin-top:4px;color:#000000;margin:0", "margin-top"),
        ("border-top:1px solid #000000; border:0", "border-top"),
        ("border-bottom-color:#000000; border-bottom:0", "border-bottom-color"),
        ("border-top-width:1px; border-top:0", "border-top-width"),
        ("border-right-style:solid; border-right:0", "border-right-style"),
        ("border-left-width:4px; border-left:0", "border-left-width"),
        ("text-decoration-color:#000000; text-decoration:none", "text-decoration-color"),
        ("outline-color:#000000; outline:0", "outline-color"),
        ("border-color:#000000; border:0", "border-color"),
        ("background-color:#ffffff; background:none", "background-color"),
        ("line-height:20px; font:17px serif", "line-height"),
        ("font-size:17px; font:17px serif", "font-size"),
        ("list-style-type:disc; list-style:none", "list-style-type"),
        ("border-top-left-radius:4px; border-radius:0", "border-top-left-radius"),
    ],
)
def test_a_shorthand_after_its_longhand(css: str, near: str) -> None:
    assert told(check_html(with_body(f'<p style="{css}">Words stand here.</p>'))) == [("DM424", near)]


@pytest.mark.parametrize(
    "css",
    [
        "",
        ";;",
        "padding:10px; padding-left:0",
        "border-collapse:collapse; border:0",
        "border-spacing:0; border-radius:4px; border:0",
        "border-top-left-radius:4px; border:0; border-top:0",
        "border-bottom-right-radius:4px; border-bottom:0",
        "border-radius:4px; border-top:1px solid #000000",
        "margin-left:4px; padding:0",
        "font-size:17px; font-family:Georgia, Times New Roman, serif",
        "mso-line-height-rule:exactly; -webkit-text-size-adjust:100%; line-height:1.5",
        "background:url('data:x;y') #ffffff; color:#000000",
        "/* color red */ color:#000000 ! important",
        "color:#000000; content:'a;b\\00201D'",
        "outline-offset:1px; outline:0",
    ],
)
def test_styles_that_are_right(css: str) -> None:
    assert check_html(with_body(f'<p style="{css}">Words stand here.</p>')) == []


def test_a_style_is_read_as_a_browser_reads_it() -> None:
    style = read_style("Color: RED !important; background: url(a;b) ; --x:1;display:block;display:none")
    assert style.declarations == (
        ("color", "RED"),
        ("background", "url(a;b)"),
        ("--x", "1"),
        ("display", "block"),
        ("display", "none"),
    )
    assert style.hides
    assert not read_style("display:none;display:block").hides
    assert not read_style("display:block;float:none").hides


# -- leftovers


@pytest.mark.parametrize(
    ("html", "near"),
    [
        ("<mj-text>Words stand here.</mj-text>", "<mj-text"),
        ("<!--[if mso]><mj-raw></mj-raw><![endif]--><p>Words stand here.</p>", "<mj-raw"),
        ('<p class="{{ name }}">Words stand here.</p>', "{{"),
        ('<p id="a{% if x %}">Words stand here.</p>', "{%"),
        ('<p {{ attributes }}="x">Words stand here.</p>', "{{"),
        ("<p}}>Words stand here.</p}}>", "p}}"),
        ("<MJML><p>Words stand here.</p></MJML>", "<MJML"),
        ('<!--[if mso]><mj- a="b"></mj-><![endif]--><p>Words stand here.</p>', "<mj-"),
        ("<p class='undefined'>Words stand here.</p>", "class='undefined'"),
        ("<p class=None>Words stand here.</p>", "class=None"),
        ('<table role="none"><tr><td>None</td></tr></table><p>Words stand here.</p>', "None"),
        ('<table role="none"><tr><td><p>None</p><table><tr><th>x</th></tr></table></td></tr></table>', "None"),
        (f'<p><a href="{URL}/%7B%7Bkey%7D%7D">Words</a> stand here.</p>', "%7B%7B"),
        (f'<p><a href="{URL}/*|EMAIL|*">Words</a> stand here.</p>', "*|"),
        ('<!--[if mso]><td width="{{ width }}"></td><![endif]--><p>Words stand here.</p>', "{{"),
        ("<p>Words __DM_NAME__ stand here.</p>", "__DM_NAME__"),
        ("<p>Words __DM_WHY stand here.</p>", "__DM_WHY"),
        ('<p class="None">Words stand here.</p>', 'class="None"'),
        (f'<p>Words <img src="{PNG}" width="1" height="1" alt="undefined"></p>', 'alt="undefined"'),
        ("<p>None</p><p>Words stand here.</p>", "None"),
        ("<p>Words</p><div> undefined </div>", "undefined"),
        ("<p>Words \u0092 stand here.</p>", "\u0092"),
    ],
)
def test_what_was_left_behind(html: str, near: str) -> None:
    codes = told(check_html(with_body(html)))
    assert ("DM405", near) in codes
    assert {code for code, _ in codes} <= {"DM405", "DM408"}  # an address with `|` is none


def test_a_sign_of_a_template_in_a_stylesheet() -> None:
    assert ("DM405", "{{") in told(check_html(sheet("p { color: {{ theme.ink }}; }")))
    assert check_html(sheet("@media print{#outlook a{padding:0}}")) == []


@pytest.mark.parametrize(
    "html",
    [
        "<p>Write {{ name }} or {% if x %} in a template, {# like this #}, and *| that |*.</p>",
        f'<p><img src="{PNG}" width="1" height="1" alt="{{{{ braces }}}}"></p>',
        '<p title="{{ 7*7 }}" aria-label="{% x %}">Words stand here.</p>',
        "<p>None of the studies found it; undefined behaviour neither.</p>",
        "<p><em>None</em> of the <strong>undefined</strong> <code>None</code> <s>None</s></p><pre>None</pre>",
        "<p><b>None</b> of the <i>undefined</i></p>",
        '<table class="data"><tr><th>Harm</th></tr><tr><td>None</td></tr></table>',
        "<table><tr><th>None</th><td><a id='x'>None</a></td></tr></table>",
        "<p>Nonesuch</p><p>none</p>",
        '<div style="display:none">None</div><p>Words</p>',
        "<p>&lt;mj-text&gt; is an element.</p>",
        "<p>__DM_WHY__</p>",
        "<p>\u00a0Words\u00ad</p>",
        f'<p>A <a href="{URL}/100%25/%7Bkey%7D">set</a></p>',
    ],
)
def test_what_belongs_there(html: str) -> None:
    assert check_html(with_body(html)) == []


# -- links


def link(href: str, words: str = "The study itself") -> str:
    """The HTML with one more link."""
    return with_body(f'<p id="here"><a href="{href}" style="color:#0b5563">{words}</a></p>')


@pytest.mark.parametrize(
    "href",
    [
        "http://example.org/",
        "http://localhost.example.org/",
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "data:text/html,x",
        "ftp://example.org/",
        "ftp://localhost/",
        "/issues/",
        "issues/2023-07",
        "//example.org/",
        "https://",
        "https:///path",
        "https://[broken/",
        "https://example.org/a b",
        "mailto:",
        "mailto:editor",
        "__DM_WHY__",
        "https://example.org/__DM_OTHER__{x}",
    ],
)
def test_an_address_that_a_mail_cannot_have(href: str) -> None:
    assert ("DM408", href) in told(check_html(link(href)))


def test_a_link_without_an_address() -> None:
    assert told(check_html(with_body("<p><a>The study itself</a></p>"))) == [("DM408", "The study itself")]
    assert told(check_html(link(""))) == [("DM408", "The study itself")]
    assert check_html(with_body('<p><a id="a1" name="a1">The study itself</a></p>')) == []


@pytest.mark.parametrize(
    "href",
    [
        "https://example.org/a?b=c&amp;d=%20#e",
        "HTTPS://example.org/",
        " https://example.org/ ",
        "http://localhost:8400/issues/",
        "http://127.0.0.1:8400/",
        "http://[::1]:8400/",
        "mailto:editor@example.org",
        "mailto:editor@example.org?subject=Hello",
        "#here",
        "#h%65re",
        "__DM_UNSUBSCRIBE__",
        "__DM_PREFERENCES__",
        "__DM_PREFERENCES__#pause",
        "https://www.example.com.example.org/",
        "https://doi.org/10.1234/a;b(c)",
    ],
)
def test_an_address_that_a_mail_can_have(href: str) -> None:
    assert check_html(link(href)) == []


@pytest.mark.parametrize(
    "href",
    [
        *("#", "URL", "url", "link", "address", "TODO", "tbd", "FIXME", "xxx", "XXXX", "…", "..."),
        *("https://example.com", "https://www.example.com/a", "http://todo", "https://URL/", "https://tbd/x"),
        *(
            "https://xxx",
            "https://link",
            "https://…",
            "https://doi.org/…",
            "https://doi.org/...",
            "https://a.org/%E2%80%A6",
        ),
    ],
)
def test_a_placeholder(href: str) -> None:
    assert told(check_html(link(href))) == [("DM409", href)]


def test_an_anchor_that_leads_nowhere() -> None:
    assert told(check_html(link("#nowhere"))) == [("DM410", "#nowhere")]
    assert check_html(with_body('<p><a href="#x">The study</a> <a name="x">target</a></p>')) == []


@pytest.mark.parametrize(
    "words", ["", " ", "<img src='https://x.example.org/a.png' alt='' width='1' height='1'>", "<span> </span>"]
)
def test_a_link_without_words(words: str) -> None:
    assert told(check_html(link(URL, words))) == [("DM411", URL)]


def test_a_link_whose_words_are_elsewhere() -> None:
    image = f'<img src="{PNG}" alt="The study" width="1" height="1">'
    assert check_html(link(URL, image)) == []
    assert check_html(with_body(f'<p><a href="{URL}" aria-label="The study"></a></p>')) == []
    assert check_html(with_body(f'<div style="display:none"><a href="{URL}"></a></div><p>Words</p>')) == []


@pytest.mark.parametrize(
    "words",
    [
        *("here", "Click here", "click", "read  more", "Read more »", "more…", "see more", "Learn more", "This"),
        *("this link", "link", "Ici", "cliquez ici", "cliquer ici", "Lire la suite →", "Lire plus", "En savoir plus"),
        *("(lien)", "ce lien", "plus", "« Voir plus »", "suite", "“here”", "[more]", "here!", "more?", "– link –"),
    ],
)
def test_words_that_fit_any_link(words: str) -> None:
    found = check_html(link(URL, words))
    assert told(found) == [("DM412", URL)]
    assert found[0].severity is Severity.WARNING


@pytest.mark.parametrize("words", ["Read more about empathy", "here and there", "Morehouse", "Linked data", "Icicles"])
def test_words_that_say_where(words: str) -> None:
    assert check_html(link(URL, words)) == []


def test_a_link_with_nothing_to_go_by() -> None:
    assert ("DM411", "<a") in told(check_html(with_body('<p><a href=""></a>Words</p>')))
    picture = f'<p><a href="{URL}"><img src="{PNG}" width="1" height="1"></a>Words</p>'
    assert told(check_html(with_body(picture))) == [("DM411", URL), ("DM415", PNG)]


def test_a_line_break_parts_words() -> None:
    assert told(check_html(link(URL, "Read<br>more"))) == [("DM412", URL)]
    page = read_page(with_body("<p>one<br>two<br/></p>"))
    assert "one two" in [node.words for node in page.having("p")]


def test_the_parts_of_a_map_are_links() -> None:
    area = f'<map name="m"><area href="{URL}" alt="The study"><area href="{URL}/2"></map><p>Words</p>'
    assert told(check_html(with_body(area))) == [("DM411", f"{URL}/2")]


def test_a_personal_link_is_found_by_its_words() -> None:
    html = replaced(">unsubscribe<", ">here<")
    assert told(check_html(html)) == [("DM412", "here")]


def two_links(first: str, second: str, words: str = "The study", label: str = "") -> str:
    return with_body(f'<p><a href="{first}">The study</a> <a href="{second}"{label}>{words}</a></p>')


def test_the_same_words_for_two_addresses() -> None:
    found = check_html(two_links(URL, f"{URL}/2", "the  study"))
    assert told(found) == [("DM413", f"{URL}/2")]
    assert found[0].severity is Severity.WARNING
    assert URL in found[0].message


def test_links_that_say_nothing_are_not_compared() -> None:
    assert told(check_html(with_body(f'<p>x<a href="{URL}"></a><a href="{URL}/2"></a></p>'))) == [
        ("DM411", URL),
        ("DM411", f"{URL}/2"),
    ]
    assert told(check_html(with_body(f'<p><a href="{URL}">here</a> <a href="{URL}/2">here</a></p>'))) == [
        ("DM412", URL),
        ("DM412", f"{URL}/2"),
    ]


@pytest.mark.parametrize(
    "html",
    [
        two_links(URL, URL),
        two_links(URL, f"{URL}/2", "The other study"),
        two_links("#x", URL, label=' id="x"'),
        two_links(URL, f"{URL}/2", label=' aria-label="The study of 2024"'),
    ],
)
def test_the_same_words_for_one_address(html: str) -> None:
    assert check_html(html) == []


@pytest.mark.parametrize(
    ("href", "words"),
    [
        (URL, "https://example.org/x"),
        (URL, "www.example.org"),
        (URL, "doi.org/10.1234/x"),
        ("https://doi.org.evil.example.org/10.1234/x", "https://doi.org/10.1234/x"),
        ("https://doi.org@evil.example.org/", "https://doi.org"),
        ("mailto:editor@example.org", "editor@example.net"),
    ],
)
def test_words_that_show_another_host(href: str, words: str) -> None:
    assert told(check_html(link(href, words))) == [("DM414", href)]


@pytest.mark.parametrize(
    ("href", "words"),
    [
        ("https://www.doi.org/10.1234/x", "https://doi.org/10.1234/x"),
        ("https://doi.org/10.1234/a%20b", "https://doi.org/10.1234/…"),
        ("https://doi.org/10.1234/x", "10.1234/x"),
        (URL, "Node.js"),
        (URL, "e.g."),
        (URL, "p.05"),
        (URL, "The site example.org says so"),
        ("mailto:Editor@EXAMPLE.org?subject=x", "editor@example.org"),
        ("https://xn--mller-kva.example.org/", "https://müller.example.org/"),
        (URL, "editor@example.net"),
        ("__DM_UNSUBSCRIBE__", "https://digest.example.org/u"),
        ("#here", "www.example.org"),
        ("mailto:editor@example.org", "www.example.net"),
    ],
)
def test_words_that_show_the_host_or_none(href: str, words: str) -> None:
    assert check_html(link(href, words)) == []


# -- structure


@pytest.mark.parametrize(
    ("attributes", "near"),
    [
        (f'src="{PNG}" width="2" height="1"', PNG),
        ('src="http://example.org/a.png" alt="a" width="2" height="1"', "http://example.org/a.png"),
        ('src="data:image/png;base64,AA" alt="a" width="2" height="1"', "data:image/png;base64,AA"),
        ('src="cid:logo" alt="a" width="2" height="1"', "cid:logo"),
        ('alt="A graph" width="2" height="1"', "A graph"),
        ('alt="" width="2" height="1"', "<img"),
        (f'src="{PNG}" alt="a" height="1"', PNG),
        (f'src="{PNG}" alt="a" width="2"', PNG),
        (f'src="{PNG}" alt="a" width="100%" height="1"', PNG),
        (f'src="{PNG}" alt="a" width="2" height="auto"', PNG),
        (f'src="{PNG}" alt="a" width="2px" height="1"', PNG),
    ],
)
def test_a_picture_that_is_not_whole(attributes: str, near: str) -> None:
    assert told(check_html(with_body(f"<p>Words <img {attributes}></p>"))) == [("DM415", near)]


@pytest.mark.parametrize(
    "html",
    [
        f'<p>Words <img src="{PNG}" alt="" width="520" height="300"></p>',
        f'<p>Words <img src="{PNG}?a=1" alt="A graph" width=" 2 " height="1"></p>',
        '<div style="display:none"><img></div><p>Words</p>',
        "<!--[if mso]><img><![endif]--><p>Words</p>",
    ],
)
def test_a_picture_that_is_whole(html: str) -> None:
    assert check_html(with_body(html)) == []


@pytest.mark.parametrize(
    ("html", "near"),
    [
        (replaced("<h1>July 2023</h1>", "<p>July 2023</p>"), ""),
        (replaced("<h1>July 2023</h1>", '<h1 style="display:none">July 2023</h1>'), ""),
        (with_body("<h1>Another</h1>"), "Another"),
        (with_body("<h4>Too   deep</h4>"), "Too deep"),
        (replaced("<h2>Empathy helps</h2>", "<h3>Empathy <em>helps</em></h3>"), "Empathy helps"),
    ],
)
def test_headings_in_disorder(html: str, near: str) -> None:
    assert told(check_html(html)) == [("DM416", near)]


@pytest.mark.parametrize("html", ["<h3>a</h3><h4>b</h4><h2>c</h2>", "<h2>a</h2>", "<h3>a</h3><h3>b</h3>"])
def test_headings_in_order(html: str) -> None:
    assert check_html(with_body(html)) == []


@pytest.mark.parametrize(
    ("old", "new", "near"),
    [
        ('<html lang="en"', "<html", "<mjml"),
        ('<html lang="en"', '<html lang="und"', "<mjml"),
        ('<html lang="en" dir="ltr"', '<html lang="en"', "<mjml"),
        ('<html lang="en" dir="ltr"', '<html lang="en" dir="auto"', "<mjml"),
        ("<title>Practice Digest: July 2023</title>", "", "<mj-head"),
        ("<title>Practice Digest: July 2023</title>", "<title> </title>", "<mj-head"),
        ('<div lang="en"', "<div", "<mj-body"),
    ],
)
def test_what_is_not_said_of_the_language(old: str, new: str, near: str) -> None:
    assert told(check_html(replaced(old, new))) == [("DM417", near)]


def test_a_language_that_is_said_where_nobody_looks() -> None:
    html = replaced('<div lang="en"', '<div lang="en" style="display:none">x</div><div')
    assert told(check_html(html)) == [("DM417", "<mj-body")]


def test_a_language_from_right_to_left() -> None:
    assert check_html(replaced('<html lang="en" dir="ltr"', '<html lang="AR" dir="RTL"')) == []


@pytest.mark.parametrize(
    "table",
    [
        "<table><tr><td>a</td></tr></table>",
        '<table role="grid"><tr><td>a</td></tr></table>',
        "<table><tr><td><table><tr><th>a</th></tr></table></td></tr></table>",  # the inner one has the th
    ],
)
def test_a_layout_table_without_its_role(table: str) -> None:
    assert told(check_html(with_body(table))) == [("DM418", "<table")]


@pytest.mark.parametrize(
    "table",
    [
        '<table role="none"><tr><td>a</td></tr></table>',
        '<table role="PRESENTATION"><tr><td>a</td></tr></table>',
        "<table><thead><tr><th>a</th></tr></thead><tbody><tr><td>b</td></tr></tbody></table>",
        '<table role="none"><tr><td><table><tr><th>a</th></tr></table></td></tr></table>',
    ],
)
def test_tables_that_are_told_apart(table: str) -> None:
    assert check_html(with_body(table)) == []


def test_one_id_for_two() -> None:
    assert told(check_html(with_body('<p id="a">x</p><p id="a">y</p><p id="b">z</p>'))) == [("DM419", 'id="a"')]
    assert check_html(with_body('<p id="a">x</p><p id="b"><a id="c" name="c">y</a></p>')) == []


@pytest.mark.parametrize(
    ("html", "near"),
    [
        ("<script>x()</script><p>Words</p>", "<script"),
        ("<form><p>Words</p></form>", "<form"),
        ("<iframe></iframe><p>Words</p>", "<iframe"),
        ("<object></object><p>Words</p>", "<object"),
        ('<p onclick="x()">Words</p>', "onclick="),
        ("<p ONMOUSEOVER = x>Words</p>", "onmouseover="),
    ],
)
def test_what_no_mail_program_runs(html: str, near: str) -> None:
    assert told(check_html(with_body(html))) == [("DM422", near)]


def test_a_stylesheet_from_elsewhere() -> None:
    font = "https://fonts.example.org/css"
    assert told(check_html(replaced("</head>", f'<link rel="stylesheet" href="{font}"></head>'))) == [("DM422", font)]
    assert told(check_html(sheet(f"@import url({font});"))) == [("DM422", f"@import url({font})")]


@pytest.mark.parametrize(
    "html", ["<p>&lt;script&gt; on click = no</p>", f'<p><a href="{URL}?onclick=1">on top = x</a></p>', "<p>form</p>"]
)
def test_what_only_looks_active(html: str) -> None:
    assert check_html(with_body(html)) == []


# -- legibility


def words_in(style: str, inside: str = "Words stand here.", tag: str = "p") -> str:
    return with_body(f'<{tag} style="{style}">{inside}</{tag}>')


@pytest.mark.parametrize(
    ("html", "near"),
    [
        (words_in("color:#777777"), "Words stand here."),
        (words_in("color:#FFF"), "Words stand here."),
        (words_in("color:silver"), "Words stand here."),
        (words_in("color:rgb(150, 150, 150)"), "Words stand here."),
        (words_in("color:rgba(0,0,0,.4)"), "Words stand here."),
        (words_in("color:#00000066"), "Words stand here."),
        (words_in("background-color:#1f2933"), "Words stand here."),
        (words_in("background:url(x.png) #333333"), "Words stand here."),
        (words_in("background:#333333 none"), "Words stand here."),
        (words_in("color:#777777;background-color:inherit"), "Words stand here."),
        (words_in("color:#777777;background-color:unset"), "Words stand here."),
        (words_in("color:#777777;background-image:none"), "Words stand here."),
        (words_in("color:#777777;background-color:#ffffff;background-image:url(x.png)"), "Words stand here."),
        (words_in("color:#777777;background-image:url(x.png);background-color:#ffffff"), "Words stand here."),
        (words_in("color:#777777;background-color:transparent"), "Words stand here."),
        (words_in("color:#777777", "<span>Deep <b>words</b></span>"), "Deep"),
        (words_in("color:#777777", "<b style='color:#000000'>Dark</b> pale"), "pale"),
        (words_in("color:#777777", "<!-- x -->pale"), "pale"),
        (with_body('<table role="none" bgcolor="#333333"><tr><td>Words</td></tr></table>'), "Words"),
        (with_body('<div bgcolor="333"><p>Words</p></div>'), "Words"),
        (words_in("background-color:#0b5563", f'<a href="{URL}">Blue by default</a>'), "Blue by default"),
        (words_in("color:#ffffff", "<a style='color:inherit' href='#x' id=x>White</a>"), "White"),
    ],
)
def test_words_too_faint(html: str, near: str) -> None:
    assert told(check_html(html)) == [("DM420", near)]


@pytest.mark.parametrize(
    "html",
    [
        words_in("color:#767676"),
        words_in("color:#777777;display:none", "Words <b>stand</b> here.") + "<p>x</p>",
        words_in("color:#777777", " \u00a0<b style='color:#000000'>Dark</b>\ufeff"),
        words_in("background-color:transparent;color:inherit"),
        words_in("color:#ffffff;background:#0b5563"),
        words_in("color:#ffffff;background-image:url(x.png)"),  # nobody knows what it shows
        words_in("color:#ffffff;background-color:#0b5563;background-image:url(x.png)"),
        words_in("color:nonsense"),
        words_in("color:rgba(0,0,0,.9)"),
        words_in("color:#ffffff;background-color:rgba(0, 0, 0, 80%)"),
        words_in("color:#ffffff;background:linear-gradient(#000000, #111111)"),
        with_body('<p style="color:#ffffff"><img src="' + PNG + '" alt="white" width="1" height="1"></p>'),
        words_in("color:#777777", "<a id='x' name='x'></a>"),
        words_in("color:#ffffff;background-color:#0b5563", "<a id='x' name='x'>No link, and not blue</a>"),
        words_in("color:#ffffff;background:conic-gradient(#000000, #111111)"),
    ],
)
def test_words_that_can_be_read(html: str) -> None:
    assert check_html(html) == []


def test_the_page_has_a_background_too() -> None:
    html = replaced('<body style="background-color:#f3f4f0;">', '<body bgcolor="#444444">')
    assert told(check_html(html)) == [("DM420", "__DM_WHY__"), ("DM420", "Choose your topics")]


def test_one_pair_of_colours_is_told_once() -> None:
    faint = '<p style="color:#777777">one</p><p style="color:#777777">two</p><p style="color:#888888">three</p>'
    assert told(check_html(with_body(faint))) == [("DM420", "one"), ("DM420", "three")]
    larger = '<p style="color:#777777">one</p><p style="color:#777777;font-size:20px">two</p>'
    assert told(check_html(with_body(larger))) == [("DM420", "one")]


def test_one_size_is_told_once() -> None:
    small = (
        '<p style="font-size:12px">one</p><p style="font-size:12px;color:#000000">two</p><p style="font-size:9px">x</p>'
    )
    assert told(check_html(with_body(small))) == [("DM423", "one"), ("DM423", "x")]


@pytest.mark.parametrize(
    ("css", "tag"),
    [
        ("font-size:12px", "p"),
        ("font-size:12.9px", "p"),
        ("font-size:9pt", "p"),
        ("font-size:0.7em", "p"),
        ("font-size:70%", "p"),
        ("font-size:x-small", "p"),
        ("font:italic 12px/20px serif", "p"),
        ("font-size:smaller", "small"),
        ("font-size:0", "p"),
    ],
)
def test_words_too_small(css: str, tag: str) -> None:
    html = words_in(css.replace("font-size:0;", ""), f"<{tag}>Words</{tag}>", "div")
    if css == "font-size:0":
        html = words_in("font-size:0px", "Words", "div")
    if tag == "small":
        html = words_in("font-size:14px", "<small>Words</small>")
    found = check_html(html)
    assert told(found) == [("DM423", "Words")]
    assert found[0].severity is Severity.WARNING


@pytest.mark.parametrize(
    "html",
    [
        words_in("font-size:13px"),
        words_in("font-size:0px", " <p style='font-size:17px'>Words</p> ", "div"),
        words_in("font-size:0.8em"),
        words_in("font-size:10pt"),
        words_in("font-size:1rem"),
        words_in("font-size:medium"),
        words_in("font-size:max(16px, 1rem)"),
        words_in("font:caption"),
        words_in("font-size:10px;display:none") + "<p>x</p>",
    ],
)
def test_words_large_enough(html: str) -> None:
    assert check_html(html) == []


@pytest.mark.parametrize(
    ("text", "colour"),
    [
        ("#fff", (255, 255, 255, 1)),
        ("fff", (255, 255, 255, 1)),
        ("#0b5563", (11, 85, 99, 1)),
        ("#0b556380", (11, 85, 99, 128 / 255)),
        ("#0008", (0, 0, 0, 136 / 255)),
        ("rgb(1,2,3)", (1, 2, 3, 1)),
        ("rgb(300 2 3)", (255, 2, 3, 1)),
        ("rgba(1, 2, 3, .5)", (1, 2, 3, 0.5)),
        ("rgb(1 2 3 / 50%)", (1, 2, 3, 0.5)),
        ("transparent", (0, 0, 0, 0)),
        ("teal", (0, 128, 128, 1)),
        ("no-repeat", None),
        ("", None),
        ("#ff", None),
        ("rgba(1,2,3,1.2.3)", (1, 2, 3, 1)),
    ],
)
def test_colours_as_css_writes_them(text: str, colour: tuple[float, ...] | None) -> None:
    assert read_colour(text) == (pytest.approx(colour) if colour else None)


@pytest.mark.parametrize(
    ("size", "pixels"),
    [
        *(("15px", 15), ("12pt", 16), ("2pc", 32), ("0.25in", 24), ("1cm", 37.8), ("10mm", 37.8), ("1.5rem", 24)),
        *(("1.5em", 30), ("2ex", 20), (".9em", 18), ("50%", 10), ("smaller", 16.67), ("larger", 24)),
        *(("xx-small", 9), ("x-small", 10), ("small", 13), ("medium", 16), ("large", 18), ("x-large", 24)),
        *(("xx-large", 32), ("inherit", 20), ("calc(1px + 1em)", 20)),
    ],
)
def test_sizes_as_css_writes_them(size: str, pixels: float) -> None:
    assert inherited(Look(size=20), "p", f"font-size:{size}").size == pytest.approx(pixels, abs=0.01)


@pytest.mark.parametrize(
    ("tag", "pixels"),
    [
        *(("h1", 40), ("h2", 30), ("h3", 23.4), ("h4", 20), ("h5", 16.6), ("h6", 13.4)),
        *(("small", 16.67), ("sub", 16.67), ("sup", 16.67), ("p", 20)),
    ],
)
def test_sizes_that_browsers_give(tag: str, pixels: float) -> None:
    assert inherited(Look(size=20), tag).size == pytest.approx(pixels, abs=0.01)


def test_what_cannot_be_known_stays_unknown() -> None:
    picture = inherited(Look(), "td", "background-image:url(x.png)")
    assert picture == Look("#000000", "", 16)
    assert inherited(picture, "p", "color:rgba(0,0,0,.5)").colour == ""
    assert inherited(picture, "p", "background-color:rgba(0,0,0,.5)").background == ""
    assert inherited(picture, "p", "background-color:#ffffff").background == "#ffffff"


def test_a_look_is_handed_down() -> None:
    body = inherited(Look(), "body", "font:17px/28px serif; color:#1f2933", "#F3F4F0")
    assert body == Look("#1f2933", "#f3f4f0", 17)
    assert inherited(body, "p", "margin:0") is body
    assert inherited(body, "h1") == Look("#1f2933", "#f3f4f0", 34)
    assert inherited(body, "a").colour == "#0000ee"
    assert inherited(body, "td", "color:rgba(0,0,0,.5); background-color:#ffffff").colour == "#808080"


# -- Outlook's view


@pytest.mark.parametrize(
    ("html", "near"),
    [
        ("<!--[if mso]><table><tr><td><![endif]--><p>Words</p>", "</tbody>"),
        ("<p>Words</p><!--[if mso]></td></tr></table><![endif]-->", "</table>"),
        ("<!--[if mso]><table><tr></table><![endif]--><p>Words</p>", "</table>"),
        ("<!--[if mso | IE]><div><![endif]--><p>Words</p>", "</td>"),
        ("<!--[if !mso]><!--><div><!--<![endif]--><p>Words</p></div>", "</div>"),
        ("<!--[if mso]><p>x</p><p>Words</p>", "[if mso]"),
        ("<p>Words</p><![endif]-->", "[endif]"),
        ("<!--[if mso]><!--[if gte mso 9]><![endif]--><![endif]--><p>Words</p>", "[if mso]"),
        ("<!--[if gte mso 9]><v:rect><v:fill/><![endif]--><p>Words</p>", "</td>"),
    ],
)
def test_a_view_of_outlook_that_falls_apart(html: str, near: str) -> None:
    found = told(check_html(with_body(html)))
    assert [one for one in found if one[0] == "DM426"] == [("DM426", near)]


@pytest.mark.parametrize(
    "html",
    [
        "<!--[if mso]><table><tr><td><![endif]--><p>Words</p><!--[if mso]></td></tr></table><![endif]-->",
        "<!--[if mso]><b>only</b><![endif]--><!--[if !mso]><!--><i>the others</i><!--<![endif]-->",
        "<!--[if !mso]>--><p>Words</p><!--<![endif]-->",
        "<!--[if !mso]><!--></div><!--<![endif]--><p>Words</p>",  # a browser closes nothing here, Outlook sees nothing
        "<!--[if lte mso 11]><style>.x { width:100% }</style><div><![endif]--><p>Words</p>",
        "<!--[if gte mso 9]><v:rect x='a>b'><v:fill color='#fff' /></v:rect><br><![endif]--><p>Words</p>",
        "<!-- <td> an ordinary comment, </p> --><p>Words</p>",
        '<p title="a > b </p>">Words<br>more<img src="' + PNG + '" alt="" width="1" height="1"></p>',
        "<!--[if mso]><TABLE><tr></TR></table><![endif]--><p>Words</p>",
    ],
)
def test_a_view_of_outlook_that_holds(html: str) -> None:
    assert [one for one in told(check_html(with_body(html))) if one[0] == "DM426"] == []


@pytest.mark.parametrize(
    ("condition", "true"),
    [
        ("mso", True),
        ("!mso", False),
        ("! mso", False),
        ("!!mso", True),
        ("mso | IE", True),
        ("(mso)|(IE)", True),
        ("(gte mso 9)|(IE)", True),
        ("!(mso)", False),
        ("IE", False),
        ("!IE", True),
        ("lte IE 9", False),
        ("gte mso 9", True),
        ("lte mso 11", False),
        ("lt mso 16", False),
        ("lte mso 16", True),
        ("gt mso 15", True),
        ("gt mso 16", False),
        ("gte mso 17", False),
        ("mso 16", True),
        ("mso 12", False),
        ("true", True),
        ("false", False),
        ("gte vml 1", True),
        ("(mso)&(!IE)", True),
        ("mso & IE", False),
        ("IE | mso & !IE", True),
        ("MSO", True),
        ("nonsense", False),
        ("gte mso 1.2.3", True),
        ("((", False),
    ],
)
def test_conditions_as_outlook_judges_them(condition: str, true: bool) -> None:
    assert holds(condition) is true


class _Oracle(HTMLParser):
    """The tags that Python's own parser finds."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(("", tag))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(("", tag))

    def handle_endtag(self, tag: str) -> None:
        self.tags.append(("/", tag))


tag_names = st.sampled_from(["p", "td", "table", "v:rect", "br", "h1", "a", "o:p"])
attributes = st.sampled_from(["", ' a="b"', " a='>'", ' a=">" b', " c", ' d="<td>"', " e=f "])
pieces = st.one_of(
    st.builds("<{}{}>".format, tag_names, attributes),
    st.builds("<{}{}/>".format, tag_names, attributes),
    st.builds("</{}>".format, tag_names),
    st.sampled_from(["words", " ", "a &lt; b", "5 > 4", "<!-- <p> -->", "é“"]),
)


@given(st.lists(pieces).map("".join))
def test_the_scanner_finds_the_tags_that_pythons_parser_finds(html: str) -> None:
    oracle = _Oracle()
    oracle.feed(html)
    oracle.close()
    assert [(slash, name.lower()) for _, slash, name, *_ in scan(html) if name] == oracle.tags


# -- whatever comes


def test_every_finding_says_what_to_do_and_names_things_briefly() -> None:
    long = "x" * 300
    html = with_body(
        f'<h5>{long}</h5><p style="color:#888888;font-size:9px;{long}">{long} \u0085 __DM_{long}</p>'
        f'<img src="http://{long}"><table><td>{long}</table><p id="{long}"></p><p id="{long}"></p>'
        f'<a href="http://{long}">{long}</a><a href="#{long}">here</a><a href="https://{long}"></a>'
        f'<a href="https://b/{long}">https://{long}/</a><a href="https://c/{long}">{long}</a>'
        f'<p on{long}="x" {{{{{long}="None">None</p><form></form>'
    )
    found = check_html(html)
    assert len({finding.code for finding in found}) >= 14
    for finding in found:
        assert finding.hint, finding
        assert finding.code.startswith("DM4")
        assert "x" * (LONGEST + 1) not in finding.message + finding.hint
        assert not finding.message.endswith(".")
        assert (finding.severity is Severity.WARNING) == (finding.code in WARNINGS), finding


def test_limits_that_others_set() -> None:
    assert (GMAIL_CLIP, GMAIL_STYLE, LONGEST) == (104_448, 16_384, 60)
    assert ROOM[Slot.WHY] == 720


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("x" * 60, "x" * 60),
        ("x" * 61, f"{'x' * 59}…"),
        (f"{'x' * 58} {'y' * 9}", f"{'x' * 58}…"),
        (" a\n b\u00a0", "a b"),
    ],
)
def test_a_name_is_cut_to_one_short_line(text: str, shown: str) -> None:
    assert short(text) == shown


@pytest.mark.parametrize("html", ["", " ", "<!-- x -->", "\x00", "\ud800", "plain", "<", "<p", "<?xml version='1.0'?>"])
def test_hardly_any_html_is_still_judged(html: str) -> None:
    assert "DM416" in {finding.code for finding in check_html(html)}


def test_a_deep_document_is_still_judged() -> None:
    assert check_html("<div>" * 5000 + "x")


signs = [*"<>/!-[]{}\"'=;:@#() \n%*", "<!--[if mso]>", "<![endif]-->", "style", "td", "a", "é", "p", "url("]
html_signs = st.lists(st.sampled_from(signs)).map("".join)


@given(st.one_of(st.text(), html_signs), st.sampled_from(["{}", '<p style="{}">x</p>', '<a href="{}">{}</a>', "<{}>"]))
def test_no_text_is_too_much(text: str, frame: str) -> None:
    check_html(with_body(frame.replace("{}", text)))


@given(st.one_of(st.text(), html_signs))
def test_no_stylesheet_is_too_much(css: str) -> None:
    check_html(sheet(css))
    read_style(css)
    holds(css)


@given(st.lists(pieces).map("".join))
def test_a_page_has_all_words_that_are_seen(html: str) -> None:
    page = read_page(with_body(html))
    assert page.text.count("words") == html.replace("<!-- <p> -->", "").count("words")
    assert [node.at for node in page.nodes] == list(range(len(page.nodes)))
    assert PLACE not in page.html
