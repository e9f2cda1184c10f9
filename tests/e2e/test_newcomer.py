"""A newcomer: the demo, a publication of their own, and an installed copy away from the checkout."""

import mailbox
import os
import subprocess
import sys
import venv
from email import policy
from email.parser import BytesParser
from pathlib import Path

import pytest

from command_support import ROOT, command, process
from digest_mailer.cli.group import SECTIONS, cli


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo as the README has it, in a directory of its own."""
    folder = tmp_path_factory.mktemp("newcomer") / "demo"
    result = process("demo", folder)
    assert result.code == 0, result.err
    assert "28 accepted" in result.out
    assert "serve --port" in result.out
    assert "\x1b" not in result.out + result.err
    return folder


def test_the_demo_leaves_the_newest_issue_in_the_inbox(demo: Path) -> None:
    inbox = mailbox.Maildir(demo / ".digest" / "sandbox", create=False)
    subjects = set()
    for key in inbox.keys():  # noqa: SIM118 - a Maildir iterates over messages
        message = BytesParser(policy=policy.default).parsebytes(inbox.get_bytes(key))
        subjects.add(message["Subject"])
        kinds = [part.get_content_type() for part in message.walk() if not part.is_multipart()]
        assert kinds == ["text/plain", "text/html"]
    assert len(inbox) == 28
    assert subjects == {"What helps and what harms in therapy"}


def test_the_demo_links_to_its_own_pages(demo: Path) -> None:
    inbox = mailbox.Maildir(demo / ".digest" / "sandbox", create=False)
    source = inbox.get_bytes(inbox.keys()[0])
    assert b"List-Unsubscribe: <http://127.0.0.1:" in source


def test_the_demo_says_what_happened_as_data(tmp_path: Path) -> None:
    result = command("--json", "demo", tmp_path / "demo")
    assert result.code == 0
    assert result.json["accepted"] == 28
    assert result.json["exit"] == 0
    assert result.json["schema"] == "digest-mailer/demo/1"


def test_the_demo_overwrites_nothing(demo: Path) -> None:
    before = (demo / "digest.toml").read_bytes()
    result = command("demo", demo, "--no-serve")
    assert result.code == 2
    assert "digest.toml already" in result.err
    assert (demo / "digest.toml").read_bytes() == before


def test_init_imports_nobody_and_approves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    assert command("init", folder).code == 0
    assert command("-C", folder, "subscribers", "list").code == 6
    states = command("-C", folder, "--json", "issues").json["issues"]
    assert len(states) == 14
    assert {one["state"] for one in states} == {"draft"}
    keys = folder / ".digest" / "keys"
    assert {path.stat().st_mode & 0o777 for path in keys.iterdir()} == {0o600}
    assert (folder / "digest.toml").read_bytes() == (ROOT / "digest.toml").read_bytes()
    assert command("init", folder).code == 2


def test_every_command_of_the_help_can_be_loaded() -> None:
    context = cli.make_context("digest-mailer", ["issues"])
    for commands in SECTIONS.values():
        for name in commands:
            found = cli.get_command(context, name)
            assert found is not None
            assert found.name == name


def test_help_loads_nothing_heavy() -> None:
    heavy = ("sqlalchemy", "premailer", "pydantic", "starlette", "uvicorn", "jinja2", "rich", "asyncio", "yaml")
    code = (
        "import sys; from digest_mailer.cli.group import run; run(['--help']);"
        f"print([name for name in {heavy!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


@pytest.mark.slow
def test_an_installed_wheel_needs_no_checkout(tmp_path: Path) -> None:
    """Built from this tree, installed into a fresh environment, run from elsewhere."""
    wheel = _wheel(tmp_path)
    python = _environment(tmp_path / "venv", wheel)
    away = tmp_path / "away"
    away.mkdir()
    made = process("init", "mine", python=python, cwd=away)
    assert made.code == 0, made.err
    built = process("-C", "mine", "--json", "build", "--all", "-o", "out", python=python, cwd=away)
    assert built.code == 0, built.err
    assert len(built.json["builds"]) == 14
    assert (away / "out" / "2023-07" / "en-1.2.3" / "message.eml").is_file()
    demo = process("demo", "--no-serve", python=python, cwd=away, TMPDIR=str(away))
    assert demo.code == 0, demo.err
    assert "28 accepted" in demo.out


def _wheel(folder: Path) -> Path:
    build: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "-q",
        "-w",
        folder,
        ROOT,
    ]
    subprocess.run(build, check=True, env=os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"})
    (wheel,) = folder.glob("digest_mailer-*.whl")
    return wheel


def _environment(folder: Path, wheel: Path) -> Path:
    """A fresh environment with the wheel; its dependencies are this one's, so that nothing is fetched."""
    venv.EnvBuilder(with_pip=False, symlinks=True).create(folder)
    python = folder / "bin" / "python"
    (site,) = (folder / "lib").glob("python3.*/site-packages")
    target: list[str | Path] = [sys.executable, "-m", "pip", "install", "--no-deps", "-q", "--target", site, wheel]
    subprocess.run(target, check=True, env=os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"})
    mine = next(path for path in map(Path, sys.path) if path.name == "site-packages")
    # behind the wheel's own copy on the path; the editable install's finder is a .pth file, which is not read there
    (site / "dependencies.pth").write_text(f"{mine}\n", encoding="utf-8")
    where = subprocess.run(
        [python, "-c", "import digest_mailer; print(digest_mailer.__file__)"],
        capture_output=True, text=True, check=True, cwd=folder,
    )  # fmt: skip
    assert str(site) in where.stdout
    return python
