"""Lists of people as Mailchimp, Substack, Kit and listmonk export them, rewritten into columns of our own.

A file is recognised by its header. Each column has a part there: the address, a piece of the name, when and how
somebody came or left, tags. Tags that are topics become topics, the others one attribute; what is left becomes
attributes, but for what those programs note for themselves: numbers of their own, IP addresses, and the places guessed
from them.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from digest_mailer.adapters.subscriber_header import compact
from digest_mailer.adapters.subscriber_row import FIELDS, PACKED, Layout
from digest_mailer.core.audience import Consent
from digest_mailer.core.topic import Catalogue

_OURS = ("email", "name", "topics", "consent_source", "consent_date", "state", PACKED)
_DAY = 10  # characters of a date at the start of a time


@dataclass(frozen=True, slots=True)
class _Form:
    """What a program writes. Columns by their compact names."""

    name: str
    needs: tuple[frozenset[str], ...]  # of each at least one is there
    parts: Mapping[str, str]
    states: Mapping[str, str]
    dates: tuple[str, ...]  # when somebody came, the best evidence first


def _any(*names: str) -> frozenset[str]:
    return frozenset(compact(name) for name in names)


def _parts(**columns: str) -> dict[str, str]:
    """Parts with the columns that have them."""
    return {compact(name): part for part, names in columns.items() for name in names.split()}


_FORMS = (
    _Form(
        "Mailchimp",
        (_any("email_address", "email"), _any("member_rating"), _any("optin_time"), _any("confirm_time")),
        _parts(
            email="email_address email", first="first_name", last="last_name", tags="tags", left="unsub_time",
            why="unsub_reason", cleaned="clean_time", dates="confirm_time optin_time",
            dropped="member_rating optin_ip confirm_ip latitude longitude gmtoff dstoff timezone cc region last_changed"
            " leid euid unsub_campaign_title unsub_campaign_id unsub_reason_other clean_campaign_title"
            " clean_campaign_id",
        ),
        {},
        ("confirmtime", "optintime"),
    ),
    _Form(
        "Substack",
        (_any("email"), _any("active_subscription"), _any("created_at")),
        _parts(email="email", name="name", disabled="email_disabled", dates="created_at"),
        {},
        ("createdat",),
    ),
    _Form(
        "listmonk",
        (_any("uuid"), _any("email"), _any("attributes"), _any("status"), _any("created_at")),
        _parts(email="email", name="name", status="status", packed="attributes", dates="created_at",
               dropped="uuid updated_at"),
        {"enabled": "active", "disabled": "unsubscribed", "blocklisted": "unsubscribed"},
        ("createdat",),
    ),
    _Form(
        "Kit",
        (_any("email", "email_address"), _any("first_name"), _any("status", "state"), _any("created_at")),
        _parts(email="email email_address", first="first_name", last="last_name", status="status state", tags="tags",
               dates="created_at", dropped="id"),
        {"confirmed": "active", "inactive": "pending", "unconfirmed": "pending", "cancelled": "unsubscribed",
         "canceled": "unsubscribed"},
        ("createdat",),
    ),
)  # fmt: skip


class Export:
    """One such file: rewrites its rows."""

    def __init__(
        self,
        form: _Form,
        header: Sequence[str],
        by_hand: Mapping[str, str],
        catalogue: Catalogue,
        given: Consent | None,
    ) -> None:
        self._form, self._catalogue = form, catalogue
        self._source = given.source if given else f"{form.name} export"
        self._day = given.given_on.isoformat() if given else ""
        self._own: dict[str, int] = {}  # fields that were named by hand
        self._attributes: list[tuple[str, int]] = []
        self._parts: dict[str, list[int]] = {}
        for index, name in enumerate(header):
            self._place(index, name, by_hand)
        when = self._parts.pop("dates", [])
        self._dates = sorted(when, key=lambda index: form.dates.index(compact(header[index])))
        self.email = self._own.get("email", self._first("email"))
        names = [*_OURS, *(field for field in FIELDS if field in self._own and field not in _OURS)]
        has_tags = ["tags"] if "tags" in self._parts else []
        attributes = [*has_tags, *(name for name, _ in self._attributes)]
        places = {name: number for number, name in enumerate(names)}
        self._names = tuple(names)
        self.layout = Layout(
            places, {name: len(names) + number for number, name in enumerate(attributes)}, (*names, *attributes)
        )

    @property
    def name(self) -> str:
        """Who wrote it."""
        return self._form.name

    @property
    def has_topics(self) -> bool:
        """Whether a column can say what people follow."""
        return "tags" in self._parts or "topics" in self._own

    def rewrite(self, cells: Sequence[str]) -> list[str]:
        """A row in our columns."""
        tags = cells[self._first("tags")] if "tags" in self._parts else ""
        topics, others = self._split(tags)
        day = next((cells[index] for index in self._dates if cells[index].strip()), self._day)
        ours = {
            "email": cells[self.email],
            "name": self._name(cells),
            "topics": topics,
            "consent_source": self._source,
            "consent_date": _day(day.strip()),
            "state": self._state(cells),
            PACKED: self._cell(cells, "packed"),
        }
        ours |= {field: cells[index] for field, index in self._own.items()}
        tagged = [others] if "tags" in self._parts else []
        return [*(ours[name] for name in self._names), *tagged, *(cells[index] for _, index in self._attributes)]

    def _place(self, index: int, name: str, by_hand: Mapping[str, str]) -> None:
        chosen = by_hand.get(compact(name))
        part = self._form.parts.get(compact(name), "")
        if chosen in FIELDS:
            self._own[chosen] = index
        elif part and not chosen:
            self._parts.setdefault(part, []).append(index)
        else:
            self._attributes.append((chosen or name.lower(), index))

    def _first(self, part: str) -> int:
        return self._parts.get(part, [0])[0]

    def _cell(self, cells: Sequence[str], part: str) -> str:
        return cells[self._parts[part][0]].strip() if part in self._parts else ""

    def _name(self, cells: Sequence[str]) -> str:
        pieces = (self._cell(cells, part) for part in ("name", "first", "last"))
        return " ".join(piece for piece in pieces if piece)

    def _state(self, cells: Sequence[str]) -> str:
        word = self._cell(cells, "status").lower()
        if self._cell(cells, "cleaned"):
            return "bounced"
        if self._cell(cells, "left"):
            return "complained" if "abuse" in self._cell(cells, "why").lower() else "unsubscribed"
        if self._cell(cells, "disabled").lower() == "true":
            return "unsubscribed"
        return self._form.states.get(word, word)

    def _split(self, text: str) -> tuple[str, str]:
        """Tags that are topics, and the others. They stand between commas, which some topics have in their names."""
        line = " ".join(text.split())  # a line break between two tags is one more space
        pieces = [piece.strip() for piece in next(csv.reader([line], skipinitialspace=True), [])]
        topics, others = [], []
        while pieces:
            for length in range(len(pieces), 0, -1):
                topic = self._catalogue.find(", ".join(pieces[:length]))
                if topic:
                    topics.append(topic.key)
                    break
            else:
                length = 1
                others.append(pieces[0])
            del pieces[:length]
        return "; ".join(topics), "; ".join(other for other in others if other)


def recognise(
    header: Sequence[str], by_hand: Mapping[str, str], catalogue: Catalogue, given: Consent | None
) -> Export | None:
    """The export that has such a header; None when it is none of those that are known."""
    names = {compact(name) for name in header}
    if "consentdate" in names:
        return None  # our own
    for form in _FORMS:
        if all(names & one for one in form.needs):
            return Export(form, header, by_hand, catalogue, given)
    return None


def _day(text: str) -> str:
    """The day of a time; other text as it is, to be refused by name."""
    return text[:_DAY] if len(text) > _DAY and text[_DAY] in "T " else text
