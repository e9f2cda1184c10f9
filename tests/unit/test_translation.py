"""An issue in another language, and the edition that its readers get."""

from dataclasses import replace

import pytest

from core_support import JULY, issue_of, vocabulary
from digest_mailer.core.edition import EditionKey
from digest_mailer.core.errors import Severity
from digest_mailer.core.identity import ENGLISH, FRENCH, Language, parse_issue_name
from digest_mailer.core.issue import Figure, Issue, Markdown
from digest_mailer.core.issue_file import TRANSLATED_ARTICLE_FIELDS, examine_issue
from digest_mailer.core.publication import Words
from digest_mailer.core.translation import check_translation, in_language
from rendering_support import Parts, compiled, context_of, marked_article, marked_issue, parts_of, words

TEXT = """---
subject: Ce qui aide
preheader: Trois chapitres, en français.
teaser:
  - thème un
  - thème deux
  - thème trois
---

# Titre un

```yaml
key: study-1
takeaway: "Constat un : d = .58 !"
figures:
  - value: "1 535"
    meaning: personnes
```

Le corps un dit "bonjour" ; c'est tout.

## Implications pour la pratique

En pratique un.

## Appel à l'action

Participez un.

# Titre deux

```yaml
key: study-2
takeaway: Constat deux.
figures:
  - value: "12"
    meaning: personnes
```

Le corps deux.

## Practice Implications

En pratique deux.
"""


def translation(text: str = TEXT) -> Issue:
    issue, found = examine_issue(text.encode(), "newsletters/2023-07.fr.md", vocabulary())
    assert found == []
    assert issue is not None
    return issue


def original() -> Issue:
    return replace(marked_issue(), translations=(translation(),))


def french(issue: Issue, *positions: int) -> Parts:
    chosen = positions or (1, 2, 3)
    context = context_of(languages=(ENGLISH, FRENCH))
    return parts_of(compiled(in_language(issue, FRENCH), *chosen, language=FRENCH, context=context))


@pytest.mark.parametrize(
    ("stem", "named"),
    [("2023-07", (JULY, None)), ("2023-07.fr", (JULY, FRENCH)), ("2023-07.", None), ("2023-13.fr", None),
     ("2023-07.FR", None), ("2023-07.fr.md", None), ("notes", None), ("2023-07.french", None)],
)  # fmt: skip
def test_a_file_is_named_after_its_month_and_its_language(stem: str, named: object) -> None:
    assert parse_issue_name(stem) == named


def test_what_is_translated_is_french_and_what_is_not_stays_as_it_is() -> None:
    issue = in_language(original(), FRENCH)
    assert (issue.subject, issue.language) == ("Ce qui aide", "fr")
    assert [(article.title, article.language) for article in issue.articles] == [
        ("Titre un", "fr"), ("Titre deux", "fr"), ("Title3 of a study", "en"),
    ]  # fmt: skip
    assert issue.articles[0].figures == (Figure("1 535", "personnes"),)
    first, untouched = original().articles[0], issue.articles[0]
    assert (untouched.key, untouched.topics, untouched.citation) == (first.key, first.topics, first.citation)


def test_a_language_without_a_translation_changes_nothing() -> None:
    assert in_language(original(), Language("es")) == original()
    assert in_language(original(), ENGLISH) == original()


def test_a_translation_says_words_only() -> None:
    assert "topics" not in TRANSLATED_ARTICLE_FIELDS
    text = TEXT.replace("key: study-1\n", "key: study-1\ntopics: [Empathy]\n").replace(
        "---\nsubj", "---\npublished: x\nsubj"
    )
    _, found = examine_issue(text.encode(), "newsletters/2023-07.fr.md", vocabulary())
    assert [(one.code, one.line) for one in found] == [("DM007", 2), ("DM007", 15)]


def test_a_stranger_is_an_error_and_a_gap_a_warning() -> None:
    issue = replace(original(), articles=original().articles[:2])
    assert [one.code for one in check_translation(issue, translation())] == ["DM131"]  # call to action of the second
    strange = translation(TEXT.replace("key: study-2", "key: study-22"))
    found = {(one.code, one.severity, one.line) for one in check_translation(issue, strange)}
    assert ("DM040", Severity.ERROR, 33) in found
    assert ("DM130", Severity.WARNING, 1) in found
    bare = check_translation(issue, translation(TEXT.replace("subject: Ce qui aide\n", "")))
    assert "the subject of the issue is not translated" in [one.message for one in bare]


def test_a_french_edition_is_french_throughout() -> None:
    parts = french(original(), 1, 2)
    assert (parts.document.get("lang"), parts.document.get("dir")) == ("fr", "ltr")
    assert (1, "Juillet 2023") in parts.headings
    assert (4, "Implications pour la pratique") in parts.headings
    assert "Ce mois-ci\u00a0: " in parts.html.replace("&nbsp;", "\u00a0")
    assert "2 études · 1 minute de lecture" in parts.seen
    assert "En chiffres" in parts.text
    assert "Se désabonner" in parts.text
    assert "/fr/issues/2023-07/" in parts.text
    assert "traduits" not in parts.seen
    assert not parts.document.xpath("//body//*[@lang='en']")


def test_french_is_set_with_its_own_spaces_and_marks() -> None:
    html = french(original(), 1).html.replace("&nbsp;", "\u00a0")
    for shown in ("Constat un\u00a0: d\u00a0=\u00a0.58\u202f!", "«\u202fbonjour\u202f»\u202f; c’est", "1\u00a0535"):
        assert shown in html
    assert "« bonjour » ; c’est" in french(original(), 1).text


def test_an_untranslated_article_says_so_and_names_its_language() -> None:
    parts = french(original())
    assert "Certains articles de ce numéro ne sont pas traduits : ils sont en anglais." in words(parts.seen)
    (title,) = parts.document.xpath("//h3[@lang='en']")
    assert words(title.text_content()) == "Title3 of a study"
    (body,) = parts.document.xpath("//p[contains(., 'Body3')]/ancestor::*[@lang][1]")
    assert (body.get("lang"), body.get("dir")) == ("en", "ltr")
    whole = french(marked_issue())
    assert "Les articles de ce numéro ne sont pas traduits : ils sont en anglais." in words(whole.seen)
    assert (1, "Juillet 2023") in whole.headings
    assert "This month: phrase1" in whole.seen


def test_the_publication_speaks_of_itself_in_french_too() -> None:
    said = {FRENCH: Words(name="Bulletin", author="la rédaction", masthead="Chaque mois.")}
    context = context_of(languages=(ENGLISH, FRENCH), translations=said)
    seen = parts_of(compiled(marked_issue(), language=FRENCH, context=context)).seen
    assert "Bulletin" in seen
    assert "Par la rédaction" in seen
    assert "Chaque mois." in seen
    assert context.publication.in_language(ENGLISH) is context.publication


def test_the_same_readers_get_the_same_articles_in_every_language() -> None:
    for positions in ((1,), (1, 3), (1, 2, 3)):
        one = compiled(in_language(original(), FRENCH), *positions, language=FRENCH)
        other = compiled(original(), *positions)
        assert one.articles == other.articles
        assert [label.ordinal for label in one.labels] == [label.ordinal for label in other.labels]
        assert one.key == EditionKey(FRENCH, positions)


HEBREW = Language("he")
HEBREW_WORDS = """
msgid ""
msgstr ""
"Language: he\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\\n"

msgid "In this issue"
msgstr "בגיליון זה"
"""


def test_a_language_from_right_to_left_is_set_from_right_to_left() -> None:
    context = context_of({"translations/he.po": HEBREW_WORDS}, languages=(ENGLISH, HEBREW))
    article = marked_article(1, title="כותרת", body=Markdown("טקסט"), language=HEBREW)
    parts = parts_of(compiled(issue_of(article, marked_article(2)), language=HEBREW, context=context))
    assert (parts.document.get("lang"), parts.document.get("dir")) == ("he", "rtl")
    assert "בגיליון זה" in parts.seen
    assert "border-right:4px" in parts.html
    assert not parts.document.xpath("//h3[contains(., 'כותרת')][@dir]")
    (foreign,) = parts.document.xpath("//h3[contains(., 'Title2')]")
    assert (foreign.get("lang"), foreign.get("dir")) == ("en", "ltr")
    assert "text-align:left" in foreign.get("style")
    (aligned,) = parts.document.xpath("//p[contains(., 'טקסט')]/ancestor::td[1]/@align")
    assert aligned == "right"
