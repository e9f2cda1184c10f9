"""What SpamAssassin's own rules say of every edition of the sample issues."""

from collections.abc import Iterator

import pytest

from browser_support import messages, sample_issues
from components import require
from digest_mailer.core.identity import IssueId
from message_support import build
from spamd_support import Spamd, running_spamd

MOST = 0.5  # points; a message is spam at 5
GTUBE = b"XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X\r\n"  # every filter must refuse it


@pytest.fixture(scope="session")
def spamd() -> Iterator[Spamd]:
    """One daemon for the whole run."""
    require("spamd")
    with running_spamd() as daemon:
        yield daemon


def test_the_daemon_knows_spam(spamd: Spamd) -> None:
    verdict = spamd.judge(build(body=GTUBE).content)
    assert verdict.spam
    assert verdict.score > 100
    assert verdict.rules["GTUBE"] == 1000


def test_the_daemon_counts_small_sins(spamd: Spamd) -> None:
    """A message without a Date, in capitals: the limit below is not one that anything passes."""
    shouted = build().content.replace(b"Subject: Issue 1", b"Subject: THE NEWEST ISSUE IS HERE NOW")
    verdict = spamd.judge(shouted)
    assert not verdict.spam
    assert verdict.score > MOST
    assert {"MISSING_DATE", "SUBJ_ALL_CAPS"} <= set(verdict.rules)


@pytest.mark.parametrize("issue", sample_issues())
def test_every_edition_is_far_from_spam(spamd: Spamd, issue: IssueId) -> None:
    for sample in messages(issue):
        verdict = spamd.judge(sample.message.content)
        assert not verdict.spam
        assert max(verdict.score, verdict.against) <= MOST, (sample.key, verdict)
