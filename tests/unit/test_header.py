"""Header lines: what was meant is what a mail program reads, and nothing breaks out."""

from collections.abc import Callable
from email import message_from_bytes, policy
from email.headerregistry import Address, AddressHeader
from email.message import EmailMessage

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core_support import address_of, texts
from digest_mailer.core.header import check_value, mailbox, phrase, structured, unstructured

READER = address_of("reader@example.org")
CONTROLS = ["\r\nBcc: everybody@example.org", "\n", "\r", "\0", "\x85", "\u2028", "\u2029", "\u202e", "\x1b[31m"]

long_words = st.text("abcdeéü王😀", min_size=1_000, max_size=5_000)
prose = st.lists(st.text("abcdefgéèàç", min_size=1, max_size=14), max_size=60).map(" ".join)
ascii_prose = st.lists(st.text("abcXYZ019.,;:()<>@\"\\'=?_&-", min_size=1, max_size=70), max_size=30).map(" ".join)
values = texts() | prose | ascii_prose | long_words


def read(line: str) -> EmailMessage:
    """The line as a mail program reads it, in front of another header and a body."""
    found = message_from_bytes(line.encode("ascii") + b"X-Next: next\r\n\r\nbody\r\n", policy=policy.default)
    assert isinstance(found, EmailMessage)
    return found


def mailbox_in(line: str) -> Address:
    header = read(line)["To"]
    assert isinstance(header, AddressHeader)
    (address,) = header.addresses
    return address


def name_in(line: str) -> str:
    """The display name that a mail program shows.

    Between two encoded words Python before 3.13.2 keeps a space in an address and drops it, as RFC 2047 section
    6.2 asks, in a Subject (gh-128110); in an address it also folds runs of spaces, and those at the ends of a name.
    Such names are read as a Subject.
    """
    name = str(read(line.replace("To:", "Subject:", 1))["Subject"]).rpartition("<")[0].removesuffix(" ")
    folds = "  " in name or name != name.strip()
    return name if line.count("=?") > 1 or folds else mailbox_in(line).display_name


def assert_well_formed(line: str) -> None:
    """CRLF only, lines of at most 998 octets (RFC 5322 section 2.1.1), continuation lines that begin with a space."""
    assert line.endswith("\r\n")
    first, *rest = line.removesuffix("\r\n").split("\r\n")
    assert all("\r" not in one and "\n" not in one and len(one) <= 998 for one in (first, *rest))
    assert all(one.startswith(" ") and one.strip() for one in rest)


@given(values)
@example("")
@example(" ")
@example("  two  spaces  ")
@example("=?utf-8?q?encoded?=")
@example("a" * 5_000)
@example("é" * 5_000)
@example("a b " * 1_000)
@example("one, two; three, " * 40)
@example("Ce que la recherche nous apprend de l’alliance thérapeutique, et ce qu’elle ne nous apprend pas encore")
def test_a_subject_reads_back_exactly(subject: str) -> None:
    line = unstructured("Subject", subject)
    assert_well_formed(line)
    found = read(line)
    assert found["Subject"] == subject
    assert found.keys() == ["Subject", "X-Next"]


@given(values)
@example("")
@example("  ")
@example("O'Neill, Siobhán")
@example('Robert "Bob" \\ Ferrante, PhD')
@example("Bob <bob@example.com>,")
@example("=?utf-8?q?encoded?=")
@example("a" * 5_000)
@example("word " * 1_000 + "end")
@example("0  0")
@example("é (x)")
@example(".")
def test_a_display_name_reads_back_exactly(name: str) -> None:
    line = mailbox("To", name, READER)
    assert_well_formed(line)
    assert name_in(line) == name
    assert mailbox_in(line).addr_spec == "reader@example.org"
    assert read(line).keys() == ["To", "X-Next"]


@given(values)
@example("Digest of research in psychotherapy, for practitioners")
@example("Lettre de la recherche en psychothérapie à l’usage des cliniciennes et cliniciens")
@example("a" * 5_000)
def test_the_name_of_a_list_reads_back_exactly(name: str) -> None:
    line = structured("List-Id", f"{phrase('List-Id', name)}<list.example.org>")
    assert_well_formed(line)
    as_mailbox = line.replace("List-Id:", "To:", 1).replace("<list.example.org>", "<list@example.org>")
    assert name_in(as_mailbox) == name
    assert read(line).keys() == ["List-Id", "X-Next"]


@given(values)
@example(", 0 000 000 00000 00000 000000000 00000000000000000000 0000000000000000000000000")
def test_short_lines_are_kept_short(value: str) -> None:
    """RFC 5322 section 2.1.1: no line should have more than 78 characters; only long addresses may."""
    lines = (unstructured("Subject", value) + mailbox("To", value, READER)).split("\r\n")
    assert all(len(line) <= 78 for line in lines)


MAKERS: list[Callable[[str], str]] = [
    lambda value: unstructured("Subject", value),
    lambda value: mailbox("To", value, READER),
    lambda value: phrase("List-Id", value),
    lambda value: structured("List-Archive", f"<https://example.org/{value}>"),
    lambda value: check_value("X", value),
]


@pytest.mark.parametrize("bad", CONTROLS)
@pytest.mark.parametrize("make", MAKERS)
def test_no_value_with_a_control_character_becomes_a_header(make: Callable[[str], str], bad: str) -> None:
    with pytest.raises(ValueError, match="control character"):
        make(f"Eve{bad}x")


@given(st.text(max_size=80))
def test_any_text_makes_one_header_or_none(value: str) -> None:
    try:
        line = mailbox("To", value, READER) + unstructured("Subject", value)
    except ValueError:
        return
    assert read(line).keys() == ["To", "Subject", "X-Next"]


def test_finished_parts_stand_one_a_line() -> None:
    line = structured("List-Unsubscribe", "<https://example.org/u/x>", "<mailto:a@example.org>")
    assert line == "List-Unsubscribe: <https://example.org/u/x>,\r\n <mailto:a@example.org>\r\n"


def test_a_plain_name_stays_readable() -> None:
    assert mailbox("To", "Ada Lovelace", READER) == "To: Ada Lovelace <reader@example.org>\r\n"
    assert mailbox("To", "", READER) == "To: <reader@example.org>\r\n"
    assert mailbox("To", "Lovelace, Ada", READER) == 'To: "Lovelace, Ada" <reader@example.org>\r\n'
