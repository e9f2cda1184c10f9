"""An admin looks after the topics."""

import shutil
from pathlib import Path

import pytest

from command_support import ROOT, command


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A publication with its sample people."""
    folder = tmp_path_factory.mktemp("topics") / "publication"
    assert command("init", folder).code == 0
    done = command("-C", folder, "subscribers", "import", ROOT / "subscribers.example.csv", "--apply")
    assert done.code == 0
    return folder


@pytest.fixture
def project(full: Path, tmp_path: Path) -> Path:
    """A copy of it for one test."""
    return Path(shutil.copytree(full, tmp_path / "publication"))


def state(project: Path) -> dict[str, bytes]:
    """Every file of the publication but the database, whose rows are looked at by other means."""
    files = (path for path in project.rglob("*") if path.is_file() and ".digest" not in path.parts)
    return {str(path): path.read_bytes() for path in files}


def test_topics_are_listed_with_followers_and_articles(project: Path) -> None:
    found = command("-C", project, "topics", "list", "--json").json
    assert (found["schema"], found["all_topics"], len(found["topics"])) == ("digest-mailer/topics/1", 4, 36)
    empathy = next(one for one in found["topics"] if one["key"] == "empathy")
    assert empathy == {
        "ordinal": 13,
        "key": "empathy",
        "name": "Empathy",
        "name_fr": "Empathie",
        "aliases": [],
        "retired": False,
        "merged_into": None,
        "followers": 4,
        "articles": 5,
        "last_issue": "2023-07",
    }
    shown = command("-C", project, "topics", "list")
    assert "attendance-attrition-dropout" in shown.out
    assert "\x1b" not in shown.out
    assert "4 more people follow all topics" in shown.err


def test_looking_at_topics_makes_no_database(tmp_path: Path) -> None:
    folder = tmp_path / "publication"
    assert command("init", folder).code == 0
    shutil.rmtree(folder / ".digest")  # as after a clone
    assert command("-C", folder, "topics", "list").code == 0
    assert command("-C", folder, "topics", "coverage").code == 0
    assert command("-C", folder, "topics", "merge", "empathy", "alliance").code == 0
    assert not (folder / ".digest").exists()
    assert command("-C", folder, "topics", "merge", "empathy", "alliance", "--yes").code == 0
    assert not (folder / ".digest" / "digest.db").exists()
    assert 'merged_into = "alliance"' in (folder / "newsletters" / "topics.toml").read_text("utf-8")


def test_coverage_counts_articles_by_year_and_marks_who_waits(project: Path) -> None:
    found = command("-C", project, "--json", "topics", "coverage").json
    assert (found["until"], found["years"]) == ("2023-07", [2020, 2021, 2022, 2023])
    rows = {one["key"]: one for one in found["topics"]}
    assert rows["empathy"]["years"] == {"2023": 3, "2022": 1, "2020": 1}
    assert (rows["attachment"]["waiting"], rows["empathy"]["waiting"]) == (True, False)
    shown = command("-C", project, "topics", "coverage")
    (line,) = (line for line in shown.out.splitlines() if line.strip().startswith("Attachment"))
    assert line.rstrip().endswith("no article for 12 months")
    assert "up to 2023-07" in shown.err


def test_a_topic_is_added_renamed_and_given_an_alias(project: Path) -> None:
    added = command("-C", project, "topics", "add", "hope", "Hope", "--fr", "Espoir", "--alias", "Trust [x]", "--json")
    assert (added.code, added.json["topic"]["ordinal"], added.json["changed"]) == (0, 36, True)
    assert command("-C", project, "topics", "rename", "Espoir", "--fr", "Confiance").code == 0
    shown = command("-C", project, "topics", "alias", "hope", "Luck")
    assert shown.out == "hope: Hope / Confiance (also Trust [x], Espoir, Luck) has these aliases.\n"
    assert "Trust [x]" in command("-C", project, "topics", "list").out
    assert command("-C", project, "topics", "alias", "hope", "luck").out.endswith("is as it was.\n")
    taken = command("-C", project, "topics", "add", "luck", "Good Luck")
    assert (taken.code, taken.err.splitlines()[0]) == (2, 'error: "luck" names the topic hope already')
    assert command("-C", project, "topics", "rename", "hope").code == 2
    assert command("-C", project, "topics", "rename", "hope", "--fr", "Espoir", "--no-fr").code == 2
    plain = command("-C", project, "topics", "rename", "hope", "--no-fr", "--json").json["topic"]
    assert (plain["name_fr"], "Confiance" in plain["aliases"]) == ("", True)
    missing = command("-C", project, "topics", "rename", "hpoe", "Hope")
    assert (missing.code, 'did you mean "hope"?' in missing.err) == (6, True)


@pytest.mark.parametrize("words", [("retire", "empathy"), ("merge", "empathy", "alliance")])
def test_a_plan_comes_first_and_changes_nothing(project: Path, words: tuple[str, ...]) -> None:
    before = state(project)
    planned = command("-C", project, "topics", *words, "--json").json
    assert (planned["applied"], planned["moved"], planned["followers"]["people"]) == (False, None, 6)
    shown = command("-C", project, "topics", *words)
    assert "Therapeutic Relationship Factors that Work" in shown.out
    assert "do it with --apply" in shown.err
    assert state(project) == before
    assert command("-C", project, "--json", "topics", *words).json == planned
    assert command("-C", project, "audit", "list", "--action", "topics-merge").code == 6


def test_a_merge_moves_readers_and_is_on_record(project: Path) -> None:
    assert command("-C", project, "segments", "add", "warm", "--any", "Empathy").code == 0
    done = command("-C", project, "--json", "topics", "merge", "Empathy", "Working Alliance", "--yes").json
    assert (done["applied"], done["moved"]) == (True, {"people": 6, "segments": ["warm"]})
    assert (done["topic"]["merged_into"], done["into"]["key"]) == ("alliance", "alliance")
    rows = {one["key"]: one for one in command("-C", project, "topics", "list", "--json").json["topics"]}
    assert (rows["empathy"]["followers"], rows["empathy"]["articles"]) == (0, 0)
    assert (rows["alliance"]["followers"], rows["alliance"]["last_issue"]) == (8, "2023-07")
    assert "(merged into alliance)" in " ".join(command("-C", project, "topics", "list").out.split())
    (entry,) = command("-C", project, "audit", "list", "--action", "topics-merge", "--json").json["entries"]
    assert entry["facts"] == {"from": "empathy", "into": "alliance", "people": 6, "segments": ["warm"]}
    assert command("-C", project, "lint", "--all").code == 0


def test_a_merge_that_was_not_finished_is_told(project: Path) -> None:
    path = project / "newsletters" / "topics.toml"
    text = path.read_text("utf-8")
    merged = text.replace('key = "empathy"\n', 'key = "empathy"\nretired = true\nmerged_into = "alliance"\n')
    path.write_text(merged, "utf-8")
    told = command("-C", project, "topics", "list").err
    assert "4 people still follow empathy, which was merged" in told
    run = told.rpartition("run: digest-mailer ")[2].split()
    done = command("-C", project, *run)
    assert (done.code, "6 people, 0 segments" in done.out) == (0, True)
    assert "still follow" not in command("-C", project, "topics", "list").err
