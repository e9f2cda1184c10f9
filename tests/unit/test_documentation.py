"""The reference pages name what is there, all of it, and nothing else."""

import re
from pathlib import Path

import pytest

from digest_mailer.cli.group import SECTIONS
from digest_mailer.config import DeliverySettings, DkimSettings, PublicationSettings, SenderSettings
from digest_mailer.core.errors import ExitCode
from digest_mailer.core.issue_file import ARTICLE_FIELDS, ISSUE_FIELDS

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "digest_mailer"


def _page(name: str) -> str:
    return (ROOT / "docs" / "reference" / f"{name}.md").read_text(encoding="utf-8")


def test_every_diagnostic_is_explained_and_every_explained_one_exists() -> None:
    used = {code for path in PACKAGE.rglob("*.py") for code in re.findall(r'"(DM\d{3})"', path.read_text("utf-8"))}
    explained = set(re.findall(r"^\| (DM\d{3}) \|", _page("diagnostics"), re.MULTILINE))
    assert explained == used


@pytest.mark.parametrize("table", [PublicationSettings, SenderSettings, DeliverySettings, DkimSettings])
def test_every_setting_is_explained(table: type[PublicationSettings]) -> None:
    explained = set(re.findall(r"^\| `(\w+)` \|", _page("configuration"), re.MULTILINE))
    assert set(table.model_fields) <= explained


def test_every_field_of_an_issue_file_is_explained() -> None:
    explained = set(re.findall(r"^\| `(\w+)` \|", _page("issue-file"), re.MULTILINE))
    assert explained == {*ISSUE_FIELDS, *ARTICLE_FIELDS}


def test_every_command_and_exit_code_is_explained() -> None:
    page = _page("commands")
    for commands in SECTIONS.values():
        for name in commands:
            assert re.search(rf"^\| `{name}\b", page, re.MULTILINE), name
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)} == set(ExitCode)


def test_every_module_has_a_room_in_the_tour() -> None:
    tour = (ROOT / "docs" / "explanation" / "architecture.md").read_text(encoding="utf-8")
    for folder in ("core", "services", "adapters"):
        for path in (PACKAGE / folder).glob("*.py"):
            if path.name != "__init__.py":
                assert f"{folder}/{path.stem}" in tour, path.name


@pytest.mark.parametrize("page", sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]), ids=lambda p: p.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target
