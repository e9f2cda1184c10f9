"""Addresses that stand in mails nobody can recall: a change here breaks them."""

from core_support import FRENCH, JULY
from digest_mailer.core.identity import ArticleKey, TopicKey
from digest_mailer.core.urls import article_url, issue_url, issues_url, preferences_url, topic_url, unsubscribe_url

BASE = "https://digest.example.org"


def test_pages_of_the_archive_stay_where_they_are() -> None:
    assert issues_url(BASE) == "https://digest.example.org/issues/"
    assert issue_url(BASE, JULY) == "https://digest.example.org/issues/2023-07/"
    assert article_url(BASE, ArticleKey("a-key")) == "https://digest.example.org/articles/a-key/"
    assert topic_url(BASE, TopicKey("empathy")) == "https://digest.example.org/topics/empathy/"


def test_french_pages_have_their_prefix() -> None:
    assert issues_url(BASE, FRENCH) == "https://digest.example.org/fr/issues/"
    assert issue_url(BASE, JULY, FRENCH) == "https://digest.example.org/fr/issues/2023-07/"
    assert article_url(BASE, ArticleKey("a-key"), FRENCH) == "https://digest.example.org/fr/articles/a-key/"
    assert topic_url(BASE, TopicKey("empathy"), FRENCH) == "https://digest.example.org/fr/topics/empathy/"


def test_personal_pages_are_short_and_say_nothing() -> None:
    token = "T" * 40
    assert unsubscribe_url(BASE, token) == f"https://digest.example.org/u/{token}"
    assert preferences_url(BASE, token) == f"https://digest.example.org/p/{token}"


def test_a_base_address_may_have_a_path() -> None:
    assert issues_url("https://example.org/digest") == "https://example.org/digest/issues/"
