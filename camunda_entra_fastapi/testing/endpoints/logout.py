"""Signing out: of this emulator, and by front-channel calls of every application that was used."""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit, urlunsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from camunda_entra_fastapi.testing.directory import Application
from camunda_entra_fastapi.testing.endpoints.interaction import is_hinted, keep_browser, sessions_in
from camunda_entra_fastapi.testing.endpoints.responses import error_page
from camunda_entra_fastapi.testing.pages import render
from camunda_entra_fastapi.testing.protocol.aadsts import Aadsts
from camunda_entra_fastapi.testing.protocol.authorize import platform_of
from camunda_entra_fastapi.testing.protocol.parameters import form_of, query_of
from camunda_entra_fastapi.testing.protocol.realm import find_realm
from camunda_entra_fastapi.testing.protocol.request_log import tell
from camunda_entra_fastapi.testing.world.state import Session
from camunda_entra_fastapi.testing.world.world import World


@dataclass(frozen=True, slots=True)
class LogoutEndpoint:
    """``logout`` (OpenID Connect RP-Initiated Logout; Learn: OpenID Connect, send a sign-out request)."""

    world: World

    async def answer(self, request: Request) -> Response:
        """Sign out whom the hint means, or who is the only one; ask where several are signed in."""
        tell(request, did="sign out")
        try:
            realm = find_realm(self.world.directory, str(request.path_params["tenant"]))
            parameters = query_of(request) | (await form_of(request) if request.method == "POST" else {})
        except Aadsts as problem:
            return error_page(problem, request, self.world.now())
        sessions = sessions_in(self.world, request)
        hint = parameters.get("logout_hint", "").lower()
        leaving = [each for each in sessions if is_hinted(each.user, hint)]
        if "user" in parameters:
            leaving = [each for each in sessions if parameters["user"] in (each.id, "everybody")]
        elif not leaving and len(sessions) == 1:
            leaving = sessions
        if not leaving and sessions:
            return render("sign_out.html", title="Who signs out?", sessions=sessions, parameters=parameters)
        if len(leaving) == 1:
            tell(request, user=leaving[0].user)
        back = self._where_to(parameters, leaving)
        response = self._signed_out(leaving, back, realm.name)
        keep_browser(self.world, request, response, [each for each in sessions if each not in leaving])
        return response

    def _where_to(self, parameters: dict[str, str], leaving: Iterable[Session]) -> str | None:
        """The address to go back to: one that is registered, of anybody's application that was used.

        Who was not signed in leaves no trace of an application, so any that is registered will do then.
        """
        wanted = parameters.get("post_logout_redirect_uri")
        used = [app for session in leaving for app in self._used(session)]
        known = used or [app for tenant in self.world.directory.tenants for app in tenant.applications]
        if wanted is None or not any(platform_of(app, wanted) for app in known):
            return None
        if "state" in parameters:
            wanted += ("&" if "?" in wanted else "?") + urlencode({"state": parameters["state"]})
        return wanted

    def _signed_out(self, leaving: list[Session], back: str | None, name: str) -> Response:
        """The page that calls the applications, with ``sid`` alone as Entra does; then the way back."""
        calls = [
            _with_sid(application.logout_url, session.id)
            for session in leaving
            for application in self._used(session)
            if application.logout_url
        ]
        if back and not calls:
            return RedirectResponse(back, 302)
        frames = " ".join(sorted({_origin(call) for call in calls}))
        who = [session.user.name for session in leaving]
        title = "You are signed out"
        return render(
            "signed_out.html", frames=frames, title=title, calls=calls, back=back, name=name, who=who
        )

    def _used(self, session: Session) -> list[Application]:
        """The applications that the person used, as they are registered now."""
        directory = self.world.directory
        found = (directory.application_in(session.tenant, client_id) for client_id in session.applications)
        return [application for application in found if application]


def _with_sid(url: str, sid: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}{urlencode({'sid': sid})}"


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc, "", "", ""))
