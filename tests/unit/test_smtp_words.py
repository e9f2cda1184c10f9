"""What an SMTP server says, octet by octet; what it offers; and what it is asked."""

from itertools import pairwise

import pytest

from digest_mailer.adapters.transports.smtp_announcer import Announcer, xtext
from digest_mailer.adapters.transports.smtp_extensions import Extensions, read_extensions
from digest_mailer.adapters.transports.smtp_reader import RawReply, ReplyReader
from digest_mailer.adapters.transports.smtp_reply import read_reply, storable
from message_support import build

CONVERSATION = b"250-one\r\n250-two\r\n250 three\r\n354 Go on\n250\r\n421-\r\n421\r\n250 2.0.0 Ok: \xff\r\n"
REPLIES = [(250, b"one|two|three"), (354, b"Go on"), (250, b""), (421, b"|"), (250, b"2.0.0 Ok: \xff")]


def lines(reply: RawReply) -> RawReply:
    return reply[0], reply[1].replace(b"\r", b"").replace(b"\n", b"|")


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 1000])
def test_replies_are_whole_however_they_come(size: int) -> None:
    reader = ReplyReader()
    cuts = [*range(0, len(CONVERSATION), size), len(CONVERSATION)]
    found = [lines(reply) for start, stop in pairwise(cuts) for reply in reader.feed(CONVERSATION[start:stop])]
    assert found == REPLIES
    assert reader.empty
    assert not reader.broken


def test_what_is_not_whole_waits() -> None:
    reader = ReplyReader()
    assert reader.feed(b"250-one\r\n") == []
    assert not reader.empty
    assert reader.feed(b"250 tw") == []
    assert [lines(reply) for reply in reader.feed(b"o\r\n25")] == [(250, b"one|two")]
    assert not reader.empty


@pytest.mark.parametrize("garbage", [
    b"HTTP/1.1 400 Bad\r\n", b"\r\n", b"25 x\r\n", b"2500 x\r\n", b"250_x\r\n", b"250-a\r\n354 b\r\n", b" 250 x\r\n",
    b"25\xb2 x\r\n", b"+50 x\r\n", b"x" * 5000, b"250 " + b"x" * 5000, b"250-x\r\n" * 70_000, b"\0" * 4097,
])  # fmt: skip
def test_what_is_no_reply_is_told_after_those_that_are(garbage: bytes) -> None:
    reader = ReplyReader()
    assert [lines(reply) for reply in reader.feed(b"250 Queued\r\n" + garbage)] == [(250, b"Queued")]
    assert reader.broken


@pytest.mark.parametrize(("text", "kept"), [
    (b"2.0.0 Ok: queued as 4X\r", "2.0.0 Ok: queued as 4X"),
    (b" one\r\n  two\tthree ", "one two three"),
    (b"for <A@B.example>, a@b.example!", "for <(address)>, (address)!"),
    (b"bell \x07 and \xe2\x80\xae turn", "bell and turn"),
    (b"x" * 900, "x" * 500),
    (b"", ""),
])  # fmt: skip
def test_words_are_kept_on_one_line_and_without_addresses(text: bytes, kept: str) -> None:
    assert storable(text, "a@b.example") == kept
    assert read_reply(250, text, "a@b.example").text == kept


@pytest.mark.parametrize(("text", "found"), [
    (b"x", Extensions()),
    (b"x\r\nPIPELINING\r\nsize 10\r\nAuth plain LOGIN\r\nAUTH=CRAM-MD5",
     Extensions(size=10, sized=True, pipelining=True, auth=frozenset({"PLAIN", "LOGIN", "CRAM-MD5"}))),
    (b"x\r\nSIZE\r\n\r\nCHUNKING\r\nDSN\r\nStartTLS", Extensions(sized=True, chunking=True, dsn=True, starttls=True)),
    (b"SIZE 5\r\nSIZE many\r\nPIPELINING \xff", Extensions(sized=True, pipelining=True)),
    (b"x\r\nSIZE \xc2\xb2\r\nXPIPELINING\r\nAUTH=", Extensions(sized=True)),
])  # fmt: skip
def test_offers_are_read_with_tolerance(text: bytes, found: Extensions) -> None:
    assert read_extensions(text) == found


@pytest.mark.parametrize(("text", "encoded"), [
    ("plain!#$%&'*,-./:;<>?@[]^_`{|}~", "plain!#$%&'*,-./:;<>?@[]^_`{|}~"),
    ("a+b=c d", "a+2Bb+3Dc+20d"),
    ("é\r\n\x7f", "+C3+A9+0D+0A+7F"),
])  # fmt: skip
def test_xtext(text: str, encoded: str) -> None:
    assert xtext(text) == encoded


def test_ids_and_addresses_that_are_too_long_for_a_report() -> None:
    message = build(1, recipient=f"{'=' * 200}@example.org")
    message = message._replace(message_id=f"<{'a' * 98}+b@news.example.org>")
    said = Announcer(Extensions(dsn=True)).announcement(message).decode()
    assert f" ENVID={'a' * 98}\r\n" in said
    assert "ORCPT" not in said
    assert said.endswith("NOTIFY=FAILURE,DELAY\r\nDATA\r\n")


@pytest.mark.parametrize("pipelining", [True, False])
def test_bdat_goes_only_with_pipelining(pipelining: bool) -> None:
    said = Announcer(Extensions(chunking=True, pipelining=pipelining)).announcement(build())
    assert said.endswith(b"DATA\r\n") is not pipelining
