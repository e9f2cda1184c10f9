"""Editions as they were accepted, byte for byte; `make golden` shows what changed and accepts it."""

import pytest

from golden_support import FOLDER, GOLDEN, shown


@pytest.mark.parametrize("name", GOLDEN)
def test_an_edition_is_as_it_was_accepted(name: str) -> None:
    for ending, now in shown(GOLDEN[name]()).items():
        assert now == (FOLDER / f"{name}.{ending}").read_text("utf-8"), "see what changed with: make golden"


def test_every_golden_file_belongs_to_an_edition() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {
        f"{name}.{ending}" for name in GOLDEN for ending in ("html", "txt")
    }
