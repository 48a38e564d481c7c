"""Signing in, in the OpenAPI document and Swagger UI."""

import json
import re

import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient

from camunda_entra_fastapi import CamundaEntra
from camunda_entra_fastapi.testing import EntraEmulator


def test_the_scheme_is_an_authorization_code_flow_of_the_issuer(
    app: FastAPI, entra: CamundaEntra, emulator: EntraEmulator
) -> None:
    """Its URLs come from the settings: nothing is asked over the network."""
    (scheme,) = app.openapi()["components"]["securitySchemes"].values()
    flow = scheme["flows"]["authorizationCode"]
    base = entra.settings.issuer.removesuffix("/v2.0")
    assert flow["authorizationUrl"] == f"{base}/oauth2/v2.0/authorize"
    assert flow["tokenUrl"] == f"{base}/oauth2/v2.0/token"
    assert set(flow["scopes"]) == {f"{entra.settings.client_id}/.default"}
    assert not list(emulator.requests)


def test_scopes_of_routes_are_shown(app: FastAPI) -> None:
    """The scopes of ``Security`` and ``require`` are at the operation."""
    paths = app.openapi()["paths"]
    assert paths["/scoped"]["get"]["security"] == [{"Entra": ["Incidents.Read", "access_as_user"]}]
    assert paths["/all"]["get"]["security"] == [{"Entra": ["Incidents.Read"]}]
    assert paths["/me"]["get"]["security"] == [{"Entra": []}]


def test_install_documents_refusals_on_protected_operations_only(app: FastAPI, entra: CamundaEntra) -> None:
    """401 and 403 are shown where they can happen, unless the route shows its own."""

    @app.get("/open")
    async def open_to_all() -> None: ...

    @app.get(
        "/own",
        dependencies=[Depends(entra.current_user)],
        responses={403: {"description": "Only on Mondays"}},
    )
    async def own() -> None: ...

    entra.install(app)
    for _ in range(2):
        paths = app.openapi()["paths"]
        assert {"401", "403"} <= paths["/me"]["get"]["responses"].keys()
        assert not {"401", "403"} & paths["/open"]["get"]["responses"].keys()
        assert paths["/own"]["get"]["responses"]["403"]["description"] == "Only on Mondays"
        assert "401" in paths["/own"]["get"]["responses"]


def test_documented_refusals_have_the_real_shape(app: FastAPI, entra: CamundaEntra) -> None:
    """The schema names exactly the members that a refusal has."""
    entra.install(app)
    response = app.openapi()["paths"]["/me"]["get"]["responses"]["401"]
    detail = response["content"]["application/json"]["schema"]["properties"]["detail"]
    with TestClient(app) as client:
        refusal = client.get("/me").json()["detail"]
    assert set(refusal) == set(detail["properties"]) == set(detail["required"])


def test_install_fills_swagger_ui_in(app: FastAPI, entra: CamundaEntra) -> None:
    """Client ID, scopes and PKCE are there; nothing is typed."""
    entra.install(app)
    with TestClient(app) as client:
        page = client.get("/docs").text
    found = re.search(r"ui\.initOAuth\((\{.*?\})\)", page, re.DOTALL)
    assert found
    assert json.loads(found[1]) == {
        "clientId": entra.settings.client_id,
        "scopes": f"{entra.settings.client_id}/.default",
        "usePkceWithAuthorizationCodeGrant": True,
    }


@pytest.mark.parametrize("own", [{"clientId": "mine"}, {"appName": "Operate"}])
def test_what_the_application_set_itself_stays(entra: CamundaEntra, own: dict[str, str]) -> None:
    """An application may sign its Swagger UI in with another client, or add to what is filled in."""
    app = FastAPI(swagger_ui_init_oauth=own)
    entra.install(app)
    assert app.swagger_ui_init_oauth is not None
    assert own.items() <= app.swagger_ui_init_oauth.items()
    assert app.swagger_ui_init_oauth["usePkceWithAuthorizationCodeGrant"] is True


def test_operations_that_path_items_share_are_left_alone(entra: CamundaEntra) -> None:
    """Members of a path that are no operations do not disturb."""
    document = {"paths": {"/x": {"summary": "An external one", "parameters": []}}}
    app = FastAPI()
    app.openapi = lambda: document  # type: ignore[method-assign]
    entra.install(app)
    assert app.openapi() == {"paths": {"/x": {"summary": "An external one", "parameters": []}}}
