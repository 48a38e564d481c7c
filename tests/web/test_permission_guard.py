"""``require`` in an application: overrides in tests, one look-up for a request, the OpenAPI document."""

from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, FastAPI, Query, Request, Security
from fastapi.testclient import TestClient

from camunda_entra_fastapi import CamundaEntra, EntraUser
from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.validation.keys import SigningKey
from tests.web.conftest import bearer

Users = dict[str, Any]


@pytest.fixture
def guarded(entra: CamundaEntra) -> FastAPI:
    """Routes behind a role, one of them with the user, too, and one with a scope beside the role."""
    app = FastAPI(lifespan=entra.lifespan)
    admin = entra.require(roles=["Operate.Admin"])

    @app.get("/role")
    async def role(user: Annotated[EntraUser, Depends(admin)]) -> str | None:
        return user.name

    @app.get("/both", dependencies=[Depends(admin)])
    async def both(user: Annotated[EntraUser, Depends(entra.current_user)]) -> str | None:
        return user.name

    @app.get("/scope")
    async def scope(user: Annotated[EntraUser, Security(admin, scopes=["Incidents.Read"])]) -> str | None:
        return user.name

    return app


@pytest.fixture
def client(guarded: FastAPI) -> Iterator[TestClient]:
    """A client of the application, whose lifespan runs."""
    with TestClient(guarded) as client:
        yield client


def user_with(*roles: str, name: str = "Fake") -> EntraUser:
    """A user of a test, who has the roles."""
    claims = {"aud": "a", "iss": "i", "sub": "s", "iat": 1, "nbf": 1, "exp": 2, "azp": "c"}
    return EntraUser.from_claims(claims | {"name": name, "roles": list(roles)}, "none")


@pytest.mark.parametrize(("roles", "status"), [((), 403), (("Operate.Admin",), 200)])
def test_the_overriding_user_is_checked(
    guarded: FastAPI, client: TestClient, entra: CamundaEntra, roles: tuple[str, ...], status: int
) -> None:
    """A test says who is there; what that user may do is decided as ever."""
    guarded.dependency_overrides[entra.current_user] = lambda: user_with(*roles)
    assert [client.get(path).status_code for path in ("/role", "/both")] == [status, status]


def test_an_override_may_depend_on_something_itself(
    guarded: FastAPI, client: TestClient, entra: CamundaEntra
) -> None:
    """It is a dependency like any other: asynchronous, with parameters, and cleaned up after the answer."""
    events = []

    async def name_of(request: Request) -> str:
        return request.headers["x-name"]

    async def fake(
        name: Annotated[str, Depends(name_of)], role: Annotated[str, Query(min_length=2)]
    ) -> AsyncIterator[EntraUser]:
        events.append("opened")
        yield user_with(role, name=name)
        events.append("closed")

    guarded.dependency_overrides[entra.current_user] = fake
    answer = client.get("/role?role=Operate.Admin", headers={"X-Name": "Ada"})
    assert (answer.json(), events) == ("Ada", ["opened", "closed"])
    assert client.get("/role?role=A", headers={"X-Name": "Ada"}).status_code == 422


def test_an_override_may_have_parameters_of_the_path(
    guarded: FastAPI, client: TestClient, entra: CamundaEntra
) -> None:
    """They are those of the route and of where it is included, as in any other dependency."""
    router = APIRouter(prefix="/of", dependencies=[Depends(entra.require(roles=["Operate.Admin"]))])
    router.get("/{number}")(lambda: None)
    guarded.include_router(router, prefix="/{tenant}")

    def fake(tenant: str, number: int) -> EntraUser:
        return user_with("Operate.Admin" if (tenant, number) == ("ours", 1) else "None")

    guarded.dependency_overrides[entra.current_user] = fake
    assert [client.get(f"/{path}").status_code for path in ("ours/of/1", "theirs/of/1", "ours/of/x")] == [
        200,
        403,
        422,
    ]


def test_other_overrides_leave_it_alone(
    guarded: FastAPI, client: TestClient, emulator: EntraEmulator
) -> None:
    """An application under test that replaces its database still asks for tokens."""
    guarded.dependency_overrides[user_with] = lambda: None
    assert client.get("/role").status_code == 401
    token = emulator.token(roles=["Operate.Admin"])
    assert client.get("/role", headers=bearer(token)).status_code == 200


def test_scopes_asked_beside_it_count(client: TestClient, emulator: EntraEmulator) -> None:
    """``Security(require(…), scopes=[…])`` needs both, as FastAPI documents for every security scheme."""
    scopes = ("Incidents.Read", "access_as_user")
    with_scope, without = (emulator.token(roles=["Operate.Admin"], scp=scope) for scope in scopes)
    assert client.get("/scope", headers=bearer(with_scope)).status_code == 200
    assert client.get("/scope", headers=bearer(without)).json()["detail"]["code"] == "scope_missing"


def test_a_request_is_authenticated_once(
    client: TestClient,
    emulator: EntraEmulator,
    verified: list[SigningKey],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Who guards a route and who asks for its user get the same one, also where nothing is cached."""
    monkeypatch.setattr("camunda_entra_fastapi.validation.token_cache.TokenCache.get", lambda *_: None)
    assert client.get("/both", headers=bearer(emulator.token(roles=["Operate.Admin"]))).status_code == 200
    assert len(verified) == 1


def test_it_is_documented_as_the_scheme(client: TestClient) -> None:
    """Swagger UI sends a token to a route behind a role as to any other."""
    document = client.get("/openapi.json").json()
    operations = {path: item["get"]["security"] for path, item in document["paths"].items()}
    assert operations["/role"] == [{"Entra": []}]
    assert operations["/scope"] == [{"Entra": ["Incidents.Read"]}]
    assert list(document["components"]["securitySchemes"]) == ["Entra"]
