"""What was registered is good for what it is for: people sign in with it, and their tokens are accepted."""

from collections.abc import Callable
from typing import Annotated

import httpx
import pytest
from fastapi import Depends, FastAPI
from starlette.responses import PlainTextResponse

from camunda_entra_fastapi import CamundaEntra, EntraSettings, EntraUser
from camunda_entra_fastapi.cli.register.desired import GRAPH_PERMISSIONS
from camunda_entra_fastapi.testing import EntraEmulator
from tests.cli.conftest import Ran
from tests.cli.register.conftest import BASE, variables_in
from tests.site import Browser


async def test_people_sign_in_with_the_printed_variables(
    register: Callable[..., Ran], emulator: EntraEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No consent is asked for any more, and the access token is one of version 2.0 for the client ID."""
    variables = variables_in(register("Operate 2", "--base-url", BASE, "--yes").output)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    async with httpx.AsyncClient(trust_env=False) as wire:
        entra = CamundaEntra(EntraSettings(), http_client=wire)
        app = FastAPI()
        entra.install(app)
        current_user = Annotated[EntraUser, Depends(entra.current_user)]

        @app.get("/token")
        async def token(user: current_user) -> PlainTextResponse:
            return PlainTextResponse(user.access_token)

        @app.get("/me")
        async def me(user: current_user) -> dict[str, object]:
            return {
                "name": user.name,
                "scopes": user.scopes,
                "aud": user.claims["aud"],
                "ver": user.claims["ver"],
            }

        async with (
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as http,
            httpx.AsyncClient(trust_env=False) as at_entra,
        ):
            browser = await Browser(http, at_entra).signed_in("/token", "Ben Reader")
            bearer = (await browser.open("/token")).text
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as program:
                answer = await program.get("/me", headers={"Authorization": f"Bearer {bearer}"})
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "name": "Ben Reader",
        "scopes": ["access_as_user"],
        "aud": variables["CAMUNDA_IDENTITY_CLIENT_ID"],
        "ver": "2.0",
    }


def test_signing_in_asks_for_nothing_that_is_not_registered() -> None:
    """The default scopes of OpenID Connect are among the permissions that ``register`` lists and grants."""
    settings = EntraEmulator().settings()
    of_graph = {scope for scope in settings.scopes if not scope.endswith("/.default")}
    assert of_graph == {"openid", "profile", "email", "offline_access"}
    assert of_graph <= set(GRAPH_PERMISSIONS)
