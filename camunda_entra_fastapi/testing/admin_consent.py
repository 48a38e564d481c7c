"""An administrator consents for everybody (Learn: admin consent on the Microsoft identity platform)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from camunda_entra_fastapi.testing.aadsts import Aadsts, error_members
from camunda_entra_fastapi.testing.access import Realm, find_realm
from camunda_entra_fastapi.testing.answers import answer_to, error_page
from camunda_entra_fastapi.testing.authorize import find_client
from camunda_entra_fastapi.testing.consents import described
from camunda_entra_fastapi.testing.directory import Application, Scope, Tenant, User
from camunda_entra_fastapi.testing.pages import render
from camunda_entra_fastapi.testing.parameters import form_of, need, query_of
from camunda_entra_fastapi.testing.scopes import Asked, read_scope

if TYPE_CHECKING:
    from camunda_entra_fastapi.testing.emulator import EntraEmulator


@dataclass(frozen=True, slots=True)
class AdminConsentEndpoint:
    """``v2.0/adminconsent``, and ``adminconsent`` of version 1.0, which asks for all that is registered."""

    emulator: "EntraEmulator"

    async def answer(self, request: Request) -> Response:
        """Ask an administrator, and tell the application what was decided."""
        v1 = "/v2.0/" not in request.url.path
        try:
            realm = find_realm(self.emulator.directory, str(request.path_params["tenant"]))
            parameters = query_of(request)
            client, redirect_uri = find_client(realm, parameters)
            asked = self._asked(realm, client, parameters, v1=v1)
            form = await form_of(request) if request.method == "POST" else {}
            if "user" not in form:
                return self._page(realm, client, asked)
            tenant, user = realm.person(form["user"], client)
        except Aadsts as problem:
            return error_page(problem, request, self.emulator.now())
        if form.get("consent") != "granted":
            return self._refused(request, redirect_uri, parameters, v1=v1)
        if not user.administrator:
            refused = Aadsts(90094, "access_denied", f"{user.name} is no administrator of '{tenant.name}'.")
            return error_page(refused, request, self.emulator.now())
        self.emulator.state.grant(tenant, client, asked, None)
        members = {"admin_consent": "True", "tenant": tenant.id}
        if not v1:
            members["scope"] = parameters["scope"]
        return answer_to(redirect_uri, "query", members | _state_of(parameters))

    def _asked(
        self, realm: Realm, client: Application, parameters: Mapping[str, str], *, v1: bool
    ) -> list[Asked]:
        home = realm.home_for(client)
        directory = self.emulator.directory
        if not v1:
            return list(read_scope(need(parameters, "scope"), directory, home, client, several=True).parts)
        resources = (directory.application_in(home, name) for name in client.permissions or {})
        return [Asked(each, each.client_id, client.listed(each)) for each in resources if each]

    def _page(self, realm: Realm, client: Application, asked: list[Asked]) -> Response:
        administrators: list[tuple[Tenant, User]] = [
            each for each in realm.people(client) if each[1].administrator
        ]
        return render(
            "admin_consent.html",
            title=f"Consent to {client.name} for everybody",
            client=client,
            people=administrators,
            realm=realm,
            scopes=list(described(asked)),
            roles=list(self._roles(realm, client)),
        )

    def _roles(self, realm: Realm, client: Application) -> Iterator[Scope]:
        """The application permissions, which an administrator sees here, too."""
        for client_id, roles in client.granted_roles.items():
            resource = self.emulator.directory.application_in(realm.home_for(client), client_id)
            yield from (
                Scope(role, f"By itself, in {resource.name if resource else client_id}") for role in roles
            )

    def _refused(
        self, request: Request, redirect_uri: str, parameters: Mapping[str, str], *, v1: bool
    ) -> Response:
        """Entra says ``admin_consent=True`` here, too."""
        if v1:
            told = {
                "error": "permission_denied",
                "error_description": "The administrator declined the request.",
            }
        else:
            problem = Aadsts(65004, "consent_required", "The administrator declined to consent.")
            members = error_members(problem, request, self.emulator.now())
            told = {name: members[name] for name in ("error", "error_description")}
        return answer_to(redirect_uri, "query", {"admin_consent": "True"} | told | _state_of(parameters))


def _state_of(parameters: Mapping[str, str]) -> dict[str, str]:
    return {"state": parameters["state"]} if "state" in parameters else {}
