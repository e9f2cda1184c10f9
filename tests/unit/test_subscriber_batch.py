"""Batches: whatever a list holds, they say of every row what reading it by itself says."""

import io
from collections.abc import Callable
from datetime import date

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core_support import CORPUS, TODAY, catalogue
from digest_mailer.adapters.subscriber_csv import Reading, SubscriberFile
from digest_mailer.adapters.subscriber_row import RowReader
from digest_mailer.adapters.subscriber_text import read_blocks
from digest_mailer.core.audience import Candidate, Consent, Reject
from digest_mailer.core.errors import ContentError
from digest_mailer.core.identity import is_control
from digest_mailer.core.intake import IntakeRow, row_of

CASES = sorted((CORPUS / "subscribers").glob("*.csv"))
HEADER = "email,name,language,topics,state,paused_until,consent_source,consent_date,joined,role\n"
TWICE = "the same address stands in an earlier row"
PLAINLY = Reading(TODAY)
Said = tuple[list[IntakeRow], list[Reject]]


def opened(data: bytes, how: Reading = PLAINLY) -> SubscriberFile:
    return SubscriberFile(io.BytesIO(data), catalogue(), how)


def one_by_one(data: bytes, how: Reading = PLAINLY) -> Said:
    """What reading row by row says; a row that names somebody again is not this reader's to refuse."""
    rows: list[IntakeRow] = []
    rejects: list[Reject] = []
    for found in opened(data, how).candidates():
        if isinstance(found, Candidate):
            rows.append(row_of(found))
        elif found.reason != TWICE:
            rejects.append(found)
    return rows, rejects


def in_batches(data: bytes, how: Reading = PLAINLY) -> Said:
    """What batches say, each address once: those of rejected rows count too."""
    rows: list[IntakeRow] = []
    rejects: list[Reject] = []
    seen: dict[str, int] = {}
    for batch in opened(data, how).batches():
        named = [(row[0], row[1]) for row in batch.rows] + [*batch.named]
        for number, typed in sorted(named):
            seen.setdefault(typed.lower(), number)
        rows += [row for row in batch.rows if seen[row[1].lower()] == row[0]]
        again = {number for number, typed in batch.named if seen[typed.lower()] != number}
        rejects += [one for one in batch.rejects if one.row not in again]
    return rows, rejects


def assert_alike(data: bytes, how: Reading = PLAINLY) -> None:
    assert told(in_batches, data, how) == told(one_by_one, data, how)


def told(read: Callable[[bytes, Reading], Said], data: bytes, how: Reading) -> Said | str:
    """What is read, or why nothing is."""
    try:
        return read(data, how)
    except ContentError as problem:
        return problem.what


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_case_reads_the_same_in_batches(path: object) -> None:
    assert_alike(path.read_bytes())  # type: ignore[attr-defined]


cells = st.tuples(
    st.sampled_from(
        ["ann@clinic.ca", "Ann@Clinic.ca", "bob@clinic.ca", "POSTMASTER@a.org", "b@d@e.ca", "", "'+x@y.org"]
    ),
    st.sampled_from(["Ann", " Ann ", "Amélie", "'=1", "x" * 201, "", "Eve\u2028"]),
    st.sampled_from(["", "en", "fr", "French", "de"]),
    st.sampled_from(
        ["", "ALL", "Empathy", "empathy; CBT", "Empathy;CBT", "CBT|Empathy", "CBT;CBT", "nonsense", "ALL;CBT"]
    ),
    st.sampled_from(["", "active", "paused", "Unsubscribed", "gone"]),
    st.sampled_from(["", "2099-01-01", "soon"]),
    st.sampled_from(["", "form"]),
    st.sampled_from(["", "2023-01-02", "2023-02-30", "2999-01-01"]),
    st.sampled_from(["", "2022-01-02", "then"]),
    st.sampled_from(["", "clinician", "=1+1", "y" * 1001]),
)
PLAIN = ("ann@clinic.ca", "Ann", "en", "Empathy; CBT", "active", "", "form", "2023-01-02", "", "clinician")
OTHER = ("bob@clinic.ca", *PLAIN[1:])


@given(st.lists(cells, min_size=1, max_size=12))
@example([PLAIN, OTHER])
@example([PLAIN, OTHER, PLAIN])
@example([PLAIN, (*OTHER[:3], "CBT;CBT", *OTHER[4:])])
@example([PLAIN, (OTHER[0], "'=1", *OTHER[2:])])
@example([PLAIN, (OTHER[0], " Ann ", *OTHER[2:])])
def test_any_rows_read_the_same_in_batches(rows: list[tuple[str, ...]]) -> None:
    data = HEADER + "".join(",".join(row) + "\n" for row in rows)
    assert_alike(data.encode())
    booth = Reading(TODAY, consent=Consent("booth", date(2022, 5, 20)), topics="Empathy")
    assert_alike(data.encode(), booth)


def test_a_row_whose_parts_are_known_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    file = opened((HEADER + "".join(f"ann{n}@clinic.ca," + ",".join(PLAIN[1:]) + "\n" for n in range(50))).encode())
    read = []
    reader = file._reader(None)
    known = reader.read

    def count(row: int, row_cells: list[str]) -> Candidate | Reject:
        read.append(row)
        return known(row, row_cells)

    monkeypatch.setattr(type(reader), "read", lambda _self, row, row_cells: count(row, row_cells))
    (batch,) = file.batches()
    assert ([row[0] for row in batch.rows], read) == ([*range(2, 52)], [2])


@given(st.text('a,é"\n\r\t\x0b\x1c\x85\u2028', max_size=30))
def test_lines_end_where_the_csv_module_ends_them(text: str) -> None:
    blocks = [*read_blocks(io.BytesIO(text.encode()), "utf-8", "the file")]
    assert [line for block in blocks for line in block.lines] == [*io.StringIO(text, newline="")]
    assert all(block.clean for block in blocks) == (not any(is_control(char) for char in text if char not in "\r\n"))


def test_one_odd_row_does_not_slow_its_neighbours_down(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [("ann@clinic.ca", *PLAIN[1:]), *((f"eve{n}@clinic.ca", " Eve ", *PLAIN[2:]) for n in range(3)),
            *((f"bob{n}@clinic.ca", *PLAIN[1:]) for n in range(50))]  # fmt: skip
    file, known, read = opened((HEADER + "".join(",".join(row) + "\n" for row in rows)).encode()), RowReader.read, []

    def count(self: RowReader, row: int, row_cells: list[str]) -> Candidate | Reject:
        read.append(row)
        return known(self, row, row_cells)

    monkeypatch.setattr(RowReader, "read", count)
    (batch,) = file.batches()
    assert [row[0] for row in batch.rows] == [*range(2, 56)]
    assert read == [2, 3, 4, 5]


def test_rows_are_numbered_as_they_stand_over_many_batches() -> None:
    lines = [f"ann{n}@clinic.ca," + ",".join(PLAIN[1:]) for n in range(7_000)]
    lines[5_000] = '"eve@clinic.ca","Eve\r\nBcc: x"' + "," + ",".join(PLAIN[2:])
    lines[6_000] = ""
    batches = [*opened((HEADER + "\n".join(lines) + "\n").encode()).batches()]
    numbers = [row[0] for batch in batches for row in batch.rows]
    assert numbers == [n for n in range(2, 7_002) if n not in (5_002, 6_002)]
    assert [one.row for batch in batches for one in batch.rejects] == [5_002]
    assert sum(batch.read for batch in batches) == 7_000
