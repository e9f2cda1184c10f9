"""The library beside its files: what lint says of an issue takes all the others into account."""

import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest

from core_support import CORPUS, ROOT
from digest_mailer.adapters.issue_files import IssueFiles
from digest_mailer.core import lint
from digest_mailer.core.errors import Diagnostic
from digest_mailer.core.identity import IssueId
from digest_mailer.core.issue import Issue
from digest_mailer.core.issue_file import Vocabulary, examine_issue
from digest_mailer.services import library as module
from digest_mailer.services.library import Library

CASES = CORPUS / "lint"


@pytest.fixture
def files(tmp_path: Path) -> IssueFiles:
    """Three months about one paper, the middle one with a translation."""
    folder = tmp_path / "newsletters"
    folder.mkdir()
    for name in ("topics.toml", "research-types.toml"):
        shutil.copy(ROOT / "newsletters" / name, folder)
    for month in ("2023-05", "2023-06", "2023-07"):
        text = (CASES / "translation.md").read_text("utf-8").replace("key: staying", f"key: staying-{month}")
        (folder / f"{month}.md").write_text(text.replace("# Staying", f"# {month}: Staying"), "utf-8")
    words = (CASES / "translation.fr.md").read_text("utf-8").replace("key: staying", "key: staying-2023-06")
    (folder / "2023-06.fr.md").write_text(words, "utf-8")
    return IssueFiles(tmp_path, [])


def told(library: Library, month: str) -> list[tuple[str, str]]:
    return [(Path(one.path).name, one.code) for one in library.examine(IssueId(month)).diagnostics]


def test_a_paper_of_an_older_issue_was_perhaps_sent_before(files: IssueFiles) -> None:
    library = Library(files)
    assert told(library, "2023-05") == []
    assert told(library, "2023-07") == [("2023-07.md", "DM118")]
    (found,) = library.examine(IssueId("2023-07")).diagnostics
    assert "issue 2023-05" in found.message, "the first that had it"
    assert "2023-05: Staying in Therapy" in found.message


def test_a_translation_is_examined_in_its_own_file(files: IssueFiles) -> None:
    found = told(Library(files), "2023-06")
    assert ("2023-06.md", "DM118") in found
    assert {code for name, code in found if name == "2023-06.fr.md"} >= {"DM110", "DM114", "DM116", "DM120", "DM122"}


def test_papers_are_gathered_once_for_all_issues(files: IssueFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[object] = []

    def dois_of(issues: Iterable[Issue]) -> dict[str, list[lint.Stated]]:
        calls.append(issues)
        return lint.dois_of(issues)

    monkeypatch.setattr(module, "dois_of", dois_of)
    library = Library(files)
    for month in files.ids():
        library.examine(month)
    assert len(calls) == 1


def test_what_has_not_changed_is_not_parsed_again(files: IssueFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def examine(data: bytes, path: str, vocabulary: Vocabulary) -> tuple[Issue | None, list[Diagnostic]]:
        read.append(Path(path).name)
        return examine_issue(data, path, vocabulary)

    monkeypatch.setattr(module, "examine_issue", examine)
    first = Library(files)
    issues = first.all()
    assert sorted(read) == ["2023-05.md", "2023-06.fr.md", "2023-06.md", "2023-07.md"]
    read.clear()
    assert first.afresh().all() == Library(files, first.readings).all() == issues
    assert read == []
    path = files.folder / "2023-07.md"
    path.write_text(path.read_text("utf-8").replace("# 2023-07: ", "# July: "), "utf-8")
    changed = first.afresh().all()
    assert (read, changed[1:], changed[0] == issues[0]) == (["2023-07.md"], issues[1:], False)
    assert first.all() == issues, "a library stays as it is"
    read.clear()
    topics = files.folder / "topics.toml"
    topics.write_text(topics.read_text("utf-8").replace('name = "Empathy"', 'name = "Warmth"'), "utf-8")
    first.afresh().all()
    assert len(read) == 4
