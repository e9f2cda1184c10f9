"""What some tests need beyond Python: programs of the machine. The policy of missing ones stands here, once.

A test asks `require("chromium")` before it begins. Without the component it is left out, and the closing line of
the run names what is missing and how to get it; with CI=true it fails, so that nothing is left out unnoticed.
"""

import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

import pytest

from digest_mailer.adapters.browser import find_program

_SKIPPED = "Skipped: "
_MISSING = "missing: "


@dataclass(frozen=True)
class Component:
    """Something that a machine may lack."""

    present: Callable[[], bool]
    install: str


COMPONENTS = {
    "chromium": Component(lambda: find_program() is not None, "apt install chromium"),
    "playwright": Component(
        lambda: all(map(find_spec, ("playwright", "axe_playwright_python"))), "pip install 'digest-mailer[browser]'"
    ),
    "spamd": Component(lambda: shutil.which("spamd", path=_system_path()) is not None, "apt install spamd"),
    "strace": Component(lambda: _traces(), "apt install strace"),
}


def require(*names: str) -> None:
    """Leave the test out when one of these is missing; with CI=true, fail it."""
    lacking = [f"{name} ({COMPONENTS[name].install})" for name in names if not COMPONENTS[name].present()]
    if not lacking:
        return
    words = _MISSING + ", ".join(lacking)
    if os.environ.get("CI") == "true":
        pytest.fail(f"{words}; with CI=true every test must run")
    pytest.skip(words)


def program(name: str) -> str:
    """The path of a program, also of one that is meant for administrators."""
    found = shutil.which(name, path=_system_path())
    assert found is not None, name
    return found


def closing_line(reasons: set[str]) -> str:
    """The last line of a run: what was left out, and for want of what."""
    said = {reason.removeprefix(_SKIPPED) for reason in reasons}
    missing = {part for one in said if one.startswith(_MISSING) for part in one.removeprefix(_MISSING).split(", ")}
    others = {one for one in said if not one.startswith(_MISSING)}
    if not said:
        return "nothing was left out for want of a component"
    parts = [f"not run, because missing: {', '.join(sorted(missing))}"] if missing else []
    return "; ".join([*parts, *(f"not run: {one}" for one in sorted(others))])


def _traces() -> bool:
    """Whether strace is there, and may do it: some containers forbid it."""
    words = ["strace", "-f", "--seccomp-bpf", "-o", os.devnull, "true"]
    return bool(shutil.which("strace")) and not subprocess.run(words, capture_output=True, check=False).returncode


def _system_path() -> str:
    return os.pathsep.join((os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin"))
