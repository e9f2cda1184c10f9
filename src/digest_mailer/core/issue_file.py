"""The text of an issue file becomes an `Issue`, or a list of diagnostics with line and column.

The format is documented in docs/reference/issue-file.md. `examine_issue` reports every mistake it can find
in one pass and still builds what it can, so that `lint` shows all of them at once; `parse_issue` is strict.
Nothing here reads the disk: bytes come in.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from markdown_it import MarkdownIt
from markdown_it.token import Token

from digest_mailer.core.citation import Citation, Doi, find_doi, parse_doi
from digest_mailer.core.errors import Diagnostic, IssueError, Place, did_you_mean
from digest_mailer.core.fields import Fields, Report, Scalar, check_text, read_fields
from digest_mailer.core.identity import ENGLISH, ArticleKey, Language, TopicKey, is_key, parse_issue_name, slug
from digest_mailer.core.issue import Article, Figure, Issue, Markdown
from digest_mailer.core.research_type import ResearchTypes
from digest_mailer.core.source import Source
from digest_mailer.core.topic import Catalogue

ISSUE_FIELDS = ("title", "subject", "preheader", "teaser", "author", "language", "published")
ARTICLE_FIELDS = ("key", "topics", "type", "citation", "doi", "takeaway", "figures", "open_access")
# What a translation may say; the original says the rest for every language.
TRANSLATED_ISSUE_FIELDS = ("title", "subject", "preheader", "teaser", "author")
TRANSLATED_ARTICLE_FIELDS = ("key", "takeaway", "figures")
IMPLICATIONS = "Practice Implications"
CALL_TO_ACTION = "Call to Action"
SECTIONS = (IMPLICATIONS, CALL_TO_ACTION)
_SECTION_NAMES = {
    IMPLICATIONS: (IMPLICATIONS, "Implications pour la pratique"),
    CALL_TO_ACTION: (CALL_TO_ACTION, "Appel à l’action", "Appel à l'action"),
}

FENCE = "---"
_IMAGE_SIZE = re.compile(r"[1-9][0-9]{0,3}x[1-9][0-9]{0,3}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*")


_PART_OF = {IMPLICATIONS: "implications", CALL_TO_ACTION: "call_to_action"}  # the field of an Article
_NOTHING = Markdown(""), Place()


def markdown_reader() -> MarkdownIt:
    """The Markdown of the whole program: CommonMark with tables, raw HTML off."""
    return MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What an issue file may refer to."""

    catalogue: Catalogue
    types: ResearchTypes


def parse_issue(data: bytes, path: str, vocabulary: Vocabulary) -> Issue:
    """Read an issue file. Raises IssueError with every mistake in it."""
    issue, diagnostics = examine_issue(data, path, vocabulary)
    if diagnostics or issue is None:
        raise IssueError(diagnostics)
    return issue


def examine_issue(data: bytes, path: str, vocabulary: Vocabulary) -> tuple[Issue | None, list[Diagnostic]]:
    """Read an issue file as far as it can be read, and say everything that is wrong with it.

    A translation, `2023-07.fr.md`, is an issue of words alone: see `core.translation`.
    """
    report = Report(path)
    text = _decode(data, report)
    if text is None:
        return None, report.found
    issue = _Reader(text, report, vocabulary).read()
    return issue, sorted(report.found)


def read_source(text: str, catalogue: Catalogue) -> Source:
    """The text of an issue file beside what its settings say; an empty one when there is no article in it."""
    reader = _Reader(with_line_feeds(text), Report("2000-01.md"), Vocabulary(catalogue, ResearchTypes(())))
    issue = reader.read()
    return issue.source if issue else Source()


def with_line_feeds(text: str) -> str:
    """The text with each of its lines ended in the same way."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _decode(data: bytes, report: Report) -> str | None:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = data.count(b"\n", 0, problem.start) + 1
        col = problem.start - data.rfind(b"\n", 0, problem.start)
        report.add(Place(line, col), "DM001", f"not UTF-8: byte 0x{data[problem.start]:02X}", "save the file as UTF-8")
        return None
    if not text.strip():
        report.add(Place(), "DM002", "the file is empty", "docs/reference/issue-file.md shows a whole issue")
        return None
    return with_line_feeds(text)


@dataclass(slots=True)
class _Section:
    """A stretch of the file's lines between headings, as 0-based line numbers."""

    title: str
    heading: int
    start: int
    end: int


class _Reader:
    """Reads one file; one method a level: issue, article, section."""

    def __init__(self, text: str, report: Report, vocabulary: Vocabulary) -> None:
        self.report = report
        self.vocabulary = vocabulary
        self.lines = text.split("\n")
        self.body_start = 0
        self.tokens: list[Token] = []
        self.language = ENGLISH
        self.is_translation = False
        self.issue_fields: Sequence[str] = ISSUE_FIELDS
        self.article_fields: Sequence[str] = ARTICLE_FIELDS

    def read(self) -> Issue | None:
        named = parse_issue_name(re.split(r"[/\\]", self.report.path)[-1].removesuffix(".md"))
        if named is None:
            hint = "name it after its month, like 2023-07.md, and a translation like 2023-07.fr.md"
            self.report.add(Place(), "DM003", "the file's name is not a month", hint)
        issue_id, translated = named or (None, None)
        if translated:
            self.is_translation = True
            self.issue_fields, self.article_fields = TRANSLATED_ISSUE_FIELDS, TRANSLATED_ARTICLE_FIELDS
        front = self._front_matter()
        # markdown-it drops no lines, so a token's map counts from the body's first line
        self.tokens = markdown_reader().parse("\n".join(self.lines[self.body_start :]))
        self.language = translated or self._language(front.text("language"))
        articles = tuple(self._articles())
        self._check_characters()
        if issue_id is None or not articles:
            return None
        return Issue(
            id=issue_id,
            articles=articles,
            title=front.text("title").text,
            subject=front.text("subject").text,
            preheader=front.text("preheader").text,
            teaser=tuple(scalar.text for scalar in front.texts("teaser")),
            author=front.text("author").text,
            language=self.language,
            published=self._date(front.text("published")),
            path=self.report.path,
            places={name: place for name, (_, place) in front.nodes.items()},
            source=Source(tuple(self.lines), self.body_start, tuple(self.report.written)),
        )

    # -- the issue

    def _front_matter(self) -> Fields:
        nothing = Fields(self.report, {}, Place(), Place())
        if self.lines[0].rstrip() != FENCE:
            hint = "begin the file with a line of three hyphens, the issue's fields, and three hyphens again"
            self.report.add(Place(), "DM004", "the front matter is missing", hint)
            return nothing
        end = next((n for n, line in enumerate(self.lines[1:], 1) if line.rstrip() == FENCE), None)
        if end is None:
            self.report.add(Place(), "DM004", "the front matter is not closed", "end it with a line of ---")
            self.body_start = len(self.lines)
            return nothing
        self.body_start = end + 1
        text = "\n".join(self.lines[1:end])
        return read_fields(text, self.report, Place(2), self.issue_fields, "the front matter") or nothing

    def _language(self, scalar: Scalar) -> Language:
        if scalar.text and not _LANGUAGE.fullmatch(scalar.text):
            self.report.add(scalar.place, "DM037", f'"{scalar.text}" is not a language', "like en, fr or fr-CA")
        return Language(scalar.text) if scalar.text else ENGLISH

    def _date(self, scalar: Scalar) -> date | None:
        if not scalar.text:
            return None
        try:
            if _DATE.fullmatch(scalar.text):
                return date.fromisoformat(scalar.text)
        except ValueError:
            pass
        self.report.add(scalar.place, "DM036", f'"{scalar.text}" is not a date', "write it as 2023-07-01")
        return None

    def _check_characters(self) -> None:
        """The lines as they stand, and what Markdown makes of them: `&#13;` and `\\_` hide what they mean."""
        seen = {one.line for one in self.report.found if one.code in ("DM034", "DM035")}  # in a field
        for number, line in enumerate(self.lines[self.body_start :], self.body_start + 1):
            if number not in seen and not check_text(self.report, line, Place(number), "the line", allow="\t"):
                seen.add(number)
        for token in self.tokens:
            if token.type == "inline" and token.map:
                first, end = (self.body_start + line + 1 for line in token.map)
                if seen.isdisjoint(range(first, end)):
                    check_text(self.report, inline_text(token), Place(first), "the text", allow="\t")

    # -- articles

    def _articles(self) -> Iterable[Article]:
        headings = self._headings(1, 0, len(self.lines) - self.body_start)
        first = headings[0].heading if headings else len(self.lines) - self.body_start
        stray = next((n for n in range(first) if self.lines[self.body_start + n].strip()), None)
        if stray is not None:
            self.report.add(
                self._place(stray), "DM011", "text before the first article", "an article begins with `# Title`"
            )
        if not headings:
            self.report.add(Place(), "DM012", "there is no article", "an article begins with `# Title`")
        keys: dict[str, int] = {}
        for heading in headings:
            article = self._article(heading)
            if not article:
                continue
            if article.key and article.key in keys:
                hint = f"it names the article in line {keys[article.key]} too; keys are unique for good"
                self.report.add(article.place, "DM024", f'key "{article.key}" stands twice', hint)
            keys.setdefault(article.key, article.place.line)
            yield article

    def _article(self, section: _Section) -> Article | None:
        heading = self._place(section.heading)
        if not section.title:
            self.report.add(heading, "DM010", "the article has no title", "write it behind the #")
        fields, start = self._settings(section)
        parts = self._headings(2, start, section.end)
        body_end = parts[0].heading if parts else section.end
        body = self._markdown(start, body_end)
        if not body and fields:
            self.report.add(heading, "DM029", "the article has no summary", "write it below the settings")
        texts = self._sections(parts, heading)
        if not fields:
            return None
        return Article(
            key=self._key(fields, section.title),
            title=section.title,
            body=body,
            implications=texts.get(IMPLICATIONS, _NOTHING)[0],
            call_to_action=texts.get(CALL_TO_ACTION, _NOTHING)[0],
            topics=self._topics(fields),
            research_type=self._type(fields),
            citation=self._citation(fields),
            takeaway=fields.text("takeaway").text,
            figures=self._figures(fields),
            open_access_url=self._open_access(fields),
            language=self.language,
            place=heading,
            places={
                **{name: place for name, (_, place) in fields.nodes.items()},
                "body": self._first_line(start, body_end),
                **{_PART_OF[name]: place for name, (_, place) in texts.items()},
            },
        )

    def _settings(self, section: _Section) -> tuple[Fields | None, int]:
        """The yaml block below the title, and the line behind it."""
        for token in self._within(section.start, section.end):
            if token.level == 0 and token.map:
                if token.type == "fence" and token.info.strip() in ("yaml", "yml"):
                    fence = self.lines[self.body_start + token.map[0]]
                    indent = len(fence) - len(fence.lstrip(" "))  # which its lines have too
                    first = Place(self.body_start + token.map[0] + 2, indent + 1)
                    fields = read_fields(
                        token.content, self.report, first, self.article_fields, "the article's settings"
                    )
                    return fields, token.map[1]
                break
        hint = "put a block between ```yaml and ``` directly below the title"
        self.report.add(self._place(section.heading), "DM020", "the article's settings are missing", hint)
        return None, section.start

    def _sections(self, parts: Sequence[_Section], article: Place) -> dict[str, tuple[Markdown, Place]]:
        """The known sections, each with its text and where that begins."""
        texts: dict[str, tuple[Markdown, Place]] = {}
        known = {spelling.casefold(): name for name, spellings in _SECTION_NAMES.items() for spelling in spellings}
        for part in parts:
            name = known.get(part.title.casefold())
            place = self._place(part.heading)
            if name is None:
                hint = did_you_mean(part.title, SECTIONS) or f"sections are: {', '.join(SECTIONS)}; use ### here"
                self.report.add(place, "DM030", f'unknown section "{part.title}"', hint)
            elif name in texts:
                self.report.add(place, "DM031", f'section "{name}" stands twice', "put both into one")
            else:
                texts[name] = self._markdown(part.start, part.end), self._first_line(part.start, part.end)
                if not texts[name][0]:
                    self.report.add(place, "DM029", f'section "{name}" is empty', "write it or delete the heading")
        if IMPLICATIONS not in texts and not self.is_translation:
            hint = f"add a section `## {IMPLICATIONS}`"
            self.report.add(article, "DM028", f"{IMPLICATIONS} is missing", hint)
        return texts

    # -- fields of an article

    def _key(self, fields: Fields, title: str) -> ArticleKey:
        key = fields.text("key")
        if not key.text:
            self.report.add(fields.place, "DM010", "the article has no key", f"for instance `key: {slug(title)}`")
        elif not is_key(key.text):
            hint = f'lower-case letters, digits and single hyphens, at most 80, like "{slug(key.text)}"'
            self.report.add(key.place, "DM023", f'malformed key "{key.text}"', hint)
        return ArticleKey(key.text)

    def _topics(self, fields: Fields) -> tuple[TopicKey, ...]:
        """The topics that are meant. Two that were merged since are one, and no mistake."""
        catalogue, stated, meant = self.vocabulary.catalogue, set[TopicKey](), dict[TopicKey, None]()
        for scalar in fields.texts("topics"):
            topic = catalogue.named(scalar.text)
            if topic is None:
                hint = catalogue.suggest(scalar.text) or "topics.toml lists them all"
                self.report.add(scalar.place, "DM021", f'unknown topic "{scalar.text}"', hint)
            elif topic.key in stated:
                self.report.add(scalar.place, "DM009", f'topic "{topic.name}" stands twice', "once is enough")
            else:
                stated.add(topic.key)
                meant[catalogue.current(topic).key] = None
        return tuple(meant)

    def _type(self, fields: Fields) -> str:
        scalar = fields.text("type")
        if not scalar.text:
            return ""
        found = self.vocabulary.types.find(scalar.text)
        if found is None:
            names = ", ".join(one.name for one in self.vocabulary.types)
            hint = self.vocabulary.types.suggest(scalar.text) or f"types are: {names}"
            self.report.add(scalar.place, "DM022", f'unknown type of research "{scalar.text}"', hint)
            return ""
        return found.key

    def _citation(self, fields: Fields) -> Citation | None:
        text, stated = fields.text("citation"), fields.text("doi")
        doi: Doi | None = None
        if stated.text:
            doi = parse_doi(stated.text)
            if doi is None:
                self.report.add(stated.place, "DM025", f'malformed DOI "{stated.text}"', "like 10.1037/0000358-006")
        found = find_doi(text.text)
        if doi and found and doi.lower() != found.lower():
            self.report.add(stated.place, "DM026", f"the DOI differs from the citation's, {found}", "keep one")
        if not text.text and not doi:
            return None
        return Citation(text.text, doi or found)

    def _figures(self, fields: Fields) -> tuple[Figure, ...]:
        figures = []
        for one in fields.mappings("figures", ("value", "meaning")):
            value, meaning = one.text("value"), one.text("meaning")
            if value.text and meaning.text:
                figures.append(Figure(value.text, meaning.text))
            else:
                self.report.add(one.place, "DM010", "a figure needs a value and a meaning", "")
        return tuple(figures)

    def _open_access(self, fields: Fields) -> str:
        scalar = fields.text("open_access")
        if scalar.text and not is_https(scalar.text):
            hint = "an address that begins with https://"
            self.report.add(scalar.place, "DM027", f'"{scalar.text}" is not an https address', hint)
            return ""
        return scalar.text

    # -- Markdown

    def _headings(self, level: int, start: int, end: int) -> list[_Section]:
        """The headings of one level between two lines, each with the stretch that it heads."""
        found: list[_Section] = []
        tokens = list(self._within(start, end))
        for index, token in enumerate(tokens):
            if token.type != "heading_open" or token.level or not token.map or token.tag != f"h{level}":
                continue
            if found:
                found[-1].end = token.map[0]
            found.append(_Section(inline_text(tokens[index + 1]), token.map[0], token.map[1], end))
        return found

    def _within(self, start: int, end: int) -> Iterable[Token]:
        """Tokens that begin between two lines of the body, inline ones with their block."""
        return (token for token in self.tokens if token.map and start <= token.map[0] < end)

    def _markdown(self, start: int, end: int) -> Markdown:
        for token in self._within(start, end):
            if token.type == "inline":
                self._check_images(token)
        lines = self.lines[self.body_start + start : self.body_start + end]
        return Markdown("\n".join(lines).strip("\n").rstrip())

    def _check_images(self, token: Token) -> None:
        for child in token.children or ():
            if child.type != "image" or not token.map:
                continue
            source, size = str(child.attrs.get("src", "")), str(child.attrs.get("title", ""))
            if not is_https(source) or not child.content.strip() or not _IMAGE_SIZE.fullmatch(size):
                hint = '![What it shows](https://example.org/chart.png "600x400")'
                message = "an image needs an https address, a text alternative and its size"
                self.report.add(self._place(token.map[0]), "DM033", message, hint)

    def _first_line(self, start: int, end: int) -> Place:
        """Where the text between two lines begins."""
        lines = self.lines[self.body_start + start : self.body_start + end]
        return self._place(start + next((n for n, line in enumerate(lines) if line.strip()), 0))

    def _place(self, line: int) -> Place:
        return Place(self.body_start + line + 1)


def is_https(url: str) -> bool:
    """Whether the text is an https address with a host, without a user and without spaces."""
    return re.fullmatch(r"https://[^\s/?#@\"<>\\]+\.[^\s/?#@\"<>\\]+(?:[/?#][^\s\"<>]*)?", url) is not None


def inline_text(token: Token) -> str:
    """The words of an inline token, without their marks."""
    words = []
    for child in token.children or ():
        if child.type in ("text", "code_inline", "image"):
            words.append(child.content)
        elif child.type in ("softbreak", "hardbreak"):
            words.append(" ")
    return "".join(words).strip()
