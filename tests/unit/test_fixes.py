"""Slips put right: what lint tells as one is changed, nothing else is, and the issue says what it said."""

import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core_support import CORPUS, ROOT, catalogue, texts, vocabulary
from digest_mailer.core.fixes import FIXABLE, MARK, Fix, find_slips, fix_text
from digest_mailer.core.identity import TopicKey
from digest_mailer.core.issue_file import examine_issue, parse_issue, read_source
from digest_mailer.core.lint import check_issue
from digest_mailer.core.topic import Catalogue, Topic

CASES = sorted((CORPUS / "lint").glob("*.md"))
SAMPLES = sorted((ROOT / "newsletters").glob("2*.md"))
GOOD = (CORPUS / "lint" / "good.md").read_text("utf-8")
BY_HAND = "by hand"
OLD = "http://dx.doi.org/10.1000/x"
NEW = "https://doi.org/10.1000/x"
PIECES = [
    "\u200b", "\u200b", "\u200d", "\u00ad", "\ufeff", "👩", "ن", OLD, "http://doi.org/", "dx.do", "i.org/10.1", "`",
    "```\n", "~~~\n", "# Title\n", "\n", "\r\n", "\n\n", "- ", "> ", "1", ". ", "[a]", "(", ")", "[a]: ", "word", " ",
    ": ", "---\n", "topics:\n", "topics: [", "]", "  - ", "CBT", "empathy", "Dropout", "'", '"', "key: ", "subject: ",
    "\t",
    "```yaml\n", "&a ", "*a", "|\n", ">\n", "\\", "*", "_", "null", "~", "#", "\u2028", "\x85", "\x00",
]  # fmt: skip
soups = st.lists(st.sampled_from(PIECES), max_size=25).map("".join)


def told(text: str) -> list[tuple[int, int, str, bool]]:
    """What lint says that can be fixed: line, column, code, and whether only by hand."""
    issue, _ = examine_issue(text.encode("utf-8", "replace"), "2023-07.md", vocabulary())
    found = check_issue(issue, catalogue(), {}) if issue else []
    return [(one.line, one.col, one.code, BY_HAND in one.hint) for one in found if one.code in FIXABLE]


def in_settings(topics: str) -> str:
    return GOOD.replace("topics:\n  - Empathy\n", topics)


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_what_lint_tells_is_what_is_fixed(path: Path, line_end: str) -> None:
    text = path.read_text("utf-8").replace("\n", line_end)
    fixed, fixes = fix_text(text, catalogue())
    assert [(one.line, one.col, one.code, False) for one in fixes] == [one for one in told(text) if not one[3]]
    assert {one[3] for one in told(fixed)} <= {True}
    assert (fixed == text) == (not fixes)
    assert len(re.findall("\r\n|\r|\n", fixed)) == len(re.findall("\r\n|\r|\n", text)) - path.read_text().count(
        "\n    Style"
    )
    assert {"\n": "\r", "\r\n": "", "\r": "\n"}[line_end] not in fixed or line_end == "\r\n"


def test_only_what_was_told_changes() -> None:
    text = GOOD.replace("https://doi.org/10.1000/staying", OLD).replace("- Empathy", "- Anxiety  # a remark")
    text = f"{MARK}{text.rstrip()}\u200b and on  "
    fixed, fixes = fix_text(text.replace("\n", "\r\n"), catalogue())
    wanted = (
        text.replace(OLD, NEW).replace("Anxiety ", "Anxiety Disorders ").replace("\u200b", "").replace("\n", "\r\n")
    )
    assert fixed == wanted
    assert fixes == (
        Fix(11, 5, "DM124", "Anxiety", "Anxiety Disorders"),
        Fix(13, 54, "DM120", "http://dx.doi.org/", "https://doi.org/"),
        Fix(21, 30, "DM122", "\u200b", ""),
    )


@pytest.mark.parametrize(
    ("topics", "fixed"),
    [
        ("topics: Dropout\n", "topics: Attendance, Attrition, and Drop-Out\n"),
        ("topics: [Dropout]\n", 'topics: ["Attendance, Attrition, and Drop-Out"]\n'),
        ("topics: ['Dropout', Anxiety]\n", "topics: ['Attendance, Attrition, and Drop-Out', Anxiety Disorders]\n"),
        ('topics:\n  - "Drop\\u002DOut"\n', 'topics:\n  - "Attendance, Attrition, and Drop-Out"\n'),
        ("topics:\n  -   COMMON   FACTORS\n", "topics:\n  -   Common Factors\n"),
        ("topics:\n  - Attachment\n    Style\n", "topics:\n  - Attachment\n"),
        ("topics:\n  - EMPATHIE\n", "topics:\n  - Empathie\n"),
        ("topics:\n  - empathy\n", "topics:\n  - empathy\n"),  # its key
        ("topics:\n  - CB\u200bT\n", "topics:\n  - Cognitive Therapy (CT) and Cognitive-Behavioural Therapy (CBT)\n"),
        ("topics:\n  - &one CBT\n", "topics:\n  - &one CBT\n"),  # more than a text: left alone
        ("topics:\n  - >\n    CBT\n", "topics:\n  - >\n    CBT\n"),
        ("topics:\n  - Astrology\n", "topics:\n  - Astrology\n"),
    ],
)
def test_a_topic_is_spelled_as_in_the_catalogue(topics: str, fixed: str) -> None:
    assert fix_text(in_settings(topics), catalogue())[0] == in_settings(fixed)


@pytest.mark.parametrize(
    "name", ["Warmth: a study", "# 1", 'It\'s "warm" \\o/', "null", "- x", "Yes, [no]", "warmth & care"]
)
@pytest.mark.parametrize("form", ["topics: {}\n", "topics: [{}, Empathy]\n"])
@pytest.mark.parametrize("typed", ["Warm", "'Warm'", '"Warm"'])
def test_a_name_that_yaml_would_misread_is_quoted(name: str, form: str, typed: str) -> None:
    odd = Catalogue((Topic(0, TopicKey("warm"), name, aliases=("Warm",)), Topic(1, TopicKey("empathy"), "Empathy")))
    fixed, fixes = fix_text(in_settings(form.format(typed)), odd)
    assert len(fixes) == 1
    (first, *_) = [one for one in read_source(fixed, odd).written if one.field == "topics"]
    assert first.text == name.strip(" ")


def test_a_name_that_means_another_topic_is_no_better_spelling() -> None:
    names = (Topic(0, TopicKey("one"), "One", aliases=("Two",)), Topic(1, TopicKey("two"), "Two", aliases=("Second",)))
    text = in_settings("topics:\n  - Second\n")
    assert fix_text(text, Catalogue(names)) == (text, ())


def test_an_address_that_hid_behind_an_invisible_character_is_fixed_too() -> None:
    text = GOOD.replace("https://doi.org/10.1000/staying", "http://dx.do\u200bi.org/10.1000/x")
    fixed, fixes = fix_text(text, catalogue())
    assert fixed == GOOD.replace("https://doi.org/10.1000/staying", NEW)
    assert sorted(told(text)) == sorted((one.line, one.col, one.code, False) for one in fixes)


def test_settings_that_stand_indented_are_fixed_where_they_stand() -> None:
    settings = re.search("```yaml.*?```\n", GOOD, re.DOTALL)
    assert settings
    indented = GOOD.replace(settings[0], re.sub("(?m)^", "  ", settings[0]).rstrip(" ")).replace("- Empathy", "- CBT")
    assert told(indented) == [(11, 7, "DM124", False)]
    assert "      - Cognitive Therapy (CT)" not in fix_text(indented, catalogue())[0]
    assert "    - Cognitive Therapy (CT)" in fix_text(indented, catalogue())[0]


def test_a_line_end_that_only_yaml_knows_moves_no_place() -> None:
    text = GOOD.replace("Warmth keeps people coming.", f"'Warmth\u2028keeps'\nopen_access: {OLD}")
    assert told(text) == [(15, 14, "DM120", False)]
    assert fix_text(text, catalogue())[0] == text.replace(OLD, NEW)


def test_too_many_lines_that_hold_together_are_left_to_a_person() -> None:
    lines = "\n\n".join(f"\u200b- line {number} of wor\u200bds" for number in range(20))
    text = GOOD.replace("People who felt understood stayed longer.", f"{lines}\n\nwo\u200brd")
    assert fix_text(text, catalogue()) == (text, ())
    assert len(told(text)) == 41
    few = GOOD.replace("People who felt understood stayed longer.", "\u200b- one\n\nwo\u200brd")
    assert fix_text(few, catalogue())[0] == few.replace("wo\u200brd", "word")


def test_a_file_without_articles_is_left_alone() -> None:
    for text in ("", MARK, "\u200b", f"---\nsubject: {OLD}\n---\n\nWords\u200b.\n"):
        assert fix_text(text, catalogue()) == (text, ())


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_the_sample_has_no_slips(path: Path) -> None:
    text = path.read_text("utf-8")
    assert fix_text(text, catalogue()) == (text, ())


# -- any text


@given(st.one_of(soups, texts()))
def test_any_text_may_be_given(text: str) -> None:
    fixed, fixes = fix_text(text, catalogue())
    assert (fixed == text) == (not fixes)


@given(st.integers(0, len(GOOD)), soups)
@example(6, '\u200b"a" b')
@example(len(GOOD), "\n\n\u200b# Title\n")
@example(4, "topics: [CBT]\n")
def test_any_issue_is_fixed_once_and_says_what_it_said(place: int, soup: str) -> None:
    text = GOOD[:place] + soup + GOOD[place:]
    fixed, fixes = fix_text(text, catalogue())
    assert [one for one in told(text) if not one[3]] == [(one.line, one.col, one.code, False) for one in fixes]
    assert [one for one in told(fixed) if not one[3]] == [], "what could be fixed was"
    assert fix_text(fixed, catalogue()) == (fixed, ()), "once is enough"
    (mistakes, *said), (mistakes_before, *said_before) = _essence(fixed), _essence(text)
    assert set(mistakes) <= set(mistakes_before), "a fix makes no mistakes"
    if mistakes == mistakes_before:
        assert said == said_before


def _essence(text: str) -> tuple[list[str], object]:
    """What the parser makes of a text, its slips aside."""
    issue, found = examine_issue(text.encode("utf-8", "replace"), "2023-07.md", vocabulary())
    mistakes = [one.code for one in found]
    if issue is None:
        return mistakes, None
    articles = [
        (_bare(one.title), _bare(one.body), _bare(one.implications), _bare(one.takeaway), len(one.figures))
        for one in issue.articles
    ]
    return mistakes, (_bare(issue.subject), _bare(issue.preheader), articles)


def _bare(text: str) -> str:
    text = re.sub("[\u200b\u200c\u200d\u2060\ufeff\u00ad]", "", text)
    return " ".join(re.sub(r"(?i)https?://(dx\.|www\.)?doi\.org/", "doi:", text).split())


@given(
    st.lists(st.tuples(st.sampled_from(range(len(GOOD.split()))), st.sampled_from("\u200b\u2060\u00ad\ufeff\u200d")))
)
def test_invisible_characters_within_words_all_go(places: list[tuple[int, str]]) -> None:
    pieces = re.split(r"(\s+)", GOOD)
    for place, char in places:
        word = pieces[2 * place % len(pieces)]
        if len(word) > 3 and word.isalpha():
            pieces[2 * place % len(pieces)] = word[:2] + char + word[2:]
    text = "".join(pieces)
    fixed, _ = fix_text(text, catalogue())
    assert fixed == GOOD


def test_a_hostile_file_takes_no_longer_than_its_size_asks() -> None:
    for hostile in ("\u200b" * 20_000, "a\u200b " * 5_000, f"{OLD} " * 2_000, "\u200b\n" * 2_000, "`\u200b" * 2_000):
        fix_text(GOOD.replace("People who felt", hostile), catalogue())


def test_what_is_found_in_an_issue_is_what_is_found_in_its_text() -> None:
    text = (CORPUS / "lint" / "topics-spelled-otherwise.md").read_text("utf-8")
    issue = parse_issue(text.encode(), "2023-07.md", vocabulary())
    assert find_slips(issue.source, catalogue()).fixes == fix_text(text, catalogue())[1]
