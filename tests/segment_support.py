"""Segments as Hypothesis draws them, for all who compare what they mean."""

from datetime import date
from typing import Any

from hypothesis import strategies as st

from core_support import FRENCH
from digest_mailer.core.audience import State
from digest_mailer.core.identity import ENGLISH, IssueId, Language
from digest_mailer.core.segment import Segment
from digest_mailer.core.topic import words_of

ORDINALS = (0, 1, 30, 35, 61, 62, 63, 64, 125, 126, 188, 189, 250, 251)
LANGUAGES = (ENGLISH, FRENCH, Language("de"))
ISSUES = tuple(IssueId(f"2023-0{month}") for month in (4, 5, 6))
DAYS = (date(2020, 1, 1), date(2022, 5, 20), date(2022, 5, 21), date(2024, 1, 31))

topic_sets = st.frozensets(st.sampled_from(ORDINALS), max_size=5).map(words_of)
texts = st.sampled_from(["", "a", "A", 'x"y', "x'y", "$.a", "a\\b", "é", "1", "%", "[0]", "two words", "a,b", "state"])
attributes = st.dictionaries(texts, texts, max_size=3)
_asked = st.dictionaries(texts, st.lists(texts, min_size=1, max_size=2, unique=True).map(tuple), max_size=2)
_issues = st.lists(st.sampled_from(ISSUES), max_size=2, unique=True).map(tuple)
_conditions: dict[str, st.SearchStrategy[Any]] = {
    "any_topics": topic_sets,
    "all_topics": topic_sets,
    "no_topics": topic_sets,
    "states": st.lists(st.sampled_from(State), max_size=3, unique=True).map(tuple),
    "languages": st.lists(st.sampled_from(LANGUAGES), max_size=2, unique=True).map(tuple),
    "attributes": _asked,
    "joined_from": st.none() | st.sampled_from(DAYS),
    "joined_before": st.none() | st.sampled_from(DAYS),
    "received": _issues,
    "not_received": _issues,
}


def _some(conditions: dict[str, Any]) -> Segment:
    return Segment("some", **conditions)


segments = st.fixed_dictionaries({}, optional=_conditions).map(_some)
"""Any number of conditions; few people match many of them, so most are wanted alone too."""
one_condition = st.sampled_from(sorted(_conditions)).flatmap(
    lambda name: _conditions[name].map(lambda value: _some({name: value}))
)
segments_of_one = one_condition | segments
