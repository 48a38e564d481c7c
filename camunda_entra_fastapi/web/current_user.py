"""The current user: by bearer token, or else by the session cookie of a browser."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Final
from urllib.parse import quote

from fastapi import HTTPException, Security
from starlette.requests import HTTPConnection

from camunda_entra_fastapi.errors import AccessDenied, CredentialsMissing, EntraError, InsufficientClaims
from camunda_entra_fastapi.sign_in.session_manager import UserSession
from camunda_entra_fastapi.sign_in.step_up import MAX_CLAIMS, digest_of_claims, encode_claims
from camunda_entra_fastapi.user import EntraUser
from camunda_entra_fastapi.web.bearer import Authentication, EntraBearer
from camunda_entra_fastapi.web.challenges import RefusedRequest, SignInRedirect
from camunda_entra_fastapi.web.look import Look, Once
from camunda_entra_fastapi.web.page_requests import HX_REDIRECT, htmx_page, is_htmx
from camunda_entra_fastapi.web.permissions import PermissionCheck
from camunda_entra_fastapi.web.public_url import SAFE_METHODS, is_navigation
from camunda_entra_fastapi.web.security_scheme import SecurityScheme
from camunda_entra_fastapi.web.sessions import Sessions

GroupLookup = Callable[[HTTPConnection, EntraUser], Awaitable[EntraUser]]

_SEE_OTHER: Final = 303
_FOUND: Final = 302


@dataclass(frozen=True, slots=True)
class BrowserLogin:
    """Authentication without a token: by the session cookie, or by way of the login page.

    Attributes:
        sessions: Finds the session of a cookie.
        login_path: The path of the login page.
    """

    sessions: Sessions
    login_path: str

    def redirect_to_login(self, request: HTTPConnection, claims: str = "") -> HTTPException:
        """Redirect a navigation to the login page; with an unsafe method, to return to the page before.

        Args:
            request: The navigation.
            claims: The claims that the sign-in must ask for, encoded.
        """
        return SignInRedirect(
            _FOUND if request.scope["method"] in SAFE_METHODS else _SEE_OTHER,
            {"error": "unauthorized", "code": "credentials_missing", "message": "Sign in first."},
            {"Location": self.login_url(request, claims), "Cache-Control": "no-store"},
        )

    def login_url(self, request: HTTPConnection, claims: str = "") -> str:
        """The address of the login page, from which one returns to where the request belongs.

        Args:
            request: The request.
            claims: The claims that the sign-in must ask for, encoded.
        """
        link = self.sessions.public_url.link(request, self.login_path)
        return_to = quote(self.return_to(request), safe="/")
        return f"{link}?return_to={return_to}" + (f"&claims={claims}" if claims else "")

    def return_to(self, request: HTTPConnection) -> str:
        """Where one returns to: the requested path; with an unsafe method, that of the page before.

        htmx asks for parts of pages, and says which page it is on.
        """
        public_url = self.sessions.public_url
        return htmx_page(request, public_url) or public_url.return_to(request)


class CurrentUser(EntraBearer):
    """The user of a request: by the Authorization header, or without a bearer token by the session cookie.

    Args:
        authentication: Validates bearer tokens. It may be replaced at any time.
        scheme: The security scheme in the OpenAPI document.
        optional: Give None instead of 401 for a request without credentials.
    """

    def __init__(
        self, authentication: Authentication, scheme: SecurityScheme, *, optional: bool = False
    ) -> None:
        super().__init__(authentication, scheme, optional=optional)
        self.browser_login: BrowserLogin | None = None
        """None without login pages."""
        self.look_up_groups: GroupLookup | None = None
        """Gives the user with all groups, where a token lists none; None where they are not looked up."""

    async def authorize(self, request: HTTPConnection, user: EntraUser, check: PermissionCheck) -> EntraUser:
        """The user, if the check passes; with groups from Microsoft Graph where the check needs them.

        Raises:
            EntraError: The check fails, or the groups cannot be looked up.
        """
        try:
            try:
                check(user)
            except AccessDenied as error:
                if error.code != "groups_not_listed" or self.look_up_groups is None:
                    raise
            else:
                return user
            user = await self.look_up_groups(request, user)
            check(user, groups_complete=True)
        except EntraError as error:
            error.client_id = user.client_id
            raise
        return user

    def cached_without_token(self, request: HTTPConnection) -> EntraUser | None:
        """The user of a cached session."""
        if self.browser_login is None:
            return None
        session = self.browser_login.sessions.cached(request)
        return None if session is None else session.user

    async def _ask_without_token(self, look: Look, request: HTTPConnection) -> EntraUser | None:
        """The user of the session that the look shows; None without one."""
        session = await self._session(look, request)
        return None if session is None else session.user

    async def _session(self, look: Look, request: HTTPConnection) -> UserSession | None:
        """The session that the look shows. The response has its cookie where it was renewed."""
        if self.browser_login is None:
            return None
        sessions = self.browser_login.sessions
        handle = sessions.handle(request)
        if handle is None:
            return None
        if look.session is None:
            look.session = Once()
        session = await look.session.ask(sessions.session, request, handle)
        if session is not None:
            sessions.renew_cookies(request, handle, session)
        return session

    async def session(self, request: HTTPConnection) -> UserSession:
        """The session of a request whose user was found by it.

        Raises:
            CredentialsMissing: It ended meanwhile.
            EntraError: It cannot be read or renewed.
        """
        look = request.scope.get(self.authentication.look_key)
        if look is None or not look.holds(request.scope):
            cached = None if self.browser_login is None else self.browser_login.sessions.cached(request)
            if cached is not None:
                return cached
            look = self._begin(request.scope, self.authentication.read_credentials(request))
        session = await self._session(look, request)
        if session is None:
            raise CredentialsMissing
        return session

    async def access_token(self, request: HTTPConnection, user: EntraUser) -> str:
        """The access token of the user who was found for this request.

        Raises:
            EntraError: The session has none, and a new one cannot be obtained.
        """
        if user.access_token or self.browser_login is None:
            return user.access_token
        return await self.browser_login.sessions.access_token(request, await self.session(request))

    def refuse(self, error: EntraError, request: HTTPConnection) -> Exception:
        """As for bearer tokens; but a navigation is redirected to sign in, or to sign in again.

        htmx gets 401 with the address of the login page, where it leads the browser.
        """
        word_for_session(error, request)
        login = self.browser_login
        claims = None if login is None else self._claims_to_sign_in_with(login, error, request)
        if login is not None and claims is not None and is_navigation(request.headers):
            return login.redirect_to_login(request, claims)
        refused = super().refuse(error, request)
        if login is not None and isinstance(refused, RefusedRequest):
            refused.links = login
            if claims is not None and is_htmx(request.headers):
                refused.headers |= {HX_REDIRECT: login.login_url(request, claims), "Vary": "HX-Request"}
        return refused

    def _claims_to_sign_in_with(
        self, login: BrowserLogin, error: EntraError, request: HTTPConnection
    ) -> str | None:
        """What a sign-in must ask for to mend the error, encoded; None where no sign-in mends it."""
        if request.scope["type"] != "http":
            return None
        if isinstance(error, CredentialsMissing):
            return ""
        if not isinstance(error, InsufficientClaims) or "authorization" in request.headers:
            return None
        claims = encode_claims(error.claims)
        # A user who has just signed in so, and still lacks the claims, would be redirected in a loop.
        is_new = login.sessions.cookies.step_up(request) != digest_of_claims(claims)
        return claims if is_new and len(claims) <= MAX_CLAIMS else None


def word_for_session(error: EntraError, request: HTTPConnection) -> None:
    """Let the message speak of the session, where no token came: nobody can request a new one then."""
    if isinstance(error, AccessDenied) and "authorization" not in request.headers:
        error.message = error.of_session


def access_token_of(current_user: CurrentUser) -> Callable[..., Awaitable[str]]:
    """A dependency that gives the current user's access token."""

    async def access_token(
        request: HTTPConnection, user: Annotated[EntraUser, Security(current_user)]
    ) -> str:
        try:
            return await current_user.access_token(request, user)
        except EntraError as error:
            raise current_user.refuse(error, request) from None

    return access_token
