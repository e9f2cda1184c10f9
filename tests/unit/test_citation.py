"""Citations and their DOIs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core_support import texts
from digest_mailer.core.citation import Citation, Doi, doi_url, find_doi, parse_doi

DOI = "10.1037/0000358-006"


@pytest.mark.parametrize(
    "text",
    [
        DOI,
        f" {DOI} ",
        f"doi:{DOI}",
        f"DOI: {DOI}",
        f"https://doi.org/{DOI}",
        f"http://dx.doi.org/{DOI}",
        f"HTTPS://DOI.ORG/{DOI}.",
        f"{DOI}.",
        f"{DOI});",
    ],
)
def test_every_common_spelling_of_a_doi_is_read(text: str) -> None:
    assert parse_doi(text) == DOI


@pytest.mark.parametrize(
    "text",
    ["", "10", "10.1037", "10.1037/", "10.1037/.", "11.1037/x", "10.103/x", "10.1037/a b", "10.1037/<b>", "doi:", "1"],
)
def test_a_malformed_doi_is_none(text: str) -> None:
    assert parse_doi(text) is None


def test_digits_of_other_scripts_are_no_doi() -> None:
    assert parse_doi("10.١٢٣٤/x") is None


@pytest.mark.parametrize("doi", ["10.1016/S0140-6736(20)30183-5", "10.1002/(SICI)1097(199601)5:1", "10.1000/a[1]"])
def test_brackets_that_belong_to_a_doi_stay(doi: str) -> None:
    assert parse_doi(doi) == find_doi(f"Somebody (2020), doi:{doi}.") == doi


@pytest.mark.parametrize(
    ("text", "doi"),
    [
        (f"Norcross (2023). Factors. https://doi.org/{DOI}.", DOI),
        (f"Norcross (2023). Factors (doi:{DOI}).", DOI),
        (f"Norcross (2023). Factors [doi: {DOI}].", DOI),
        (f"Norcross (2023). Factors. DOI: {DOI}, in press", DOI),
        (f"Norcross (2023). <https://doi.org/{DOI}>", DOI),
        ("Lancet. https://doi.org/10.1016/S0140-6736(20)30183-5.", "10.1016/S0140-6736(20)30183-5"),
        (f"Norcross (2023). {DOI}", None),
        ("Norcross (2023).", None),
        ("", None),
    ],
)
def test_the_doi_that_a_citation_states_is_found(text: str, doi: str | None) -> None:
    assert find_doi(text) == doi


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        (f"Norcross (2023). Factors. https://doi.org/{DOI}.", "Norcross (2023). Factors."),
        (f"Norcross (2023). Factors. doi: {DOI}", "Norcross (2023). Factors."),
        (f"Norcross (2023). Factors (doi:{DOI}).", "Norcross (2023). Factors."),
        (f"Norcross (2023). Factors [https://doi.org/{DOI}]. APA.", "Norcross (2023). Factors. APA."),
        (f"Norcross (2023). What works? https://doi.org/{DOI}", "Norcross (2023). What works?"),
        (f"Norcross (2023). <https://doi.org/{DOI}>", "Norcross (2023)."),
        ("Norcross (2023). Factors", "Norcross (2023). Factors."),
        (f"https://doi.org/{DOI}", f"https://doi.org/{DOI}"),
    ],
)
def test_the_reference_leaves_the_doi_out(text: str, reference: str) -> None:
    assert Citation(text, find_doi(text)).reference == reference


def test_a_second_doi_stays_in_the_reference() -> None:
    text = f"Norcross (2023). https://doi.org/{DOI} Reply: https://doi.org/10.1000/reply"
    assert "https://doi.org/10.1000/reply" in Citation(text, find_doi(text)).reference


def test_a_doi_that_is_said_twice_is_left_out_twice() -> None:
    text = f"Norcross (2023). doi:{DOI.upper()} https://doi.org/{DOI}"
    assert Citation(text, find_doi(text)).reference == "Norcross (2023)."


def test_the_url_of_a_citation_is_its_doi() -> None:
    assert Citation("x", Doi(DOI)).url == doi_url(Doi(DOI)) == f"https://doi.org/{DOI}"
    assert Citation("x").url is None


suffixes = st.from_regex(r"[A-Za-z0-9()/_;.:-]{1,30}", fullmatch=True)


@given(suffixes)
def test_reading_a_doi_again_changes_nothing(suffix: str) -> None:
    doi = parse_doi(f"10.1234/{suffix}")
    if doi:
        assert parse_doi(doi) == parse_doi(doi_url(doi)) == find_doi(doi_url(doi)) == doi


@given(texts())
def test_any_text_is_a_citation(text: str) -> None:
    citation = Citation(text, find_doi(text))
    assert citation.reference or not text.strip(" .,;")
