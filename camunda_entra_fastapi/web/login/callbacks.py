"""Where Entra sends browsers back to, and where people go on whose answer belongs to no sign-in any more.

Browsers bring such answers without anybody's fault. After Back, Entra's page sends the old ``state`` once
more; a browser that was restored comes back with more sign-ins than it has cookies for; a page of Entra's
waited overnight. None of these answers signs anybody in, and no code of theirs is redeemed.

A person who is signed in goes on to where that sign-in was to lead. For others it begins anew by itself, so
that twenty restored tabs come back without a click where Entra still knows who it is. A link to the login
page, which anybody may put anywhere, does no less: this lets nobody do more. It is a page that goes on (by
``refresh``) and no redirect, as its status says that the answer was refused, it has a link for browsers that
do not go on, and it leaves no entry in the history for the next Back.
"""

from collections.abc import Callable
from contextlib import suppress
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from camunda_entra_fastapi.errors import AccessDenied, EntraError
from camunda_entra_fastapi.sign_in.flow import MAX_ATTEMPTS
from camunda_entra_fastapi.sign_in.protocol import Attempt, attempt_id
from camunda_entra_fastapi.sign_in.session_manager import UserSession
from camunda_entra_fastapi.sign_in.state import MAX_RESTARTS, Beginning
from camunda_entra_fastapi.sign_in.step_up import STEP_UP_LIFETIME
from camunda_entra_fastapi.web.login import responses
from camunda_entra_fastapi.web.login.context import LoginContext, LoginPaths
from camunda_entra_fastapi.web.page_requests import is_for_page
from camunda_entra_fastapi.web.pages import is_safe_link


class Callbacks:
    """The pages that Entra sends browsers back to.

    Args:
        context: Returns the login context in use.
        paths: The paths of the pages.
    """

    def __init__(self, context: Callable[[], LoginContext], paths: LoginPaths) -> None:
        self._context = context
        self._paths = paths

    async def sign_in(self, request: Request) -> Response:
        """The redirect URI: Entra sends the browser back here."""
        context = self._context()
        public_url, cookies = context.sessions.public_url, context.sessions.cookies
        root = public_url.root_of(request, self._paths.callback)
        home = public_url.path(request, "/", root)
        previous: UserSession | None = None
        try:
            previous = await context.sessions.find(request)
            if not request.scope.get("query_string"):
                login_url = public_url.path(request, self._paths.of("login"), root)
                return responses.redirect(home) if previous else responses.signed_out(request, login_url)
            signed_in, return_to = await context.sign_in.finish(
                request.query_params.multi_items(),
                lambda state: cookies.attempt(request, attempt_id(state)),
            )
            if previous is not None:
                await context.sessions.manager.end(previous)
        except EntraError as error:
            response = await self._refused(request, context, error, previous, root)
        else:
            response = responses.redirect(return_to, responses.SEE_OTHER)
            responses.set_cookies(response, context.sessions.set_cookies(request, signed_in))
            attempt = _find_attempt(request, context)
            if attempt is not None and attempt.claims_digest:
                responses.set_cookies(
                    response, [cookies.set_step_up(request, attempt.claims_digest, STEP_UP_LIFETIME)]
                )
        return _delete_used_attempts(request, context, response)

    async def admin_consent(self, request: Request) -> Response:
        """Entra sends the administrator back here."""
        context = self._context()
        public_url, cookies = context.sessions.public_url, context.sessions.cookies
        root = public_url.root_of(request, self._paths.of("admin-consent-callback"))
        login_url = public_url.path(request, self._paths.of("login"), root)
        try:
            await context.sign_in.finish_consent(
                request.query_params.multi_items(),
                lambda state: cookies.attempt(request, attempt_id(state)),
            )
        except EntraError as error:
            retry_url = public_url.path(request, self._paths.of("admin-consent"), root)
            beginning = _recover(request, context)
            was_ours = beginning is not None and beginning.kind == "admin-consent"
            response = responses.consent_failed(
                request, context.challenger, error, retry_url, login_url if was_ours else None
            )
        else:
            response = responses.consent_given(request, login_url)
        return _delete_used_attempts(request, context, response)

    def error_page(
        self,
        request: Request,
        context: LoginContext,
        error: EntraError,
        retry_url: str,
        root: str,
        *,
        restart_url: str | None = None,
    ) -> Response:
        """A sign-in that failed. The browser goes on to ``restart_url`` by itself, if there is one."""
        if isinstance(error, AccessDenied):  # the same account would be refused again
            retry_url += f"{'&' if '?' in retry_url else '?'}prompt=select_account"
        consent_url = context.sessions.public_url.link(request, self._paths.of("admin-consent"), root)
        return responses.sign_in_failed(
            request,
            context.challenger,
            error,
            retry_url=retry_url,
            restart_url=restart_url,
            consent_url=consent_url,
            client_id=context.sign_in.client_id,
        )

    async def _refused(
        self,
        request: Request,
        context: LoginContext,
        error: EntraError,
        session: UserSession | None,
        root: str,
    ) -> Response:
        """The way on for somebody whose answer was not accepted."""
        public_url = context.sessions.public_url
        home = public_url.path(request, "/", root)
        beginning = _recover(request, context)
        if beginning is not None and beginning.kind != "login":
            beginning = None
        place = "" if beginning is None else beginning.return_to
        # Programs have no Back: they are told that the answer was refused, signed in or not.
        is_late = (
            error.code == "login_expired"
            and is_for_page(request.headers)
            and not _is_before(session, beginning, context)
        )
        retry_url = public_url.path(request, self._paths.of("login"), root)
        if place:
            retry_url += f"?return_to={quote(place, safe='/')}"
        if is_late and await is_signed_in(request, context):
            # The settings may have changed since, so the login page judges what is no path of this service.
            is_path = place.startswith("/") and is_safe_link(place)
            onward = place if is_path else f"{retry_url}&again=1" if place else home
            return responses.redirect(onward, responses.SEE_OTHER)
        restart_url = None
        if (
            is_late
            and beginning is not None
            and "code" in request.query_params  # whoever left Entra's page with Cancel is not sent there
            and beginning.restarts < _restarts_at_most(request, context)
        ):
            restart_url = f"{retry_url}{'&' if place else '?'}again={beginning.restarts + 1}"
        return self.error_page(request, context, error, retry_url, root, restart_url=restart_url)


async def is_signed_in(request: Request, context: LoginContext) -> bool:
    """Whether the session is good for more than to be ended. Where nobody can tell, it is not."""
    sessions = context.sessions
    handle = sessions.handle(request)
    with suppress(EntraError):
        session = None if handle is None else await sessions.session(request, handle)
        if session is not None:
            sessions.renew_cookies(request, handle, session)
            return True
    return False


def _is_before(session: UserSession | None, beginning: Beginning | None, context: LoginContext) -> bool:
    """Whether the session lacks the step-up that the answer is about, as it is the older one.

    The place would ask for that step-up again, and, in a browser that loses attempts, once more, without end.
    """
    if session is None or beginning is None or not beginning.is_step_up:
        return False
    return session.session.expires_at - context.sign_in.exchange.lifetime < beginning.began_at


def _restarts_at_most(request: Request, context: LoginContext) -> int:
    """How often a browser begins anew by itself: once where it keeps no cookies, as far as one can see.

    Of many tabs that do so at the same time, one may push out the other's attempt, so that these get
    more than one chance.
    """
    attempts = context.sessions.cookies.attempts(request).values()
    keeps_cookies = any(context.sign_in.read_attempt(sealed) is not None for sealed in attempts)
    return MAX_RESTARTS if keeps_cookies else 1


def _state_and_attempt(request: Request, context: LoginContext) -> tuple[str, str | None]:
    """The answer's state and the attempt in its cookie, if there is one, still sealed."""
    state = next(iter(request.query_params.getlist("state")), "")
    return state, context.sessions.cookies.attempt(request, attempt_id(state)) if state else None


def _recover(request: Request, context: LoginContext) -> Beginning | None:
    return context.sign_in.recover(*_state_and_attempt(request, context))


def _find_attempt(request: Request, context: LoginContext) -> Attempt | None:
    """The attempt of the answer's state, whether or not it was used."""
    return context.sign_in.read_attempt(_state_and_attempt(request, context)[1])


def _delete_used_attempts(request: Request, context: LoginContext, response: Response) -> Response:
    """Delete the attempts of the answer's state: each may be used once, successfully or not."""
    cookies = context.sessions.cookies
    names = dict.fromkeys(map(attempt_id, request.query_params.getlist("state")[:MAX_ATTEMPTS]))
    used = [name for name in names if cookies.attempt(request, name) is not None]
    responses.set_cookies(response, [cookies.delete_attempt(request, name) for name in used])
    return response
