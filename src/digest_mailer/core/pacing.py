"""How fast mail goes out: no faster than was asked for, and slower where a provider asks for patience.

Limits are for the whole way out and for families of domains that one provider answers for: what annoys it at one of
its domains is held against all. A rate is kept by a token bucket. The number of messages in flight to a family is cut
in half when it defers mail for its own protection (421, 4.7.x: RFC 3463 section 3.8) and grows by one with each run of
acceptances, as TCP does it (RFC 5681 section 3.1). Behind a relay nobody defers; there a provider's impatience is heard
later, as delays and bounces, and the rate to its family is cut in half and grows back bit by bit.

The servers that answer for a domain are not looked up, because nothing leaves this machine that was not asked for;
domains that share a provider can be named in the settings.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from digest_mailer.core.delivery import Accepted, Deferred, Outcome, Scope

_MOST_DOMAINS = 10_000  # kept in mind
_TROUBLES = 5  # so many at least, and
_BORNE = 0.05  # more than this share of what was handed over meanwhile, slow a family down
_SLOWEST = 1 / 60  # messages a second
_FASTER = 1.25  # as often as nothing more is heard
_RUN = 20  # acceptances in a row that let one more in flight

# Domains of one provider; `*` stands for the endings of countries, like ca and co.uk.
FAMILIES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "google": ("gmail.com", "googlemail.com"),
        "microsoft": ("outlook.*", "hotmail.*", "live.*", "msn.com"),
        "yahoo": ("yahoo.*", "ymail.com", "rocketmail.com", "aol.*"),
        "apple": ("icloud.com", "me.com", "mac.com"),
    }
)


@dataclass(frozen=True, slots=True)
class Limit:
    """What one family may get. 0 is no limit."""

    per_minute: float = 0
    in_flight: int = 0


@dataclass
class Bucket:
    """Tokens that come at a rate and are kept for a second's worth at most; at least one can be kept."""

    per_second: float
    tokens: float = 1.0
    at: float = 0.0

    def ready(self, now: float) -> float:
        """Seconds until the next token; 0 when there is one."""
        self.tokens = min(self.tokens + (now - self.at) * self.per_second, max(self.per_second, 1.0))
        self.at = now
        return 0.0 if self.tokens >= 1 - 1e-9 else (1 - self.tokens) / self.per_second

    def spend(self) -> None:
        """Use a token."""
        self.tokens -= 1


@dataclass
class _Family:
    most: int  # in flight at once, as was asked for; 0 for no limit
    bucket: Bucket | None
    allowed: int = 0  # in flight at once for now; 0 for no limit
    in_flight: int = 0
    run: int = 0
    full: float = 0  # the rate before it was slowed down, per second; 0 as long as it is not

    def __post_init__(self) -> None:
        self.allowed = self.most

    @property
    def idle(self) -> bool:
        """Whether it is as it was at the beginning."""
        return not self.in_flight and not self.bucket and self.allowed == self.most


@dataclass
class Pacer:
    """Says when a message to a domain may go. Times are seconds of a clock that never goes back."""

    per_second: float = 0
    limits: Mapping[str, Limit] = field(default_factory=dict)
    families: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: FAMILIES)

    def __post_init__(self) -> None:
        self._all = Bucket(self.per_second) if self.per_second else None
        self._domains: dict[str, _Family] = {}
        self._families: dict[str, _Family] = {}
        self.busy = bool(self.per_second or self.limits)  # whether anything is limited

    def family(self, domain: str) -> str:
        """The family of a domain; the domain itself when it is of none."""
        return next((name for name, domains in self.families.items() if _is_among(domain, domains)), domain)

    def delay(self, domain: str, now: float) -> float:
        """Seconds until a message to this domain may go; 0 for now, infinite until another one is answered."""
        found = self._of(domain)
        if found.allowed and found.in_flight >= found.allowed:
            return float("inf")
        waits = [bucket.ready(now) for bucket in (self._all, found.bucket) if bucket]
        return max(waits, default=0.0)

    def begin(self, domain: str) -> None:
        """A message to this domain goes."""
        found = self._of(domain)
        found.in_flight += 1
        if self._all:
            self._all.spend()
        if found.bucket:
            found.bucket.spend()

    def end(self, domain: str, outcome: Outcome | None) -> None:
        """It was answered; None when it was dropped."""
        found = self._of(domain)
        found.in_flight = max(found.in_flight - 1, 0)
        if isinstance(outcome, Accepted):
            found.run += 1
            if found.allowed and found.run >= _RUN:
                found.allowed, found.run = self._more(found), 0
        elif outcome is not None and asks_for_patience(outcome):
            found.allowed, found.run = max((found.allowed or found.in_flight + 1) // 2, 1), 0
            self.busy = True

    def heed(self, seconds: float, handed: Mapping[str, int], troubled: Mapping[str, int]) -> None:
        """What was heard in so many seconds, by domain: messages handed over, and messages delayed or come back."""
        went, came_back = self._by_family(handed), self._by_family(troubled)
        for name, found in list(self._families.items()):
            number, troubles = went.get(name, 0), came_back.get(name, 0)
            if troubles >= _TROUBLES and troubles > _BORNE * number:
                self._slow_down(found, number / seconds)
            elif found.full and not troubles:
                self._speed_up(name, found)

    def _by_family(self, numbers: Mapping[str, int]) -> dict[str, int]:
        found: dict[str, int] = {}
        for domain, number in numbers.items():
            self._of(domain)
            name = self.family(domain)
            found[name] = found.get(name, 0) + number
        return found

    def _slow_down(self, found: _Family, rate: float) -> None:
        now = found.bucket.per_second if found.bucket else rate
        found.full = found.full or max(now, _SLOWEST)
        found.bucket = Bucket(max(min(now, rate or now) / 2, _SLOWEST))
        self.busy = True

    def _speed_up(self, name: str, found: _Family) -> None:
        rate = found.bucket.per_second * _FASTER if found.bucket else 0
        if rate < found.full:
            found.bucket = Bucket(rate)
        else:
            found.bucket, found.full = self._bucket(name), 0

    def _more(self, found: _Family) -> int:
        grown = found.allowed + 1
        return min(grown, found.most) if found.most else grown

    def _of(self, domain: str) -> _Family:
        return self._domains.get(domain) or self._meet(domain)

    def _bucket(self, name: str) -> Bucket | None:
        """The rate that was asked for."""
        limit = self.limits.get(name, Limit())
        return Bucket(limit.per_minute / 60) if limit.per_minute else None

    def _meet(self, domain: str) -> _Family:
        """A domain that was not seen lately. A list may have as many domains as people, so only some are kept in mind,
        and of the others what is not as at the beginning."""
        if len(self._domains) >= _MOST_DOMAINS:
            self._domains.clear()
            self._families = {name: found for name, found in self._families.items() if not found.idle}
        name = self.family(domain)
        found = self._families.get(name)
        if found is None:
            found = self._families[name] = _Family(self.limits.get(name, Limit()).in_flight, self._bucket(name))
        self._domains[domain] = found
        return found


def asks_for_patience(outcome: Outcome) -> bool:
    """Whether a server defers for its own protection and not because of this mailbox."""
    if not isinstance(outcome, Deferred) or outcome.scope in (Scope.TRANSPORT, Scope.ACCOUNT):
        return False  # trouble of the whole way is the run's to wait for
    return outcome.code == 421 or outcome.enhanced.startswith("4.7.")


def _is_among(domain: str, domains: tuple[str, ...]) -> bool:
    label, _, ending = domain.partition(".")
    is_country = "." not in ending or ending.partition(".")[0] in ("co", "com")
    return any(is_country and label == one[:-2] if one.endswith(".*") else domain == one for one in domains)
