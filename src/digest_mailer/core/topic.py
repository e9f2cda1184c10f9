"""The topic catalogue: what readers can follow.

A topic has a permanent key (in addresses and files) and a permanent ordinal (its bit in a reader's topic
words); neither is ever reused, so a topic is retired, not removed. Names and aliases may change. A topic that was
merged into another is retired too, and whatever named it means the other from then on. A set of topics is stored
as words of 63 bits (`TopicWords`), because a signed 64-bit integer is what every database can index; a join table
was 4 to 20 times slower over a million people.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from digest_mailer.core.errors import did_you_mean
from digest_mailer.core.identity import ENGLISH, Language, TopicKey

BITS_PER_WORD = 63
WORDS = 4  # 252 topics
MAX_TOPICS = BITS_PER_WORD * WORDS

TopicWords = tuple[int, ...]  # always WORDS long
NO_TOPICS: TopicWords = (0,) * WORDS


@dataclass(frozen=True, slots=True)
class Topic:
    """One subject that readers can follow."""

    ordinal: int
    key: TopicKey
    name: str
    name_fr: str = ""
    aliases: tuple[str, ...] = ()
    retired: bool = False  # not offered to readers, nor accepted in new issues
    merged_into: TopicKey | None = None  # what its names mean now; only of a retired one

    def display(self, language: Language = ENGLISH) -> str:
        """The name in the reader's language, in English where there is no other."""
        return self.name_fr if language == "fr" and self.name_fr else self.name

    @property
    def names(self) -> tuple[str, ...]:
        """Everything that it is found by: its key, its names, its aliases."""
        return tuple(name for name in (self.key, self.name, self.name_fr, *self.aliases) if name)


@dataclass(frozen=True, slots=True)
class Followers:
    """The people who follow a topic by name."""

    people: int = 0  # whatever their state
    reading: int = 0  # of these, who get mail, or will when their pause ends
    only: int = 0  # of the reading, who follow nothing else
    both: int = 0  # of all, who follow a second topic too


@dataclass(frozen=True, slots=True)
class Merged:
    """What the merging of two topics changed."""

    people: int
    segments: tuple[str, ...]


@dataclass(frozen=True)
class Catalogue:
    """All topics in their order, found by key, name or alias without regard to case."""

    topics: tuple[Topic, ...]
    _by_name: Mapping[str, Topic] = field(init=False, repr=False, compare=False)
    _by_key: Mapping[TopicKey, Topic] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_name: dict[str, Topic] = {}
        for topic in self.topics:
            for name in topic.names:
                by_name.setdefault(folded(name), topic)
        object.__setattr__(self, "_by_name", by_name)
        object.__setattr__(self, "_by_key", {topic.key: topic for topic in self.topics})

    def __iter__(self) -> Iterator[Topic]:
        return iter(self.topics)

    @property
    def offered(self) -> tuple[Topic, ...]:
        """The topics that readers may choose."""
        return tuple(topic for topic in self.topics if not topic.retired)

    def find(self, name: str) -> Topic | None:
        """The topic that this key, name or alias means, spaces folded: of a merged one, what it was merged into."""
        named = self.named(name)
        return self.current(named) if named else None

    def named(self, name: str) -> Topic | None:
        """The topic whose own this key, name or alias is, merged or not."""
        return self._by_name.get(folded(name))

    def current(self, topic: Topic) -> Topic:
        """The topic itself; of a merged one what it was merged into, at last. Raises ValueError when that leads round
        in a circle, KeyError when it leads nowhere."""
        for _ in self.topics:
            if topic.merged_into is None:
                return topic
            topic = self._by_key[topic.merged_into]
        raise ValueError(f"topics are merged in a circle: {topic.key}")

    def by_key(self, key: TopicKey) -> Topic:
        """The topic with this key, merged or not; KeyError when there is none."""
        return self._by_key[key]

    def amended(self, topic: Topic) -> "Catalogue":
        """The catalogue with this topic in the place of the one with its key, or behind all others."""
        if topic.key not in self._by_key:
            return Catalogue((*self.topics, topic))
        return Catalogue(tuple(topic if one.key == topic.key else one for one in self.topics))

    def suggest(self, name: str) -> str:
        """A did-you-mean sentence for a name that was not found."""
        names = [n for topic in self.offered for n in (topic.name, *topic.aliases)]
        return did_you_mean(name, names)

    def words(self, keys: Iterable[TopicKey]) -> TopicWords:
        """The set of these topics as words."""
        return words_of(self._by_key[key].ordinal for key in keys)

    def in_words(self, words: TopicWords) -> tuple[Topic, ...]:
        """The topics of a set, in catalogue order."""
        return tuple(topic for topic in self.topics if has_ordinal(words, topic.ordinal))


def folded(name: str) -> str:
    """A name as it is compared: two that differ in case or in the number of spaces are one."""
    return " ".join(name.split()).casefold()


def words_of(ordinals: Iterable[int]) -> TopicWords:
    """A set of ordinals as words. Raises ValueError for an ordinal outside 0..251."""
    words = list(NO_TOPICS)
    for ordinal in ordinals:
        if not 0 <= ordinal < MAX_TOPICS:
            raise ValueError(f"topic ordinal {ordinal} is outside 0..{MAX_TOPICS - 1}")
        words[ordinal // BITS_PER_WORD] |= 1 << (ordinal % BITS_PER_WORD)
    return tuple(words)


def ordinals_of(words: TopicWords) -> tuple[int, ...]:
    """The ordinals of a set, ascending."""
    return tuple(ordinal for ordinal in range(MAX_TOPICS) if has_ordinal(words, ordinal))


def has_ordinal(words: TopicWords, ordinal: int) -> bool:
    """Whether the set holds this ordinal."""
    return bool(words[ordinal // BITS_PER_WORD] >> (ordinal % BITS_PER_WORD) & 1)


def intersect(first: TopicWords, second: TopicWords) -> TopicWords:
    """The topics in both sets."""
    return tuple(a & b for a, b in zip(first, second, strict=True))


def union(sets: Sequence[TopicWords]) -> TopicWords:
    """The topics in any of the sets."""
    words = list(NO_TOPICS)
    for one in sets:
        words = [a | b for a, b in zip(words, one, strict=True)]
    return tuple(words)
