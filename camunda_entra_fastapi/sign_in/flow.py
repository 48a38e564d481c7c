"""A person's way through signing in, out and consenting. Knows nothing of HTTP to browsers."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Literal

from camunda_entra_fastapi.errors import SignInFailed
from camunda_entra_fastapi.remote.aadsts import explain, read_refusal
from camunda_entra_fastapi.sessions.sealing import Sealer
from camunda_entra_fastapi.sign_in.exchange import Exchange, sign_in_error
from camunda_entra_fastapi.sign_in.protocol import (
    ATTEMPT_LIFETIME,
    Attempt,
    authorization_url,
    check_attempt,
    expired,
    single_valued,
    with_query,
)
from camunda_entra_fastapi.sign_in.session_manager import SessionManager, UserSession

MAX_SID: Final = 256
"""Characters. Entra's are GUIDs."""
MAX_ATTEMPTS: Final = 7
"""Sign-ins that one browser may have begun at once; older ones are dropped."""
MAX_ATTEMPTS_CHARACTERS: Final = 3_500
"""What their cookies may have together. Seven usual ones have 3,000, beside which a session has room."""


@dataclass(frozen=True, slots=True)
class EntraRedirect:
    """Where the browser goes, and what it takes along."""

    url: str
    attempt_id: str
    sealed: str
    """For a cookie that lives ``ATTEMPT_LIFETIME`` seconds."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """Signing in, out and consenting with one Entra registration.

    Attributes:
        exchange: Talks to Entra.
        session_manager: Has the sessions.
        sealer: Seals attempts for their cookies.
        clock: Gives seconds since 1970.
        scopes: What is asked for.
        end_session_url: Where people are sent to sign out.
        admin_consent_url: Where an administrator consents.
        issuer: What ``iss`` of a front-channel sign-out must be, where there is one.
    """

    exchange: Exchange
    session_manager: SessionManager
    sealer: Sealer
    clock: Callable[[], float]
    scopes: tuple[str, ...]
    end_session_url: str
    admin_consent_url: str
    issuer: str

    async def begin(
        self, redirect_uri: str, return_to: str, more: Mapping[str, str], step: str = ""
    ) -> EntraRedirect:
        """Send somebody to Entra.

        Args:
            redirect_uri: Where Entra sends them back; registered there.
            return_to: Where they go then; was checked.
            more: Further parameters for Entra, such as ``login_hint``.
            step: A mark for the claims among them.

        Raises:
            EntraUnavailable: Entra was never reached, or names no authorization endpoint.
        """
        endpoint = await self.exchange.authorization_endpoint()
        attempt = Attempt.begin("login", redirect_uri, return_to, self.clock(), step)
        url = authorization_url(endpoint, self.client_id, self.scopes, attempt, more)
        return self._redirect(url, attempt)

    async def finish(
        self, pairs: Iterable[tuple[str, str]], sealed_attempt_of: Callable[[str], str | None]
    ) -> tuple[UserSession, str]:
        """A new session for who comes back from Entra, and where they go.

        Args:
            pairs: The query's parameters.
            sealed_attempt_of: The sealed attempt of a state, from the browser's cookies.

        Raises:
            SignInFailed: The answer belongs to no sign-in under way, or Entra refuses.
            AccessDenied: The person is not let in by the settings.
            EntraUnavailable: Entra cannot be asked, or its answer cannot be trusted.
            SessionsUnavailable: The session cannot be kept.
        """
        parameters = single_valued(pairs)
        attempt = await self._consume("login", parameters, sealed_attempt_of)
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
        return await self.session_manager.create(session), attempt.return_to

    def sign_out_url(self, found: UserSession | None, post_logout_redirect_uri: str) -> str:
        """Where the browser goes to sign out of Entra too (OpenID Connect RP-Initiated Logout 1.0, 2)."""
        parameters = {"post_logout_redirect_uri": post_logout_redirect_uri}
        if found is not None and found.session.login_hint is not None:
            parameters["logout_hint"] = found.session.login_hint
        return with_query(self.end_session_url, parameters)

    async def end_by_sid(self, sid: str) -> int:
        """End the sign-in that Entra says is over (OpenID Connect Front-Channel Logout 1.0, 2).

        Raises:
            SessionsUnavailable: The store cannot be asked.
        """
        return await self.session_manager.store.end_by_sid(sid)

    def begin_consent(self, redirect_uri: str) -> EntraRedirect:
        """Send an administrator to consent for the tenant (Learn: admin consent endpoint)."""
        attempt = Attempt.begin("admin-consent", redirect_uri, "/", self.clock())
        parameters = {
            "client_id": self.client_id,
            "scope": f"{self.client_id}/.default",
            "redirect_uri": redirect_uri,
            "state": attempt.state,
        }
        return self._redirect(with_query(self.admin_consent_url, parameters), attempt)

    async def finish_consent(
        self, pairs: Iterable[tuple[str, str]], sealed_attempt_of: Callable[[str], str | None]
    ) -> None:
        """Return when consent was given. Nobody is signed in by this, whatever the answer says.

        Raises:
            SignInFailed: It was not, or the answer belongs to no consent that was asked for here.
            SessionsUnavailable: The store cannot be asked.
        """
        parameters = single_valued(pairs)
        await self._consume("admin-consent", parameters, sealed_attempt_of)
        # Entra says admin_consent=True in failures too, so the error counts, wherever it is.
        if "error" in parameters or parameters.get("admin_consent", "").lower() != "true":
            refusal = read_refusal(parameters)
            explanation = explain(refusal)
            raise SignInFailed("consent_required", f"{explanation.cause} {explanation.remedy}", refusal)

    @property
    def client_id(self) -> str:
        """The application's ID."""
        return self.exchange.client.client_id

    def read_attempt(self, sealed: str | None) -> Attempt | None:
        """The attempt in a cookie; None for what is none of ours, or has no time left."""
        attempt = self._unseal(sealed)
        return attempt if attempt is not None and attempt.is_alive(self.clock()) else None

    def _redirect(self, url: str, attempt: Attempt) -> EntraRedirect:
        return EntraRedirect(url, attempt.mark(), self.sealer.seal(attempt.pack()))

    def _unseal(self, sealed: str | None) -> Attempt | None:
        data = self.sealer.open(sealed) if sealed is not None else None
        return Attempt.unpack(data) if data is not None else None

    async def _consume(
        self,
        kind: Literal["login", "admin-consent"],
        parameters: Mapping[str, str],
        sealed_attempt_of: Callable[[str], str | None],
    ) -> Attempt:
        """The attempt of this browser with that state, which counts once."""
        state = parameters.get("state", "")
        attempt = check_attempt(self._unseal(sealed_attempt_of(state)), kind, state, self.clock())
        mark = sha256(f"attempt {state}".encode()).hexdigest()
        if not await self.session_manager.store.use_once(mark, 2 * ATTEMPT_LIFETIME):
            raise expired()
        return attempt
