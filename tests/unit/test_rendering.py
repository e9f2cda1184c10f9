"""Editions as HTML and text: what stands where, and that both parts say the same."""

import re
from dataclasses import replace
from datetime import date
from itertools import pairwise
from typing import Any

import pytest

from core_support import FRENCH, JULY, article_of, issue_of, sample_issue, topics
from digest_mailer.core.archive import ArchiveEntry, before, index
from digest_mailer.core.edition import EditionKey, Slot, encode_edition
from digest_mailer.core.identity import ENGLISH, IssueId
from digest_mailer.core.issue import Issue, Markdown
from digest_mailer.rendering.assemble import MAX_PREVIOUS, build_model
from digest_mailer.rendering.model import EditionModel
from rendering_support import (
    BASE,
    CONTEXT,
    VALUES,
    Parts,
    compiled,
    context_of,
    marked_article,
    marked_issue,
    overlong,
    parts_of,
    rendered,
    words,
)

WHOLE = EditionKey(ENGLISH, (1, 2, 3))


def model(issue: Issue, key: EditionKey = WHOLE, past: tuple[ArchiveEntry, ...] = ()) -> EditionModel:
    return build_model(issue, key, past, CONTEXT)


@pytest.fixture(scope="module")
def july() -> Parts:
    """The sample issue of July 2023, after those of June and January."""
    issues = [sample_issue(name) for name in ("2023-01", "2023-06", "2023-07")]
    return rendered(issues[-1], past=before(index(issues), JULY))


@pytest.fixture(scope="module")
def whole() -> Parts:
    return rendered(marked_issue())


# -- the model


def test_sections_are_first_topics_in_order_of_appearance() -> None:
    sections = model(marked_issue()).sections
    assert [(s.name, [a.title for a in s.articles]) for s in sections] == [
        ("Empathy", ["Title1 of a study", "Title3 of a study"]),
        ("Training", ["Title2 of a study"]),
    ]
    assert sections[0].url == f"{BASE}/topics/empathy/"


def test_articles_are_numbered_in_the_order_in_which_they_stand() -> None:
    assert [(a.number, a.anchor) for a in model(marked_issue()).articles] == [(1, "a1"), (2, "a2"), (3, "a3")]


def test_a_draft_without_topics_still_has_a_section() -> None:
    assert [s.name for s in model(issue_of(article_of("one")), EditionKey(ENGLISH, (1,))).sections] == ["Other studies"]


@pytest.mark.parametrize(
    ("positions", "sentence"),
    [
        ((1,), "This month: phrase1."),
        ((1, 3), "This month: phrase1 and phrase3."),
        ((1, 2, 3), "This month: phrase1, phrase2 and phrase3."),
    ],
)
def test_the_teaser_has_the_phrases_of_the_shown_articles(positions: tuple[int, ...], sentence: str) -> None:
    assert model(marked_issue(), EditionKey(ENGLISH, positions)).teaser == sentence


def test_a_teaser_of_another_length_is_shown_whole() -> None:
    issue = replace(marked_issue(), teaser=("a", "b"))
    assert model(issue, EditionKey(ENGLISH, (3,))).teaser == "This month: a and b."


def test_no_teaser_is_no_sentence() -> None:
    assert model(replace(marked_issue(), teaser=())).teaser == ""


def test_reading_time_counts_the_shown_articles() -> None:
    long = replace(marked_article(1), body=Markdown("word " * 238 * 4))
    issue = issue_of(long, marked_article(2))
    assert model(issue, EditionKey(ENGLISH, (1,))).reading == "4 minute read"
    assert model(issue, EditionKey(ENGLISH, (2,))).reading == "1 minute read"


def test_the_issue_signs_before_the_publication() -> None:
    assert model(marked_issue()).byline == "By the editors"
    assert model(marked_issue(author="a guest")).byline == "By a guest"


@pytest.mark.parametrize("positions", [(), (0,), (4,), (1, 9)])
def test_a_selection_that_the_issue_lacks_is_refused(positions: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="3 articles"):
        model(marked_issue(), EditionKey(ENGLISH, positions))


def test_another_language_names_topics_and_addresses_in_it() -> None:
    edition = compiled(marked_issue(), language=FRENCH)
    parts = parts_of(edition)
    assert [label.name for label in edition.labels if "mpathi" in label.name] == ["Empathie"]
    assert f"{BASE}/fr/articles/study-1/" in parts.links
    assert "Empathie" in parts.text


# -- past issues


LONG_AGO = date(2022, 1, 1)
PAST = (
    issue_of(
        *(article_of(f"past-{n}", "Empathy", title=f"Past{n}") for n in range(1, 5)),
        id=IssueId("2023-05"),
        subject="May subject",
        published=LONG_AGO,
    ),
    issue_of(
        article_of("older", "Attachment", title="Older"), id=IssueId("2022-11"), title="Special", published=LONG_AGO
    ),
    issue_of(article_of("other", "Depression", title="Unrelated"), id=IssueId("2022-10"), published=LONG_AGO),
)


def test_up_to_three_related_articles_newest_first() -> None:
    past = before(index(PAST), JULY)
    assert [link.name for link in model(marked_issue(), past=past).related] == [f"May 2023: Past{n}" for n in (1, 2, 3)]
    only_attachment = issue_of(marked_article(1, "Attachment"))
    related = model(only_attachment, EditionKey(ENGLISH, (1,)), past).related
    assert [(link.name, link.url) for link in related] == [("November 2022: Older", f"{BASE}/articles/older/")]


def test_related_articles_are_those_of_the_shown_ones() -> None:
    past = before(index(PAST), JULY)
    assert model(marked_issue(), EditionKey(ENGLISH, (2,)), past).related == ()
    assert len(model(marked_issue(), EditionKey(ENGLISH, (1,)), past).related) == 3


def test_past_issues_are_the_newest_older_ones() -> None:
    past = before(index(PAST), JULY)
    previous = model(marked_issue(), past=past).previous
    assert (previous[0].name, previous[0].url) == ("May 2023: May subject", f"{BASE}/issues/2023-05/")
    assert previous[1].name == "November 2022: Special"
    assert len(previous) == MAX_PREVIOUS == 3


def test_related_and_previous_links_stand_in_both_parts() -> None:
    parts = rendered(marked_issue(), past=before(index(PAST), JULY))
    for url in (f"{BASE}/articles/past-1/", f"{BASE}/issues/2023-05/", f"{BASE}/issues/", f"{BASE}/issues/2023-07/"):
        assert url in parts.links
        assert url in parts.text.split("\n")
    assert "Unrelated" not in parts.html + parts.text


def test_the_first_issue_of_all_has_no_previous_one(whole: Parts) -> None:
    assert "Related articles" not in whole.html + whole.text
    assert f"{BASE}/issues/" in whole.links


# -- both parts


def test_one_first_heading_and_no_level_skipped(july: Parts) -> None:
    levels = [level for level, _ in july.headings]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - level <= 1 for level, after in pairwise(levels))


def test_headings_of_an_author_skip_no_level_either() -> None:
    body = Markdown("###### Design\n\nx\n\n### Findings\n\ny\n\n##### Detail\n\nz")
    parts = rendered(issue_of(marked_article(1, body=body, implications=body)))
    levels = [level for level, _ in parts.headings]
    assert all(after - level <= 1 for level, after in pairwise(levels))
    assert [level for level, name in parts.headings if name == "Detail"] == [5, 6]


def test_every_heading_of_the_html_is_in_the_text(july: Parts) -> None:
    text = words(july.text)
    assert [heading for _, heading in july.headings if heading not in text] == []


def test_every_link_of_the_html_is_in_the_text(july: Parts, whole: Parts) -> None:
    for parts in (july, whole):
        lines = re.sub(r"^\[\d+\] ", "", parts.text, flags=re.MULTILINE).split("\n")
        missing = {u.removeprefix("mailto:") for u in parts.links if not u.startswith("#")} - set(lines)
        assert missing == set()


def test_every_word_of_an_article_is_in_both_parts(whole: Parts) -> None:
    for number in (1, 2, 3):
        for word in (
            "Title",
            "Body",
            "prose",
            "Implications",
            "Author",
            "Reference",
            "Takeaway",
            "patients",
            "Invitation",
        ):
            assert f"{word}{number}" in whole.seen
            assert f"{word}{number}" in whole.text


def test_anchors_lead_to_the_articles(whole: Parts) -> None:
    targets = {str(one) for one in whole.document.xpath("//@id")}
    assert [link for link in whole.links if link.startswith("#")] == ["#a1", "#a2", "#a3"]
    assert {"a1", "a2", "a3"} <= targets


def test_the_doi_is_shown_once_and_as_an_address(whole: Parts) -> None:
    assert whole.seen.count("10.1234/study.1") == 1
    assert whole.text.count("10.1234/study.1") == 1
    assert "https://doi.org/10.1234/study.1" in whole.text.split("\n")


def test_statistics_stay_together(whole: Parts) -> None:
    assert "d\u00a0=\u00a0.58" in whole.document.text_content()
    assert "p\u00a0<\u00a0.001" in whole.document.text_content()
    assert "n\u00a0=\u00a0288" in whole.document.text_content()
    assert "d = .58" in whole.text
    assert "\u00a0" not in whole.text


def test_text_is_wrapped_at_72(july: Parts, whole: Parts) -> None:
    assert overlong(july.text) == []
    assert overlong(whole.text) == []
    assert "\n\n\n\n" not in july.text
    assert july.text.endswith("\n")


def test_only_a_line_that_goes_on_ends_in_a_space(july: Parts) -> None:
    quotation = Markdown("> one\n>\n> two")
    text = rendered(issue_of(marked_article(1, body=quotation))).text
    assert "> one\n>\n> two" in text
    for shown in (text, july.text):
        assert not re.search(r"[ \t] $|\t$", shown, re.MULTILINE)
        assert not re.search(r" \n(?:\n|- |\d+\. |https:|={3}|-{3})", shown)


def test_flowed_text_reads_as_its_paragraphs() -> None:
    """RFC 3676 section 4.1: a reader's program joins the lines, and takes the space in front of some away."""
    prose = "word " * 40 + "end."
    list_item = "- " + "item " * 30 + "last."
    text = rendered(issue_of(marked_article(1, body=Markdown(f"{prose}\n\n> {prose}\n\n{list_item}")))).text
    joined = unflowed(text)
    assert prose in joined
    assert f"> {prose}" in joined
    assert "\n  item" in joined  # hangs below its mark, as wide as it was written
    assert "\nFrom here" in unflowed(rendered(issue_of(marked_article(1, body=Markdown("From here on.")))).text)


def unflowed(text: str) -> str:
    lines: list[str] = []
    going_on = False
    for line in text.split("\n"):
        quoted = line.startswith(">")
        bare = line.lstrip(">").removeprefix(" ") if quoted or line.startswith(" ") else line
        if going_on:
            lines[-1] += bare
        else:
            lines.append(f"> {bare}" if quoted else bare)
        going_on = line.endswith(" ")
    return "\n".join(lines)


def test_the_text_part_has_nothing_of_the_html(july: Parts) -> None:
    assert not re.search(r"<[a-z/]|&[a-z]+;|\u00a0|\u034f|\ufeff", july.text)


def test_the_preheader_is_the_first_thing_in_the_body_and_not_in_the_text() -> None:
    parts = rendered(marked_issue(preheader="Only for the inbox."))
    assert parts.seen.startswith("Only for the inbox.")
    assert "Only for the inbox." not in parts.text


def test_without_a_preheader_nothing_is_hidden() -> None:
    assert "display:none" not in rendered(marked_issue(preheader="")).html


def test_language_and_direction_are_said(whole: Parts) -> None:
    assert (whole.document.get("lang"), whole.document.get("dir")) == ("en", "ltr")


def test_nothing_is_loaded_from_anywhere(july: Parts) -> None:
    assert not july.document.xpath("//img|//link|//script|//iframe|//form|//@srcset|//@background")
    assert not re.search(r"url\(|@import|@font-face", july.html)


def test_the_layout_keeps_what_mail_programs_need(july: Parts) -> None:
    assert july.html.startswith("<!DOCTYPE html>")
    assert "<!--[if mso" in july.html
    assert july.html.count("data-premailer") == 0
    tables = july.document.xpath("//table[not(@role='presentation') and not(.//th)]")
    assert tables == []
    assert "prefers-color-scheme: dark" in july.html
    assert ".ink h6 { color: #e6e9eb !important; }" in july.html  # a dark rule must win over what is inlined


def test_colours_come_from_the_theme() -> None:
    theme = replace(CONTEXT.publication.theme, accent="#123456", dark_card="#012345")
    html = rendered(marked_issue(), context=context_of(theme=theme)).html
    assert "color:#123456" in html
    assert "#012345 !important" in html
    assert "#0b5563" not in html


def test_the_html_leaves_room_below_the_clip_of_gmail(july: Parts) -> None:
    assert len(july.html.encode()) < 60_000


def test_name_wordmark_and_foot_are_the_publication_s() -> None:
    theme = replace(CONTEXT.publication.theme, wordmark="CLINIC LETTER", title_size=40, text_size=19)
    footer = "Funded by the [Foundation](https://example.org/fund)."
    parts = rendered(marked_issue(), context=context_of(theme=theme, footer=footer))
    assert parts.seen.startswith("Read this issue on the web") or "CLINIC LETTER" in parts.seen
    assert "font-size:40px" in parts.html
    assert "font-size:19px" in parts.html
    assert "https://example.org/fund" in parts.links
    assert "Funded by the Foundation [1]." in parts.text
    assert "[1] https://example.org/fund" in parts.text
    assert parts.text.startswith("CLINIC LETTER\n")


def test_a_logo_stands_in_the_wordmark_s_place_with_its_words() -> None:
    logo: dict[str, Any] = {"logo": "https://example.org/logo.png", "logo_width": 200, "logo_height": 48}
    theme = replace(CONTEXT.publication.theme, **logo)
    document = rendered(marked_issue(), context=context_of(theme=theme)).document
    (image,) = document.xpath("//img")
    assert (image.get("src"), image.get("width"), image.get("height")) == (logo["logo"], "200", "48")
    assert image.get("alt") == CONTEXT.publication.name


# -- selections


def test_a_single_article_edition_shows_only_that_article() -> None:
    edition = compiled(marked_issue(), 2)
    parts = parts_of(edition)
    both = parts.html + parts.text
    assert edition.articles == ("study-2",)
    assert [label.name for label in edition.labels] == ["Training"]
    assert "Title2" in parts.seen
    assert "1 study" in parts.seen
    assert "In this issue" not in both
    assert "#a1" not in parts.links
    for of_another in ("1 of", "3 of", "phrase1", "phrase3", "study-1", "study-3", "study.1", "link3", "Attachment"):
        assert of_another not in both
    for word in ("Title", "Body", "Implications", "Author", "Takeaway", "patients", "Invitation"):
        assert f"{word}1" not in both
        assert f"{word}3" not in both
    assert f"{BASE}/topics/empathy/" not in both


def test_labels_are_the_topics_of_the_shown_articles_in_catalogue_order() -> None:
    edition = compiled(marked_issue(), 2, 3)
    assert {label.name for label in edition.labels} == {"Attachment", "Empathy", "Training"}
    ordinals = [label.ordinal for label in edition.labels]
    assert ordinals == sorted(ordinals)
    assert edition.why_line(CONTEXT.catalogue.words(topics("Empathy")), all_topics=False) == (
        "You receive this issue because you follow: Empathy."
    )


def test_a_selection_differs_from_another_in_nothing_but_its_articles() -> None:
    """What a reader gets depends on the selection alone: no slot value, no count of readers, no order of calls."""
    first = compiled(marked_issue(), 1)
    compiled(marked_issue(), 2)
    assert encode_edition(compiled(marked_issue(), 1)) == encode_edition(first)


# -- slots


@pytest.mark.parametrize("slot", list(Slot))
def test_each_slot_stands_in_both_parts(slot: Slot) -> None:
    edition = compiled(marked_issue())
    times = 2 if slot is Slot.PREFERENCES else 1  # to choose topics, and to pause
    assert edition.html.count(slot) == times
    assert edition.text.count(slot) == times


def test_slots_of_the_text_stand_alone_on_their_lines(whole: Parts) -> None:
    assert set(VALUES.values()) <= set(whole.text.split("\n"))


def test_slots_of_the_html_are_addresses_and_a_sentence(whole: Parts) -> None:
    assert {VALUES[Slot.UNSUBSCRIBE], VALUES[Slot.PREFERENCES]} <= set(whole.links)
    assert VALUES[Slot.WHY] in whole.seen


# -- the same again


def test_the_same_inputs_give_the_same_bytes() -> None:
    issue = sample_issue()
    first = encode_edition(compiled(issue))
    assert encode_edition(compiled(issue)) == first
    assert encode_edition(compiled(issue, context=context_of())) == first


def test_published_is_no_part_of_an_edition() -> None:
    issue = sample_issue()
    assert compiled(replace(issue, published=None)) == compiled(issue)
