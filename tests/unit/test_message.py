"""One edition addressed to one reader: what was meant arrives, and nothing about the reader leaks."""

import re
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parsedate_to_datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core_support import (
    FRENCH,
    JULY,
    NOON,
    TOKEN_KEYS,
    address_of,
    catalogue,
    edition_of,
    issue_ids,
    recipient_of,
    sender_of,
    subscriber_ids,
    texts,
    topics,
)
from digest_mailer.core.edition import EditionKey, Label, Slot, split_slots
from digest_mailer.core.identity import ENGLISH, IssueId, SubscriberId
from digest_mailer.core.message import SAMPLE_KEYRING, TEXT_WIDTH, Keys, Message, address, message_id
from digest_mailer.core.publication import Sender
from digest_mailer.core.token import Scope, Token, verify
from digest_mailer.core.topic import Topic, words_of

KEYS = Keys(TOKEN_KEYS, b"a key for message ids")
ANNE = recipient_of()
FULL = sender_of(
    bounce_mailbox=address_of("bounces@digest.example.org"), unsubscribe_mailbox=address_of("leave@digest.example.org")
)


def parsed(message: Message) -> EmailMessage:
    found = message_from_bytes(message.content, policy=policy.default)
    assert isinstance(found, EmailMessage)
    return found


def part(message: EmailMessage, subtype: str) -> str:
    body = message.get_body((subtype,))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


def tokens_in(text: str) -> set[str]:
    return set(re.findall(r"(?<=[/+])[A-Za-z0-9_-]{40}(?=[@>\"\s]|$)", text))


PLAIN = address(edition_of(), ANNE, NOON, KEYS)


def test_the_message_is_text_then_html_in_utf8() -> None:
    found = parsed(PLAIN)
    assert found.get_content_type() == "multipart/alternative"
    parts = list(found.iter_parts())
    assert [one.get_content_type() for one in parts] == ["text/plain", "text/html"]
    assert {one.get_content_charset() for one in parts} == {"utf-8"}
    assert {one["Content-Transfer-Encoding"] for one in parts} == {"quoted-printable"}


def test_the_text_says_that_it_flows_when_it_does() -> None:
    """RFC 3676 section 4; an edition stored before editions flowed says nothing."""
    text = next(parsed(PLAIN).iter_parts())
    assert (text.get_param("format"), text.get_param("delsp")) == ("flowed", "no")
    old = next(parsed(address(replace(edition_of(), flowed=False), ANNE, NOON, KEYS)).iter_parts())
    assert old.get_param("format") is None


def test_a_long_why_line_flows() -> None:
    labels = tuple(Label(number, f"topic number {number}") for number in range(8))
    everything = recipient_of(topics=words_of(range(8)), all_topics=False)
    shown = part(parsed(address(edition_of(labels=labels), everything, NOON, KEYS)), "plain")
    lines = shown.split("\n")
    start = next(number for number, line in enumerate(lines) if "topic number 0" in line)
    assert lines[start].endswith(" ")
    assert len(lines[start].removeprefix("Hello, ")) <= TEXT_WIDTH + 1


def test_the_message_parses_without_a_defect() -> None:
    found = parsed(PLAIN)
    assert not any(one.defects for one in found.walk())
    assert not any(value.defects for value in found.values())


def test_every_header_stands_once_and_in_order() -> None:
    assert parsed(PLAIN).keys() == [
        "From", "To", "Reply-To", "Subject", "Date", "Message-ID", "List-Id", "List-Unsubscribe",
        "List-Unsubscribe-Post", "List-Archive", "List-Owner", "List-Post", "Precedence", "Feedback-ID",
        "Content-Language", "MIME-Version", "Content-Type",
    ]  # fmt: skip


def test_the_headers_say_who_writes_to_whom() -> None:
    found = parsed(PLAIN)
    assert found["From"] == "Practice Digest <digest@digest.example.org>"
    assert found["To"] == "Amélie Tremblay <reader@example.org>"
    assert found["Reply-To"] == "editor@digest.example.org"
    assert found["List-Id"] == "Practice Digest <practice.digest.example.org>"
    assert found["List-Archive"] == "<https://digest.example.org/issues/>"
    assert found["Feedback-ID"] == f"2023-07:{EditionKey(ENGLISH, (1, 2))}:digest:practicedigest"
    assert parsedate_to_datetime(found["Date"]) == NOON


def test_one_click_unsubscription_follows_rfc_8058() -> None:
    found = parsed(PLAIN)
    (token,) = tokens_in(found["List-Unsubscribe"])
    assert found["List-Unsubscribe"] == f"<https://digest.example.org/u/{token}>"
    assert found["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert verify(token, Scope.UNSUBSCRIBE, 0, TOKEN_KEYS) == Token(Scope.UNSUBSCRIBE, ANNE.id, JULY, 1)


def test_a_mailbox_to_leave_by_comes_second() -> None:
    found = parsed(address(edition_of(sender=FULL), ANNE, NOON, KEYS))
    https, mailto = found["List-Unsubscribe"].split(", ")
    (token,) = tokens_in(https)
    assert mailto == f"<mailto:leave+{token}@digest.example.org?subject=unsubscribe>"


def test_the_return_path_is_an_opaque_token_where_bounces_are_read() -> None:
    envelope = address(edition_of(sender=FULL), ANNE, NOON, KEYS).envelope
    match = re.fullmatch(r"bounces\+([A-Za-z0-9_-]{40})@digest\.example\.org", envelope.sender)
    assert match
    assert verify(match[1], Scope.BOUNCE, 0, TOKEN_KEYS)
    assert len(envelope.sender.partition("@")[0]) <= 64
    assert envelope.recipient == "reader@example.org"


def test_the_return_path_is_the_sender_where_they_are_not() -> None:
    assert PLAIN.envelope.sender == "digest@digest.example.org"


def test_every_link_of_a_message_does_its_own_thing_only() -> None:
    text = part(parsed(PLAIN), "plain")
    scopes = {scope for token in tokens_in(text) for scope in Scope if verify(token, scope, 0, TOKEN_KEYS)}
    assert scopes == {Scope.UNSUBSCRIBE, Scope.PREFERENCES}


def test_no_slot_is_left_open() -> None:
    assert b"__DM_" not in PLAIN.content
    assert "__DM_" not in PLAIN.text + PLAIN.html


def test_a_value_in_html_is_escaped_and_in_text_is_not() -> None:
    edition = edition_of(labels=(Label(0, "Cause & <effect>"),))
    reader = recipient_of(all_topics=False, topics=catalogue().words(topics("Adherance")))
    message = address(edition, reader, NOON, KEYS)
    assert "Cause &amp; &lt;effect&gt;" in message.html
    assert "Cause & <effect>" in message.text


subjects = texts(max_size=200)
bodies = st.lists(texts(max_size=1200), max_size=4).map("\n".join)


@given(subjects, texts(max_size=200), bodies, bodies)
@example("é" * 5_000, "a" * 5_000, "x" * 5_000, "é" * 5_000)
@example("", "", "", "")
@example("s", "n", ".\n..\nFrom me\n--\n--=_x\n", "= =20 =_ \t \n \n")
@example("s", "n", "a\u00a0b\n\n\n", "end without a line end")
def test_what_was_meant_is_what_a_mail_program_reads(subject: str, name: str, text: str, html: str) -> None:
    edition = edition_of(subject=subject, text=split_slots(text), html=split_slots(html))
    message = address(edition, recipient_of(name=name), NOON, KEYS)
    found = parsed(message)
    assert found["Subject"] == subject == message.subject
    assert part(found, "plain").removesuffix("\n") == message.text.removesuffix("\n")
    assert part(found, "html").removesuffix("\n") == message.html.removesuffix("\n")
    assert found.keys() == parsed(PLAIN).keys()


@given(subjects, texts(max_size=200), bodies, st.sampled_from([sender_of(), FULL]))
@example("é" * 5_000, "a" * 5_000, "x" * 5_000, FULL)
def test_every_message_is_mail_that_any_server_takes(subject: str, name: str, body: str, sender: Sender) -> None:
    """ASCII, CRLF only, lines of at most 998 octets (RFC 5321 section 4.5.3.1.6)."""
    edition = edition_of(subject=subject, text=split_slots(body), html=split_slots(body), sender=sender)
    content = address(edition, recipient_of(name=name), NOON, KEYS).content
    assert content.isascii()
    assert content.endswith(b"\r\n")
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)|\0", content)
    assert all(len(line) <= 998 for line in content.split(b"\r\n"))


@given(st.text(max_size=100), st.text(max_size=100))
@example("Eve\r\nBcc: everybody@example.com", "Hello\r\n\r\n<html>")
@example("Eve\u2028", "Hello\x85")
def test_no_name_and_no_subject_adds_a_header(name: str, subject: str) -> None:
    try:
        message = address(edition_of(subject=subject), recipient_of(name=name), NOON, KEYS)
    except ValueError:
        return
    assert parsed(message).keys() == parsed(PLAIN).keys()


@given(subscriber_ids, issue_ids, st.integers(0, 9))
def test_the_same_arguments_give_the_same_bytes(who: SubscriberId, issue: IssueId, generation: int) -> None:
    edition, reader = edition_of(issue=issue), recipient_of(id=who, generation=generation)
    assert address(edition, reader, NOON, KEYS) == address(edition, reader, NOON, KEYS)


@pytest.mark.parametrize(
    "other",
    [
        address(edition_of(), recipient_of(id=SubscriberId(5)), NOON, KEYS),
        address(edition_of(issue=IssueId("2023-08")), ANNE, NOON, KEYS),
        address(edition_of(), ANNE, NOON, Keys(TOKEN_KEYS, b"another key for message ids")),
    ],
)
def test_another_reader_issue_or_key_gives_another_message_id(other: Message) -> None:
    assert other.message_id != PLAIN.message_id
    assert parsed(other)["Message-ID"] == other.message_id


def test_a_message_id_has_the_form_of_rfc_5322_and_outlives_a_change_of_tokens() -> None:
    later = address(edition_of(), recipient_of(generation=4, name="Other"), NOON + timedelta(1), KEYS)
    assert later.message_id == PLAIN.message_id == message_id(JULY, ANNE.id, "digest.example.org", KEYS.message_id)
    assert re.fullmatch(r"<[0-9a-f]{32}@digest\.example\.org>", PLAIN.message_id)


@pytest.mark.parametrize("topic", catalogue().topics, ids=lambda topic: topic.key)
def test_nothing_outside_the_body_tells_what_a_reader_follows(topic: Topic) -> None:
    """The same reader of the same edition with other topics: only the why-line differs."""
    edition = edition_of(sender=FULL)
    one = address(edition, recipient_of(all_topics=False, topics=catalogue().words([topic.key])), NOON, KEYS)
    two = address(edition, ANNE, NOON, KEYS)
    assert one.content.partition(b"\r\n\r\n")[0] == two.content.partition(b"\r\n\r\n")[0]
    assert (one.envelope, one.message_id) == (two.envelope, two.message_id)


def test_no_header_names_a_topic() -> None:
    message = address(edition_of(sender=FULL), ANNE, NOON, KEYS)
    told = " ".join([*map(str, parsed(message).values()), repr(message.envelope)]).casefold()
    names = {name for topic in catalogue() for name in (topic.key, topic.name, topic.name_fr, *topic.aliases)}
    assert not [name for name in names if re.search(rf"\b{re.escape(name.casefold())}\b", told)]


def test_a_sample_message_opens_nothing() -> None:
    message = address(edition_of(sender=FULL), ANNE, NOON, SAMPLE_KEYRING)
    found = tokens_in(message.text + message.html + message.content.decode() + message.envelope.sender)
    assert found
    assert not [one for one in found for scope in Scope if verify(one, scope, 0, SAMPLE_KEYRING.tokens)]


def test_the_language_of_the_edition_is_the_language_of_the_message() -> None:
    message = address(edition_of(key=EditionKey(FRENCH, (2,))), ANNE, NOON, KEYS)
    assert parsed(message)["Content-Language"] == "fr"


def test_the_boundary_cannot_occur_in_a_part() -> None:
    boundary = parsed(PLAIN).get_boundary()
    assert boundary
    text = split_slots(f"--{boundary}\n--{boundary}--\n{Slot.WHY.mark}")
    found = parsed(address(edition_of(text=text), ANNE, NOON, KEYS))
    assert part(found, "plain").startswith(f"--{boundary}\n--{boundary}--\n")
    assert len(list(found.iter_parts())) == 2
