"""The policy of missing components: left out and named, and with CI=true a failure."""

import pytest

import components
from components import Component, closing_line, require

MISSING = "Skipped: missing: "


@pytest.fixture(autouse=True)
def _two_components(monkeypatch: pytest.MonkeyPatch) -> None:
    some = {"here": Component(lambda: True, "nothing"), "away": Component(lambda: False, "apt install away")}
    monkeypatch.setattr(components, "COMPONENTS", some)
    monkeypatch.delenv("CI", raising=False)


def test_what_is_there_lets_the_test_run(monkeypatch: pytest.MonkeyPatch) -> None:
    require("here")
    monkeypatch.setenv("CI", "true")
    require("here")


def test_what_is_missing_leaves_the_test_out() -> None:
    with pytest.raises(pytest.skip.Exception, match=r"^missing: away \(apt install away\)$"):
        require("here", "away")


def test_what_is_missing_fails_continuous_integration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    either = (pytest.fail.Exception, pytest.skip.Exception)  # a skip would leave out this test itself
    with pytest.raises(either, match=r"^missing: away \(apt install away\)") as caught:
        require("away")
    assert isinstance(caught.value, pytest.fail.Exception)


@pytest.mark.parametrize(
    ("reasons", "line"),
    [
        (set(), "nothing was left out for want of a component"),
        ({MISSING + "b (apt install b)"}, "not run, because missing: b (apt install b)"),
        (
            {MISSING + "b (apt install b), a (apt install a)", MISSING + "b (apt install b)"},
            "not run, because missing: a (apt install a), b (apt install b)",
        ),
        ({"Skipped: no folder of captures"}, "not run: no folder of captures"),
        ({MISSING + "b (x)", "Skipped: z", "Skipped: y"}, "not run, because missing: b (x); not run: y; not run: z"),
    ],
)
def test_one_line_closes_the_run(reasons: set[str], line: str) -> None:
    assert closing_line(reasons) == line
