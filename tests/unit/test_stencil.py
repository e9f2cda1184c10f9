"""A stencil gives the octets that the plain way gives, whatever is in the edition and whoever reads it."""

import re
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core_support import (
    FRENCH,
    NOON,
    TOKEN_KEYS,
    address_of,
    edition_of,
    lines,
    recipient_of,
    sender_of,
    subscriber_ids,
)
from digest_mailer.core.edition import EditionKey, Label, Slot, split_slots
from digest_mailer.core.header import mailbox, quick_mailbox
from digest_mailer.core.message import Keys, Message, Recipient, address
from digest_mailer.core.octets import octets, stuff
from digest_mailer.core.stencil import Stencil
from digest_mailer.core.topic import words_of

KEYS = Keys(TOKEN_KEYS, b"a key for message ids")
ANNE = recipient_of()
FULL = sender_of(
    bounce_mailbox=address_of("bounces@digest.example.org"), unsubscribe_mailbox=address_of("leave@digest.example.org")
)
ADDRESSES = ("a@b.ca", "reader@example.org", "x" * 64 + "@a-rather-long-name-of-a-domain.example.org")

# what stands around the slots of a part: lines of any length, characters of one to four octets, dots, spaces
CHARS = st.sampled_from("ab .=\t-é√😀<&")
AROUND = st.text(CHARS | st.just("\n"), max_size=200)


@st.composite
def parts(draw: st.DrawFn) -> str:
    """A part's text with slots anywhere in it, some of them more than once."""
    slots = draw(st.lists(st.sampled_from([slot.mark for slot in Slot]), max_size=6))
    return "".join(draw(AROUND) + slot for slot in slots) + draw(AROUND)


@st.composite
def recipients(draw: st.DrawFn) -> Recipient:
    return recipient_of(
        id=draw(subscriber_ids),
        address=address_of(draw(st.sampled_from(ADDRESSES))),
        name=draw(lines()),
        topics=words_of(draw(st.sets(st.integers(0, 8)))),
        all_topics=draw(st.booleans()),
        generation=draw(st.integers(0, 2**31)),
    )


LABELS = tuple(Label(number, f"topic {number} of été") for number in range(6))


@given(
    html=parts(), text=parts(), readers=st.lists(recipients(), min_size=1, max_size=3), full=st.booleans(),
    flowed=st.booleans(), french=st.booleans(),
)  # fmt: skip
@example(html="." + Slot.WHY.mark, text=Slot.UNSUBSCRIBE.mark, readers=[ANNE], full=True, flowed=True, french=False)
def test_octet_by_octet_what_the_plain_way_gives(
    html: str, text: str, readers: list[Recipient], full: bool, flowed: bool, french: bool
) -> None:
    edition = edition_of(html=split_slots(html), text=split_slots(text), labels=LABELS, flowed=flowed)
    if full:
        edition = replace(edition, sender=FULL)
    if french:
        edition = replace(edition, key=EditionKey(FRENCH, (1,)), subject="Ce qui aide, et ce qui nuit : l’été d’après")
    stencil = Stencil(edition, NOON, KEYS)
    for reader in readers:
        found, plain = stencil.address(reader), address(edition, reader, NOON, KEYS)
        assert found.content == plain.content
        assert (found.envelope, found.message_id, found.values) == (plain.envelope, plain.message_id, plain.values)
        assert found.octets.size == len(plain.content)
        assert b"".join(found.octets.wire()) == stuff(plain.content) + b".\r\n" == b"".join(plain.octets.wire())
        assert (found.text, found.html) == (plain.text, plain.html)
        octets(found.content)


@given(name=lines(), at=st.sampled_from(ADDRESSES))
@example(name="Amélie Tremblay", at="a@b.ca")
@example(name="=?utf-8?q?a?=", at="a@b.ca")
@example(name="王芳", at="a@b.ca")
@example(name="é" * 11, at="a@b.ca")
@example(name="é" * 12, at="a@b.ca")
def test_a_quick_mailbox_is_the_plain_one(name: str, at: str) -> None:
    assert quick_mailbox("To", name, address_of(at)) == mailbox("To", name, address_of(at))


def test_a_name_cannot_bring_a_header_with_it() -> None:
    """Pitfall: slots go past the checks of the email package."""
    stencil = Stencil(edition_of(), NOON, KEYS)
    for name in ("Ann\r\nBcc: all@example.org", "Ann\nBcc: x", "é\r\nBcc: x", "Ann\x00", "Ann\u2028b"):
        with pytest.raises(ValueError, match="control character"):
            stencil.address(recipient_of(name=name))


def built(**changes: object) -> Message:
    return Stencil(edition_of(**changes), NOON, KEYS).address(ANNE)


def test_no_physical_line_is_longer_than_quoted_printable_allows() -> None:
    """Pitfall: RFC 2045 section 6.7, rule 5: 76 with the soft break, also where a value begins and ends."""
    for width in range(60, 90):
        text = split_slots("x" * width + Slot.UNSUBSCRIBE.mark + "é" * width + Slot.WHY.mark + "y" * width)
        body = built(text=text, html=text).content.partition(b"\r\n\r\n")[2]
        assert max(map(len, body.split(b"\r\n"))) <= 76


def test_a_soft_break_never_splits_an_encoded_octet() -> None:
    for width in range(60, 80):
        body = built(html=split_slots("x" * width + "ééé" + Slot.WHY.mark + "é" * 60)).content
        assert not re.search(rb"=[0-9A-F]?=\r\n|=[0-9A-F]\r\n", body)


def test_a_value_at_the_start_of_a_line_brings_no_bare_dot() -> None:
    labels = (Label(0, ".hidden"),)
    why = replace(edition_of().why, topics="{topics}")
    message = Stencil(edition_of(labels=labels, why=why, text=split_slots(f"{Slot.WHY.mark}\n.end")), NOON, KEYS)
    found = message.address(recipient_of(topics=words_of((0,)), all_topics=False))
    assert b"\r\n.hidden\r\n.end\r\n" in found.content
    assert b"\r\n..hidden\r\n..end\r\n" in b"".join(found.octets.wire())


def test_the_boundary_is_in_no_value() -> None:
    message = built()
    (boundary,) = re.findall(rb'boundary="(.*?)"', message.content)
    assert message.content.count(b"--" + boundary) == 3
    assert boundary not in (message.text + message.html).encode()


def test_each_value_is_encoded_for_its_place() -> None:
    labels = (Label(0, "Trauma & “loss” <é>"),)
    message = Stencil(edition_of(labels=labels), NOON, KEYS).address(
        recipient_of(topics=words_of((0,)), all_topics=False)
    )
    assert b"Trauma &amp; =E2=80=9Closs=E2=80=9D &lt;=C3=A9&gt;" in message.content.replace(b"=\r\n", b"")
    assert b"Trauma & =E2=80=9Closs=E2=80=9D <=C3=A9>" in message.content.replace(b"=\r\n", b"")
    assert b"To: =?utf-8?q?Am=C3=A9lie_Tremblay?=\r\n <reader@example.org>\r\n" in message.content


def test_messages_share_what_does_not_depend_on_the_reader() -> None:
    stencil = Stencil(edition_of(html=split_slots(Slot.WHY.mark + "\nA line of the issue." * 500)), NOON, KEYS)
    one, two = stencil.address(ANNE), stencil.address(recipient_of(all_topics=False, topics=words_of((0,))))
    shared = {id(piece) for piece in one.octets.form.pieces} & {id(piece) for piece in two.octets.form.pieces}
    assert sum(len(piece) for piece in one.octets.form.pieces if id(piece) in shared) > 0.9 * one.octets.size


def test_the_digest_tells_every_difference() -> None:
    plain = built().digest
    assert plain == built().digest
    others = [
        built(subject="Other").digest,
        Stencil(edition_of(), NOON.replace(year=2024), KEYS).address(ANNE).digest,
        *(
            Stencil(edition_of(), NOON, KEYS).address(reader).digest
            for reader in (recipient_of(name="Other"), recipient_of(id=7), recipient_of(generation=1),
                           recipient_of(all_topics=False), recipient_of(address=address_of("b@c.ca")))
        ),
    ]  # fmt: skip
    assert len({plain, *others}) == len(others) + 1
