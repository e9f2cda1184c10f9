"""Publishing: what makes an issue part of the archive is one line in its file."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from digest_mailer.core.identity import issue_month
from digest_mailer.core.issue import Issue
from digest_mailer.ports import IssueSource


def publish(source: IssueSource, issue: Issue, now: datetime, timezone: str) -> date | None:
    """Write `published:` into the issue's file, before its first mail leaves; None when it is there already."""
    if issue.published:
        return None
    today = now.astimezone(ZoneInfo(timezone)).date()
    source.set_published(issue.id, today)
    return today


def sample_date(issue: Issue, timezone: str) -> datetime:
    """The Date of a built sample message: the day of publication or the 1st of the month, at 09:00."""
    day = issue.published or issue_month(issue.id)
    return datetime(day.year, day.month, day.day, 9, tzinfo=ZoneInfo(timezone))
