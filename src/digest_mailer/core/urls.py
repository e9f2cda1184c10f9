"""Addresses that outlive code. They stand in mails that nobody can recall, so they never change.

`/issues/YYYY-MM/`, `/articles/KEY/`, `/topics/SLUG/`, with `/LANGUAGE` in front for every language but English,
so that a publication may change its first language; `/u/TOKEN` to leave (GET shows, POST acts) and `/p/TOKEN`
for preferences; `/subscribe/`, and the links of letters: `/c/TOKEN` confirms, `/d/TOKEN` shows one's data, `/e/TOKEN`
erases. `/admin/` is for who works on the publication.
`base` is the publication's base address without a trailing slash.
"""

from digest_mailer.core.identity import ENGLISH, ArticleKey, IssueId, Language, TopicKey


def issues_url(base: str, language: Language = ENGLISH) -> str:
    """The list of all issues."""
    return f"{base}{_prefix(language)}/issues/"


def issue_url(base: str, issue: IssueId, language: Language = ENGLISH) -> str:
    """One issue on the web."""
    return f"{base}{_prefix(language)}/issues/{issue}/"


def article_url(base: str, key: ArticleKey, language: Language = ENGLISH) -> str:
    """One article on the web."""
    return f"{base}{_prefix(language)}/articles/{key}/"


def topic_url(base: str, key: TopicKey, language: Language = ENGLISH) -> str:
    """The articles of one topic on the web."""
    return f"{base}{_prefix(language)}/topics/{key}/"


def unsubscribe_url(base: str, token: str) -> str:
    """The page to leave on, and the address of the one-click POST (RFC 8058)."""
    return f"{base}/u/{token}"


def preferences_url(base: str, token: str) -> str:
    """The page to choose topics on."""
    return f"{base}/p/{token}"


def sign_up_url(base: str, language: Language = ENGLISH) -> str:
    """The page to sign up on."""
    return f"{base}{_prefix(language)}/subscribe/"


def links_url(base: str) -> str:
    """Where the form goes by which one has one's own link mailed."""
    return f"{base}/links/"


def confirm_url(base: str, token: str) -> str:
    """The page to confirm a sign-up on."""
    return f"{base}/c/{token}"


def data_url(base: str, token: str) -> str:
    """The page that shows what is kept of somebody."""
    return f"{base}/d/{token}"


def erase_url(base: str, token: str) -> str:
    """The page to be forgotten on."""
    return f"{base}/e/{token}"


def admin_url(base: str) -> str:
    """The pages of who works on the publication."""
    return f"{base}/admin/"


def sign_in_url(base: str, secret: str) -> str:
    """A link that signs in, once."""
    return f"{base}/admin/in/{secret}/"


def _prefix(language: Language) -> str:
    return "" if language == ENGLISH else f"/{language}"
