"""Contrast ratios against values that others publish, and against the definition's own laws."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest_mailer.core.contrast import READABLE, contrast, luminance

colours = st.integers(0, 0xFFFFFF).map("#{:06x}".format)


@pytest.mark.parametrize(
    ("first", "second", "ratio"),
    [
        ("#000000", "#ffffff", 21.0),
        ("#ffffff", "#ffffff", 1.0),
        ("#777777", "#ffffff", 4.48),  # the grey that just fails, known from every guide
        ("#767676", "#ffffff", 4.54),  # and the one that just passes
        ("#959595", "#ffffff", 2.99),
        ("#949494", "#ffffff", 3.03),
        ("#ff0000", "#ffffff", 4.0),
        ("#0000ff", "#ffffff", 8.59),
        ("#00ff00", "#ffffff", 1.37),
        ("#9a9ea6", "#f4f5f6", 2.46),  # a footer that many templates copied
        ("#888888", "#f0f1f3", 3.14),  # another
        ("#FF0000", "#FFFFFF", 4.0),  # capitals are the same colour
        ("#0a0a0a", "#ffffff", 19.80),  # on the straight part of the curve
        ("#0b0b0b", "#ffffff", 19.68),  # on the curved one
    ],
)
def test_known_ratios(first: str, second: str, ratio: float) -> None:
    assert contrast(first, second) == pytest.approx(ratio, abs=0.006)


def test_the_limit_of_the_guidelines() -> None:
    assert READABLE == 4.5  # success criterion 1.4.3
    assert contrast("#777777", "#ffffff") < READABLE < contrast("#767676", "#ffffff")


@pytest.mark.parametrize(
    ("colour", "bright"),
    [("#000000", 0), ("#ffffff", 1), ("#ff0000", 0.2126), ("#00ff00", 0.7152), ("#0000ff", 0.0722)],
)
def test_luminance_of_the_corners(colour: str, bright: float) -> None:
    assert luminance(colour) == pytest.approx(bright)


@pytest.mark.parametrize(
    "text", ["", "#fff", "0b5563", "#0b556", "#0b55633", "#0b556g", "#0b5563\n", "red", "rgb(0,0,0)", "#٠٠٠٠٠٠"]
)
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a colour"):
        contrast(text, "#ffffff")
    with pytest.raises(ValueError, match="not a colour"):
        contrast("#ffffff", text)


@given(colours, colours)
def test_the_ratio_is_between_1_and_21_and_has_no_direction(first: str, second: str) -> None:
    assert 1 <= contrast(first, second) <= 21
    assert contrast(first, second) == contrast(second, first)


@given(colours)
def test_nothing_contrasts_with_itself_and_nothing_beats_black_or_white(colour: str) -> None:
    assert contrast(colour, colour) == 1
    assert contrast(colour, "#000000") * contrast(colour, "#ffffff") == pytest.approx(21)
