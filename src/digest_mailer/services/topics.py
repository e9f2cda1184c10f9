"""Changing the catalogue of topics: each change is planned first, with everything it touches, then carried out.

The file is the truth, so it is written first, and the followers of a merged topic are moved after. When the program
ends in between, the catalogue says already that the topic was merged: nobody can choose it any more, issues that were
approved with it cannot be sent, and whoever is left behind is seen in `topics list`. The same merge, run again, moves
them. The other way round, people would have moved to a topic of which the file knows nothing.

Planning and carrying out are one turn (`Topics.changing`), so that of two changes the later one is planned on the
earlier one, whichever process does them.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace

from digest_mailer.core.audit import Note
from digest_mailer.core.errors import ChangedMeanwhileError, NothingMatched, UsageError, did_you_mean
from digest_mailer.core.identity import ArticleKey, IssueId, TopicKey, is_control, is_key, slug
from digest_mailer.core.issue_file import Vocabulary
from digest_mailer.core.topic import MAX_TOPICS, Catalogue, Followers, Merged, Topic, folded
from digest_mailer.ports import Clock, Following, TopicEditor, Trail
from digest_mailer.services.library import Library
from digest_mailer.services.standing import Standing

ADDRESSES = ("new",)  # of pages that stand where a topic's own would

_LIST = "see: digest-mailer topics list"


@dataclass(frozen=True, slots=True)
class Use:
    """An article about a topic."""

    issue: IssueId
    article: ArticleKey
    title: str


@dataclass(frozen=True, slots=True)
class Change:
    """What is to become of a topic, and what that touches."""

    before: Topic | None  # none for a new one
    after: Topic
    into: Topic | None = None  # what it is merged into
    followers: Followers = field(default_factory=Followers)
    articles: tuple[Use, ...] = ()
    segments: tuple[str, ...] = ()
    outdated: tuple[IssueId, ...] = ()  # issues whose approval would not stand any more

    @property
    def mark(self) -> str:
        """Names what it was planned on."""
        return hashlib.sha256(repr((self.before, self.into)).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Topics:
    """Plans changes of the catalogue, and carries them out. `following` and `trail` are none where there is no
    database yet."""

    library: Library
    editor: TopicEditor
    following: Following | None
    standing: Callable[[Library], Standing]
    clock: Clock
    trail: Trail | None = None

    @property
    def catalogue(self) -> Catalogue:
        """The topics as they are."""
        return self.library.vocabulary.catalogue

    @contextmanager
    def changing(self) -> Iterator["Topics"]:
        """The same on the files as they are now, while nobody else changes topics. Raises Locked when somebody else
        does not end."""
        with self.editor.turn():
            yield replace(self, library=self.library.afresh())

    def find(self, name: str) -> Topic:
        """The topic with this key, name or alias, merged or not. Raises NothingMatched with a did-you-mean."""
        found = self.catalogue.named(name)
        if found is None:
            names = [known for topic in self.catalogue for known in topic.names]
            raise NothingMatched(f'there is no topic "{name}"', did_you_mean(name, names) or _LIST)
        return found

    def add(self, key: str, name: str, french: str = "", aliases: Iterable[str] = ()) -> Change:
        """A new topic, with an ordinal that nothing ever had."""
        if not is_key(key) or key in ADDRESSES:
            like = slug(key) if key not in ADDRESSES and slug(key) else "empathy"
            raise UsageError(f'"{key}" is no key', f"lower-case letters, digits and single hyphens, like {like}")
        shown, words = _clean(name), _clean(french) if french else ""
        others = tuple(_clean(one) for one in aliases)
        self._require_free((key, shown, words, *others), None)
        topic = Topic(self._next_ordinal(), TopicKey(key), shown, words)
        return Change(None, _named(topic, others))

    def rename(self, name: str, new_name: str = "", french: str | None = None) -> Change:
        """Another name, in English, in French or in both. The old one becomes an alias. An empty French name takes the
        present one away, none leaves it."""
        topic = self._own(name)
        shown = _clean(new_name) if new_name else topic.name
        words = topic.name_fr if french is None else _clean(french) if french else ""
        self._require_free((shown, words), topic)
        return self._change(topic, _named(replace(topic, name=shown, name_fr=words), (topic.name, topic.name_fr)))

    def alias(self, name: str, aliases: Sequence[str]) -> Change:
        """More names that it is found by."""
        topic, more = self._own(name), tuple(_clean(one) for one in aliases)
        self._require_free(more, topic)
        return self._change(topic, _named(topic, more))

    def retire(self, name: str) -> Change:
        """Offered no longer. What readers chose stays, and issues that are published keep it."""
        topic = self.find(name)
        return self._change(topic, replace(topic, retired=True))

    def merge(self, name: str, into_name: str) -> Change:
        """Everything that named the topic means another one from then on, and its followers follow that."""
        topic, into = self.find(name), self.find(into_name)
        if into.retired:
            raise UsageError(f"{into.key} is retired", "merge into a topic that readers can choose")
        if topic.key == into.key:
            raise UsageError(f"{topic.key} is the same topic", "name another one to merge it into")
        if topic.merged_into and self.catalogue.current(topic) != into:
            raise UsageError(f"{topic.key} was merged into {topic.merged_into}", f"merge {topic.merged_into} instead")
        merged = replace(topic, retired=True, merged_into=topic.merged_into or into.key)
        return self._change(topic, merged, into)

    def touched(self, name: str) -> Change:
        """A topic as it is, with everything that a change of it would touch."""
        topic = self.find(name)
        return self._change(topic, topic)

    def carry_out(self, change: Change, actor: str, seen: str = "") -> Merged:
        """Do what was planned; answers who and what was moved. Raises ChangedMeanwhileError when it was planned on
        something else than what was `seen`."""
        if seen and seen != change.mark:
            raise ChangedMeanwhileError(f"{change.after.key} was changed meanwhile", "look at what it would do now")
        if change.after != change.before:
            self.editor.put(change.after)
            if self.trail and not change.into:  # a merge has its entry with the people that it moves
                self.trail.note(_note(change, actor), self.clock.now())
        if change.into and self.following:
            return self.following.merge(change.after, change.into, actor, self.clock.now())
        return Merged(0, ())

    def _change(self, before: Topic, after: Topic, into: Topic | None = None) -> Change:
        articles = self._uses(before)
        if not self.following:
            return Change(before, after, into, articles=articles)
        followers = self.following.of(before.ordinal, into.ordinal if into else None)
        segments = self.following.segments(before.ordinal)
        outdated = self._outdated(after, articles) if after != before else ()
        return Change(before, after, into, followers, articles, segments, outdated)

    def _uses(self, topic: Topic) -> tuple[Use, ...]:
        """The articles about a topic, newest issue first."""
        return tuple(
            Use(issue.id, article.key, article.title)
            for issue in self.library.all()
            for article in issue.articles
            if topic.key in article.topics
        )

    def _outdated(self, after: Topic, articles: Sequence[Use]) -> tuple[IssueId, ...]:
        """Issues that are as they were approved, and would not be with this topic."""
        vocabulary = Vocabulary(self.catalogue.amended(after), self.library.vocabulary.types)
        later = _Foreseen(self.library.source, foreseen=vocabulary)
        now, then = self.standing(self.library), self.standing(later)
        readable = (one for one in dict.fromkeys(use.issue for use in articles) if self.library.is_readable(one))
        standing = (one for one in readable if now.of(self.library.readable(one))[1])
        return tuple(one for one in standing if not then.of(later.readable(one))[1])

    def _own(self, name: str) -> Topic:
        """A topic that stands for itself."""
        topic = self.find(name)
        if topic.merged_into:
            current = self.catalogue.current(topic)
            raise UsageError(f"{topic.key} was merged into {current.key}", f"its names belong to {current.key} now")
        return topic

    def _next_ordinal(self) -> int:
        """Behind all that the file has, and behind all that anybody follows, should a table have been deleted."""
        followed = self.following.highest() if self.following else -1
        ordinal = max([followed, *(topic.ordinal for topic in self.catalogue)]) + 1
        if ordinal >= MAX_TOPICS:
            raise UsageError(f"{MAX_TOPICS} topics are all that there can be", "rename one, or use it as an alias")
        return ordinal

    def _require_free(self, names: Iterable[str], but: Topic | None) -> None:
        """Raise UsageError for a name that another topic has."""
        for name in names:
            other = self.catalogue.named(name) if name else None
            if other and other != but:
                hint = f'did you mean "{other.name}"? {_LIST}'
                raise UsageError(f'"{name}" names the topic {other.key} already', hint)


@dataclass
class _Foreseen(Library):
    """The issues as they would be read with another catalogue."""

    foreseen: Vocabulary = field(kw_only=True)

    @property
    def vocabulary(self) -> Vocabulary:
        """The other catalogue, and the types of research as they are."""
        return self.foreseen


def _note(change: Change, actor: str) -> Note:
    """What the audit trail tells of a change: what was otherwise before."""
    before = asdict(change.before) if change.before else {}
    after = {name: value for name, value in asdict(change.after).items() if value != before.get(name)}
    named = "name" in after or "name_fr" in after
    action = "add" if not before else "retire" if "retired" in after else "rename" if named else "alias"
    facts = {"topic": change.after.key, "before": {name: before[name] for name in after if before}, "after": after}
    return Note(actor, f"topics-{action}", facts=facts)


def _named(topic: Topic, more: Iterable[str]) -> Topic:
    """The topic with more aliases, each once, and none that says its name."""
    names = {folded(topic.name), folded(topic.name_fr)}
    aliases: dict[str, str] = {}
    for alias in (*topic.aliases, *more):
        if alias and folded(alias) not in names:
            aliases.setdefault(folded(alias), alias)
    return replace(topic, aliases=tuple(aliases.values()))


def _clean(name: str) -> str:
    """A name in one line. Raises UsageError for what cannot be one."""
    clean = " ".join(name.split())
    if not clean or any(is_control(char) for char in clean):
        raise UsageError("a topic's name is empty, or has control characters", "give it words")
    if ";" in clean:
        raise UsageError(f'"{clean}" has a semicolon', "lists of topics are separated by them; use a comma, or and")
    return clean
