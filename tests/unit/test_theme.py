"""The theme: what it may be, and that nobody has to squint."""

from dataclasses import fields, replace
from typing import Any

import pytest

from digest_mailer.core.contrast import READABLE, contrast
from digest_mailer.core.theme import Theme, ThemeError


def changed(name: str, value: Any) -> Theme:
    return replace(Theme(), **{name: value})


COLOURS = [field.name for field in fields(Theme) if field.type is str and str(field.default).startswith("#")]


def test_the_default_theme_is_legible_in_both_schemes() -> None:
    theme = Theme()
    for scheme in ("", "dark_"):
        for text in ("ink", "muted", "accent"):
            for background in ("card", "page"):
                pair = getattr(theme, f"{scheme}{text}"), getattr(theme, f"{scheme}{background}")
                assert contrast(*pair) >= READABLE


@pytest.mark.parametrize("name", COLOURS)
@pytest.mark.parametrize("value", ["#fff", "red", "#0B5563", "#0b5563;}", ""])
def test_a_colour_is_six_lower_case_digits(name: str, value: Any) -> None:
    with pytest.raises(ThemeError, match=rf"theme\.{name} should be a colour"):
        changed(name, value)


@pytest.mark.parametrize(
    ("name", "value", "other"),
    [("muted", "#9a9ea6", "card"), ("accent", "#888888", "card"), ("ink", "#999999", "card"),
     ("card", "#555555", "card"), ("tint", "#557777", "tint"), ("page", "#8a8a8a", "page"),
     ("dark_muted", "#555555", "dark_card"), ("dark_ink", "#111111", "dark_card"),
     ("dark_accent", "#0b5563", "dark_card"), ("dark_tint", "#777777", "dark_tint")],
)  # fmt: skip
def test_a_theme_that_is_hard_to_read_is_refused(name: str, value: str, other: str) -> None:
    with pytest.raises(ThemeError, match=r"has a contrast of \d\.\d\d:1; readers need 4\.5:1") as caught:
        changed(name, value)
    assert f"theme.{other}" in str(caught.value)


@pytest.mark.parametrize("name", ["text_size", "small_size", "heading_size", "title_size"])
@pytest.mark.parametrize("size", [0, 10, 60])
def test_a_size_is_one_that_people_can_read(name: str, size: int) -> None:
    with pytest.raises(ThemeError, match=f"theme.{name} should be"):
        changed(name, size)


def test_a_logo_needs_its_address_and_its_size() -> None:
    assert Theme(logo="https://example.org/logo.png", logo_width=200, logo_height=48)
    with pytest.raises(ThemeError, match="begins with https"):
        Theme(logo="http://example.org/logo.png", logo_width=200, logo_height=48)
    with pytest.raises(ThemeError, match="logo_width and logo_height"):
        Theme(logo="https://example.org/logo.png")
