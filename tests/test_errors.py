"""The errors, their codes, and what messages may repeat."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camunda_entra_fastapi.errors import (
    CODES,
    AccessDenied,
    CredentialsMissing,
    EntraError,
    EntraUnavailable,
    FetchFailed,
    InsufficientClaims,
    InvalidRequest,
    InvalidToken,
    SettingsError,
    quoted,
)

EVERY_KIND: list[tuple[EntraError, str, str]] = [
    (
        SettingsError(["one", "two"]),
        "settings_invalid",
        "2 settings of camunda_entra_fastapi cannot be used:\n  - one\n  - two",
    ),
    (
        SettingsError(["one"]),
        "settings_invalid",
        "1 setting of camunda_entra_fastapi cannot be used:\n  - one",
    ),
    (CredentialsMissing(), "credentials_missing", "This needs a bearer token from Microsoft Entra ID."),
    (CredentialsMissing("Sign in."), "credentials_missing", "Sign in."),
    (InvalidRequest("authorization_repeated", "Two."), "authorization_repeated", "Two."),
    (InvalidToken("token_expired", "Old."), "token_expired", "Old."),
    (AccessDenied("guest_not_allowed", "No."), "guest_not_allowed", "No."),
    (InsufficientClaims("More.", {"access_token": {}}), "insufficient_claims", "More."),
    (EntraUnavailable("keys_unavailable", "Later.", 5), "keys_unavailable", "Later."),
    (FetchFailed("Timeout."), "fetch_failed", "Timeout."),
    (FetchFailed("Other.", "issuer_unexpected"), "issuer_unexpected", "Other."),
]


@pytest.mark.parametrize(("error", "code", "message"), EVERY_KIND)
def test_every_error_has_code_and_message(error: EntraError, code: str, message: str) -> None:
    """All errors share one root, a code of the documented set, and a message that is their text."""
    assert isinstance(error, EntraError)
    assert (error.code, error.message, str(error)) == (code, message, message)
    assert code in CODES


def test_unknown_code_is_noticed() -> None:
    """An error cannot be made with a code that nobody documented."""
    with pytest.raises(AssertionError, match=r"surprise is not in errors\.CODES"):
        InvalidToken("surprise", "What?")


def test_settings_error_is_a_value_error_and_keeps_its_problems() -> None:
    """Code that expects ValueError from wrong settings gets one; each mistake can be read."""
    error = SettingsError(problem for problem in ("one", "two"))
    assert isinstance(error, ValueError)
    assert error.problems == ("one", "two")


def test_denial_keeps_its_scopes_or_says_that_none_would_help() -> None:
    """Scopes are those that the route asks for; None is something else than none at all."""
    assert AccessDenied("scope_missing", "No.", iter(["a", "b"])).scopes == ("a", "b")
    assert AccessDenied("scope_missing", "No.", []).scopes == ()
    assert AccessDenied("guest_not_allowed", "No.").scopes is None


def test_further_attributes_are_kept() -> None:
    """The claims to request, and the time to wait, are members of the error."""
    claims: dict[str, Any] = {"access_token": {"acrs": {"essential": True, "value": "c1"}}}
    error = InsufficientClaims("More.", claims)
    assert error.claims == claims
    assert error.claims is not claims
    assert EntraUnavailable("keys_unavailable", "Later.", 2.5).retry_after == 2.5


def test_codes_are_a_fixed_set_with_meanings() -> None:
    """Codes are lower-case words; each is explained in one sentence; nobody can change them."""
    for code, meaning in CODES.items():
        assert re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)*", code)
        assert re.fullmatch(r"[A-Z][^\n]+\.", meaning)
    with pytest.raises(TypeError):
        CODES["surprise"] = "What?"  # type: ignore[index]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text", "'text'"),
        ("", "''"),
        ("a b~!", "'a b~!'"),
        ('say "hi" it\'s \\', "'say ?hi? it?s ?'"),
        ("line\r\nline\t\x00\x7f", "'line??line???'"),
        ("Zoë \U0001f600 \u2028", "'Zo? ? ?'"),
        ("\ud800", "'?'"),
        (None, "'None'"),
        (7, "'7'"),
        (["a", 1], "'[?a?, 1]'"),
        ("x" * 200, f"'{'x' * 200}'"),
        ("x" * 201, f"'{'x' * 200}...'"),
    ],
)
def test_quoted_value_is_short_printable_and_cannot_end_its_quotes(value: object, expected: str) -> None:
    """A quoted claim is safe in headers, logs and pages."""
    assert quoted(value) == expected


def test_quoted_value_is_cut_where_it_is_asked_to() -> None:
    """The limit counts the characters of the value."""
    assert quoted("abcdef", 6) == "'abcdef'"
    assert quoted("abcdefg", 6) == "'abcdef...'"


@given(
    st.one_of(st.text(), st.text(min_size=190, max_size=300), st.integers(), st.floats(), st.lists(st.text()))
)
def test_quoted_value_is_always_printable_ascii(value: object) -> None:
    """Whatever the value, what is shown is one line of printable ASCII within one pair of quotes."""
    text = quoted(value)
    assert re.fullmatch(r"'[ -~]*'", text)
    assert not set(text[1:-1]) & set("'\"\\")
    assert len(text) <= 205
