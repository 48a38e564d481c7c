"""Registering applications through the local Graph: what is written takes effect, what cannot be is not."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.directory import BILLING, CONTOSO, OPERATE
from camunda_entra_fastapi.testing.directory.graph import GRAPH
from tests.testing.conftest import Client
from tests.testing.endpoints.graph.test_graph import GraphClient, check_error

WRITE = "Application.ReadWrite.All"
GRANT = "DelegatedPermissionGrant.ReadWrite.All"
SCOPE_ID = "5c09e000-0000-4000-8000-000000000001"
ROLE_ID = "401e0000-0000-4000-8000-000000000001"
SCOPE = {
    "id": SCOPE_ID,
    "value": "read",
    "type": "Admin",
    "isEnabled": True,
    "adminConsentDescription": "Read",
}
ROLE = {"id": ROLE_ID, "value": "Reader", "displayName": "Reader", "isEnabled": True}


@pytest.fixture
async def graph(emulator: EntraEmulator) -> AsyncIterator[GraphClient]:
    """A client of Graph's in the same process."""
    async with emulator.http_client() as http:
        yield GraphClient(http, emulator)


async def create(graph: GraphClient, **members: Any) -> dict[str, Any]:
    """A new application."""
    answer = await graph.post("/v1.0/applications", WRITE, json={"displayName": "New"} | members)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def instantiate(graph: GraphClient, app_id: str) -> httpx2.Response:
    """Its service principal."""
    return await graph.post("/v1.0/servicePrincipals", WRITE, json={"appId": app_id})


async def test_what_is_written_takes_effect(
    graph: GraphClient, client: Client, emulator: EntraEmulator
) -> None:
    """Step by step, until the application gets a token for itself with its own role and version."""
    made = await create(
        graph,
        web={
            "redirectUris": ["https://a.example/cb"],
            "implicitGrantSettings": {"enableIdTokenIssuance": True},
        },
        spa={"redirectUris": ["https://b.example/"]},
        publicClient={"redirectUris": ["http://localhost"]},
        api={"requestedAccessTokenVersion": 2, "oauth2PermissionScopes": [SCOPE]},
        appRoles=[ROLE, ROLE | {"id": SCOPE_ID, "value": "Off", "isEnabled": False}],
        optionalClaims={"accessToken": [{"name": "acct"}, {"name": "strange"}]},
        groupMembershipClaims="SecurityGroup",
        isFallbackPublicClient=True,
        requiredResourceAccess=[
            {
                "resourceAppId": OPERATE,
                "resourceAccess": [{"id": "x", "type": "Scope"}, {"id": "y", "type": "Role"}],
            }
        ],
    )
    secret = (await graph.post(f"/v1.0/applications/{made['id']}/addPassword", WRITE, json={})).json()
    assert secret["hint"] == secret["secretText"][:3]
    form = {
        "client_id": made["appId"],
        "client_secret": secret["secretText"],
        "scope": f"{made['appId']}/.default",
    }
    refused = await client.credentials(**form)
    assert refused.json()["error_codes"] == [700016]
    assert (await instantiate(graph, made["appId"])).status_code == 201
    answer = await client.credentials(**form)
    assert answer.status_code == 200, answer.text
    application = emulator.tenant.application(made["appId"])
    assert application is not None
    assert application.redirect_uris == {
        "https://a.example/cb": "web",
        "https://b.example/": "spa",
        "http://localhost": "public",
    }
    assert application.exposed["read"].admin_only
    assert application.app_roles == ("Reader",)
    assert application.optional_claims.access_token == ("acct",)
    assert application.permissions == {OPERATE: ()}
    assert application.id_token_issuance
    assert application.allow_public_client
    resource = (
        await graph.get(f"/v1.0/applications(appId='{made['appId']}')", "Application.Read.All")
    ).json()
    assert resource["passwordCredentials"][0]["keyId"] == secret["keyId"]
    assert "secretText" not in str(resource)
    assert resource["appRoles"][1]["value"] == "Off"


async def test_a_secret_expires_at_its_time(graph: GraphClient, client: Client) -> None:
    """After two years by default; and what is no time is refused."""
    made = await create(graph)
    path = f"/v1.0/applications/{made['id']}/addPassword"
    default = (await graph.post(path, WRITE, json={"passwordCredential": {"displayName": "d"}})).json()
    assert (default["startDateTime"], default["endDateTime"]) == (
        "2026-11-18T11:06:40Z",
        "2028-11-17T11:06:40Z",
    )
    past = {"passwordCredential": {"endDateTime": "2026-01-01T00:00:00"}}
    expired = (await graph.post(path, WRITE, json=past)).json()
    await instantiate(graph, made["appId"])
    answer = await client.credentials(
        client_id=made["appId"], client_secret=expired["secretText"], scope=f"{made['appId']}/.default"
    )
    assert answer.json()["error_codes"] == [7000222]
    odd = await graph.post(path, WRITE, json={"passwordCredential": {"endDateTime": "soon"}})
    check_error(odd, 400, "Request_BadRequest")


async def test_an_application_of_the_directory_is_read_and_updated(
    graph: GraphClient, emulator: EntraEmulator
) -> None:
    """Its IDs are derived, and nested objects are merged member by member."""
    listed = await graph.get("/v1.0/applications", WRITE, params={"$filter": f"appId eq '{OPERATE}'"})
    (resource,) = listed.json()["value"]
    assert resource["api"]["requestedAccessTokenVersion"] == 2
    assert resource["identifierUris"] == [f"api://{OPERATE}"]
    answer = await graph.send(
        "PATCH",
        f"/v1.0/applications/{resource['id']}",
        WRITE,
        json={"web": {"redirectUris": ["https://x.example/y"]}, "displayName": "Changed"},
    )
    assert (answer.status_code, answer.content) == (204, b"")
    application = emulator.tenant.application(OPERATE)
    assert application is not None
    assert application.name == "Changed"
    assert application.logout_url == "http://localhost:8000/auth/front-channel-logout"
    assert "https://x.example/y" in application.redirect_uris
    assert tuple(application.exposed) == ("access_as_user", "Incidents.Read")


async def test_lists_are_filtered_and_selected(graph: GraphClient) -> None:
    """A filter may have several conditions, doubled quotes, and any letter case."""
    params = {"$filter": f"appId eq '{BILLING}' and displayName eq 'billing JOB'", "$select": "appId,nothing"}
    answer = await graph.get("/v1.0/servicePrincipals", "Directory.Read.All", params=params)
    assert answer.json()["value"] == [{"appId": BILLING}]
    quoted = {"$filter": "displayName eq 'it''s'"}
    assert (await graph.get("/v1.0/applications", WRITE, params=quoted)).json()["value"] == []
    everything = await graph.get("/v1.0/servicePrincipals", WRITE)
    assert GRAPH.client_id in [each["appId"] for each in everything.json()["value"]]
    for odd in ("appId ne 'x'", "secret eq 'x'", "appId eq x"):
        answer = await graph.get("/v1.0/applications", WRITE, params={"$filter": odd})
        check_error(answer, 400, "Request_BadRequest")


async def test_consent_is_given_once_and_changed_after(graph: GraphClient, emulator: EntraEmulator) -> None:
    """A consent is for everybody, and its scopes must exist."""
    made = await create(graph, api={"oauth2PermissionScopes": [SCOPE]})
    principal = (await instantiate(graph, made["appId"])).json()
    body = {
        "clientId": principal["id"],
        "consentType": "AllPrincipals",
        "resourceId": principal["id"],
        "scope": "read",
    }
    grant = (await graph.post("/v1.0/oauth2PermissionGrants", GRANT, json=body)).json()
    assert (grant["scope"], grant["clientId"]) == ("read", principal["id"])
    again = await graph.post("/v1.0/oauth2PermissionGrants", GRANT, json=body)
    check_error(again, 409, "Request_MultipleObjectsWithSameKeyValue")
    for change in (
        {"consentType": "Principal"},
        {"clientId": "x"},
        {"scope": "unknown", "resourceId": GRAPH.id},
    ):
        answer = await graph.post("/v1.0/oauth2PermissionGrants", GRANT, json=body | change)
        check_error(answer, 400, "Request_BadRequest")
    path = f"/v1.0/oauth2PermissionGrants/{grant['id']}"
    assert (await graph.send("PATCH", path, GRANT, json={"scope": ""})).status_code == 204
    found = await graph.get(
        "/v1.0/oauth2PermissionGrants", GRANT, params={"$filter": f"clientId eq '{principal['id']}'"}
    )
    assert [each["scope"] for each in found.json()["value"]] == [""]
    missing = await graph.send("PATCH", "/v1.0/oauth2PermissionGrants/x", GRANT, json={"scope": "read"})
    check_error(missing, 404, "Request_ResourceNotFound")
    assert emulator.tenant.consents


async def test_the_organization_is_the_tenant(graph: GraphClient) -> None:
    """Its ID, by which issuers name it."""
    (organization,) = (await graph.get("/v1.0/organization", "User.Read")).json()["value"]
    assert organization["id"] == CONTOSO


async def test_who_may_write(graph: GraphClient) -> None:
    """Administrators with the permission; an application's own permission is enough for itself."""
    body = {"displayName": "New"}
    for permissions, changes in (
        (("Application.Read.All",), {}),
        ((WRITE,), {"user": "Ben Reader"}),
        (("User.Read",), {"app_only": True}),
    ):
        answer = await graph.post("/v1.0/applications", *permissions, json=body, **changes)
        check_error(answer, 403, "Authorization_RequestDenied")
    own = await graph.post("/v1.0/applications", WRITE, json=body, app_only=True)
    assert own.status_code == 201


@pytest.mark.parametrize(
    ("members", "code", "words"),
    [
        ({"displayName": ""}, "Request_BadRequest", "at least 1 character"),
        ({"nonsense": 1}, "Request_BadRequest", "'nonsense' does not exist"),
        (
            {"identifierUris": ["https://elsewhere.example"]},
            "HostNameNotOnVerifiedDomain",
            "which is verified",
        ),
        ({"web": {"redirectUris": ["http://a.example/"]}}, "Request_BadRequest", "must use https"),
        ({"web": "x"}, "Request_BadRequest", "wrong form"),
        ({"appRoles": [{"value": "two words", "id": ROLE_ID}]}, "Request_BadRequest", "no blanks"),
        ({"appRoles": ["x"]}, "Request_BadRequest", "no blanks"),
        ({"appRoles": [{"value": "x", "id": "y"}]}, "Request_BadRequest", "no id that is a GUID"),
        ({"appRoles": [ROLE, ROLE]}, "Request_BadRequest", "is there twice"),
    ],
)
async def test_what_cannot_be_is_refused(
    members: dict[str, Any], code: str, words: str, graph: GraphClient, emulator: EntraEmulator
) -> None:
    """In Graph's form, and nothing has changed."""
    before = emulator.directory
    answer = await graph.post("/v1.0/applications", WRITE, json={"displayName": "New"} | members)
    assert words in check_error(answer, 400, code)
    assert emulator.directory == before


async def test_names_of_the_verified_domain(graph: GraphClient, emulator: EntraEmulator) -> None:
    """As App ID URIs, with hosts below it."""
    uris = [f"https://{emulator.tenant.domain}/x", f"api://apps.{emulator.tenant.domain}"]
    assert (await create(graph, identifierUris=uris))["identifierUris"] == uris


async def test_what_is_enabled_is_not_deleted(graph: GraphClient) -> None:
    """Scopes and roles are switched off first."""
    made = await create(graph, api={"oauth2PermissionScopes": [SCOPE]}, appRoles=[ROLE])
    path = f"/v1.0/applications/{made['id']}"
    changes: list[dict[str, Any]] = [{"appRoles": []}, {"api": {"oauth2PermissionScopes": []}}]
    for change in changes:
        answer = await graph.send("PATCH", path, WRITE, json=change)
        check_error(answer, 400, "CannotDeleteOrUpdateEnabledEntitlement")
    for roles in ([ROLE | {"isEnabled": False}], []):
        assert (await graph.send("PATCH", path, WRITE, json={"appRoles": roles})).status_code == 204


async def test_bodies_that_are_none(graph: GraphClient) -> None:
    """Too large, no JSON, no object."""
    for content, code in (
        (b"{" + b" " * 70_000, "Request_BadRequest"),
        (b"<", "BadRequest"),
        (b"[]", "BadRequest"),
    ):
        answer = await graph.post("/v1.0/applications", WRITE, content=content)
        check_error(answer, 400, code)


async def test_service_principals_of_strangers(graph: GraphClient) -> None:
    """One for each application of the tenant, once."""
    made = await create(graph)
    assert (await instantiate(graph, made["appId"])).status_code == 201
    check_error(await instantiate(graph, made["appId"]), 409, "Request_MultipleObjectsWithSameKeyValue")
    check_error(await instantiate(graph, OPERATE.replace("0be7", "dead")), 400, "Request_BadRequest")
    check_error(await graph.get("/v1.0/applications/nobody", WRITE), 404, "Request_ResourceNotFound")


async def test_the_tools_of_microsoft_are_in_every_tenant(client: Client, emulator: EntraEmulator) -> None:
    """A public client without a registration signs in by device code; no directory file has it."""
    tool = "14d82eec-204b-4c2f-b7e8-296a70dab67e"
    form = {"client_id": tool, "scope": f"https://graph.microsoft.com/{WRITE}"}
    answer = await client.http.post(f"/{client.tenant}/oauth2/v2.0/devicecode", data=form)
    assert answer.status_code == 200
    assert tool not in [each.client_id for each in emulator.tenant.applications]
