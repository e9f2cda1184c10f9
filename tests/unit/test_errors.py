"""What a failure says to somebody on a page: never a command."""

import pytest

from digest_mailer.core.errors import UsageError


@pytest.mark.parametrize(
    "hint",
    [
        "see: digest-mailer topics list",
        "say --apply",
        "choose another -o DIR",
        "segments: none yet; see segments add",
        "set them aside with --rejects FILE",
    ],
)
def test_a_hint_that_names_a_command_is_not_for_pages(hint: str) -> None:
    assert UsageError("this failed", hint).page_hint == ""
    assert UsageError("this failed", hint).sentence == "this failed"


@pytest.mark.parametrize(
    "hint",
    [
        'did you mean "Empathy"?',
        "separate topics by semicolons, not commas",
        "days are written YYYY-MM-DD",
        "e-mail us",
    ],
)
def test_other_hints_are(hint: str) -> None:
    assert UsageError("this failed", hint).sentence == f"this failed: {hint}"


def test_without_a_hint_what_happened_is_all() -> None:
    assert UsageError("this failed").sentence == "this failed"
