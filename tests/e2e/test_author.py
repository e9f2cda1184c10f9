"""An author: lint, build, approve, plan, send, status; from the command line, as data and as text."""

import json
import shutil
import subprocess
import sys
from email import policy
from email.parser import BytesParser
from pathlib import Path

import pytest

from command_support import ROOT, command

CAPTURE = ROOT / "tests" / "corpus" / "captures"


@pytest.fixture(scope="module")
def peopled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A publication with the sample people."""
    folder = tmp_path_factory.mktemp("author") / "publication"
    assert command("init", folder).code == 0
    assert command("-C", folder, "subscribers", "import", ROOT / "subscribers.example.csv", "--apply").code == 0
    return folder


@pytest.fixture
def project(peopled: Path, tmp_path: Path) -> Path:
    """A copy of it for one test."""
    return Path(shutil.copytree(peopled, tmp_path / "publication"))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every edition of every sample issue, built twice: the two must be the same."""
    folder = tmp_path_factory.mktemp("built")
    assert command("init", folder / "publication").code == 0
    for name in ("first", "second"):
        result = command("-C", folder / "publication", "build", "--all", "-o", folder / name)
        assert result.code == 0, result.err
    return folder


def test_build_makes_every_edition_of_every_issue(built: Path) -> None:
    documents = [json.loads(path.read_bytes()) for path in sorted((built / "first").glob("*/build.json"))]
    assert len(documents) == 14
    for document in documents:
        articles = max(len(edition["articles"]) for edition in document["editions"])
        assert len(document["editions"]) == 2 * (2**articles - 1)  # in two languages
        assert not any(edition["shortened"] for edition in document["editions"])
        for edition in document["editions"]:
            for name in edition["files"]:
                assert (built / "first" / document["issue"] / name).is_file()


def test_build_is_the_same_twice(built: Path) -> None:
    first, second = (_contents(built / name) for name in ("first", "second"))
    assert len(first) == 14 + 3 * 104
    assert first == second


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_every_built_message_reads_back(built: Path) -> None:
    for path in sorted((built / "first").rglob("message.eml")):
        source = path.read_bytes()
        assert source.count(b"\n") == source.count(b"\r\n")
        assert max(len(line) for line in source.split(b"\r\n")) <= 998
        message = BytesParser(policy=policy.default).parsebytes(source)
        assert not message.defects
        text, html = [part for part in message.walk() if not part.is_multipart()]
        assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
        assert text.get_content_charset() == html.get_content_charset() == "utf-8"
        assert html.get_content().replace("\r\n", "\n").strip() == (path.parent / "index.html").read_text().strip()
        folder, language = path.parent.parent.name, path.parent.name.partition("-")[0]
        translated = ROOT / "newsletters" / f"{folder}.{language}.md"
        original = ROOT / "newsletters" / f"{folder}.md"
        assert message["Subject"] == _subject(translated if translated.exists() else original)
        assert message["Content-Language"] == language


def _subject(path: Path) -> str:
    line = next(line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("subject: "))
    return line.removeprefix("subject: ").strip('"')


def test_an_edition_shows_its_articles_and_no_others(built: Path) -> None:
    folder = built / "first" / "2023-07"
    titles = {
        1: "Therapeutic Relationship Factors that Do Not Work",
        2: "Therapeutic Relationship Factors that Work",
        3: "Therapist Factors Related to Patient Outcomes",
    }
    for edition in json.loads((folder / "build.json").read_bytes())["editions"]:
        shown = {int(number) for number in edition["key"].partition("-")[2].split(".")}
        for name in ("index.html", "message.txt"):
            content = " ".join((folder / edition["key"] / name).read_text(encoding="utf-8").split())
            assert {n for n, title in titles.items() if title in content} == shown


def test_lint_names_every_mistake_with_its_place(project: Path) -> None:
    path = project / "newsletters" / "2023-07.md"
    text = path.read_text(encoding="utf-8")
    text = text.replace("- Empathy", "- Emphaty", 1).replace("subject:", "subjct:", 1)
    path.write_text(text, encoding="utf-8")
    result = command("-C", project, "lint", "2023-07")
    assert result.code == 3
    assert 'newsletters/2023-07.md:3:1: DM007 unknown field "subjct"' in result.out
    assert 'did you mean "subject"?' in result.out
    assert 'DM021 unknown topic "Emphaty"' in result.out
    assert 'did you mean "Empathy"?' in result.out
    assert "DM101 the issue has no subject" in result.out


def test_lint_speaks_json_and_github(project: Path) -> None:
    assert command("-C", project, "lint", "2023-01").code == 0
    strict = command("-C", project, "lint", "2023-01", "--strict", "--format", "json")
    assert strict.code == 3
    assert strict.json["exit"] == 3
    assert {one["code"] for one in strict.json["diagnostics"]} == {"DM107"}
    lines = command("-C", project, "lint", "2023-01", "--format", "github").out.splitlines()
    assert lines
    assert all(line.startswith("::warning file=newsletters/2023-01.md,line=") for line in lines)


def test_a_file_that_is_no_month_is_named(project: Path) -> None:
    shutil.copy(project / "newsletters" / "2023-07.md", project / "newsletters" / "july.md")
    result = command("-C", project, "lint", "--all")
    assert result.code == 3
    assert "newsletters/july.md:1:1: DM003" in result.out


def test_captures_become_issue_files_that_lint_asks_topics_for(project: Path, tmp_path: Path) -> None:
    captures = sorted(CAPTURE.glob("*.txt"))
    whole = next(path for path in captures if "articles" in path.with_suffix(".json").read_text())
    folder = tmp_path / "drafts" / "newsletters"
    made = command("-C", project, "--json", "new", "--from-capture", whole, "-o", folder)
    assert made.code == 0, made.err
    files = [Path(one["file"]) for one in made.json["issues"]]
    assert files
    assert all(path.is_file() for path in files)
    again = command("-C", project, "new", "--from-capture", whole, "-o", folder)
    assert again.code == 2
    assert "--force" in again.err
    assert command("-C", project, "new", "--from-capture", whole, "-o", folder, "--force").code == 0
    for path in (project / "newsletters").glob("20*.md"):
        path.unlink()
    for path in files:
        shutil.copy(path, project / "newsletters" / path.name)
    lint = command("-C", project, "lint", "--all")
    assert lint.code == 3
    assert {"DM101", "DM102", "DM104", "DM105"} <= {word for word in lint.out.split() if word.startswith("DM1")}


def test_the_whole_way_of_an_issue(project: Path, tmp_path: Path) -> None:
    outbox = tmp_path / "outbox"
    way_out = ("--transport", f"outbox:{outbox}")
    refused = command("-C", project, "send", "2023-06", *way_out)
    assert (refused.code, "not approved" in refused.err) == (4, True)
    assert command("-C", project, "approve", "2023-06", "-m", "read by two").code == 0
    plan = command("-C", project, "--json", "plan", "2023-06").json
    assert plan["approval"] == "approved"
    assert plan["people"] == sum(edition["people"] for edition in plan["editions"])
    dry = command("-C", project, "send", "2023-06", *way_out, "--dry-run")
    assert (dry.code, outbox.exists()) == (0, False)
    off = command("-C", project, "send", "2023-06", *way_out, "--confirm", str(plan["people"] * 2))
    assert (off.code, outbox.exists()) == (4, False)
    sent = command("-C", project, "--json", "send", "2023-06", *way_out, "--confirm", str(plan["people"]))
    assert (sent.code, sent.json["accepted"]) == (0, plan["people"])
    assert len(list(outbox.glob("*.eml"))) == plan["people"]
    again = command("-C", project, "send", "2023-06", *way_out)
    assert (again.code, "already sent" in again.err) == (4, True)
    status = command("-C", project, "--json", "status", "2023-06").json
    assert (status["status"], status["accepted"]) == ("complete", plan["people"])
    issues = command("-C", project, "--json", "issues", "--state", "complete").json["issues"]
    assert [(one["issue"], one["sent"]) for one in issues] == [("2023-06", plan["people"])]


def test_an_edit_after_the_approval_blocks_a_send(project: Path) -> None:
    assert command("-C", project, "approve", "2023-06").code == 0
    path = project / "newsletters" / "2023-06.md"
    path.write_text(path.read_text(encoding="utf-8") + "\nOne sentence more.\n", encoding="utf-8")
    result = command("-C", project, "send", "2023-06")
    assert (result.code, "changed since it was approved" in result.err) == (4, True)
    assert command("-C", project, "--json", "issues", "--state", "changed").json["issues"][0]["issue"] == "2023-06"


def test_a_send_loads_nothing_that_renders(project: Path, tmp_path: Path) -> None:
    """Stored editions are what is sent; and what is not loaded keeps nobody waiting for the first message."""
    assert command("-C", project, "approve", "2023-06").code == 0
    words = ["-C", str(project), "--json", "send", "2023-06", "--transport", f"outbox:{tmp_path / 'out'}"]
    code = (
        f"import sys; from digest_mailer.cli.group import run; run({words!r});"
        "print([name for name in sys.modules if name.split('.')[0] in ('jinja2', 'mjml', 'premailer', 'lxml', 'nh3')"
        " or name.startswith('digest_mailer.rendering')], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["accepted"] > 0
    assert done.stderr.strip().endswith("[]")


def test_sending_publishes_the_issue_first(project: Path) -> None:
    path = project / "newsletters" / "2023-07.md"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(line for line in lines if not line.startswith("published:")), encoding="utf-8")
    assert command("-C", project, "approve", "2023-07").code == 0
    assert command("-C", project, "send", "2023-07").code == 0
    assert "\npublished: 20" in path.read_text(encoding="utf-8")
    assert command("-C", project, "--json", "plan", "2023-07").json["approval"] == "approved"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("plan", "2023-13"), 2, "is not an issue"),
        (("plan", "1999-01"), 2, "is not an issue"),
        (("plan", "2022-01"), 6, "there is no issue 2022-01"),
        (("status", "2023-06"), 6, "was never sent"),
        (("plan", "2023-06", "--segment", "nobdy"), 6, "there is no segment"),
        (("send", "2023-06", "--transport", "pigeon:"), 9, "is no way out"),
        (("send", "2023-06", "--wait", "soon"), 2, "is not a time"),
        (("build",), 2, "name one issue"),
        (("new", "--from-capture", "nowhere.txt"), 2, "cannot read nowhere.txt"),
        (("nonsense",), 2, "No such command"),
    ],
)
def test_bad_input_says_what_to_do(project: Path, words: tuple[str, ...], code: int, said: str) -> None:
    result = command("-C", project, *words)
    assert (result.code, said in result.err, "Traceback" in result.err) == (code, True, False)
    document = command("-C", project, "--json", *words)
    assert document.code == code
    assert document.json["exit"] == code


def test_a_directory_without_a_publication_says_how_to_make_one(tmp_path: Path) -> None:
    result = command("-C", tmp_path, "issues")
    assert (result.code, "digest-mailer init" in result.err) == (9, True)


def test_a_subject_cannot_carry_a_header(project: Path) -> None:
    path = project / "newsletters" / "2023-07.md"
    text = path.read_text(encoding="utf-8")
    start = text.index("subject: ")
    end = text.index("\n", start)
    path.write_text(text[:start] + r'subject: "Hello\r\nBcc: all@example.org"' + text[end:], encoding="utf-8")
    result = command("-C", project, "approve", "2023-07")
    assert (result.code, "DM034" in result.err) == (3, True)


def test_hostile_content_is_shown_and_never_run(project: Path, tmp_path: Path) -> None:
    word = "x" * 5000
    path = project / "newsletters" / "2023-07.md"
    text = path.read_text(encoding="utf-8")
    hostile = f"</mj-text> {{{{ 7*7 }}}} <script>alert(1)</script> [a](javascript:alert(1)) {word}"
    hostile += "\n\n## Practice Implications"
    path.write_text(text.replace("## Practice Implications", hostile, 1), encoding="utf-8")
    result = command("-C", project, "build", "2023-07", "-o", tmp_path / "out")
    assert result.code == 0, result.err
    html = (tmp_path / "out" / "en-1" / "index.html").read_text(encoding="utf-8")
    assert "<script" not in html
    assert 'href="javascript' not in html
    assert "{{ 7*7 }}" in html
    assert "&lt;/mj-text&gt;" in html
    source = (tmp_path / "out" / "en-1" / "message.eml").read_bytes()
    assert max(len(line) for line in source.split(b"\r\n")) <= 998
