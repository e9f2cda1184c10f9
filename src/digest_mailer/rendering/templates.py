"""The publication's templates: source texts by name, and the Jinja environments that run them.

The shell reads the files; a publication's own file takes the place of the packaged one of the same name.
HTML templates escape every value, text templates none, and a name that does not exist, or a value that is
None, is an error in both instead of a hole in a mail. Stylesheets go through Jinja for the theme's colours
only, with another sign for comments: in CSS, `{#` begins the rule of an id. `translations/LANGUAGE.po` holds
the mail's words in another language; templates look theirs up with `_("...")`.
"""

import re
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from jinja2 import Environment, FunctionLoader, StrictUndefined, TemplateError, TemplateSyntaxError
from markupsafe import Markup

from digest_mailer.core.errors import ContentError
from digest_mailer.core.identity import ENGLISH, Language
from digest_mailer.rendering.links import safe_url
from digest_mailer.rendering.phrases import Phrases, read_phrases
from digest_mailer.rendering.plain import underline, wrap
from digest_mailer.rendering.trace import Trace, trace

_CSS_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_HINT = "correct the template; templates/README.md says what each is given"


class TemplateMistake(ContentError):  # noqa: N818 - as the core names it
    """A template that cannot run; it knows where."""

    def __init__(self, template: str, line: int, message: str) -> None:
        super().__init__(f"template {template}, line {line}: {message}", _HINT)
        self.template = template
        self.line = line
        self.message = message


@dataclass(frozen=True)
class Templates:
    """Template names and their source texts. Two with the same sources are equal and render the same."""

    sources: Mapping[str, str]
    _html: Environment = field(init=False, repr=False, compare=False)
    _text: Environment = field(init=False, repr=False, compare=False)
    _css: Environment = field(init=False, repr=False, compare=False)
    _styles: dict[tuple[object, ...], Markup] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        html, text = _environment(self.sources, escape=True), _environment(self.sources, escape=False)
        html.filters["safe_url"] = safe_url
        text.filters |= {"wrap": wrap, "underline": underline}
        css = _environment(self.sources, escape=False, comment=("/*#", "#*/"))
        for name, environment in (("_html", html), ("_text", text), ("_css", css)):
            object.__setattr__(self, name, environment)

    def phrases(self, language: Language) -> Phrases:
        """The mail's words in a language. Raises ContentError when it has none in it."""
        return read_phrases(language, self.sources.get(f"translations/{language}.po"))

    def site_phrases(self, language: Language) -> Phrases:
        """The site's words in a language, in English where it has none in it. Raises ContentError when they cannot be
        read."""
        source = self.sources.get(f"web/translations/{language}.po")
        return read_phrases(language if source else ENGLISH, source)

    def has_phrases(self, language: Language) -> bool:
        """Whether the mail has words in a language."""
        return language == ENGLISH or f"translations/{language}.po" in self.sources

    def html(self, name: str, **values: object) -> str:
        """Run an HTML or MJML template. Raises ContentError with the template's name and line."""
        return self._run(self._html, name, values)

    def text(self, name: str, **values: object) -> str:
        """Run a text template. Raises ContentError with the template's name and line."""
        return self._run(self._text, name, values)

    def trace(self, name: str, **values: object) -> Trace:
        """Which line of which HTML template writes what, with these values."""
        return trace(self._html, self.sources, name, values)

    def css(self, name: str, **values: object) -> Markup:
        """A stylesheet without its comments and indents. Raises ContentError also for `<`, which MJML cannot read."""
        asked = (name, *sorted(values.items()))
        if asked not in self._styles:
            self._styles[asked] = self._stylesheet(name, values)
        return self._styles[asked]

    def _stylesheet(self, name: str, values: Mapping[str, object]) -> Markup:
        css = _CSS_COMMENT.sub("", self._run(self._css, name, values))
        if "<" in css:
            raise ContentError(f'template {name}: a stylesheet of a mail cannot hold "<"', _HINT)
        return Markup("\n".join(line.strip() for line in css.splitlines() if line.strip()))  # noqa: S704 - our own file

    def _run(self, environment: Environment, name: str, values: Mapping[str, object]) -> str:
        try:
            return environment.get_template(name).render(values)
        except (TemplateError, TypeError, ValueError, LookupError, ArithmeticError) as problem:
            raise self._mistake(problem, name) from problem

    def _mistake(self, problem: Exception, name: str) -> ContentError:
        if isinstance(problem, TemplateSyntaxError):
            return TemplateMistake(problem.name or name, problem.lineno, problem.message or "it cannot be read")
        if name not in self.sources:
            return ContentError(f"there is no template {name}", _HINT)
        frames = [f for f in traceback.extract_tb(problem.__traceback__) if f.filename in self.sources]
        if frames:
            return TemplateMistake(frames[-1].filename, frames[-1].lineno or 1, str(problem))
        return TemplateMistake(name, 1, str(problem))


def _environment(sources: Mapping[str, str], *, escape: bool, comment: tuple[str, str] = ("{#", "#}")) -> Environment:
    return Environment(
        comment_start_string=comment[0],
        comment_end_string=comment[1],
        loader=FunctionLoader(_loader(sources)),
        autoescape=escape,  # noqa: S701 - plain text has nothing to escape
        undefined=StrictUndefined,
        finalize=_present,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        cache_size=-1,
    )


def _loader(sources: Mapping[str, str]) -> Callable[[str], tuple[str, str, Callable[[], bool]] | None]:
    """Like Jinja's DictLoader, but a template's name is its file name too, so that an error can say its line."""

    def load(name: str) -> tuple[str, str, Callable[[], bool]] | None:
        source = sources.get(name)
        return None if source is None else (source, name, lambda: True)

    return load


def _present(value: object) -> object:
    if value is None:
        raise ValueError("a value to print is None")
    return value
