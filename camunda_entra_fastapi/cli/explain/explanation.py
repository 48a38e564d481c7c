"""The explanation of a token: its kind, its claims, every check of it, and the verdict."""

from dataclasses import dataclass
from typing import Any

from rich.console import Console

from camunda_entra_fastapi.cli.console import print_finding, print_line, print_members
from camunda_entra_fastapi.cli.explain.checks import TokenCheckResult, check_access_token
from camunda_entra_fastapi.cli.explain.decode import DecodedToken, redacted, times_of
from camunda_entra_fastapi.cli.explain.input import TokenInput, parse_input
from camunda_entra_fastapi.cli.explain.token_kinds import details_of, kind_of
from camunda_entra_fastapi.cli.findings import Finding
from camunda_entra_fastapi.errors import EntraError, FetchFailed, InvalidToken
from camunda_entra_fastapi.runtime import policy_of
from camunda_entra_fastapi.settings import EntraSettings
from camunda_entra_fastapi.validation.keys import KeySet


@dataclass(frozen=True, slots=True)
class TokenExplanation:
    """The explanation of one token.

    Attributes:
        token_input: The parsed input.
        decoded: The token's header and claims.
        kind: Its kind, in a few words.
        details: Further sentences about it.
        findings: What is wrong with the settings, if anything is.
        result: The result of all checks; None without settings, or without a token.
        now: Seconds since 1970.
    """

    token_input: TokenInput
    decoded: DecodedToken
    kind: str
    details: tuple[str, ...]
    findings: tuple[Finding, ...]
    result: TokenCheckResult | None
    now: float

    @property
    def verdict(self) -> tuple[str, str]:
        """The service's verdict: a word, and a sentence."""
        if self.token_input.opaque:
            return (
                "refused",
                f"This is {self.token_input.opaque}. The service answers it with 401 token_malformed.",
            )
        if self.result is None:
            return "unknown", "Whether the service accepts it cannot be told without its settings."
        if self.result.error is not None and not self.result.is_conclusive:
            error = self.result.error
            return "refused", f"If Entra signed it, the service answers it with {_status_and_code(error)}."
        if self.result.error is not None:
            return "refused", f"The service answers it with {_status_and_code(self.result.error)}."
        if not self.result.is_conclusive:
            return "unknown", "If Entra signed it, the service accepts it; its keys were not there to tell."
        condition = (
            ", if its function tenant_allowed lets in the tenant" if self.result.asks_about_tenant else ""
        )
        return "accepted", f"The service accepts it{condition}."

    def as_json(self) -> dict[str, Any]:
        """The explanation as ``--json`` prints it."""
        verdict, message = self.verdict
        error = self.result.error if self.result else None
        return {
            "kind": self.token_input.opaque or self.kind,
            "details": [*self.token_input.notes, *self.details],
            "verdict": verdict,
            "message": message,
            "code": "token_malformed" if self.token_input.opaque else error and error.code,
            "header": redacted(self.decoded.header),
            "claims": redacted(self.decoded.claims),
            "times": times_of(self.decoded.claims, self.now),
            "checks": [check.as_json() for check in self.result.checks] if self.result else [],
            "findings": [finding.as_json() for finding in self.findings],
        }


def explain_token(
    text: str, settings: EntraSettings | None, keys: KeySet | FetchFailed | None, now: float
) -> TokenExplanation:
    """Explain the token in a text.

    Args:
        text: The token, with whatever stands around it.
        settings: The service's settings; None where there are none.
        keys: The tenant's keys, why they could not be fetched, or None where they were not fetched.
        now: Seconds since 1970.
    """
    token_input = parse_input(text)
    if token_input.opaque:
        return TokenExplanation(token_input, DecodedToken(), "", (), (), None, now)
    decoded = DecodedToken.decode(token_input.token)
    tenant = settings.tenant if settings else None
    has_customers = settings is not None and settings.tenant_type == "external"
    return TokenExplanation(
        token_input,
        decoded,
        kind_of(decoded),
        tuple(details_of(decoded, tenant, has_customers=has_customers)),
        (),
        check_access_token(token_input.token, keys, policy_of(settings), now) if settings else None,
        now,
    )


def print_explanation(console: Console, explanation: TokenExplanation) -> None:
    """Print the explanation: the kind and the verdict, the claims, each check, and the verdict again."""
    token_input = explanation.token_input
    for note in token_input.notes:
        print_line(console, note)
    if not token_input.opaque:
        article = "an" if explanation.kind[0] in "aeI" else "a"
        print_line(console, f"This is {article} {explanation.kind}.", "bold")
        _print_verdict(console, explanation)
        for line in explanation.details:
            console.print(line, markup=False, highlight=False, emoji=False)
        print_members(console, "Header", redacted(explanation.decoded.header))
        print_members(console, "Claims, as the token has them", _claims_with_times(explanation))
    if explanation.result is not None:
        print_line(console, "\nWhat the service checks, in its order", "bold")
        for check in explanation.result.checks:
            print_finding(console, check)
    for finding in explanation.findings:
        print_finding(console, finding)
    console.print()
    _print_verdict(console, explanation)
    if token_input.opaque:
        console.print(token_input.remedy, markup=False, highlight=False, emoji=False)


def _print_verdict(console: Console, explanation: TokenExplanation) -> None:
    verdict, message = explanation.verdict
    style = {"accepted": "bold green", "refused": "bold red"}.get(verdict, "bold yellow")
    console.print(message, style=style, markup=False, highlight=False, emoji=False)


def _claims_with_times(explanation: TokenExplanation) -> dict[str, Any]:
    times = times_of(explanation.decoded.claims, explanation.now)
    members = redacted(explanation.decoded.claims)
    return {name: f"{value}  ({times[name]})" if name in times else value for name, value in members.items()}


def _status_and_code(error: EntraError) -> str:
    return f"{401 if isinstance(error, InvalidToken) else 403} {error.code}"
