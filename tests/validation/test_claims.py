"""The rules of RFC 7519: what must be there, of which kind, for whom and when."""

import json
from dataclasses import replace
from typing import Any

import pytest

from camunda_entra_fastapi.errors import InvalidToken
from camunda_entra_fastapi.validation.claims import END_OF_TIME, time_of
from tests.tokens import ABSENT, CLIENT_ID, NOW, app_claims, user_claims
from tests.validation.conftest import POLICY, verify_claims

NOT_A_TIME = "is not a time in seconds since 1970"
NOT_A_TEXT = "is not a text that is not empty"


def refusal(claims: object, **options: Any) -> tuple[str, str]:
    """How the claims are refused, rightly signed as they are."""
    with pytest.raises(InvalidToken) as caught:
        verify_claims(claims, **options)
    return caught.value.code, caught.value.message


@pytest.mark.parametrize("value", [ABSENT, None])
@pytest.mark.parametrize("name", ["sub", "aud", "iss", "exp", "nbf", "iat"])
def test_required_claims_must_be_there(name: str, value: object) -> None:
    """Each of the six claims is needed, and null is no value."""
    assert refusal(user_claims(**{name: value})) == ("claim_missing", f"The token has no {name} claim.")


@pytest.mark.parametrize("value", ["", 7, True, ["text"], {"text": 1}, 1.5])
@pytest.mark.parametrize("name", ["sub", "iss"])
def test_subject_and_issuer_are_texts(name: str, value: object) -> None:
    """A subject or issuer of another kind, or an empty one, is refused."""
    expected = ("claim_malformed", f"The token's {name} claim {NOT_A_TEXT}.")
    assert refusal(user_claims(**{name: value})) == expected


@pytest.mark.parametrize("value", ["1760000000", True, False, [], {}, -1, -0.5, END_OF_TIME, 10**400])
@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
def test_times_are_numbers_that_a_clock_can_hold(name: str, value: object) -> None:
    """Texts, booleans, what is before 1970 and what is after the year 9999 are no times."""
    expected = ("claim_malformed", f"The token's {name} claim {NOT_A_TIME}.")
    assert refusal(user_claims(**{name: value})) == expected


@pytest.mark.parametrize("number", ["1e400", "-1e400", "1E309", "9" * 4000, "253402300800", "1e300"])
@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
def test_numbers_beyond_every_clock_are_no_times(name: str, number: str) -> None:
    """A number that JSON can write and no clock can hold is a bad token, not a failure."""
    payload = json.dumps(user_claims(**{name: "here"})).replace('"here"', number)
    assert refusal(payload) == ("claim_malformed", f"The token's {name} claim {NOT_A_TIME}.")


def test_time_may_be_as_late_as_clocks_go() -> None:
    """The last second of the year 9999, and the first of 1970, are times."""
    assert verify_claims(user_claims(exp=END_OF_TIME - 1, nbf=0, iat=0.0))["exp"] == END_OF_TIME - 1
    assert time_of({"exp": 0}, "exp") == 0


@pytest.mark.parametrize("skew", [0, 60, 300])
def test_expiry_is_exact_to_the_second(skew: int) -> None:
    """A token is good until the moment of its expiry and the leeway after it, and then no more."""
    policy = replace(POLICY, clock_skew=skew)
    last = NOW + skew
    for now in (last - 1, last - 0.001):
        assert verify_claims(user_claims(exp=NOW), policy, now=now)
    for now in (last, last + 1):
        assert refusal(user_claims(exp=NOW), policy=policy, now=now) == (
            "token_expired",
            f"The token expired {now - NOW} seconds ago. Request a new one.",
        )


@pytest.mark.parametrize("skew", [0, 60, 300])
@pytest.mark.parametrize("name", ["nbf", "iat"])
def test_beginning_and_issue_are_exact_to_the_second(name: str, skew: int) -> None:
    """A token is good from the leeway before its beginning on, and cannot be issued in the future."""
    policy = replace(POLICY, clock_skew=skew)
    claims = user_claims(**{name: NOW})
    first = NOW - skew
    for now in (first, first + 0.001, first + 1):
        assert verify_claims(claims, policy, now=now)
    assert refusal(claims, policy=policy, now=first - 1) == (
        "token_not_yet_valid",
        f"The token is valid only in {skew + 1} seconds. "
        "If it was just issued, the clocks of Entra and this API differ.",
    )
    assert refusal(claims, policy=policy, now=first - 0.001)[0] == "token_not_yet_valid"


def test_times_may_have_fractions() -> None:
    """RFC 7519 allows parts of seconds, and they count."""
    policy = replace(POLICY, clock_skew=0)
    claims = user_claims(exp=NOW + 0.75, nbf=NOW + 0.25, iat=NOW - 0.5)
    assert verify_claims(claims, policy, now=NOW + 0.25) == claims
    assert verify_claims(claims, policy, now=NOW + 0.5) == claims
    assert refusal(claims, policy=policy, now=NOW + 0.75)[0] == "token_expired"
    assert refusal(claims, policy=policy, now=NOW + 0.2)[0] == "token_not_yet_valid"


def test_later_of_beginning_and_issue_is_named() -> None:
    """How long to wait depends on the later of the two times."""
    expected = "The token is valid only in 500 seconds. "
    for claims in (user_claims(nbf=NOW + 500, iat=NOW + 100), user_claims(nbf=NOW + 100, iat=NOW + 500)):
        assert refusal(claims)[1].startswith(expected)


@pytest.mark.parametrize(
    "audience",
    [CLIENT_ID, "api://incidents", [CLIENT_ID], ["https://other.example", "api://incidents"]],
)
def test_any_of_our_audiences_will_do(audience: object) -> None:
    """One of the audiences that the settings name is enough, alone or in a list."""
    assert verify_claims(user_claims(aud=audience))["aud"] == audience


@pytest.mark.parametrize(
    "audience",
    [
        "api://other",
        "API://incidents",
        "api://incidents/",
        f" {CLIENT_ID}",
        CLIENT_ID.upper(),
        CLIENT_ID[:-1],
        ["api://other"],
        ["api://other", "more"],
    ],
)
def test_token_for_another_api_is_refused(audience: Any) -> None:
    """Audiences are compared exactly; the message says whose the token is and what to request."""
    first = audience[0] if isinstance(audience, list) else audience
    assert refusal(user_claims(aud=audience)) == (
        "audience_mismatch",
        f"The token's audience is '{first}'; this API expects '{CLIENT_ID}' or 'api://incidents'. "
        f"Request the scope {CLIENT_ID}/.default, or one that this API exposes.",
    )


@pytest.mark.parametrize(
    "audience", ["", [], [""], [CLIENT_ID, ""], [CLIENT_ID, 7], 7, True, {CLIENT_ID: 1}, [[CLIENT_ID]]]
)
def test_audience_is_a_text_or_a_list_of_texts(audience: object) -> None:
    """An audience of another kind is refused, even where one of ours is in it."""
    expected = ("claim_malformed", "The token's aud claim is not a text, or a list of texts.")
    assert refusal(user_claims(aud=audience)) == expected


def test_hostile_audience_is_quoted_as_printable_ascii_and_short() -> None:
    """A claim in a message cannot break a header or a log."""
    message = refusal(user_claims(aud='api://\r\n"quoted"\\é' + "x" * 1000))[1]
    assert message.startswith(
        "The token's audience is 'api://???quoted???" + "x" * 182 + "...'; this API expects "
    )
    assert message.isprintable()
    assert message.isascii()


# RFC 7800, 3.1 (jwk, kid); RFC 8705, 3.1 (x5t#S256); RFC 9449, 6.1 (jkt); what is no confirmation at all
# is one that nobody can check.
BINDINGS: list[object] = [
    {"x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"},
    {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"},
    {"kid": "one", "xms_ksl": "sw"},
    {"jwk": {"kty": "EC"}},
    {},
    [],
    "x",
    False,
]


@pytest.mark.parametrize("binding", BINDINGS)
@pytest.mark.parametrize("claims", [user_claims(), app_claims()])
def test_bound_token_is_no_bearer_token(binding: object, claims: dict[str, Any]) -> None:
    """Without the client's certificate (RFC 8705, 3) or a proof (RFC 9449, 7) it must not be accepted."""
    with pytest.raises(InvalidToken, match="bound to a key or certificate") as caught:
        verify_claims(claims | {"cnf": binding})
    assert caught.value.code == "bound_token"


def test_binding_to_nothing_is_none() -> None:
    """A claim that is null is as good as absent, as for all others."""
    assert verify_claims(user_claims(cnf=None))
