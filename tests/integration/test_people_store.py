"""People in the database: imports that can only narrow, leaving that lasts, segments that mean what core says."""

import tempfile
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from core_support import JULY, address_of
from digest_mailer.core.address import RESERVED_SECOND, parse_address
from digest_mailer.core.audience import Candidate, Consent, ImportResult, State, eligible, has_left
from digest_mailer.core.identity import IssueId, Language, SubscriberId
from digest_mailer.core.intake import Batch, row_of
from digest_mailer.core.segment import EVERYBODY, Segment
from store_support import ALL_WORDS, BOOTH, NOW, Store, candidate, make_store

FEW = settings(max_examples=settings().max_examples // 4)  # each with a database of its own
FEWER = settings(max_examples=settings().max_examples // 8)
ANN = "ann@clinic.ca"
LEFT = [State.UNSUBSCRIBED, State.BOUNCED, State.COMPLAINED]
FRENCH = Language("fr")
SPRING, SUMMER = date(2024, 4, 1), date(2024, 7, 1)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return make_store(tmp_path)


def entitled(store: Store) -> int:
    """How many people may get mail now."""
    groups = store.people.groups(JULY, ALL_WORDS, EVERYBODY)
    today = NOW.date()
    return sum(g.people for g in groups if not eligible(g.state, g.paused_until, suppressed=g.suppressed, today=today))


# -- imports


def test_an_import_counts_new_changed_unchanged_and_kept_out(store: Store) -> None:
    old = [candidate(f"reader{n}@clinic.ca") for n in range(4)]
    assert store.load(*old) == ImportResult(created=4)
    store.people.leave(store.person("reader3@clinic.ca").id, "test", NOW, None)
    store.suppress("never@clinic.ca")
    new = [candidate("new@clinic.ca"), candidate("never@clinic.ca"), replace(old[1], name="Renamed")]
    assert store.load(old[0], *new, old[3]) == ImportResult(created=1, changed=1, unchanged=1, kept_out=2)


def test_an_imported_person_is_found_as_imported(store: Store) -> None:
    given_ = candidate(
        "Ann.Lee@Clinic.CA",
        (1, 62, 63, 251),
        name="Ann Lée",
        language=FRENCH,
        state=State.PAUSED,
        paused_until=SPRING,
        attributes={"role": 'clinician "senior"', "ville": "Montréal"},
    )
    store.load(given_)
    found = store.person("ann.lee@clinic.ca")
    assert str(found.address) == "Ann.Lee@clinic.ca"
    for name in ("name", "language", "state", "paused_until", "topics", "all_topics", "consent"):
        assert getattr(found, name) == getattr(given_, name)
    assert dict(found.attributes) == given_.attributes
    assert store.people.get(found.id) == found


@pytest.mark.parametrize("typed", ["ann@clinic.ca", "ANN@CLINIC.CA", " Ann@Clinic.ca "])
def test_a_person_is_found_by_any_spelling(store: Store, typed: str) -> None:
    store.load(candidate("Ann@clinic.ca"))
    assert store.people.find(parse_address(typed)) is not None


def test_nobody_is_found_where_nobody_is(store: Store) -> None:
    assert store.people.find(address_of(ANN)) is None
    assert store.people.get(SubscriberId(5)) is None


def test_a_dry_run_tells_the_same_and_leaves_the_database_as_it_was(store: Store) -> None:
    store.load(candidate(ANN), candidate("bob@clinic.ca"))
    store.people.leave(store.person("bob@clinic.ca").id, "test", NOW, None)
    before = store.dump()
    rows = [candidate(ANN, (3,), state=State.UNSUBSCRIBED), candidate("bob@clinic.ca"), candidate("new@clinic.ca")]
    told = store.load(*rows, apply=False)
    assert store.dump() == before
    assert store.load(*rows) == told == ImportResult(created=1, changed=1, kept_out=1)


def _break_off(store: Store) -> None:
    with store.roster.staging() as staging:
        staging.take(Batch([row_of(candidate("reader@clinic.ca"))]))
        raise ValueError("row 1202")


def test_an_import_that_breaks_off_leaves_nothing(store: Store) -> None:
    before = store.dump()
    with pytest.raises(ValueError, match="row 1202"):
        _break_off(store)
    assert store.dump() == before


def test_the_same_import_again_changes_nobody(store: Store) -> None:
    rows = [candidate(f"reader{n}@clinic.ca", (n,), attributes={"b": "1", "a": "2"}) for n in range(3)]
    rows.append(candidate(ANN, state=State.PAUSED, paused_until=SPRING))
    store.load(*rows)
    people = [*store.people.listing(EVERYBODY)]
    assert store.load(*rows, now=NOW + timedelta(days=1)) == ImportResult(unchanged=4)
    assert [*store.people.listing(EVERYBODY)] == people
    assert store.sql("SELECT count(*) FROM consented") == [(4,)]
    assert store.sql("SELECT count(*) FROM consent") == [(1,)]
    assert store.sql("SELECT count(*) FROM import_move") == [(0,)]


@pytest.mark.parametrize("left", LEFT)
@pytest.mark.parametrize("wanted", [State.ACTIVE, State.PENDING, State.UNSUBSCRIBED, State.COMPLAINED])
def test_who_left_is_not_touched_by_an_import_in_any_spelling(store: Store, left: State, wanted: State) -> None:
    store.load(candidate(ANN, (1,), state=left))
    before = store.person(ANN)
    again = candidate("ANN@Clinic.CA", name="Back Again", state=wanted, consent=Consent("new form", SPRING))
    assert store.load(again) == ImportResult(kept_out=1)
    assert store.person(ANN) == before
    assert entitled(store) == 0


def test_who_unsubscribed_by_themselves_is_not_touched_either(store: Store) -> None:
    store.load(candidate(ANN))
    store.people.leave(store.person(ANN).id, "link", NOW, None)
    assert store.load(candidate("Ann@clinic.ca")) == ImportResult(kept_out=1)
    assert store.person(ANN).state == State.UNSUBSCRIBED


@pytest.mark.parametrize("known", [True, False])
def test_a_suppressed_address_is_kept_out_in_any_spelling(store: Store, known: bool) -> None:
    if known:
        store.load(candidate(ANN))
    store.suppress(ANN)
    assert store.load(candidate("ANN@CLINIC.CA", name="Other")) == ImportResult(kept_out=1)
    assert entitled(store) == 0


@pytest.mark.parametrize(
    ("before", "wanted", "after"),
    [
        (State.ACTIVE, State.PENDING, State.PENDING),
        (State.PENDING, State.ACTIVE, State.PENDING),
        (State.PENDING, State.PAUSED, State.PENDING),
        (State.PAUSED, State.ACTIVE, State.PAUSED),
        (State.PAUSED, State.PENDING, State.PENDING),
        (State.ACTIVE, State.BOUNCED, State.BOUNCED),
        (State.PAUSED, State.UNSUBSCRIBED, State.UNSUBSCRIBED),
    ],
)
def test_a_state_moves_towards_less_mail_only(store: Store, before: State, wanted: State, after: State) -> None:
    def row(state: State) -> Candidate:
        return candidate(ANN, state=state, paused_until=SPRING if state is State.PAUSED else None)

    store.load(row(before))
    store.load(row(wanted))
    found = store.person(ANN)
    assert found.state == after
    assert found.paused_until == (SPRING if after is State.PAUSED else None)
    moves = [(one.before, one.state) for one in store.people.imports(found.id)]
    assert moves == [("", ""), *([(before, after)] if after != before else [])]


@pytest.mark.parametrize(
    ("first", "second", "longest"),
    [(SPRING, SUMMER, SUMMER), (SUMMER, SPRING, SUMMER), (None, SPRING, None), (SPRING, None, None)],
)
def test_of_two_pauses_the_longer_one_holds(
    store: Store, first: date | None, second: date | None, longest: date | None
) -> None:
    for until in (first, second):
        store.load(candidate(ANN, state=State.PAUSED, paused_until=until))
    assert store.person(ANN).paused_until == longest


def test_every_consent_is_kept_and_the_newest_is_shown(store: Store) -> None:
    form = Consent("website form", date(2023, 1, 9))
    store.load(candidate(ANN))
    assert store.load(candidate(ANN, consent=form)) == ImportResult(changed=1)
    assert store.load(candidate(ANN)) == ImportResult(unchanged=1)
    assert store.sql("SELECT source, given_on, import_id FROM consent ORDER BY id") == [
        (BOOTH.source, "2022-05-20", 1),
        (form.source, "2023-01-09", 2),
    ]
    assert store.person(ANN).consent == form


def test_an_import_that_pauses_or_ends_somebody_takes_their_mail_out_of_a_running_send(store: Store) -> None:
    names = [f"reader{n}@example.org" for n in range(4)]
    lease = store.begin(4)
    lease.turn((), 2, NOW)
    store.load(
        candidate(names[0], state=State.UNSUBSCRIBED),
        candidate(names[1], state=State.PAUSED, paused_until=SUMMER),
        candidate(names[2], state=State.PAUSED, paused_until=date(2024, 1, 31)),  # is over
        candidate(names[3], name="Renamed"),
    )
    states = store.states()
    assert [states[name] for name in names[:2]] == ["suppressed", "suppressed"]
    assert {states[name] for name in names[2:]} <= {"claimed", "planned"}
    lease.close()


def test_what_an_import_did_is_on_record(store: Store) -> None:
    store.load(candidate(ANN), candidate("bob@clinic.ca", state=State.BOUNCED))
    store.load(candidate(ANN, (3,)), candidate("bob@clinic.ca"), candidate("new@clinic.ca"))
    query = "SELECT source, digest, created, changed, kept_out FROM import_run"
    assert store.sql(query) == [("people.csv", "digest", 2, 0, 0), ("people.csv", "digest", 1, 1, 1)]


# -- nobody who left is ever brought back: random imports and departures against a model

NAMES = ("ann", "bob", "cyd")
RANK = (State.ACTIVE, State.PAUSED, State.PENDING, State.UNSUBSCRIBED, State.BOUNCED, State.COMPLAINED)
spellings = st.sampled_from([str.lower, str.upper, str.title])


@dataclass
class Known:
    """What the model knows of an address."""

    state: State | None = None
    until: date | None = None
    suppressed: bool = False
    left: bool = False


class Comings(RuleBasedStateMachine):
    """Imports, departures and suppressions in any order."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.store = make_store(Path(self.folder.name))
        self.known = {name: Known() for name in NAMES}

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.folder.cleanup()

    @rule(
        name=st.sampled_from(NAMES),
        spell=spellings,
        state=st.sampled_from(RANK),
        until=st.sampled_from([date(2024, 1, 1), SPRING, SUMMER]),
    )
    def load(self, name: str, spell: Any, state: State, until: date) -> None:
        pause = until if state is State.PAUSED else None
        self.store.load(candidate(f"{spell(name)}@clinic.ca", state=state, paused_until=pause))
        known = self.known[name]
        if known.suppressed or known.left:
            return
        if known.state is State.PAUSED is state:
            known.until = max(known.until or until, until)
        elif known.state is None or RANK.index(state) > RANK.index(known.state):
            known.state, known.until = state, pause
        known.left = has_left(state)

    @rule(name=st.sampled_from(NAMES))
    def leave(self, name: str) -> None:
        person = self.store.people.find(address_of(f"{name}@clinic.ca"))
        assert (person is None) == (self.known[name].state is None)
        if person:
            self.store.people.leave(person.id, "link", NOW, None)
            if self.known[name].state is not State.COMPLAINED:  # that weighs more
                self.known[name] = replace(self.known[name], state=State.UNSUBSCRIBED, until=None)
            self.known[name] = replace(self.known[name], left=True)

    @rule(name=st.sampled_from(NAMES))
    def suppress(self, name: str) -> None:
        if not self.known[name].suppressed:
            self.store.suppress(f"{name}@clinic.ca")
            self.known[name].suppressed = True

    @invariant()
    def the_store_and_the_model_agree_on_everybody(self) -> None:
        for name, known in getattr(self, "known", {}).items():
            person = self.store.people.find(address_of(f"{name}@clinic.ca"))
            found = (person.state, person.paused_until) if person else (None, None)
            assert found == (known.state, known.until)

    @invariant()
    def exactly_who_may_get_mail_is_counted_as_such(self) -> None:
        if not hasattr(self, "known"):
            return
        may = [
            known
            for known in self.known.values()
            if known.state in (State.ACTIVE, State.PAUSED)
            and not known.suppressed
            and not known.left
            and (known.until is None or known.until <= NOW.date())
        ]
        assert entitled(self.store) == len(may)


TestNobodyWhoLeftComesBackByAnImport = Comings.TestCase
TestNobodyWhoLeftComesBackByAnImport.settings = settings(FEWER, stateful_step_count=12)


# -- leaving


def test_leaving_is_once_and_on_record(store: Store) -> None:
    store.load(candidate(ANN, state=State.PAUSED, paused_until=SPRING))
    person = store.person(ANN)
    assert store.people.leave(person.id, "link", NOW, None) is True
    assert store.people.leave(person.id, "link", NOW, None) is False
    left = store.person(ANN)
    assert (left.state, left.paused_until) == (State.UNSUBSCRIBED, None)
    (entry,) = store.trail.records(person.id)
    assert (entry.at, entry.actor, entry.action, entry.content) == (NOW, "reader", "unsubscribe", {"reason": "link"})
    assert entry.facts == {"from": "paused", "to": "unsubscribed"}


def test_nobody_cannot_leave(store: Store) -> None:
    assert store.people.leave(SubscriberId(5), "link", NOW, None) is False


@pytest.mark.parametrize(
    ("before", "after"),
    [
        *((state, "suppressed") for state in ("planned", "claimed", "deferred")),
        *((state, state) for state in ("attempting", "accepted", "refused", "unknown", "expired")),
    ],
)
def test_leaving_drops_what_has_not_left_yet_and_nothing_else(store: Store, before: str, after: str) -> None:
    store.begin(2)
    store.sql("UPDATE delivery SET state = ?, due_at = '2024-02-01T00:00:00.000000Z'", before)
    person = store.person("reader0@example.org")
    store.people.leave(person.id, "link", NOW, None)
    assert store.states() == {"reader0@example.org": after, "reader1@example.org": before}
    due, detail = store.sql("SELECT due_at, detail FROM delivery WHERE subscriber_id = ?", person.id)[0]
    assert (due is None, detail) == ((True, "unsubscribed") if after == "suppressed" else (False, ""))


def test_leaving_drops_the_rows_of_every_issue_and_marks_the_one_whose_link_was_used(store: Store) -> None:
    store.begin(1)
    june = IssueId("2023-06")
    store.freeze(june)
    person = store.person("reader0@example.org")
    store.people.leave(person.id, "link", NOW, june)
    query = "SELECT issue, state, fate FROM delivery ORDER BY issue"
    assert store.sql(query) == [(june, "suppressed", "unsubscribed"), (JULY, "suppressed", "none")]


def test_a_second_way_out_still_marks_its_issue(store: Store) -> None:
    store.begin(1)
    person = store.person("reader0@example.org")
    store.people.leave(person.id, "page", NOW, None)
    assert store.people.leave(person.id, "link", NOW, JULY) is False
    assert store.sql("SELECT fate FROM delivery") == [("unsubscribed",)]


def test_leaving_and_its_rows_are_one_transaction(store: Store) -> None:
    store.begin(1)
    store.sql("CREATE TRIGGER no BEFORE UPDATE ON delivery BEGIN SELECT RAISE(ABORT, 'no'); END")
    before = store.dump()
    with pytest.raises(Exception, match="no"):
        store.people.leave(store.person("reader0@example.org").id, "link", NOW, None)
    assert store.dump() == before


# -- listing and counting


def test_a_listing_is_by_address_and_may_be_left_in_the_middle(store: Store) -> None:
    store.load(*(candidate(f"{name}@clinic.ca") for name in ("Cyd", "ann", "Bob")))
    listing = store.people.listing(EVERYBODY)
    assert str(next(listing).address) == "ann@clinic.ca"
    del listing
    assert [person.address.typed for person in store.people.listing(EVERYBODY)][1:] == [
        "Bob@clinic.ca",
        "Cyd@clinic.ca",
    ]


def test_reserved_addresses_are_counted_as_the_address_tells(store: Store) -> None:
    domains = ["test", "host.test", "host.example"]  # no other reserved top domain gets past `parse_address`
    domains += [*RESERVED_SECOND, *(f"deep.under.{name}" for name in RESERVED_SECOND)]
    domains += ["notexample.com", "example.com.evil.ca", "example.ca", "clinic.ca", "test.ca", "mytest.org"]
    rows: list[Candidate] = []
    for domain in domains:
        rows.append(candidate(f"a.test@{domain}"))
        rows.append(candidate(f"b@{domain}", state=State.PAUSED, paused_until=SPRING))
        rows.append(candidate(f"c@{domain}", state=State.UNSUBSCRIBED))
    usable = [row for row in rows if row.state is not State.UNSUBSCRIBED]
    store.load(*rows)
    reserved = sum(row.address.is_reserved for row in usable)
    assert store.people.count_reserved(EVERYBODY) == reserved == 2 * 9
    assert store.people.count_reserved(Segment("french", languages=(FRENCH,))) == 0
