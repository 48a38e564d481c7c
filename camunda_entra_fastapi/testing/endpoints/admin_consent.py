"""An administrator consents for everybody (Learn: admin consent on the Microsoft identity platform)."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from camunda_entra_fastapi.testing.directory import Application, Scope, Tenant, User
from camunda_entra_fastapi.testing.directory.graph import GRAPH, OIDC
from camunda_entra_fastapi.testing.endpoints.consents import described
from camunda_entra_fastapi.testing.endpoints.responses import answer_to, error_page
from camunda_entra_fastapi.testing.pages import render
from camunda_entra_fastapi.testing.protocol.aadsts import Aadsts, error_members
from camunda_entra_fastapi.testing.protocol.authorize import find_client
from camunda_entra_fastapi.testing.protocol.parameters import form_of, need, query_of
from camunda_entra_fastapi.testing.protocol.realm import Realm, find_realm
from camunda_entra_fastapi.testing.protocol.request_log import tell
from camunda_entra_fastapi.testing.protocol.scopes import Asked, read_scope
from camunda_entra_fastapi.testing.world.world import World


@dataclass(frozen=True, slots=True)
class AdminConsentEndpoint:
    """``v2.0/adminconsent``, and ``adminconsent`` of version 1.0, which asks for all that is registered."""

    world: World

    async def answer(self, request: Request) -> Response:
        """Ask an administrator, and tell the application what was decided."""
        v1 = "/v2.0/" not in request.url.path
        tell(request, did="admin consent")
        try:
            realm = find_realm(self.world.directory, str(request.path_params["tenant"]))
            parameters = query_of(request)
            client, redirect_uri = find_client(realm, parameters)
            tell(request, client=client)
            asked = self._asked(realm, client, parameters, v1=v1)
            form = await form_of(request) if request.method == "POST" else {}
            if "user" not in form:
                return self._page(realm, client, asked)
            tenant, user = realm.person(form["user"], client)
            tell(request, user=user)
        except Aadsts as problem:
            return error_page(problem, request, self.world.now())
        if form.get("consent") != "granted":
            return self._refused(request, redirect_uri, parameters, v1=v1)
        if not user.administrator:
            refused = Aadsts(90094, "access_denied", f"{user.name} is no administrator of '{tenant.name}'.")
            return error_page(refused, request, self.world.now())
        self.world.state.grant(tenant, client, asked, None)
        members = {"admin_consent": "True", "tenant": tenant.id}
        if not v1:
            members["scope"] = parameters["scope"]
        return answer_to(redirect_uri, "query", members | _state_of(parameters))

    def _asked(
        self, realm: Realm, client: Application, parameters: Mapping[str, str], *, v1: bool
    ) -> list[Asked]:
        """What the page lists and the consent covers.

        OpenID Connect's scopes are always among it, so that nobody is asked about them afterwards, and the
        application is in the tenant even when it has permissions of its own alone.
        """
        home = realm.home_for(client)
        directory = self.world.directory
        if v1:
            asked = list(self._registered(home, client))
        else:
            scope = need(parameters, "scope")
            asked = list(read_scope(scope, directory, home, client, several=True).parts)
        of_graph = {name for part in asked if part.resource is GRAPH for name in part.permissions}
        rest = tuple(name for name in OIDC if name not in of_graph)
        return [*asked, Asked(GRAPH, GRAPH.identifier_uris[0], rest)]

    def _registered(self, home: Tenant, client: Application) -> Iterator[Asked]:
        """All delegated permissions that the registration lists, by resource."""
        directory = self.world.directory
        names: Iterable[str] | None = client.permissions
        if names is None:
            everybody = (app for tenant in directory.tenants for app in tenant.applications)
            names = [app.client_id for app in (*everybody, GRAPH)]
        for name in names:
            resource = directory.application_in(home, name)
            if resource and (listed := client.listed(resource)):
                yield Asked(resource, resource.client_id, listed)

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
            resource = self.world.directory.application_in(realm.home_for(client), client_id)
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
            members = error_members(problem, request, self.world.now())
            told = {name: members[name] for name in ("error", "error_description")}
        return answer_to(redirect_uri, "query", {"admin_consent": "True"} | told | _state_of(parameters))


def _state_of(parameters: Mapping[str, str]) -> dict[str, str]:
    return {"state": parameters["state"]} if "state" in parameters else {}
