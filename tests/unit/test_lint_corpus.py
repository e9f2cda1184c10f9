"""The rules of lint: every case of tests/corpus/lint has exactly the findings of its sidecar, line and column.

`NAME.fr.md` is a translation of `NAME.md`. A case may count on these: people follow all topics but Attachment and
Common Factors, and an older issue has the paper 10.1000/sent-before.
"""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from core_support import CORPUS, ROOT, catalogue, vocabulary
from digest_mailer.core.errors import Diagnostic, Severity
from digest_mailer.core.identity import IssueId, TopicKey
from digest_mailer.core.issue_file import parse_issue
from digest_mailer.core.lint import check_followers, check_issue

CASES = sorted((CORPUS / "lint").glob("*.md"))
FOLLOWERS = {topic.key: 3 for topic in catalogue() if topic.key != "attachment"} | {TopicKey("common-factors"): 0}
SENT = {"10.1000/sent-before": (IssueId("2020-01"), "An Older Article")}
ERRORS = {"DM114", "DM116", "DM117"}


def lint(path: Path, line_end: str = "\n") -> list[Diagnostic]:
    """What lint says of a case that the parser has nothing against."""

    def read(name: str) -> bytes:
        return path.with_name(name).read_bytes().replace(b"\n", line_end.encode())

    stem = path.stem.removesuffix(".fr")
    issue = parse_issue(read(f"{stem}.md"), "2023-07.md", vocabulary())
    if stem != path.stem:
        issue = replace(issue, translations=(parse_issue(read(path.name), "2023-07.fr.md", vocabulary()),))
    found = check_issue(issue, catalogue(), {}, dois_elsewhere=SENT)
    return sorted([*found, *check_followers(issue, catalogue(), FOLLOWERS)]) if "follow" in stem else found


def expected(path: Path) -> list[dict[str, object]]:
    return list(json.loads(path.with_suffix(".json").read_text("utf-8")))


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_the_case_has_exactly_the_findings_of_its_sidecar(path: Path, line_end: str) -> None:
    found = lint(path, line_end)
    assert [{"code": one.code, "line": one.line, "col": one.col} for one in found] == expected(path)
    name = "2023-07.fr.md" if path.stem.endswith(".fr") else "2023-07.md"
    assert {one.path for one in found} <= {name}


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_each_finding_says_what_is_wrong_and_what_to_do(path: Path) -> None:
    for one in lint(path):
        assert one.message
        assert one.hint
        assert "\n" not in one.message + one.hint
        assert (one.severity is Severity.ERROR) == (one.code in ERRORS)


def test_every_rule_has_a_case_that_it_finds() -> None:
    source = "".join((ROOT / "src/digest_mailer/core" / name).read_text() for name in ("lint.py", "prose.py"))
    known = {code for code in re.findall(r'"(DM\d{3})"', source) if code > "DM109"}
    assert {one["code"] for path in CASES for one in expected(path)} == known


def test_the_corpus_has_a_sidecar_for_each_case() -> None:
    assert {path.stem for path in CASES} == {path.stem for path in (CORPUS / "lint").glob("*.json")}


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("left-to-write", "DM114", r"(TK)+|TODO|FIXME|XXX|[Ll]orem\s+ipsum"),
        ("links", "DM116", r"javascript:|data:|/|\)|https://\)|page two|ftp:|tel:|www|\.\./|nine|eleven|mailto:|#join"),
        ("placeholder-addresses", "DM117", r"https?://|#\)|TODO\)|mailto:"),
        ("old-doi-addresses", "DM120", r"(?i:https?://(dx\.|www\.)?doi\.org/10)"),
        ("copied-doi", "DM115", r"10\.1000/(?i:staying)"),
        ("sent-before", "DM118", r"10\.1000/(?i:sent-before)"),
        ("topics-that-nobody-follows", "DM121", "Common Factors|Attachment"),
        ("paragraph-long", "DM112", "(word|item|call)1 "),
    ],
)
def test_the_place_is_that_of_the_very_words(name: str, code: str, words: str) -> None:
    text = (CORPUS / "lint" / f"{name}.md").read_text("utf-8")
    starts = [0, *(match.end() for match in re.finditer("\n", text))]
    found = [one for one in lint(CORPUS / "lint" / f"{name}.md") if one.code == code]
    assert found
    for one in found:
        assert re.compile(words).match(text, starts[one.line - 1] + one.col - 1), one
