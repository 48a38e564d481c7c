"""Entra's refusals: read from a response, and explained by AADSTS or AADB2C code, or OAuth error."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from camunda_entra_fastapi.errors import Fault, FetchFailed, Refusal
from camunda_entra_fastapi.remote.aadsts_table import (
    B2C_EXPLANATIONS,
    EXPLANATIONS,
    TOO_MANY_REQUESTS,
    Explanation,
    Kind,
    b2c,
)
from camunda_entra_fastapi.untrusted_json import parse_object

__all__ = [
    "BY_ERROR",
    "EXPLANATIONS",
    "Explanation",
    "Kind",
    "code_of",
    "explain",
    "is_consent",
    "is_own_fault",
    "read_refusal",
    "trouble_of",
]

MISCONFIGURED: Final = frozenset({"issuer_unexpected", "local_entra"})
"""The codes of failures that the settings have to end, so that the operator is told and not the caller."""
UNREADABLE: Final = "invalid_response"
"""The error of a response that has none, or a malformed one."""
MAX_DESCRIPTION_CHARACTERS: Final = 4096
"""Characters that are searched of a description, which is never kept."""
MAX_CLAIMS_CHARACTERS: Final = 4096

_ERROR_NAME: Final = re.compile(r"[a-z_]{1,64}")
_GUID: Final = r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
_TIME: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,7})?Z"
_CODE: Final = re.compile(r"AAD(STS|B2C)([0-9]{4,9})(?![0-9])")
_HIGHEST_CODE: Final = 999_999_999
_FACTS: Final = {
    "trace_id": (re.compile(_GUID), re.compile(rf"\bTrace ID:\s{{0,4}}({_GUID})(?![\w-])")),
    "correlation_id": (re.compile(_GUID), re.compile(rf"\bCorrelation ID:\s{{0,4}}({_GUID})(?![\w-])")),
    "timestamp": (re.compile(_TIME), re.compile(rf"\bTimestamp:\s{{0,4}}({_TIME})")),
}
"""The form of a member's value, and the form that it has in the description."""

_CANCELLED: Final = Explanation(
    "The sign-in was cancelled, or ended at a page of Entra's that asks for an administrator's consent.",
    "Try again. If Entra asks for an administrator's approval, one has to consent for the organization.",
    Kind.CONSENT,
)
_AGAIN: Final = "Sign in again."
_INTERACTION: Final = Explanation(
    "Entra has to ask the person something before it goes on.", _AGAIN, Kind.SESSION
)
_EXPIRED: Final = Explanation(
    "The sign-in has expired, was revoked, or was used already.", _AGAIN, Kind.SESSION
)
_SCOPES: Final = Explanation(
    "Entra does not know a scope or an API that this service asks for.",
    "Correct CAMUNDA_ENTRA_SCOPES, for example: openid profile email offline_access <client ID>/.default",
    Kind.REGISTRATION,
)
_REQUEST: Final = Explanation(
    "Entra does not take the request that this service made.",
    "Check CAMUNDA_IDENTITY_ISSUER and CAMUNDA_ENTRA_SCOPES, and that proxies pass requests unchanged.",
    Kind.REGISTRATION,
)
_TROUBLE: Final = Explanation(
    "Entra has trouble of its own at the moment.", "Try again in a minute.", Kind.ENTRA
)
_GENERAL: Final = Explanation(
    "Entra refused, for a reason that is not known here.",
    "Try again. If it stays so, the codes and IDs of this refusal tell Microsoft's support what happened.",
    Kind.PERSON,
)
BY_ERROR: Final[Mapping[str, Explanation]] = MappingProxyType(
    {
        "access_denied": _CANCELLED,
        "permission_denied": _CANCELLED,
        "consent_required": EXPLANATIONS[65001],
        "interaction_required": _INTERACTION,
        "basic_action": _INTERACTION,
        "additional_action": _INTERACTION,
        "login_required": EXPLANATIONS[50058],
        "account_selection_required": EXPLANATIONS[50058],
        "message_only": EXPLANATIONS[53003],
        "invalid_grant": _EXPIRED,
        "invalid_client": Explanation(
            "Entra does not believe that this service is the application it says it is, or does not give it "
            "what it asks for.",
            "Look the code up, if there is one, at https://login.microsoftonline.com/error. Compare "
            "CAMUNDA_IDENTITY_CLIENT_ID, CAMUNDA_ENTRA_SCOPES and the secret or certificate to the app "
            "registration.",
            Kind.REGISTRATION,
        ),
        "unauthorized_client": Explanation(
            "The application is unknown in the tenant, or may not sign people in in this way.",
            "Check CAMUNDA_IDENTITY_CLIENT_ID, and the tenant in CAMUNDA_IDENTITY_ISSUER.",
            Kind.REGISTRATION,
        ),
        "invalid_scope": _SCOPES,
        "invalid_resource": _SCOPES,
        "invalid_request": _REQUEST,
        "unsupported_response_type": _REQUEST,
        "unsupported_grant_type": _REQUEST,
        "server_error": _TROUBLE,
        "temporarily_unavailable": _TROUBLE,
    }
)
"""Explanations of suberrors and OAuth errors, where no code has a better one (RFC 6749, 4.1.2.1 and 5.2)."""


def explain(refusal: Refusal) -> Explanation:
    """Cause and remedy of a refusal: by code, else by suberror, else by error."""
    if refusal.aadb2c is not None:
        found = B2C_EXPLANATIONS.get(refusal.aadb2c) or _by_error(refusal)
        # B2C says access_denied of much, and never asks for consent.
        return _GENERAL if found.kind is Kind.CONSENT else found
    return EXPLANATIONS.get(refusal.aadsts or 0) or _by_error(refusal)


def _by_error(refusal: Refusal) -> Explanation:
    return BY_ERROR.get(refusal.suberror or "") or BY_ERROR.get(refusal.error, _GENERAL)


def trouble_of(refusal: Refusal) -> FetchFailed | None:
    """The failure behind a refusal that only tells of trouble of Entra's own; None for all others."""
    explanation = explain(refusal)
    if explanation.kind is not Kind.ENTRA:
        return None
    is_busy = refusal.aadsts in TOO_MANY_REQUESTS or refusal.aadb2c in b2c.TOO_MANY_REQUESTS
    fault: Fault = "throttled" if is_busy or refusal.error == "temporarily_unavailable" else "failed"
    correlation = refusal.correlation_id and f"correlation ID {refusal.correlation_id}"
    answer = ", ".join(part for part in (refusal.error, refusal.code, correlation) if part)
    return FetchFailed(
        f"Entra answered {answer}: {explanation.cause} {explanation.remedy}", fault=fault, refusal=refusal
    )


def code_of(refusal: Refusal | None) -> str | None:
    """The code as Entra writes it; None where there is no refusal, or none with a code."""
    return None if refusal is None else refusal.code


def is_own_fault(refusal: Refusal | None) -> bool:
    """Whether this service's settings or registration have to end it, and nobody who signs in can."""
    return refusal is not None and explain(refusal).kind is Kind.REGISTRATION


def is_consent(refusal: Refusal) -> bool:
    """Whether consent is missing, so that the admin-consent link may help."""
    return explain(refusal).kind is Kind.CONSENT


def read_refusal(values: Mapping[str, object]) -> Refusal:
    """The refusal, from the JSON of a token error or the parameters of a callback.

    B2C has its codes in descriptions alone. Malformed members are left out, and so are the description's own
    words: anybody can write them who sends a browser to the callback.
    See https://learn.microsoft.com/entra/identity-platform/reference-error-codes.
    """
    description = values.get("error_description")
    text = description[:MAX_DESCRIPTION_CHARACTERS] if isinstance(description, str) else ""
    aadsts, aadb2c = _codes(values.get("error_codes"), text)
    return Refusal(
        error=_error_name(values, "error") or UNREADABLE,
        suberror=_error_name(values, "suberror") or _error_name(values, "error_subcode"),
        aadsts=aadsts,
        aadb2c=aadb2c,
        trace_id=_fact(values, "trace_id", text),
        correlation_id=_fact(values, "correlation_id", text),
        timestamp=_fact(values, "timestamp", text),
        claims=_claims(values.get("claims")),
    )


def _error_name(values: Mapping[str, object], name: str) -> str | None:
    value = values.get(name)
    return value if isinstance(value, str) and _ERROR_NAME.fullmatch(value) else None


def _codes(codes: object, description: str) -> tuple[int | None, int | None]:
    """The AADSTS code or the AADB2C code; never both."""
    first: Any = codes[0] if isinstance(codes, list) and codes else None
    if type(first) is int and 0 < first <= _HIGHEST_CODE:  # True is an int, too
        return first, None
    match = _CODE.match(description)
    if match is None:
        return None, None
    return (int(match[2]), None) if match[1] == "STS" else (None, int(match[2]))


def _fact(values: Mapping[str, object], name: str, description: str) -> str | None:
    form, in_description = _FACTS[name]
    value = values.get(name)
    if isinstance(value, str) and form.fullmatch(value):
        return value
    match = in_description.search(description)
    return match[1] if match else None


def _claims(value: object) -> str | None:
    """JSON for the next sign-in's ``claims`` parameter (Learn: claims challenges), unchanged."""
    if not isinstance(value, str) or len(value) > MAX_CLAIMS_CHARACTERS:
        return None
    if not value.isascii() or not value.isprintable():
        return None
    return None if parse_object(value) is None else value
