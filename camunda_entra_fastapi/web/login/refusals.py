"""Log lines about sign-ins that were refused: for operators, what visitors cannot mend."""

import logging

from camunda_entra_fastapi.errors import EntraError, Refusal, SignInFailed
from camunda_entra_fastapi.faults import FAULTS
from camunda_entra_fastapi.log_records import DOCTOR, Trouble, log_fields
from camunda_entra_fastapi.remote.aadsts import code_of, explain, is_own_fault
from camunda_entra_fastapi.telemetry import logger, sign_ins
from camunda_entra_fastapi.web.challenges import Challenger


def log_refused_sign_in(error: EntraError, challenger: Challenger, path: str) -> None:
    """Count a sign-in that was refused, and log it: as an error where this service is at fault.

    A fault that lasts would be an error for each visitor, so that the next ones are information. Faults of
    others have their line when they become a response.
    """
    sign_ins.add(1, {"outcome": error.code})
    if isinstance(error, FAULTS):
        return
    refusal = error.refusal if isinstance(error, SignInFailed) else None
    is_own = is_own_fault(refusal)
    aadsts = code_of(refusal)
    end = f" {DOCTOR}" if is_own else f" Remedy: {error.remedy}" if error.remedy else ""
    logger.log(
        logging.ERROR if is_own and challenger.trouble.is_news(error.message) else logging.INFO,
        "Sign-in refused: %s: %s%s%s%s",
        error.code,
        f"{aadsts}: " if aadsts else "",
        error.message,
        end,
        challenger.log_ending(error.code),
        extra=log_fields(code=error.code, path=path, aadsts=aadsts),
    )


def log_refused_docs_token(refusal: Refusal, trouble: Trouble, path: str) -> None:
    """Log that Swagger UI got no token because this service is at fault. It shows Entra's words itself."""
    if not is_own_fault(refusal):
        return
    explanation = explain(refusal)
    logger.log(
        logging.ERROR if trouble.is_news(explanation.cause) else logging.INFO,
        "Swagger UI got no token: %s: %s %s %s",
        refusal.code or refusal.error,
        explanation.cause,
        explanation.remedy,
        DOCTOR,
        extra=log_fields(code="entra_refused", path=path, aadsts=refusal.code),
    )
