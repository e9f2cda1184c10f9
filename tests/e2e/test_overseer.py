"""The admin beside a mailing: pause, resume, cancel, retry, unknown, deliveries, why, by the command."""

from email import message_from_bytes, policy
from pathlib import Path

import pytest

from command_support import command, process
from core_support import JULY
from digest_mailer.bootstrap import App, build_app
from digest_mailer.core.delivery import HandOff
from publication_support import EVERYTHING, ONE_TOPIC, freeze, make_publication, person


@pytest.fixture
def app(tmp_path: Path) -> App:
    made = make_publication(tmp_path)
    return build_app(made.root)


def send(app: App, *words: str) -> int:
    return command(
        "-C", app.root, "send", JULY, "--transport", f"outbox:{app.root / 'out'}", "--wait", "0", *words
    ).code


def move(app: App, address: str, state: str, detail: str = "") -> None:
    """Put somebody's row into a state, as a run that had bad luck would."""
    with app.database.write() as connection:
        statement = "UPDATE delivery SET state = ?, detail = ? WHERE subscriber_id = ?"
        connection.exec_driver_sql(statement, (state, detail, person(app, address).id))


def test_a_mailing_is_paused_resumed_and_then_over(app: App) -> None:
    people = freeze(app)
    assert command("-C", app.root, "pause", JULY).code == 0
    status = command("-C", app.root, "--json", "status", JULY).json
    assert (status["status"], status["detail"], status["planned"]) == ("paused", "paused by hand", people)
    words = ("-C", app.root, "--json", "resume", JULY, "--transport", f"outbox:{app.root / 'out'}", "--wait", "0")
    done = command(*words)
    assert (done.code, done.json["accepted"], done.json["unknown_people"]) == (0, people, [])
    assert len(list((app.root / "out").iterdir())) == people
    again = command("-C", app.root, "pause", JULY)
    assert again.code == 4
    assert "there is nothing to pause" in again.err


def test_a_cancelled_mailing_cannot_be_sent(app: App) -> None:
    people = freeze(app)
    done = command("-C", app.root, "--json", "cancel", JULY)
    assert (done.code, done.json["cancelled"]) == (0, people)
    assert send(app) == 4
    assert command("-C", app.root, "resume", JULY).code == 4
    assert not (app.root / "out").exists()


def test_nothing_was_sent_yet(app: App) -> None:
    for words in (("pause",), ("resume",), ("cancel",), ("retry",), ("unknown",), ("deliveries",)):
        assert command("-C", app.root, *words, JULY).code == 6, words


def test_the_unknown_are_named_with_what_can_be_done_and_settled(app: App, tmp_path: Path) -> None:
    assert send(app) == 0
    for address in (EVERYTHING, ONE_TOPIC):
        move(app, address, "unknown", "at end of content: the connection was lost")
    shown = command("-C", app.root, "unknown", JULY)
    assert shown.code == 5
    assert EVERYTHING in shown.out
    assert "likely" in shown.out
    assert "--resolve resend" in shown.out
    log = tmp_path / "mail.log"
    (mail,) = [path for path in (app.root / "out").iterdir() if EVERYTHING.encode() in path.read_bytes()]
    log.write_text(f"{EVERYTHING} {message_from_bytes(mail.read_bytes(), policy=policy.default)['Message-ID']}\n")
    heard = command("-C", app.root, "--json", "unknown", JULY, "--evidence", log)
    assert heard.json["accepted_by_evidence"] == 1
    assert [one["address"] for one in heard.json["unknown_people"]] == [ONE_TOPIC]
    again = command("-C", app.root, "--json", "unknown", JULY, ONE_TOPIC, "--resolve", "resend")
    assert (again.code, again.json["resolved"]) == (0, 1)
    before = mail.stat().st_mtime_ns
    assert send(app) == 0
    assert mail.stat().st_mtime_ns == before
    assert app.ledger.progress(app.library.named(JULY)).open == 0


def test_who_was_refused_is_tried_again_when_asked(app: App) -> None:
    assert send(app) == 0
    move(app, ONE_TOPIC, "refused", "5.1.1 no such user")
    assert command("-C", app.root, "retry", JULY).code == 6
    done = command("-C", app.root, "--json", "retry", JULY, "--state", "refused")
    assert done.json["people"] == 1
    assert send(app) == 0
    assert app.ledger.progress(app.library.named(JULY))[HandOff.REFUSED] == 0


def test_deliveries_list_everybody_of_a_mailing(app: App) -> None:
    assert send(app) == 0
    move(app, ONE_TOPIC, "refused", "5.1.1 no such user")
    everybody = command("-C", app.root, "--json", "deliveries", JULY).json["deliveries"]
    assert len(everybody) == app.ledger.progress(app.library.named(JULY)).total
    (refused,) = command("-C", app.root, "--json", "deliveries", JULY, "--state", "refused").json["deliveries"]
    assert (refused["address"], refused["answer"]) == (ONE_TOPIC, "5.1.1 no such user")
    shown = command("-C", app.root, "deliveries", JULY, "--domain", "clinic.example.org")
    assert shown.code == 0
    assert "university" not in shown.out
    assert command("-C", app.root, "deliveries", JULY, "--domain", "nowhere.example").code == 6


def test_why_somebody_got_it_with_the_octets(app: App, tmp_path: Path) -> None:
    assert send(app) == 0
    found = command("-C", app.root, "--json", "why", ONE_TOPIC, "--eml", tmp_path / "sent.eml").json
    assert (found["gets_mail"], found["follows"]) == (True, "Adherance")
    (issue,) = found["issues"]
    assert (issue["issue"], issue["hand_off"], issue["same_as_sent"]) == (JULY, "accepted", True)
    assert issue["attempt_log"][0]["outcome"] == "accepted"
    (mail,) = [path for path in (app.root / "out").iterdir() if ONE_TOPIC.encode() in path.read_bytes()]
    assert (tmp_path / "sent.eml").read_bytes() == mail.read_bytes()
    shown = command("-C", app.root, "why", ONE_TOPIC)
    assert "the same as was sent" in shown.out
    assert command("-C", app.root, "why", ONE_TOPIC, "--eml", tmp_path / "sent.eml").code == 2


def test_why_somebody_did_not_get_it(app: App) -> None:
    assert send(app) == 0
    pending = "fatima.zahra@university.example.net"
    found = command("-C", app.root, "--json", "why", pending, "--issue", JULY).json
    assert found["gets_mail"] is False
    assert found["not_sent"] == [{"issue": JULY, "reason": "not confirmed"}]
    assert command("-C", app.root, "why", "nobody@clinic.example.org").code == 6


@pytest.mark.slow
def test_watching_ends_with_the_mailing_a_line_each_time(app: App) -> None:
    assert send(app) == 0
    watched = process("-C", app.root, "--json", "status", JULY, "--watch")
    assert (watched.code, watched.json["status"]) == (0, "complete")
