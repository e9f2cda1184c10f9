"""Files: issues that keep every byte, keys that are made once, a journal that is on disk, a lock that ends."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import pytest

from core_support import ROOT, vocabulary
from digest_mailer import resources
from digest_mailer.adapters.departures import DepartureJournal
from digest_mailer.adapters.issue_files import IssueFiles
from digest_mailer.adapters.keys import KeyFiles
from digest_mailer.adapters.project_files import make_project
from digest_mailer.adapters.system import SystemClock, new_subscriber_id, sending_lock
from digest_mailer.core.errors import ConfigError, ContentError, DigestError, Locked, NothingMatched, UsageError
from digest_mailer.core.identity import IssueId, SubscriberId
from digest_mailer.core.issue_file import parse_issue
from store_support import NOW

MARCH = IssueId("2024-03")
DAY = date(2024, 3, 9)
BODY = "\n# A title\n\npublished: never, in the body\n---\nAnd ---\n"
FDS = Path("/proc/self/fd")
MARK = "\ufeff"


def opened(descriptor: int) -> Path:
    """The file behind a descriptor."""
    if not FDS.is_dir():
        pytest.skip("needs /proc to see what is synced")
    return (FDS / str(descriptor)).readlink()


def files(root: Path, *templates: Path) -> IssueFiles:
    (root / "newsletters").mkdir(exist_ok=True)
    return IssueFiles(root, templates)


# -- issues


def published(folder: Path, data: bytes) -> bytes:
    source = files(folder)
    path = folder / "newsletters" / f"{MARCH}.md"
    path.write_bytes(data)
    source.set_published(MARCH, DAY)
    return path.read_bytes()


@pytest.mark.parametrize("mark", ["", MARK], ids=["bare", "byte order mark"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize(
    ("front", "after"),
    [
        ("title: É\nteaser:\n  - a", "title: É\nteaser:\n  - a\npublished: 2024-03-09"),
        ("published:\ntitle: É", "published: 2024-03-09\ntitle: É"),
        ("title: É\npublished: 2023-01-01  # soon\nauthor: x", "title: É\npublished: 2024-03-09\nauthor: x"),
        ("title: É\n----\nsubject: x", "title: É\n----\nsubject: x\npublished: 2024-03-09"),
        ('"published": ""\ntitle: É', "published: 2024-03-09\ntitle: É"),
        ("note: |\n  published: no\ntitle: É", "note: |\n  published: no\ntitle: É\npublished: 2024-03-09"),
        ("unpublished: x", "unpublished: x\npublished: 2024-03-09"),
    ],
)
def test_publishing_changes_one_line_and_no_other_byte(
    tmp_path: Path, mark: str, end: str, front: str, after: str
) -> None:
    before = f"{mark}---\n{front}\n---{BODY}".replace("\n", end).encode()
    assert published(tmp_path, before) == f"{mark}---\n{after}\n---{BODY}".replace("\n", end).encode()


def test_publishing_twice_is_publishing_once(tmp_path: Path) -> None:
    once = published(tmp_path, f"---\ntitle: x\n---\n{BODY}".encode())
    assert published(tmp_path, once) == once


def test_mixed_line_ends_stay_mixed(tmp_path: Path) -> None:
    before = b"---\r\ntitle: x\npublished: 2020-01-01\nsubject: y\r\n---\nbody\r\n"
    assert published(tmp_path, before) == before.replace(b"2020-01-01", b"2024-03-09")


@pytest.mark.parametrize("path", sorted((ROOT / "newsletters").glob("20??-??.md")), ids=lambda path: path.stem)
def test_a_published_sample_is_the_same_issue_on_that_day(tmp_path: Path, path: Path) -> None:
    before = path.read_bytes()
    after = published(tmp_path, before)
    issue = parse_issue(after, f"{MARCH}.md", vocabulary())
    assert issue.published == DAY
    assert len(after) == len(before)
    assert sum(a != b for a, b in zip(before.splitlines(), after.splitlines(), strict=True)) == 1


def test_an_unclosed_front_matter_is_not_written_to(tmp_path: Path) -> None:
    with pytest.raises(ContentError, match="not closed"):
        published(tmp_path, b"---\ntitle: x\n")
    assert (tmp_path / "newsletters" / f"{MARCH}.md").read_bytes() == b"---\ntitle: x\n"


def test_a_file_keeps_its_rights(tmp_path: Path) -> None:
    source = files(tmp_path)
    path = tmp_path / "newsletters" / f"{MARCH}.md"
    path.write_bytes(b"---\ntitle: x\n---\n")
    path.chmod(0o640)
    source.set_published(MARCH, DAY)
    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def full(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    source = files(tmp_path)
    path = tmp_path / "newsletters" / f"{MARCH}.md"
    path.write_bytes(b"---\ntitle: x\n---\n")
    if step == "fsync":
        monkeypatch.setattr(os, "fsync", full)
    else:
        monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(DigestError, match=r"cannot write .*2024-03\.md: No space left"):
        source.set_published(MARCH, DAY)
    assert [*path.parent.iterdir()] == [path]
    assert path.read_bytes() == b"---\ntitle: x\n---\n"


def test_new_content_is_on_disk_before_it_takes_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[tuple[Path, bool]] = []
    sync = os.fsync
    path = tmp_path / "new" / "2024-03.md"

    def note(descriptor: int) -> None:
        synced.append((opened(descriptor), path.exists()))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    files(tmp_path).write(path, "é\r\nx\n")
    (new, there), after = synced
    assert (new.parent, re.sub("[0-9a-f]{8}", "#", new.name), there) == (path.parent, ".2024-03.md.#.new", False)
    assert after == (path.parent, True)
    assert path.read_bytes() == "é\r\nx\n".encode()


def test_months_are_listed_newest_first_and_the_rest_as_strays(tmp_path: Path) -> None:
    source = files(tmp_path)
    for name in ("2023-06.md", "2023-07.md", "2023-13.md", "README.md", "draft.md", ".2023-05.md.new", "2023-04.txt"):
        (tmp_path / "newsletters" / name).touch()
    assert source.ids() == ("2023-07", "2023-06")
    assert source.strays() == ("newsletters/2023-13.md", "newsletters/draft.md")
    assert source.path(IssueId("2023-07")) == "newsletters/2023-07.md"


def test_an_issue_that_is_not_there_is_answered_with_those_that_are(tmp_path: Path) -> None:
    source = files(tmp_path)
    with pytest.raises(NothingMatched) as caught:
        source.read(MARCH)
    assert "none yet" in caught.value.hint
    (tmp_path / "newsletters" / "2023-07.md").touch()
    with pytest.raises(NothingMatched) as caught:
        source.read(MARCH)
    assert "2023-07" in caught.value.hint


def test_an_issue_that_cannot_be_read_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / "newsletters" / "2024-03.md").mkdir(parents=True)
    with pytest.raises(DigestError, match=r"cannot read newsletters/2024-03\.md"):
        files(tmp_path).read(MARCH)


# -- templates and catalogues


def test_the_publications_own_templates_come_first(tmp_path: Path) -> None:
    own = tmp_path / "templates"
    (own / "web").mkdir(parents=True)
    (own / "digest.css").write_text("/* ours */", "utf-8")
    (own / "extra.txt.j2").write_text("ours too", "utf-8")
    (own / "notes.md").write_text("no template", "utf-8")
    found = files(tmp_path, own, resources.templates_root()).templates()
    assert found["digest.css"] == "/* ours */"
    assert found["extra.txt.j2"] == "ours too"
    assert "notes.md" not in found
    assert found["digest.mjml.j2"] == (resources.templates_root() / "digest.mjml.j2").read_text("utf-8")
    assert any(name.startswith("web/") for name in found)


def test_a_template_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    (tmp_path / "digest.css").write_bytes(b"\xff\xfe")
    with pytest.raises(ContentError, match=r"cannot read .*digest\.css"):
        files(tmp_path, tmp_path).templates()


TOPIC = '[[topic]]\nordinal = 1\nkey = "empathy"\nname = "Empathy"\n'
TYPE = '[[type]]\nkey = "trial"\nname = "Trial"\n'
OTHER = '[[topic]]\nordinal = 2\nkey = "other"\nname = "Other"\n'


@pytest.mark.parametrize(
    ("topics", "words"),
    [
        ("", "should hold [[topic]] tables"),
        ("[[topic]", "not valid TOML"),
        ("topic = 5", "should hold [[topic]] tables"),
        ("topic = [5]", "topic 1 is no table"),
        (TOPIC + "\n[other]\n", "should hold [[topic]] tables"),
        (TOPIC + 'nmae = "x"', "topic 1 has the unknown key 'nmae'"),
        (TOPIC.replace("ordinal = 1\n", ""), "topic 1 has no ordinal"),
        (TOPIC.replace('"Empathy"', '""'), "topic 1 has no name"),
        (TOPIC.replace("= 1", "= 252"), "an ordinal from 0 to 251"),
        (TOPIC.replace("= 1", "= -1"), "an ordinal from 0 to 251"),
        (TOPIC.replace("= 1", "= true"), "ordinal of topic 1 should be a whole number"),
        (TOPIC.replace("= 1", '= "1"'), "ordinal of topic 1 should be a whole number"),
        (TOPIC.replace('"empathy"', "7"), "key of topic 1 should be text"),
        (TOPIC.replace('"empathy"', '"Em pathy"'), "malformed key 'Em pathy'"),
        (TOPIC + 'aliases = "Compassion"', "aliases of topic 1 should be a list"),
        (TOPIC + "aliases = [5]", "topic 1 has an alias that is no text"),
        (TOPIC + 'retired = "no"', "retired of topic 1 should be true or false"),
        (TOPIC + OTHER.replace("= 2", "= 1"), "ordinal 1 stands twice"),
        (TOPIC + OTHER.replace("other", "empathy"), '"empathy" names both'),
        (TOPIC + OTHER + 'aliases = ["EMPATHY"]', '"empathy" names both empathy and other'),
        (TOPIC + OTHER + 'name_fr = "  Empathy "', '"empathy" names both empathy and other'),
    ],
)
def test_a_wrong_catalogue_of_topics_is_explained(tmp_path: Path, topics: str, words: str) -> None:
    source = files(tmp_path)
    (tmp_path / "newsletters" / "research-types.toml").write_text(TYPE, "utf-8")
    (tmp_path / "newsletters" / "topics.toml").write_text(topics, "utf-8")
    with pytest.raises(ContentError) as caught:
        source.vocabulary()
    assert words in caught.value.what
    assert "topics.toml" in caught.value.what
    assert caught.value.hint


@pytest.mark.parametrize(
    ("types", "words"),
    [
        (TYPE.replace('"trial"', '"A trial"'), "malformed key"),
        (TYPE + TYPE, '"trial" names both'),
        (TYPE + "ordinal = 1", "unknown key 'ordinal'"),
        (TYPE.replace('name = "Trial"\n', ""), "type 1 has no name"),
    ],
)
def test_a_wrong_catalogue_of_types_is_explained(tmp_path: Path, types: str, words: str) -> None:
    source = files(tmp_path)
    (tmp_path / "newsletters" / "topics.toml").write_text(TOPIC, "utf-8")
    (tmp_path / "newsletters" / "research-types.toml").write_text(types, "utf-8")
    with pytest.raises(ContentError) as caught:
        source.vocabulary()
    assert words in caught.value.what


def test_a_catalogue_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ContentError, match=r"topics\.toml"):
        files(tmp_path).vocabulary()


# -- keys


def test_keys_are_made_once_and_for_the_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / ".digest" / "keys"
    keys = KeyFiles(folder)
    keys.make()
    first = (keys.address, keys.keys)
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700
    keys.make()
    assert (KeyFiles(folder).address, KeyFiles(folder).keys) == first
    assert len({keys.address, keys.keys.message_id, keys.keys.tokens.keys[1]}) == 3
    assert all(len(key) == 32 for key in (keys.address, keys.keys.message_id, keys.keys.tokens.keys[1]))


def test_no_two_publications_have_the_same_key(tmp_path: Path) -> None:
    found = set()
    for name in "ab":
        keys = KeyFiles(tmp_path / name)
        keys.make()
        found.add(keys.address)
    assert len(found) == 2


def test_who_makes_keys_together_gets_the_same(tmp_path: Path) -> None:
    def make(_number: int) -> tuple[bytes, bytes]:
        keys = KeyFiles(tmp_path / "keys")
        keys.make()
        return keys.address, keys.keys.message_id

    with ThreadPoolExecutor(6) as pool:
        assert len(set(pool.map(make, range(6)))) == 1


def test_a_process_that_died_making_keys_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / ".address.key.00000000.new").write_text("half a key", "ascii")
    keys = KeyFiles(tmp_path)
    keys.make()
    assert len(keys.address) == 32


def test_a_key_is_on_disk_before_it_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    sync = os.fsync

    def note(descriptor: int) -> None:
        synced.append(re.sub("[0-9a-f]{8}", "#", opened(descriptor).name))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    KeyFiles(tmp_path / "keys").make()
    assert synced == [
        ".address.key.#.new", "keys", ".message-id.key.#.new", "keys", ".token-1.key.#.new", "keys",
    ]  # fmt: skip


def test_the_newest_token_key_signs_and_all_verify(tmp_path: Path) -> None:
    keys = KeyFiles(tmp_path)
    keys.make()
    for name in ("token-2", "token-10"):
        (tmp_path / f"{name}.key").write_text("ab" * 32 + "\n", "ascii")
    for name in ("token-0", "token-01", "token-x", "token-1000"):
        (tmp_path / f"{name}.key").write_text("no key", "ascii")
    tokens = KeyFiles(tmp_path).keys.tokens
    assert tokens.current == 10
    assert sorted(tokens.keys) == [1, 2, 10]


def test_no_token_key_is_made_beside_a_newer_one(tmp_path: Path) -> None:
    keys = KeyFiles(tmp_path)
    keys.make()
    (tmp_path / "token-1.key").rename(tmp_path / "token-2.key")
    keys.make()
    assert not (tmp_path / "token-1.key").exists()


@pytest.mark.parametrize("text", ["", "ab" * 31, "ab" * 33, "no hexadecimal", "\u00e9"])
def test_a_damaged_key_is_refused_and_not_replaced(tmp_path: Path, text: str) -> None:
    keys = KeyFiles(tmp_path)
    keys.make()
    (tmp_path / "address.key").write_text(text, "utf-8")
    keys.make()
    with pytest.raises(ConfigError, match=r"address\.key") as caught:
        _ = keys.address
    assert "backup" in caught.value.hint
    assert (tmp_path / "address.key").read_text("utf-8") == text


def test_keys_that_are_not_there_are_named(tmp_path: Path) -> None:
    keys = KeyFiles(tmp_path)
    with pytest.raises(ConfigError, match=r"address\.key"):
        _ = keys.address
    with pytest.raises(ConfigError, match="no token key"):
        _ = keys.keys


def test_a_place_where_no_keys_can_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot make keys"):
        KeyFiles(tmp_path / "file" / "keys").make()


# -- the journal of departures


def note(journal: DepartureJournal, number: int = 1) -> None:
    journal.note(SubscriberId(number), bytes([number]) * 16, "link", NOW)


def test_a_departure_is_one_line_added_to_the_others(tmp_path: Path) -> None:
    path = tmp_path / ".digest" / "departures.jsonl"
    for number in (1, 2):
        note(DepartureJournal(path), number)
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert lines[1] == {"at": NOW.isoformat(), "subscriber": 2, "address": "02" * 16, "reason": "link"}
    assert [line["subscriber"] for line in lines] == [1, 2]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_departure_is_on_disk_when_it_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "departures.jsonl"
    synced: list[tuple[Path, int]] = []
    sync = os.fsync

    def watch(descriptor: int) -> None:
        synced.append((opened(descriptor), path.read_text("utf-8").count("\n")))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", watch)
    for number in (1, 2):
        note(DepartureJournal(path), number)
    assert synced == [(path, 1), (tmp_path, 1), (path, 2)]


def fail_sync(_descriptor: int) -> None:
    raise OSError(5, "Input/output error")


def write_half(_descriptor: int, data: bytes) -> int:
    return len(data) // 2


@pytest.mark.parametrize(("call", "failure"), [("fsync", fail_sync), ("write", write_half)])
def test_a_departure_that_is_not_on_disk_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, failure: Callable[..., object]
) -> None:
    monkeypatch.setattr(os, call, failure)
    with pytest.raises(OSError, match=r"Input/output|disk is full"):
        note(DepartureJournal(tmp_path / "departures.jsonl"))


def test_departures_of_several_threads_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "departures.jsonl"
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: note(DepartureJournal(path), number), range(1, 41)))
    lines = [json.loads(line)["subscriber"] for line in path.read_text("utf-8").splitlines()]
    assert sorted(lines) == [*range(1, 41)]


# -- the lock of sending

HOLDER = """
import sys
from pathlib import Path
from digest_mailer.adapters.system import sending_lock
with sending_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("end", ["ends", "is killed"])
def test_one_process_sends_at_a_time(tmp_path: Path, end: str) -> None:
    path = tmp_path / ".digest" / "send.lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(Locked, match="another process is sending") as caught, sending_lock(path):
            pytest.fail("two at once")
        assert caught.value.exit_code == 8
        if end == "ends":
            holder.stdin.close()
        else:
            holder.send_signal(signal.SIGKILL)
        holder.wait()
        with sending_lock(path):
            pass


def test_the_lock_ends_with_an_exception_too(tmp_path: Path) -> None:
    path = tmp_path / "send.lock"
    with pytest.raises(ZeroDivisionError), sending_lock(path):
        _ = 1 / 0
    with sending_lock(path):
        pass


def test_a_lock_that_cannot_be_made_is_a_matter_of_settings(tmp_path: Path) -> None:
    (tmp_path / ".digest").touch()
    with pytest.raises(ConfigError, match="cannot make the lock"), sending_lock(tmp_path / ".digest" / "send.lock"):
        pytest.fail("it was made")


# -- the machine


def test_ids_are_random_and_fit_every_database() -> None:
    ids = {new_subscriber_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(0 < one < 2**63 for one in ids)
    assert max(ids) > 2**61


def test_the_clock_tells_utc() -> None:
    now = SystemClock().now()
    assert now.utcoffset() is not None
    assert now.tzname() == "UTC"


# -- a new publication


def test_a_new_publication_is_the_sample(tmp_path: Path) -> None:
    made = make_project(ROOT, tmp_path / "mine", "http://127.0.0.1:8000")
    for name in made:
        assert (tmp_path / "mine" / name).exists()
    for path in (ROOT / "newsletters").glob("*"):
        assert (tmp_path / "mine" / "newsletters" / path.name).read_bytes() == path.read_bytes()
    settings = (tmp_path / "mine" / "digest.toml").read_text("utf-8")
    assert 'base_url = "http://127.0.0.1:8000"' in settings
    assert settings.count("\n") == (ROOT / "digest.toml").read_text("utf-8").count("\n")
    assert ".digest/" in (tmp_path / "mine" / ".gitignore").read_text("utf-8")


@pytest.mark.parametrize(
    "name", ["digest.toml", "subscribers.example.csv", "newsletters/2020-01.md", "templates/README.md"]
)
def test_a_new_publication_overwrites_nothing(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("mine", "utf-8")
    with pytest.raises(UsageError, match="already"):
        make_project(ROOT, tmp_path)
    assert [one for one in tmp_path.rglob("*") if one.is_file()] == [path]
    assert path.read_text("utf-8") == "mine"


def test_what_is_beside_a_new_publication_stays(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("mine", "utf-8")
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "digest.css").write_text("mine", "utf-8")
    made = make_project(ROOT, tmp_path)
    assert ".gitignore" not in made
    assert (tmp_path / ".gitignore").read_text("utf-8") == "mine"
    assert (tmp_path / "templates" / "digest.css").read_text("utf-8") == "mine"


def test_a_place_where_nothing_can_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot write into"):
        make_project(ROOT, tmp_path / "file")
