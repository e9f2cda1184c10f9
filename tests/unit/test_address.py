"""An address is validated and normalised once."""

import pytest
from email_validator import EmailNotValidError
from hypothesis import example, given
from hypothesis import strategies as st

from core_support import address_of
from digest_mailer.core import address as module
from digest_mailer.core.address import (
    AddressError,
    address_hash,
    address_hasher,
    parse_address,
    plain_address,
    plain_addresses,
)
from digest_mailer.core.identity import is_control


@pytest.mark.parametrize(
    ("text", "typed", "canonical"),
    [
        ("reader@example.org", "reader@example.org", "reader@example.org"),
        ("Reader@Example.ORG", "Reader@example.org", "reader@example.org"),
        (" reader@example.org\t", "reader@example.org", "reader@example.org"),
        ("o'neill+news@example.org", "o'neill+news@example.org", "o'neill+news@example.org"),
        ("post@bücher.example", "post@xn--bcher-kva.example", "post@xn--bcher-kva.example"),
        ("post@BÜCHER.example", "post@xn--bcher-kva.example", "post@xn--bcher-kva.example"),
        ("a" * 64 + "@example.org", "a" * 64 + "@example.org", "a" * 64 + "@example.org"),
        ("reader@mail.test", "reader@mail.test", "reader@mail.test"),
    ],
)
def test_an_address_has_a_typed_and_a_canonical_form(text: str, typed: str, canonical: str) -> None:
    address = parse_address(text)
    assert (address.typed, address.canonical) == (typed, canonical)
    assert str(address) == typed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "reader",
        "@example.org",
        "reader@",
        "reader@example",
        "reader@@example.org",
        "reader@example..org",
        ".reader@example.org",
        "reader.@example.org",
        "read er@example.org",
        '"reader"@example.org',
        "reader@[192.0.2.1]",
        "Reader <reader@example.org>",
        "reader@example.org, other@example.org",
        "réader@example.org",
        "reader@-example.org",
        "a" * 65 + "@example.org",
        "a@" + "x" * 64 + ".org",
        "a@" + "abcdefg." * 40 + "org",
        "reader@localhost",
        "reader@example.org\r\nBcc: everybody@example.org",
        "reader@example.org\n",
        "\0reader@example.org",
        "reader@exa\u202emple.org",
        "reader@exa\u2028mple.org",
    ],
)
def test_what_is_no_address_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(AddressError, match=r"\w+ \w+"):
        parse_address(text)


@given(st.text(max_size=60))
@example("a" * 10_000)
@example("@" * 1_000)
def test_any_text_is_an_address_or_an_address_error(text: str) -> None:
    try:
        shown = parse_address(text).typed
        assert shown.isascii()
        assert " " not in shown
    except AddressError as problem:
        shown = str(problem)
    assert not any(is_control(char) for char in shown), "both may be shown on a terminal"


LOCALS = st.from_regex(r"[A-Za-z0-9+_'-]{1,20}", fullmatch=True)


@given(LOCALS)
def test_reading_an_address_again_changes_nothing(local: str) -> None:
    address = parse_address(f"{local}@Example.org")
    assert parse_address(address.typed) == address
    assert parse_address(address.canonical).canonical == address.canonical


@given(LOCALS)
def test_spellings_of_one_mailbox_are_one_person(local: str) -> None:
    assert parse_address(f"{local.upper()}@EXAMPLE.org").canonical == parse_address(f"{local}@example.org").canonical


@pytest.mark.parametrize(
    ("text", "reserved"),
    [
        ("a@example.org", True),
        ("a@mail.example.com", True),
        ("a@example.net", True),
        ("a@clinic.example", True),
        ("a@clinic.test", True),
        ("a@notexample.org", False),
        ("a@example.org.ca", False),
        ("a@test.ca", False),
        ("a@example.ca", False),
    ],
)
def test_reserved_domains_are_known(text: str, reserved: bool) -> None:
    assert parse_address(text).is_reserved is reserved


def test_the_domain_is_the_canonical_one() -> None:
    assert parse_address("Reader@Mail.Bücher.example").domain == "mail.xn--bcher-kva.example"


def test_the_hash_of_a_mailbox_depends_on_the_key_and_on_nothing_else() -> None:
    one, same, other = address_of("Eve@example.org"), address_of("eve@EXAMPLE.org"), address_of("bob@example.org")
    assert address_hash(one, b"key") == address_hash(same, b"key")
    assert len({address_hash(one, b"key"), address_hash(one, b"other"), address_hash(other, b"key")}) == 3
    assert len(address_hash(one, b"key")) == 16


ANY_LOCALS = st.text("aZ9._+-'!@ é", max_size=8) | st.sampled_from(["Info", "POSTMASTER", "a" * 64, "a" * 65])
ANY_DOMAINS = st.text("abZ9.-_é", max_size=8) | st.sampled_from(["x" * 63, "x" * 64, "ab." * 83 + "org", "[192.0.2.1]"])


@given(ANY_LOCALS, ANY_DOMAINS, st.sampled_from(["", ".org", ".ORG", ".co.uk", ".test", ".local", ".123"]))
@example("a", "x", ".org")
@example("Info", "x", ".org")
@example("a.b", "CLINIC", ".ca")
def test_the_short_way_and_the_long_way_agree(local: str, domain: str, end: str) -> None:
    text = f"{local}@{domain}{end}"
    plain = plain_address(text)
    try:
        found = module._validated(text)
    except EmailNotValidError:
        assert plain is None
        return
    if plain is not None:
        assert plain == f"{found.local_part}@{found.ascii_domain}"
        assert plain.lower() == f"{found.local_part.casefold()}@{found.ascii_domain.lower()}"


@pytest.mark.parametrize(
    "text", ["ann@clinic.ca", "ann.lee+news@Mail.Clinic.CA", "o'neill@example.org", "A.Lee@x.test"]
)
def test_a_usual_address_takes_the_short_way(text: str) -> None:
    assert plain_address(text) is not None


MANY = st.lists(st.sampled_from(["ann@clinic.ca", "o'neill+news@mail.clinic.ca", "a.b@x.test"]), max_size=4)
ODD = [
    "",
    "Ann@clinic.ca",
    "POSTMASTER@a.org",
    "ann@Clinic.ca",
    "a@x.ca\nb@x.ca",
    "a@x.ca\n",
    "\na@x.ca",
    "a@@x.ca",
    "a@-.ca",
]
ODD += ["a" * 65 + "@x.ca", "a" * 64 + "@x.ca", "ann@clinic.ça", ".a@x.ca", "a..b@x.ca", "a@x", " a@x.ca"]


@given(MANY, st.builds("{}@{}".format, ANY_LOCALS, ANY_DOMAINS), MANY)
def test_many_together_are_read_as_each_by_itself(before: list[str], odd: str, behind: list[str]) -> None:
    for texts in (before, [*before, odd, *behind]):
        assert [*plain_addresses(texts)] == [plain_address(text) for text in texts]


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_one_among_many_is_read_as_by_itself(odd: str) -> None:
    texts = ["ann@clinic.ca", odd, "bob@clinic.ca"]
    assert [*plain_addresses(texts)] == [plain_address(text) for text in texts]


def test_usual_addresses_are_read_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(module, "plain_address")
    texts = ("ann@clinic.ca", "o'neill+news@mail.clinic.ca")
    assert plain_addresses(texts) is texts


@given(LOCALS, st.binary(min_size=1, max_size=100))
def test_the_hash_of_long_lists_is_the_same(local: str, key: bytes) -> None:
    address = parse_address(f"{local}@example.org")
    assert address_hasher(key)(address.canonical) == address_hash(address, key)
