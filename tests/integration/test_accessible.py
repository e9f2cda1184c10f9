"""What Chromium says of the sample issues: readable in light and dark, and never wider than the window.

Every edition of the newest issue, and the whole-issue edition of each other one.
"""

import pytest

from browser_support import messages, sample_issues
from digest_mailer.adapters.browser import Browser
from digest_mailer.core.identity import IssueId

NEWEST, *OLDER = sample_issues()


def test_every_edition_of_the_newest_issue(browser: Browser) -> None:
    for sample in messages(NEWEST):
        assert browser.look(sample.message.html) == [], sample.key


@pytest.mark.parametrize("issue", OLDER)
def test_the_whole_of_every_other_issue(browser: Browser, issue: IssueId) -> None:
    most = max(len(sample.edition.articles) for sample in messages(issue))
    whole = [sample for sample in messages(issue) if len(sample.edition.articles) == most]
    assert whole
    for sample in whole:  # one in each language
        assert browser.look(sample.message.html) == [], sample.key
