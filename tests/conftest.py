"""What all tests share: an environment of their own, Hypothesis profiles, one browser, and the closing line.

Profiles: `default` for every run, `soak` for `make soak`. How long an example takes says more about the
machine than about the code, so no profile has a deadline.
"""

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from components import closing_line, require
from digest_mailer.adapters.browser import Browser

settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("soak", settings.get_profile("default"), max_examples=1000)
settings.load_profile("default")  # --hypothesis-profile takes its place later

_SKIPPED_FOR: set[str] = set()


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the person who runs the tests reaches them."""
    for name in [*os.environ]:
        if name.startswith("DIGEST_") and name != "DIGEST_REFERENCE":
            monkeypatch.delenv(name)
    monkeypatch.setenv("NO_COLOR", "1")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for the whole run."""
    require("chromium", "playwright")
    with Browser() as started:
        yield started


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remember what was left out, and why."""
    if report.skipped and isinstance(report.longrepr, tuple):
        _SKIPPED_FOR.add(str(report.longrepr[2]))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name in one closing line what is missing."""
    terminalreporter.write_line(closing_line(_SKIPPED_FOR))
