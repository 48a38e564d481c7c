"""From a code, or a refresh token, to a session whose every claim was verified."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from secrets import token_urlsafe
from typing import Any, Final

from camunda_entra_fastapi.errors import (
    AccessDenied,
    EntraRefused,
    EntraUnavailable,
    Fault,
    FetchFailed,
    InvalidToken,
    Refusal,
    SignInFailed,
)
from camunda_entra_fastapi.remote.aadsts import Kind, explain, is_consent
from camunda_entra_fastapi.remote.credentials import Client
from camunda_entra_fastapi.remote.http import EntraHttp
from camunda_entra_fastapi.remote.keysource import KeySource
from camunda_entra_fastapi.remote.token_endpoint import Tokens, redeem_code, redeem_refresh_token
from camunda_entra_fastapi.sessions.store import Session
from camunda_entra_fastapi.sign_in.protocol import Attempt
from camunda_entra_fastapi.telemetry import logger
from camunda_entra_fastapi.token_validator import TokenValidator

RENEW_BEFORE: Final = 120.0
"""Seconds before an access token expires at which it is renewed; a tenth of its life when that is less."""
RETRY_AFTER: Final = 5.0
"""Seconds to wait where Entra names none."""

_FAULTS: Final = {
    "unreachable": ("entra_unreachable", "Microsoft Entra ID cannot be reached at the moment."),
    "timeout": ("entra_timeout", "Microsoft Entra ID did not answer in time."),
    "throttled": ("entra_throttled", "Microsoft Entra ID is too busy at the moment."),
    "failed": ("entra_failed", "Microsoft Entra ID answered with an error of its own."),
}
_NOT_THE_CALLERS_FAULT: Final = "The fault is not in your request; try again shortly."
_CLIENT_ERRORS: Final = ("invalid_client", "unauthorized_client")
"""Refusals that are no verdict on the person: everybody would get them."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """Redeems codes and refresh tokens, and judges what comes for them.

    Attributes:
        http: For calls to Entra.
        keys: Also knows where the token endpoint is.
        validator: Verifies the tokens.
        client: Who we are.
        clock: Gives seconds since 1970.
        lifetime: Seconds after which a session ends.
    """

    http: EntraHttp
    keys: KeySource
    validator: TokenValidator
    client: Client
    clock: Callable[[], float]
    lifetime: float

    async def authorization_endpoint(self) -> str:
        """Where people are sent to sign in.

        Raises:
            EntraUnavailable: Entra was never reached, or names no such endpoint.
        """
        try:
            endpoint = (await self.keys.discovery()).authorization_endpoint
        except FetchFailed as failure:
            raise entra_unavailable(failure) from None
        if endpoint is None:
            raise entra_unavailable(FetchFailed("Entra's discovery document has no authorization_endpoint."))
        return endpoint

    async def sign_in(self, attempt: Attempt, code: str, session_state: str | None) -> Session:
        """The new session for a code.

        Args:
            attempt: What the person was sent to Entra with.
            code: What Entra sent back.
            session_state: Entra's own session, which it sends along. Front-channel sign-outs name it, whether
                or not the registration asks for the claim ``sid``, which is the same.

        Raises:
            SignInFailed: Entra refuses the code.
            AccessDenied: The person is not let in by the settings.
            EntraUnavailable: Entra does not answer, or with something that cannot be trusted.
        """
        try:
            tokens = await redeem_code(
                self.http,
                await self.keys.token_endpoint(),
                self.client,
                code=code,
                redirect_uri=attempt.redirect_uri,
                verifier=attempt.verifier,
            )
        except EntraRefused as refused:
            raise sign_in_error(refused.message, refused.refusal) from None
        except FetchFailed as failure:
            raise entra_unavailable(failure) from None
        if tokens.id_token is None:
            raise _untrusted("It sent no ID token.")
        id_claims = await self._id_claims(tokens.id_token, attempt.nonce, tokens.access_token)
        now = self.clock()
        session = Session(
            id=token_urlsafe(32),
            claims=id_claims,
            of_access_token=False,
            subject=str(id_claims["sub"]),
            expires_at=now + self.lifetime,
            access_expires_at=now,
            renew_at=now,
            sid=_text(id_claims, "sid") or session_state,
            login_hint=_text(id_claims, "login_hint"),
        )
        return await self._with_tokens(session, tokens, id_claims)

    async def renew(self, session: Session) -> Session:
        """The session with new tokens, and claims as they are now.

        Raises:
            SignInFailed: Entra refuses: the sign-in is over.
            AccessDenied: The person is no longer let in.
            EntraUnavailable: Entra does not answer, or with something that cannot be trusted,
                or it refuses this service as such. The session may be renewed later.
        """
        try:
            endpoint = await self.keys.token_endpoint()
            tokens = await redeem_refresh_token(self.http, endpoint, self.client, str(session.refresh_token))
        except EntraRefused as refused:
            kind = explain(refused.refusal).kind
            if refused.refusal.error in _CLIENT_ERRORS or kind in (Kind.ENTRA, Kind.REGISTRATION):
                logger.warning("Entra refuses to renew sessions: %s", refused.message)
                raise EntraUnavailable(
                    "entra_failed", f"The sign-in cannot be renewed. {_NOT_THE_CALLERS_FAULT}", RETRY_AFTER
                ) from None
            raise sign_in_error(refused.message, refused.refusal) from None
        except FetchFailed as failure:
            raise entra_unavailable(failure) from None
        id_claims: Mapping[str, Any] | None = None
        if tokens.id_token is not None:
            id_claims = await self._id_claims(tokens.id_token, None, tokens.access_token)
            if id_claims["sub"] != session.subject:
                raise SignInFailed("login_refused", "Entra renewed the sign-in for somebody else.")
        return await self._with_tokens(session, tokens, id_claims)

    async def _id_claims(self, token: str, nonce: str | None, access_token: str) -> dict[str, Any]:
        try:
            return await self.validator.validate_id_token(token, nonce=nonce, access_token=access_token)
        except InvalidToken as error:
            if error.code == "tenant_mismatch":  # Entra's word is good, but the settings do not let them in
                raise AccessDenied(error.code, error.message) from None
            raise _untrusted(error.message) from None

    async def _with_tokens(
        self, session: Session, tokens: Tokens, id_claims: Mapping[str, Any] | None
    ) -> Session:
        """The session with these tokens, its user made from the access token if that is for us."""
        claims, of_access_token = await self._claims(tokens.access_token, session, id_claims)
        now = self.clock()
        expires = now + tokens.expires_in
        if of_access_token:
            expires = min(expires, float(claims["exp"]))
        refresh_token = tokens.refresh_token or session.refresh_token
        return replace(
            session,
            claims=claims,
            of_access_token=of_access_token,
            access_token=tokens.access_token,
            refresh_token=refresh_token,
            access_expires_at=expires,
            renew_at=expires - min(RENEW_BEFORE, (expires - now) / 10),
            expires_at=session.expires_at if refresh_token else min(session.expires_at, expires),
        )

    async def _claims(
        self, access_token: str, session: Session, id_claims: Mapping[str, Any] | None
    ) -> tuple[Mapping[str, Any], bool]:
        claims = session.claims if id_claims is None else id_claims
        try:
            access_claims = await self.validator.validate_own_access_token(access_token)
        except InvalidToken as error:
            # Not for us, and so none of our business: CAMUNDA_ENTRA_SCOPES may name another API.
            logger.info(
                "The access token of a sign-in is not for this service (%s: %s); "
                "its user is made from the ID token",
                error.code,
                error.message,
            )
            return claims, False
        # An ID token has no oid unless the scope profile is asked for (Learn: ID token claims). In sub, both
        # name a person alike where both are for this application, and differently where they are not.
        compared = [name for name in ("oid", "tid") if name in claims]
        if "oid" not in claims and access_claims["aud"] == self.client.client_id:
            compared.append("sub")
        if any(access_claims.get(name) != claims[name] for name in compared):
            raise _untrusted("Its ID token and its access token are of different people.")
        return access_claims, True


def entra_unavailable(failure: FetchFailed) -> EntraUnavailable:
    """What people are told of an exchange that failed; the log has what is for operators."""
    logger.warning("Signing in is not possible: %s", failure.message)
    if failure.code == "issuer_unexpected":
        return EntraUnavailable("issuer_unexpected", failure.message, RETRY_AFTER)
    code, message = _FAULTS[failure.fault]
    return EntraUnavailable(code, f"{message} {_NOT_THE_CALLERS_FAULT}", failure.retry_after or RETRY_AFTER)


def sign_in_error(message: str, refusal: Refusal) -> Exception:
    """What people are told when Entra says no."""
    if explain(refusal).kind is Kind.ENTRA:
        fault: Fault = "throttled" if refusal.error == "temporarily_unavailable" else "failed"
        return entra_unavailable(FetchFailed(f"Entra answered {refusal.error}: {message}", fault=fault))
    return SignInFailed("consent_required" if is_consent(refusal) else "login_refused", message, refusal)


def _untrusted(why: str) -> EntraUnavailable:
    logger.warning("Entra's answer to a sign-in was not accepted: %s", why)
    return EntraUnavailable(
        "id_token_invalid", f"Entra's answer proves nothing about who signs in. {why}", RETRY_AFTER
    )


def _text(claims: Mapping[str, Any], name: str, limit: int = 2048) -> str | None:
    value = claims.get(name)
    return value if isinstance(value, str) and 0 < len(value) <= limit else None
