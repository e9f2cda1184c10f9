"""References as data, and the line that each becomes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest_mailer.core.citation import Doi, find_doi
from digest_mailer.core.csl import MOST_NAMES, cite, doi_of, title_of
from digest_mailer.core.errors import Place
from digest_mailer.core.fields import Report, check_text

DOI = Doi("10.5555/made.up.1")
ARTICLE: dict[str, Any] = {
    "type": "article-journal",
    "DOI": "10.5555/made.up.1",
    "title": "Sleep and mood",
    "author": [{"family": "Rask", "given": "Anna-Marie J."}, {"family": "Lund", "given": "B."}],
    "issued": {"date-parts": [[2022, 3, 1]]},
    "container-title": "Journal of Made-up Results",
    "volume": "3",
    "issue": "1",
    "page": "4-9",
}
WHERE = "Journal of Made-up Results, 3(1), 4–9."
BOOK = {"type": "chapter", "container-title": "The Book"}
TAIL = "https://doi.org/10.5555/made.up.1"


def line(**changes: Any) -> str:
    kept = {name: value for name, value in (ARTICLE | changes).items() if value is not None}
    return cite(kept, DOI).text


def test_an_article() -> None:
    citation = cite(ARTICLE, DOI)
    assert citation.text == (
        f"Rask, A.-M. J., & Lund, B. (2022). Sleep and mood. Journal of Made-up Results, 3(1), 4–9. {TAIL}"
    )
    assert citation.doi == DOI == doi_of(ARTICLE) == find_doi(citation.text)


@pytest.mark.parametrize(
    ("changes", "begins"),
    [
        ({"author": [{"family": "Rask", "given": "A"}]}, "Rask, A. (2022). Sleep"),
        ({"author": [{"literal": "Sleep Group"}]}, "Sleep Group. (2022). Sleep"),
        ({"author": [{"name": "Sleep Group"}]}, "Sleep Group. (2022). Sleep"),
        ({"author": [{"family": "Berg", "given": "Ada B", "non-dropping-particle": "van der", "suffix": "Jr."}]},
         "van der Berg, A. B., Jr. (2022). Sleep"),
        ({"author": [{"family": "Rask", "given": "J.C."}]}, "Rask, J. C. (2022)."),
        ({"author": None}, "Sleep and mood. (2022). Journal"),
        ({"author": [{}, 7]}, "Sleep and mood. (2022). Journal"),
        ({"issued": None}, "Rask, A.-M. J., & Lund, B. (n.d.). Sleep"),
        ({"issued": {"raw": "Spring 2021"}}, "Rask, A.-M. J., & Lund, B. (2021). Sleep"),
        ({"issued": None, "published-online": {"date-parts": [["2020"]]}}, "Rask, A.-M. J., & Lund, B. (2020). Sleep"),
        ({"issued": {"date-parts": [[None]]}}, "Rask, A.-M. J., & Lund, B. (n.d.). Sleep"),
    ],
)  # fmt: skip
def test_who_and_when(changes: dict[str, Any], begins: str) -> None:
    assert line(**changes).startswith(begins)


@pytest.mark.parametrize(
    ("changes", "ends"),
    [
        ({"title": "Does sleep help?"}, f"(2022). Does sleep help? {WHERE}"),
        ({"title": ["Sleep"], "subtitle": ["A trial"]}, f"(2022). Sleep: A trial. {WHERE}"),
        ({"title": "<i>Sleep</i> &amp; mood at p &lt; .05"}, f"(2022). Sleep & mood at p < .05. {WHERE}"),
        ({"issue": None}, "Journal of Made-up Results, 3, 4–9."),
        ({"page": None, "article-number": "E12"}, "Journal of Made-up Results, 3(1), E12."),
        ({"volume": None, "issue": None, "page": None}, "Sleep and mood. Journal of Made-up Results."),
        ({"container-title": None, "publisher": "A Press"}, "Sleep and mood. A Press."),
        ({"container-title": None}, "(2022). Sleep and mood."),
        (BOOK | {"publisher": "A Press", "editor": [{"family": "Holm", "given": "C"}]},
         "Sleep and mood. In C. Holm (Ed.), The Book (pp. 4–9). A Press."),
        (BOOK | {"editor": [{"family": "Holm", "given": "C"}, {"literal": "Group"}]},
         "Sleep and mood. In C. Holm, & Group (Eds.), The Book (pp. 4–9)."),
    ],
)  # fmt: skip
def test_what_and_where(changes: dict[str, Any], ends: str) -> None:
    assert line(**changes).endswith(f"{ends} {TAIL}")


def test_many_names_are_shortened() -> None:
    names = [{"family": f"Name{number}", "given": "A"} for number in range(MOST_NAMES + 1)]
    assert ", & Name19, A. (2022)" in line(author=names[:-1])
    assert "Name18, A., . . . Name20, A. (2022)" in line(author=names)


NAMES = st.sampled_from([*ARTICLE, "date-parts", "family", "given", "literal"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from([*ARTICLE, "editor", "publisher", "subtitle"]), JSON))
def test_any_data_becomes_one_line_that_states_the_doi(item: dict[str, Any]) -> None:
    report = Report("here")
    for text in (cite(item, DOI).text, title_of(item)):
        assert check_text(report, text, Place(), "it")
    assert cite(item, DOI).text.endswith(TAIL)
    doi_of(item)
