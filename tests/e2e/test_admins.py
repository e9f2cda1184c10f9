"""Whoever keeps it running lets others in: accounts, roles, passwords and links, from the command line."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from command_support import Result, command

ANNA = "anna@office.example.org"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A publication with one account."""
    folder = tmp_path_factory.mktemp("admins") / "publication"
    assert command("init", folder).code == 0
    assert command("-C", folder, "admins", "add", ANNA).code == 0
    return folder


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Path:
    """A copy of it for one test."""
    return Path(shutil.copytree(made, tmp_path / "publication"))


def admins(project: Path, *words: str, stdin: str = "") -> Result:
    """A command about accounts."""
    return command("-C", project, "--json", "admins", *words, stdin=stdin.encode())


def test_somebody_is_an_author_until_more_is_said(project: Path) -> None:
    assert [(one["address"], one["role"]) for one in admins(project, "list").json["accounts"]] == [(ANNA, "author")]
    assert admins(project, "edit", ANNA, "--role", "admin").json["account"]["role"] == "admin"
    again = admins(project, "add", ANNA)
    assert (again.code, "has an account already" in again.err) == (2, True)


def test_nobody_has_an_account_at_first(tmp_path: Path) -> None:
    assert command("init", tmp_path / "new").code == 0
    assert command("-C", tmp_path / "new", "admins", "list").code == 6


def test_a_password_comes_by_standard_input_and_is_shown_nowhere(project: Path) -> None:
    done = admins(project, "password", ANNA, stdin="a sentence that is long\n")
    assert (done.code, done.json["account"]["password"]) == (0, True)
    assert "sentence" not in done.out + done.err
    short = admins(project, "password", ANNA, stdin="short\n")
    assert (short.code, "at least 12" in short.err) == (2, True)


def test_an_account_is_removed_only_when_somebody_says_so(project: Path) -> None:
    assert admins(project, "remove", ANNA).code == 2
    assert admins(project, "remove", ANNA, "--yes").code == 0
    assert admins(project, "remove", ANNA, "--yes").code == 6
    assert admins(project, "link", ANNA).code == 6


def test_links_lead_to_the_publication_or_to_this_machine(project: Path) -> None:
    own = admins(project, "link", ANNA).json["url"]
    assert re.fullmatch(r"https://digest\.example\.org/admin/in/[A-Za-z0-9_-]{43}/", own)
    here = command("-C", project, "admins", "link", "--port", "8123")
    assert re.fullmatch(r"http://127\.0\.0\.1:8123/admin/in/[A-Za-z0-9_-]{43}/\n", here.out)


def test_all_of_it_is_in_the_trail_without_addresses(project: Path) -> None:
    admins(project, "edit", ANNA, "--role", "admin")
    admins(project, "link", ANNA)
    admins(project, "remove", ANNA, "--yes")
    listed = command("-C", project, "--json", "audit", "list")
    actions = [one["action"] for one in listed.json["entries"]]
    assert actions == ["admin-remove", "admin-link", "admin-role", "admin-add"]
    assert "anna" not in listed.out
    assert command("-C", project, "audit", "verify").code == 0


def test_no_link_is_written_where_it_could_be_kept(project: Path) -> None:
    script = "import sys; from digest_mailer.cli import serving; serving.run_site = lambda *_: None; "
    script += "from digest_mailer.cli.group import run; sys.exit(run(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", script, "-C", project, "serve"], capture_output=True, text=True, check=True, timeout=120
    )
    assert "/admin/in/" not in done.stdout + done.stderr
    assert "digest-mailer admins link" in done.stderr
