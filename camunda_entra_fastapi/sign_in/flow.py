"""The flows for signing in, signing out and admin consent, without HTTP to browsers."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Final, Literal

from camunda_entra_fastapi.errors import SignInFailed
from camunda_entra_fastapi.remote.aadsts import explain, read_refusal, trouble_of
from camunda_entra_fastapi.sessions.sealing import Sealer
from camunda_entra_fastapi.sign_in.endpoints import Endpoints
from camunda_entra_fastapi.sign_in.exchange import Exchange, entra_unavailable, sign_in_error
from camunda_entra_fastapi.sign_in.protocol import (
    ATTEMPT_LIFETIME,
    Attempt,
    attempt_expired,
    authorization_url,
    check_attempt,
    check_response_issuer,
    single_valued,
    with_query,
)
from camunda_entra_fastapi.sign_in.session_manager import SessionManager, UserSession
from camunda_entra_fastapi.sign_in.state import MAX_URL, Beginning, States
from camunda_entra_fastapi.telemetry import sign_ins

MAX_SID: Final = 256
"""Characters. Entra's are GUIDs."""
MAX_ATTEMPTS: Final = 7
"""Sign-ins that one browser may have in progress; older ones are deleted."""
MAX_ATTEMPTS_CHARACTERS: Final = 3_500
"""Characters of their cookies together. Seven usual ones have 2,600, which leaves room for a session."""


@dataclass(frozen=True, slots=True)
class EntraRedirect:
    """A redirect to Entra, and the attempt for a cookie."""

    url: str = field(repr=False)
    """It has state and nonce."""
    attempt_id: str
    sealed: str = field(repr=False)
    """For a cookie that lives ``ATTEMPT_LIFETIME`` seconds."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """Signing in, out and consenting with one Entra registration.

    Attributes:
        exchange: Redeems codes at Entra.
        session_manager: Creates sessions.
        sealer: Seals attempts for their cookies.
        states: Writes and reads ``state``.
        clock: Returns seconds since 1970.
        scopes: The requested scopes.
        endpoints: Entra's endpoints for browsers.
        issuer: The ``iss`` that a front-channel logout must have, if it has one.
        response_issuer: The ``iss`` that an authorization response must have, if it has one; with
            ``{tenantid}`` for several tenants.
    """

    exchange: Exchange
    session_manager: SessionManager
    sealer: Sealer
    states: States
    clock: Callable[[], float]
    scopes: tuple[str, ...]
    endpoints: Endpoints
    issuer: str
    response_issuer: str

    async def begin(
        self,
        redirect_uri: str,
        return_to: str,
        extra: Mapping[str, str],
        claims_digest: str = "",
        restarts: int = 0,
    ) -> EntraRedirect:
        """Begin a sign-in.

        Args:
            redirect_uri: The registered redirect URI.
            return_to: The path to return to, checked before.
            extra: Further parameters for Entra, such as ``login_hint``.
            claims_digest: The digest of the claims among them.
            restarts: How many sign-ins before this one the browser has begun anew by itself.

        Raises:
            EntraUnavailable: Entra was never reached, or names no authorization endpoint.
        """
        endpoint = await self.exchange.authorization_endpoint()
        attempt = Attempt.begin("login", redirect_uri, return_to, self.clock(), claims_digest)
        beginning = Beginning.of(attempt, restarts)
        url = self._authorization_url(endpoint, attempt, beginning, extra)
        if len(url) > MAX_URL:
            url = self._authorization_url(endpoint, attempt, beginning.without_place(), extra)
        else:
            attempt = replace(attempt, return_to="")  # state has it, and cookies are scarce
        return self._redirect(url, attempt)

    async def finish(
        self, pairs: Iterable[tuple[str, str]], sealed_attempt_of: Callable[[str], str | None]
    ) -> tuple[UserSession, str]:
        """The new session for a callback, and the path to return to.

        Args:
            pairs: The parameters of the query.
            sealed_attempt_of: Returns the sealed attempt of a state, from the browser's cookies.

        Raises:
            SignInFailed: The response belongs to no attempt of this browser, or is of another issuer, or
                Entra refuses.
            AccessDenied: The settings do not let the user in.
            EntraUnavailable: Entra cannot be asked, or its response cannot be trusted.
            SessionsUnavailable: The session cannot be stored.
        """
        parameters = single_valued(pairs)
        attempt = await self._consume("login", parameters, sealed_attempt_of)
        required = "iss" not in parameters and await self.exchange.names_issuer_in_responses()
        check_response_issuer(parameters, self.response_issuer, required=required)
        if "error" in parameters:
            refusal = read_refusal(parameters)
            explanation = explain(refusal)
            raise sign_in_error(f"{explanation.cause} {explanation.remedy}", refusal)
        code = parameters.get("code", "")
        if not code:
            raise SignInFailed("login_request_invalid", "Entra's answer has neither a code nor an error.")
        session_state = parameters.get("session_state", "")
        is_usable = 0 < len(session_state) <= MAX_SID
        session = await self.exchange.sign_in(attempt, code, session_state if is_usable else None)
        signed_in = await self.session_manager.create(session)
        sign_ins.add(1, {"outcome": "signed_in"})
        return signed_in, attempt.return_to

    async def sign_out_url(self, current: UserSession | None, post_logout_redirect_uri: str) -> str:
        """The URL for signing out at Entra, too (OpenID Connect RP-Initiated Logout 1.0, 2).

        Where the provider offers no such thing, it is the page that people see afterwards.
        """
        end_session = (await self.endpoints.get()).end_session
        if end_session is None:
            return post_logout_redirect_uri
        parameters = {"post_logout_redirect_uri": post_logout_redirect_uri}
        if current is not None and current.session.login_hint is not None:
            parameters["logout_hint"] = current.session.login_hint
        return with_query(end_session, parameters)

    async def end_by_sid(self, sid: str) -> int:
        """End the sessions of a front-channel logout (OpenID Connect Front-Channel Logout 1.0, 2); how many.

        Raises:
            SessionsUnavailable: The store cannot be asked.
        """
        return await self.session_manager.end_by_sid(sid)

    async def begin_consent(self, redirect_uri: str) -> EntraRedirect:
        """Begin an admin consent for the tenant (Learn: admin consent endpoint)."""
        attempt = Attempt.begin("admin-consent", redirect_uri, "/", self.clock())
        parameters = {
            "client_id": self.client_id,
            "scope": f"{self.client_id}/.default",
            "redirect_uri": redirect_uri,
            "state": self.states.write(attempt.state, Beginning.of(attempt)),
        }
        endpoint = (await self.endpoints.get()).admin_consent
        return self._redirect(with_query(endpoint, parameters), attempt)

    async def finish_consent(
        self, pairs: Iterable[tuple[str, str]], sealed_attempt_of: Callable[[str], str | None]
    ) -> None:
        """Return when consent was given. It signs nobody in, whatever the response says.

        Raises:
            SignInFailed: Consent was not given, or the response belongs to no attempt of this browser.
            EntraUnavailable: Entra has trouble of its own.
            SessionsUnavailable: The store cannot be asked.
        """
        parameters = single_valued(pairs)
        await self._consume("admin-consent", parameters, sealed_attempt_of)
        # Not an authorization response of OAuth, so that no promise of the discovery document covers it.
        check_response_issuer(parameters, self.response_issuer, required=False)
        # Entra sends admin_consent=True with errors, too, so an error always counts.
        if "error" in parameters or parameters.get("admin_consent", "").lower() != "true":
            refusal = read_refusal(parameters)
            if (trouble := trouble_of(refusal)) is not None:
                raise entra_unavailable(trouble)
            explanation = explain(refusal)
            raise SignInFailed("consent_required", f"{explanation.cause} {explanation.remedy}", refusal)

    @property
    def client_id(self) -> str:
        """The client ID."""
        return self.exchange.client.client_id

    def read_attempt(self, sealed: str | None) -> Attempt | None:
        """The attempt in a cookie; None if this service did not seal it, or it has expired."""
        attempt = self._unseal(sealed)
        return attempt if attempt is not None and attempt.is_alive(self.clock()) else None

    def recover(self, state: str, sealed_attempt: str | None) -> Beginning | None:
        """What can be told of the sign-in with that state, whether or not its attempt is gone.

        It says where somebody wanted to go, and never that this browser began it.
        """
        _, beginning = self.states.read(state)
        attempt = self.read_attempt(sealed_attempt)
        if beginning is None or beginning.return_to or attempt is None:
            return beginning
        return replace(beginning, return_to=attempt.return_to)

    def _authorization_url(
        self, endpoint: str, attempt: Attempt, beginning: Beginning, extra: Mapping[str, str]
    ) -> str:
        state = {"state": self.states.write(attempt.state, beginning)}
        return authorization_url(endpoint, self.client_id, self.scopes, attempt, {**extra, **state})

    def _redirect(self, url: str, attempt: Attempt) -> EntraRedirect:
        return EntraRedirect(url, attempt.identifier(), self.sealer.seal(attempt.pack()))

    def _unseal(self, sealed: str | None) -> Attempt | None:
        data = self.sealer.open(sealed) if sealed is not None else None
        return Attempt.unpack(data) if data is not None else None

    async def _consume(
        self,
        kind: Literal["login", "admin-consent"],
        parameters: Mapping[str, str],
        sealed_attempt_of: Callable[[str], str | None],
    ) -> Attempt:
        """This browser's attempt with that state, which may be used once."""
        state = parameters.get("state", "")
        secret, beginning = self.states.read(state)
        attempt = check_attempt(self._unseal(sealed_attempt_of(state)), kind, secret, self.clock())
        if beginning is None:  # every character of the state counts, though the cookie has its secret alone
            raise attempt_expired()
        key = sha256(f"attempt {secret}".encode()).hexdigest()
        if not await self.session_manager.store.use_once(key, 2 * ATTEMPT_LIFETIME):
            raise attempt_expired()
        return replace(attempt, return_to=beginning.return_to or attempt.return_to)
