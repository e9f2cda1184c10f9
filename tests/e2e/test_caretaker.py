"""An admin who cares for single people, the suppression list and the audit trail; from the command line."""

import csv
import io
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from command_support import Result, command

ANNE = "anne@example.org"
CONSENT = ("--consent", "phone call 2023-05-01")


@pytest.fixture(scope="module")
def with_anne(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A publication with one person."""
    folder = tmp_path_factory.mktemp("caretaker") / "publication"
    assert command("init", folder).code == 0
    words = (
        "--name",
        "Anne  Roy",
        "--topics",
        "Empathy; Alliance and Therapeutic Relationship",
        "--attribute",
        "role=clinician",
    )
    added = command("-C", folder, "subscribers", "add", "Anne@Example.org", *words, *CONSENT)
    assert (added.code, added.out) == (0, "Anne@example.org is active.\n")
    return folder


@pytest.fixture
def project(with_anne: Path, tmp_path: Path) -> Path:
    """A copy of it for one test."""
    return Path(shutil.copytree(with_anne, tmp_path / "publication"))


def people(project: Path, *words: str) -> Result:
    """A command about people."""
    return command("-C", project, "--json", "subscribers", *words)


def test_somebody_added_is_shown_with_their_consent_and_history(project: Path) -> None:
    shown = people(project, "show", ANNE).json
    assert (shown["name"], shown["state"], shown["attributes"]) == ("Anne Roy", "active", ["role: clinician"])
    assert shown["topics"] == ["Alliance and Therapeutic Relationship", "Empathy"]
    history = people(project, "history", ANNE).json
    assert [(one["source"], one["given_on"]) for one in history["consents"]] == [("phone call", "2023-05-01")]
    (event,) = history["events"]
    assert (event["what"], event["to"], event["actor"].split(":")[0]) == ("add", "active", "cli")


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("add", ANNE, *CONSENT), 2, "somebody subscribes"),
        (("add", "no address", *CONSENT), 2, "is not an address"),
        (("add", "bob@example.org"), 2, "--consent"),
        (("add", "bob@example.org", "--consent", "2023-05-01"), 2, "is not a source and a date"),
        (("add", "bob@example.org", "--consent", "form 2023-02-30"), 2, "is not a day"),
        (("add", "bob@example.org", "--consent", "form 2999-01-01"), 2, "is a day to come"),
        (("add", "bob@example.org", "--consent", "form 1969-12-31"), 2, "is before 1970"),
        (("add", "bob@example.org", "--consent", f"{'x' * 1001} 2023-01-01"), 2, "is too long"),
        (("edit", ANNE, "--topics", "Emphaty"), 2, "Empathy"),
        (("edit", ANNE, "--language", "tlh"), 2, "is not a language"),
        (("edit", ANNE, "--attribute", "role"), 2, "NAME=VALUE"),
        (("edit", ANNE, "--attribute", f"role={'x' * 1001}"), 2, "role is too long"),
        (("edit", ANNE, "--attribute", "role=a\x07b"), 2, "role holds the control character U+0007"),
        (("edit", ANNE, "--attribute", f"{'x' * 1001}=a"), 2, "is too long"),
        (("edit", ANNE, "--name", "A\x07nne"), 2, "the name holds the control character U+0007"),
        (("edit", "bob@example.org"), 6, "nobody subscribes"),
        (("pause", ANNE, "--until", "2001-01-01"), 2, "not a day to come"),
        (("resume", ANNE), 2, "is active: resume is not possible"),
        (("reinstate", ANNE, "--reason", "x"), 2, "there is nothing to undo"),
    ],
)
def test_what_cannot_be_says_why_and_changes_nothing(
    project: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    before = people(project, "show", ANNE).json
    result = command("-C", project, "subscribers", *words)
    assert (result.code, said in result.err) == (code, True), result.err
    assert people(project, "show", ANNE).json == before


def test_values_are_edited_one_by_one(project: Path) -> None:
    words = ("--name", "Anne R.", "--topics", "all", "--attribute", "role=", "--attribute", "town=Trois-Rivières")
    assert people(project, "edit", ANNE, *words, "--reason", "she wrote").json["changed"]
    shown = people(project, "show", ANNE).json
    assert (shown["name"], shown["topics"]) == ("Anne R.", ["all topics"])
    assert shown["attributes"] == ["town: Trois-Rivières"]
    assert not people(project, "edit", ANNE, *words).json["changed"]
    assert people(project, "edit", ANNE, "--address", "roy@example.org", "--topics", "").code == 0
    assert people(project, "show", "roy@example.org").json["topics"] == []
    assert people(project, "show", ANNE).code == 6
    last = people(project, "history", "roy@example.org").json["events"][-2]
    assert (last["what"], last["reason"]) == ("edit", "she wrote")


def test_a_pause_and_its_end(project: Path) -> None:
    assert people(project, "pause", ANNE, "--until", "2999-01-01", "--reason", "leave").code == 0
    shown = people(project, "show", ANNE).json
    assert (shown["state"], shown["paused_until"]) == ("paused", "2999-01-01")
    assert people(project, "resume", ANNE).json["state"] == "active"
    moves = [(one["from"], one["to"]) for one in people(project, "history", ANNE).json["events"]]
    assert moves == [("", "active"), ("active", "paused"), ("paused", "active")]


def test_who_left_is_not_added_again(project: Path) -> None:
    assert people(project, "unsubscribe", ANNE).json["left_now"]
    assert command("-C", project, "subscribers", "add", ANNE, *CONSENT).code == 2
    assert people(project, "show", ANNE).json["state"] == "unsubscribed"


def test_an_erasure_is_told_first_and_leaves_no_name(project: Path) -> None:
    asked = people(project, "erase", ANNE).json
    assert (asked["erased"], asked["receipt"]) == (False, None)
    assert people(project, "show", ANNE).code == 0
    done = people(project, "erase", ANNE, "--yes").json
    assert (done["erased"], done["receipt"]) == (True, 2)
    assert people(project, "show", ANNE).code == 6
    with closing(sqlite3.connect(project / ".digest" / "digest.db")) as connection:
        told = "\n".join(connection.iterdump()).casefold()
    assert [word for word in ("anne@", "anne roy", "clinician", "phone call") if word in told] == []
    refused = command("-C", project, "subscribers", "add", ANNE, *CONSENT)
    assert (refused.code, "on the suppression list" in refused.err) == (4, True)
    assert command("-C", project, "--json", "audit", "verify").json["faults"] == []
    journal = (project / ".digest" / "departures.jsonl").read_text(encoding="utf-8")
    assert json.loads(journal.splitlines()[-1])["reason"] == "erased"


def test_the_suppression_list_is_taken_out_and_brought_back(project: Path, tmp_path: Path) -> None:
    listing = ("-C", project, "--json", "suppressions")
    assert command(*listing, "list").code == 6
    added = command(*listing, "add", ANNE, "stranger@example.org", "--reason", "asked by phone").json
    assert added["added"] == 2
    people(project, "erase", ANNE, "--yes")
    out = tmp_path / "list.csv"
    assert command("-C", project, "suppressions", "export", "-o", out).code == 0
    rows = list(csv.DictReader(io.StringIO(out.read_text(encoding="utf-8"))))
    assert {(row["email"], row["reason"]) for row in rows} == {
        ("", "asked by phone"),
        ("", "erased at the person's wish"),
    }
    for row in rows:
        assert len(row["hash"]) == 32
    assert command("-C", project, "suppressions", "remove", "stranger@example.org", "--reason", "came back").code == 0
    shown = command(*listing, "import", out).json
    assert (shown["entries"], shown["added"], shown["applied"]) == (2, 1, False)
    assert command(*listing, "import", out, "--apply").json["added"] == 1
    again = tmp_path / "again.csv"
    command("-C", project, "suppressions", "export", "-o", again)
    assert again.read_bytes() == out.read_bytes()
    assert command("-C", project, "suppressions", "remove", "nobody@example.org", "--reason", "x").code == 6


def test_a_bad_list_of_addresses_is_refused_as_a_whole(project: Path, tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text("email,hash\nbob@example.org,\nno address,\n,abcd\n,zz\n", encoding="utf-8")
    listing = ("-C", project, "--json", "suppressions")
    result = command(*listing, "import", path, "--apply")
    assert (result.code, [one["row"] for one in result.json["rejects"]]) == (3, [3, 4, 5])
    assert command(*listing, "list").code == 6
    assert command(*listing, "import", path, "--apply", "--skip-rejects").json["added"] == 1
    path.write_text("name\nx\n", encoding="utf-8")
    assert command(*listing, "import", path).code == 3


def test_the_audit_trail_is_listed_exported_and_checked(project: Path, tmp_path: Path) -> None:
    people(project, "edit", ANNE, "--name", "A. Roy")
    audit = ("-C", project, "--json", "audit")
    entries = command(*audit, "list").json["entries"]
    assert [one["action"] for one in entries] == ["edit", "add"]
    assert command(*audit, "list", "--person", ANNE, "--action", "edit").json["entries"][0]["facts"] == {
        "changed": ["name"]
    }
    head = command(*audit, "verify").json["head"]
    out = tmp_path / "chain.jsonl"
    assert command("-C", project, "audit", "export", "-o", out).code == 0
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert (len(lines), lines[-1]["chain"]) == (2, head)
    assert "anne" not in out.read_text(encoding="utf-8").casefold()
    people(project, "pause", ANNE, "--until", "2999-01-01")
    assert command(*audit, "verify", "--head", head).code == 0
    with closing(sqlite3.connect(project / ".digest" / "digest.db")) as connection, connection:
        connection.execute("UPDATE audit SET actor = 'cli:somebody' WHERE id = 2")
    broken = command("-C", project, "audit", "verify")
    assert (broken.code, "entry 2 was changed" in broken.out) == (3, True)
    assert command(*audit, "verify", "--head", "12" * 32).json["faults"][-1].startswith("the head")


@pytest.mark.parametrize("name", ["\u202aAnne\u202c", "x" * 300])
def test_a_name_that_cannot_stand_in_a_mail_is_refused(project: Path, name: str) -> None:
    for words in (("edit", ANNE, "--name", name), ("add", "bob@example.org", "--name", name, *CONSENT)):
        result = command("-C", project, "subscribers", *words)
        assert (result.code, "name" in result.err) == (2, True)
    assert people(project, "show", ANNE).json["name"] == "Anne Roy"


def test_an_address_on_the_list_is_not_given_to_anybody(project: Path) -> None:
    assert command("-C", project, "suppressions", "add", "new@example.org").code == 0
    result = command("-C", project, "subscribers", "edit", ANNE, "--address", "new@example.org")
    assert (result.code, "suppressions" in result.err) == (4, True)
    assert people(project, "show", ANNE).code == 0


def test_reasons_do_not_reach_the_journal_of_departures(project: Path) -> None:
    people(project, "unsubscribe", ANNE, "--reason", "she is ill")
    journal = (project / ".digest" / "departures.jsonl").read_text(encoding="utf-8")
    assert json.loads(journal.splitlines()[-1])["reason"] == "admin"
    assert people(project, "history", ANNE).json["events"][-1]["reason"] == "she is ill"


def test_an_export_that_fails_leaves_the_old_file(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "list.csv"
    command("-C", project, "suppressions", "add", ANNE, "--reason", "=1+1")
    assert command("-C", project, "suppressions", "export", "-o", out).code == 0
    whole = out.read_bytes()
    assert b"'=1+1" in whole

    def broken(*_arguments: object) -> object:
        yield dict.fromkeys(("email", "hash", "ground", "reason", "since"), "x")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("digest_mailer.services.suppressing.Suppressing.rows", broken)
    result = command("-C", project, "suppressions", "export", "-o", out)
    assert (result.code, out.read_bytes(), list(tmp_path.glob(".*"))) == (2, whole, [])


def test_the_head_of_an_empty_trail_is_in_every_chain(project: Path) -> None:
    assert command("-C", project, "audit", "verify", "--head", "00" * 32).code == 0
