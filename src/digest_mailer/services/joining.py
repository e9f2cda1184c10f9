"""How people come: they sign up on a page, and nothing is sent before the owner of the address has said yes.

Nobody is told whether an address is known: the answer on the page is the same, and a letter says the rest to who reads
the mailbox. Letters to an address, a domain, and at a network's wish are rationed (`core.budget`).
"""

import hashlib
from dataclasses import dataclass

from digest_mailer.core import budget
from digest_mailer.core.address import EmailAddress, address_hash
from digest_mailer.core.audience import Consent, Ground, Profile, State, Subscriber
from digest_mailer.core.audit import READER
from digest_mailer.core.move import Move, after
from digest_mailer.ports import Budgets, Clock, Joiners, Subscribers, Suppressions
from digest_mailer.services.letters import Kind

SOURCE = "sign-up page"
_SHUT = (Ground.COMPLAINT, Ground.MANUAL)  # not even a question goes there
_VERSION = 12  # characters of a hash that name a wording


@dataclass(frozen=True, slots=True)
class Errand:
    """A letter to be written."""

    kind: Kind
    person: Subscriber


@dataclass(frozen=True, slots=True)
class Joining:
    """Sign-ups, confirmations, and links that got lost."""

    people: Subscribers
    joiners: Joiners
    suppressions: Suppressions
    budgets: Budgets
    address_key: bytes
    clock: Clock

    def may_ask(self, network: str) -> bool:
        """Whether a form from this network is still worked on."""
        return self.budgets.spend(budget.form(network, self.address_key), self.clock.now())

    def sign_up(self, profile: Profile, wording: str, page: str, network: str) -> Errand | None:
        """Keep what somebody asks for; answers the letter to write, None where none is due."""
        if not self._may_write(profile.address, network):
            return None
        version = hashlib.sha256(wording.encode()).hexdigest()[:_VERSION]
        now = self.clock.now()
        given = Consent(SOURCE, now.date(), wording, version, f"{page} from {network}")
        person = self.people.get(self.joiners.ask(profile, given, READER, now))
        return self._errand(person)

    def confirm(self, person: Subscriber) -> bool:
        """The owner of the address says yes; False when there was nothing to say it to, or they said it before."""
        return self.joiners.confirm(person.id, READER, self.clock.now())

    def lost_link(self, address: EmailAddress, network: str) -> Errand | None:
        """Somebody wants the link to their page; answers the letter to write, None where none is due. Who has left has
        one too: to see their data, or be forgotten."""
        person = self.people.find(address)
        return Errand(Kind.CHOOSE, person) if self._may_write(address, network) and person else None

    def own_wish(self, person: Subscriber, kind: Kind) -> Errand | None:
        """Somebody on their own page wants a letter; None when they had several already."""
        expense = budget.own_letter(person.address, self.address_key)
        return Errand(kind, person) if self.budgets.spend(expense, self.clock.now()) else None

    def _errand(self, person: Subscriber | None) -> Errand | None:
        if person is None or person.state is State.COMPLAINED:
            return None
        served = person.state in (State.ACTIVE, State.PAUSED)
        return Errand(Kind.CHOOSE if served else Kind.CONFIRM, person)

    def _may_write(self, address: EmailAddress, network: str) -> bool:
        affordable = self.budgets.spend(budget.letter(address, network, self.address_key), self.clock.now())
        listed = self.suppressions.get(address_hash(address, self.address_key))
        return affordable and not (listed and listed.ground in _SHUT)


def is_waiting(person: Subscriber) -> bool:
    """Whether a confirmation could lead anywhere; who is served has given theirs."""
    return after(person.state, Move.CONFIRM) is not None
