"""Past issues: only published and older ones are ever linked."""

from datetime import date
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from core_support import JULY, article_of, issue_ids, issue_of
from digest_mailer.core.archive import MAX_RELATED, before, index, related
from digest_mailer.core.citation import Citation, Doi
from digest_mailer.core.identity import ArticleKey, IssueId
from digest_mailer.core.issue import Article, Issue

DAY = date(2023, 1, 1)


def published(month: str, *articles: Article) -> Issue:
    return issue_of(*articles, id=IssueId(month), published=DAY)


def about(key: str, *topics: str, doi: str = "") -> Article:
    return article_of(key, *topics, citation=Citation("x", Doi(doi)) if doi else None)


def keys(found: object) -> list[ArticleKey]:
    return [one.key for one in found]  # type: ignore[attr-defined]


MAY = published("2023-05", about("may", "Empathy", "Training"))
JUNE = published("2023-06", about("june", "Training", doi="10.1000/June"))
DRAFT = issue_of(about("draft", "Empathy"), id=IssueId("2023-04"))


def test_the_index_is_newest_first_whatever_the_order_of_the_files() -> None:
    for order in permutations([MAY, JUNE, DRAFT]):
        assert [entry.issue for entry in index(order)] == ["2023-06", "2023-05"]


def test_an_issue_that_is_not_published_is_in_no_archive() -> None:
    assert index([DRAFT]) == ()


@given(st.lists(issue_ids, unique=True, max_size=8), issue_ids)
def test_an_issue_sees_only_older_ones(months: list[IssueId], month: IssueId) -> None:
    archive = index(published(one) for one in months)
    assert [entry.issue for entry in before(archive, month)] == sorted((m for m in months if m < month), reverse=True)


def test_an_entry_has_what_a_link_needs() -> None:
    (entry,) = index([JUNE])
    (article,) = entry.articles
    assert (entry.title, entry.subject) == ("", "What helps")
    assert (article.issue, article.key, article.title, article.doi) == (
        "2023-06", "june", "Article june", "10.1000/June",
    )  # fmt: skip


def test_related_articles_share_a_topic_newest_first() -> None:
    assert keys(related([about("new", "Training")], index([MAY, JUNE]))) == ["june", "may"]
    assert keys(related([about("new", "Empathy")], index([MAY, JUNE]))) == ["may"]
    assert related([about("new", "Anxiety")], index([MAY, JUNE])) == ()


def test_related_articles_share_a_doi_whatever_its_capitals() -> None:
    assert keys(related([about("new", doi="10.1000/jUNE")], index([MAY, JUNE]))) == ["june"]


def test_articles_without_doi_or_topic_are_not_related() -> None:
    assert related([about("new")], index([published("2023-01", about("old"))])) == ()


def test_an_article_is_not_related_to_itself() -> None:
    assert related([about("may", "Empathy")], index([MAY])) == ()


def test_an_article_of_several_matching_articles_is_shown_once() -> None:
    assert keys(related([about("one", "Empathy"), about("two", "Training")], index([MAY]))) == ["may"]


def test_only_a_few_are_shown() -> None:
    many = index(published(f"2022-{month:02d}", about(f"m{month}", "Empathy")) for month in range(1, 13))
    assert keys(related([about("new", "Empathy")], many)) == ["m12", "m11", "m10"]
    assert len(related([about("new", "Empathy")], many)) == MAX_RELATED
    assert related([about("new", "Empathy")], many, limit=0) == ()


def test_what_is_taken_from_other_issues_is_fixed_by_their_order_alone() -> None:
    """Rendering June again after July was published changes nothing in June."""
    july = published(JULY, about("july", "Training"))
    june_then, june_now = (before(index(some), JUNE.id) for some in ([MAY, JUNE], [july, JUNE, MAY]))
    assert june_then == june_now
