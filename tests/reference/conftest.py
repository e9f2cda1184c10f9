"""The reference folder, or a skip that says how to get it."""

import json
import os
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def reference() -> Path:
    """The folder with `seeds/`: page captures, facts and expectations. They are not part of the repository."""
    named = os.environ.get("DIGEST_REFERENCE", "")
    if not named:
        pytest.skip("DIGEST_REFERENCE is not set: it names the folder that holds seeds/")
    folder = Path(named)
    if not (folder / "seeds" / "facts.json").is_file():
        pytest.fail(f"DIGEST_REFERENCE={named} holds no seeds/facts.json")
    return folder


@pytest.fixture(scope="session")
def captures(reference: Path) -> list[tuple[str, bytes]]:
    """Name and content of each capture."""
    return [(path.name, path.read_bytes()) for path in sorted((reference / "seeds").glob("0*.txt"))]


@pytest.fixture(scope="session")
def facts(reference: Path) -> dict[tuple[str, int], dict[str, Any]]:
    """What is known of each article, by month and place in it."""
    listed = json.loads((reference / "seeds" / "facts.json").read_text("utf-8"))["articles"]
    return {(fact["month"], fact["order_in_month"]): fact for fact in listed}
