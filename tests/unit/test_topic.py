"""The topic catalogue, and sets of topics as words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core_support import FRENCH, catalogue, topic_keys
from digest_mailer.core.identity import Language, TopicKey, is_key
from digest_mailer.core.topic import (
    BITS_PER_WORD,
    MAX_TOPICS,
    NO_TOPICS,
    WORDS,
    Catalogue,
    Topic,
    has_ordinal,
    intersect,
    ordinals_of,
    union,
    words_of,
)

ordinals = st.integers(0, MAX_TOPICS - 1)
sets = st.frozensets(ordinals)


def test_the_sample_has_36_topics_with_ordinals_in_order() -> None:
    assert [topic.ordinal for topic in catalogue()] == list(range(36))


def test_the_keys_of_the_sample_are_keys() -> None:
    assert all(is_key(topic.key) for topic in catalogue())


def test_no_two_topics_of_the_sample_share_a_name() -> None:
    for topic in catalogue():
        for name in (topic.key, topic.name, topic.name_fr, *topic.aliases):
            assert catalogue().find(name) == topic


@pytest.mark.parametrize(
    "name", ["trauma-and-ptsd", "Trauma and/or PTSD", "trauma AND/OR ptsd", " PTSD ", "Trauma  and\tPTSD", "TRAUMA"]
)
def test_a_topic_is_found_by_key_name_or_alias_in_any_case(name: str) -> None:
    found = catalogue().find(name)
    assert found
    assert found.key == "trauma-and-ptsd"


def test_a_topic_is_found_by_its_french_name() -> None:
    found = catalogue().find("assiduité, attrition et ABANDON du traitement")
    assert found
    assert found.key == "attendance-attrition-dropout"


def test_spaces_in_the_catalogue_itself_make_no_difference() -> None:
    odd = Topic(0, TopicKey("odd"), "Two  Spaces ", aliases=("An\talias",))
    found = Catalogue((odd,))
    assert found.find("two spaces") == found.find("Two  Spaces ") == found.find("an alias") == odd


def test_what_is_unknown_is_not_found() -> None:
    assert catalogue().find("Beekeeping") is None
    assert catalogue().find("") is None


def test_a_near_miss_gets_a_suggestion() -> None:
    assert catalogue().suggest("Atachment") == 'did you mean "Attachment"?'
    assert catalogue().suggest("qqqqqq") == ""


def test_a_retired_topic_is_found_and_never_suggested() -> None:
    old = Topic(0, TopicKey("hypnosis"), "Hypnosis", retired=True)
    assert Catalogue((old,)).find("Hypnosis") == old
    assert Catalogue((old,)).suggest("Hypnosys") == ""


HYPNOSIS = Topic(0, TopicKey("hypnosis"), "Hypnosis", "Hypnose", ("Trance",), retired=True, merged_into=TopicKey("b"))
MIDDLE = Topic(1, TopicKey("b"), "Between", retired=True, merged_into=TopicKey("mind"))
MIND = Topic(2, TopicKey("mind"), "Mindfulness")


@pytest.mark.parametrize("name", ["hypnosis", "HYPNOSIS", "Hypnose", "trance", "Between", "mindfulness"])
def test_every_name_of_a_merged_topic_means_what_it_was_merged_into_at_last(name: str) -> None:
    assert Catalogue((HYPNOSIS, MIDDLE, MIND)).find(name) == MIND


def test_a_merged_topic_is_still_there_under_its_own_key_and_names() -> None:
    found = Catalogue((HYPNOSIS, MIDDLE, MIND))
    assert found.named("Trance") == found.by_key(TopicKey("hypnosis")) == HYPNOSIS
    assert found.in_words(words_of([0, 2])) == (HYPNOSIS, MIND)
    assert found.offered == (MIND,)
    assert found.suggest("Trence") == ""


def test_topics_that_are_merged_in_a_circle_or_into_nothing_are_defects() -> None:
    round_about = Topic(3, TopicKey("mind"), "Mindfulness", retired=True, merged_into=TopicKey("hypnosis"))
    with pytest.raises(ValueError, match="circle: hypnosis"):
        Catalogue((HYPNOSIS, MIDDLE, round_about)).find("Trance")
    with pytest.raises(KeyError):
        Catalogue((HYPNOSIS,)).find("Trance")


def test_a_catalogue_is_amended_in_place_or_at_its_end() -> None:
    renamed = Topic(1, TopicKey("b"), "In between")
    found = Catalogue((HYPNOSIS, MIDDLE)).amended(renamed).amended(MIND)
    assert found.topics == (HYPNOSIS, renamed, MIND)
    assert found.find("Between") is None


def test_an_unknown_key_is_a_defect() -> None:
    with pytest.raises(KeyError):
        catalogue().by_key(TopicKey("nonsense"))


def test_a_topic_shows_in_the_readers_language_or_in_english() -> None:
    topic = catalogue().by_key(TopicKey("empathy"))
    assert (topic.display(FRENCH), topic.display(), topic.display(Language("de"))) == ("Empathie", "Empathy", "Empathy")
    assert Topic(0, TopicKey("x"), "X").display(FRENCH) == "X"


@given(st.frozensets(topic_keys))
def test_the_words_of_topics_give_the_topics_back_in_order(keys: frozenset[TopicKey]) -> None:
    found = catalogue().in_words(catalogue().words(keys))
    assert {topic.key for topic in found} == keys
    assert [topic.ordinal for topic in found] == sorted(topic.ordinal for topic in found)


@given(sets)
def test_words_hold_exactly_their_ordinals(wanted: frozenset[int]) -> None:
    words = words_of(wanted)
    assert set(ordinals_of(words)) == wanted
    assert all(has_ordinal(words, ordinal) == (ordinal in wanted) for ordinal in range(MAX_TOPICS))


@given(sets)
def test_words_fit_into_signed_64_bit_integers(wanted: frozenset[int]) -> None:
    words = words_of(wanted)
    assert len(words) == WORDS
    assert all(0 <= word < 2**BITS_PER_WORD for word in words)


@given(sets, sets)
def test_intersection_is_that_of_sets(one: frozenset[int], two: frozenset[int]) -> None:
    assert set(ordinals_of(intersect(words_of(one), words_of(two)))) == one & two


@given(st.lists(sets, max_size=4))
def test_union_is_that_of_sets(some: list[frozenset[int]]) -> None:
    assert set(ordinals_of(union([words_of(one) for one in some]))) == frozenset().union(*some)


def test_the_empty_set_is_all_zero() -> None:
    assert words_of([]) == union([]) == NO_TOPICS
    assert not any(NO_TOPICS)


@pytest.mark.parametrize("ordinal", [-1, MAX_TOPICS])
def test_an_ordinal_outside_the_words_is_refused(ordinal: int) -> None:
    with pytest.raises(ValueError, match="outside"):
        words_of([ordinal])
