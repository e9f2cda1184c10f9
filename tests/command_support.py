"""The command as people run it: in this process for speed, or installed, as a process of its own."""

import contextlib
import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from digest_mailer.cli.group import run

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Result:
    """What a call of the command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The document on standard output."""
        return json.loads(self.out)


class _Input(io.TextIOWrapper):
    """Standard input that is no terminal."""


def command(*words: str | Path, stdin: bytes = b"") -> Result:
    """Run the command in this process."""
    out, err = io.StringIO(), io.StringIO()
    before = sys.stdin
    sys.stdin = _Input(io.BytesIO(stdin), encoding="utf-8")
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run([str(word) for word in words])
    finally:
        sys.stdin.close()
        sys.stdin = before
    return Result(code, out.getvalue(), err.getvalue())


def process(*words: str | Path, python: Path | None = None, cwd: Path | None = None, **environment: str) -> Result:
    """Run the command as a process of its own, with nobody at its input."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("DIGEST_", "PYTHON"))}
    done = subprocess.run(
        [python or sys.executable, "-m", "digest_mailer", *map(str, words)],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        cwd=cwd,
        env=clean | environment,
        timeout=240,
        check=False,
    )
    return Result(done.returncode, done.stdout.decode(), done.stderr.decode())
