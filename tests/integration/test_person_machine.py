"""A person's whole life against a model, in any order: the record, the list and the trail stay as they must."""

from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from tempfile import mkdtemp

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from core_support import address_of
from digest_mailer.core.address import address_hash
from digest_mailer.core.audience import Ground, Profile, State, Suppression
from digest_mailer.core.identity import SubscriberId
from digest_mailer.core.move import Move, after
from digest_mailer.core.segment import EVERYBODY
from store_support import BOOTH, KEY, NOW, Store, candidate, make_store

NAMES = st.sampled_from(("ann", "bob"))
SIMPLE = st.sampled_from((Move.PAUSE, Move.RESUME, Move.BOUNCE, Move.COMPLAIN))
MARCH = date(2024, 3, 1)


@dataclass
class Known:
    """What the model knows of an address."""

    state: State | None = None  # nobody has it now
    ground: Ground | None = None  # on the list
    number: SubscriberId | None = None
    done: int = 0  # entries about the present person


@dataclass
class Model:
    """Everybody."""

    people: dict[str, Known] = field(default_factory=lambda: {"ann": Known(), "bob": Known()})


class Lives(RuleBasedStateMachine):
    """Two addresses, and all that can happen to who has them."""

    store: Store

    @initialize()
    def begin(self) -> None:
        """An empty store."""
        self.store, self.model = make_store(Path(mkdtemp())), Model()

    @rule(name=NAMES)
    def add(self, name: str) -> None:
        known = self.model.people[name]
        number = self.store.changes.add(
            Profile(address_of(f"{name}@clinic.ca"), all_topics=True), BOOTH, Move.ADD, "t", NOW
        )
        assert (number is None) == (known.state is not None)
        if number is not None:
            self.model.people[name] = replace(known, state=State.ACTIVE, number=number, done=1)

    @rule(name=NAMES)
    def load(self, name: str) -> None:
        known, result = self.model.people[name], self.store.load(candidate(f"{name}@clinic.ca"))
        if known.ground or known.state in (State.UNSUBSCRIBED, State.BOUNCED, State.COMPLAINED):
            assert result.kept_out == 1
        elif known.state is None:
            assert result.created == 1
            number = self.store.person(f"{name}@clinic.ca").id
            self.model.people[name] = replace(known, state=State.ACTIVE, number=number, done=0)

    @rule(name=NAMES, move=SIMPLE)
    def move(self, name: str, move: Move) -> None:
        known = self.model.people[name]
        until = MARCH if move is Move.PAUSE else None
        moved = self.store.changes.move(known.number or SubscriberId(1), move, "t", "", NOW, until)
        state = after(known.state, move) if known.state else None
        assert moved == (state is not None)
        if moved:
            self.model.people[name] = replace(known, state=state, done=known.done + 1)

    @rule(name=NAMES)
    def leave(self, name: str) -> None:
        known = self.model.people[name]
        left = self.store.people.leave(known.number or SubscriberId(1), "link", NOW, None)
        state = after(known.state, Move.UNSUBSCRIBE) if known.state else None
        assert left == (state is not None)
        if left:
            self.model.people[name] = replace(known, state=state, done=known.done + 1)

    @rule(name=NAMES)
    def reinstate(self, name: str) -> None:
        known = self.model.people[name]
        state = self.store.changes.reinstate(known.number or SubscriberId(1), "t", "", NOW)
        bounced, complained = known.state is State.BOUNCED, known.state is State.COMPLAINED
        assert state == (State.ACTIVE if bounced else State.UNSUBSCRIBED if complained else None)
        if state:
            lifted = Ground.BOUNCE if bounced else Ground.COMPLAINT
            ground = None if known.ground is lifted else known.ground
            self.model.people[name] = replace(known, state=state, ground=ground, done=known.done + 1)

    @rule(name=NAMES)
    def erase(self, name: str) -> None:
        known = self.model.people[name]
        erased = self.store.changes.erase(known.number or SubscriberId(1), "t", NOW)
        assert erased == (known.state is not None)
        if erased:
            self.model.people[name] = Known(ground=known.ground or Ground.ERASED)

    @rule(name=NAMES, ground=st.sampled_from(Ground))
    def suppress(self, name: str, ground: Ground) -> None:
        known, digest = self.model.people[name], address_hash(address_of(f"{name}@clinic.ca"), KEY)
        added = self.store.suppressions.add([Suppression(digest, ground, "", NOW)], "t", NOW)
        assert added == (known.ground is None)
        if known.ground is None or ground is Ground.COMPLAINT:
            self.model.people[name] = replace(known, ground=ground)

    @rule(name=NAMES)
    def unsuppress(self, name: str) -> None:
        known, digest = self.model.people[name], address_hash(address_of(f"{name}@clinic.ca"), KEY)
        assert self.store.suppressions.remove(digest, "t", "", NOW) == (known.ground is not None)
        own = known.ground is not None and known.state is not None
        self.model.people[name] = replace(known, ground=None, done=known.done + own)

    @invariant()
    def everybody_is_as_the_model_says(self) -> None:
        for name, known in self._everybody():
            found = self.store.people.find(address_of(f"{name}@clinic.ca"))
            assert (found.state if found else None) == known.state
            listed = self.store.suppressions.get(address_hash(address_of(f"{name}@clinic.ca"), KEY))
            assert (listed.ground if listed else None) == known.ground

    @invariant()
    def every_step_is_in_a_whole_trail(self) -> None:
        for _, known in self._everybody():
            if known.number is not None:
                assert len(list(self.store.trail.records(known.number))) == known.done
                assert self.store.trail.verify().faults == ()

    @invariant()
    def only_who_may_get_mail_is_counted_as_such(self) -> None:
        for _, known in self._everybody():
            if known.number is not None:
                active = [one.id for one in self.store.people.listing(EVERYBODY, [State.ACTIVE])]
                assert (known.number in active) == (known.state is State.ACTIVE)

    def _everybody(self) -> list[tuple[str, Known]]:
        return list(self.model.people.items()) if hasattr(self, "model") else []


TestLives = Lives.TestCase
TestLives.settings = settings(
    max_examples=40, stateful_step_count=50, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
