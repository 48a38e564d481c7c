"""All checks of a token in the service's order, whichever fail.

``validation.verifier`` stops at the first failed check, whose error is the verdict. Here the same functions
check claims that nobody may have signed: the results are to be looked at, never to be trusted.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from camunda_entra_fastapi.cli.explain.decode import DecodedToken, format_time
from camunda_entra_fastapi.cli.findings import Finding, State, printable, split_remedy
from camunda_entra_fastapi.errors import AccessDenied, EntraError, FetchFailed, InvalidToken
from camunda_entra_fastapi.remedies import REMEDIES
from camunda_entra_fastapi.validation.claims import check_audience, check_times, refuse_bound, text_of
from camunda_entra_fastapi.validation.compact import UnverifiedToken, decode, parse, parse_object
from camunda_entra_fastapi.validation.entra import (
    check_admission,
    check_issuer,
    check_kind,
    client_of,
    refuse_graph,
    scopes_of,
    texts_of,
)
from camunda_entra_fastapi.validation.id_token import check_at_hash, check_nonce, check_own_audience
from camunda_entra_fastapi.validation.keys import KeySet, SigningKey
from camunda_entra_fastapi.validation.policy import Policy

_OK_MESSAGES: Final = {
    "form": "signed with RS256, of a size and header that are accepted",
    "key": "one of the tenant's current keys",
    "signature": "made by Entra",
    "payload": "a JSON object",
    "subject": "names who it is about",
    "not Graph's": "not a token for Microsoft Graph",
    "issuer, tenant": "issued by the tenant that the service trusts",
    "audience": "meant for this API",
    "times": "valid now",
    "bearer": "bound to no key or certificate",
    "kind": "an access token with permissions",
    "admission": "client and user are let in",
    "own audience": "meant for this application, and nobody else",
    "nonce": "made for this sign-in",
    "at_hash": "came with this access token",
}


_QUESTION: Final = "tenant allowed"
"""The check that only the service can make."""


@dataclass(frozen=True, slots=True)
class TokenCheckResult:
    """The result of all checks.

    Attributes:
        checks: A finding for each check, in the service's order.
        error: The error that the service would raise; None where it accepts the token.
        is_conclusive: Whether the signature could be checked, or failed before that. Without it, ``error`` is
            about a token that may not be Entra's.
    """

    checks: tuple[Finding, ...]
    error: EntraError | None
    is_conclusive: bool

    @property
    def asks_about_tenant(self) -> bool:
        """Whether a function of the service decides about the token's tenant, which nobody asked here."""
        return any(check.name == _QUESTION for check in self.checks)


def check_access_token(
    token: str, keys: KeySet | FetchFailed | None, policy: Policy, now: float
) -> TokenCheckResult:
    """Run all checks of an access token.

    Args:
        token: Its text.
        keys: The tenant's keys, why they could not be fetched, or None where they were not fetched.
        policy: What the service accepts.
        now: Seconds since 1970.
    """
    checker = _TokenChecker(token, keys, policy, now)
    checks = (*checker.form(), *checker.access_token_claims())
    return TokenCheckResult(checks, checker.error, checker.is_conclusive)


def check_id_token(
    token: str,
    keys: KeySet | FetchFailed | None,
    policy: Policy,
    now: float,
    *,
    nonce: str,
    access_token: str,
) -> TokenCheckResult:
    """Run all checks of an ID token that came with an access token (OpenID Connect Core, 3.1.3.7).

    Args:
        token: Its text.
        keys: The tenant's keys, or why they could not be fetched.
        policy: What the service accepts.
        now: Seconds since 1970.
        nonce: The nonce of the authorization request.
        access_token: The access token of the same token response.
    """
    checker = _TokenChecker(token, keys, policy, now)
    checks = (*checker.form(), *checker.id_token_claims(nonce, access_token))
    return TokenCheckResult(checks, checker.error, checker.is_conclusive)


class _TokenChecker:
    """Runs the checks; the first failed one is kept in ``error``."""

    def __init__(self, token: str, keys: KeySet | FetchFailed | None, policy: Policy, now: float) -> None:
        self._token, self._keys, self._policy, self._now = token, keys, policy, now
        self._decoded = DecodedToken.decode(token)
        self._key: SigningKey | None = None
        self.error: EntraError | None = None
        self.is_conclusive = False

    def form(self) -> Iterator[Finding]:
        """The checks before those of the claims: form, key and signature."""
        parsed: list[UnverifiedToken] = []
        yield self._check("form", lambda: parsed.append(parse(self._token)))
        if isinstance(self._keys, KeySet) and parsed:
            self.is_conclusive = True
            yield from self._check_signature(parsed[0], self._keys)
        else:
            yield from self._without_keys(is_well_formed=bool(parsed))

    def access_token_claims(self) -> Iterator[Finding]:
        """The checks of an access token's claims; but one, where the claims cannot be read."""
        claims, policy = self._decoded.claims, self._policy
        if not claims and self.error is None:
            yield self._check("payload", self._read_payload)
        if not claims and self.error is not None:
            return
        yield self._check("subject", lambda: text_of(claims, "sub"))
        yield self._check("not Graph's", lambda: refuse_graph(claims, policy))
        yield self._check_issuer()
        yield self._check("audience", lambda: check_audience(claims, policy), self._audience_values())
        yield self._check("times", lambda: check_times(claims, policy, self._now), self._time_values())
        yield self._check("bearer", lambda: refuse_bound(claims))
        yield self._check("kind", lambda: check_kind(claims, policy), self._permission_values())
        yield self._check("admission", lambda: check_admission(claims, policy), self._client_values())
        yield from self._question_about_tenant()

    def id_token_claims(self, nonce: str, access_token: str) -> Iterator[Finding]:
        """The checks of an ID token's claims."""
        claims, policy = dict(self._decoded.claims), self._policy
        values = {**self._audience_values(), "expected": policy.client_id}
        yield self._check("subject", lambda: text_of(claims, "sub"))
        yield self._check_issuer()
        yield self._check("own audience", lambda: check_own_audience(claims, policy.client_id), values)
        yield self._check("times", lambda: check_times(claims, policy, self._now), self._time_values())
        yield self._check("nonce", lambda: check_nonce(claims, nonce))
        yield self._check("at_hash", lambda: check_at_hash(claims, access_token))
        yield from self._question_about_tenant()

    def _question_about_tenant(self) -> Iterator[Finding]:
        """What only the service can tell: whether its function lets the tenant in."""
        tenant = self._decoded.text("tid")
        if self.error is None and self._policy.asks_about_tenants and not self._policy.lists(tenant):
            yield Finding(
                _QUESTION,
                State.NOTE,
                "not looked at: the service's function tenant_allowed decides, which this command cannot ask",
                actual=printable(tenant),
            )

    def _read_payload(self) -> None:
        parse_object(decode(self._token.split(".")[1].encode(), "payload"), "payload")

    def _check_issuer(self) -> Finding:
        key_issuer = self._key.issuer if self._key else None
        claims, policy = self._decoded.claims, self._policy
        return self._check(
            "issuer, tenant", lambda: check_issuer(claims, policy, key_issuer), self._issuer_values()
        )

    def _check_signature(self, unverified: UnverifiedToken, keys: KeySet) -> Iterator[Finding]:
        key = self._key = keys.find(unverified.key_id)
        values = {"actual": printable(unverified.key_id, 100)}
        yield self._check(
            "key", lambda: _require_key(key), values | {"expected": f"one of {len(keys.by_id)} keys"}
        )
        if key is None:
            yield Finding("signature", State.SKIPPED, "not looked at, as there is no key for it")
        else:
            yield self._check("signature", lambda: unverified.verified_claims(key))

    def _without_keys(self, *, is_well_formed: bool) -> Iterator[Finding]:
        if not is_well_formed:
            self.is_conclusive = True
            reason = "not looked at, as the token has not the right form"
        elif self._keys is None:
            reason = "not looked at, as the keys were not fetched"
        else:
            yield Finding(
                "key",
                State.WRONG,
                f"Entra's keys cannot be had. {printable(self._keys)}",
                "Run camunda-entra doctor, which tells what is in the way.",
                code=getattr(self._keys, "code", ""),
            )
            reason = "not looked at, as there are no keys"
        yield Finding("signature", State.SKIPPED, reason)

    def _check(
        self, name: str, check: Callable[[], object], values: Mapping[str, str] | None = None
    ) -> Finding:
        values = values or {}
        expected, actual = values.get("expected", ""), values.get("actual", "")
        try:
            check()
        except (InvalidToken, AccessDenied) as error:
            self.error = self.error or error
            cause, _ = split_remedy(error.message)
            remedy = error.remedy or REMEDIES[error.code]
            remedy = remedy.replace("<client ID of the API>", self._policy.client_id)
            return Finding(name, State.WRONG, cause, remedy, error.code, expected, actual)
        return Finding(name, State.OK, _OK_MESSAGES[name], expected=expected, actual=actual)

    def _issuer_values(self) -> dict[str, str]:
        policy, tenant = self._policy, self._decoded.text("tid")
        expected = policy.issuer_of(tenant) if policy.multi_tenant and tenant else policy.issuer
        v1 = policy.v1_issuer_of(tenant) if policy.accept_v1 else None
        return {
            "expected": printable(f"{expected} or {v1}" if v1 else expected),
            "actual": printable(self._decoded.text("iss")),
        }

    def _audience_values(self) -> dict[str, str]:
        actual: Any = self._decoded.claims.get("aud", "")
        audience = ", ".join(map(str, actual)) if isinstance(actual, list) else actual
        return {"expected": " or ".join(sorted(self._policy.audiences)), "actual": printable(audience)}

    def _time_values(self) -> dict[str, str]:
        claims = self._decoded.claims
        labels = (("issued", "iat"), ("valid from", "nbf"), ("until", "exp"))
        periods = [
            f"{word} {format_time(claims[name], self._now)}" for word, name in labels if name in claims
        ]
        if claims.get("nbf") == claims.get("iat") and "iat" in claims:
            periods = [each for each in periods if not each.startswith("valid from")]
        return {"actual": "; ".join(periods)}

    def _permission_values(self) -> dict[str, str]:
        claims = self._decoded.claims
        scopes, roles = " ".join(scopes_of(claims)), ", ".join(texts_of(claims, "roles"))
        permissions = "; ".join(
            f"{name} {values}" for name, values in (("scp", scopes), ("roles", roles)) if values
        )
        return {"expected": "scp or roles", "actual": printable(permissions or "neither")}

    def _client_values(self) -> dict[str, str]:
        allowed = ", ".join(sorted(self._policy.allowed_clients))
        values = {"expected": printable(allowed), "actual": printable(client_of(self._decoded.claims) or "")}
        return values if allowed else {}


def _require_key(key: SigningKey | None) -> None:
    if key is None:
        raise InvalidToken(
            "key_unknown", "The token is signed with a key that is none of the tenant's current keys."
        )
