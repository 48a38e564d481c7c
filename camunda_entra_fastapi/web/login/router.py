"""The routes for signing in and out: they read the request, call the flow, and write the response."""

from collections.abc import Callable
from functools import wraps
from urllib.parse import quote

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from camunda_entra_fastapi.errors import (
    CrossOrigin,
    EntraError,
    InvalidRequest,
    SessionsUnavailable,
)
from camunda_entra_fastapi.sign_in.flow import MAX_ATTEMPTS, MAX_ATTEMPTS_CHARACTERS, MAX_SID, EntraRedirect
from camunda_entra_fastapi.sign_in.protocol import ATTEMPT_LIFETIME, single_valued
from camunda_entra_fastapi.sign_in.return_to import find_return_to
from camunda_entra_fastapi.telemetry import logger
from camunda_entra_fastapi.web.credentials import read_credentials
from camunda_entra_fastapi.web.current_user import CurrentUser
from camunda_entra_fastapi.web.login import frames, responses
from camunda_entra_fastapi.web.login.callbacks import Callbacks, is_signed_in
from camunda_entra_fastapi.web.login.context import LoginContext, LoginPaths, Page
from camunda_entra_fastapi.web.login.parameters import extra_parameters, restarts_of, step_up_claims
from camunda_entra_fastapi.web.login.service_workers import for_service_worker
from camunda_entra_fastapi.web.misspelled_header import missing_credentials
from camunda_entra_fastapi.web.public_url import PublicUrl
from camunda_entra_fastapi.web.same_origin import is_cross_site, is_same_origin


class LoginRoutes:
    """The login pages of one ``CamundaEntra``.

    Args:
        context: Returns the login context in use.
        paths: The paths of the pages.
        current_user: Authenticates requests for ``/auth/me``.
        docs_token: Redeems codes for Swagger UI.
    """

    def __init__(
        self,
        context: Callable[[], LoginContext],
        paths: LoginPaths,
        current_user: CurrentUser,
        docs_token: Page,
    ) -> None:
        self._context = context
        self._paths = paths
        self._current_user = current_user
        self._docs_token = docs_token
        self._callbacks = Callbacks(context, paths)
        self._has_logged_redirect_uri = False

    def router(self) -> APIRouter:
        """All routes; none of them is in the OpenAPI document."""
        router = APIRouter()
        around_in_frames = frames.Frames(self._context, self._paths).around
        for path, endpoint, methods in (
            (self._paths.of("login"), self.login, ["GET"]),
            (self._paths.callback, self._callbacks.sign_in, ["GET"]),
            (self._paths.of("me"), self.me, ["GET"]),
            (self._paths.of("logout"), self.logout, ["GET", "POST"]),
            (self._paths.of("front-channel-logout"), self.front_channel_logout, ["GET"]),
            (self._paths.of("admin-consent"), self.admin_consent, ["GET"]),
            (self._paths.of("admin-consent-callback"), self._callbacks.admin_consent, ["GET"]),
            (self._paths.of("token"), self._docs_token, ["POST"]),
        ):
            page = self._refusing_odd_hosts(around_in_frames(path, endpoint))
            router.add_route(path, page, methods, include_in_schema=False)
        return router

    def _refusing_odd_hosts(self, page: Page) -> Page:
        """The page; 400 where it cannot do without this service's address, and the request tells none."""

        @wraps(page)
        async def answer(request: Request) -> Response:
            try:
                return for_service_worker(request, await page(request))
            except InvalidRequest as error:
                self._current_user.log(error, request.scope.get("path", ""))
                return responses.refused(request, self._context().challenger, error)

        return answer

    async def login(self, request: Request) -> Response:
        """Redirect the browser to Entra to sign in."""
        context = self._context()
        public_url = context.sessions.public_url
        root = public_url.root_of(request, self._paths.of("login"))
        home = public_url.path(request, "/", root)
        values = request.query_params.getlist("return_to")
        forbidden = public_url.path(request, self._paths.prefix, root)
        return_to = find_return_to(values[0], forbidden, public_url.hosts) if len(values) == 1 else "/"
        redirect_uri = public_url.url(request, self._paths.callback, root)
        self._log_redirect_uri_once(redirect_uri)
        claims, claims_digest = step_up_claims(request)
        restarts, parameters = restarts_of(request), extra_parameters(request) | claims
        if restarts and not parameters and await is_signed_in(request, context):
            return responses.redirect(home if return_to == "/" else return_to)  # by another tab, meanwhile
        try:
            redirect = await context.sign_in.begin(
                redirect_uri,
                home if return_to == "/" else return_to,
                parameters,
                claims_digest,
                restarts,
            )
        except EntraError as error:
            retry_url = (
                f"{public_url.path(request, self._paths.of('login'), root)}?return_to={quote(return_to)}"
            )
            return self._callbacks.error_page(request, context, error, retry_url, root)
        return self._redirect_to_entra(request, context, redirect)

    async def me(self, request: Request) -> Response:
        """The current user as JSON."""
        try:
            user = await self._current_user.find_user(request)
            if user is None:
                raise missing_credentials(read_credentials(request))
        except EntraError as error:
            self._current_user.log(error, request.scope.get("path", ""))
            return responses.json_error(self._context().challenger.error_response(error))
        return JSONResponse(responses.user_info(user), headers={"Cache-Control": "no-store"})

    async def logout(self, request: Request) -> Response:
        """Sign out: here first, whatever happens, and then at Entra."""
        context = self._context()
        public_url = context.sessions.public_url
        root = public_url.root_of(request, self._paths.of("logout"))
        own_url = public_url.path(request, self._paths.of("logout"), root)
        if _is_foreign_logout(request, public_url):
            error = CrossOrigin("Another site asked to sign out of this one.")
            end_url = (await context.sign_in.endpoints.get()).end_session
            return responses.confirm_sign_out(request, context.challenger, error, own_url, end_url)
        post_logout_redirect_uri = public_url.url(request, self._paths.post_logout, root)
        current = None
        try:
            current = await context.sessions.find(request)
            if current is not None:
                await context.sessions.manager.end(current)
        except SessionsUnavailable:  # the store makes up for it
            context.sessions.end_later(request)
        response = responses.redirect(await context.sign_in.sign_out_url(current, post_logout_redirect_uri))
        responses.set_cookies(response, context.sessions.cookies.delete_session(request))
        return response

    async def front_channel_logout(self, request: Request) -> Response:
        """Front-channel logout: Entra's page opens this in a frame when a sign-in is over."""
        context = self._context()
        try:
            parameters = single_valued(request.query_params.multi_items())
            sid, issuer = parameters.get("sid", ""), parameters.get("iss")
            if not 0 < len(sid) <= MAX_SID or issuer not in (None, context.sign_in.issuer):
                return responses.plain_text(
                    400, "A sid is needed, and iss must be this service's issuer, if given."
                )
            count = await context.sign_in.end_by_sid(sid)
            current = await context.sessions.find(request)
        except EntraError as error:
            return responses.json_error(context.challenger.error_response(error))
        logger.info("Front-channel sign-out ended %d sessions", count)
        response = responses.plain_text(200, "Signed out.")
        if current is not None and current.session.sid == sid:
            await context.sessions.manager.end(current)
            responses.set_cookies(response, context.sessions.cookies.delete_session(request))
        return response

    async def admin_consent(self, request: Request) -> Response:
        """Redirect an administrator to Entra, to consent for the whole tenant."""
        context = self._context()
        public_url = context.sessions.public_url
        root = public_url.root_of(request, self._paths.of("admin-consent"))
        callback = public_url.url(request, self._paths.of("admin-consent-callback"), root)
        return self._redirect_to_entra(request, context, await context.sign_in.begin_consent(callback))

    def _log_redirect_uri_once(self, redirect_uri: str) -> None:
        """Log the redirect URI at the first sign-in: without a base URL only a request tells it."""
        if not self._has_logged_redirect_uri:
            self._has_logged_redirect_uri = True
            logger.info("People sign in with the redirect URI %s, which must be registered", redirect_uri)

    def _redirect_to_entra(
        self, request: Request, context: LoginContext, redirect: EntraRedirect
    ) -> Response:
        """Redirect to Entra, with the attempt in a cookie. Too many attempts replace the oldest ones."""
        cookies = context.sessions.cookies
        pending = cookies.attempts(request)
        attempts = {name: context.sign_in.read_attempt(value) for name, value in pending.items()}
        valid = sorted((current.began_at, name) for name, current in attempts.items() if current is not None)
        remaining = [name for _, name in valid[-(MAX_ATTEMPTS - 1) :]]
        while (
            remaining
            and len(redirect.sealed) + sum(len(pending[name]) for name in remaining) > MAX_ATTEMPTS_CHARACTERS
        ):
            del remaining[0]
        response = responses.redirect(redirect.url)
        responses.set_cookies(
            response,
            [
                *(cookies.delete_attempt(request, name) for name in sorted(pending.keys() - set(remaining))),
                cookies.set_attempt(request, redirect.attempt_id, redirect.sealed, ATTEMPT_LIFETIME),
            ],
        )
        return response


def _is_foreign_logout(request: Request, public_url: PublicUrl) -> bool:
    """Whether another site asks to sign out, by a link or a form.

    Requests of programs do not say where they come from, and no page can make a browser omit it.
    """
    if request.method == "POST" and ("sec-fetch-site" in request.headers or "origin" in request.headers):
        return not is_same_origin(request, public_url)
    return is_cross_site(request, public_url)
