"""Letting in who works on the publication: accounts, links that are good once, passwords, sessions."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from admin_support import quick_passwords
from digest_mailer.adapters.passwords import Argon2Passwords
from digest_mailer.bootstrap import App
from digest_mailer.core.account import LINK_LIFE, LOCAL_LINK_LIFE, SESSION_LIFE, Account, Role
from digest_mailer.core.budget import letter
from digest_mailer.core.errors import NothingMatched, UsageError
from digest_mailer.services.admission import Admission
from publication_support import FixedClock, make_publication

ANNA = "Anna@office.example.org"
PASSWORD = "a sentence that is long"


@pytest.fixture
def app(tmp_path: Path) -> App:
    """A publication that nobody has an account of."""
    return make_publication(tmp_path, people=False, approved=())


@pytest.fixture
def admission(app: App) -> Admission:
    quick_passwords(app)
    return app.admission


@pytest.fixture
def anna(admission: Admission) -> Account:
    return admission.add(ANNA, Role.ADMIN, "tests")


def advance(app: App, step: timedelta) -> None:
    assert isinstance(app.clock, FixedClock)
    app.clock.advance(step)


def noted(app: App) -> list[tuple[str, dict[str, object]]]:
    """Actions and facts of the trail, oldest first."""
    return [(one.action, dict(one.facts)) for one in reversed(list(app.trail.records()))]


def test_an_account_is_added_found_and_removed(app: App, admission: Admission, anna: Account) -> None:
    assert admission.by_address("anna@OFFICE.example.org") == anna
    with pytest.raises(UsageError, match="has an account already"):
        admission.add(ANNA.lower(), Role.AUTHOR, "tests")
    admission.remove(anna, "tests")
    with pytest.raises(NothingMatched):
        admission.by_address(ANNA)
    with pytest.raises(NothingMatched):
        admission.remove(anna, "tests")
    assert admission.accounts.all() == []
    assert noted(app) == [("admin-add", {"admin": 1, "role": "admin"}), ("admin-remove", {"admin": 1})]


def test_who_comes_back_has_their_number_again_and_nothing_else(admission: Admission, anna: Account) -> None:
    admission.set_password(anna, PASSWORD, "tests")
    admission.remove(anna, "tests")
    again = admission.add(ANNA, Role.AUTHOR, "tests")
    assert (again.number, again.role) == (anna.number, Role.AUTHOR)
    assert not admission.by_address(ANNA).has_password
    assert admission.by_password(ANNA, PASSWORD) is None
    assert admission.add("other@office.example.org", Role.AUTHOR, "tests").number != anna.number
    assert admission.accounts.names()[anna.actor] == ANNA


def test_a_link_is_good_once(admission: Admission, anna: Account) -> None:
    secret = admission.new_link(anna, "tests")
    assert admission.is_link(secret, at_the_machine=False)
    opened = admission.redeem(secret, at_the_machine=False)
    assert opened
    assert admission.redeem(secret, at_the_machine=False) is None
    session = admission.session(opened)
    assert session
    assert (session.account, session.actor) == (anna, "admin:1")


def test_a_link_and_a_session_end(app: App, admission: Admission, anna: Account) -> None:
    late, secret = admission.new_link(anna, "tests"), admission.new_link(anna, "tests")
    opened = admission.redeem(secret, at_the_machine=False)
    assert opened
    advance(app, LINK_LIFE)
    assert admission.redeem(late, at_the_machine=False) is None
    advance(app, SESSION_LIFE - LINK_LIFE - timedelta(seconds=1))
    assert admission.session(opened)
    advance(app, timedelta(seconds=1))
    assert admission.session(opened) is None


def test_the_machine_s_own_link_is_good_there_only(app: App, admission: Admission) -> None:
    secret = admission.local_link("root")
    assert admission.redeem(secret, at_the_machine=False) is None
    assert not admission.is_link(secret, at_the_machine=False)
    opened = admission.redeem(secret, at_the_machine=True)
    assert opened
    session = admission.session(opened)
    assert session
    assert (session.account, session.actor, session.is_admin) == (None, "local:root", True)
    late = admission.local_link("root")
    advance(app, LOCAL_LINK_LIFE)
    assert admission.redeem(late, at_the_machine=True) is None


def test_one_kind_of_secret_is_not_the_other(admission: Admission, anna: Account) -> None:
    link = admission.new_link(anna, "tests")
    assert admission.session(link) is None
    opened = admission.redeem(link, at_the_machine=False)
    assert opened
    assert admission.redeem(opened, at_the_machine=True) is None
    admission.sign_out(admission.new_link(anna, "tests"))
    assert admission.session(opened)


def test_a_password(app: App, admission: Admission, anna: Account) -> None:
    assert admission.by_password(ANNA, PASSWORD) is None
    admission.set_password(anna, PASSWORD, anna.actor)
    assert admission.by_password(ANNA, PASSWORD + "x") is None
    assert admission.by_password("nobody@office.example.org", PASSWORD) is None
    assert admission.by_password("no address", PASSWORD) is None
    assert admission.by_password(ANNA, "y" * 5000) is None
    opened = admission.by_password(ANNA.upper(), PASSWORD)
    assert opened
    assert admission.session(opened)
    assert noted(app)[-1] == ("sign-in", {"by": "password"})
    with pytest.raises(UsageError):
        admission.set_password(anna, "short", anna.actor)
    assert admission.by_password(ANNA, PASSWORD)


def test_a_new_password_ends_sessions_and_links(admission: Admission, anna: Account) -> None:
    first, link = admission.redeem(admission.new_link(anna, "t"), at_the_machine=False), admission.new_link(anna, "t")
    assert first
    admission.set_password(anna, PASSWORD, "tests")
    assert admission.session(first) is None
    assert admission.redeem(link, at_the_machine=False) is None


def test_a_password_of_lower_cost_is_hashed_again(admission: Admission, anna: Account) -> None:
    cheap = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(PASSWORD)
    admission.accounts.set_password(anna.number, cheap, "tests", admission.clock.now())
    admission = replace(admission, passwords=Argon2Passwords())
    assert admission.by_password(ANNA, PASSWORD)
    kept = admission.accounts.password(anna.number)
    assert kept != cheap
    assert not PasswordHasher().check_needs_rehash(kept)
    assert admission.by_password(ANNA, PASSWORD)
    assert admission.accounts.password(anna.number) == kept


def test_nothing_is_right_where_there_is_no_password() -> None:
    passwords = Argon2Passwords()
    assert passwords.check("", "nobody has this password") == (False, "")
    assert passwords.check("no hash", "x") == (False, "")


def test_a_role_counts_from_the_next_click(admission: Admission, anna: Account) -> None:
    opened = admission.redeem(admission.new_link(anna, "tests"), at_the_machine=False)
    assert opened
    assert admission.set_role(anna, Role.AUTHOR, "tests")
    session = admission.session(opened)
    assert session
    assert not session.is_admin
    assert not admission.set_role(admission.by_address(ANNA), Role.AUTHOR, "tests")


def test_whoever_is_removed_or_signs_out_is_out(admission: Admission, anna: Account) -> None:
    def enter() -> str:
        opened = admission.redeem(admission.new_link(anna, "tests"), at_the_machine=False)
        assert opened
        return opened

    first, second, third = enter(), enter(), enter()
    admission.sign_out(first)
    assert [admission.session(one) is None for one in (first, second, third)] == [True, False, False]
    admission.sign_out_everywhere(anna)
    assert admission.session(second) is admission.session(third) is None
    fourth = enter()
    admission.remove(anna, "tests")
    assert admission.session(fourth) is None


def test_tries_are_rationed_by_account_and_by_network(app: App, admission: Admission) -> None:
    assert all(admission.may_try(ANNA, "203.0.113.0/24") for _ in range(10))
    assert not admission.may_try(f" {ANNA.lower()} ", "198.51.100.0/24")
    assert all(admission.may_try(f"{number}@office.example.org", "203.0.113.0/24") for number in range(20))
    assert not admission.may_try("another@office.example.org", "203.0.113.0/24")
    assert admission.may_try("another@office.example.org", "192.0.2.0/24")
    advance(app, timedelta(minutes=10))
    assert admission.may_try(ANNA, "203.0.113.0/24")


def test_links_are_mailed_to_accounts_only_and_rationed(admission: Admission, anna: Account) -> None:
    assert admission.mailed_link("nobody@office.example.org", "203.0.113.0/24") is None
    assert admission.mailed_link("no address", "203.0.113.0/24") is None
    assert admission.budgets.spend(letter(anna.address, "192.0.2.0/24", admission.secret) * 3, admission.clock.now())
    due = [admission.mailed_link(ANNA, "203.0.113.0/24") for _ in range(6)]
    assert [one is None for one in due] == [False, False, False, False, False, True]
    assert due[0]
    account, secret = due[0]
    assert account == anna
    assert admission.redeem(secret, at_the_machine=False)
    asked = [one.actor for one in admission.trail.records(action="admin-link")]
    assert set(asked) == {"program"}, "who asked for it, nobody knows"


def test_another_spelling_gives_no_more_tries(admission: Admission) -> None:
    for number in range(10):
        assert admission.may_try(ANNA, f"10.0.{number}.0/24")
    for spelling in (ANNA.upper(), "anna@ｏffice.example.org", "anna@office。example.org", "anna@office．example.org"):
        assert not admission.may_try(spelling, "192.0.2.0/24"), spelling


def test_who_has_a_password_must_know_it_to_change_it(app: App, admission: Admission, anna: Account) -> None:
    admission.change_password(anna, "", PASSWORD, "192.0.2.0/24")
    anna = admission.by_address(ANNA)
    for wrong in ("", "another sentence"):
        with pytest.raises(UsageError, match="not the present password"):
            admission.change_password(anna, wrong, "a sentence of somebody else", "192.0.2.0/24")
    admission.change_password(anna, PASSWORD, "a sentence that is new", "192.0.2.0/24")
    assert admission.by_password(ANNA, "a sentence that is new")
    for _ in range(7):
        with pytest.raises(UsageError, match="not the present password"):
            admission.change_password(anna, "wrong", PASSWORD, "192.0.2.0/24")
    with pytest.raises(UsageError, match="too many tries"):
        admission.change_password(anna, "a sentence that is new", PASSWORD, "192.0.2.0/24")


def test_the_database_holds_no_secret(app: App, admission: Admission, anna: Account) -> None:
    link = admission.new_link(anna, "tests")
    opened = admission.redeem(admission.new_link(anna, "tests"), at_the_machine=False)
    assert opened
    admission.set_password(anna, PASSWORD, "tests")
    with closing(sqlite3.connect(app.database.path)) as connection:
        dump = "\n".join(connection.iterdump())
    for secret in (link, opened, PASSWORD):
        assert secret not in dump


def test_tickets_whose_time_is_over_go(app: App, admission: Admission, anna: Account) -> None:
    for _ in range(3):
        admission.new_link(anna, "tests")
    advance(app, LINK_LIFE)
    admission.local_link("root")
    with closing(sqlite3.connect(app.database.path)) as connection:
        assert connection.execute("SELECT count(*) FROM ticket").fetchone() == (1,)
