"""Accounts: what a password must be, who may what, and under which name it is remembered."""

from datetime import UTC, datetime

import pytest

from digest_mailer.core.account import MAX_PASSWORD, MIN_PASSWORD, Account, Role, Session, check_password
from digest_mailer.core.address import parse_address
from digest_mailer.core.errors import UsageError

LATER = datetime(2024, 2, 1, tzinfo=UTC)
ANNA = parse_address("anna@office.example.org")


@pytest.mark.parametrize("password", ["a long sentence", "ünïcödé wörds", "x1y2" * 3, "z" * 4 + "ab" * 400 + "c"])
def test_a_sentence_is_a_password(password: str) -> None:
    check_password(password)


@pytest.mark.parametrize("password", ["", "short", "x" * MIN_PASSWORD, "abcabcabcabcabc", "pq" * 501 + "r"])
def test_what_is_easily_guessed_or_endless_is_none(password: str) -> None:
    with pytest.raises(UsageError) as refused:
        check_password(password)
    assert refused.value.hint
    assert not password or password not in refused.value.what


def test_the_limits_are_meant_as_they_are_said() -> None:
    check_password("abcd" * (MAX_PASSWORD // 4))
    with pytest.raises(UsageError):
        check_password("abcd" * (MAX_PASSWORD // 4) + "e")


@pytest.mark.parametrize(
    ("session", "actor", "who", "admin"),
    [
        (Session(Account(3, ANNA, Role.ADMIN), "", LATER), "admin:3", str(ANNA), True),
        (Session(Account(4, ANNA, Role.AUTHOR), "", LATER), "admin:4", str(ANNA), False),
        (Session(None, "root", LATER), "local:root", "root", True),
        (Session(None, "", LATER), "local", "", True),
    ],
)
def test_a_session_has_a_name_and_a_role(session: Session, actor: str, who: str, admin: bool) -> None:
    assert (session.actor, session.who, session.is_admin) == (actor, who, admin)
    assert session.may(Role.AUTHOR)
    assert session.may(Role.ADMIN) == admin
