"""Microsoft Graph: users and their groups, and the permissions that reading them requires."""

import base64
import json
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import httpx2
import pytest

from camunda_entra_fastapi.testing import Directory, EntraEmulator, Group
from camunda_entra_fastapi.testing.directory import BILLING, OPERATE
from tests.conftest import FakeClock
from tests.testing.conftest import SECRET, Client

BASE = "https://login.entra.localhost"
GRAPH = "https://graph.microsoft.com"
ADA = "ada00000-0000-4000-8000-000000000001"
BEN = "be110000-0000-4000-8000-000000000002"
ADMINISTRATORS = "9a0b0000-0000-4000-8000-000000000001"
STAFF = "9a0b0000-0000-4000-8000-000000000002"
EVENTUAL = {"ConsistencyLevel": "eventual"}
SECURITY = {"securityEnabledOnly": True}
ALL = {"securityEnabledOnly": False}
MANY = [f"9a0b0000-0000-4000-9000-{number:012d}" for number in range(250)]


class GraphClient:
    """A client of Graph's, which asks for a new token each time."""

    def __init__(self, http: httpx2.AsyncClient, emulator: EntraEmulator) -> None:
        self.http = http
        self.emulator = emulator

    def token(self, *permissions: str, **changes: Any) -> str:
        """Ada's token with those permissions; or an application's own with those app roles."""
        kind = "roles" if changes.get("app_only") else "scopes"
        return self.emulator.token(application=GRAPH, **{"user": ADA, kind: permissions, **changes})

    async def send(
        self, method: str, path: str, *permissions: str, token: str | None = None, **changes: Any
    ) -> httpx2.Response:
        """A request; what is no argument of a request's is one of the token's."""
        request = {name: changes.pop(name) for name in ("json", "content", "params") if name in changes}
        headers = changes.pop("headers", {})
        bearer = {"Authorization": f"Bearer {token or self.token(*permissions, **changes)}"}
        return await self.http.request(method, path, headers=bearer | headers, **request)

    async def get(self, path: str, *permissions: str, **changes: Any) -> httpx2.Response:
        """Read."""
        return await self.send("GET", path, *permissions, **changes)

    async def post(self, path: str, *permissions: str, **changes: Any) -> httpx2.Response:
        """Call a function."""
        return await self.send("POST", path, *permissions, **changes)


@pytest.fixture
async def graph(emulator: EntraEmulator) -> AsyncIterator[GraphClient]:
    """A client of Graph's in the same process."""
    async with emulator.http_client() as http:
        yield GraphClient(http, emulator)


def change_ada(emulator: EntraEmulator, groups: tuple[str, ...], described: tuple[Group, ...] = ()) -> None:
    """Put Ada into other groups."""
    tenant = emulator.tenant
    users = tuple(replace(user, groups=groups) if user.id == ADA else user for user in tenant.users)
    changed = replace(tenant, users=users, groups=(*tenant.groups, *described))
    emulator.directory = emulator.directory.with_tenant(changed)


def check_error(answer: httpx2.Response, status: int, code: str) -> str:
    """The answer is that error in Graph's form; gives its message."""
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert list(error) == ["code", "message", "innerError"]
    assert list(error["innerError"]) == ["date", "request-id", "client-request-id"]
    assert error["innerError"]["date"] == "2026-11-18T11:06:40"
    assert error["innerError"]["request-id"] == answer.headers["request-id"]
    assert error["innerError"]["client-request-id"] == answer.headers["client-request-id"]
    assert answer.headers["content-type"] == "application/json"
    assert error["code"] == code
    return str(error["message"])


def with_header(token: str, **changes: Any) -> str:
    """The token with header members changed after it was signed; None takes one away."""
    header, rest = token.split(".", 1)
    members = json.loads(base64.urlsafe_b64decode(header + "==")) | changes
    present = {name: value for name, value in members.items() if value is not None}
    written = json.dumps(present, separators=(",", ":")).encode()
    return f"{base64.urlsafe_b64encode(written).rstrip(b'=').decode()}.{rest}"


# Who somebody is


async def test_me_is_who_signed_in(graph: GraphClient, emulator: EntraEmulator) -> None:
    """Without a selection the eleven properties come that Graph gives."""
    answer = await graph.get("/v1.0/me", "User.Read")
    assert answer.json() == {
        "@odata.context": f"{BASE}/v1.0/$metadata#users/$entity",
        "businessPhones": [],
        "displayName": "Ada Admin",
        "givenName": "Ada",
        "jobTitle": None,
        "mail": "ada@contoso.example",
        "mobilePhone": None,
        "officeLocation": None,
        "preferredLanguage": None,
        "surname": "Admin",
        "userPrincipalName": "ada@contoso.example",
        "id": ADA,
    }
    assert "odata.metadata=minimal" in answer.headers["content-type"]
    assert answer.headers["access-control-allow-origin"] == "*"
    record = emulator.requests[-1]
    assert (record.did, record.user, record.client, record.error) == ("Graph", "Ada Admin", "Operate", "")


async def test_a_selection_gives_what_it_names_in_its_order(graph: GraphClient) -> None:
    """A selection may name properties that are not in the default, and properties that no user has."""
    select = "userType, displayName,department,,displayName"
    answer = await graph.get("/v1.0/me", "User.Read", params={"$select": select})
    assert answer.json() == {
        "@odata.context": f"{BASE}/v1.0/$metadata#users(userType,displayName,department)/$entity",
        "userType": "Member",
        "displayName": "Ada Admin",
        "department": None,
    }


async def test_the_dollar_sign_of_options_may_be_left_out(graph: GraphClient) -> None:
    """As at Graph, and other parameters do no harm."""
    answer = await graph.get("/v1.0/me", "User.Read", params={"select": "id", "other": "1"})
    assert answer.json()["id"] == ADA
    assert len(answer.json()) == 2


async def test_an_unknown_property_is_refused(graph: GraphClient) -> None:
    """A misspelt name is no reason for silence."""
    answer = await graph.get("/v1.0/me", "User.Read", params={"$select": "displayname"})
    assert "'displayname' on microsoft.graph.user" in check_error(answer, 400, "BadRequest")


async def test_a_guests_claims(graph: GraphClient) -> None:
    """A guest has a user principal name of the tenant, and the address from home."""
    select = "mail,userPrincipalName,userType"
    answer = await graph.get("/v1.0/me", "User.Read", user="Gabi Guest", params={"$select": select})
    assert answer.json()["mail"] == "gabi@fabrikam.example"
    assert answer.json()["userPrincipalName"] == "gabi_fabrikam.example#EXT#@contoso.example"
    assert answer.json()["userType"] == "Guest"


@pytest.mark.parametrize("name", [BEN, BEN.upper(), "ben@contoso.example", "Ben@Contoso.example"])
async def test_a_user_is_found_by_id_and_user_principal_name(graph: GraphClient, name: str) -> None:
    """In any case of letters."""
    answer = await graph.get(f"/v1.0/users/{name}", "User.Read.All", app_only=True)
    assert answer.json()["id"] == BEN


async def test_a_guests_user_principal_name_is_escaped(graph: GraphClient) -> None:
    """It has signs in it that a path cannot have."""
    name = quote("gabi_fabrikam.example#EXT#@contoso.example", safe="")
    answer = await graph.post(f"/v1.0/users/{name}/getMemberObjects", "Directory.Read.All", json=ALL)
    assert answer.json()["value"] == ["9a0b0000-0000-4000-8000-000000000003"]


@pytest.mark.parametrize("name", [str(uuid.UUID(int=1)), "Ben Reader", "gabi@fabrikam.example"])
async def test_an_unknown_user_is_not_found(graph: GraphClient, name: str) -> None:
    """Neither a display name nor a user of another tenant is found."""
    answer = await graph.get(f"/v1.0/users/{name}", "User.Read.All", app_only=True)
    assert f"'{name}'" in check_error(answer, 404, "Request_ResourceNotFound")


async def test_a_deleted_user_is_not_found(graph: GraphClient, emulator: EntraEmulator) -> None:
    """A token outlives its user."""
    token = graph.token("User.Read", "openid")
    tenant = emulator.tenant
    emulator.directory = emulator.directory.with_tenant(replace(tenant, users=tenant.users[:1]))
    for path in ("/v1.0/me", "/oidc/userinfo"):
        check_error(await graph.get(path, token=token), 404, "Request_ResourceNotFound")


async def test_nobody_has_a_photo(graph: GraphClient) -> None:
    """The address that UserInfo gives leads somewhere."""
    claims = (await graph.get("/oidc/userinfo", "openid", "profile")).json()
    answer = await graph.get(claims["picture"], "User.Read")
    check_error(answer, 404, "ImageNotFound")


# The UserInfo endpoint


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", ["/oidc/userinfo", "/common/openid/userinfo"])
async def test_userinfo_has_the_claims_of_the_scopes(graph: GraphClient, method: str, path: str) -> None:
    """Names need profile, the address needs email (Learn: UserInfo endpoint)."""
    answer = await graph.send(method, path, "openid", "profile", "email")
    assert answer.headers["content-type"] == "application/json"
    claims = answer.json()
    assert claims.pop("sub")
    assert claims == {
        "name": "Ada Admin",
        "family_name": "Admin",
        "given_name": "Ada",
        "picture": f"{BASE}/v1.0/me/photo/$value",
        "email": "ada@contoso.example",
    }
    assert list((await graph.send(method, path, "openid", "User.Read")).json()) == ["sub"]


async def test_userinfo_leaves_out_a_name_that_is_not_there(
    graph: GraphClient, emulator: EntraEmulator
) -> None:
    """A user whose name is one word has no given name."""
    tenant = emulator.tenant
    users = tuple(replace(user, name="Ada") if user.id == ADA else user for user in tenant.users)
    emulator.directory = emulator.directory.with_tenant(replace(tenant, users=users))
    claims = (await graph.get("/oidc/userinfo", "openid", "profile")).json()
    assert claims["family_name"] == "Ada"
    assert "given_name" not in claims


async def test_the_subject_is_that_of_the_id_token(
    client: Client, graph: GraphClient, emulator: EntraEmulator
) -> None:
    """A client can compare them, as OpenID Connect Core, 5.3.2 demands."""
    code = await client.code(scope="openid profile")
    tokens = (await client.redeem_code(code=code, client_secret=SECRET)).json()
    payload = tokens["id_token"].split(".")[1]
    subject = json.loads(base64.urlsafe_b64decode(payload + "=="))["sub"]
    answer = await graph.get("/oidc/userinfo", token=tokens["access_token"])
    assert answer.json()["sub"] == subject
    assert answer.json()["name"] == "Ada Admin"
    assert emulator.requests[-1].did == "userinfo"


async def test_userinfo_needs_openid_and_a_person(graph: GraphClient) -> None:
    """Neither another scope nor an application's own token will do."""
    refused = await graph.get("/oidc/userinfo", "User.Read")
    assert "openid" in check_error(refused, 403, "Authorization_RequestDenied")
    refused = await graph.get("/oidc/userinfo", "openid", app_only=True)
    check_error(refused, 403, "Authorization_RequestDenied")


# Groups by their IDs


@pytest.mark.parametrize("path", ["/v1.0/me", f"/v1.0/users/{ADA}", "/v1.0/users/ada@contoso.example"])
async def test_the_signed_in_persons_groups_need_user_read(graph: GraphClient, path: str) -> None:
    """Whatever the person is called in the path."""
    answer = await graph.post(f"{path}/getMemberObjects", "User.Read", json=ALL)
    assert answer.json() == {
        "@odata.context": f"{BASE}/v1.0/$metadata#Collection(Edm.String)",
        "value": [ADMINISTRATORS, STAFF],
    }


async def test_nested_groups_are_listed_once(graph: GraphClient, emulator: EntraEmulator) -> None:
    """Membership is transitive, also around a circle; what is no security group only on demand."""
    outer = Group("Outer", MANY[0], member_of=("Inner",), security=False)
    inner = Group("Inner", MANY[1], member_of=("Outer", "Top"))
    change_ada(emulator, ("Inner", STAFF), (outer, inner, Group("Top", MANY[2])))
    for function in ("getMemberObjects", "getMemberGroups"):
        path, permissions = f"/v1.0/me/{function}", ("User.Read", "GroupMember.Read.All")
        every = (await graph.post(path, *permissions, json=ALL)).json()["value"]
        secure = (await graph.post(path, *permissions, json=SECURITY)).json()["value"]
        assert sorted(every) == sorted([MANY[0], MANY[1], MANY[2], STAFF])
        assert sorted(secure) == sorted([MANY[1], MANY[2], STAFF])


async def test_an_overage_leads_to_all_groups(graph: GraphClient, emulator: EntraEmulator) -> None:
    """A token lists 200 groups at most; Graph lists the groups of a user who has more."""
    change_ada(emulator, tuple(MANY))
    payload = emulator.token(user=ADA).split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    assert "groups" not in claims
    where = urlsplit(claims["_claim_sources"]["src1"]["endpoint"]).path.removeprefix(f"/{claims['tid']}")
    answer = await graph.post(f"/v1.0{where}", "User.Read.All", app_only=True, json=SECURITY)
    assert answer.json()["value"] == MANY


async def test_a_client_asks_graph_on_behalf_of_the_user(client: Client, graph: GraphClient) -> None:
    """All tokens are real ones: sign-in, on-behalf-of, groups."""
    tokens = (await client.redeem_code(code=await client.code())).json()
    exchanged = await client.redeem(
        grant_type="urn:ietf:params:oauth:grant-type:jwt-bearer",
        client_id=OPERATE,
        client_secret=SECRET,
        assertion=tokens["access_token"],
        requested_token_use="on_behalf_of",
        scope=f"{GRAPH}/User.Read",
    )
    token = exchanged.json()["access_token"]
    answer = await graph.post("/v1.0/me/getMemberObjects", token=token, json=SECURITY)
    assert answer.json()["value"] == [ADMINISTRATORS, STAFF]


async def test_more_than_eleven_thousand_groups_are_too_many(
    graph: GraphClient, emulator: EntraEmulator
) -> None:
    """Graph does not tell more IDs at once (Learn: directoryObject getMemberGroups)."""
    groups = tuple(str(uuid.UUID(int=number)) for number in range(1, 11_002))
    change_ada(emulator, groups)
    refused = await graph.post("/v1.0/me/getMemberObjects", "User.Read", json=ALL)
    assert "transitiveMemberOf" in check_error(refused, 400, "Directory_ResultSizeLimitExceeded")
    change_ada(emulator, groups[:-1])
    answer = await graph.post("/v1.0/me/getMemberObjects", "User.Read", json=ALL)
    assert len(answer.json()["value"]) == 11_000


async def test_membership_in_some_groups_is_checked(graph: GraphClient, emulator: EntraEmulator) -> None:
    """The answer has those of the question, in its order, also groups that are reached by way of others."""
    change_ada(emulator, ("Inner",), (Group("Inner", MANY[1], member_of=(STAFF,)),))
    parameters = {"groupIds": [STAFF.upper(), ADMINISTRATORS, MANY[1]]}
    path, permissions = "/v1.0/me/checkMemberGroups", ("User.Read", "GroupMember.Read.All")
    answer = await graph.post(path, *permissions, json=parameters)
    assert answer.json()["value"] == [STAFF, MANY[1]]
    parameters = {"groupIds": MANY[:20]}
    assert (await graph.post(path, *permissions, json=parameters)).json()["value"] == [MANY[1]]


@pytest.mark.parametrize("ids", [MANY[:21], "x", ["Staff"], [5], [None], None])
async def test_at_most_twenty_ids_are_checked(graph: GraphClient, ids: Any) -> None:
    """And nothing but a list of GUIDs."""
    answer = await graph.post("/v1.0/me/checkMemberGroups", "Directory.Read.All", json={"groupIds": ids})
    assert "'groupIds' must" in check_error(answer, 400, "Request_BadRequest")


@pytest.mark.parametrize("client_id", [OPERATE, BILLING])
async def test_applications_are_in_no_groups(
    graph: GraphClient, emulator: EntraEmulator, client_id: str
) -> None:
    """They are found by the object ID of their service principals, which app-only tokens name."""
    application = emulator.tenant.application(client_id)
    assert application
    path = f"/v1.0/servicePrincipals/{application.id}/getMemberObjects"
    answer = await graph.post(path, "Application.Read.All", app_only=True, json=SECURITY)
    assert answer.json()["value"] == []
    refused = await graph.post(path, "User.Read", json=SECURITY)
    check_error(refused, 403, "Authorization_RequestDenied")


async def test_applications_of_other_tenants_are_found_where_they_are_used(graph: GraphClient) -> None:
    """An application for one tenant has a service principal in no other."""
    application = graph.emulator.application
    path = f"/v1.0/servicePrincipals/{application.id}/getMemberObjects"

    async def ask() -> httpx2.Response:
        permissions = ("Directory.Read.All",)
        return await graph.post(
            path, *permissions, app_only=True, tenant="fabrikam.onmicrosoft.com", json=SECURITY
        )

    check_error(await ask(), 404, "Request_ResourceNotFound")
    tenant = graph.emulator.tenant
    for_many = replace(application, sign_in_audience="AzureADMultipleOrgs")
    changed = replace(tenant, applications=(for_many, *tenant.applications[1:]))
    graph.emulator.directory = graph.emulator.directory.with_tenant(changed)
    assert (await ask()).json()["value"] == []


BODIES = {
    "no JSON": ({"content": b"{", "headers": {"Content-Type": "application/json"}}, "not JSON"),
    "no UTF-8": ({"content": b"\xff\xfe\xff", "headers": {"Content-Type": "application/json"}}, "not JSON"),
    "too deep": ({"content": b"[" * 60_000, "headers": {"Content-Type": "application/json"}}, "not JSON"),
    "a list": ({"json": [True]}, "must be a JSON object"),
    "nothing": ({"json": {}}, "must be a JSON object with the parameter 'securityEnabledOnly'"),
    "a text": ({"json": {"securityEnabledOnly": "true"}}, "must be true or false"),
    "a number": ({"json": {"securityEnabledOnly": 1}}, "must be true or false"),
    "something more": ({"json": SECURITY | {"other": 1}}, "'other', which is not known"),
    "no type": ({"content": b'{"securityEnabledOnly":true}'}, "Content-Type"),
    "a form": (
        {"content": b"securityEnabledOnly=true", "headers": {"Content-Type": "text/plain"}},
        "Content-Type",
    ),
    "too large": ({"json": SECURITY | {"x": "x" * 65_536}}, "larger than 65536 bytes"),
}


@pytest.mark.parametrize(("request_part", "words"), BODIES.values(), ids=BODIES)
async def test_the_body_must_say_whether_all_groups_are_wanted(
    graph: GraphClient, request_part: dict[str, Any], words: str
) -> None:
    """Nothing is taken for granted, as at Graph."""
    answer = await graph.post("/v1.0/me/getMemberObjects", "User.Read", **request_part)
    assert words in check_error(answer, 400, "Request_BadRequest")


# Groups page by page


async def follow(graph: GraphClient, path: str, **changes: Any) -> list[dict[str, Any]]:
    """All pages from the first one on."""
    pages = [(await graph.get(path, "User.Read", "GroupMember.Read.All", **changes)).json()]
    changes.pop("params", None)
    while "@odata.nextLink" in pages[-1]:
        link = pages[-1]["@odata.nextLink"]
        pages.append((await graph.get(link, "User.Read", "GroupMember.Read.All", **changes)).json())
        assert len(pages) < 300
    return pages


@pytest.mark.parametrize(
    ("top", "sizes"), [(None, [100, 100, 50]), (125, [125, 125]), (249, [249, 1]), (999, [250])]
)
async def test_pages_hold_as_much_as_is_asked_for(
    graph: GraphClient, emulator: EntraEmulator, top: int | None, sizes: list[int]
) -> None:
    """250 groups come whole, each once, in pages of 100 where nothing is said."""
    change_ada(emulator, tuple(MANY))
    params = {"$select": "id"} | ({"$top": str(top)} if top else {})
    pages = await follow(graph, "/v1.0/me/transitiveMemberOf", params=params)
    assert [len(page["value"]) for page in pages] == sizes
    assert [group["id"] for page in pages for group in page["value"]] == MANY
    group = {"@odata.type": "#microsoft.graph.group", "id": MANY[0]}
    assert pages[0]["value"][0] == group
    assert pages[0]["@odata.context"] == f"{BASE}/v1.0/$metadata#directoryObjects(id)"


@pytest.mark.parametrize("cast", ["microsoft.graph.group", "graph.group"])
async def test_a_cast_gives_groups_with_their_number(
    graph: GraphClient, emulator: EntraEmulator, cast: str
) -> None:
    """The link to the next page keeps all that was asked for."""
    change_ada(emulator, tuple(MANY))
    path = f"/v1.0/users/{ADA}/transitiveMemberOf/{cast}"
    params = {"$count": "true", "$select": "id,displayName", "$top": "200"}
    pages = await follow(graph, path, params=params, headers=EVENTUAL)
    assert [len(page["value"]) for page in pages] == [200, 50]
    assert pages[0]["value"][0] == {"id": MANY[0], "displayName": MANY[0]}
    for page in pages:
        assert page["@odata.context"] == f"{BASE}/v1.0/$metadata#groups(id,displayName)"
        assert page["@odata.count"] == 250
    link = urlsplit(pages[0]["@odata.nextLink"])
    assert f"{link.scheme}://{link.netloc}{link.path}" == f"{BASE}{path}"
    parameters = parse_qs(link.query)
    assert parameters.pop("$skiptoken")
    assert parameters == {name: [value] for name, value in params.items()}


@pytest.mark.parametrize(
    ("params", "headers"),
    [({}, {}), ({"$count": "true"}, {}), ({}, EVENTUAL), ({"$count": "false"}, EVENTUAL)],
)
async def test_a_cast_needs_an_advanced_query(
    graph: GraphClient, params: dict[str, str], headers: dict[str, str]
) -> None:
    """Header and option together (Learn: advanced query capabilities)."""
    path = "/v1.0/me/transitiveMemberOf/microsoft.graph.group"
    refused = await graph.get(path, "User.Read", params=params, headers=headers)
    assert "ConsistencyLevel: eventual" in check_error(refused, 400, "Request_UnsupportedQuery")


async def test_the_number_is_left_out_of_simple_queries(graph: GraphClient) -> None:
    """Without the header $count is ignored, as at Graph."""
    params = {"$count": "true"}
    path = "/v1.0/me/transitiveMemberOf"
    assert "@odata.count" not in (await graph.get(path, "User.Read", params=params)).json()
    answer = await graph.get(path, "User.Read", params=params, headers=EVENTUAL)
    assert answer.json()["@odata.count"] == 2


async def test_groups_have_properties_for_callers_who_may_read_them(
    graph: GraphClient, emulator: EntraEmulator
) -> None:
    """Others get the IDs alone (Learn: limited information returned for inaccessible member objects)."""
    change_ada(emulator, ("News",), (Group("News", MANY[0], security=False),))
    known = {"@odata.type": "#microsoft.graph.group", "id": MANY[0]}
    limited = (await graph.get("/v1.0/me/transitiveMemberOf", "User.Read")).json()["value"]
    names = ("description", "displayName", "groupTypes", "mail", "mailEnabled", "securityEnabled")
    assert limited == [known | dict.fromkeys(names)]
    whole = await graph.get("/v1.0/me/transitiveMemberOf", "GroupMember.Read.All")
    assert whole.json()["value"] == [
        known
        | {"description": None, "displayName": "News", "groupTypes": [], "mail": None}
        | {"mailEnabled": True, "securityEnabled": False}
    ]


OPTIONS = {
    "no page": ("$top=0", "Request_BadRequest", "1 to 999"),
    "too long a page": ("$top=1000", "Request_BadRequest", "1 to 999"),
    "half a page": ("$top=1.5", "Request_BadRequest", "1 to 999"),
    "other digits": ("$top=%D9%A1", "Request_BadRequest", "1 to 999"),
    "no truth": ("$count=yes", "Request_BadRequest", "true or false"),
    "twice": ("$top=1&top=2", "Request_BadRequest", "more than once"),
    "a filter": ("$filter=id eq 'x'", "Request_UnsupportedQuery", "$filter"),
    "a property of nobody": ("$select=id,mood", "BadRequest", "'mood' on microsoft.graph.group"),
    "no place": ("$skiptoken=x", "Directory_ExpiredPageToken", "first page"),
    "an empty place": ("$skiptoken=", "Directory_ExpiredPageToken", "first page"),
}


@pytest.mark.parametrize(("query", "code", "words"), OPTIONS.values(), ids=OPTIONS)
async def test_wrong_options_are_refused(graph: GraphClient, query: str, code: str, words: str) -> None:
    """Each refusal has its code and names the right value, also for a user without groups."""
    answer = await graph.get(f"/v1.0/me/transitiveMemberOf?{query}", "User.Read")
    assert words in check_error(answer, 400, code)
    change_ada(graph.emulator, ())
    answer = await graph.get(f"/v1.0/me/transitiveMemberOf?{query}", "User.Read")
    assert words in check_error(answer, 400, code)


async def test_a_page_begins_where_its_group_still_is(graph: GraphClient, emulator: EntraEmulator) -> None:
    """Groups that go in between shift nothing; only the one that the page begins with must be there."""
    change_ada(emulator, tuple(MANY[:6]))
    first = (await graph.get("/v1.0/me/transitiveMemberOf?$top=3", "User.Read")).json()
    link = first["@odata.nextLink"]
    change_ada(emulator, tuple(MANY[1:6]))
    second = (await graph.get(link, "User.Read")).json()
    assert [group["id"] for group in second["value"]] == MANY[3:6]
    change_ada(emulator, (*MANY[:3], *MANY[4:6]))
    check_error(await graph.get(link, "User.Read"), 400, "Directory_ExpiredPageToken")


# Permissions


BENS = f"/v1.0/users/{BEN}"
REFUSED = {
    "me": ("GET", "/v1.0/me", ["openid"], False),
    "me by nothing": ("GET", "/v1.0/me", [], False),
    "another user": ("GET", BENS, ["User.Read", "GroupMember.Read.All"], False),
    "another user's objects": ("POST", f"{BENS}/getMemberObjects", ["User.Read"], False),
    "my objects": ("POST", "/v1.0/me/getMemberObjects", ["GroupMember.Read.All"], False),
    "my groups by one": ("POST", "/v1.0/me/getMemberGroups", ["User.Read"], False),
    "my groups by the other": ("POST", "/v1.0/me/getMemberGroups", ["GroupMember.Read.All"], False),
    "check by one": ("POST", "/v1.0/me/checkMemberGroups", ["User.Read"], False),
    "another user's groups": ("POST", f"{BENS}/getMemberGroups", ["User.Read.All"], True),
    "another user's list": ("GET", f"{BENS}/transitiveMemberOf", ["User.Read"], False),
    "applications do not read users by that": ("GET", BENS, ["User.Read"], True),
    "applications by groups alone": ("POST", f"{BENS}/getMemberObjects", ["GroupMember.Read.All"], True),
    "nobody learns who is not there": ("GET", "/v1.0/users/nobody", ["User.Read"], False),
}


@pytest.mark.parametrize(("method", "path", "permissions", "app_only"), REFUSED.values(), ids=REFUSED)
async def test_without_the_permission_nothing_is_told(
    graph: GraphClient, method: str, path: str, permissions: list[str], *, app_only: bool
) -> None:
    """The refusal names what is needed and what is there."""
    answer = await graph.send(method, path, *permissions, app_only=app_only)
    message = check_error(answer, 403, "Authorization_RequestDenied")
    assert ("app roles" if app_only else "delegated permissions") in message
    assert (", ".join(sorted(permissions)) or "none") in message
    assert "www-authenticate" not in answer.headers


GRANTED: dict[str, tuple[str, str, list[str], Any]] = {
    "another user": ("GET", BENS, ["User.Read.All"], None),
    "another user's objects": ("POST", f"{BENS}/getMemberObjects", ["User.Read.All"], ALL),
    "another user's groups": (
        "POST",
        f"{BENS}/getMemberGroups",
        ["User.Read.All", "GroupMember.Read.All"],
        ALL,
    ),
    "by the whole directory": ("POST", f"{BENS}/getMemberGroups", ["Directory.Read.All"], ALL),
    "a check": ("POST", f"{BENS}/checkMemberGroups", ["Directory.Read.All"], {"groupIds": []}),
    "another user's list": ("GET", f"{BENS}/transitiveMemberOf", ["GroupMember.Read.All"], None),
}


@pytest.mark.parametrize("app_only", [True, False])
@pytest.mark.parametrize(("method", "path", "permissions", "body"), GRANTED.values(), ids=GRANTED)
async def test_reading_others_with_the_permission(
    graph: GraphClient, method: str, path: str, permissions: list[str], body: Any, *, app_only: bool
) -> None:
    """Applications need a role, and users a permission of their client."""
    answer = await graph.send(method, path, *permissions, app_only=app_only, json=body)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("path", ["/v1.0/me", "/v1.0/me/transitiveMemberOf"])
async def test_an_application_is_nobody(graph: GraphClient, path: str) -> None:
    """Only a person's token has a me."""
    answer = await graph.get(path, "Directory.Read.All", app_only=True)
    message = check_error(answer, 400, "BadRequest")
    assert message == "/me request is only valid with delegated authentication flow."


# Tokens


CHALLENGE = (
    f'Bearer realm="", authorization_uri="{BASE}/common/oauth2/v2.0/authorize", '
    'client_id="00000003-0000-0000-c000-000000000000"'
)


async def check_refused(graph: GraphClient, token: str, words: str) -> None:
    """The token is refused with those words, in the answer and in the record."""
    answer = await graph.get("/v1.0/me", token=token)
    message = check_error(answer, 401, "InvalidAuthenticationToken")
    assert words in message
    assert token not in answer.text
    assert answer.headers["www-authenticate"] == CHALLENGE
    assert graph.emulator.requests[-1].error == f"InvalidAuthenticationToken: {message}"


@pytest.mark.parametrize("name", ["00000003-0000-0000-c000-000000000000", GRAPH, f"{GRAPH}/"])
@pytest.mark.parametrize("version", [1, 2])
async def test_graph_goes_by_three_names(graph: GraphClient, name: str, version: Any) -> None:
    """Each of them is an audience, in tokens of both versions."""
    token = graph.token("User.Read", version=version, aud=name)
    assert (await graph.get("/v1.0/me", token=token)).status_code == 200


async def test_tokens_for_other_apis_are_refused(graph: GraphClient, emulator: EntraEmulator) -> None:
    """The message says whose token it is, and how to get one for Graph."""
    await check_refused(graph, emulator.token(), f"for '{OPERATE}', not for Microsoft Graph")
    await check_refused(graph, graph.token("User.Read", aud=[GRAPH]), "not for Microsoft Graph")


async def test_tokens_are_good_for_their_time(graph: GraphClient, clock: FakeClock) -> None:
    """A token is valid to the second, by the emulator's own clock."""
    token = graph.token("User.Read", lifetime=60)
    clock.advance(59)
    assert (await graph.get("/v1.0/me", token=token)).status_code == 200
    graph.emulator.travel(1)
    answer = await graph.get("/v1.0/me", token=token)
    assert answer.status_code == 401
    assert "expired" in answer.json()["error"]["message"]


TAMPERED: dict[str, tuple[Callable[[str], str], str]] = {
    "another payload": (lambda token: token.replace(".ey", ".eyJ", 1), "cannot be read"),
    "no nonce": (lambda token: with_header(token, nonce=None), "no nonce"),
    "a nonce that is none": (lambda token: with_header(token, nonce=["x"]), "no nonce"),
    "another type": (lambda token: with_header(token, typ="at+jwt"), "not signed"),
    "no algorithm": (lambda token: with_header(token, alg="none"), "not signed"),
    "another key": (lambda token: with_header(token, kid="other"), "not signed"),
    "no key": (lambda token: with_header(token, kid=None), "not signed"),
    "no signature": (lambda token: token.rpartition(".")[0] + ".", "not signed"),
    "another signature": (lambda token: f"{token.rpartition('.')[0]}.{'A' * 342}", "not signed"),
    "no token": (lambda _: "nonsense", "cannot be read"),
}


@pytest.mark.parametrize(("change", "words"), TAMPERED.values(), ids=TAMPERED)
async def test_tampered_tokens_are_refused(
    graph: GraphClient, change: Callable[[str], str], words: str
) -> None:
    """Only tokens that the emulator signed for Graph are accepted."""
    await check_refused(graph, change(graph.token("User.Read")), words)


async def test_claims_cannot_be_exchanged(graph: GraphClient) -> None:
    """A signature holds for its own claims alone."""
    mine, bens = graph.token("User.Read"), graph.token("User.Read", user=BEN)
    header, _, signature = mine.split(".")
    await check_refused(graph, ".".join((header, bens.split(".")[1], signature)), "not signed")


CLAIMS: dict[str, tuple[dict[str, Any], str]] = {
    "not yet good": ({"nbf": 1_795_000_001}, "not good yet"),
    "no end": ({"exp": None}, "until when"),
    "an end in words": ({"exp": "tomorrow"}, "until when"),
    "no begin": ({"nbf": None}, "until when"),
    "no tenant": ({"tid": None}, "tenant"),
    "another issuer": (
        {"iss": "https://sts.windows.net/other/"},
        "issued by 'https://sts.windows.net/other/'",
    ),
    "no client": ({"appid": None}, "application"),
    "an unknown client": ({"appid": str(uuid.UUID(int=1))}, "application"),
    "permissions of no kind": ({"scp": 5}, "permissions"),
}


@pytest.mark.parametrize(("claims", "words"), CLAIMS.values(), ids=CLAIMS)
async def test_wrong_claims_are_refused(graph: GraphClient, claims: dict[str, Any], words: str) -> None:
    """Also when the signature is right."""
    await check_refused(graph, graph.token("User.Read", **claims), words)


async def test_tokens_of_unknown_tenants_are_refused(graph: GraphClient) -> None:
    """The emulator signs for any tenant, but Graph knows those of the directory."""
    await check_refused(graph, graph.token("User.Read", tenant=str(uuid.UUID(int=1))), "tenant")


async def test_keys_that_are_no_longer_published_count_no_more(graph: GraphClient) -> None:
    """A rotation with overlap keeps tokens good, one without does not."""
    token = graph.token("User.Read")
    graph.emulator.rotate_keys()
    assert (await graph.get("/v1.0/me", token=token)).status_code == 200
    graph.emulator.retire_keys()
    await check_refused(graph, token, "not signed")


@pytest.mark.parametrize(
    "headers",
    [[], [("Authorization", "Bearer ")], [("Authorization", "Basic eDp5")], [("Authorization", "Bearer")]],
)
async def test_who_says_nothing_is_told_how(graph: GraphClient, headers: list[tuple[str, str]]) -> None:
    """A bearer token in the header is the only way in."""
    answer = await graph.http.get("/v1.0/me", headers=headers)
    assert "Authorization: Bearer" in check_error(answer, 401, "InvalidAuthenticationToken")


async def test_two_tokens_are_none(graph: GraphClient) -> None:
    """It must be clear who asks."""
    bearer = ("Authorization", f"Bearer {graph.token('User.Read')}")
    answer = await graph.http.get("/v1.0/me", headers=[bearer, bearer])
    assert "more than one" in check_error(answer, 401, "InvalidAuthenticationToken")


# Around it all


async def test_the_callers_id_comes_back(graph: GraphClient) -> None:
    """An ID that is no GUID does not; then Graph's own ID stands for both."""
    request_id = str(uuid.uuid4())
    answer = await graph.get("/v1.0/me", "User.Read", headers={"client-request-id": request_id})
    assert answer.headers["client-request-id"] == request_id != answer.headers["request-id"]
    answer = await graph.get("/v1.0/me", "User.Read", headers={"client-request-id": "x"})
    assert answer.headers["client-request-id"] == answer.headers["request-id"]


async def test_pages_of_other_sites_may_ask(graph: GraphClient) -> None:
    """Single-page applications call Graph from the browser, which asks before."""
    wanted = {"Origin": "http://localhost:8000", "Access-Control-Request-Headers": "authorization"}
    answer = await graph.http.options("/v1.0/me", headers=wanted)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-allow-methods"] == "GET"
    assert answer.headers["access-control-allow-headers"] == "authorization"


async def test_functions_take_post_and_objects_take_get(graph: GraphClient) -> None:
    """Another method is named with the right one."""
    answer = await graph.get("/v1.0/me/getMemberObjects", "User.Read")
    assert "takes POST, not GET" in check_error(answer, 405, "Request_BadRequest")


async def test_the_rest_of_graph_is_not_there(graph: GraphClient) -> None:
    """A path that the emulator does not have says so, in Graph's form."""
    answer = await graph.get("/v1.0/me/messages", "User.Read")
    assert "GET /v1.0/me/messages is no part of the emulator" in check_error(answer, 400, "BadRequest")
    assert (await graph.get("/beta/me", "User.Read")).status_code == 404


async def test_two_tenants_do_not_mix(graph: GraphClient) -> None:
    """A token opens the directory of its own tenant alone."""
    changes = {"tenant": "fabrikam.onmicrosoft.com", "app_only": True}
    assert (await graph.get(f"/v1.0/users/{ADA}", "Directory.Read.All", **changes)).status_code == 404
    answer = await graph.get("/v1.0/users/gabi@fabrikam.example", "Directory.Read.All", **changes)
    assert answer.json()["displayName"] == "Gabi Guest"


def test_the_default_directory_is_what_these_tests_think(emulator: EntraEmulator) -> None:
    """A change of the default directory is seen here first."""
    assert emulator.directory == Directory.default()
    assert emulator.tenant.user(ADA)
