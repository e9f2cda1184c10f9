"""An admin: people in, people out, segments, and the care of the installation."""

import csv
import io
import shutil
from pathlib import Path

import pytest

from command_support import ROOT, command
from digest_mailer.core.segment import Segment
from publication_support import NOW, make_publication

PEOPLE = ROOT / "subscribers.example.csv"
HEADER = "email,name,language,topics,state,paused_until,consent_source,consent_date\n"


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A publication without people."""
    folder = tmp_path_factory.mktemp("admin") / "publication"
    assert command("init", folder).code == 0
    return folder


@pytest.fixture
def project(empty: Path, tmp_path: Path) -> Path:
    """A copy of it for one test."""
    return Path(shutil.copytree(empty, tmp_path / "publication"))


def _file(folder: Path, *rows: str) -> Path:
    path = folder / "people.csv"
    path.write_text(HEADER + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    return path


def test_an_import_shows_first_and_does_with_apply(project: Path) -> None:
    count = len(list(csv.DictReader(io.StringIO(PEOPLE.read_text(encoding="utf-8")))))
    shown = command("-C", project, "--json", "subscribers", "import", PEOPLE)
    assert (shown.code, shown.json["new"], shown.json["applied"]) == (0, count, False)
    assert command("-C", project, "subscribers", "list").code == 6
    done = command("-C", project, "--json", "subscribers", "import", PEOPLE, "--apply")
    assert (done.code, done.json["new"], done.json["applied"]) == (0, count, True)
    again = command("-C", project, "--json", "subscribers", "import", PEOPLE, "--apply").json
    assert (again["new"], again["changed"]) == (0, 0)
    assert again["unchanged"] + again["kept_out"] == count


def test_rejected_rows_stop_an_import_unless_they_are_set_aside(project: Path, tmp_path: Path) -> None:
    rows = ("anne@example.org,Anne,en,Empathy,,,web form,2023-01-01", "nobody,,en,Empathy,,,web form,2023-01-01")
    path = _file(tmp_path, *rows, "bob@example.org,Bob,en,Empathy,,,,")
    stopped = command("-C", project, "subscribers", "import", path, "--apply")
    assert stopped.code == 3
    assert "row 3: nobody" in stopped.out
    assert "row 4: bob@example.org" in stopped.out
    assert command("-C", project, "subscribers", "list").code == 6
    aside = tmp_path / "rejects.csv"
    done = command("-C", project, "--json", "subscribers", "import", path, "--apply", "--rejects", aside)
    assert (done.code, done.json["new"], done.json["rejected"]) == (0, 1, 2)
    assert [row["reject_row"] for row in csv.DictReader(io.StringIO(aside.read_text(encoding="utf-8")))] == ["3", "4"]


def test_an_import_cannot_bring_back_who_left(project: Path, tmp_path: Path) -> None:
    path = _file(tmp_path, "anne@example.org,Anne,en,ALL,active,,web form,2023-01-01")
    assert command("-C", project, "subscribers", "import", path, "--apply").code == 0
    assert command("-C", project, "subscribers", "unsubscribe", "Anne@Example.org").code == 0
    again = _file(tmp_path, "ANNE@example.org,Anne,en,ALL,active,,new form,2024-01-01")
    assert command("-C", project, "--json", "subscribers", "import", again, "--apply").json["kept_out"] == 1
    shown = command("-C", project, "--json", "subscribers", "show", "anne@example.org").json
    assert shown["state"] == "unsubscribed"
    assert [move["to"] for move in shown["history"]] == ["active", "unsubscribed"]


def test_standard_input_is_a_file_too(project: Path) -> None:
    result = command("-C", project, "--json", "subscribers", "import", "-", stdin=PEOPLE.read_bytes())
    assert (result.code, result.json["rejected"]) == (0, 0)


def test_columns_and_consent_can_be_said_by_hand(project: Path, tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_text("Where to write,topics\nanne@example.org,Empathy\n", encoding="utf-8")
    words = ("--map", "Where to write=email", "--consent", "web form 2023-05-01", "--apply")
    assert command("-C", project, "subscribers", "import", path, *words).code == 0
    shown = command("-C", project, "--json", "subscribers", "show", "anne@example.org").json
    assert shown["consent"] == "web form, 2023-05-01"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"email,name\nanne@example.org,Anne\n", "topics"),
        (b"", "empty"),
        ("email,topics\n".encode("utf-16-le"), "UTF-16"),
        (HEADER.encode() + "a@example.org,Анна,en,ALL,,,form,2023-01-01\n".encode("cp1251"), "byte 0xC0"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_its_cure(
    project: Path, tmp_path: Path, content: bytes, said: str
) -> None:
    path = tmp_path / "people.csv"
    path.write_bytes(content)
    result = command("-C", project, "subscribers", "import", path)
    assert (result.code, said in result.err, "people.csv" in result.err) == (3, True, True)


def test_a_name_cannot_carry_a_header(project: Path, tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text(HEADER + '"eve@example.org","Eve\r\nBcc: x@example.org",en,ALL,,,form,2023-01-01\n', newline="")
    result = command("-C", project, "subscribers", "import", path)
    assert (result.code, "control character" in result.out) == (3, True)


def test_segments_are_named_listed_and_counted(project: Path) -> None:
    command("-C", project, "subscribers", "import", PEOPLE, "--apply")
    words = (
        "--any",
        "Empathy",
        "--any",
        "Attendance, Attrition, and Drop-Out",
        "--none",
        "Training",
        "--language",
        "en",
    )
    assert command("-C", project, "segments", "add", "listeners", *words).code == 0
    assert command("-C", project, "segments", "add", "listeners").code == 2
    listed = command("-C", project, "--json", "segments", "list").json["segments"]
    assert listed[0]["any"] == ["Attendance, Attrition, and Drop-Out", "Empathy"]
    counted = command("-C", project, "--json", "segments", "count", "listeners").json
    people = command("-C", project, "--json", "subscribers", "list", "--segment", "listeners").json["people"]
    assert counted["people"] == len(people) > 0
    assert all(person["language"] == "en" for person in people)
    wrong = command("-C", project, "segments", "add", "other", "--any", "Emphaty")
    assert (wrong.code, 'did you mean "Empathy"?' in wrong.err) == (2, True)


def test_a_segment_is_an_expression_wherever_a_name_is_taken(project: Path) -> None:
    command("-C", project, "subscribers", "import", PEOPLE, "--apply")
    line = 'not:topic:training any:Empathy,"Attendance, Attrition, and Drop-Out" language:en state:active'
    added = command("-C", project, "--json", "segments", "add", "listeners", line).json
    counted = command("-C", project, "--json", "segments", "count", line).json
    named = command("-C", project, "--json", "segments", "count", "listeners").json
    listed = command("-C", project, "--json", "subscribers", "list", "--segment", line).json["people"]
    assert added["people"] == counted["people"] == named["people"] == len(listed) > 0
    assert counted["by_state"] == {"active": len(listed)}
    assert all((person["language"], person["state"]) == ("en", "active") for person in listed)
    plans = [command("-C", project, "--json", "plan", "2023-07", "--segment", one).json for one in (line, "listeners")]
    assert plans[0] | {"segment": "listeners"} == plans[1]
    shown = command("-C", project, "--json", "segments", "show", "listeners", "--issue", "2023-07").json
    assert shown["expression"] == "any:attendance-attrition-dropout,empathy none:training state:active language:en"
    assert shown["plan"]["editions"] == plans[1]["editions"] != []
    assert shown["people"] == len(listed)
    for words in (["count", "any:emphaty"], ["show", "langauge:fr"], ["add", "other", "any:"]):
        wrong = command("-C", project, "segments", *words)
        assert (wrong.code, "column" in wrong.err) == (2, True)


def test_options_and_expressions_say_the_same(project: Path) -> None:
    options = (
        "--any", "empathy", "--state", "active", "--state", "paused", "--language", "FR", "--attribute", "Role=a b",
        "--attribute", "role=c", "--joined-from", "2023", "--joined-before", "2024-02", "--received", "2023-06",
        "--not-received", "2023-05",
    )  # fmt: skip
    assert command("-C", project, "segments", "add", "one", *options).code == 0
    (one,) = command("-C", project, "--json", "segments", "list").json["segments"]
    assert one["expression"] == (
        'any:empathy state:active,paused language:fr role="a b",c joined>=2023-01-01 joined<2024-02-01 '
        "received:2023-06 not:received:2023-05"
    )
    assert one["attribute"] == ["role=a b", "role=c"]
    assert (one["joined_from"], one["not_received"]) == ("2023-01-01", ["2023-05"])
    both = command("-C", project, "segments", "add", "two", "any:empathy", "--language", "fr")
    assert (both.code, "two ways" in both.err) == (2, True)


def test_a_segment_is_edited_and_removed(project: Path) -> None:
    assert command("-C", project, "segments", "edit", "some", "language:fr").code == 6
    command("-C", project, "segments", "add", "some", "language:fr")
    assert command("-C", project, "segments", "edit", "some").code == 2
    assert command("-C", project, "segments", "edit", "some", "--state", "paused").code == 0
    assert command("-C", project, "--json", "segments", "show", "some").json["expression"] == "state:paused"
    kept = command("-C", project, "segments", "remove", "some")
    assert (kept.code, "state:paused" in kept.err) == (2, True)
    assert command("-C", project, "segments", "remove", "some", "--yes").code == 0
    assert command("-C", project, "segments", "remove", "some", "--yes").code == 6
    assert command("-C", project, "segments", "list").code == 6


def test_why_somebody_is_in_a_segment_or_not_is_explained(project: Path) -> None:
    command("-C", project, "subscribers", "import", PEOPLE, "--apply")
    person = command("-C", project, "--json", "subscribers", "list", "--segment", "any:empathy").json["people"][0]
    email, wanted = person["address"], f"any:empathy state:{person['state']} received:2023-06 joined>=2015"
    told = command("-C", project, "--json", "segments", "explain", email, wanted).json
    assert not told["inside"]
    assert [(one["condition"], one["holds"]) for one in told["conditions"]] == [
        ("any:empathy", True), (f"state:{person['state']}", True), ("joined>=2015-01-01", True),
        ("received:2023-06", False),
    ]  # fmt: skip
    assert told["conditions"][1]["has"] == person["state"]
    assert told["conditions"][3]["has"] == "none of them"
    assert "is in any:empathy" in command("-C", project, "segments", "explain", email, "any:empathy").out
    assert command("-C", project, "segments", "explain", "nobody@example.org", "any:empathy").code == 6


def test_a_segment_narrows_a_send_and_a_second_one_adds_only_others(project: Path) -> None:
    command("-C", project, "subscribers", "import", PEOPLE, "--apply")
    command("-C", project, "segments", "add", "french", "--language", "fr")
    command("-C", project, "approve", "2023-07")
    french = command("-C", project, "--json", "send", "2023-07", "--segment", "french").json
    rest = command("-C", project, "--json", "plan", "2023-07").json
    assert rest["already"] == french["accepted"] > 0
    everybody = command("-C", project, "--json", "send", "2023-07").json
    assert everybody["accepted_now"] == rest["people"]
    assert everybody["accepted"] == rest["people"] + french["accepted"] == 28


def test_the_settings_are_checked_with_table_and_key(project: Path) -> None:
    assert command("-C", project, "config", "check").code == 0
    path = project / "digest.toml"
    path.write_text(path.read_text(encoding="utf-8").replace("no_match", "no_mach"), encoding="utf-8")
    result = command("-C", project, "config", "check")
    assert result.code == 9
    assert 'publication.no_mach: unknown key. did you mean "no_match"?' in result.err


def test_the_database_is_upgraded_once(project: Path) -> None:
    assert command("-C", project, "--json", "db", "upgrade").json == {
        "schema": "digest-mailer/db-upgrade/1", "exit": 0, "before": "0004", "after": "0004",
    }  # fmt: skip


@pytest.mark.parametrize("address", ["nobody@example.org", "not an address"])
def test_an_unknown_person_is_said_to_be(project: Path, address: str) -> None:
    assert command("-C", project, "subscribers", "show", address).code == (6 if "@" in address else 2)
    assert command("-C", project, "subscribers", "unsubscribe", address).code == (6 if "@" in address else 2)


def test_a_segment_that_is_too_large_for_the_database_is_listed_and_removed(tmp_path: Path) -> None:
    app = make_publication(tmp_path)
    app.segments.add(Segment("big", attributes={f"a{number}": ("1",) for number in range(1100)}), "tests", NOW)
    assert "too large" in command("-C", app.root, "segments", "list").out
    assert command("-C", app.root, "segments", "list", "--json").json["segments"][0]["people"] is None
    for words in (("segments", "count", "big"), ("subscribers", "list", "--segment", "big")):
        refused = command("-C", app.root, *words)
        assert (refused.code, "asks for too much to be counted" in refused.err) == (2, True)
    assert command("-C", app.root, "segments", "remove", "big", "--yes").code == 0
    assert app.segments.get("big") is None
