"""Entra's refusals: what is read of them, and what they are taken to mean."""

import re
from typing import Any, Final

import pytest

from camunda_entra_fastapi.errors import Refusal
from camunda_entra_fastapi.remote.aadsts import EXPLANATIONS, Kind, explain, is_consent, read_refusal
from camunda_entra_fastapi.remote.aadsts_table import B2C_EXPLANATIONS, Explanation

TRACE: Final = "3f1d2c4b-5a69-4788-9abc-def012345678"
CORRELATION: Final = "9d6c8b7a-1111-4222-8333-444455556666"
TIME: Final = "2026-01-02 03:04:05Z"
SCRIPT: Final = "<script>alert(1)</script>"
DOCUMENTED: Final = """
50011 900971 700016 700011 7000229 7000112 90002 900023 50059 90019 50128 50194 50020 50034 16000 50105 50126
50053 50057 50055 50058 50076 50079 50074 50072 50078 53003 53000 53001 530032 530035 700003 65001 65004 90094
90093 65005 650056 650057 650052 500011 70011 1002012 28002 28003 700023 700022 90009 7000215 7000222 7000216
7000218 700025 700027 700024 70021 700213 700229 54005 70008 700082 700084 50173 70043 700005 501481 50147
501491 9002325 9002326 9002327 9002313 900144 900561 700054 50013 500131 500133 7000114 240002 90124 90130
9001023 901002 90100 50196 70016 900439 90038 90095 90008 90099 900941 900981 501051
"""


def description(separator: str = "\r\n", code: str = "AADSTS7000215", trace: str = TRACE) -> str:
    """An error description as Entra words it."""
    parts = (f"{code}: Invalid client secret provided.", f"Trace ID: {trace}")
    return separator.join((*parts, f"Correlation ID: {CORRELATION}", f"Timestamp: {TIME}"))


def test_a_token_error_is_read_from_its_members() -> None:
    """The JSON of the token endpoint has a member for everything."""
    claims = '{"access_token":{"polids":{"essential":true,"values":["x"]}}}'
    members: dict[str, Any] = {
        "error": "interaction_required",
        "suberror": "basic_action",
        "error_description": "AADSTS50079: words",
        "error_codes": [50076, 50079],
        "timestamp": TIME,
        "trace_id": TRACE,
        "correlation_id": CORRELATION,
        "claims": claims,
    }
    assert read_refusal(members) == Refusal(
        error="interaction_required",
        suberror="basic_action",
        aadsts=50076,
        trace_id=TRACE,
        correlation_id=CORRELATION,
        timestamp=TIME,
        claims=claims,
    )


@pytest.mark.parametrize("separator", ["\r\n", "\n", " "])
def test_a_callback_is_read_from_its_description(separator: str) -> None:
    """An error redirect has all but the error itself in the text, between line ends or blanks."""
    values = {"error": "invalid_client", "error_description": description(separator), "state": "x"}
    assert read_refusal(values) == Refusal("invalid_client", None, 7000215, TRACE, CORRELATION, TIME)


def test_a_cancelled_sign_in_is_read_without_a_description() -> None:
    """Entra's response when a user cancels: an error and a subcode, nothing else."""
    assert read_refusal({"error": "access_denied", "error_subcode": "cancel"}) == Refusal(
        "access_denied", "cancel"
    )


def test_members_count_more_than_the_description() -> None:
    """Where both are there and differ."""
    other = "00000000-1111-4222-8333-444455556666"
    values = {"error": "x", "error_description": description(), "error_codes": [50076], "trace_id": other}
    refusal = read_refusal(values)
    assert (refusal.aadsts, refusal.trace_id, refusal.correlation_id) == (50076, other, CORRELATION)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, Refusal("invalid_response")),
        ({"error": ""}, Refusal("invalid_response")),
        ({"error": SCRIPT}, Refusal("invalid_response")),
        ({"error": "Access_Denied"}, Refusal("invalid_response")),
        ({"error": "access_denied\n"}, Refusal("invalid_response")),
        ({"error": "a" * 65}, Refusal("invalid_response")),
        ({"error": ["x"]}, Refusal("invalid_response")),
        ({"error": "a" * 64}, Refusal("a" * 64)),
        ({"error": "x", "suberror": SCRIPT}, Refusal("x")),
        ({"error": "x", "suberror": SCRIPT, "error_subcode": "cancel"}, Refusal("x", "cancel")),
        ({"error": "x", "error_codes": []}, Refusal("x")),
        ({"error": "x", "error_codes": "50076"}, Refusal("x")),
        ({"error": "x", "error_codes": [True]}, Refusal("x")),
        ({"error": "x", "error_codes": [0]}, Refusal("x")),
        ({"error": "x", "error_codes": [-50076]}, Refusal("x")),
        ({"error": "x", "error_codes": [10**9]}, Refusal("x")),
        ({"error": "x", "error_codes": [5.0]}, Refusal("x")),
        ({"error": "x", "error_codes": [10**9 - 1]}, Refusal("x", aadsts=10**9 - 1)),
        ({"error": "x", "error_description": 7}, Refusal("x")),
        ({"error": "x", "error_description": SCRIPT}, Refusal("x")),
        ({"error": "x", "error_description": "see AADSTS50076: y"}, Refusal("x")),
        ({"error": "x", "error_description": "AADSTS: y"}, Refusal("x")),
        ({"error": "x", "error_description": "AADSTS1234567890: y"}, Refusal("x")),
        ({"error": "x", "error_description": "AADSTS\u0665\u0660\u0660\u0667\u0666: y"}, Refusal("x")),
        ({"error": "x", "error_description": "AADSTS50076"}, Refusal("x", aadsts=50076)),
        ({"error": "x", "error_description": "y" * 4096 + description()}, Refusal("x")),
        ({"error": "x", "error_description": f"Trace ID: {TRACE}0"}, Refusal("x")),
        ({"error": "x", "error_description": f"Trace ID: {TRACE}-ff"}, Refusal("x")),
        ({"error": "x", "error_description": f"Trace ID: {SCRIPT}"}, Refusal("x")),
        ({"error": "x", "trace_id": f"{TRACE}\r\nX: y"}, Refusal("x")),
        ({"error": "x", "trace_id": 7, "correlation_id": SCRIPT, "timestamp": "now"}, Refusal("x")),
        ({"error": "x", "timestamp": "2026-01-02T03:04:05.6789012Z"}, None),
        ({"error": "x", "timestamp": f"{TIME}\n"}, Refusal("x")),
    ],
)
def test_what_has_not_the_right_form_is_left_out(values: dict[str, Any], expected: Refusal | None) -> None:
    """Anybody can send a browser to the callback: only harmless characters, and few, go further."""
    assert read_refusal(values) == (expected or Refusal("x", timestamp="2026-01-02T03:04:05.6789012Z"))


@pytest.mark.parametrize(
    ("claims", "kept"),
    [
        ("{}", True),
        ('{"a":"' + "x" * 4088 + '"}', True),
        ('{"a":"' + "x" * 4089 + '"}', False),
        ("[]", False),
        ('"text"', False),
        ("{", False),
        ("", False),
        ("[" * 4096, False),
        ('{"a":' * 800, False),
        ('{"a":"\u00e4"}', False),
        ('{"a":"\ud800"}', False),
        ('{\n"a":1}', False),
        ({"a": 1}, False),
        (None, False),
    ],
)
def test_claims_are_a_small_json_object_in_ascii(claims: object, kept: bool) -> None:
    """They are sent along with the next sign-in, so they must fit into an address."""
    assert read_refusal({"error": "x", "claims": claims}).claims == (claims if kept else None)


@pytest.mark.parametrize(
    "explanation",
    [
        pytest.param(explanation, id=f"{name}{code}")
        for name, table in (("", EXPLANATIONS), ("AADB2C", B2C_EXPLANATIONS))
        for code, explanation in sorted(table.items())
    ],
)
def test_every_code_has_a_cause_and_a_remedy_in_plain_sentences(explanation: Explanation) -> None:
    """They are shown to people as they stand, one after the other."""
    for text in (explanation.cause, explanation.remedy):
        assert text.isascii()
        assert text.isprintable()
        assert 8 < len(text) <= 300
        assert text[0].isupper()
        assert text.endswith((".", "/.default"))
        assert "  " not in text
        assert set(re.findall(r"CAMUNDA_\w+", text)) <= {
            "CAMUNDA_ENTRA_BASE_URL",
            "CAMUNDA_ENTRA_CLIENT_CERTIFICATE",
            "CAMUNDA_ENTRA_FEDERATED_TOKEN_FILE",
            "CAMUNDA_ENTRA_SCOPES",
            "CAMUNDA_IDENTITY_CLIENT_ID",
            "CAMUNDA_IDENTITY_CLIENT_SECRET",
            "CAMUNDA_IDENTITY_ISSUER",
            "CAMUNDA_IDENTITY_ISSUER_BACKEND_URL",
        }


def test_the_documented_codes_are_all_explained() -> None:
    """Those that a service of this kind meets, as the protocol's documentation lists them."""
    assert {int(code) for code in DOCUMENTED.split()} <= set(EXPLANATIONS)


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (65001, Kind.CONSENT, "consented"),
        (90094, Kind.CONSENT, "administrator"),
        (50020, Kind.PERSON, "another account"),
        (50105, Kind.POLICY, "Users and groups"),
        (53003, Kind.POLICY, "Conditional Access"),
        (50173, Kind.SESSION, "revoked"),
        (50011, Kind.REGISTRATION, "CAMUNDA_ENTRA_BASE_URL"),
        (7000215, Kind.REGISTRATION, "CAMUNDA_IDENTITY_CLIENT_SECRET"),
        (700016, Kind.REGISTRATION, "CAMUNDA_IDENTITY_CLIENT_ID"),
        (50194, Kind.REGISTRATION, "CAMUNDA_IDENTITY_ISSUER"),
        (90009, Kind.REGISTRATION, "CAMUNDA_ENTRA_SCOPES"),
    ],
)
def test_a_code_tells_whose_business_it_is(code: int, kind: Kind, words: str) -> None:
    """The code counts, whatever error and suberror come with it."""
    explanation = explain(Refusal("server_error", "basic_action", code))
    assert explanation.kind is kind
    assert words in f"{explanation.cause} {explanation.remedy}"


@pytest.mark.parametrize(
    ("refusal", "kind"),
    [
        (Refusal("access_denied", "cancel"), Kind.CONSENT),
        (Refusal("access_denied"), Kind.CONSENT),
        (Refusal("permission_denied"), Kind.CONSENT),
        (Refusal("consent_required"), Kind.CONSENT),
        (Refusal("invalid_grant", "consent_required", 99999), Kind.CONSENT),
        (Refusal("invalid_grant", "basic_action"), Kind.SESSION),
        (Refusal("invalid_grant", "message_only"), Kind.POLICY),
        (Refusal("invalid_grant", "bad_token"), Kind.SESSION),
        (Refusal("invalid_grant"), Kind.SESSION),
        (Refusal("interaction_required"), Kind.SESSION),
        (Refusal("login_required"), Kind.SESSION),
        (Refusal("invalid_client"), Kind.REGISTRATION),
        (Refusal("unauthorized_client"), Kind.REGISTRATION),
        (Refusal("invalid_scope"), Kind.REGISTRATION),
        (Refusal("invalid_resource"), Kind.REGISTRATION),
        (Refusal("invalid_request"), Kind.REGISTRATION),
        (Refusal("unsupported_response_type"), Kind.REGISTRATION),
        (Refusal("server_error"), Kind.ENTRA),
        (Refusal("temporarily_unavailable"), Kind.ENTRA),
        (Refusal("never_heard_of"), Kind.PERSON),
        (Refusal("invalid_response"), Kind.PERSON),
    ],
)
def test_without_a_known_code_suberror_and_error_decide(refusal: Refusal, kind: Kind) -> None:
    """There are always codes that are not in the table, and cancelling has none at all."""
    explanation = explain(refusal)
    assert explanation.kind is kind
    assert explanation.cause
    assert explanation.remedy
    assert is_consent(refusal) is (kind is Kind.CONSENT)


def test_leaving_the_page_hints_at_consent() -> None:
    """Entra says nothing of its approval page to us, so both readings are named."""
    explanation = explain(Refusal("access_denied", "cancel"))
    assert "cancelled" in explanation.cause
    assert "administrator" in explanation.cause
