"""Scopes by their full name, in every place where one can be required."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, FastAPI, Security, WebSocket
from fastapi.testclient import TestClient

from camunda_entra_fastapi import CamundaEntra, EntraUser
from camunda_entra_fastapi.testing import EntraEmulator
from tests.web.conftest import bearer

FULL = "api://operate/Incidents.Read"
REMEDY = r"In scp, names have no prefix: write 'Incidents\.Read'\."


@pytest.mark.parametrize("scope", [FULL, "offline_access"])
def test_dependencies_refuse_them_at_once(entra: CamundaEntra, scope: str) -> None:
    """The developer sees it when the module is imported."""
    for require in (entra.require, entra.require_any, entra.forward_auth_router):
        with pytest.raises(ValueError, match="is in no token"):
            require(scopes=["access_as_user", scope])


def at_route(app: FastAPI, entra: CamundaEntra) -> None:
    """On a route of its own."""

    @app.get("/scoped", dependencies=[Security(entra.current_user, scopes=[FULL])])
    async def scoped() -> None: ...


def at_parameter(app: FastAPI, entra: CamundaEntra) -> None:
    """On a dependency of a dependency."""

    def whoever(user: Annotated[EntraUser, Security(entra.bearer)]) -> EntraUser:
        return user

    @app.get("/scoped")
    async def scoped(user: Annotated[EntraUser, Security(whoever, scopes=[FULL])]) -> None: ...


def at_requirement(app: FastAPI, entra: CamundaEntra) -> None:
    """Beside a role."""

    @app.get("/scoped", dependencies=[Security(entra.require(roles=["Operate.Admin"]), scopes=[FULL])])
    async def scoped() -> None: ...


def at_router(app: FastAPI, entra: CamundaEntra) -> None:
    """On the route of a router, which is included."""
    router = APIRouter()

    @router.get("/scoped", dependencies=[Security(entra.optional_user, scopes=[FULL])])
    async def scoped() -> None: ...

    app.include_router(router)


def at_mount(app: FastAPI, entra: CamundaEntra) -> None:
    """In a mounted application."""
    mounted = FastAPI()
    at_route(mounted, entra)
    app.mount("/mounted", mounted)


def at_websocket(app: FastAPI, entra: CamundaEntra) -> None:
    """On a WebSocket."""

    @app.websocket("/scoped")
    async def scoped(
        websocket: WebSocket, user: Annotated[EntraUser, Security(entra.current_user, scopes=[FULL])]
    ) -> None: ...


@pytest.mark.parametrize("add", [at_route, at_parameter, at_requirement, at_router, at_mount, at_websocket])
async def test_routes_refuse_them_at_start(
    entra: CamundaEntra, add: Callable[[FastAPI, CamundaEntra], None]
) -> None:
    """No request has to fail first; the message names the route."""
    app = FastAPI()
    add(app, entra)
    with pytest.raises(ValueError, match=f"^/scoped: .*{REMEDY}"):
        async with entra.lifespan(app):
            pass


class SomebodyElses:
    """An application that has something else by that name."""

    def routes(self) -> None: ...

    async def __call__(self, scope: object, receive: object, send: object) -> None: ...


def test_routes_with_right_scopes_start(app: FastAPI) -> None:
    """And so do those of somebody else's schemes, whatever their scopes are."""

    def somebody_elses() -> None: ...

    app.get("/other", dependencies=[Security(somebody_elses, scopes=[FULL])])(lambda: None)
    app.mount("/else", SomebodyElses())
    with TestClient(app) as client:
        assert client.get("/other").status_code == 200


def included(app: FastAPI, entra: CamundaEntra) -> None:
    """A dependency of an included router."""
    router = APIRouter()
    router.add_api_route("/scoped", lambda: None)
    app.include_router(router, dependencies=[Security(entra.current_user, scopes=[FULL])])


@pytest.mark.parametrize("add", [included, at_route])
def test_what_nobody_looked_at_is_refused_with_the_first_request(
    entra: CamundaEntra, emulator: EntraEmulator, add: Callable[[FastAPI, CamundaEntra], None]
) -> None:
    """A mistake in the code is no 403 of the client's, and nobody gets in by it."""

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        async with entra.lifespan():
            yield

    app = FastAPI(lifespan=lifespan)
    add(app, entra)
    with TestClient(app) as client:
        assert client.get("/scoped").status_code == 401
        with pytest.raises(ValueError, match=REMEDY):
            client.get("/scoped", headers=bearer(emulator.token(scopes=["Incidents.Read"])))


@pytest.mark.parametrize("name", ["scope", "any_scope"])
def test_gateways_are_told_too(entra: CamundaEntra, emulator: EntraEmulator, name: str) -> None:
    """As a name that is misspelled, it is a mistake in the gateway's configuration: 400 for everybody."""
    app = FastAPI(lifespan=entra.lifespan)
    app.include_router(entra.forward_auth_router())
    with TestClient(app) as client:
        for headers in ({}, bearer(emulator.token(scopes=["Incidents.Read"], roles=["A"]))):
            answer = client.get("/auth/verify", params={name: FULL, "any_role": "A"}, headers=headers)
            detail = answer.json()["detail"]
            assert (answer.status_code, detail["code"]) == (400, "verify_request_invalid")
            assert "write 'Incidents.Read'" in detail["message"]
        right = client.get("/auth/verify", params={name: "Incidents.Read"}, headers=headers)
        assert right.status_code == 200
