"""An admin: lists of people in, from whatever wrote them, and out again without loss."""

import csv
import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from command_support import ROOT, Result, command

PEOPLE = ROOT / "subscribers.example.csv"
HEADER = "email,name,language,topics,state,paused_until,consent_source,consent_date\n"


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A publication without people."""
    folder = tmp_path_factory.mktemp("files") / "publication"
    assert command("init", folder).code == 0
    return folder


@pytest.fixture
def project(empty: Path, tmp_path: Path) -> Path:
    """A copy of it for one test."""
    return Path(shutil.copytree(empty, tmp_path / "publication"))


def bring(project: Path, path: Path | str, *words: str | Path, stdin: bytes = b"") -> Result:
    return command("-C", project, "--json", "subscribers", "import", path, "--apply", *words, stdin=stdin)


def shown(project: Path, address: str) -> dict[str, object]:
    return command("-C", project, "--json", "subscribers", "show", address).json  # type: ignore[no-any-return]


def written(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "people.csv"
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize(
    ("encoding", "said"), [("utf-8", "utf-8"), ("utf-8-sig", "utf-8-sig"), ("utf-16", "utf-16"), ("cp1252", "cp1252")]
)
def test_the_encoding_is_recognised_and_said(project: Path, tmp_path: Path, encoding: str, said: str) -> None:
    path = written(tmp_path, HEADER + "a@example.org,André “Dédé” Noël,en,ALL,,,form,2023-01-01\n", encoding)
    done = bring(project, path)
    assert (done.code, done.json["encoding"], done.json["new"]) == (0, said, 1)
    assert shown(project, "a@example.org")["name"] == "André “Dédé” Noël"


def test_what_is_ambiguous_has_to_be_said(project: Path, tmp_path: Path) -> None:
    path = written(tmp_path, HEADER + "a@example.org,Наталья,en,ALL,,,form,2023-01-01\n", "cp1251")
    refused = command("-C", project, "subscribers", "import", path)
    assert (refused.code, "--encoding" in refused.err) == (3, True)
    assert command("-C", project, "subscribers", "import", path, "--encoding", "klingon").code == 2
    assert bring(project, path, "--encoding", "windows-1251").code == 0
    assert shown(project, "a@example.org")["name"] == "Наталья"


@pytest.mark.parametrize(("encoding", "named"), [("utf-8-sig", "utf-8"), ("utf-16-le", "utf-16-le")])
def test_a_named_encoding_may_have_a_mark_too(project: Path, tmp_path: Path, encoding: str, named: str) -> None:
    mark = "\ufeff" if encoding == "utf-16-le" else ""
    path = written(tmp_path, mark + HEADER + "a@example.org,Anne,en,ALL,,,form,2023-01-01\n", encoding)
    assert bring(project, path, "--encoding", named).code == 0


def test_a_file_that_cannot_be_written_or_read_is_said_to_be(project: Path) -> None:
    nowhere = project / "nowhere" / "people.csv"
    for words in (("export", "-o", nowhere), ("import", nowhere), ("import", PEOPLE, "--rejects", nowhere)):
        result = command("-C", project, "subscribers", *words)
        assert (result.code, "people.csv" in result.err) == (2, True)
    assert bring(project, PEOPLE, "--rejects", nowhere).code == 2
    assert command("-C", project, "subscribers", "list").code == 6, "nobody was imported"


def test_the_rejects_never_take_the_place_of_the_list(project: Path, tmp_path: Path) -> None:
    path = written(tmp_path, HEADER + "a@example.org,Anne,en,Emphaty,,,form,2023-01-01\n")
    before = path.read_bytes()
    assert bring(project, path, "--rejects", path).code == 2
    assert path.read_bytes() == before


def test_rejects_are_corrected_and_imported(project: Path, tmp_path: Path) -> None:
    rows = "anne@example.org,Anne,en,Empathy,,,form,2023-01-01\nbob@example.org,Bob,en,Emphaty,,,form,2023-01-01\n"
    aside = tmp_path / "rejects.csv"
    first = bring(project, written(tmp_path, HEADER + rows + "anne@example.org,Anne,en,Empathy,,,form,2023-01-01,x\n"),
                  "--rejects", aside)  # fmt: skip
    assert (first.code, first.json["new"], first.json["rejected"]) == (0, 1, 2)
    text = aside.read_text(encoding="utf-8")
    table = [*csv.reader(io.StringIO(text))]
    assert table[0] == ["reject_row", "reject_reason", *HEADER.strip().split(",")]
    assert [row[0] for row in table[1:]] == ["3", "4"]
    assert "Empathy" in table[1][1]
    assert table[2][-1] == "x", "a cell too many is still there"
    aside.write_text(text.replace("Emphaty", "Empathy").replace(",x\n", "\n"), encoding="utf-8")
    again = bring(project, aside)
    assert (again.code, again.json["new"], again.json["unchanged"]) == (0, 1, 1)
    assert shown(project, "bob@example.org")["attributes"] == []


def test_an_export_of_mailchimp_is_understood(project: Path) -> None:
    path = ROOT / "tests" / "corpus" / "subscribers" / "mailchimp-subscribed.csv"
    done = bring(project, path, "--topics", "all")
    assert (done.code, done.json["export_of"], done.json["new"]) == (0, "Mailchimp", 3)
    maya = shown(project, "maya@example.org")
    assert (maya["name"], maya["topics"], maya["consent"]) == (
        "Maya White",
        ["Empathy"],
        "Mailchimp export, 2016-04-18",
    )
    assert maya["attributes"] == ["role: clinician", "tags: VIP"]
    assert shown(project, "nina@example.org")["topics"] == ["all topics"]


def test_an_export_of_substack_is_understood(project: Path) -> None:
    text = (
        "email,active_subscription,expiry,plan,email_disabled,created_at,first_payment_at\n"
        "pia@example.org,true,,other,false,2022-09-01T08:00:00Z,\n"
        "quin@example.org,false,,other,true,2022-09-01T08:00:00Z,\n"
    )
    done = bring(project, "-", "--topics", "Empathy", "--consent", "my Substack 2022-01-01", stdin=text.encode())
    assert (done.code, done.json["export_of"]) == (0, "Substack")
    pia = shown(project, "pia@example.org")
    assert (pia["consent"], pia["topics"], pia["state"]) == ("my Substack, 2022-09-01", ["Empathy"], "active")
    assert shown(project, "quin@example.org")["state"] == "unsubscribed"


def test_an_export_of_listmonk_is_understood(project: Path) -> None:
    text = (
        "uuid,email,name,attributes,status,created_at,updated_at\n"
        'u1,ann@example.org,Ann,"{""city"": ""Oslo"", ""age"": 40, ""likes"": [""a""]}",enabled,'
        "2022-01-01 10:00:00 +0000,\n"
        "u2,bob@example.org,Bob,{},blocklisted,2022-01-01 10:00:00 +0000,\n"
        "u3,cyd@example.org,Cyd,[1],enabled,2022-01-01 10:00:00 +0000,\n"
    )
    rejects = project / "rejects.csv"
    done = bring(project, "-", "--topics", "all", "--rejects", rejects, stdin=text.encode())
    assert [one["reason"] for one in done.json["rejects"]] == ["the attributes are not a JSON object"]
    ann = shown(project, "ann@example.org")
    assert (ann["attributes"], ann["consent"]) == (
        ["age: 40", "city: Oslo", 'likes: ["a"]'],
        "listmonk export, 2022-01-01",
    )
    assert shown(project, "bob@example.org")["state"] == "unsubscribed"


def test_a_column_can_be_named_in_an_export_of_others_too(project: Path) -> None:
    text = "email,active_subscription,email_disabled,created_at,likes\na@example.org,true,false,2022-01-01,CBT\n"
    done = bring(project, "-", "--map", "likes=topics", stdin=text.encode())
    assert (done.code, shown(project, "a@example.org")["topics"]) == (
        0, ["Cognitive Therapy (CT) and Cognitive-Behavioural Therapy (CBT)"],
    )  # fmt: skip


def test_topics_can_be_said_for_a_file_without_them(project: Path, tmp_path: Path) -> None:
    path = written(tmp_path, "email,consent_source,consent_date\na@example.org,form,2023-01-01\n")
    assert "--topics" in bring(project, path).err
    assert bring(project, path, "--topics", "Emphaty").code == 3
    assert bring(project, path, "--topics", "Empathy").code == 0
    assert shown(project, "a@example.org")["topics"] == ["Empathy"]


def test_what_was_exported_and_imported_is_exported_the_same(project: Path, empty: Path, tmp_path: Path) -> None:
    assert bring(project, PEOPLE).code == 0
    command(
        "-C", project, "subscribers", "edit", "kwame@clinic.example.org", "--name", "=Kwame", "--attribute", "nom=-1"
    )
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    assert command("-C", project, "subscribers", "export", "-o", first).code == 0
    other = Path(shutil.copytree(empty, tmp_path / "other"))
    assert bring(other, first).json["rejected"] == 0
    assert command("-C", other, "subscribers", "export", "-o", second).code == 0
    assert second.read_bytes() == first.read_bytes()
    assert len(first.read_text("utf-8").splitlines()) == len(PEOPLE.read_text("utf-8").splitlines())


def test_an_export_can_be_narrowed_and_is_on_record(project: Path) -> None:
    bring(project, PEOPLE)
    command("-C", project, "segments", "add", "french", "--language", "fr")
    out = command(
        "-C", project, "subscribers", "export", "--format", "json", "--segment", "french", "--state", "active"
    )
    people = json.loads(out.out)["people"]
    assert (out.code, {one["language"] for one in people}, {one["state"] for one in people}) == (0, {"fr"}, {"active"})
    assert command("-C", project, "subscribers", "export", "--state", "pending", "-o", project / "x").code in (0, 6)
    assert command("-C", project, "--json", "subscribers", "export").code == 2
    with closing(sqlite3.connect(project / ".digest" / "digest.db")) as database:
        facts = [json.loads(one) for (one,) in database.execute("SELECT facts FROM audit WHERE action = 'export'")]
    assert facts[0] == {"what": "subscribers", "rows": len(people)}


def test_nothing_but_text_is_written_where_there_is_no_terminal(project: Path) -> None:
    done = command("-C", project, "subscribers", "import", PEOPLE, "--apply")
    assert (done.code, "\x1b" in done.out + done.err) == (0, False)
    count = len(PEOPLE.read_text("utf-8").splitlines()) - 1
    assert done.err == f"{count} rows of subscribers.example.csv, read as utf-8; imported\n"


def test_a_terminal_sees_how_far_it_is(project: Path) -> None:
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    words = ("-m", "digest_mailer", "-C", str(project), "subscribers", "import", str(PEOPLE))
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "120"}
    try:
        subprocess.run([sys.executable, *words], stdout=subprocess.PIPE, stderr=theirs, env=environment, check=True)
        seen = os.read(ours, 100_000).decode()
    finally:
        os.close(theirs)
        os.close(ours)
    assert "subscribers.example.csv" in seen
    assert "rows" in seen
    assert "/s" in seen
