"""The admin consent endpoint (Learn: admin consent on the Microsoft identity platform)."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from camunda_entra_fastapi.testing.directory import Application, Scope, Tenant, User
from camunda_entra_fastapi.testing.directory.graph import GRAPH, OIDC_SCOPES
from camunda_entra_fastapi.testing.endpoints.consents import scopes_in
from camunda_entra_fastapi.testing.endpoints.responses import authorization_response, error_page
from camunda_entra_fastapi.testing.pages import render
from camunda_entra_fastapi.testing.protocol.aadsts import AadstsError, error_members
from camunda_entra_fastapi.testing.protocol.authorize import find_client
from camunda_entra_fastapi.testing.protocol.parameters import form_of, query_of, required
from camunda_entra_fastapi.testing.protocol.realm import Realm, find_realm
from camunda_entra_fastapi.testing.protocol.request_log import annotate
from camunda_entra_fastapi.testing.protocol.scopes import RequestedScope, parse_scope
from camunda_entra_fastapi.testing.world.world import World


@dataclass(frozen=True, slots=True)
class AdminConsentEndpoint:
    """``v2.0/adminconsent``, and ``adminconsent`` of version 1.0, which requests all that is registered."""

    world: World

    async def answer(self, request: Request) -> Response:
        """Show the consent page to an administrator, and send the decision to the redirect URI."""
        v1 = "/v2.0/" not in request.scope["path"]
        annotate(request, did="admin consent")
        try:
            realm = find_realm(self.world.directory, str(request.path_params["tenant"]))
            parameters = query_of(request)
            client, redirect_uri = find_client(realm, parameters)
            annotate(request, client=client)
            requested_scopes = self._requested_scopes(realm, client, parameters, v1=v1)
            form = await form_of(request) if request.method == "POST" else {}
            if "user" not in form:
                return self._page(realm, client, requested_scopes)
            tenant, user = realm.find_user(form["user"], client)
            annotate(request, user=user)
        except AadstsError as problem:
            return error_page(problem, request, self.world.now())
        if form.get("consent") != "granted":
            return self._declined_response(request, redirect_uri, parameters, v1=v1)
        if not user.administrator:
            refusal = AadstsError(
                90094, "access_denied", f"{user.name} is no administrator of '{tenant.name}'."
            )
            return error_page(refusal, request, self.world.now())
        self.world.state.grant(tenant, client, requested_scopes, None)
        members = {"admin_consent": "True", "tenant": tenant.id}
        if not v1:
            members["scope"] = parameters["scope"]
        return authorization_response(redirect_uri, "query", members | _state_member(parameters))

    def _requested_scopes(
        self, realm: Realm, client: Application, parameters: Mapping[str, str], *, v1: bool
    ) -> list[RequestedScope]:
        """The scopes that the page lists and the consent covers.

        OpenID Connect's scopes are always among them, so that users are not asked for them afterwards, and
        the application gets a service principal even when it has application permissions only.
        """
        home = realm.home_for(client)
        directory = self.world.directory
        if v1:
            requested_scopes = list(self._registered_scopes(home, client))
        else:
            scope = required(parameters, "scope")
            requested_scopes = list(
                parse_scope(scope, directory, home, client, multiple_resources=True).by_resource
            )
        of_graph = {
            name
            for requested in requested_scopes
            if requested.resource is GRAPH
            for name in requested.permissions
        }
        rest = tuple(name for name in OIDC_SCOPES if name not in of_graph)
        return [*requested_scopes, RequestedScope(GRAPH, GRAPH.identifier_uris[0], rest)]

    def _registered_scopes(self, home: Tenant, client: Application) -> Iterator[RequestedScope]:
        """All delegated permissions that the registration lists, by resource."""
        directory = self.world.directory
        names: Iterable[str] | None = client.permissions
        if names is None:
            everybody = (app for tenant in directory.tenants for app in tenant.applications)
            names = [app.client_id for app in (*everybody, GRAPH)]
        for name in names:
            resource = directory.application_in(home, name)
            if resource and (listed := client.listed(resource)):
                yield RequestedScope(resource, resource.client_id, listed)

    def _page(self, realm: Realm, client: Application, requested_scopes: list[RequestedScope]) -> Response:
        administrators: list[tuple[Tenant, User]] = [
            each for each in realm.users(client) if each[1].administrator
        ]
        return render(
            "admin_consent.html",
            title=f"Consent to {client.name} for everybody",
            client=client,
            users=administrators,
            realm=realm,
            scopes=list(scopes_in(requested_scopes)),
            roles=list(self._roles(realm, client)),
        )

    def _roles(self, realm: Realm, client: Application) -> Iterator[Scope]:
        """The application permissions, which the page lists, too."""
        for client_id, roles in client.granted_roles.items():
            resource = self.world.directory.application_in(realm.home_for(client), client_id)
            yield from (
                Scope(role, f"By itself, in {resource.name if resource else client_id}") for role in roles
            )

    def _declined_response(
        self, request: Request, redirect_uri: str, parameters: Mapping[str, str], *, v1: bool
    ) -> Response:
        """The error for the redirect URI. Entra sends ``admin_consent=True`` here, too."""
        if v1:
            error = {
                "error": "permission_denied",
                "error_description": "The administrator declined the request.",
            }
        else:
            problem = AadstsError(65004, "consent_required", "The administrator declined to consent.")
            members = error_members(problem, request, self.world.now())
            error = {name: members[name] for name in ("error", "error_description")}
        return authorization_response(
            redirect_uri, "query", {"admin_consent": "True"} | error | _state_member(parameters)
        )


def _state_member(parameters: Mapping[str, str]) -> dict[str, str]:
    return {"state": parameters["state"]} if "state" in parameters else {}
