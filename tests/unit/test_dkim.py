"""What a DKIM signature says and covers: canonical forms, the choice of headers, the line itself, the record."""

import re
from base64 import b64decode
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from digest_mailer.adapters.dkim import DkimKey
from digest_mailer.core.dkim import (
    Algorithm,
    Parts,
    Stamp,
    body_hash,
    chosen,
    finished,
    header_fields,
    read,
    record,
    relaxed_body,
    signing_domain,
    to_sign,
    unsigned,
)
from digest_mailer.core.errors import ConfigError, ExitCode

AT = datetime(2023, 7, 1, 12, tzinfo=UTC)
STAMP = Stamp(Algorithm.RSA, "news.example.org", "dm202307r", AT)
SMALL = b"From: a@example.org\r\nSubject: Hello\r\n\r\nHello.\r\n"

# RFC 8463 appendix A
RFC_HEADER = (
    b"From: Joe SixPack <joe@football.example.com>\r\n"
    b"To: Suzie Q <suzie@shopping.example.net>\r\n"
    b"Subject: Is dinner ready?\r\n"
    b"Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"
    b"Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n"
)
RFC_BODY = b"Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n"
RFC_SEED = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="
RFC_LINE = (
    b"DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n"
    b" d=football.example.com; i=@football.example.com;\r\n"
    b" q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n"
    b" subject : date : message-id : from : subject : date;\r\n"
    b" bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
    b" b="
)
RFC_SIGNATURE = "/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11BusFa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw=="


def tags(line: bytes) -> dict[str, str]:
    """The tags of a signature's line (RFC 6376 section 3.2)."""
    value = re.sub(r"\s+", "", line.decode("ascii").partition(":")[2])
    return dict(tag.split("=", 1) for tag in value.split(";") if tag)


def names(content: bytes) -> list[str]:
    return tags(unsigned(read([content]), STAMP))["h"].split(":")


# -- the vectors of the RFCs


def test_the_ed25519_example_of_rfc_8463_gives_its_signature() -> None:
    fields = header_fields(RFC_HEADER.removesuffix(b"\r\n"))
    parts = Parts("", chosen(fields, (b"from", b"to", b"subject", b"date", b"message-id")), "")
    key = DkimKey("brisbane", Ed25519PrivateKey.from_private_bytes(b64decode(RFC_SEED)))
    assert body_hash(relaxed_body(RFC_BODY)) == "2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8="
    assert key.sign(to_sign(parts, RFC_LINE)) == b64decode(RFC_SIGNATURE)
    value = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
    assert key.record("football.example.com").value == value


def test_the_example_of_canonical_forms_in_rfc_6376() -> None:
    """Section 3.4.5."""
    fields = header_fields(b"A: X\r\nB : Y\t\r\n\tZ  ")
    assert chosen(fields, (b"a", b"b")) == b"a:X\r\nb:Y Z\r\n"
    assert relaxed_body(b" C \r\nD \t E\r\n\r\n\r\n") == b" C\r\nD E\r\n"


def test_an_empty_body_has_the_hash_of_rfc_6376() -> None:
    """Section 3.4.4."""
    assert body_hash(relaxed_body(b"")) == "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="


# -- canonical forms


@pytest.mark.parametrize("body", [b"", b"\r\n", b"\r\n\r\n\r\n", b" \t\r\n", b" \r\n\r\n\t \r\n", b"  "])
def test_a_body_of_nothing_but_white_space_is_empty(body: bytes) -> None:
    assert relaxed_body(body) == b""


@pytest.mark.parametrize(
    ("body", "canonical"),
    [
        (b"a", b"a\r\n"),
        (b"a\r\n\r\n \r\n", b"a\r\n"),
        (b"\r\n\r\na\r\n", b"\r\n\r\na\r\n"),
        (b"  a\t b \t\r\n", b" a b\r\n"),
        (b"a\x0b \x0c\r\n", b"a\x0b \x0c\r\n"),  # only space and tab are WSP (RFC 5234 appendix B.1)
    ],
)
def test_a_body_in_canonical_form(body: bytes, canonical: bytes) -> None:
    assert relaxed_body(body) == canonical


LINES = st.lists(st.text(" \tab.=\x0b", max_size=12).map(str.encode), max_size=12)


@given(LINES, st.lists(st.integers(0, 3000), max_size=6), st.booleans())
def test_a_body_in_pieces_is_the_body(lines: Sequence[bytes], cuts: Sequence[int], large: bool) -> None:
    """However it is cut, and whether or not pieces are large enough to be remembered."""
    body = b"".join(line + b"\r\n" for line in lines) * (60 if large else 1)
    places = [0, *sorted(cut for cut in cuts if cut < len(body)), len(body)]
    pieces = [body[start:end] for start, end in pairwise(places)]
    assert relaxed_body(pieces[0], pieces[1:]) == relaxed_body(body)
    message = b"From: a@example.org\r\n\r\n" + body
    assert read([message]) == read([message[:22], message[22:]]) == read([message[:23], *pieces])


@given(LINES)
def test_a_canonical_body_is_its_own_canonical_form(lines: Sequence[bytes]) -> None:
    once = relaxed_body(b"\r\n".join(lines))
    assert relaxed_body(once) == once


# -- which headers


def test_names_are_in_order_and_those_that_must_not_be_added_are_named_once_more() -> None:
    content = (
        b"Received: by mx\r\nX-Other: 1\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
        b"List-Unsubscribe: <https://a.example/u>\r\nPrecedence: bulk\r\nsubject: Hello\r\n"
        b"To: b@example.org\r\nFrom: a@example.org\r\nReturn-Path: <c@example.org>\r\n\r\n"
    )
    assert names(content) == [
        *("From", "From", "To", "To", "Subject", "Subject"),
        *("List-Unsubscribe", "List-Unsubscribe", "List-Unsubscribe-Post", "List-Unsubscribe-Post", "Precedence"),
    ]


def test_what_must_not_be_added_is_named_even_where_there_is_none() -> None:
    assert names(b"From: a@example.org\r\n\r\n") == [
        *("From", "From", "To", "Subject", "List-Unsubscribe", "List-Unsubscribe-Post")
    ]


def test_of_several_fields_the_lowest_is_signed_first() -> None:
    """RFC 6376 section 5.4.2."""
    assert chosen(header_fields(b"List-Id: <one>\r\nList-Id: <two>"), (b"list-id",)) == (
        b"list-id:<two>\r\nlist-id:<one>\r\n"
    )


@pytest.mark.parametrize("head", [b"To: a@example.org", b"From: a@example.org\r\nFROM: b@example.org"])
def test_a_message_without_exactly_one_from_is_not_signed(head: bytes) -> None:
    with pytest.raises(ValueError, match="exactly one From"):
        read([head + b"\r\n\r\nHello.\r\n"])


# -- the line


def test_the_line_says_what_it_must_and_nothing_else() -> None:
    found = tags(unsigned(read([SMALL]), STAMP))
    assert list(found) == ["v", "a", "c", "d", "s", "t", "bh", "h", "b"]  # no l=, no x=
    assert found | {"bh": "", "h": ""} == {
        "v": "1",
        "a": "rsa-sha256",
        "c": "relaxed/relaxed",
        "d": "news.example.org",
        "s": "dm202307r",
        "t": "1688212800",
        "bh": "",
        "h": "",
        "b": "",
    }


@given(st.integers(1, 60), st.integers(1, 60), st.binary(min_size=64, max_size=512))
def test_no_line_is_longer_than_78(domain: int, selector: int, signature: bytes) -> None:
    stamp = Stamp(Algorithm.ED25519, f"{'d' * domain}.example", "s" * selector, AT)
    line = finished(unsigned(read([SMALL]), stamp), signature)
    assert max(map(len, line.split(b"\r\n"))) <= 78
    assert line.endswith(b"\r\n")
    assert all(one.startswith(b" ") for one in line.split(b"\r\n")[1:-1])
    assert tags(line)["d"] == stamp.domain
    assert b64decode(tags(line)["b"]) == signature


# -- domain and record


@pytest.mark.parametrize(
    ("configured", "domain"),
    [("", "mail.news.example.org"), ("news.example.org", "news.example.org"), ("Example.ORG", "example.org"),
     ("mail.news.example.org", "mail.news.example.org")],
)  # fmt: skip
def test_the_domain_is_the_senders_or_a_parent_of_it(configured: str, domain: str) -> None:
    assert signing_domain(configured, "mail.news.example.org") == domain


@pytest.mark.parametrize("configured", ["example.net", "org", "ews.example.org", "a.mail.news.example.org"])
def test_no_other_domain_signs(configured: str) -> None:
    with pytest.raises(ConfigError, match="not the sender's domain") as caught:
        signing_domain(configured, "mail.news.example.org")
    assert caught.value.exit_code is ExitCode.CONFIG


@given(st.binary(min_size=1, max_size=700))
def test_the_strings_of_a_record_are_the_value(public: bytes) -> None:
    found = record("s", "example.org", Algorithm.RSA, public)
    assert found.name == "s._domainkey.example.org"
    assert "".join(found.strings) == found.value
    assert max(map(len, found.strings)) <= 255
    assert b64decode(found.value.partition("p=")[2]) == public
