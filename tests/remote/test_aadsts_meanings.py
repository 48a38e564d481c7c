"""What Entra's codes mean, each meaning with its source and date; B2C's codes, and trouble of Entra's own."""

from typing import Any, Final

import pytest

from camunda_entra_fastapi.errors import EntraRefused, FetchFailed, Refusal
from camunda_entra_fastapi.remote.aadsts import EXPLANATIONS, Kind, explain, read_refusal, trouble_of
from camunda_entra_fastapi.remote.aadsts_table import B2C_EXPLANATIONS
from camunda_entra_fastapi.remote.aadsts_table.explanation import by_code
from camunda_entra_fastapi.remote.token_endpoint import read_error

LIST: Final = "f-bader/EntraID-ErrorCodes, 2025-09-03"
LEARN: Final = "Learn, Microsoft Entra authentication and authorization error codes, 2024-04-24"
B2C: Final = "Learn, Error codes: Azure Active Directory B2C, 2021-06-16"
MISE: Final = "AzureAD/microsoft-identity-web, constants of certificate errors, 2025"
RFC8707: Final = "RFC 8707, 2; message in public repositories, 2026"
CA: Final = "Learn, Conditional Access: authentication flows, 2025"

MEANINGS: Final[list[tuple[int, str, Kind, str, str]]] = [
    # code, error as recorded or usual, who can act, words of ours, source
    (650053, "invalid_client", Kind.REGISTRATION, "does not exist on its API", LIST),
    (65005, "invalid_client", Kind.REGISTRATION, "scope", LIST),
    (500112, "invalid_client", Kind.REGISTRATION, "redirect URI", LIST),
    (500113, "invalid_client", Kind.REGISTRATION, "No redirect URI is registered", LIST),
    (
        28000,
        "invalid_request",
        Kind.REGISTRATION,
        "scopes of several APIs",
        "fastmcp; Learn names it 700022, 2024",
    ),
    (700023, "invalid_client", Kind.REGISTRATION, "another audience", LIST),
    (50012, "invalid_client", Kind.REGISTRATION, "does not trust the certificate", LEARN),
    (50027, "invalid_request", Kind.REGISTRATION, "malformed", LIST),
    (50048, "invalid_client", Kind.REGISTRATION, "its iss and sub differ", LIST),
    (700021, "invalid_client", Kind.REGISTRATION, "another application", LIST),
    (700022, "invalid_client", Kind.REGISTRATION, "no subject", LIST),
    (700030, "invalid_client", Kind.REGISTRATION, "subject that is not authorized", LIST),
    (1000502, "invalid_client", Kind.REGISTRATION, "has expired, or is not valid yet", LIST),
    (7000214, "invalid_client", Kind.REGISTRATION, "was revoked", LIST),
    (7000277, "invalid_client", Kind.REGISTRATION, "was revoked", MISE),
    (530003, "interaction_required", Kind.POLICY, "managed devices", LIST),
    (50131, "interaction_required", Kind.POLICY, "suspicious", LIST),
    (53011, "invalid_grant", Kind.POLICY, "at risk in its home organization", LIST),
    (530021, "interaction_required", Kind.POLICY, "approved apps", LIST),
    (530031, "invalid_grant", Kind.POLICY, "Conditional Access", LIST),
    (530032, "invalid_grant", Kind.POLICY, "at risk in its home organization", LIST),
    (530034, "invalid_grant", Kind.POLICY, "at risk in its home organization", LIST),
    (530036, "invalid_grant", Kind.POLICY, "device code", CA),
    (50129, "interaction_required", Kind.POLICY, "managed devices", LIST),
    (50158, "interaction_required", Kind.POLICY, "outside of Entra", LIST),
    (90033, "invalid_grant", Kind.ENTRA, "does not answer", LEARN),
    (90006, "invalid_grant", Kind.ENTRA, "trouble of its own", LIST),
    (90024, "invalid_grant", Kind.ENTRA, "trouble of its own", LIST),
    (90055, "invalid_request", Kind.ENTRA, "too many requests", LEARN),
    (50000, "invalid_grant", Kind.ENTRA, "Microsoft's support", LIST),
    (500014, "invalid_resource", Kind.POLICY, "disabled in the tenant", LIST),
    (500021, "access_denied", Kind.POLICY, "tenant restrictions", LEARN),
    (500022, "access_denied", Kind.POLICY, "tenant restrictions", LEARN),
    (5000224, "invalid_request", Kind.POLICY, "not available", "message in public repositories, 2026"),
    (5000225, "invalid_request", Kind.POLICY, "nobody used it", LIST),
    (9002331, "invalid_request", Kind.REGISTRATION, "personal Microsoft accounts alone", LIST),
    (9002332, "invalid_request", Kind.REGISTRATION, "accounts of organizations alone", LIST),
    (9002346, "invalid_request", Kind.REGISTRATION, "personal Microsoft accounts alone", "message, 2026"),
    (500207, "invalid_request", Kind.PERSON, "of a type", LIST),
    (500208, "invalid_request", Kind.PERSON, "of a domain", LIST),
    (700038, "unauthorized_client", Kind.REGISTRATION, "all zeros", LIST),
    (700007, "invalid_grant", Kind.SESSION, "issued to another application", LIST),
    (700009, "invalid_request", Kind.REGISTRATION, "without the redirect URI", LIST),
    (50148, "invalid_grant", Kind.SESSION, "code verifier does not fit", LIST),
    (70000, "invalid_grant", Kind.SESSION, "does not take the code", LIST),
    (16003, "invalid_grant", Kind.PERSON, "another account", LIST),
    (50177, "invalid_grant", Kind.PERSON, "another account", LIST),
    (50178, "invalid_grant", Kind.PERSON, "another account", LIST),
    (65002, "invalid_grant", Kind.REGISTRATION, "Microsoft's own", LIST),
    (90013, "invalid_request", Kind.PERSON, "cannot read what was entered", LIST),
    (90014, "invalid_request", Kind.REGISTRATION, "lacks a parameter", LIST),
    (50140, "interaction_required", Kind.SESSION, "stay signed in", LIST),
    (9010010, "invalid_resource", Kind.REGISTRATION, "the parameter resource", RFC8707),
    (901002, "invalid_request", Kind.REGISTRATION, "the parameter resource", LEARN),
]

ASSERTIONS: Final = (50012, 50027, 50048, 700021, 700022, 700023, 700030, 1000502, 7000214, 7000277)

B2C_MEANINGS: Final[list[tuple[int, str, Kind, str, str]]] = [
    (90091, "access_denied", Kind.PERSON, "was cancelled", B2C),
    (90118, "access_denied", Kind.PERSON, "forgotten the password", B2C),
    (90077, "login_required", Kind.SESSION, "Nobody is signed in", B2C),
    (90080, "invalid_grant", Kind.SESSION, "has expired", B2C),
    (90006, "redirect_uri_mismatch", Kind.REGISTRATION, "redirect URI", B2C),
    (90079, "invalid_request", Kind.REGISTRATION, "no client secret", B2C),
    (90081, "invalid_client", Kind.REGISTRATION, "CAMUNDA_IDENTITY_CLIENT_SECRET", B2C),
    (90117, "invalid_request", Kind.REGISTRATION, "CAMUNDA_ENTRA_SCOPES", B2C),
    (90273, "access_denied", Kind.REGISTRATION, "user flow or custom policy", B2C),
    (90092, "unauthorized_client", Kind.POLICY, "disabled", B2C),
    (90035, "server_error", Kind.ENTRA, "trouble of its own", B2C),
    (90048, "server_error", Kind.ENTRA, "trouble of its own", B2C),
    (90085, "invalid_grant", Kind.ENTRA, "trouble of its own", B2C),
    (90244, "invalid_request", Kind.ENTRA, "too busy", B2C),
]


def told(refusal: Refusal) -> str:
    """Cause and remedy."""
    explanation = explain(refusal)
    return f"{explanation.cause} {explanation.remedy}"


@pytest.mark.parametrize(("code", "error", "kind", "words", "source"), MEANINGS)
def test_a_code_means_what_its_source_says(
    code: int, error: str, kind: Kind, words: str, source: str
) -> None:
    """Not what its OAuth error would suggest."""
    refusal = Refusal(error, aadsts=code)
    assert (explain(refusal).kind, words in told(refusal)) == (kind, True), source


@pytest.mark.parametrize("code", ASSERTIONS)
def test_where_a_certificate_or_assertion_is_wrong_no_secret_is_blamed(code: int) -> None:
    """There is none to compare (Learn, certificate credentials)."""
    assert "SECRET" not in told(Refusal("invalid_client", aadsts=code))


def test_an_unknown_code_with_invalid_client_blames_no_secret_alone() -> None:
    """Entra says it of scopes and redirect URIs, too (650053, 650057: public threads of 2020 to 2026)."""
    text = told(Refusal("invalid_client", aadsts=650099))
    assert "CAMUNDA_ENTRA_SCOPES" in text
    assert "https://login.microsoftonline.com/error" in text


@pytest.mark.parametrize(("code", "error", "kind", "words", "source"), B2C_MEANINGS)
def test_a_b2c_code_means_what_its_source_says(
    code: int, error: str, kind: Kind, words: str, source: str
) -> None:
    """It is read from the description, the only place that B2C has it in."""
    refusal = read_refusal({"error": error, "error_description": f"AADB2C{code}: Words.\r\nTimestamp: x"})
    assert refusal == Refusal(error, aadb2c=code)
    assert (explain(refusal).kind, words in told(refusal)) == (kind, True), source


def test_the_numbers_of_b2c_are_its_own() -> None:
    """AADSTS90091 is a fault of Entra's (the list of 2025), AADB2C90091 a press on Cancel (Learn)."""
    assert explain(Refusal("access_denied", aadsts=90091)).kind is Kind.ENTRA
    assert explain(Refusal("access_denied", aadb2c=90091)).kind is Kind.PERSON
    assert 90118 not in EXPLANATIONS
    assert 50011 not in B2C_EXPLANATIONS


@pytest.mark.parametrize("error", ["access_denied", "consent_required", "invalid_grant"])
def test_b2c_never_asks_for_an_administrators_consent(error: str) -> None:
    """Also with codes that are not known here: B2C has no such page."""
    assert explain(Refusal(error, aadb2c=99999)).kind is not Kind.CONSENT


@pytest.mark.parametrize(
    ("refusal", "code"),
    [
        (Refusal("x"), None),
        (Refusal("x", aadsts=50011), "AADSTS50011"),
        (Refusal("x", aadb2c=90118), "AADB2C90118"),
    ],
)
def test_a_code_is_written_as_entra_writes_it(refusal: Refusal, code: str | None) -> None:
    """People look it up in that form."""
    assert refusal.code == code


@pytest.mark.parametrize(
    ("values", "aadsts", "aadb2c"),
    [
        ({"error_description": "AADB2C90118: x"}, None, 90118),
        ({"error_description": "AADB2C90118: x", "error_codes": [50011]}, 50011, None),
        ({"error_description": "see AADB2C90118: x"}, None, None),
        ({"error_description": "AADB2C1234567890: x"}, None, None),
        ({"error_description": "AADXYZ90118: x"}, None, None),
    ],
)
def test_there_is_one_code_at_most(values: dict[str, Any], aadsts: int | None, aadb2c: int | None) -> None:
    """The member counts more than the description, as for all else."""
    refusal = read_refusal({"error": "x", **values})
    assert (refusal.aadsts, refusal.aadb2c) == (aadsts, aadb2c)


ENTRAS_OWN: Final = [
    *(
        Refusal("invalid_grant", aadsts=code)
        for code, each in EXPLANATIONS.items()
        if each.kind is Kind.ENTRA
    ),
    *(
        Refusal("invalid_grant", aadb2c=code)
        for code, each in B2C_EXPLANATIONS.items()
        if each.kind is Kind.ENTRA
    ),
    Refusal("server_error"),
    Refusal("temporarily_unavailable"),
]


@pytest.mark.parametrize("refusal", ENTRAS_OWN, ids=lambda refusal: refusal.code or refusal.error)
def test_trouble_of_entras_own_is_a_failure_and_no_refusal(refusal: Refusal) -> None:
    """Whatever OAuth error comes with it: who asks gets 502 or 503, and is told the code."""
    busy = {"AADSTS90045", "AADSTS90055", "AADB2C90244", "temporarily_unavailable"}
    failure = trouble_of(refusal)
    assert failure is not None
    name = refusal.code or refusal.error
    assert failure.fault == ("throttled" if name in busy else "failed")
    assert name in failure.message


def test_entras_own_trouble_is_none_of_the_others() -> None:
    """A token endpoint's response is the one or the other; its IDs are for the log."""
    correlation = "9d6c8b7a-1111-4222-8333-444455556666"
    members = {"error": "invalid_grant", "correlation_id": correlation}
    trouble = read_error(members | {"error_codes": [90033]}, "https://x/token")
    assert isinstance(trouble, FetchFailed)
    assert f"AADSTS90033, correlation ID {correlation}" in trouble.message
    assert isinstance(read_error(members | {"error_codes": [70008]}, "https://x/token"), EntraRefused)
    assert trouble_of(Refusal("invalid_grant", aadsts=70008)) is None


def test_a_code_that_is_explained_twice_is_noticed() -> None:
    """Two tables must not contradict each other."""
    with pytest.raises(ValueError, match="1 is explained twice"):
        by_code({Kind.PERSON: {(1,): ("A.", "B.")}, Kind.ENTRA: {(2, 1): ("A.", "B.")}})
