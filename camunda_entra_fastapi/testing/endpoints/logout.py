"""Signing out of the emulator, and of each used application by front-channel logout."""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit, urlunsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from camunda_entra_fastapi.testing.directory import Application
from camunda_entra_fastapi.testing.endpoints.browser_sessions import (
    browser_sessions,
    matches_login_hint,
    store_browser_sessions,
)
from camunda_entra_fastapi.testing.endpoints.responses import error_page
from camunda_entra_fastapi.testing.pages import render
from camunda_entra_fastapi.testing.protocol.aadsts import AadstsError
from camunda_entra_fastapi.testing.protocol.authorize import platform_of
from camunda_entra_fastapi.testing.protocol.parameters import query_and_form_of
from camunda_entra_fastapi.testing.protocol.realm import find_realm
from camunda_entra_fastapi.testing.protocol.request_log import annotate
from camunda_entra_fastapi.testing.world.state import Session
from camunda_entra_fastapi.testing.world.world import World


@dataclass(frozen=True, slots=True)
class LogoutEndpoint:
    """``logout`` (OpenID Connect RP-Initiated Logout; Learn: OpenID Connect, send a sign-out request)."""

    world: World

    async def answer(self, request: Request) -> Response:
        """End the session that the hint names, or the only one; with several, the user picks one."""
        annotate(request, did="sign out")
        try:
            realm = find_realm(self.world.directory, str(request.path_params["tenant"]))
            parameters = await query_and_form_of(request)
        except AadstsError as problem:
            return error_page(problem, request, self.world.now())
        sessions = browser_sessions(self.world, request)
        hint = parameters.get("logout_hint", "").lower()
        ending = [each for each in sessions if matches_login_hint(each.user, hint)]
        if "user" in parameters:
            ending = [each for each in sessions if parameters["user"] in (each.id, "everybody")]
        elif not ending and len(sessions) == 1:
            ending = sessions
        if not ending and sessions:
            return render("sign_out.html", title="Who signs out?", sessions=sessions, parameters=parameters)
        if len(ending) == 1:
            annotate(request, user=ending[0].user)
        redirect_uri = self._post_logout_redirect_uri(parameters, ending)
        response = self._signed_out_page(ending, redirect_uri, realm.name)
        store_browser_sessions(
            self.world, request, response, [each for each in sessions if each not in ending]
        )
        return response

    def _post_logout_redirect_uri(self, parameters: dict[str, str], ending: Iterable[Session]) -> str | None:
        """The redirect URI, if one of the used applications has registered it.

        Without a session no application was used, so the redirect URI of any application is accepted then.
        """
        redirect_uri = parameters.get("post_logout_redirect_uri")
        used = [app for session in ending for app in self._applications_of(session)]
        candidates = used or [app for tenant in self.world.directory.tenants for app in tenant.applications]
        if redirect_uri is None or not any(platform_of(app, redirect_uri) for app in candidates):
            return None
        if "state" in parameters:
            redirect_uri += ("&" if "?" in redirect_uri else "?") + urlencode({"state": parameters["state"]})
        return redirect_uri

    def _signed_out_page(self, ending: list[Session], redirect_uri: str | None, name: str) -> Response:
        """The page that calls the logout URLs, only with ``sid`` as Entra does, and then redirects."""
        logout_urls = [
            _with_sid(application.logout_url, session.id)
            for session in ending
            for application in self._applications_of(session)
            if application.logout_url
        ]
        if redirect_uri and not logout_urls:
            return RedirectResponse(redirect_uri, 302)
        frame_sources = " ".join(sorted({_origin(url) for url in logout_urls}))
        user_names = [session.user.name for session in ending]
        title = "You are signed out"
        return render(
            "signed_out.html",
            frame_sources=frame_sources,
            title=title,
            logout_urls=logout_urls,
            redirect_uri=redirect_uri,
            name=name,
            user_names=user_names,
        )

    def _applications_of(self, session: Session) -> list[Application]:
        """The applications that the user has used, as they are registered now."""
        directory = self.world.directory
        found = (directory.application_in(session.tenant, client_id) for client_id in session.applications)
        return [application for application in found if application]


def _with_sid(url: str, sid: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}{urlencode({'sid': sid})}"


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc, "", "", ""))
