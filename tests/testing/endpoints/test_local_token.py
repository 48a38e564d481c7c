"""Tokens without a sign-in: for programs on this machine that know a registered client's credential."""

from dataclasses import replace
from typing import Any

import httpx2
import pytest

from camunda_entra_fastapi.testing import Application, Directory, EntraEmulator, Tenant, User
from camunda_entra_fastapi.testing.directory import BILLING, CONTOSO, OPERATE, UNRELATED
from tests.conftest import FakeClock
from tests.testing.conftest import SECRET
from tests.testing.endpoints.test_token_endpoint import GRAPH, claims_of


async def ask(emulator: EntraEmulator, tenant: str = CONTOSO, **form: Any) -> httpx2.Response:
    """A request of Operate; None leaves a field out."""
    fields = {"client_id": OPERATE, "client_secret": SECRET} | form
    async with emulator.http_client() as http:
        data = {name: value for name, value in fields.items() if value is not None}
        return await http.post(f"/{tenant}/local/token", data=data)


async def claims(emulator: EntraEmulator, verified_for: str = OPERATE, **form: Any) -> dict[str, Any]:
    """The claims of the token."""
    response = await ask(emulator, **form)
    assert response.status_code == 200, response.text
    assert response.headers["cache-control"] == "no-store, no-cache"
    return claims_of(emulator, response.json()["access_token"], verified_for)


async def refusal(emulator: EntraEmulator, **form: Any) -> str:
    """The words of a refusal, and that its record has them."""
    response = await ask(emulator, **form)
    assert response.status_code == 400, response.text
    words = str(response.json()["error_description"]).splitlines()[0]
    assert emulator.requests[-1].error == words
    assert emulator.requests[-1].did == "local token"
    return words


async def test_a_person_has_what_the_directory_says(emulator: EntraEmulator, clock: FakeClock) -> None:
    """By default the first one, with all scopes of the API, as a token of a sign-in has them."""
    found = await claims(emulator)
    assert (found["name"], found["scp"]) == ("Ben Reader", "access_as_user Incidents.Read")
    assert (found["azp"], found["azpacr"], found["ver"]) == (OPERATE, "1", "2.0")
    assert "roles" not in found
    assert found["exp"] == clock.now + 3600
    assert (await claims(emulator, user="ADA"))["roles"] == ["Operate.Admin"]
    assert (emulator.requests[-1].client, emulator.requests[-1].user) == ("Operate", "Ada Admin")


async def test_roles_scopes_and_lifetime_are_as_wished(emulator: EntraEmulator, clock: FakeClock) -> None:
    """Also those that no registration has, for routes that are written before they are registered."""
    found = await claims(
        emulator, roles="Orders.Admin Orders.Clerk", scope=f"api://{OPERATE}/Orders.Read x", lifetime="60"
    )
    assert found["roles"] == ["Orders.Admin", "Orders.Clerk"]
    assert found["scp"] == "Orders.Read x"
    assert found["exp"] == clock.now + 60
    assert (await claims(emulator, scope=f"{OPERATE}/.default"))["scp"] == "access_as_user Incidents.Read"
    expired = await claims(emulator, lifetime="-600")
    assert (expired["exp"], expired["iat"]) == (clock.now - 600, clock.now - 4500)


async def test_another_audience_is_all_that_is_different(emulator: EntraEmulator) -> None:
    """By client ID, App ID URI or name; any other text is what stands in the token."""
    for name in (UNRELATED, f"api://{UNRELATED}", "unrelated api"):
        found = await claims(emulator, UNRELATED, audience=name)
        assert (found["aud"], found["ver"]) == (UNRELATED, "2.0")
    assert (await claims(emulator, "Nobody", audience="Nobody"))["scp"] == "access_as_user Incidents.Read"
    token = (await ask(emulator, audience="https://graph.microsoft.com")).json()["access_token"]
    with pytest.raises(Exception, match="Signature verification failed"):  # Graph alone can verify it
        claims_of(emulator, token, GRAPH)


async def test_an_application_has_its_granted_roles(emulator: EntraEmulator) -> None:
    """By default the one that has a role of the API; without one, whoever asks."""
    for form in ({}, {"application": "bill"}):
        found = await claims(emulator, app="true", **form)
        assert (found["azp"], found["roles"]) == (BILLING, ["Incidents.Read.All"])
        assert not {"scp", "name"} & found.keys()
    assert (await claims(emulator, app="true", application="operate"))["azp"] == OPERATE
    home = emulator.directory.tenants[0]
    alone = replace(home, applications=(replace(home.applications[0]),))
    emulator.directory = emulator.directory.with_tenant(alone)
    assert (await claims(emulator, app="true", roles="Jobs.Run"))["azp"] == OPERATE


async def test_a_registration_for_several_tenants_has_people_of_all(emulator: EntraEmulator) -> None:
    """A token is of the tenant of whoever it is about."""
    home = emulator.directory.tenants[0]
    shared = replace(home.applications[0], sign_in_audience="AzureADMultipleOrgs")
    emulator.directory = emulator.directory.with_tenant(replace(home, applications=(shared,)))
    found = await claims(emulator, tenant="organizations", user="gabi")
    assert found["iss"].endswith(f"{found['tid']}/v2.0")
    assert found["tid"] != CONTOSO


@pytest.mark.parametrize(
    ("form", "words"),
    [
        (
            {"user": "bne"},
            "There is no person 'bne'. Did you mean ben? There are: Ben Reader, Ada Admin, Gabi",
        ),
        ({"app": "true", "application": "x"}, "There is no application 'x'. There are: Operate, Billing job"),
        ({"app": "true", "scope": "x"}, "An application's own token has roles and no scopes."),
        ({"lifetime": "0"}, "The lifetime must be a number of seconds from 1 to 86400"),
        ({"lifetime": "86401"}, "The lifetime must be"),
        ({"lifetime": "soon"}, "The lifetime must be"),
        ({"client_secret": "x"}, "AADSTS7000215: "),
        ({"client_secret": None}, "AADSTS7000218: "),
        ({"client_id": CONTOSO}, "AADSTS700016: "),
        ({"tenant": "nowhere.example"}, "AADSTS90002: "),
    ],
)
async def test_what_cannot_be_is_refused_in_words(
    emulator: EntraEmulator, form: dict[str, Any], words: str
) -> None:
    """Who there is, is in them; a credential is demanded as at the token endpoint."""
    response = await ask(emulator, **form)
    assert response.status_code in (400, 401)
    assert response.json()["error_description"].startswith(words)
    assert emulator.requests[-1].error.startswith(words)
    assert emulator.requests[-1].did == "local token"


async def test_accounts_that_cannot_sign_in_get_none(emulator: EntraEmulator) -> None:
    """As at Entra: disabled ones, and those that an application does not admit."""
    app = Application(OPERATE, "Operate", secrets=(SECRET,), assignment_required=True)
    users = (User("off@x.example", enabled=False), User("on@x.example"))
    emulator.directory = Directory((Tenant(CONTOSO, "One", "x.example", users=users, applications=(app,)),))
    assert (await refusal(emulator, user="off")).startswith("AADSTS50057")
    assert (await refusal(emulator, user="on")).startswith("AADSTS50105")
    nobody = Tenant(CONTOSO, "One", "x.example", applications=(app,))
    emulator.directory = Directory((nobody,))
    assert await refusal(emulator) == "There is nobody in 'One'. Add people to the directory."


@pytest.mark.parametrize(
    ("client", "server", "allowed"),
    [
        (("127.0.0.1", 5), ("127.0.0.1", 8400), True),
        (("::1", 5), ("::1", 8400), True),
        (("::ffff:127.0.0.1", 5), ("::", 8400), True),
        (("172.17.0.2", 5), ("172.17.0.2", 8400), True),
        (("172.17.0.1", 5), ("172.17.0.2", 8400), False),
        (("192.0.2.1", 5), None, False),
        (("a name", 5), ("127.0.0.1", 8400), False),
        (None, ("127.0.0.1", 8400), False),
    ],
)
async def test_only_this_machine_is_served(
    emulator: EntraEmulator, client: Any, server: Any, *, allowed: bool
) -> None:
    """A loopback address, or a container that calls itself; neither the network nor a container's host."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await emulator({**scope, "client": client, "server": server}, receive, send)

    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://x") as http:
        form = {"client_id": OPERATE, "client_secret": SECRET}
        response = await http.post(f"/{CONTOSO}/local/token", data=form)
    assert response.status_code == (200 if allowed else 403)
    if not allowed:
        assert "on the local Entra's own machine alone" in response.json()["error_description"]


@pytest.mark.parametrize("header", ["Origin", "X-Forwarded-For", "Forwarded"])
async def test_neither_proxies_nor_pages_are_served(emulator: EntraEmulator, header: str) -> None:
    """A page that somebody opened must not fetch tokens, whatever its host's name resolves to."""
    async with emulator.http_client() as http:
        form = {"client_id": OPERATE, "client_secret": SECRET}
        response = await http.post(f"/{CONTOSO}/local/token", data=form, headers={header: "http://x"})
    assert response.status_code == 403
