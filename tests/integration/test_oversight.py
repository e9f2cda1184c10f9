"""What an admin does to a mailing beside sending it: nobody is lost over it, and the ledger tells who and why."""

import asyncio
from collections import Counter
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from core_support import JULY, address_of, catalogue, edition_of
from digest_mailer.adapters.evidence import read_evidence
from digest_mailer.adapters.store.oversight import OversightStore
from digest_mailer.core.delivery import Fate, HandOff, Outcome
from digest_mailer.core.errors import InterlockError, NothingMatched, UsageError
from digest_mailer.core.feedback import FeedbackEvent
from digest_mailer.core.mailing import Result, Status
from digest_mailer.core.message import local_id, message_id
from digest_mailer.services.oversight import Overseer, Settled, how_likely
from digest_mailer.services.send import Ended, Ending
from digest_mailer.services.why import Explainer
from message_support import run
from publication_support import FixedClock
from send_support import BUSY, KEYS, NOBODY, SILENCE, TAKEN, Sending, Way
from store_support import NOW, WAY, Store, candidate, make_store

MONTH = timedelta(days=30)
DOMAIN = "digest.example.org"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return make_store(tmp_path)


@pytest.fixture
def overseer(store: Store) -> Overseer:
    return Overseer(store.ledger, OversightStore(store.database), KEYS, FixedClock(), timedelta(hours=48))


def fill(store: Store, count: int) -> list[str]:
    addresses = [f"reader{number}@example.org" for number in range(count)]
    store.load(*(candidate(address) for address in addresses))
    assert store.freeze() == count
    return addresses


def send(store: Store, *ends: Outcome, wait: timedelta = timedelta(0)) -> tuple[Way, Ended]:
    """A run whose first attempts end like this."""
    scripted = iter(ends)
    way = Way(lambda _address, _number: next(scripted, TAKEN))
    return way, run(Sending(store, way).send(wait))


def status(store: Store) -> tuple[str, str]:
    found = store.ledger.mailing(JULY)
    assert found is not None
    return found.status, found.detail


def held(store: Store) -> set[str]:
    return {address for address, _ in store.ledger.named(JULY, HandOff.UNKNOWN)}


def identifier(store: Store, address: str) -> str:
    return message_id(JULY, store.person(address).id, DOMAIN, KEYS.message_id).strip("<>")


# -- pause and cancel


def test_a_pause_from_outside_stops_a_running_send_and_a_resume_goes_on(store: Store, overseer: Overseer) -> None:
    addresses = fill(store, 60)

    async def after(_address: str) -> None:
        if len(sending.way.contents) == 10:
            await asyncio.to_thread(overseer.pause, JULY)
        await asyncio.sleep(0.005)

    sending = Sending(store, Way(after=after))
    ended = run(sending.send())
    assert ended.ending is Ending.PAUSED
    assert 10 <= ended.accepted < 60
    assert ended.progress[HandOff.PLANNED] == 60 - ended.accepted
    assert status(store) == ("paused", "paused by hand")
    rest, _ = send(store)
    assert sending.way.taken + rest.taken == Counter(addresses)


def test_a_cancelled_mailing_serves_nobody_else_and_knows_who(store: Store, overseer: Overseer) -> None:
    addresses = fill(store, 60)

    async def after(_address: str) -> None:
        if len(sending.way.contents) == 10:
            await asyncio.to_thread(overseer.cancel, JULY)
        await asyncio.sleep(0.005)

    sending = Sending(store, Way(after=after))
    ended = run(sending.send())
    assert status(store) == ("closed", "cancelled by hand")
    taken = set(sending.way.taken)
    assert store.states() == {address: "accepted" if address in taken else "cancelled" for address in addresses}
    assert len(taken) < 60
    assert ended.progress.open == 0


def test_who_is_on_the_wire_when_it_is_cancelled_is_told_of_truly(store: Store, overseer: Overseer) -> None:
    fill(store, 2)

    async def after(_address: str) -> None:
        await asyncio.to_thread(overseer.cancel, JULY)
        while sending.run._desk.status is Status.SENDING:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0)

    sending = Sending(store, Way(after=after))
    run(sending.send())
    assert sorted(store.states().values()) == ["accepted", "cancelled"]


def test_a_cancel_before_the_audience_is_written_puts_everybody_on_record(store: Store, overseer: Overseer) -> None:
    store.load(*(candidate(f"reader{number}@example.org") for number in range(1200)))
    store.ledger.open_wave(store.approve(), store.request())
    with closing(store.lease()) as lease:
        lease.turn((), 10, NOW)
        lease.release(Status.PAUSED, "", (), (), NOW)
    assert overseer.cancel(JULY) == 1200
    assert Counter(store.states().values()) == {"cancelled": 1200}


def test_what_is_over_can_neither_be_paused_nor_cancelled(store: Store, overseer: Overseer) -> None:
    with pytest.raises(NothingMatched, match="never sent"):
        overseer.pause(JULY)
    fill(store, 1)
    send(store)
    before = store.dump()
    with pytest.raises(InterlockError, match="nothing to pause"):
        overseer.pause(JULY)
    with pytest.raises(InterlockError, match="nothing to cancel"):
        overseer.cancel(JULY)
    assert store.dump() == before


# -- retry


@pytest.mark.parametrize(("end", "state"), [(BUSY, HandOff.DEFERRED), (NOBODY, HandOff.REFUSED)])
def test_a_retry_has_people_tried_at_once(store: Store, overseer: Overseer, end: Outcome, state: HandOff) -> None:
    fill(store, 2)
    _, ended = send(store, end)
    assert ended.progress[state] == 1
    assert overseer.retry(JULY, [state]) == 1
    way, ended = send(store)
    assert ended.ending is Ending.COMPLETE
    assert len(way.taken) == 1
    assert status(store) == ("complete", "")
    assert set(store.states().values()) == {"accepted"}


def test_a_retry_gives_an_expired_mailing_new_time(store: Store, overseer: Overseer) -> None:
    fill(store, 1)
    send(store, *[BUSY] * 20, wait=MONTH)
    assert store.states() == {"reader0@example.org": "expired"}
    overseer.clock.advance(timedelta(days=5))  # type: ignore[attr-defined]
    assert overseer.retry(JULY, [HandOff.EXPIRED]) == 1
    found = store.ledger.mailing(JULY)
    assert found is not None
    assert found.expires == overseer.clock.now() + timedelta(hours=48)
    way, _ = send(store)
    assert len(way.taken) == 1


def test_a_retry_is_for_those_who_do_not_have_it(store: Store, overseer: Overseer) -> None:
    fill(store, 1)
    send(store)
    with pytest.raises(UsageError, match="accepted are not tried again"):
        overseer.retry(JULY, [HandOff.ACCEPTED])
    with pytest.raises(NothingMatched, match="nobody of 2023-07 is deferred"):
        overseer.retry(JULY, [HandOff.DEFERRED])


# -- who is unknown


def test_the_unknown_are_left_or_sent_again_by_the_admins_word(store: Store, overseer: Overseer) -> None:
    fill(store, 4)
    send(store, SILENCE, TAKEN, SILENCE)
    first, second = overseer.unknown(JULY)
    assert overseer.resolve(JULY, [first], HandOff.ACCEPTED) == 1
    assert overseer.resolve(JULY, [second], HandOff.PLANNED) == 1
    assert status(store)[0] == "sending"
    way, ended = send(store)
    assert dict(way.taken) == {second.address: 1}
    assert ended.ending is Ending.COMPLETE
    assert status(store)[0] == "complete"
    assert store.sql("SELECT resent FROM delivery WHERE id = ?", second.row) == [(1,)]
    attempts = OversightStore(store.database).attempts(first.row)
    assert [(one.number, one.outcome) for one in attempts] == [(1, "unknown"), (2, "accepted")]


def test_what_is_sent_again_is_the_same_octets(store: Store, overseer: Overseer) -> None:
    fill(store, 1)
    first, _ = send(store, SILENCE)
    overseer.resolve(JULY, overseer.unknown(JULY), HandOff.PLANNED)
    second, _ = send(store)
    assert first.contents == second.contents


def test_the_last_unknown_who_is_settled_completes_the_mailing(store: Store, overseer: Overseer) -> None:
    fill(store, 2)
    send(store, SILENCE)
    assert status(store)[0] == "sending"
    overseer.resolve(JULY, overseer.unknown(JULY), HandOff.ACCEPTED)
    assert status(store)[0] == "complete"


def test_only_who_is_unknown_can_be_settled(store: Store, overseer: Overseer) -> None:
    addresses = fill(store, 2)
    send(store, SILENCE)
    (one,) = overseer.unknown(JULY)
    other = next(address for address in addresses if address != one.address)
    with pytest.raises(NothingMatched, match="is not among the unknown"):
        overseer.unknown(JULY, [other])
    assert overseer.unknown(JULY, [one.address.upper()]) == [one]
    overseer.resolve(JULY, [one], HandOff.ACCEPTED)
    assert overseer.resolve(JULY, [one], HandOff.PLANNED) == 0


def test_who_uses_the_link_in_it_has_it(store: Store, overseer: Overseer) -> None:
    fill(store, 1)
    send(store, SILENCE)
    (one,) = overseer.unknown(JULY)
    store.people.leave(one.subscriber, "link", NOW, JULY)
    assert store.sql("SELECT state, fate FROM delivery") == [("accepted", "unsubscribed")]


@pytest.mark.parametrize(("detail", "word"), [
    ("at end of content: closed", "likely"), ("the machine stopped before", "unlikely"), ("the sender ended", "open"),
])  # fmt: skip
def test_it_says_how_likely_an_unknown_person_has_it(detail: str, word: str) -> None:
    assert how_likely(detail).startswith(word)


# -- evidence

FAILED = """\
From: MAILER-DAEMON@relay.example.org
To: bounces@digest.example.org
Subject: Returned mail
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

It did not work.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; relay.example.org

Final-Recipient: rfc822; reader@example.org
Action: {action}
Status: {status}

--b
Content-Type: text/rfc822-headers

From: digest@digest.example.org
Message-ID: <{identifier}>

--b--
"""
POSTFIX = """\
Nov 22 10:00:00 mx postfix/smtpd[11]: 4B1C2: client=localhost[127.0.0.1]
Nov 22 10:00:00 mx postfix/cleanup[12]: 4B1C2: message-id=<{identifier}>
Nov 22 10:00:00 mx postfix/qmgr[13]: 4B1C2: from=<bounces@digest.example.org>, size=4000, nrcpt=1 (queue active)
"""
NOT_QUEUED = POSTFIX.replace("postfix/qmgr[13]", "postfix/other[13]")
EXIM = "2026-11-22 10:00:00 1u5xY2-0000Ab-3c <= bounces@digest.example.org H=localhost S=4000 id={identifier}\n"


@pytest.mark.parametrize(
    ("form", "state", "fate"),
    [
        ("Return-Path: <x@example.org>\nMessage-ID: <{identifier}>\nSubject: x\n\nbody\n", "accepted", "delivered"),
        (FAILED.replace("{action}", "failed").replace("{status}", "5.1.1"), "accepted", "bounced"),
        (FAILED.replace("{action}", "delayed").replace("{status}", "4.2.2"), "accepted", "delayed"),
        (FAILED.replace("{action}", "relayed").replace("{status}", "2.0.0"), "accepted", "none"),
        (POSTFIX, "accepted", "none"),
        (EXIM, "accepted", "none"),
        ("<{identifier}>\n", "accepted", "none"),
        ("reader@example.org {identifier}\n", "accepted", "none"),
        (NOT_QUEUED, "unknown", "none"),
        ("Message-ID: <someone-elses@example.net>\n\n", "unknown", "none"),
        ("", "unknown", "none"),
        ("\x00\xff binary\n", "unknown", "none"),
    ],
)
def test_evidence_settles_by_itself(
    store: Store, overseer: Overseer, tmp_path: Path, form: str, state: str, fate: str
) -> None:
    fill(store, 3)
    send(store, SILENCE, TAKEN, TAKEN)
    (address,) = held(store)
    path = tmp_path / "evidence"
    path.write_text(form.replace("{identifier}", identifier(store, address)), encoding="latin-1")
    settled = overseer.learn(JULY, read_evidence(path))
    assert settled == Settled(int(state == "accepted"), int(fate != "none"), int(state == "unknown"))
    assert store.states()[address] == state
    assert store.sql("SELECT fate FROM delivery WHERE subscriber_id = ?", store.person(address).id) == [(fate,)]


def test_a_maildir_is_read_but_not_what_is_not_whole_in_it(store: Store, overseer: Overseer, tmp_path: Path) -> None:
    fill(store, 2)
    send(store, SILENCE, SILENCE)
    first, second = sorted(held(store))
    for folder, address in (("new", first), ("tmp", second)):
        (tmp_path / "box" / folder).mkdir(parents=True)
        mail = f"Message-ID: <{identifier(store, address)}>\n\n"
        (tmp_path / "box" / folder / "1").write_text(mail)
    assert overseer.learn(JULY, read_evidence(tmp_path / "box")) == Settled(1, 1, 1)
    assert held(store) == {second}


def test_hearing_it_again_or_in_another_order_changes_nothing(store: Store, overseer: Overseer) -> None:
    fill(store, 1)
    send(store)
    name = identifier(store, "reader0@example.org")
    for fate in (Fate.BOUNCED, Fate.DELIVERED, Fate.DELAYED, Fate.BOUNCED):
        overseer.learn(JULY, [FeedbackEvent(name, fate)])
        assert store.sql("SELECT state, fate FROM delivery") == [("accepted", "bounced")]


def test_evidence_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(NothingMatched):
        list(read_evidence(tmp_path / "nowhere"))


# -- every row, and every person


def test_deliveries_are_chosen_by_state_and_domain(store: Store) -> None:
    store.load(candidate("ann@clinic.ca"), candidate("bob@clinic.ca"), candidate("eve@other.ca"))
    store.freeze()
    with closing(store.lease()) as lease:
        (claim,) = lease.turn((), 1, NOW).claims
        lease.release(Status.PAUSED, "", (), (), NOW)
    store.sql("UPDATE delivery SET state = 'accepted' WHERE id = ?", claim.row)
    oversight = OversightStore(store.database)
    assert [one.address for one in oversight.deliveries(JULY)] == ["ann@clinic.ca", "bob@clinic.ca", "eve@other.ca"]
    assert [one.row for one in oversight.deliveries(JULY, [HandOff.ACCEPTED])] == [claim.row]
    assert [one.address for one in oversight.deliveries(JULY, domain="Other.ca")] == ["eve@other.ca"]
    assert not list(oversight.deliveries(JULY, domain="%"))
    person = store.person("bob@clinic.ca").id
    assert [one.address for one in oversight.deliveries(None, person=person)] == ["bob@clinic.ca"]


def explainer(store: Store) -> Explainer:
    oversight = OversightStore(store.database)
    return Explainer(store.people, store.ledger, oversight, store.approvals, KEYS, None, NOW.date, catalogue())


def test_why_tells_the_articles_the_attempts_and_the_octets_that_were_sent(store: Store) -> None:
    fill(store, 1)
    way, _ = send(store, BUSY, TAKEN, wait=MONTH)
    person = store.person("reader0@example.org")
    (one,) = explainer(store).sent(person)
    assert one.edition == edition_of()
    assert one.why == "You follow all topics."
    assert [attempt.outcome for attempt in one.attempts] == ["deferred", "accepted"]
    assert one.attempts[0].connection == "connection 0"
    assert one.attempts[0].transport == WAY
    assert one.message is not None
    assert one.message.content == way.contents[-1][1]
    assert one.same is True


def test_why_says_when_what_it_can_build_is_not_what_was_sent(store: Store) -> None:
    fill(store, 1)
    send(store)
    store.sql("UPDATE delivery SET slots = json_set(slots, '$.name', 'Somebody else')")
    (one,) = explainer(store).sent(store.person("reader0@example.org"))
    assert one.same is False


def test_why_of_an_erased_persons_message_cannot_be_told(store: Store) -> None:
    fill(store, 1)
    send(store)
    store.sql("UPDATE delivery SET slots = NULL")
    (one,) = explainer(store).sent(store.person("reader0@example.org"))
    assert (one.message, one.same, one.why) == (None, None, "")


def test_why_somebody_has_no_row(store: Store) -> None:
    fill(store, 1)
    send(store)
    explain = explainer(store)
    store.load(candidate("late@clinic.ca"), candidate("other@clinic.ca", (200,)), candidate("gone@clinic.ca"))
    store.people.leave(store.person("gone@clinic.ca").id, "link", NOW, None)
    store.suppress("other@clinic.ca")
    reasons = {
        name: explain.not_sent(store.person(f"{name}@clinic.ca"), JULY).reason for name in ("late", "other", "gone")
    }
    assert reasons == {
        "late": "they were not in its audience when it was sent, 2024-01-31",
        "other": "on the suppression list since 2024-01-01: complaint",
        "gone": "unsubscribed",
    }
    store.sql("DELETE FROM suppression")
    assert explain.not_sent(store.person("other@clinic.ca"), JULY).reason == "it has no article on a topic they follow"
    assert address_of("late@clinic.ca")


def test_a_pause_ends_a_rest_too(store: Store, overseer: Overseer) -> None:
    fill(store, 2)

    async def rest(stopping: asyncio.Event, _seconds: float) -> None:
        await asyncio.to_thread(overseer.pause, JULY)
        await stopping.wait()

    scripted = iter([BUSY])
    sending = Sending(store, Way(lambda _address, _number: next(scripted, TAKEN)))
    sending.run.rest = rest
    assert run(sending.send(MONTH)).ending is Ending.PAUSED
    assert sorted(store.states().values()) == ["accepted", "deferred"]


def test_who_is_unknown_is_sent_to_once_more_where_the_publication_wants_it(store: Store, overseer: Overseer) -> None:
    fill(store, 2)
    send(store, SILENCE)
    assert overseer.follow_policy(JULY) == 0
    wanted = replace(overseer, resend_once=True)
    assert wanted.follow_policy(JULY) == 1
    send(store, SILENCE)
    assert wanted.follow_policy(JULY) == 0
    assert len(held(store)) == 1


def test_a_mailing_whose_audience_is_not_all_written_is_not_complete_yet(store: Store, overseer: Overseer) -> None:
    store.load(*(candidate(f"reader{number}@example.org") for number in range(1200)))
    store.ledger.open_wave(store.approve(), store.request())
    with closing(store.lease()) as lease:
        claims = lease.turn((), 500, NOW).claims
        for claim in claims:
            lease.begin(claim.row)
        lease.release(Status.SENDING, "", [claim.row for claim in claims], (), NOW)
    overseer.resolve(JULY, overseer.unknown(JULY), HandOff.ACCEPTED)
    assert set(store.states().values()) == {"accepted"}
    assert status(store)[0] == "sending"


# -- a cancelled mailing


def test_whoever_was_on_the_wire_when_it_was_cancelled_and_then_killed_is_named(
    store: Store, overseer: Overseer
) -> None:
    lease = store.begin(3)
    one, other, _ = lease.turn((), 3, NOW).claims
    lease.begin(one.row)
    store.ledger._runs = lambda _owner: True
    assert overseer.cancel(JULY) == 3
    lease.close()  # killed
    store.ledger._runs = lambda _owner: False
    assert [person.row for person in overseer.unknown(JULY)] == [one.row]
    assert store.sql("SELECT status FROM mailing") == [("closed",)]
    found = FeedbackEvent(f"{local_id(JULY, other.recipient.id, KEYS.message_id)}@x", Fate.NONE, "queued")
    assert overseer.learn(JULY, [found]).accepted == 1  # the server knows better than the ledger
    assert sorted(store.states().values()) == ["accepted", "cancelled", "unknown"]


def test_nobody_else_gets_what_was_cancelled(store: Store, overseer: Overseer) -> None:
    lease = store.begin(2)
    one, other = lease.turn((), 2, NOW).claims
    refused = Result(other.row, NOBODY, HandOff.REFUSED, None, NOW, NOW, "", b"", 0)
    lease.begin(one.row)
    lease.release(Status.PAUSED, "", [one.row], [refused], NOW)
    lease.close()
    overseer.oversight.cancel(JULY, "by hand", NOW)
    (person,) = overseer.unknown(JULY)
    with pytest.raises(InterlockError, match="was cancelled"):
        overseer.resolve(JULY, [person], HandOff.PLANNED)
    with pytest.raises(InterlockError, match="was cancelled"):
        overseer.retry(JULY, [HandOff.REFUSED])
    assert overseer.resolve(JULY, [person], HandOff.ACCEPTED) == 1
