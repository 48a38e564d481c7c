"""The routes for signing in and out: they read the request, call the flow, write the answer."""

from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import quote

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from camunda_entra_fastapi.errors import (
    AccessDenied,
    CredentialsMissing,
    CrossOrigin,
    EntraError,
    SessionsUnavailable,
)
from camunda_entra_fastapi.remote.claims_request import claims_parameter
from camunda_entra_fastapi.sign_in.flow import MAX_ATTEMPTS, MAX_ATTEMPTS_CHARACTERS, MAX_SID, EntraRedirect
from camunda_entra_fastapi.sign_in.protocol import (
    ATTEMPT_LIFETIME,
    Attempt,
    attempt_id,
    safe_return_to,
    single_valued,
)
from camunda_entra_fastapi.sign_in.step_up import LATELY, claims_digest_of, decode_claims
from camunda_entra_fastapi.telemetry import logger
from camunda_entra_fastapi.web.current_user import CurrentUser
from camunda_entra_fastapi.web.login import responses
from camunda_entra_fastapi.web.login.context import LoginContext, LoginPaths
from camunda_entra_fastapi.web.public_url import PublicUrl
from camunda_entra_fastapi.web.same_origin import is_cross_site, is_same_origin

MAX_HINT: Final = 256
_PROMPTS: Final = ("login", "select_account", "consent")


class LoginRoutes:
    """The pages of one ``CamundaEntra``.

    Args:
        parts: Gives what the pages work with, for each request anew.
        paths: Where they are.
        current_user: Tells who asks for ``/auth/me``.
        docs_token: Redeems codes for the docs page.
    """

    def __init__(
        self,
        context: Callable[[], LoginContext],
        paths: LoginPaths,
        current_user: CurrentUser,
        docs_token: Callable[[Request], Awaitable[Response]],
    ) -> None:
        self._context = context
        self._paths = paths
        self._current_user = current_user
        self._docs_token = docs_token
        self._has_told = False

    def router(self) -> APIRouter:
        """All routes; none of them is part of the API that OpenAPI shows."""
        router = APIRouter()
        for path, endpoint, methods in (
            (self._paths.of("login"), self.login, ["GET"]),
            (self._paths.callback, self.callback, ["GET"]),
            (self._paths.of("me"), self.me, ["GET"]),
            (self._paths.of("logout"), self.logout, ["GET", "POST"]),
            (self._paths.of("front-channel-logout"), self.front_channel_logout, ["GET"]),
            (self._paths.of("admin-consent"), self.admin_consent, ["GET"]),
            (self._paths.of("admin-consent-callback"), self.admin_consent_callback, ["GET"]),
            (self._paths.of("token"), self._docs_token, ["POST"]),
        ):
            router.add_route(path, endpoint, methods, include_in_schema=False)
        return router

    async def login(self, request: Request) -> Response:
        """Send somebody to Entra to sign in."""
        context = self._context()
        public_url = context.sessions.public_url
        root = public_url.root_of(request, self._paths.of("login"))
        home = public_url.path(request, "/", root)
        asked = request.query_params.getlist("return_to")
        forbidden = public_url.path(request, self._paths.prefix, root)
        return_to = safe_return_to(asked[0], forbidden) if len(asked) == 1 else "/"
        redirect_uri = public_url.url(request, self._paths.callback, root)
        self._tell_once(redirect_uri)
        claims, step = _step_up(request)
        try:
            redirect = await context.sign_in.begin(
                redirect_uri, home if return_to == "/" else return_to, _hints(request) | claims, step
            )
        except EntraError as error:
            retry_url = (
                f"{public_url.path(request, self._paths.of('login'), root)}?return_to={quote(return_to)}"
            )
            return self._refuse(request, context, error, retry_url, root)
        return self._depart(request, context, redirect)

    async def callback(self, request: Request) -> Response:
        """The redirect URI: somebody comes back from Entra."""
        context = self._context()
        public_url, cookies = context.sessions.public_url, context.sessions.cookies
        root = public_url.root_of(request, self._paths.callback)
        login_url = public_url.path(request, self._paths.of("login"), root)
        try:
            before = await context.sessions.found(request)
            if not request.url.query:
                home = public_url.path(request, "/", root)
                return responses.redirect(home) if before else responses.signed_out(request, login_url)
            signed_in, return_to = await context.sign_in.finish(
                request.query_params.multi_items(),
                lambda state: cookies.attempt(request, attempt_id(state)),
            )
            if before is not None:
                await context.sessions.manager.end(before)
        except EntraError as error:
            attempt = self._attempt(request, context)
            if attempt is not None:
                login_url += f"?return_to={quote(attempt.return_to, safe='/')}"
            response = self._refuse(request, context, error, login_url, root)
        else:
            response = responses.redirect(return_to, responses.SEE_OTHER)
            responses.set_cookies(response, context.sessions.keep(request, signed_in))
            attempt = self._attempt(request, context)
            if attempt is not None and attempt.step:
                responses.set_cookies(response, [cookies.set_step_up(request, attempt.step, LATELY)])
        return self._arrived(request, context, response)

    async def me(self, request: Request) -> Response:
        """Who is signed in, as JSON."""
        try:
            user = await self._current_user.authenticate(request)
            if user is None:
                raise CredentialsMissing
        except EntraError as error:
            return responses.as_json(self._context().challenger.answer(error))
        return JSONResponse(responses.described(user), headers={"Cache-Control": "no-store"})

    async def logout(self, request: Request) -> Response:
        """Sign out: here first, whatever happens, then at Entra."""
        context = self._context()
        public_url = context.sessions.public_url
        root = public_url.root_of(request, self._paths.of("logout"))
        own_url = public_url.path(request, self._paths.of("logout"), root)
        if _is_of_others(request, public_url):
            error = CrossOrigin("Another site asked to sign out of this one.")
            end_url = context.sign_in.end_session_url
            return responses.confirm_sign_out(request, context.challenger, error, own_url, end_url)
        try:
            found = await context.sessions.found(request)
            if found is not None:
                await context.sessions.manager.end(found)
        except SessionsUnavailable:
            logger.warning(
                "The session store could not be asked while somebody signed out; "
                "that session ends when its time is over"
            )
            found = None
        back = public_url.url(request, self._paths.post_logout, root)
        response = responses.redirect(context.sign_in.sign_out_url(found, back))
        responses.set_cookies(response, context.sessions.cookies.delete_session(request))
        return response

    async def front_channel_logout(self, request: Request) -> Response:
        """Entra's page, in a frame of a browser, says that a sign-in is over."""
        context = self._context()
        try:
            parameters = single_valued(request.query_params.multi_items())
            sid, issuer = parameters.get("sid", ""), parameters.get("iss")
            if not 0 < len(sid) <= MAX_SID or issuer not in (None, context.sign_in.issuer):
                return responses.plain(
                    400, "A sid is needed, and iss must be this service's issuer, if given."
                )
            ended = await context.sign_in.end_by_sid(sid)
            found = await context.sessions.found(request)
        except EntraError as error:
            return responses.as_json(context.challenger.answer(error))
        logger.info("Front-channel sign-out ended %d sessions", ended)
        response = responses.plain(200, "Signed out.")
        if found is not None and found.session.sid == sid:
            await context.sessions.manager.end(found)
            responses.set_cookies(response, context.sessions.cookies.delete_session(request))
        return response

    async def admin_consent(self, request: Request) -> Response:
        """Send an administrator to Entra, to consent for everybody."""
        context = self._context()
        public_url = context.sessions.public_url
        root = public_url.root_of(request, self._paths.of("admin-consent"))
        callback = public_url.url(request, self._paths.of("admin-consent-callback"), root)
        return self._depart(request, context, context.sign_in.begin_consent(callback))

    async def admin_consent_callback(self, request: Request) -> Response:
        """An administrator comes back."""
        context = self._context()
        public_url, cookies = context.sessions.public_url, context.sessions.cookies
        root = public_url.root_of(request, self._paths.of("admin-consent-callback"))
        try:
            await context.sign_in.finish_consent(
                request.query_params.multi_items(),
                lambda state: cookies.attempt(request, attempt_id(state)),
            )
        except EntraError as error:
            retry_url = public_url.path(request, self._paths.of("admin-consent"), root)
            response = responses.consent_failed(request, context.challenger, error, retry_url)
        else:
            response = responses.consent_given(
                request, public_url.path(request, self._paths.of("login"), root)
            )
        return self._arrived(request, context, response)

    def _tell_once(self, redirect_uri: str) -> None:
        """Without ``CAMUNDA_ENTRA_BASE_URL`` the address shows itself with the first sign-in only."""
        if not self._has_told:
            self._has_told = True
            logger.info("People sign in with the redirect URI %s, which must be registered", redirect_uri)

    def _refuse(
        self, request: Request, context: LoginContext, error: EntraError, retry_url: str, root: str
    ) -> Response:
        logger.info("Sign-in refused: %s: %s", error.code, error.message)
        if isinstance(error, AccessDenied):  # the same account would be refused again
            retry_url += f"{'&' if '?' in retry_url else '?'}prompt=select_account"
        consent_url = context.sessions.public_url.url(request, self._paths.of("admin-consent"), root)
        return responses.refused(
            request,
            context.challenger,
            error,
            retry_url=retry_url,
            consent_url=consent_url,
            client_id=context.sign_in.client_id,
        )

    def _depart(self, request: Request, context: LoginContext, redirect: EntraRedirect) -> Response:
        """To Entra, with the attempt in a cookie of its own; of too many, the oldest are dropped."""
        cookies = context.sessions.cookies
        pending = cookies.attempts(request)
        opened = {name: context.sign_in.read_attempt(value) for name, value in pending.items()}
        alive = sorted((found.began_at, name) for name, found in opened.items() if found is not None)
        kept = [name for _, name in alive[-(MAX_ATTEMPTS - 1) :]]
        while (
            kept and len(redirect.sealed) + sum(len(pending[name]) for name in kept) > MAX_ATTEMPTS_CHARACTERS
        ):
            del kept[0]
        response = responses.redirect(redirect.url)
        responses.set_cookies(
            response,
            [
                *(cookies.delete_attempt(request, name) for name in sorted(pending.keys() - set(kept))),
                cookies.set_attempt(request, redirect.attempt_id, redirect.sealed, ATTEMPT_LIFETIME),
            ],
        )
        return response

    def _attempt(self, request: Request, context: LoginContext) -> Attempt | None:
        """The attempt that the answer's state names, used up or not."""
        states = request.query_params.getlist("state")
        name = attempt_id(states[0]) if states else ""
        return context.sign_in.read_attempt(context.sessions.cookies.attempt(request, name))

    def _arrived(self, request: Request, context: LoginContext, response: Response) -> Response:
        """Drop the attempts that the answer names: they are used up, whatever came of them."""
        cookies = context.sessions.cookies
        names = map(attempt_id, request.query_params.getlist("state"))
        held = cookies.attempts(request)
        responses.set_cookies(
            response, [cookies.delete_attempt(request, name) for name in names if name in held]
        )
        return response


def _is_of_others(request: Request, public_url: PublicUrl) -> bool:
    """Whether another site wants somebody signed out: a link of its own, or a form.

    Programs say nothing of where a request comes from, and no page can make a browser do so.
    """
    if request.method == "POST" and ("sec-fetch-site" in request.headers or "origin" in request.headers):
        return not is_same_origin(request, public_url)
    return is_cross_site(request, public_url)


def _hints(request: Request) -> dict[str, str]:
    """What a link to the login page may ask Entra for besides (Learn: authorization code flow)."""
    hints = {}
    prompt, login_hint = request.query_params.get("prompt"), request.query_params.get("login_hint", "")
    if prompt in _PROMPTS:
        hints["prompt"] = prompt
    if 0 < len(login_hint) <= MAX_HINT and login_hint.isprintable() and prompt != "select_account":
        hints["login_hint"] = login_hint
    return hints


def _step_up(request: Request) -> tuple[dict[str, str], str]:
    """The claims that a link to the login page asks for, and their mark."""
    asked = request.query_params.getlist("claims")
    claims = decode_claims(asked[0]) if len(asked) == 1 else None
    return ({}, "") if claims is None else ({"claims": claims_parameter(claims)}, claims_digest_of(asked[0]))
