"""Tokens: a capability does its scope for its person, and nothing else does it."""

import base64
import re
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core_support import JULY, TOKEN_KEYS, catalogue, issue_ids, subscriber_ids
from digest_mailer.core.identity import IssueId, SubscriberId, parse_issue_id
from digest_mailer.core.token import LENGTH, LIFE, SAMPLE_KEYS, Scope, Token, TokenKeys, read, sign, sign_dated, verify

OF_ISSUES = [scope for scope in Scope if scope not in LIFE]
scopes = st.sampled_from(OF_ISSUES)
dated = st.sampled_from(list(LIFE))
days = st.dates(date(2000, 1, 1), date(2100, 1, 1))
generations = st.integers(0, 30)
ANNE = SubscriberId(77)
LASTING = (Scope.UNSUBSCRIBE, Scope.BOUNCE)


@given(scopes, subscriber_ids, issue_ids, generations)
def test_a_genuine_token_is_accepted(scope: Scope, who: SubscriberId, issue: IssueId, generation: int) -> None:
    text = sign(scope, who, issue, generation, TOKEN_KEYS)
    assert verify(text, scope, generation, TOKEN_KEYS) == Token(scope, who, issue, 1)


@given(scopes, subscriber_ids, issue_ids, generations)
def test_a_token_is_40_characters_that_fit_into_an_address(
    scope: Scope, who: SubscriberId, issue: IssueId, generation: int
) -> None:
    text = sign(scope, who, issue, generation, TOKEN_KEYS)
    assert re.fullmatch(r"[A-Za-z0-9_-]{40}", text)
    assert len(text) == LENGTH


@given(scopes, scopes, generations)
def test_a_token_does_only_its_scope(given_for: Scope, asked_for: Scope, generation: int) -> None:
    text = sign(given_for, ANNE, JULY, generation, TOKEN_KEYS)
    assert (verify(text, asked_for, generation, TOKEN_KEYS) is not None) == (given_for is asked_for)


@pytest.mark.parametrize("scope", OF_ISSUES)
def test_a_token_with_any_one_bit_changed_is_refused(scope: Scope) -> None:
    genuine = base64.urlsafe_b64decode(sign(scope, ANNE, JULY, 3, TOKEN_KEYS))
    for bit in range(LENGTH * 6):
        raw = bytearray(genuine)
        raw[bit // 8] ^= 1 << bit % 8
        changed = base64.urlsafe_b64encode(raw).decode()
        assert all(verify(changed, asked, 3, TOKEN_KEYS) is None for asked in Scope), bit


@given(scopes, generations, generations)
def test_leaving_outlives_a_new_generation_and_choosing_does_not(scope: Scope, signed: int, now: int) -> None:
    accepted = verify(sign(scope, ANNE, JULY, signed, TOKEN_KEYS), scope, now, TOKEN_KEYS)
    assert (accepted is not None) == (signed <= now if scope in LASTING else signed == now)


@given(scopes, st.text(max_size=60))
def test_any_other_text_is_refused(scope: Scope, text: str) -> None:
    assert verify(text, scope, 0, TOKEN_KEYS) is None


@given(scopes, st.from_regex(r"[A-Za-z0-9_-]{40}", fullmatch=True))
def test_any_text_of_the_right_form_is_refused(scope: Scope, text: str) -> None:
    assert verify(text, scope, 0, TOKEN_KEYS) is None


@given(st.binary(min_size=27, max_size=27), st.sampled_from(Scope))
def test_what_an_unverified_token_says_can_be_looked_up(rest: bytes, scope: Scope) -> None:
    found = read(base64.urlsafe_b64encode(bytes((1, 1, scope)) + rest).decode())
    if found:
        token, _ = found
        assert 0 <= token.subscriber < 2**63, "a database stores signed 64-bit integers"
        assert (token.issue is None) == (token.day is not None) == (scope in LIFE)
        assert token.issue is None or parse_issue_id(token.issue) == token.issue


@pytest.mark.parametrize("ending", ["", "=", "\n", " ", "A"])
def test_only_the_exact_form_is_read(ending: str) -> None:
    text = sign(Scope.UNSUBSCRIBE, ANNE, JULY, 0, TOKEN_KEYS) + ending
    assert (read(text) is not None) == (ending == "")


def test_another_secret_under_the_same_id_is_refused() -> None:
    text = sign(Scope.UNSUBSCRIBE, ANNE, JULY, 0, TokenKeys(1, {1: b"another secret"}))
    assert verify(text, Scope.UNSUBSCRIBE, 0, TOKEN_KEYS) is None


def test_a_token_of_a_former_key_is_accepted_while_the_key_is_kept() -> None:
    text = sign(Scope.UNSUBSCRIBE, ANNE, JULY, 0, TOKEN_KEYS)
    rotated = TokenKeys(2, TOKEN_KEYS.keys)
    assert sign(Scope.UNSUBSCRIBE, ANNE, JULY, 0, rotated) != text
    assert verify(text, Scope.UNSUBSCRIBE, 0, rotated)
    assert verify(text, Scope.UNSUBSCRIBE, 0, TokenKeys(2, {2: TOKEN_KEYS.keys[2]})) is None


def test_the_public_sample_key_opens_nothing_even_where_it_is_known() -> None:
    text = sign(Scope.UNSUBSCRIBE, ANNE, JULY, 0, SAMPLE_KEYS)
    assert read(text)
    assert verify(text, Scope.UNSUBSCRIBE, 0, SAMPLE_KEYS) is None


@given(subscriber_ids)
def test_a_token_names_no_topic(who: SubscriberId) -> None:
    raw = base64.urlsafe_b64decode(sign(Scope.PREFERENCES, who, JULY, 0, TOKEN_KEYS))
    assert not any(topic.key.encode() in raw for topic in catalogue())


@given(dated, subscriber_ids, days, generations)
def test_a_token_of_a_letter_says_its_day(scope: Scope, who: SubscriberId, day: date, generation: int) -> None:
    text = sign_dated(scope, who, day, generation, TOKEN_KEYS)
    assert len(text) == LENGTH
    assert verify(text, scope, generation, TOKEN_KEYS) == Token(scope, who, None, 1, day)
    assert all(verify(text, other, generation, TOKEN_KEYS) is None for other in Scope if other is not scope)
    assert verify(text, scope, generation + 1, TOKEN_KEYS) is None


@given(dated, days, st.integers(-40, 40))
def test_a_token_of_a_letter_is_good_for_some_days(scope: Scope, day: date, age: int) -> None:
    token = verify(sign_dated(scope, ANNE, day, 0, TOKEN_KEYS), scope, 0, TOKEN_KEYS)
    assert token
    assert token.is_good_on(day + timedelta(days=age)) == (-1 <= age <= LIFE[scope])


@given(scopes, st.integers(-40, 40_000))
def test_a_token_of_an_issue_knows_no_day(scope: Scope, age: int) -> None:
    token = verify(sign(scope, ANNE, JULY, 0, TOKEN_KEYS), scope, 0, TOKEN_KEYS)
    assert token
    assert token.is_good_on(date(2024, 1, 1) + timedelta(days=age))
