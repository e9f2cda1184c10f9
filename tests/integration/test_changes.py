"""What is done for one person: record, ledger, suppressed addresses and trail move together."""

from contextlib import closing
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from core_support import JULY, address_of
from digest_mailer.core.address import address_hash
from digest_mailer.core.audience import Consent, Ground, Profile, State, Suppression
from digest_mailer.core.delivery import Accepted, HandOff
from digest_mailer.core.identity import SubscriberId
from digest_mailer.core.mailing import Result, Status
from digest_mailer.core.move import Move
from digest_mailer.core.topic import words_of
from store_support import ALL_WORDS, BOOTH, KEY, NOW, Store, candidate, make_store

ANN = "ann@clinic.ca"
BOB = "bob@clinic.ca"
MARCH = date(2024, 3, 1)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty one."""
    return make_store(tmp_path)


def profile(address: str = ANN, **values: object) -> Profile:
    """Somebody who follows two topics."""
    return replace(Profile(address_of(address), "Ann", topics=words_of((3, 5))), **values)  # type: ignore[arg-type]


def add(store: Store, address: str = ANN, **values: object) -> SubscriberId:
    """Somebody there."""
    found = store.changes.add(profile(address, **values), BOOTH, Move.ADD, "cli:root", NOW)
    assert found is not None
    return found


def actions(store: Store, person: SubscriberId | None = None) -> list[str]:
    """What the trail says was done, oldest first."""
    return [one.action for one in reversed(list(store.trail.records(person)))]


def suppress(store: Store, address: str, ground: Ground) -> None:
    """Put the address on the list."""
    digest = address_hash(address_of(address), KEY)
    store.suppressions.add([Suppression(digest, ground, "tests", NOW)], "tests", NOW)


def listed(store: Store, address: str) -> str:
    """The ground the address is on the list for; empty when it is not."""
    found = store.suppressions.get(address_hash(address_of(address), KEY))
    return found.ground if found else ""


# -- adding


def test_somebody_added_is_as_was_said(store: Store) -> None:
    given = Consent("phone", date(2024, 1, 5), "yes, send it", "2024-1", "the desk")
    number = store.changes.add(
        profile(name="Ann B.", language="fr", attributes={"role": "clinician"}), given, Move.ADD, "cli:root", NOW
    )
    person = store.person(ANN)
    assert (person.id, person.state, person.name, person.language) == (number, State.ACTIVE, "Ann B.", "fr")
    assert (person.topics, person.attributes) == (words_of((3, 5)), {"role": "clinician"})
    assert (person.consent, person.joined_on) == (given, given.given_on)
    (entry,) = store.trail.records(person.id)
    assert (entry.actor, entry.action, entry.facts["to"]) == ("cli:root", "add", "active")


def test_nobody_is_added_twice_in_any_spelling(store: Store) -> None:
    add(store)
    assert store.changes.add(profile("ANN@Clinic.ca"), BOOTH, Move.ADD, "cli:root", NOW) is None
    assert len(actions(store)) == 1


# -- editing


def test_an_edit_changes_what_it_names_and_says_so(store: Store) -> None:
    person = add(store)
    changed = profile(name="Ann C.", topics=words_of((5, 70)))
    assert store.changes.edit(person, changed, "cli:root", "she called", NOW)
    assert store.person(ANN).profile == changed
    entry = next(store.trail.records(person))
    assert (entry.action, entry.facts) == ("edit", {"changed": ["name", "topics"]})
    assert entry.content == {"name": ["Ann", "Ann C."], "topics": [[3, 5], [5, 70]], "reason": "she called"}


def test_an_edit_that_changes_nothing_leaves_no_trace(store: Store) -> None:
    person = add(store)
    before = store.people.sequence()
    assert not store.changes.edit(person, profile(), "cli:root", "", NOW)
    assert (actions(store), store.people.sequence()) == (["add"], before)


def test_an_address_that_somebody_has_is_refused(store: Store) -> None:
    person = add(store)
    add(store, BOB)
    with pytest.raises(ValueError, match=r"BOB@clinic\.ca"):
        store.changes.edit(person, profile("BOB@clinic.ca"), "cli:root", "", NOW)
    assert store.people.find(address_of(ANN)) is not None


def test_somebody_may_spell_their_own_address_otherwise(store: Store) -> None:
    person = add(store)
    assert store.changes.edit(person, profile("Ann@Clinic.CA"), "cli:root", "", NOW)
    assert store.person(ANN).address.typed == "Ann@clinic.ca"


def test_a_new_address_gets_what_was_not_sent_and_never_an_issue_again(store: Store) -> None:
    """The message goes to the present address; a wave after the change finds that the person was served."""
    person = add(store, topics=ALL_WORDS)
    store.freeze()
    store.changes.edit(person, profile("new@clinic.ca", topics=ALL_WORDS), "cli:root", "", NOW)
    with closing(store.lease()) as lease:
        (claim,) = lease.turn((), 10, NOW).claims
        assert claim.recipient.address.typed == "new@clinic.ca"
        taken = Result(claim.row, Accepted("250 Ok"), HandOff.ACCEPTED, None, NOW, NOW, "1", b"", 0)
        lease.release(Status.COMPLETE, "", (), (taken,), NOW)
    assert store.freeze() == 0


def test_mail_stops_when_the_new_address_is_suppressed(store: Store) -> None:
    person = add(store, topics=ALL_WORDS)
    store.freeze()
    suppress(store, BOB, Ground.BOUNCE)
    store.changes.edit(person, profile(BOB, topics=ALL_WORDS), "cli:root", "", NOW)
    with closing(store.lease()) as lease:
        assert lease.turn((), 10, NOW).claims == ()


# -- moves


def test_a_pause_has_an_end_and_drops_what_was_to_be_sent(store: Store) -> None:
    person = add(store, topics=ALL_WORDS)
    store.freeze()
    assert store.changes.move(person, Move.PAUSE, "reader", "", NOW, MARCH)
    found = store.person(ANN)
    assert (found.state, found.paused_until) == (State.PAUSED, MARCH)
    assert store.states() == {ANN: "suppressed"}
    assert store.changes.move(person, Move.RESUME, "reader", "", NOW)
    assert (store.person(ANN).state, store.person(ANN).paused_until) == (State.ACTIVE, None)


def test_a_move_that_leads_nowhere_changes_nothing(store: Store) -> None:
    person = add(store)
    before = store.people.sequence()
    assert not store.changes.move(person, Move.RESUME, "reader", "", NOW)
    assert not store.changes.move(SubscriberId(5), Move.PAUSE, "reader", "", NOW, MARCH)
    assert (actions(store), store.people.sequence()) == (["add"], before)


@pytest.mark.parametrize(
    ("move", "ground", "state", "still"),
    [
        (Move.BOUNCE, Ground.BOUNCE, State.ACTIVE, ""),
        (Move.COMPLAIN, Ground.COMPLAINT, State.UNSUBSCRIBED, ""),
        (Move.BOUNCE, Ground.MANUAL, State.ACTIVE, "manual"),
        (Move.COMPLAIN, Ground.ERASED, State.UNSUBSCRIBED, "erased"),
    ],
)
def test_reinstating_undoes_what_a_server_reported_and_nothing_else(
    store: Store, move: Move, ground: Ground, state: State, still: str
) -> None:
    person = add(store)
    store.changes.move(person, move, "program", "550 no such user", NOW)
    suppress(store, ANN, ground)
    assert store.changes.reinstate(person, "cli:root", "a mistake", NOW) == state
    assert (store.person(ANN).state, listed(store, ANN)) == (state, still)


def test_who_left_cannot_be_reinstated(store: Store) -> None:
    person = add(store)
    store.people.leave(person, "link", NOW, None)
    assert store.changes.reinstate(person, "cli:root", "please", NOW) is None
    assert store.person(ANN).state == State.UNSUBSCRIBED


# -- erasing


def test_nothing_personal_is_left_of_who_was_erased(store: Store) -> None:
    """Looked for in every column of every table."""
    given = Consent("the booth of Ottawa", date(2024, 1, 5), "yes", "1", "192.0.2.7")
    person = store.changes.add(
        profile("ann.unique@clinic.ca", name="Ann Unique", attributes={"role": "unique"}, topics=ALL_WORDS),
        given, Move.ADD, "cli:root", NOW,
    )  # fmt: skip
    assert person is not None
    store.freeze()
    store.changes.move(person, Move.PAUSE, "cli:root", "a unique reason", NOW, MARCH)
    assert store.changes.erase(person, "cli:root", NOW)
    words = ("unique", "Unique", "192.0.2.7", "booth of Ottawa")
    for (table,) in store.sql("SELECT name FROM sqlite_master WHERE type = 'table'"):
        for row in store.sql(f"SELECT * FROM {table}"):  # noqa: S608
            told = " ".join(str(value) for value in row)
            assert not any(word in told for word in words), (table, told)
    assert store.people.get(person) is None
    assert store.sql("SELECT state, topics_0, all_topics FROM subscriber") == [("erased", 0, 0)]


def test_a_wave_that_is_still_being_written_keeps_nothing_of_who_was_erased(store: Store) -> None:
    person = add(store, "ann.unique@clinic.ca", name="Ann Unique", topics=ALL_WORDS)
    add(store, BOB, topics=ALL_WORDS)
    assert store.ledger.open_wave(store.approve(), store.request()) == 2
    store.changes.erase(person, "reader", NOW)
    assert not any("nique" in line for line in store.dump())
    with closing(store.lease()) as lease:
        (claim,) = lease.turn((), 10, NOW).claims
        assert claim.recipient.address.typed == BOB


def test_the_trail_of_who_was_erased_is_whole(store: Store) -> None:
    person = add(store)
    other = add(store, BOB)
    store.changes.edit(person, profile(name="X"), "cli:root", "", NOW)
    store.changes.erase(person, "reader", NOW)
    found = store.trail.verify()
    assert (found.faults, found.entries) == ((), 4)
    assert [one.erased for one in store.trail.records(person)] == [False, True, True]
    store.sql("DELETE FROM audit_private WHERE subscriber_id = ?", other)
    assert store.trail.verify().faults == ("the words of entry 2 are not there, and nobody was erased",)


def test_who_was_erased_cannot_be_imported_again(store: Store) -> None:
    store.changes.erase(add(store), "reader", NOW)
    assert store.load(candidate("ANN@clinic.ca")).kept_out == 1
    assert (store.people.find(address_of(ANN)), listed(store, ANN)) == (None, "erased")


def test_what_is_to_be_sent_is_dropped_when_somebody_is_erased(store: Store) -> None:
    person = add(store, topics=ALL_WORDS)
    store.freeze()
    store.changes.erase(person, "reader", NOW)
    assert store.sql("SELECT state, slots FROM delivery") == [("suppressed", None)]


def test_a_consent_of_an_import_stays_for_the_others(store: Store) -> None:
    store.load(candidate(ANN), candidate(BOB))
    store.changes.erase(store.person(ANN).id, "reader", NOW)
    assert store.person(BOB).consent == BOOTH


def test_nobody_is_erased_twice(store: Store) -> None:
    person = add(store)
    assert store.changes.erase(person, "reader", NOW)
    assert not store.changes.erase(person, "reader", NOW)
    assert not store.changes.erase(SubscriberId(9), "reader", NOW)


# -- suppressions


def test_a_suppressed_address_drops_what_was_to_be_sent(store: Store) -> None:
    add(store, topics=ALL_WORDS)
    store.freeze()
    suppress(store, ANN, Ground.MANUAL)
    assert store.states() == {ANN: "suppressed"}


def test_a_wave_made_before_a_suppression_counts_as_of_then(store: Store) -> None:
    """Whatever the clock says; the row is then dropped when it is to be sent."""
    add(store, topics=ALL_WORDS)
    store.approve()
    store.ledger.open_wave(store.approvals.latest(JULY), store.request(now=NOW))  # type: ignore[arg-type]
    digest = address_hash(address_of(ANN), KEY)
    earlier = NOW - timedelta(days=30)
    store.suppressions.add([Suppression(digest, Ground.COMPLAINT, "tests", earlier)], "tests", earlier)
    with closing(store.lease()) as lease:
        assert lease.turn((), 10, NOW).claims == ()
    assert store.states() == {ANN: "suppressed"}


def test_a_wave_made_before_a_suppression_was_lifted_counts_as_of_then(store: Store) -> None:
    add(store, topics=ALL_WORDS)
    add(store, "ben@example.org", topics=ALL_WORDS)
    suppress(store, ANN, Ground.MANUAL)
    store.approve()
    assert store.ledger.open_wave(store.approvals.latest(JULY), store.request(now=NOW)) == 1  # type: ignore[arg-type]
    assert store.suppressions.remove(address_hash(address_of(ANN), KEY), "cli:root", "she asked", NOW)
    with closing(store.lease()) as lease:
        assert len(lease.turn((), 10, NOW).claims) == 1
    assert store.states() == {"ben@example.org": "claimed"}
    assert store.sql("SELECT count(*) FROM lifted_later") == [(0,)]
    assert store.ledger.open_wave(store.approvals.latest(JULY), store.request(now=NOW)) == 1  # type: ignore[arg-type]


def test_a_complaint_weighs_more_than_what_was_listed(store: Store) -> None:
    suppress(store, ANN, Ground.BOUNCE)
    suppress(store, ANN, Ground.COMPLAINT)
    suppress(store, ANN, Ground.MANUAL)
    assert listed(store, ANN) == "complaint"


def test_taking_an_address_off_the_list_is_on_record(store: Store) -> None:
    person = add(store)
    suppress(store, ANN, Ground.MANUAL)
    digest = address_hash(address_of(ANN), KEY)
    assert store.suppressions.remove(digest, "cli:root", "she asked", NOW)
    assert not store.suppressions.remove(digest, "cli:root", "she asked", NOW)
    assert actions(store) == ["add", "suppress", "unsuppress"]
    assert next(store.trail.records(person)).content == {"reason": "she asked"}


# -- another address, again


def test_links_of_a_former_mailbox_do_nothing_but_leave(store: Store) -> None:
    person = add(store)
    assert store.changes.edit(person, profile("Ann@Clinic.CA"), "cli:root", "", NOW)
    assert store.person(ANN).generation == 0
    store.changes.edit(person, profile(BOB), "cli:root", "", NOW)
    assert store.person(BOB).generation == 1


@pytest.mark.parametrize("end", ["stays", "leaves", "is erased"])
def test_an_old_list_brings_nobody_in_twice_or_back(store: Store, end: str) -> None:
    person = add(store)
    store.changes.edit(person, profile(BOB), "cli:root", "", NOW)
    if end == "leaves":
        store.people.leave(person, "link", NOW, None)
    if end == "is erased":
        store.changes.erase(person, "reader", NOW)
        assert (listed(store, ANN), listed(store, BOB)) == ("erased", "erased")
    assert store.load(candidate(ANN)).kept_out == 1
    assert store.people.find(address_of(ANN)) is None


def test_a_mailbox_gets_an_issue_once_whoever_has_it(store: Store) -> None:
    """One was served there and moved on; the row of another, who moves in, is dropped."""
    first = add(store, "new@clinic.ca", topics=ALL_WORDS)
    store.freeze()
    with closing(store.lease()) as lease:
        (claim,) = lease.turn((), 10, NOW).claims
        taken = Result(claim.row, Accepted("250 Ok"), HandOff.ACCEPTED, None, NOW, NOW, "1", b"", 0)
        lease.release(Status.SENDING, "", (), (taken,), NOW)
    second = add(store, "old@clinic.ca", topics=ALL_WORDS)
    assert store.freeze() == 1
    store.changes.edit(first, profile("third@clinic.ca", topics=ALL_WORDS), "cli:root", "", NOW)
    store.changes.edit(second, profile("new@clinic.ca", topics=ALL_WORDS), "cli:root", "", NOW)
    with closing(store.lease()) as lease:
        assert lease.turn((), 10, NOW).claims == ()
    assert store.states()["new@clinic.ca"] == "suppressed"


def test_what_was_typed_about_an_address_goes_with_its_person(store: Store) -> None:
    person = add(store)
    digest = address_hash(address_of(ANN), KEY)
    store.suppressions.add([Suppression(digest, Ground.MANUAL, "a unique illness", NOW)], "tests", NOW)
    store.changes.erase(person, "reader", NOW)
    assert not any("unique" in line for line in store.dump())
    assert listed(store, ANN) == "manual"


def test_words_about_a_stranger_are_not_kept_in_the_chain(store: Store) -> None:
    suppress(store, ANN, Ground.MANUAL)
    store.suppressions.remove(address_hash(address_of(ANN), KEY), "cli:root", "a unique phone call", NOW)
    assert not any("unique" in line for line in store.dump())


# -- what readers choose


def test_an_import_leaves_what_a_reader_chose(store: Store) -> None:
    store.load(candidate(ANN, name="Ann", language="fr"))
    person = store.person(ANN)
    chosen = replace(person.profile, topics=words_of((7,)), all_topics=False)
    store.changes.edit(person.id, chosen, "reader", "preferences page", NOW)
    assert store.load(candidate(ANN)).unchanged == 1
    assert store.person(ANN).profile == chosen
    assert store.load(candidate(ANN, name="Ann Roy")).changed == 1
    assert store.person(ANN).profile == replace(chosen, name="Ann Roy")


def test_an_admins_change_is_corrected_by_a_list(store: Store) -> None:
    store.load(candidate(ANN))
    person = store.person(ANN)
    store.changes.edit(person.id, replace(person.profile, topics=words_of((7,)), all_topics=False), "cli:root", "", NOW)
    assert store.load(candidate(ANN)).changed == 1
    assert store.person(ANN).all_topics
