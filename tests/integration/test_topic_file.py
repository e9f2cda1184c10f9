"""topics.toml is changed where it must be, and nowhere else."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from core_support import ROOT, catalogue
from digest_mailer.adapters import topic_file
from digest_mailer.adapters.issue_files import read_catalogue
from digest_mailer.adapters.topic_file import TopicFile
from digest_mailer.core.errors import ConfigError, ContentError, Locked
from digest_mailer.core.identity import TopicKey
from digest_mailer.core.topic import Catalogue, Topic

TEXT = """\
# The topics.

[[topic]]
ordinal = 0   # for good
key = "empathy"
name = "Empathy"   # as in the list
aliases = [
  "Warmth",  # in old issues
  "Compassion",
]

# -- about therapists
[[topic]]
ordinal = 1
key = 'training'
name = 'Training'

# the end
"""
EMPATHY = Topic(0, TopicKey("empathy"), "Empathy", aliases=("Warmth", "Compassion"))
TRAINING = Topic(1, TopicKey("training"), "Training")


@pytest.fixture
def file(tmp_path: Path) -> TopicFile:
    (tmp_path / "newsletters").mkdir()
    made = TopicFile(tmp_path, tmp_path / ".digest" / "topics.lock")
    made.path.write_bytes(TEXT.encode())
    return made


def text_of(file: TopicFile) -> str:
    return file.path.read_bytes().decode()


def read(file: TopicFile) -> Catalogue:
    return read_catalogue(file.path, text_of(file))


def test_a_name_is_changed_and_its_comment_stays(file: TopicFile) -> None:
    file.put(replace(EMPATHY, name='Therapist "Empathy"', aliases=("Warmth", "Compassion", "Empathy")))
    name, end = """name = "Therapist \\"Empathy\\""   # as in the list""", '"Compassion",\n  "Empathy",\n]'
    assert text_of(file) == TEXT.replace('name = "Empathy"   # as in the list', name).replace('"Compassion",\n]', end)


def test_a_merged_topic_says_so_above_the_comment_of_the_next_one(file: TopicFile) -> None:
    file.put(replace(EMPATHY, retired=True, merged_into=TopicKey("training")))
    assert text_of(file) == TEXT.replace("\n]\n", '\n]\nretired = true\nmerged_into = "training"\n')
    assert read(file).find("Warmth") == TRAINING


def test_what_is_new_in_the_last_table_stands_above_the_last_comment(file: TopicFile) -> None:
    file.put(replace(TRAINING, name_fr="Formation", aliases=("Supervision",)))
    added = 'name = \'Training\'\nname_fr = "Formation"\naliases = ["Supervision"]\n'
    assert text_of(file) == TEXT.replace("name = 'Training'\n", added)


def test_an_alias_that_is_the_name_now_is_taken_out_alone(file: TopicFile) -> None:
    file.put(replace(EMPATHY, name="Warmth", aliases=("Compassion", "Empathy")))
    changed = TEXT.replace('name = "Empathy"', 'name = "Warmth"').replace('  "Warmth",  # in old issues\n', "")
    assert text_of(file) == changed.replace('"Compassion",\n', '"Compassion",\n  "Empathy",\n')


def test_values_that_are_no_more_are_taken_out(file: TopicFile) -> None:
    file.put(replace(EMPATHY, aliases=()))
    start, rest = TEXT.index("aliases = ["), TEXT.index("\n# -- about")
    assert text_of(file) == TEXT[:start] + TEXT[rest:]


def test_a_new_topic_stands_at_the_end(file: TopicFile) -> None:
    file.put(Topic(2, TopicKey("hope"), "Hope", "Espoir", ("Optimism",)))
    table = '[[topic]]\nordinal = 2\nkey = "hope"\nname = "Hope"\nname_fr = "Espoir"\naliases = ["Optimism"]\n'
    assert text_of(file) == TEXT + "\n" + table


def test_the_sample_changes_in_the_lines_of_one_topic_alone(tmp_path: Path) -> None:
    (tmp_path / "newsletters").mkdir()
    file = TopicFile(tmp_path, tmp_path / "topics.lock")
    sample = (ROOT / "newsletters" / "topics.toml").read_text("utf-8")
    file.path.write_text(sample, "utf-8")
    empathy = catalogue().by_key(TopicKey("empathy"))
    file.put(replace(empathy, retired=True))
    before, after = sample.splitlines(), text_of(file).splitlines()
    place = before.index('key = "empathy"')
    number = after.index("retired = true")
    assert [*after[:number], *after[number + 1 :]] == before
    assert place < number < before.index("[[topic]]", place)


def test_lines_end_as_they_did(file: TopicFile) -> None:
    file.path.write_bytes(TEXT.replace("\n", "\r\n").encode())
    file.put(replace(TRAINING, retired=True))
    file.put(Topic(2, TopicKey("hope"), "Hope"))
    assert text_of(file).count("\n") == text_of(file).count("\r\n") == TEXT.count("\n") + 1 + 5


def test_a_file_in_another_form_is_left_alone_with_a_word_why(file: TopicFile) -> None:
    other = "topic = [{ordinal = 0, key = 'empathy', name = 'Empathy'}]\n"
    file.path.write_text(other, "utf-8")
    for topic in (replace(EMPATHY, aliases=(), retired=True), TRAINING):
        with pytest.raises(ContentError, match=r"topics\.toml"):
            file.put(topic)
        assert text_of(file) == other


def test_a_topic_whose_name_is_taken_is_not_written(file: TopicFile) -> None:
    with pytest.raises(ContentError, match="names both"):
        file.put(replace(TRAINING, aliases=("warmth",)))
    assert text_of(file) == TEXT


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ('merged_into = "training"', "empathy is merged, but not retired"),
        ('retired = true\nmerged_into = "other"', "empathy is merged into other, which is no key"),
        ('retired = true\nmerged_into = "empathy"', "merged in a circle: empathy"),
        ("retired = true\nmerged_into = 1", "merged_into of topic 1 should be text"),
    ],
)
def test_a_wrong_merge_in_the_file_is_explained(file: TopicFile, more: str, words: str) -> None:
    with pytest.raises(ContentError, match=words) as caught:
        read_catalogue(file.path, TEXT.replace("\n]\n", f"\n]\n{more}\n"))
    assert caught.value.hint


# -- several at once

PROCESS = """
import sys
from pathlib import Path
from digest_mailer.adapters.topic_file import TopicFile
from digest_mailer.core.identity import TopicKey
from digest_mailer.core.topic import Topic
root, first = Path(sys.argv[1]), int(sys.argv[2])
for number in range(first, first + 15):
    TopicFile(root, root / ".digest" / "topics.lock").put(Topic(number, TopicKey(f"k{number}"), f"Name {number}"))
"""


def test_processes_that_write_together_lose_nothing(file: TopicFile) -> None:
    def run(first: int) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", PROCESS, str(file.path.parent.parent), str(first)]
        return subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)

    with ThreadPoolExecutor(3) as pool:
        ends = [*pool.map(run, (10, 30, 50))]
    assert [(one.returncode, one.stderr) for one in ends] == [(0, "")] * 3
    assert {one.ordinal for one in read(file)} == {0, 1, *range(10, 25), *range(30, 45), *range(50, 65)}
    assert [one.name for one in file.path.parent.iterdir()] == ["topics.toml"]


def test_a_turn_is_waited_for_and_not_for_ever(file: TopicFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topic_file, "_PATIENCE", 0)
    other = TopicFile(file.path.parent.parent, file.path.parent.parent / ".digest" / "topics.lock")
    with file.turn():
        file.put(replace(EMPATHY, retired=True))
        before = text_of(file)
        with pytest.raises(Locked, match="somebody else is changing the topics"):
            other.put(TRAINING)
        assert text_of(file) == before
    other.put(replace(TRAINING, retired=True))
    assert [one.retired for one in read(file)] == [True, True]


def test_a_lock_that_cannot_be_made_is_explained(file: TopicFile, tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    with pytest.raises(ConfigError, match="cannot make the lock"):
        TopicFile(tmp_path, tmp_path / "plain" / "topics.lock").put(TRAINING)
    assert text_of(file) == TEXT
