"""From an authorization code or a refresh token to a session with verified claims."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from secrets import token_urlsafe
from typing import Any, Final

from camunda_entra_fastapi.errors import (
    AccessDenied,
    EntraRefused,
    EntraUnavailable,
    FetchFailed,
    InvalidToken,
    Refusal,
    SignInFailed,
)
from camunda_entra_fastapi.log_records import DOCTOR, Trouble, log_fields
from camunda_entra_fastapi.remote.aadsts import Kind, code_of, explain, is_consent, trouble_of
from camunda_entra_fastapi.remote.credentials import Client
from camunda_entra_fastapi.remote.discovery import Discovery
from camunda_entra_fastapi.remote.http import EntraHttp
from camunda_entra_fastapi.remote.keysource import KeySource
from camunda_entra_fastapi.remote.token_endpoint import Tokens, redeem_code, redeem_refresh_token
from camunda_entra_fastapi.sessions.store import Session
from camunda_entra_fastapi.sign_in.protocol import Attempt
from camunda_entra_fastapi.telemetry import logger
from camunda_entra_fastapi.token_validator import TokenValidator
from camunda_entra_fastapi.validation.claims import audiences_of
from camunda_entra_fastapi.validation.entra import missing_identity

RENEW_BEFORE: Final = 120.0
"""Seconds before its access token expires at which a session is renewed; at most a tenth of its life."""
RETRY_AFTER: Final = 5.0
"""Seconds to wait where Entra names none."""

_CLIENT_ERRORS: Final = ("invalid_client", "unauthorized_client")
"""Errors of the client, which do not depend on the user."""
_NAMING_CLAIMS: Final = ("name", "preferred_username", "email")
"""Claims for display. Entra's access tokens lack ``email`` by default, those of version 1.0 the second."""
IDENTITY_REMEDY: Final = (
    "Leave CAMUNDA_ENTRA_SCOPES unset, or add profile to it, "
    "for example: openid profile email offline_access <client ID>/.default"
)
"""For tokens without ``oid`` or ``tid``; Entra's ID tokens have them with the scope ``profile``."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """Redeems codes and refresh tokens, and validates the tokens in the response.

    Attributes:
        http: For calls to Entra.
        keys: Knows the endpoints.
        validator: Verifies the tokens.
        client: This application, as the token endpoint knows it.
        clock: Returns seconds since 1970.
        lifetime: Seconds after which a session expires.
    """

    http: EntraHttp
    keys: KeySource
    validator: TokenValidator
    client: Client
    clock: Callable[[], float]
    lifetime: float
    trouble: Trouble = field(default_factory=Trouble, repr=False)
    """What keeps sessions from being renewed, so that it is not an error in the log for each."""

    async def authorization_endpoint(self) -> str:
        """The authorization endpoint, for browsers.

        Raises:
            EntraUnavailable: Entra was never reached, or has no such endpoint.
        """
        endpoint = (await self._discovery()).authorization_endpoint
        if endpoint is None:
            raise entra_unavailable(FetchFailed("Entra's discovery document has no authorization_endpoint."))
        return endpoint

    async def names_issuer_in_responses(self) -> bool:
        """Whether all of Entra's authorization responses name their issuer.

        Raises:
            EntraUnavailable: Entra was never reached.
        """
        return (await self._discovery()).names_issuer_in_responses

    async def _discovery(self) -> Discovery:
        try:
            return await self.keys.discovery()
        except FetchFailed as failure:
            raise entra_unavailable(failure) from None

    async def sign_in(self, attempt: Attempt, code: str, session_state: str | None) -> Session:
        """The new session for a code.

        Args:
            attempt: The attempt that the code belongs to.
            code: The authorization code.
            session_state: The ID of Entra's own session. Front-channel logouts name it, whether
                or not the registration asks for the claim ``sid``, which is the same.

        Raises:
            SignInFailed: Entra refuses the code, or its tokens do not say who signs in.
            AccessDenied: The settings do not let the user in.
            EntraUnavailable: Entra does not respond, or its response cannot be trusted.
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
            sid=_text_claim(id_claims, "sid") or session_state,
            login_hint=_text_claim(id_claims, "login_hint"),
        )
        return await self._with_tokens(session, tokens, id_claims)

    async def renew(self, session: Session) -> Session:
        """The session with new tokens, and claims as they are now.

        Raises:
            SignInFailed: Entra refuses, or its tokens do not say who it is: the sign-in is over.
            AccessDenied: The settings do not let the user in any more.
            EntraUnavailable: Entra does not respond, its response cannot be trusted, or it refuses
                this service as such. The session may be renewed later.
        """
        try:
            endpoint = await self.keys.token_endpoint()
            tokens = await redeem_refresh_token(self.http, endpoint, self.client, str(session.refresh_token))
        except EntraRefused as refused:
            kind = explain(refused.refusal).kind
            if refused.refusal.error in _CLIENT_ERRORS or kind is Kind.REGISTRATION:
                level = logging.ERROR if self.trouble.is_news(refused.message) else logging.INFO
                fields = log_fields(code="entra_failed", aadsts=refused.refusal.code)
                logger.log(
                    level, "Entra refuses to renew sessions: %s %s", refused.message, DOCTOR, extra=fields
                )
                message = f"The sign-in cannot be renewed: {refused.message}"
                raise EntraUnavailable("entra_failed", message, RETRY_AFTER, refused.refusal) from None
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
            _refuse_tenant(error)
            raise _untrusted(error.message) from None

    async def _with_tokens(
        self, session: Session, tokens: Tokens, id_claims: Mapping[str, Any] | None
    ) -> Session:
        """The session with these tokens. Its claims are the access token's if that is for this API.

        What people are called is from the ID token, where the access token does not say it.
        """
        claims, of_access_token = await self._claims(tokens.access_token, session, id_claims)
        _check_identity(claims, has_customers=self.validator.has_customers)
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
            _refuse_tenant(error)
            # It may be for another API, which CAMUNDA_ENTRA_SCOPES names. Then it is opaque to us.
            logger.info(
                "The access token of a sign-in is not for this service (%s: %s); "
                "its user is made from the ID token",
                error.code,
                error.message,
            )
            return claims, False
        # An ID token has no oid unless the scope profile is asked for (Learn: ID token claims). In sub, both
        # identify a user alike where both are for this application, and differently where they are not.
        compared = [name for name in ("oid", "tid") if name in claims]
        if self.client.client_id in audiences_of(access_claims):
            compared.append("sub")
        is_app = access_claims.get("idtyp") == "app"
        if is_app or any(access_claims.get(name) != claims[name] for name in compared):
            raise _untrusted("Its ID token and its access token are of different people.")
        names = {name: claims[name] for name in _NAMING_CLAIMS if name in claims}
        return {**names, **access_claims}, True


def entra_unavailable(failure: FetchFailed) -> EntraUnavailable:
    """The error when an exchange with Entra failed. It is logged here, as not every one reaches a client."""
    fields = log_fields(code=failure.unavailable_code, aadsts=code_of(failure.refusal))
    logger.warning("Signing in is not possible: %s", failure.message, extra=fields)
    retry_after = failure.retry_after or RETRY_AFTER
    return EntraUnavailable(failure.unavailable_code, failure.message, retry_after, failure.refusal)


def sign_in_error(message: str, refusal: Refusal) -> Exception:
    """The error for people when Entra refuses."""
    if (trouble := trouble_of(refusal)) is not None:
        return entra_unavailable(trouble)
    return SignInFailed("consent_required" if is_consent(refusal) else "login_refused", message, refusal)


def _check_identity(claims: Mapping[str, Any], *, has_customers: bool) -> None:
    """Refuse a session that would be the same person's for everybody."""
    if missing := missing_identity(claims, has_customers=has_customers):
        message = f"Entra's tokens do not say who signs in: they lack {' and '.join(missing)}."
        logger.warning("%s %s", message, IDENTITY_REMEDY)
        raise SignInFailed("identity_missing", message, remedy=IDENTITY_REMEDY)


def _refuse_tenant(error: InvalidToken) -> None:
    """Refuse the person where the token is a good one, but the settings do not let its tenant in.

    Raises:
        AccessDenied: ``tenant_mismatch``.
    """
    if error.code == "tenant_mismatch":
        denied = AccessDenied(error.code, error.message)
        denied.remedy = error.remedy
        raise denied from None


def _untrusted(why: str) -> EntraUnavailable:
    logger.warning("Entra's answer to a sign-in was not accepted: %s", why)
    return EntraUnavailable(
        "id_token_invalid", f"Entra's answer proves nothing about who signs in. {why}", RETRY_AFTER
    )


def _text_claim(claims: Mapping[str, Any], name: str, limit: int = 2048) -> str | None:
    value = claims.get(name)
    return value if isinstance(value, str) and 0 < len(value) <= limit else None
