"""Lint on a whole publication: every edition, and the line of the file that a person has to open."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from core_support import JULY, ROOT
from digest_mailer.bootstrap import App, build_app
from digest_mailer.core.errors import Diagnostic, IssueError, Severity
from digest_mailer.core.finding import Finding
from digest_mailer.core.identity import IssueId
from digest_mailer.core.link_answer import NO_HOST, LinkAnswer
from publication_support import make_publication

ISSUE = "newsletters/2023-07.md"


@pytest.fixture
def app(tmp_path: Path) -> App:
    return make_publication(tmp_path)


def lint(app: App, month: str = JULY) -> list[Diagnostic]:
    return list(app.linter(app.library).lint(IssueId(month)))


def found(app: App, month: str = JULY) -> list[tuple[str, int, str]]:
    return [(one.path, one.line, one.code) for one in lint(app, month)]


def change(app: App, old: str, new: str, name: str = ISSUE) -> int:
    """Put one text in the place of another in a file of the publication; answers its line."""
    path = app.root / name
    text = path.read_text("utf-8")
    assert text.count(old) >= 1, old
    path.write_text(text.replace(old, new, 1), "utf-8")
    return text[: text.index(old)].count("\n") + 1


def own_template(app: App, name: str, old: str, new: str) -> int:
    """Give the publication its own version of a packaged template; answers the line that was changed."""
    target = app.root / "templates" / name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text((ROOT / "templates" / name).read_text("utf-8"), "utf-8")
    return change(app, old, new, f"templates/{name}")


def test_the_sample_has_no_errors(app: App) -> None:
    linter = app.linter(app.library)
    said = [one for issue in app.library.source.ids() for one in linter.lint(issue)]
    assert [one for one in said if one.severity is Severity.ERROR] == []
    assert {one.code for one in said} <= {"DM107", "DM121"}  # no citation known; a topic that no sample reader follows
    assert list(linter.lint_words()) == []


# -- templates

MISTAKES = [
    ('<h3 class="title"', '<mj-txt class="title"', "DM301"),
    ('<mj-column padding="24px 0px 8px">', '<mj-column paddin="24px 0px 8px">', "DM303"),
    ('padding="24px 0px 8px"', 'padding="24px 0 8px"', "DM306"),
    ('border-color="{{ theme.hairline }}"', 'border-color="#ccc"', "DM307"),
    ("<mj-divider ", "<mj-dvider ", "DM302"),
    ('<h4>{{ _("In numbers") }}</h4>', "<h4>p < .05</h4>", "DM301"),
    ("{{ article.takeaway }}", "{{ article.takeway }}", "DM320"),
    ("{% endif %}", "{% endfi %}", "DM320"),
]


@pytest.mark.parametrize(("old", "new", "code"), MISTAKES, ids=lambda text: text[:24])
def test_a_mistake_in_a_template_is_found_in_its_line(app: App, old: str, new: str, code: str) -> None:
    line = own_template(app, "article.mjml.j2", old, new)
    assert ("templates/article.mjml.j2", line, code) in found(app)


def test_a_mistake_in_a_stylesheet_is_found_in_its_file(app: App) -> None:
    own_template(app, "responsive.css", "@media only", "@media x { @media only")
    assert {(path, code) for path, _, code in found(app)} >= {("templates/responsive.css", "DM314")}


def test_the_brief_template_is_checked_where_it_is_used(app: App) -> None:
    own_template(app, "brief.mjml.j2", "<mj-text>", '<mj-text colour="#000000">')
    assert found(app) == []
    change(app, "max_html_kb = 92", "max_html_kb = 40", "digest.toml")
    app = _again(app)
    assert "DM303" in {code for _, _, code in found(app)}


def test_a_mail_without_the_way_out_is_never_approved(app: App) -> None:
    own_template(app, "digest.mjml.j2", "edition.unsubscribe_url", "edition.web_url")
    assert "DM406" in {code for _, _, code in found(app)}
    with pytest.raises(IssueError) as caught:
        app.approver(app.library).approve(IssueId(JULY), "tests", "")
    assert "DM406" in {one.code for one in caught.value.diagnostics}


def test_an_edition_that_cannot_be_made_says_why(app: App) -> None:
    own_template(app, "article.mjml.j2", "{{ article.url | safe_url }}", "{{ 'javascript:x' | safe_url }}")
    (one,) = [one for one in lint(app) if one.code == "DM321"]
    assert "javascript:x" in one.message
    assert one.severity is Severity.ERROR


def test_lint_makes_no_database(tmp_path: Path) -> None:
    app = make_publication(tmp_path, people=False, approved=())
    assert lint(app) == []
    assert not (app.state / "digest.db").exists()


# -- issues


def test_a_link_of_the_author_is_found_in_the_author_s_line(app: App) -> None:
    line = change(app, "Some of what therapists do", "See [here](https://example.org/x). Some of what therapists do")
    (one,) = [one for one in lint(app) if one.code == "DM412"]
    assert (one.path, one.line, one.severity) == (ISSUE, line, Severity.WARNING)
    assert "(edition en-1 and " in one.message  # not all editions show that article


def test_a_translation_is_checked_as_its_readers_get_it(app: App) -> None:
    name = "newsletters/2023-06.fr.md"
    line = change(app, "De telles enquêtes", "Voir [ici](https://example.org/y). De telles enquêtes", name)
    assert (name, line, "DM412") in found(app, "2023-06")


def test_an_edition_that_had_to_be_shortened_is_named(app: App) -> None:
    change(app, "max_html_kb = 92", "max_html_kb = 40", "digest.toml")
    said = [one for one in lint(_again(app)) if one.code == "DM402"]
    assert said
    assert all(one.severity is Severity.WARNING for one in said)
    assert "(edition en-1.2.3 and 1 more)" in said[0].message


def test_a_translation_that_nobody_gets_is_told(app: App) -> None:
    change(app, 'languages = ["en", "fr"]', 'languages = ["en"]', "digest.toml")
    assert ("newsletters/2023-06.fr.md", 1, "DM132") in found(_again(app), "2023-06")


def test_a_stray_translation_is_told(app: App) -> None:
    (app.root / "newsletters" / "1999-01.fr.md").write_text("x", "utf-8")
    (app.root / "newsletters" / "2022-02.fr.md").write_text("x", "utf-8")
    paths = [one.path for one in app.library.strays()]
    assert paths == ["newsletters/1999-01.fr.md", "newsletters/2022-02.fr.md"]


def test_words_that_a_language_lacks_are_named(app: App) -> None:
    words = app.root / "templates" / "translations" / "es.po"
    words.parent.mkdir(parents=True)
    words.write_text('msgid "Pause"\nmsgstr "Pausa"\n', "utf-8")
    change(app, 'languages = ["en", "fr"]', 'languages = ["en", "es"]', "digest.toml")
    app = _again(app)
    lacking = list(app.linter(app.library).lint_words())
    assert {(one.path, one.code) for one in lacking} == {("templates/translations/es.po", "DM133")}
    assert '"Unsubscribe" is not translated' in [one.message for one in lacking]


def test_what_is_safe_is_fixed_and_nothing_else(app: App) -> None:
    path = app.root / ISSUE
    change(app, "https://doi.org/10.1037/0000358-006", "http://dx.doi.org/10.1037/0000358-006")
    before = path.read_text("utf-8")
    assert "DM120" in {code for _, _, code in found(app)}
    (said,) = app.fixer(app.library).fix([IssueId(JULY)])
    assert said.startswith(f"{ISSUE}:")
    assert "DM120" in said
    assert path.read_text("utf-8") == before.replace("http://dx.doi.org/", "https://doi.org/")
    assert "DM120" not in {code for _, _, code in found(app)}
    assert app.fixer(app.library).fix([IssueId(JULY)]) == []


# -- a browser and the network


class Eye:
    """Sees one mistake in the edition of the first article alone."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def look(self, html: str) -> list[Finding]:
        self.seen.append(html)
        alone = "that Do Not Work" in html and "that Work" not in html and "Related to Patient" not in html
        return [Finding("DM502", "too wide", near="Some of what therapists do")] if alone else []


def test_a_browser_sees_every_edition_as_a_reader_gets_it(app: App) -> None:
    eye = Eye()
    (one, *others) = app.linter(app.library).look(IssueId(JULY), eye)
    assert len(eye.seen) == 14
    assert "__DM_" not in "".join(eye.seen)
    assert others == []
    assert (one.path, one.code) == (ISSUE, "DM502")
    assert "(edition en-1 and 1 more)" in one.message


def test_what_cannot_be_approved_is_not_looked_at(app: App) -> None:
    change(app, "subject:", "subjct:")
    eye = Eye()
    assert list(app.linter(app.library).look(IssueId(JULY), eye)) == []
    assert eye.seen == []


def test_every_address_but_the_publication_s_own_is_asked_once(app: App) -> None:
    asked: list[str] = []

    def asker(urls: Iterable[str]) -> dict[str, LinkAnswer]:
        asked.extend(urls)
        answers = {url: LinkAnswer(url, 200) for url in asked}
        return answers | {url: LinkAnswer(url, problem=NO_HOST) for url in asked if "0000358-006" in url}

    (one,) = app.linter(app.library).ask([IssueId(JULY)], asker)
    assert sorted(asked) == sorted(set(asked))
    assert not [url for url in asked if url.startswith(app.publication.base_url)]
    assert (one.path, one.code, one.severity) == (ISSUE, "DM601", Severity.ERROR)
    assert "10.1037/0000358-006" in (app.root / ISSUE).read_text("utf-8").split("\n")[one.line - 1]


def _again(app: App) -> App:
    """The publication with its settings read anew."""
    return build_app(app.root, clock=app.clock)
