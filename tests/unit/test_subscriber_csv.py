"""People in, as CSV: every case of tests/corpus/subscribers, and what holds for any bytes at all."""

import io
import json
import tracemalloc
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any
from unicodedata import normalize

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core_support import CORPUS, ROOT, TODAY, catalogue, lines
from digest_mailer.adapters.subscriber_csv import read_subscribers
from digest_mailer.core.audience import Candidate, Consent, Reject
from digest_mailer.core.errors import ContentError, DigestError, ExitCode
from digest_mailer.core.identity import is_control

CASES = sorted((CORPUS / "subscribers").glob("*.csv"))
HEADER = b"email,topics,consent_source,consent_date"
PLAIN = HEADER + b"\neve@example.org,Empathy,form,2023-01-02\n"


def read(data: bytes, **options: Any) -> list[Candidate | Reject]:
    return list(read_subscribers(io.BytesIO(data), catalogue(), today=TODAY, **options))


def read_until_error(data: bytes) -> tuple[list[Candidate | Reject], ContentError | None]:
    found: list[Candidate | Reject] = []
    try:
        for one in read_subscribers(io.BytesIO(data), catalogue(), today=TODAY):
            found.append(one)  # noqa: PERF402 - what came before an error counts
    except ContentError as problem:
        return found, problem
    return found, None


def told(one: Candidate | Reject) -> dict[str, Any]:
    """A row's result as a sidecar writes it."""
    if isinstance(one, Reject):
        return {"row": one.row, "email": one.email, "reason": one.reason}
    return {
        "row": one.row,
        "email": one.address.typed,
        "state": one.state.value,
        "name": one.name,
        "language": one.language,
        "topics": sorted(topic.key for topic in catalogue().in_words(one.topics)),
        "all_topics": one.all_topics,
        "paused_until": one.paused_until and one.paused_until.isoformat(),
        "consent": [one.consent.source, one.consent.given_on.isoformat()],
        "attributes": dict(one.attributes),
    }


def assert_told(found: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    """Every expected row came, in this order, with at least these values."""
    seen = [{name: one[name] for name in two} for one, two in zip(found, expected, strict=False)]
    assert seen == expected
    assert len(found) == len(expected)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_the_case_reads_as_its_sidecar_says(path: Path) -> None:
    expected = json.loads(path.with_suffix(".json").read_text("utf-8"))
    found, problem = read_until_error(path.read_bytes())
    assert_told([told(one) for one in found if isinstance(one, Candidate)], expected.get("people", []))
    assert_told([told(one) for one in found if isinstance(one, Reject)], expected.get("rejects", []))
    assert (problem and problem.what) == expected.get("error")
    assert (problem and problem.hint) == expected.get("hint")


def test_the_corpus_has_a_sidecar_for_each_case() -> None:
    assert {path.stem for path in CASES} == {path.stem for path in (CORPUS / "subscribers").glob("*.json")}
    assert len(CASES) > 30


def test_the_example_of_the_reference_is_valid() -> None:
    page = (ROOT / "docs" / "reference" / "subscribers-csv.md").read_text("utf-8")
    found = read(page.partition("```csv\n")[2].partition("```")[0].encode())
    assert [told(one)["name"] for one in found] == ["Kwame Mensah", "Amélie Tremblay", "Okafor, Daniel"]


def test_an_error_of_the_file_has_the_exit_code_of_content() -> None:
    with pytest.raises(DigestError) as caught:
        read(b"")
    assert caught.value.exit_code is ExitCode.CONTENT


def test_an_error_calls_the_file_by_its_name() -> None:
    with pytest.raises(ContentError, match=r"people\.csv is empty"):
        read(b"", source="people.csv")


def test_a_column_can_be_named_by_hand() -> None:
    data = b"who,what,where,when\neve@example.org,Empathy,form,2023-01-02\n"
    by_hand = {"Who": "email", "what": "topics", "where": "consent_source", "when": "Consent_Date"}
    assert told(read(data, columns=by_hand)[0])["topics"] == ["empathy"]


def test_a_column_named_by_hand_must_be_in_the_file() -> None:
    with pytest.raises(ContentError, match='no column "who"'):
        read(PLAIN, columns={"who": "email"})


def test_a_near_miss_can_be_made_an_attribute_by_hand() -> None:
    data = HEADER + b",pause_util\neve@example.org,,form,2023-01-02,low\n"
    assert told(read(data, columns={"pause_util": "pump"})[0])["attributes"] == {"pump": "low"}


def test_consent_can_be_given_for_the_whole_file() -> None:
    booth = Consent("booth, Ottawa", date(2022, 5, 20))
    data = b"email,topics\neve@example.org,Empathy\n"
    assert told(read(data, consent=booth)[0])["consent"] == ["booth, Ottawa", "2022-05-20"]


def test_a_rows_own_consent_is_better_than_that_of_the_file() -> None:
    booth = Consent("booth, Ottawa", date(2022, 5, 20))
    assert told(read(PLAIN, consent=booth)[0])["consent"] == ["form", "2023-01-02"]


def test_half_a_consent_is_never_filled_up() -> None:
    booth = Consent("booth, Ottawa", date(2022, 5, 20))
    data = HEADER + b"\neve@example.org,,form,\n"
    assert told(read(data, consent=booth)[0])["reason"] == "the date of consent is missing"


def test_only_known_languages_are_accepted() -> None:
    data = b"email,topics,language,consent_source,consent_date\neve@example.org,,de-AT,form,2023-01-02\n"
    assert told(read(data, languages_known=("en", "de"))[0])["language"] == "de"
    assert told(read(data)[0])["reason"] == 'unknown language "de-AT"; write one of en, fr'


def test_the_callers_file_stays_open() -> None:
    data = io.BytesIO(PLAIN)
    list(read_subscribers(data, catalogue(), today=TODAY))
    assert not data.closed


def test_a_file_may_be_closed_before_the_end() -> None:
    data = io.BytesIO(PLAIN)
    people = read_subscribers(data, catalogue(), today=TODAY)
    next(people)
    data.close()
    del people


def test_an_endless_line_is_refused_before_it_fills_the_memory() -> None:
    with pytest.raises(ContentError, match="line 2 of the file has more than 1,000,000 characters"):
        read(PLAIN[: len(HEADER) + 1] + b'"' + b"x" * 2_000_000)


def test_an_endless_header_is_refused() -> None:
    with pytest.raises(ContentError, match="line 1"):
        read(b"x" * 2_000_000)


def test_a_long_list_is_read_row_by_row() -> None:
    rows = 20_000

    def pieces() -> Iterator[bytes]:
        yield HEADER + b"\n"
        for number in range(rows):
            yield b"reader%d@example.org,Empathy,form,2023-01-02\n" % number

    data = io.BytesIO(b"".join(pieces()))
    tracemalloc.start()
    try:
        count = sum(1 for one in read_subscribers(data, catalogue(), today=TODAY) if isinstance(one, Candidate))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == rows
    assert peak < rows * 400, "a row leaves nothing behind but a hash"


@given(st.binary(max_size=400))
@example(b"\xff\xfee\x00")
@example(b"\x00" * 50)
@example(b'"')
@example(b"email\x1etopics")
def test_no_bytes_raise_anything_but_a_content_error(data: bytes) -> None:
    read_until_error(data)


@given(st.binary(max_size=200), st.sampled_from([b",", b";", b"\t"]))
@example(b"\xed\xa0\x80", b",")
@example(b"eve@example.org,,form,2023-01-02,\x00", b",")
def test_no_bytes_below_a_header_raise_anything_but_a_content_error(data: bytes, delimiter: bytes) -> None:
    read_until_error(HEADER.replace(b",", delimiter) + b"\n" + data)


@given(st.lists(st.text(max_size=60), min_size=1, max_size=8))
def test_no_cells_let_a_control_character_through(cells: list[str]) -> None:
    quoted = ",".join('"' + cell.replace('"', '""') + '"' for cell in cells)
    header = ",".join(
        ["email", "name", "topics", "consent_source", "consent_date", "role", "city", "state"][: len(cells)]
    )
    data = f"{header}\n{quoted}\n".encode("utf-8", "surrogatepass")
    for one in read_until_error(data)[0]:
        assert not any(is_control(char) for text in told(one).values() if isinstance(text, str) for char in text)


@given(lines(max_size=200), lines(max_size=300))
def test_a_name_and_an_attribute_come_through_as_they_were_written(name: str, role: str) -> None:
    cells = ",".join('"' + cell.replace('"', '""') + '"' for cell in (name, role))
    data = HEADER + b",name,role\n" + f"eve@example.org,,form,2023-01-02,{cells}\n".encode()
    found = told(read(data)[0])
    assert found["name"] == normalize("NFC", name)
    assert found["attributes"] == ({"role": normalize("NFC", role)} if role else {})
