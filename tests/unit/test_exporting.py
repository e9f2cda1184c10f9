"""People out: a list that an import takes back as it was, and that no spreadsheet runs."""

import csv
import io
import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core_support import TODAY, address_of, catalogue, lines
from digest_mailer.adapters.subscriber_csv import Reading, SubscriberFile
from digest_mailer.core.audience import Candidate, Consent, State, Subscriber
from digest_mailer.core.errors import TemporaryProblem
from digest_mailer.core.identity import SubscriberId
from digest_mailer.core.spreadsheet import guarded, unguarded
from digest_mailer.core.topic import words_of
from digest_mailer.services.exporting import Exporter

FORM = Consent("form", date(2023, 1, 2))


def person(**changes: Any) -> Subscriber:
    parts: dict[str, Any] = {
        "id": SubscriberId(1),
        "address": address_of(),
        "consent": FORM,
        "joined_on": FORM.given_on,
    }
    return Subscriber(**parts | changes)


def exported(*people: Subscriber) -> str:
    file = io.StringIO()
    assert Exporter(lambda: people, catalogue()).csv(file) == len(people)
    return file.getvalue()


def imported(text: str) -> list[Any]:
    return [*SubscriberFile(io.BytesIO(text.encode()), catalogue(), Reading(TODAY)).candidates()]


@given(lines(max_size=60), lines(max_size=60), st.sampled_from(["role", "email", "Rôle", "nom", "emial", "topics"]))
def test_what_was_exported_is_imported_as_it_was(name: str, value: str, attribute: str) -> None:
    whole = person(name=name, attributes={attribute: value} if value else {}, topics=words_of([3, 60]))
    (first,) = imported(exported(whole))
    assert isinstance(first, Candidate)
    again = person(name=first.name, attributes=first.attributes, topics=first.topics)
    assert exported(again) == exported(whole) or not name.isprintable() or name != first.name
    assert first.attributes.keys() <= {attribute}


@pytest.mark.parametrize("state", [state for state in State if state is not State.ERASED])
def test_every_state_goes_round(state: State) -> None:
    until = date(2099, 1, 1) if state is State.PAUSED else None
    whole = person(state=state, paused_until=until, all_topics=True, joined_on=date(2020, 2, 3))
    (found,) = imported(exported(whole))
    assert (found.state, found.paused_until, found.all_topics) == (state, until, True)
    assert (found.consent, found.joined_on) == (FORM, date(2020, 2, 3))


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "'=1", "''@x"])
def test_no_cell_begins_like_a_formula(text: str) -> None:
    cells = next(csv.DictReader(io.StringIO(exported(person(name=text, attributes={"note": text})))))
    assert cells["name"] == cells["attribute:note"] == "'" + text
    (found,) = imported(exported(person(name=text, attributes={"note": text})))
    assert (found.name, dict(found.attributes)) == (text, {"note": text})


@given(st.text("'=+-@ax", max_size=6))
def test_the_mark_that_an_export_sets_an_import_takes_off(text: str) -> None:
    assert unguarded(guarded(text)) == text
    assert guarded(text)[:1] not in ("=", "+", "-", "@")


def test_json_holds_the_same() -> None:
    file = io.StringIO()
    people = [person(name="=Ann", attributes={"role": "clinician"}, topics=words_of([3])), person(all_topics=True)]
    assert Exporter(lambda: people, catalogue()).json(file) == 2
    first, second = json.loads(file.getvalue())["people"]
    assert (first["name"], first["attributes"], len(first["topics"])) == ("=Ann", {"role": "clinician"}, 1)
    assert (second["topics"], second["consent_date"], second["paused_until"]) == ("all", "2023-01-02", None)


def test_an_empty_list_is_still_a_document() -> None:
    file = io.StringIO()
    assert Exporter(lambda: (), catalogue()).json(file) == 0
    assert json.loads(file.getvalue())["people"] == []
    assert exported().count("\n") == 1


def test_an_attribute_that_comes_meanwhile_is_never_lost_in_silence() -> None:
    lists = iter([[person()], [person(attributes={"new": "x"})]])
    with pytest.raises(TemporaryProblem, match="changed"):
        Exporter(lambda: next(lists), catalogue()).csv(io.StringIO())
