"""The publication's templates: source texts by name, and the two Jinja environments that run them.

The shell reads the files; a publication's own file takes the place of the packaged one of the same name.
HTML templates escape every value, text templates none, and a name that does not exist, or a value that is
None, is an error in both instead of a hole in a mail. Stylesheets go through Jinja for the theme's colours
only, with another sign for comments: in CSS, `{#` begins the rule of an id.
"""

import re
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from jinja2 import Environment, FunctionLoader, StrictUndefined, TemplateError, TemplateSyntaxError
from markupsafe import Markup

from digest_mailer.core.errors import ContentError
from digest_mailer.rendering.links import safe_url
from digest_mailer.rendering.plain import underline, wrap

_CSS_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_HINT = "correct the template; templates/README.md says what each is given"


@dataclass(frozen=True)
class Templates:
    """Template names and their source texts. Two with the same sources are equal and render the same."""

    sources: Mapping[str, str]
    _html: Environment = field(init=False, repr=False, compare=False)
    _text: Environment = field(init=False, repr=False, compare=False)
    _css: Environment = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        html, text = _environment(self.sources, escape=True), _environment(self.sources, escape=False)
        html.filters["safe_url"] = safe_url
        text.filters |= {"wrap": wrap, "underline": underline}
        css = _environment(self.sources, escape=False, comment=("/*#", "#*/"))
        for name, environment in (("_html", html), ("_text", text), ("_css", css)):
            object.__setattr__(self, name, environment)

    def html(self, name: str, **values: object) -> str:
        """Run an HTML or MJML template. Raises ContentError with the template's name and line."""
        return self._run(self._html, name, values)

    def text(self, name: str, **values: object) -> str:
        """Run a text template. Raises ContentError with the template's name and line."""
        return self._run(self._text, name, values)

    def css(self, name: str, **values: object) -> Markup:
        """A stylesheet without its comments and indents. Raises ContentError also for `<`, which MJML cannot read."""
        css = _CSS_COMMENT.sub("", self._run(self._css, name, values))
        if "<" in css:
            raise ContentError(f'template {name}: a stylesheet of a mail cannot hold "<"', _HINT)
        return Markup("\n".join(line.strip() for line in css.splitlines() if line.strip()))  # noqa: S704 - our own file

    def _run(self, environment: Environment, name: str, values: Mapping[str, object]) -> str:
        try:
            return environment.get_template(name).render(values)
        except (TemplateError, TypeError, ValueError, LookupError, ArithmeticError) as problem:
            raise ContentError(self._sentence(problem, name), _HINT) from problem

    def _sentence(self, problem: Exception, name: str) -> str:
        if isinstance(problem, TemplateSyntaxError):
            return f"template {problem.name or name}, line {problem.lineno}: {problem.message}"
        if name not in self.sources:
            return f"there is no template {name}"
        frames = [f for f in traceback.extract_tb(problem.__traceback__) if f.filename in self.sources]
        place = f"{frames[-1].filename}, line {frames[-1].lineno}" if frames else name
        return f"template {place}: {problem}"


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
