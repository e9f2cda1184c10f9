"""The preview: every view of an issue, who may see what, that nothing is fetched or changed, and broken files."""

import asyncio
import threading
from pathlib import Path
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from accessible_support import flaws
from admin_support import admin_client, document
from digest_mailer.adapters.appearance import SCHEMES, WIDE
from digest_mailer.adapters.browser import Browser
from digest_mailer.adapters.browser import View as Screen
from digest_mailer.bootstrap import App
from digest_mailer.core.account import Role
from digest_mailer.core.message import Message
from digest_mailer.core.segment import EVERYBODY
from digest_mailer.rendering.views import View, html_view, pictures
from digest_mailer.services.preview import samples
from digest_mailer.services.watching import Watch
from digest_mailer.web.admin.changes import told
from digest_mailer.web.admin.inbox_line import WIDTHS, inbox_lines
from publication_support import EVERYTHING, ONE_TOPIC, make_publication, person, table_rows

PAGE = "/admin/issues/2023-07/"
WHOLE = f"{PAGE}editions/en-1.2.3/"
HOSTILE = '<script>alert("x")</script> & "quoted" <img src=x onerror=alert(1)>'
LANGUAGES = pytest.mark.parametrize("language", ["en", "fr"])


@pytest.fixture
def app(tmp_path: Path) -> App:
    """A publication to change."""
    return make_publication(tmp_path)


@pytest.fixture
def client(app: App) -> TestClient:
    """Somebody at the machine."""
    return admin_client(app)


def issue_file(app: App) -> Path:
    """The file of July."""
    return app.root / "newsletters" / "2023-07.md"


def edit(app: App, old: str, new: str) -> None:
    """Change something in the file of July."""
    text = issue_file(app).read_text("utf-8")
    assert old in text
    issue_file(app).write_text(text.replace(old, new, 1), "utf-8")


def sample(app: App, key: str = "en-1.2.3") -> Message:
    """The message that `build` makes."""
    library = app.library
    made = samples(app.composer(library), library.readable(library.named("2023-07")), app.people)
    return next(one.message for one in made if str(one.key) == key)


# -- the page


def test_issues_are_listed_with_how_far_they_have_come(client: TestClient) -> None:
    page = client.get("/admin/issues/")
    rows = {row.findtext("th/a"): row.text_content() for row in document(page.text).findall(".//tbody/tr")}
    assert "Approved" in rows["July 2023"]
    assert "Draft" in rows["June 2023"]
    assert len(rows) == 14
    assert 'aria-current="page">Issues' in page.text


def test_the_page_has_every_view_and_every_edition_with_its_readers(app: App, client: TestClient) -> None:
    page = document(client.get(PAGE).text)
    views = [frame.get("src").partition("view=")[2] for frame in page.iter("iframe")]
    assert views == ["light", "light", "dark", "plain", "headers", "raw", "mjml"]
    assert {frame.get("sandbox") for frame in page.iter("iframe")} == {"allow-same-origin"}
    options = page.xpath('//select[@name="edition"]/option/text()')
    library = app.library
    issue = library.readable(library.named("2023-07"))
    plan = app.readers.plan(issue, app.composer(library), EVERYBODY)
    assert plan.people > 0
    assert sum(int(option.split(" · ")[1].split()[0]) for option in options) == plan.people
    assert len(options) == 14
    assert "Sandbox" in page.xpath('string(//*[contains(@class, "sticky")])')


def test_readers_are_counted_of_a_segment(app: App, client: TestClient) -> None:
    everybody, french = (client.get(PAGE, params=one).text for one in ({}, {"segment": "language:fr"}))
    counted = [document(text).xpath('string(//*[@id="counted"])') for text in (everybody, french)]
    assert "language:fr" in counted[1]
    assert int(counted[1].split(".")[1].split()[0]) < int(counted[0].split()[0])
    assert "segment=language%3Afr" in french
    assert client.get(PAGE, params={"segment": "nobody"}).status_code == 404
    assert client.get(PAGE, params={"segment": "any:nonsense"}).status_code == 400


def test_a_live_transport_is_said(tmp_path: Path) -> None:
    live = make_publication(tmp_path, overrides={"delivery": {"transport": "smtp://relay.example.org"}}, people=False)
    for path in (PAGE, "/admin/issues/", f"{PAGE}lint/"):
        assert 'class="badge live">Live' in admin_client(live).get(path).text


def test_the_transport_is_what_the_settings_say_now(app: App, client: TestClient) -> None:
    path = app.root / "digest.toml"
    text = path.read_text("utf-8")
    assert 'transport = "sandbox:"' in text
    path.write_text(text.replace('transport = "sandbox:"', 'transport = "smtp://relay.example.org"'), "utf-8")
    assert 'class="badge live">Live' in client.get(PAGE).text
    path.write_text(text.replace('transport = "sandbox:"', 'transport = "smtp://127.0.0.1:1025?tls=none"'), "utf-8")
    assert 'class="badge">Sandbox' in client.get(PAGE).text


def test_size_is_shown_against_both_limits(app: App, client: TestClient) -> None:
    page = document(client.get(PAGE).text)
    meter = page.find(".//meter")
    assert int(meter.get("value")) == len(sample(app).html.encode())
    assert (meter.get("high"), meter.get("max")) == (str(app.publication.html_budget), "104448")


def test_inboxes_cut_subject_and_preheader() -> None:
    lines = list(inbox_lines("s" * 60, "p" * 120))
    assert [len(line.subject) for line in lines] == [48, 37, 60]
    assert [len(line.preheader) for line in lines] == [99, 40, 30]
    assert all(line.preheader.endswith("…") for line in lines)
    assert [line.subject for line in inbox_lines("July", "")] == ["July"] * len(WIDTHS)
    assert list(inbox_lines("s" * 90, "p"))[2].preheader == ""


def test_an_edition_that_is_gone_gives_way_to_the_whole_issue(client: TestClient) -> None:
    page = document(client.get(PAGE, params={"edition": "en-9"}).text)
    assert page.xpath("//select/option[@selected]/@value")[0] == "en-1.2.3"
    assert client.get(f"{PAGE}editions/en-9/").status_code == 404


def test_what_is_not_there_is_said(client: TestClient) -> None:
    assert client.get("/admin/issues/2019-01/").status_code == 404
    assert client.get("/admin/issues/july/").status_code == 400
    assert client.get("/admin/issues/2019-01/lint/").status_code == 404


# -- the frames


def test_frames_show_the_message_that_build_makes(app: App, client: TestClient) -> None:
    message = sample(app)
    raw = client.get(WHOLE, params={"save": "yes"})
    assert raw.content == message.content
    assert raw.headers["content-type"] == "message/rfc822"
    assert raw.headers["content-disposition"] == 'attachment; filename="2023-07-en-1.2.3.eml"'
    shown = {view: document(client.get(WHOLE, params={"view": view}).text) for view in View}
    assert shown[View.PLAIN].findtext(".//pre").split() == message.text.split()
    assert shown[View.RAW].findtext(".//pre").split() == message.content.decode().split()
    assert shown[View.MJML].findtext(".//pre").startswith("<mjml")
    names = [one.text for one in shown[View.HEADERS].iter("dt")]
    assert {"List-Unsubscribe", "List-Id", "Subject", "Message-ID"} <= set(names)
    assert "What helps and what harms" in shown[View.LIGHT].xpath("string(//title)") + message.subject


@pytest.mark.parametrize("view", View)
def test_frames_may_do_nothing(client: TestClient, view: View) -> None:
    answer = client.get(WHOLE, params={"view": view})
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-same-origin; default-src 'none';")
    assert "script" not in policy
    assert "http" not in policy
    assert answer.headers["cache-control"] == "no-store"
    assert "<script" not in answer.text


def test_a_scheme_holds_whatever_the_machine_prefers(app: App) -> None:
    html = sample(app).html
    assert "(prefers-color-scheme: dark)" in html
    light, dark = html_view(html, View.LIGHT), html_view(html, View.DARK)
    assert "@media (min-width: 0)" in dark
    assert "@media (max-width: 0)" in light
    assert "prefers-color-scheme" not in light + dark
    words = '<html><head></head><body><p title="(prefers-color-scheme: dark)">(prefers-color-scheme: dark)</p></body>'
    assert html_view(words, View.DARK).count("(prefers-color-scheme: dark)") == 2
    assert "min-width: 0" in html_view('<style media="(prefers-color-scheme:dark)">p{}</style>', View.DARK)


def test_the_browser_sees_dark_and_light(app: App, client: TestClient, browser: Browser) -> None:
    screens = [Screen(WIDE, scheme) for scheme in SCHEMES]
    colour = "() => getComputedStyle(document.body).backgroundColor"
    seen = {
        view: browser.ask(client.get(WHOLE, params={"view": view}).text, colour, screens) for view in ("light", "dark")
    }
    assert set(seen["light"]).isdisjoint(seen["dark"])
    assert len(set(seen["light"])) == len(set(seen["dark"])) == 1


def test_nothing_is_fetched_from_elsewhere_and_that_is_said() -> None:
    html = (
        '<html><head><style>p{color:red}</style></head><body background="https://x.example/b.png">'
        '<img src="https://x.example/a.png" alt="a > b"><img alt="" src="data:image/gif;base64,R0"></body></html>'
    )
    assert [(one.address, one.words, one.outside) for one in pictures(html)] == [
        ("https://x.example/a.png", "a > b", True),
        ("data:image/gif;base64,R0", "", False),
    ]
    assert "x.example" not in html_view(html, View.LIGHT)
    assert "data:image/gif" in html_view(html, View.LIGHT)
    assert "data:image/gif" not in html_view(html, View.NO_IMAGES)
    assert 'alt="a > b"' in html_view(html, View.NO_IMAGES)
    bare = html_view(html, View.NO_STYLE)
    assert "<style" not in bare
    assert "style=" not in bare


def test_a_logo_is_named_where_it_is_left_out(tmp_path: Path) -> None:
    theme = {"logo": "https://cdn.example.org/logo.png", "logo_width": 120, "logo_height": 40}
    app = make_publication(tmp_path, overrides={"theme": theme}, approved=())
    page = document(admin_client(app).get(PAGE).text).xpath('string(//*[@id="pictures"])')
    assert "https://cdn.example.org/logo.png" in page
    assert "cdn.example.org" not in admin_client(app).get(WHOLE).text


# -- as a subscriber


def test_a_message_as_a_subscriber_would_get_it(app: App, client: TestClient) -> None:
    who = person(app, ONE_TOPIC)
    found = client.post(PAGE, data={"email": ONE_TOPIC})
    assert found.status_code == 303
    assert found.headers["location"] == f"{PAGE}?as={who.id}"
    page = client.get(found.headers["location"]).text
    assert ONE_TOPIC in page
    source = document(page).find(".//iframe").get("src")
    text = client.get(source.replace("view=light", "view=plain")).text
    assert "because you follow" in text
    raw = client.get(source.replace("view=light", "view=raw")).text
    assert ONE_TOPIC in raw
    assert source.split("/editions/")[1].split("/")[0] != "en-1.2.3"


def test_its_links_are_good_for_nothing(app: App, client: TestClient) -> None:
    before = person(app)
    text = client.get(f"{PAGE}editions/fr-1.2.3/", params={"view": "plain", "as": str(before.id)}).text
    link = next(word for word in text.split() if "/u/" in word)
    client.post(link[link.index("/u/") :], data={"List-Unsubscribe": "One-Click"})
    assert person(app) == before


def test_an_address_that_nobody_has_is_shown_again(client: TestClient) -> None:
    for typed, status in (("nobody@clinic.example.org", 400), ("nonsense", 400)):
        answer = client.post(PAGE, data={"email": typed})
        assert answer.status_code == status
        assert f'value="{typed}"' in answer.text
    assert client.get(PAGE, params={"as": "12345"}).status_code == 404
    assert client.get(PAGE, params={"as": "x"}).status_code == 404


def test_authors_see_the_preview_but_nobody(app: App) -> None:
    author = admin_client(app, Role.AUTHOR)
    page = author.get(PAGE)
    assert page.status_code == 200
    assert 'type="email"' not in page.text
    assert author.get(f"{PAGE}lint/").status_code == 200
    assert author.get(f"{PAGE}changes/").status_code == 200
    number = str(person(app).id)
    assert author.get(PAGE, params={"as": number}).status_code == 403
    assert author.get(WHOLE, params={"as": number}).status_code == 403
    assert author.post(PAGE, data={"email": EVERYTHING}).status_code == 403


def test_strangers_are_asked_to_sign_in(app: App, client: TestClient) -> None:
    client.cookies.clear()
    for path in ("/admin/issues/", PAGE, WHOLE, f"{PAGE}lint/", f"{PAGE}changes/"):
        answer = client.get(path)
        assert answer.status_code == 303
        assert answer.headers["location"] == f"/admin/sign-in/?next={path}"


@pytest.mark.parametrize(
    ("wanted", "target"),
    [
        (PAGE, PAGE),
        (f"{PAGE}?as=12", f"{PAGE}?as=12"),
        (f"{PAGE}?segment=any%3Aempathy+language%3Afr", f"{PAGE}?segment=any%3Aempathy+language%3Afr"),
        ("https://elsewhere.example/", "/admin/"),
        ("//elsewhere.example/admin/", "/admin/"),
        ("/admin/\\elsewhere.example", "/admin/"),
        ("/admin/?x=\r\nSet-Cookie: y", "/admin/"),
    ],
)
def test_a_link_that_signs_in_leads_to_the_page(app: App, client: TestClient, wanted: str, target: str) -> None:
    client.cookies.clear()
    address = f"/admin/in/{app.admission.local_link('tests')}/?next={quote(wanted, safe='')}"
    action = document(client.get(address).text).xpath('//form[@method="post"]/@action')[0]
    assert client.post(action).headers["location"] == target


# -- nothing changes, nothing gets out


def test_looking_changes_nothing(app: App, client: TestClient) -> None:
    client.get(PAGE)
    before, files = table_rows(app), {path: path.stat().st_mtime_ns for path in app.files.folder.iterdir()}
    paths = ["/admin/issues/", PAGE, f"{PAGE}?as={person(app).id}", f"{PAGE}lint/", f"{PAGE}changes/"]
    for path in (*paths, *(f"{WHOLE}?view={view}" for view in View), f"{WHOLE}?save=yes"):
        assert client.get(path).status_code == 200
    assert table_rows(app) == before
    assert {path: path.stat().st_mtime_ns for path in app.files.folder.iterdir()} == files


def test_words_of_an_issue_are_words(app: App, client: TestClient) -> None:
    quoted = HOSTILE.replace("'", "''")
    edit(app, "subject: What helps and what harms in therapy", f"subject: '{quoted}'")
    edit(app, "preheader: Empathy", f"preheader: '{quoted}'\nx: Empathy")
    edit(app, "x: Empathy, repair and humility go further than the manual, two chapters report.\n", "")
    edit(app, "# Therapeutic Relationship Factors that Do Not Work", f"# Factors {HOSTILE}")
    for address in (PAGE, f"{PAGE}lint/", "/admin/issues/", *(f"{WHOLE}?view={view}" for view in View)):
        answer = client.get(address)
        assert answer.status_code == 200
        scripts = [one.get("src") for one in document(answer.text).iter("script")]
        assert scripts == (["/admin/preview.js"] if address == PAGE else [])
        assert not document(answer.text).xpath("//@onerror")


# -- broken, and mended


def test_a_broken_file_leaves_the_last_good_view(app: App, client: TestClient) -> None:
    good, whole = client.get(WHOLE).text, issue_file(app).read_text("utf-8")
    issue_file(app).write_text("---\nsubject: [\n", "utf-8")
    page = client.get(PAGE).text
    trouble = document(page).xpath('string(//*[@id="trouble"])')
    assert "newsletters/2023-07.md:1:1" in trouble
    assert "the last version that could" in trouble
    assert client.get(WHOLE).text == good
    assert client.get(f"{PAGE}editions/fr-2/").status_code == 200  # nobody had looked at it before
    issue_file(app).write_text(whole.replace("What helps", "What mends"), "utf-8")
    page = client.get(PAGE).text
    assert document(page).xpath('normalize-space(//*[@id="trouble"])') == ""
    assert "What mends" in page


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("digest.toml", "[publication\n"),
        ("newsletters/topics.toml", "nonsense"),
        ("templates/digest.mjml.j2", "<mjml>{{ nobody }}</mjml>"),
    ],
)
def test_so_do_settings_topics_and_templates(app: App, name: str, text: str) -> None:
    (app.root / "templates").mkdir()
    (app.root / "templates" / "digest.css").write_text(app.files.templates()["digest.css"], "utf-8")
    vars(app).pop("files", None)
    client = admin_client(app)
    good = client.get(WHOLE).text
    path = app.root / name
    before = path.read_text("utf-8") if path.exists() else None
    path.write_text(text, "utf-8")
    page = client.get(PAGE)
    assert page.status_code == 200
    assert document(page.text).xpath('normalize-space(//*[@id="trouble"])')
    assert client.get(WHOLE).text == good
    assert client.get(f"{PAGE}lint/").status_code == 200
    path.unlink() if before is None else path.write_text(before, "utf-8")
    assert document(client.get(PAGE).text).xpath('normalize-space(//*[@id="trouble"])') == ""


def test_an_issue_that_never_could_be_read_shows_what_is_wrong(app: App, client: TestClient) -> None:
    issue_file(app).write_text("no issue at all", "utf-8")
    page = client.get(PAGE)
    assert page.status_code == 200
    assert "newsletters/2023-07.md:1:1" in document(page.text).xpath('string(//*[@id="trouble"])')
    assert not document(page.text).findall(".//iframe")


def test_changed_settings_show_at_once(app: App, client: TestClient) -> None:
    client.get(PAGE)
    path = app.root / "digest.toml"
    path.write_text(
        path.read_text("utf-8").replace('name = "Practice Research Digest"', 'name = "Another Name"', 1), "utf-8"
    )
    assert "Another Name" in client.get(WHOLE).text


# -- proofs


def test_an_edition_is_made_once(app: App) -> None:
    source = app.proofs.source(app.library.named("2023-07"))
    keys = source.composer.keys(source.issue, None)
    first, _ = app.proofs.proof(source, keys[0])
    june = app.root / "newsletters" / "2023-06.md"
    june.write_text(june.read_text("utf-8").replace("\n\n", "\n\n\n", 1), "utf-8")
    again = app.proofs.source(app.library.named("2023-07"))
    assert again.composer is not source.composer
    assert app.proofs.proof(again, keys[0])[0] is first
    edit(app, "What helps", "What mends")
    assert app.proofs.proof(app.proofs.source(app.library.named("2023-07")), keys[0])[0] is not first


# -- lint


def test_findings_lead_to_their_lines(app: App, client: TestClient) -> None:
    edit(app, "  - Adherance", "  - Adherence to nothing")
    line = issue_file(app).read_text("utf-8").split("\n").index("  - Adherence to nothing") + 1
    page = document(client.get(f"{PAGE}lint/").text)
    found = page.xpath('//*[@class="findings"]/li[contains(., "Adherence to nothing")]')[0]
    target = found.find("a").get("href")
    assert target == f"#newsletters/2023-07.md%3A{line}"
    marked = page.get_element_by_id(f"newsletters/2023-07.md:{line}")
    assert marked.get("class") == "error"
    assert marked.text_content() == "  - Adherence to nothing"
    assert len(page.xpath('//*[@class="source"]//li')) == len(issue_file(app).read_text("utf-8").split("\n"))


def test_a_finding_in_a_template_shows_the_template(app: App) -> None:
    own = app.root / "templates"
    own.mkdir()
    (own / "digest.mjml.j2").write_text(
        app.files.templates()["digest.mjml.j2"].replace("<mj-body", "<mj-body nonsense='1'", 1), "utf-8"
    )
    vars(app).pop("files", None)
    page = document(admin_client(app).get(f"{PAGE}lint/").text)
    assert page.xpath('//*[@class="source"]/@aria-label') == ["newsletters/2023-07.md", "templates/digest.mjml.j2"]


def test_a_sound_issue_has_nothing_wrong(client: TestClient) -> None:
    assert "Nothing is wrong." in client.get(f"{PAGE}lint/").text


# -- changes


def test_one_thread_watches_and_ends_with_its_last_listener() -> None:
    stamp, told, changed = ["a"], {"x": [""], "y": [""]}, threading.Event()

    def listener(name: str) -> object:
        def hear(value: str) -> None:
            told[name].append(value)
            if value == "b" and name == "y":
                changed.set()

        return hear

    watch = Watch(lambda: stamp[0], every=0.001)
    assert not watch.looking
    with watch.listening(listener("x")), watch.listening(listener("y")):  # type: ignore[arg-type]
        assert len([one for one in threading.enumerate() if one.name == "watch"]) == 1
        stamp[0] = "b"
        assert changed.wait(10)
    assert told == {"x": ["", "a", "b"], "y": ["", "a", "b"]}
    for thread in [one for one in threading.enumerate() if one.name == "watch"]:
        thread.join(10)
    assert not watch.looking


def test_a_stamp_changes_with_every_file_that_counts(app: App) -> None:
    stamp = app.proofs.composer()[1]
    (app.root / "newsletters" / "2023-07.md~").write_text("x")
    (app.root / "newsletters" / ".2023-07.md.swp").write_text("x")
    assert app.proofs.composer()[1] == stamp
    seen = {stamp}
    for name in ("newsletters/2023-07.fr.md", "newsletters/topics.toml", "digest.toml", "templates/digest.css"):
        path = app.root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text((path.read_text("utf-8") if path.exists() else "") + "\n", "utf-8")
        seen.add(app.proofs.composer()[1])
    assert len(seen) == 5


def test_events_say_the_stamp_and_end_with_the_watch(app: App) -> None:
    async def heard() -> list[str]:
        lines = []
        async for line in told(app.watch):
            lines.append(line)
            if line.startswith("data"):
                app.watch.close()
        return lines

    assert asyncio.run(heard()) == ["retry: 500\n\n", f"data: {app.proofs.composer()[1]}\n\n"]


def test_who_wants_no_events_is_told_the_stamp(app: App, client: TestClient) -> None:
    assert client.get(f"{PAGE}changes/").text == f"{app.proofs.composer()[1]}\n"
    app.watch.close()
    events = client.get(f"{PAGE}changes/", headers={"accept": "text/event-stream"})
    assert events.headers["content-type"].startswith("text/event-stream")
    assert events.text == "retry: 500\n\n"
    script = client.get("/admin/preview.js")
    assert script.headers["content-type"].startswith("text/javascript")


# -- on a screen


@LANGUAGES
def test_the_pages_on_a_screen(app: App, browser: Browser, language: str) -> None:
    client = admin_client(app, language=language)
    addresses = ["/admin/issues/", PAGE, f"{PAGE}?as={person(app).id}&look=no-style", f"{PAGE}lint/"]
    for address in addresses:
        page = client.get(address)
        assert f'<html lang="{language}"' in page.text
        assert flaws(browser, client, page.text) == [], address
    assert flaws(browser, client, client.post(PAGE, data={"email": "nobody@x.example"}).text) == []
    edit(app, "  - Adherance", "  - Adherence to nothing")
    edit(app, "---\n", "---\nfoo: bar\n")
    for address in (PAGE, f"{PAGE}lint/"):
        assert flaws(browser, client, client.get(address).text) == [], address
