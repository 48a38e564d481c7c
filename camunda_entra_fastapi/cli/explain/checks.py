"""The checks that the service makes of an access token, in its order; all of them, whichever fail.

``validation.verifier`` stops at the first that fails, and so is the verdict. Here each one is made by the
same function, on claims that nobody may have signed: that is for looking at, never for believing.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from camunda_entra_fastapi.cli.explain.decode import Anatomy, at
from camunda_entra_fastapi.cli.findings import Finding, State, printable, split_remedy
from camunda_entra_fastapi.errors import AccessDenied, EntraError, FetchFailed, InvalidToken
from camunda_entra_fastapi.remedies import REMEDIES
from camunda_entra_fastapi.validation.claims import check_audience, check_times, text_of
from camunda_entra_fastapi.validation.compact import UnverifiedToken, parse
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

_GOOD: Final = {
    "form": "signed with RS256, of a size and header that are accepted",
    "key": "one of the tenant's current keys",
    "signature": "made by Entra",
    "subject": "names who it is about",
    "not Graph's": "not a token for Microsoft Graph",
    "issuer, tenant": "issued by the tenant that the service trusts",
    "audience": "meant for this API",
    "times": "valid now",
    "kind": "an access token with permissions",
    "admission": "client and user are let in",
    "own audience": "meant for this application, and nobody else",
    "nonce": "made for this sign-in",
    "at_hash": "came with this access token",
}


@dataclass(frozen=True, slots=True)
class Judged:
    """The checks, and what the service would say.

    Attributes:
        checks: One for each, in the service's order.
        verdict: The error that the service would raise; None where it accepts, or where nobody can tell.
        is_certain: Whether the keys were there, without which there is no verdict but for the form.
    """

    checks: tuple[Finding, ...]
    verdict: EntraError | None
    is_certain: bool


def judge(token: str, keys: KeySet | FetchFailed | None, policy: Policy, now: float) -> Judged:
    """Make all checks of the access token.

    Args:
        token: Its text.
        keys: The tenant's keys, why they cannot be had, or None where nobody asked for them.
        policy: What the service accepts.
        now: Seconds since 1970.
    """
    steps = _Steps(token, keys, policy, now)
    checks = (*steps.of_form(), *steps.of_access_token())
    return Judged(checks, steps.verdict, steps.is_certain)


def judge_id_token(
    token: str,
    keys: KeySet | FetchFailed | None,
    policy: Policy,
    now: float,
    *,
    nonce: str,
    access_token: str,
) -> Judged:
    """Make all checks of the ID token that came together with the access token.

    Args:
        token: Its text.
        keys: The tenant's keys, or why they cannot be had.
        policy: What the service accepts.
        now: Seconds since 1970.
        nonce: What the sign-in was begun with.
        access_token: What came with it.
    """
    steps = _Steps(token, keys, policy, now)
    checks = (*steps.of_form(), *steps.of_id_token(nonce, access_token))
    return Judged(checks, steps.verdict, steps.is_certain)


class _Steps:
    """What is found on the way."""

    def __init__(self, token: str, keys: KeySet | FetchFailed | None, policy: Policy, now: float) -> None:
        self._token, self._keys, self._policy, self._now = token, keys, policy, now
        self._anatomy = Anatomy.of(token)
        self._key: SigningKey | None = None
        self.verdict: EntraError | None = None
        self.is_certain = False

    def of_form(self) -> Iterator[Finding]:
        """What comes before the claims."""
        parsed: list[UnverifiedToken] = []
        yield self._check("form", lambda: parsed.append(parse(self._token)))
        if isinstance(self._keys, KeySet) and parsed:
            self.is_certain = True
            yield from self._signature(parsed[0], self._keys)
        else:
            yield from self._unsigned(has_form=bool(parsed))

    def of_access_token(self) -> Iterator[Finding]:
        """The claims, where they can be read."""
        claims, policy = self._anatomy.claims, self._policy
        if not claims:
            return
        yield self._check("subject", lambda: text_of(claims, "sub"))
        yield self._check("not Graph's", lambda: refuse_graph(claims))
        yield self._issuer()
        yield self._check("audience", lambda: check_audience(claims, policy), self._audiences())
        yield self._check("times", lambda: check_times(claims, policy, self._now), self._times())
        yield self._check("kind", lambda: check_kind(claims, policy), self._kinds())
        yield self._check("admission", lambda: check_admission(claims, policy), self._admitted())

    def of_id_token(self, nonce: str, access_token: str) -> Iterator[Finding]:
        """The claims."""
        claims, policy = dict(self._anatomy.claims), self._policy
        own = {**self._audiences(), "expected": policy.client_id}
        yield self._check("subject", lambda: text_of(claims, "sub"))
        yield self._issuer()
        yield self._check("own audience", lambda: check_own_audience(claims, policy.client_id), own)
        yield self._check("times", lambda: check_times(claims, policy, self._now), self._times())
        yield self._check("nonce", lambda: check_nonce(claims, nonce))
        yield self._check("at_hash", lambda: check_at_hash(claims, access_token))

    def _issuer(self) -> Finding:
        signs_for = self._key.issuer if self._key else None
        claims, policy = self._anatomy.claims, self._policy
        return self._check("issuer, tenant", lambda: check_issuer(claims, policy, signs_for), self._issuers())

    def _signature(self, unverified: UnverifiedToken, keys: KeySet) -> Iterator[Finding]:
        key = self._key = keys.find(unverified.key_id)
        own = {"actual": printable(unverified.key_id, 100)}
        yield self._check("key", lambda: _known(key), own | {"expected": f"one of {len(keys.by_id)} keys"})
        if key is None:
            yield Finding("signature", State.SKIPPED, "not looked at, as there is no key for it")
        else:
            yield self._check("signature", lambda: unverified.open(key))

    def _unsigned(self, *, has_form: bool) -> Iterator[Finding]:
        if not has_form:
            self.is_certain = True
            why = "not looked at, as the token has not the right form"
        elif self._keys is None:
            why = "not looked at, as the keys were not fetched"
        else:
            yield Finding(
                "key",
                State.WRONG,
                f"Entra's keys cannot be had. {printable(self._keys)}",
                "Run camunda-entra doctor, which tells what is in the way.",
                code=getattr(self._keys, "code", ""),
            )
            why = "not looked at, as there are no keys"
        yield Finding("signature", State.SKIPPED, why)

    def _check(
        self, name: str, make: Callable[[], object], values: Mapping[str, str] | None = None
    ) -> Finding:
        values = values or {}
        expected, actual = values.get("expected", ""), values.get("actual", "")
        try:
            make()
        except (InvalidToken, AccessDenied) as error:
            self.verdict = self.verdict or error
            cause, _ = split_remedy(error.message)
            remedy = REMEDIES[error.code].replace("<client ID of the API>", self._policy.client_id)
            return Finding(name, State.WRONG, cause, remedy, error.code, expected, actual)
        return Finding(name, State.OK, _GOOD[name], expected=expected, actual=actual)

    def _issuers(self) -> dict[str, str]:
        policy, claimed = self._policy, self._anatomy.text("tid")
        expected = policy.issuer_of(claimed) if policy.multi_tenant and claimed else policy.issuer
        v1 = policy.v1_issuer_of(claimed) if policy.accept_v1 else None
        return {
            "expected": printable(f"{expected} or {v1}" if v1 else expected),
            "actual": printable(self._anatomy.text("iss")),
        }

    def _audiences(self) -> dict[str, str]:
        actual: Any = self._anatomy.claims.get("aud", "")
        shown = ", ".join(map(str, actual)) if isinstance(actual, list) else actual
        return {"expected": " or ".join(sorted(self._policy.audiences)), "actual": printable(shown)}

    def _times(self) -> dict[str, str]:
        claims = self._anatomy.claims
        named = (("issued", "iat"), ("valid from", "nbf"), ("until", "exp"))
        told = [f"{word} {at(claims[name], self._now)}" for word, name in named if name in claims]
        if claims.get("nbf") == claims.get("iat") and "iat" in claims:
            told = [each for each in told if not each.startswith("valid from")]
        return {"actual": "; ".join(told)}

    def _kinds(self) -> dict[str, str]:
        claims = self._anatomy.claims
        scopes, roles = " ".join(scopes_of(claims)), ", ".join(texts_of(claims, "roles"))
        found = "; ".join(f"{name} {words}" for name, words in (("scp", scopes), ("roles", roles)) if words)
        return {"expected": "scp or roles", "actual": printable(found or "neither")}

    def _admitted(self) -> dict[str, str]:
        allowed = ", ".join(sorted(self._policy.allowed_clients))
        values = {"expected": printable(allowed), "actual": printable(client_of(self._anatomy.claims) or "")}
        return values if allowed else {}


def _known(key: SigningKey | None) -> None:
    if key is None:
        raise InvalidToken(
            "key_unknown", "The token is signed with a key that is none of the tenant's current keys."
        )
