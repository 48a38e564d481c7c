"""Faults that are none of the client's: what the log has of them, and what the client is told instead."""

import logging
import secrets
from collections.abc import Mapping
from typing import Final

from camunda_entra_fastapi.errors import EntraRefused, EntraUnavailable, SessionsUnavailable
from camunda_entra_fastapi.log_records import log_fields
from camunda_entra_fastapi.telemetry import logger

Fault = EntraUnavailable | EntraRefused | SessionsUnavailable
FAULTS: Final = (EntraUnavailable, EntraRefused, SessionsUnavailable)
"""Errors that are no fault of the client's. Their messages are for the log alone (CWE-209)."""
_SENTENCES: Final[Mapping[str, str]] = {
    "tenant_check_failed": "Whether people of this organization are let in cannot be told at the moment.",
    "keys_unavailable": "The keys that credentials are verified with could not be fetched yet.",
    "issuer_unexpected": "Microsoft Entra ID's discovery document does not fit this service's settings.",
    "local_entra": "This service's settings let it trust no such Entra as it has found.",
    "id_token_invalid": "Entra's answer proves nothing about who signs in.",
    "entra_unreachable": "Microsoft Entra ID cannot be reached at the moment.",
    "entra_timeout": "Microsoft Entra ID did not answer in time.",
    "entra_throttled": "Microsoft Entra ID is too busy at the moment.",
    "entra_failed": "This service got no answer from Microsoft Entra ID that could be used.",
    "sessions_unavailable": "Whether somebody is signed in cannot be told at the moment.",
    "entra_refused": "This service got no token to call another one with.",
}
"""All that clients are told of a fault, by code."""


def log_fault(error: Fault, status: int, path: str | None, ending: str) -> str:
    """Log every word of a fault; what the client is told instead, and how to find the one by the other."""
    reference = secrets.token_hex(4)
    refusal = None if isinstance(error, SessionsUnavailable) else error.refusal
    correlation, aadsts = (None, None) if refusal is None else (refusal.correlation_id, refusal.code)
    level = logging.ERROR if isinstance(error, EntraRefused) else logging.WARNING
    logger.log(
        level,
        "Answered %d, reference %s: %s: %s%s%s",
        status,
        reference,
        error.code,
        error.message,
        f" Entra's correlation ID is {correlation}." if correlation else "",
        ending,
        extra=log_fields(
            code=error.code,
            status=status,
            path=path,
            aadsts=aadsts,
            reference=reference,
        ),
    )
    sentence = _SENTENCES.get(error.code, "This service cannot do that at the moment.")
    return (
        f"{sentence} The fault is not in your request; try again shortly. "
        f"This service's log says more under the reference {reference}."
    )


def as_told(error: Fault, message: str) -> Fault:
    """The fault without its own words, which nothing that goes to clients may hold."""
    if isinstance(error, EntraRefused):
        return EntraRefused(message, error.refusal)
    if isinstance(error, SessionsUnavailable):
        return SessionsUnavailable(message, error.retry_after)
    return EntraUnavailable(error.code, message, error.retry_after, error.refusal)
