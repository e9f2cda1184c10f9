"""What must hold before an issue is sent: every refusal has its sentence and exit code 4, and nothing was sent."""

import atexit
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from core_support import JULY
from digest_mailer.adapters.archive_probe import probe
from digest_mailer.bootstrap import App, build_app
from digest_mailer.core.audience import Candidate, Exclusion, State
from digest_mailer.core.delivery import HandOff
from digest_mailer.core.edition import Slot, article_topics, decode_edition, encode_edition, select
from digest_mailer.core.errors import ExitCode, InterlockError, NothingMatched
from digest_mailer.core.identity import IssueId, Language
from digest_mailer.core.publication import NoMatch
from digest_mailer.core.segment import EVERYBODY, Segment
from digest_mailer.ports import Transport
from digest_mailer.services.interlocks import check_count
from digest_mailer.services.launch import Launch, Launcher
from digest_mailer.services.send import Ended
from message_support import run
from publication_support import FixedClock, make_publication
from send_support import BUSY, DOWN, SILENCE, TAKEN, Way, keep_one_issue
from store_support import candidate, take_in

OVER = date(2024, 1, 1)  # the end of a pause
TRIAL = Way()
LIVE = Way(live=True, url="smtp://mail.clinic.ca:587?tls=starttls")
OURS: dict[str, Any] = {
    "publication": {"contact": "editor@clinic.ca", "base_url": "https://digest.clinic.ca"},
    "sender": {"address": "digest@clinic.ca", "reply_to": "editor@clinic.ca"},
}


@pytest.fixture
def app(tmp_path: Path) -> App:
    made = make_publication(tmp_path)
    keep_one_issue(made.root)
    return made


def prepare(app: App, transport: Transport = TRIAL, segment: Segment = EVERYBODY) -> Launch:
    return app.launcher(app.library).prepare(JULY, segment, transport)


def deliver(app: App, transport: Way, confirmed: int | None = None) -> Ended:
    """The whole of `send`."""
    launcher = app.launcher(app.library)
    launch = launcher.prepare(JULY, EVERYBODY, transport)
    launcher.start(launch, transport, launch.people if confirmed is None else confirmed)
    sending = app.run(transport, lambda _state: None)
    return run(sending.send(JULY, timedelta(0)))


def refused(app: App, what: str, hint: str = "", transport: Transport = TRIAL) -> None:
    """The send is refused in these words, and changes nothing."""
    file = app.root / "newsletters" / f"{JULY}.md"
    before = file.read_bytes()
    with pytest.raises(InterlockError) as caught:
        prepare(app, transport)
    assert caught.value.exit_code is ExitCode.INTERLOCK
    assert what in caught.value.what
    assert hint in caught.value.hint
    assert app.ledger.mailing(JULY) is None
    assert file.read_bytes() == before


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


def load(app: App, *candidates: Candidate) -> None:
    take_in(app.importer.roster, candidates, app.clock.now())


# -- the approval


def test_what_holds_is_let_through(app: App) -> None:
    launch = prepare(app)
    assert launch.people == launch.plan.people if launch.plan else False
    assert launch.approval == app.approvals.latest(JULY)


def test_an_issue_that_is_not_approved(tmp_path: Path) -> None:
    refused(make_publication(tmp_path, approved=()), "2023-07 is not approved", "digest-mailer approve 2023-07")


def edit_text(root: Path) -> None:
    edit(root / "newsletters" / f"{JULY}.md", "what therapists had best avoid", "what therapists should avoid")


def edit_settings(root: Path) -> None:
    edit(root / "digest.toml", 'accent = "#0b5563"', 'accent = "#0b5564"')


def edit_sender(root: Path) -> None:
    edit(root / "digest.toml", 'reply_to = "editor@', 'reply_to = "office@')


def add_template(root: Path) -> None:
    (root / "templates").mkdir(exist_ok=True)
    (root / "templates" / "digest.css").write_text("/* ours */", "utf-8")


def edit_topic(root: Path) -> None:
    edit(root / "newsletters" / "topics.toml", 'name = "Adherance"', 'name = "Adhering"')


@pytest.mark.parametrize("change", [edit_text, edit_settings, edit_sender, add_template, edit_topic])
def test_an_issue_that_was_changed_since_its_approval(app: App, change: Callable[[Path], None]) -> None:
    prepare(app)
    change(app.root)
    changed = build_app(app.root, clock=app.clock)
    refused(changed, "2023-07 was changed since it was approved on 2024-01-31 12:00 UTC", "approve 2023-07")
    changed.approver(changed.library).approve(JULY, "tests", "")
    assert prepare(changed).people


def test_its_publication_is_no_change(app: App) -> None:
    edit(app.root / "newsletters" / f"{JULY}.md", "published: 2023-07-01\n", "")
    assert prepare(app).people
    app.files.set_published(JULY, date(2024, 1, 30))
    assert prepare(app).people


def test_another_issue_is_no_change(tmp_path: Path) -> None:
    app = make_publication(tmp_path)
    june = app.root / "newsletters" / "2023-06.md"
    june.write_bytes(june.read_bytes().replace(b"published: 2023-06-01", b"published: 2023-06-02"))
    edit(june, "subject: ", "subject: Again ")
    (app.root / "newsletters" / "2023-03.md").unlink()
    assert prepare(app).people


def test_an_issue_with_mistakes(app: App) -> None:
    edit(app.root / "newsletters" / f"{JULY}.md", "subject: ", "subjekt: ")
    refused(app, "2023-07 has mistakes", "digest-mailer lint 2023-07")


def test_an_issue_that_is_not_there(app: App) -> None:
    with pytest.raises(NothingMatched) as caught:
        app.launcher(app.library).prepare(IssueId("2019-01"), EVERYBODY, TRIAL)
    assert caught.value.exit_code == ExitCode.NOTHING


# -- the editions


def make_long(root: Path) -> None:
    """Four articles: too many for every selection to be made in advance."""
    path = root / "newsletters" / f"{JULY}.md"
    article = (
        "\n# A Fourth Article\n\n```yaml\nkey: a-fourth-article\ntopics:\n  - Placebo Effect\n"
        "type: Review or meta-analysis\ntakeaway: It is the fourth of them.\n```\n\nWhat was found.\n\n"
        "## Practice Implications\n\nWhat it means.\n"
    )
    path.write_text(path.read_text("utf-8").rstrip() + "\n" + article, "utf-8")


def test_a_selection_that_a_late_joiner_brings(app: App) -> None:
    make_long(app.root)
    library = app.library
    catalogue, approval = library.vocabulary.catalogue, app.approver(library).approve(JULY, "tests", "")
    articles = article_topics(library.load(JULY), catalogue)
    assert len(articles) == 4
    pairs = [catalogue.words([first.key, second.key]) for first in catalogue for second in catalogue]
    known = {key.positions for key in approval.editions}
    new = next(
        words for words in pairs if select(articles, words, all_topics=False, no_match=NoMatch.SKIP) not in {(), *known}
    )
    assert prepare(app).people
    load(app, replace(candidate("late@clinic.ca"), topics=new, all_topics=False))
    refused(app, "the audience needs editions that were not approved: en-", "somebody joined or changed topics")
    app.approver(app.library).approve(JULY, "tests", "")
    assert prepare(app).people


def test_somebody_who_joins_between_the_plan_and_the_start_is_stopped_with_everything(app: App) -> None:
    launcher = app.launcher(app.library)
    launch = launcher.prepare(JULY, EVERYBODY, TRIAL)
    with app.database.write() as connection:
        connection.exec_driver_sql("DELETE FROM approved_edition WHERE key = 'en-2'")
    load(app, candidate("new@clinic.ca"))
    with pytest.raises(InterlockError, match="people need an edition that was not approved"):
        launcher.start(launch, TRIAL, None)
    assert app.ledger.mailing(JULY) is None


@pytest.mark.parametrize("part", ["html", "text"])
def test_an_edition_without_a_way_out(app: App, part: str) -> None:
    """Compiling refuses it already, so the stored edition is made by hand."""
    approval = app.approvals.latest(JULY)
    assert approval is not None
    bodies = {}
    for key, digest in approval.editions.items():
        edition = decode_edition(app.approvals.artefact(digest))
        rest = tuple(piece for piece in getattr(edition, part) if piece is not Slot.UNSUBSCRIBE)
        bodies[key] = encode_edition(replace(edition, html=rest) if part == "html" else replace(edition, text=rest))
    app.approvals.add(JULY, approval.source_digest, bodies, "tests", "", app.clock.now())
    refused(app, "has no unsubscribe link", "template")


def test_a_publication_without_postal_address(tmp_path: Path) -> None:
    app = make_publication(tmp_path)
    keep_one_issue(app.root)
    edit(app.root / "digest.toml", 'postal_address = "', 'postal_address = " " # "')
    refused(build_app(app.root, clock=app.clock), "the postal address is missing", "postal_address in digest.toml")


# -- the people


@pytest.mark.parametrize(("confirmed", "people"), [(100, 100), (95, 100), (105, 100), (0, 0), (19, 20), (21, 20)])
def test_a_number_within_a_twentieth_is_the_same(confirmed: int, people: int) -> None:
    check_count(confirmed, people)


@pytest.mark.parametrize(("confirmed", "people"), [(94, 100), (106, 100), (1, 0), (0, 1), (17, 19), (18, 19), (1, 28)])
def test_a_number_further_off_is_another(confirmed: int, people: int) -> None:
    with pytest.raises(InterlockError, match=f"{confirmed} people were confirmed, but {people} would"):
        check_count(confirmed, people)


@pytest.mark.parametrize("off", [2, -2])
def test_a_send_of_another_number_than_was_confirmed(app: App, off: int) -> None:
    people = prepare(app).people
    with pytest.raises(InterlockError, match="were confirmed"):
        deliver(app, Way(), people + off)
    assert app.ledger.mailing(JULY) is None


def test_a_list_that_grows_while_the_number_is_being_typed(app: App) -> None:
    launcher = app.launcher(app.library)
    launch = launcher.prepare(JULY, EVERYBODY, TRIAL)
    load(app, *(candidate(f"new{number}@clinic.ca") for number in range(5)))
    with pytest.raises(InterlockError, match=f"{launch.people} people were confirmed, but {launch.people + 5} would"):
        launcher.start(launch, TRIAL, launch.people)
    assert app.ledger.mailing(JULY) is None


def test_a_list_that_empties_while_the_plan_is_looked_at(tmp_path: Path) -> None:
    app = make_publication(tmp_path, people=False)
    load(app, candidate("ann@clinic.ca"))
    launcher = app.launcher(app.library)
    launch = launcher.prepare(JULY, EVERYBODY, TRIAL)
    found = app.subscriptions.by_address("ann@clinic.ca")
    assert app.subscriptions.leave(found, "page")
    with pytest.raises(NothingMatched, match="nobody is left"):
        launcher.start(launch, TRIAL, None)
    assert app.ledger.mailing(JULY) is None


def test_nobody_to_send_to(tmp_path: Path) -> None:
    app = make_publication(tmp_path, people=False)
    with pytest.raises(NothingMatched, match="nobody would get 2023-07: the segment is empty") as caught:
        prepare(app)
    assert caught.value.exit_code is ExitCode.NOTHING
    load(app, candidate("ann@clinic.ca", (251,)))
    with pytest.raises(NothingMatched, match="1 no matching topic"):
        prepare(app)


def test_a_segment_of_nobody(app: App) -> None:
    with pytest.raises(NothingMatched):
        prepare(app, segment=Segment("german", languages=(Language("de"),)))


# -- a live way out


@dataclass
class Archive:
    """A web server that answers as scripted."""

    url: str
    answers: dict[str, tuple[int, str]]
    asked: list[str]


@contextmanager
def archive() -> Iterator[Archive]:
    answers: dict[str, tuple[int, str]] = {}
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            status, location = answers.get(self.path, (404, ""))
            self.send_response(status)
            if location:
                self.send_header("Location", location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield Archive(f"http://127.0.0.1:{server.server_port}", answers, asked)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def live_app(folder: Path, **changes: Any) -> App:
    """A publication that could be somebody's, with two people who are no samples."""
    if not changes:
        shutil.copytree(_live_pattern(), folder / "publication")
        return build_app(folder / "publication", overrides=OURS, clock=FixedClock())
    overrides = {table: OURS[table] | changes.get(table, {}) for table in OURS}
    app = make_publication(folder, people=False, overrides=overrides)
    keep_one_issue(app.root)
    load(app, candidate("ann@clinic.ca"), candidate("bob@clinic.ca", state=State.PAUSED, paused_until=OVER))
    return app


@cache
def _live_pattern() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="digest-mailer-live-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return live_app(folder, publication={}).root


def launcher_with(app: App, answer: str) -> Launcher:
    """A launcher whose archive answers this."""
    launcher = app.launcher(app.library)
    return replace(launcher, interlocks=replace(launcher.interlocks, probe=lambda _url: answer))


def test_everything_in_order_goes_live(tmp_path: Path) -> None:
    launch = launcher_with(live_app(tmp_path), "").prepare(JULY, EVERYBODY, LIVE)
    assert launch.people == 2


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"publication": {"base_url": "http://127.0.0.1:8000"}}, "base_url is not https"),
        (
            {"publication": {"contact": "editor@digest.example.org"}},
            "editor@digest.example.org is at a domain reserved",
        ),
        ({"sender": {"address": "digest@host.test"}}, "digest@host.test is at a domain reserved"),
        ({"sender": {"reply_to": "me@example.com"}}, "me@example.com is at a domain reserved"),
    ],
)
def test_a_sender_that_is_an_example_does_not_go_live(tmp_path: Path, changes: dict[str, Any], what: str) -> None:
    app = live_app(tmp_path, **changes)
    refused(app, what, transport=LIVE)
    assert prepare(app, TRIAL).people == 2


@pytest.mark.parametrize("state", ["active", "paused"])
def test_sample_people_get_no_live_mail(tmp_path: Path, state: str) -> None:
    app = live_app(tmp_path)
    pause = OVER if state == "paused" else None
    load(app, candidate("sample@clinic.example.org", state=State(state), paused_until=pause))
    refused(app, "1 people have addresses at domains reserved for examples", "sample subscribers", LIVE)
    app.subscriptions.leave(app.subscriptions.by_address("sample@clinic.example.org"), "admin")
    assert launcher_with(app, "").prepare(JULY, EVERYBODY, LIVE).people == 2


def test_sample_people_outside_the_segment_do_not_matter(tmp_path: Path) -> None:
    app = live_app(tmp_path)
    load(app, candidate("sample@clinic.example.org", language=Language("fr")))
    english = Segment("english", languages=(Language("en"),))
    assert launcher_with(app, "").prepare(JULY, english, LIVE).people == 2


def test_an_archive_that_does_not_answer_stops_a_live_send(tmp_path: Path) -> None:
    app = live_app(tmp_path)
    with pytest.raises(InterlockError, match=r"the archive at https://digest\.clinic\.ca does not answer: status 503"):
        launcher_with(app, "status 503").prepare(JULY, EVERYBODY, LIVE)
    assert launcher_with(app, "status 503").prepare(JULY, EVERYBODY, TRIAL).people == 2


def test_the_archive_asked_is_the_page_of_all_issues(tmp_path: Path) -> None:
    app = live_app(tmp_path)
    asked: list[str] = []

    def ask(url: str) -> str:
        asked.append(url)
        return ""

    launcher = app.launcher(app.library)
    replace(launcher, interlocks=replace(launcher.interlocks, probe=ask)).prepare(JULY, EVERYBODY, LIVE)
    assert asked == ["https://digest.clinic.ca/issues/"]


def test_a_page_answers_and_anything_else_does_not() -> None:
    with archive() as site:
        site.answers.update(
            {
                "/page": (200, ""),
                "/moved": (302, "/page"),
                "/broken": (500, ""),
                "/away": (302, "ftp://127.0.0.1/page"),
                "/file": (302, "file:///etc/hostname"),
                "/circle": (302, "/circle"),
            }
        )
        assert [probe(site.url + path) for path in ("/page", "/moved")] == ["", ""]
        assert probe(f"{site.url}/broken") == "status 500"
        assert probe(f"{site.url}/nowhere") == "status 404"
        assert probe(f"{site.url}/away") == probe(f"{site.url}/file") == "status 302"
        assert "302" in probe(f"{site.url}/circle")
    assert "refused" in probe(f"{site.url}/page")


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://127.0.0.1/", "clinic.ca", "", "https://"])
def test_only_the_web_is_asked(url: str) -> None:
    assert probe(url)


# -- again and later


def test_an_issue_that_was_sent(app: App) -> None:
    people = deliver(app, Way()).progress[HandOff.ACCEPTED]
    with pytest.raises(InterlockError) as caught:
        prepare(app)
    assert caught.value.what == f"2023-07 was already sent to {people} of {people} people on 2024-01-31"
    assert "nobody gets an issue twice" in caught.value.hint


def test_who_is_unknown_is_named_as_held(app: App) -> None:
    ends = iter([SILENCE])
    ended = deliver(app, Way(lambda _address, _number: next(ends, TAKEN)))
    assert ended.progress[HandOff.UNKNOWN] == 1
    with pytest.raises(InterlockError) as caught:
        prepare(app)
    assert "1 unknown, held" in caught.value.hint


def test_a_started_mailing_goes_on_whatever_became_of_its_issue(app: App) -> None:
    taken = iter([TAKEN] * 5)
    first = Way(lambda _address, _number: next(taken, DOWN))
    people = deliver(app, first).progress.total
    (app.root / "newsletters" / f"{JULY}.md").write_text("no issue at all", "utf-8")
    edit_sender(app.root)
    changed = build_app(app.root, clock=app.clock)
    launch = prepare(changed)
    assert (launch.plan, launch.waiting) == (None, people - 5)
    second = Way()
    deliver(changed, second)
    assert len(first.taken + second.taken) == people
    assert {b"editor@digest.example.org" in content for _, content in second.contents} == {True}


def test_new_people_get_a_wave_of_their_own(app: App) -> None:
    people = deliver(app, Way()).progress.total
    load(app, candidate("new@clinic.ca"))
    second = Way()
    ended = deliver(app, second)
    assert dict(second.taken) == {"new@clinic.ca": 1}
    assert ended.progress[HandOff.ACCEPTED] == people + 1


def test_a_changed_issue_holds_new_people_back_but_not_the_deferred(app: App) -> None:
    ends = iter([BUSY])
    deliver(app, Way(lambda _address, _number: next(ends, TAKEN)))
    load(app, candidate("new@clinic.ca"))
    edit_text(app.root)
    launch = prepare(app)
    assert (launch.plan, launch.waiting) == (None, 1)


def test_new_people_on_a_changed_issue_need_a_new_approval(app: App) -> None:
    deliver(app, Way())
    load(app, candidate("new@clinic.ca"))
    edit_text(app.root)
    with pytest.raises(InterlockError, match="was changed since"):
        prepare(app)


def test_what_was_begun_for_practice_does_not_go_on_live_unchecked(app: App) -> None:
    taken = iter([TAKEN] * 5)
    deliver(app, Way(lambda _address, _number: next(taken, DOWN)))
    with pytest.raises(InterlockError, match="reserved for examples"):
        prepare(app, LIVE)
    assert prepare(app, TRIAL).waiting


def test_what_was_begun_live_goes_on_live_without_asking_again(tmp_path: Path) -> None:
    app = live_app(tmp_path)
    launcher = launcher_with(app, "")
    launcher.start(launcher.prepare(JULY, EVERYBODY, LIVE), LIVE, 2)
    assert launcher_with(app, "status 503").prepare(JULY, EVERYBODY, LIVE).waiting == 2


def test_sending_publishes_before_the_first_mail_can_leave(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    file = app.root / "newsletters" / f"{JULY}.md"
    edit(file, "published: 2023-07-01\n", "")
    monkeypatch.setattr(app.clock, "instant", app.clock.now().replace(day=1, hour=3))
    launcher = app.launcher(app.library)
    launch = launcher.prepare(JULY, EVERYBODY, TRIAL)
    with pytest.raises(InterlockError):
        launcher.start(launch, TRIAL, launch.people * 2)
    assert "published:" not in file.read_text("utf-8")
    assert app.ledger.mailing(JULY) is None
    assert launcher.start(launch, TRIAL, None) == launch.people
    assert "published: 2023-12-31\n" in file.read_text("utf-8")  # the day in Toronto


def test_what_cannot_be_published_is_not_frozen(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    edit(app.root / "newsletters" / f"{JULY}.md", "published: 2023-07-01\n", "")
    launcher = app.launcher(app.library)
    launch = launcher.prepare(JULY, EVERYBODY, TRIAL)

    def full(*_args: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(launcher.library.source, "set_published", full)
    with pytest.raises(OSError, match="No space"):
        launcher.start(launch, TRIAL, None)
    assert app.ledger.mailing(JULY) is None


def test_having_dropped_the_last_topic_never_means_everything(app: App) -> None:
    settings = app.root / "digest.toml"
    edit(settings, 'no_match = "skip"', 'no_match = "all"')
    again = build_app(app.root, clock=app.clock)
    plan = again.launcher(again.library).plan(again.library.load(JULY), EVERYBODY)
    assert Exclusion.NO_TOPIC not in plan.excluded
    nothing = [p for p in again.people.listing(EVERYBODY, [State.ACTIVE]) if not p.all_topics and not any(p.topics)]
    assert plan.excluded[Exclusion.FOLLOWS_NOTHING] == len(nothing) > 0
