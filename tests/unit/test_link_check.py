"""What an answer means: only an address that is surely wrong is an error."""

import pytest

from digest_mailer.core.errors import Severity
from digest_mailer.core.link_answer import NO_HOST, LinkAnswer
from digest_mailer.services.link_check import judge

URL = "https://doi.org/10.1037/pst0000399"
THERE = "https://journal.example.org/article/399"


def verdict(**answer: object) -> tuple[str, Severity]:
    finding = judge(LinkAnswer(URL, **answer))  # type: ignore[arg-type]
    assert finding is not None
    assert finding.near == URL
    assert URL in finding.message
    assert finding.hint
    return finding.code, finding.severity


@pytest.mark.parametrize("status", [200, 204, 206])
def test_an_address_that_answers(status: int) -> None:
    assert judge(LinkAnswer(URL, status)) is None


@pytest.mark.parametrize("answer", [{"status": 404}, {"status": 410}, {"problem": NO_HOST}])
def test_gone(answer: dict[str, object]) -> None:
    assert verdict(**answer) == ("DM601", Severity.ERROR)


@pytest.mark.parametrize("status", [100, 400, 401, 402, 403, 405, 406, 418, 421, 429, 451, 500, 502, 503, 504, 999])
def test_a_refusal_proves_nothing(status: int) -> None:
    assert verdict(status=status) == ("DM602", Severity.WARNING)


@pytest.mark.parametrize("problem", ["timed out", "certificate verify failed", "it redirects more than 5 times"])
def test_a_problem_proves_nothing(problem: str) -> None:
    assert verdict(problem=problem) == ("DM602", Severity.WARNING)
    assert verdict(problem=problem, status=302) == ("DM602", Severity.WARNING)


def test_moved_for_good() -> None:
    assert verdict(status=200, moved_to=THERE) == ("DM603", Severity.WARNING)
    finding = judge(LinkAnswer(URL, 200, THERE))
    assert finding
    assert THERE in finding.message


def test_where_the_way_ends_counts_before_that_it_moved() -> None:
    assert verdict(status=404, moved_to=THERE) == ("DM601", Severity.ERROR)
    assert verdict(problem=NO_HOST, moved_to=THERE) == ("DM601", Severity.ERROR)
    assert verdict(status=403, moved_to=THERE) == ("DM602", Severity.WARNING)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (LinkAnswer(URL, 404), f"{URL} is gone: it answers 404 Not Found"),
        (LinkAnswer(URL, problem=NO_HOST), f"{URL} is gone: no host of that name exists"),
        (LinkAnswer(URL, 403), f"cannot tell whether {URL} still leads somewhere: it answers 403 Forbidden"),
        (LinkAnswer(URL, 999), f"cannot tell whether {URL} still leads somewhere: it answers 999"),
        (LinkAnswer(URL, problem="timed out"), f"cannot tell whether {URL} still leads somewhere: timed out"),
        (LinkAnswer(URL, 200, THERE), f"{URL} has moved for good to {THERE}"),
    ],
)
def test_the_words(answer: LinkAnswer, said: str) -> None:
    finding = judge(answer)
    assert finding
    assert finding.message == said


@pytest.mark.parametrize("address", [URL, "a\nb"])
def test_good_is_what_a_reader_could_open(address: str) -> None:
    assert LinkAnswer(address, 200).good
    assert LinkAnswer(address, 304).good
    assert not LinkAnswer(address, 404).good
    assert not LinkAnswer(address, 302, problem="it redirects to nowhere").good
    assert not LinkAnswer(address).good
