"""Every edition of the sample publication, judged from outside by the mail checker beside the captures.

Its parts that need a browser and a judge of spam are left to `tests/integration`, which asks the same of both.
"""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from command_support import command
from core_support import ROOT

SUPPORT = 90  # points of 100: how much of what a mail uses the weighted clients have

pytestmark = pytest.mark.reference


def test_every_edition_is_without_fault(reference: Path, tmp_path: Path) -> None:
    checker = reference / "tools" / "mailcheck" / "mailcheck.py"

    def judged(path: Path) -> tuple[Path, dict[str, Any]]:
        options = ("--json", "--no-browser", "--no-spam")
        done = subprocess.run([sys.executable, checker, path, *options], capture_output=True, check=False)
        return path, json.loads(done.stdout)

    assert command("-C", ROOT, "build", "--all", "-o", tmp_path).code == 0
    messages = sorted(tmp_path.rglob("message.eml"))
    assert len(messages) == 104
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, verdict in pool.map(judged, messages):
            place = path.relative_to(tmp_path)
            assert (verdict["errors"], verdict["warnings"]) == ([], []), place
            assert verdict["facts"]["support_score"] >= SUPPORT, place
            harmful = {name: one["harmful"] for name, one in verdict["facts"]["support"].items() if one["harmful"]}
            assert harmful == {}, place
