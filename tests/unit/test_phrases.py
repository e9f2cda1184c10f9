"""The mail's own words: all of them in French, and what happens when some are missing."""

import io
import re
import string

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from core_support import ROOT
from digest_mailer.core.errors import ContentError
from digest_mailer.core.identity import ENGLISH, FRENCH, IssueId, Language
from digest_mailer.rendering.phrases import direction_of, name_of_language, read_phrases, untranslated
from rendering_support import SOURCES

MAIL = "translations/fr.po"
SITE = "web/translations/fr.po"
SOURCE = SOURCES[MAIL]
MAPPINGS = {
    MAIL: [("src/digest_mailer/rendering/**.py", "python"), ("templates/*.j2", "jinja2")],
    SITE: [
        ("src/digest_mailer/web/**.py", "python"),
        ("src/digest_mailer/services/letters.py", "python"),
        ("templates/web/**.j2", "jinja2"),
    ],
}
both = pytest.mark.parametrize("name", MAPPINGS)


def said(name: str) -> set[str | tuple[str, ...]]:
    """Every message of the program and the templates, of the mail or of the site."""
    keywords = {"_": None, "gettext": None, "ngettext": (1, 2)}
    found = extract_from_dir(str(ROOT), method_map=MAPPINGS[name], keywords=keywords)
    return {message for _, _, message, _, _ in found}


def french(name: str) -> dict[str | tuple[str, ...], tuple[str, ...]]:
    catalogue = read_po(io.StringIO((ROOT / "templates" / name).read_text(encoding="utf-8")))
    forms = {
        message.id: message.string if isinstance(message.string, tuple) else (message.string,)
        for message in catalogue
        if message.id
    }
    assert not any(message.fuzzy for message in catalogue if message.id)
    return forms  # type: ignore[return-value]


@both
def test_every_message_is_translated_and_nothing_else(name: str) -> None:
    assert said(name) == set(french(name))
    assert len(said(name)) > 25
    assert all(all(forms) for forms in french(name).values())


@both
def test_a_translation_keeps_the_places_to_fill_in(name: str) -> None:
    for message, forms in french(name).items():
        source = message if isinstance(message, str) else message[0]
        for form in forms:
            assert fields(form) == fields(source), form


def fields(message: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(message) if name}


@both
def test_french_has_its_spaces_before_signs(name: str) -> None:
    for forms in french(name).values():
        for form in forms:
            assert not re.search(r"[ \w][;!?»]|«[ \w]|[ \w]:", form), form


def test_plurals_months_and_lists_are_the_language_s_own() -> None:
    phrases = read_phrases(FRENCH, SOURCE)
    assert [phrases.ngettext("{count} study", "{count} studies", n) for n in (0, 1, 2)] == [
        "0 étude", "1 étude", "2 études",
    ]  # fmt: skip
    assert (phrases.month(IssueId("2023-08")), phrases.month_title(IssueId("2023-08"))) == ("août 2023", "Août 2023")
    assert phrases.listed(["a", "b", "c"]) == "a, b et c"
    assert phrases.language_name(ENGLISH) == "anglais"
    english = read_phrases(ENGLISH, None)
    assert english.listed(["a", "b", "c"]) == "a, b and c"
    assert english.month_title(IssueId("2023-08")) == "August 2023"


def test_directions() -> None:
    assert [direction_of(Language(tag)) for tag in ("en", "fr", "he", "ar", "fr-CA", "qqq")] == [
        "ltr", "ltr", "rtl", "rtl", "ltr", "ltr",
    ]  # fmt: skip


def test_what_languages_call_themselves() -> None:
    names = [name_of_language(Language(tag)) for tag in ("en", "fr", "de", "qqq", "no tag")]
    assert names == ["English", "Français", "Deutsch", "qqq", "no tag"]


def test_a_language_without_words_is_refused_with_what_to_do() -> None:
    with pytest.raises(ContentError, match='no words in "es"') as caught:
        read_phrases(Language("es"), None)
    assert "templates/translations/es.po" in caught.value.hint


@pytest.mark.parametrize("broken", ["not a po file", 'msgid "a"\nmsgid "b"\n'])
def test_a_broken_file_of_words_is_refused(broken: str) -> None:
    with pytest.raises(ContentError, match=r"translations/es\.po"):
        read_phrases(Language("es"), broken)


def test_what_a_language_lacks_is_named() -> None:
    words = 'msgid "Pause"\nmsgstr "Pausa"\n\n#, fuzzy\nmsgid "Source"\nmsgstr "Fuente"\n'
    missing = untranslated({**SOURCES, "translations/es.po": words}, Language("es"), FRENCH)
    assert "Pause" not in missing
    assert "Source" in missing
    assert untranslated(SOURCES, FRENCH, FRENCH) == untranslated(SOURCES, ENGLISH, FRENCH) == []
