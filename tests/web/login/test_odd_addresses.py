"""People come back to the very address that they asked for, and nobody is led elsewhere by one."""

from collections.abc import Callable
from typing import Annotated
from urllib.parse import quote

import httpx
import pytest
from fastapi import Depends, FastAPI
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from camunda_entra_fastapi import EntraUser
from camunda_entra_fastapi.testing import EntraEmulator
from tests.odd_addresses import LEADING_HOME, ODD
from tests.site import ADA, HOME, MakeSite, Site, query_of, register

CALLBACK = "/auth/login-callback"


def guarded_tree(site: Site) -> None:
    """A route for all addresses below /x, and one for the rest."""

    @site.app.get("/x/{path:path}")
    @site.app.get("/{path:path}")
    async def tree(user: Annotated[EntraUser, Depends(site.entra.current_user)]) -> Response:
        return Response(user.name)


async def signed_in_from(site: Site, login: httpx.Response) -> str:
    """Where the callback of a sign-in leads that begins with this redirect."""
    browser = site.browser()
    answer = await browser.open(login.headers["location"])
    answer = await browser.open(await browser.at_entra(answer.headers["location"], ADA))
    return str(answer.headers["location"])


def spelled_stripping(prefix: str) -> Callable[[FastAPI], ASGIApp]:
    """A proxy that takes the prefix away from the path as it was spelled, and nothing else."""

    def proxy(app: FastAPI) -> ASGIApp:
        async def forward(scope: Scope, receive: Receive, send: Send) -> None:
            path = scope["path"].removeprefix(prefix)
            raw_path = scope["raw_path"].removeprefix(prefix.encode())
            await app({**scope, "path": path, "raw_path": raw_path}, receive, send)

        return forward

    return proxy


@pytest.mark.parametrize("prefix", ["", "/outer"])
async def test_odd_addresses_come_back_as_they_were(
    make_site: MakeSite, emulator: EntraEmulator, prefix: str
) -> None:
    """By way of Entra, to the letter; also where browsers see a prefix that the service does not."""
    register(emulator, f"{HOME}{prefix}{CALLBACK}")
    options = {"base_url": HOME + prefix, "entrance": spelled_stripping(prefix)} if prefix else {}
    site = make_site(**options)
    guarded_tree(site)
    browser = site.browser()
    for address in ODD:
        answer = await browser.sign_in(prefix + address)
        assert answer.headers["location"] == prefix + address
        assert (await browser.open(prefix + address)).text == "Ada Admin"
        browser.http.cookies.clear()


@pytest.mark.parametrize("address", LEADING_HOME)
async def test_addresses_that_lead_elsewhere_lead_home(site: Site, address: str) -> None:
    """The judge sees them as they were spelled, and decoded."""
    guarded_tree(site)
    login = await site.browser().open(HOME + address)
    assert await signed_in_from(site, login) == "/"


@pytest.mark.parametrize("address", ["/x/a%2Fb", "/x/%2541?q=1"])
async def test_a_refused_persons_page_and_htmx_lead_to_the_address_as_it_was(
    site: Site, address: str
) -> None:
    """The links of a page for people, and the login page that htmx is led to."""
    guarded_tree(site)
    http = site.browser().http
    page = {"HX-Request": "true", "HX-Current-URL": HOME + address}
    answer = await http.get("/x/part", headers=page)
    assert query_of(answer.headers["hx-redirect"]) == {"return_to": address}
    answer = await http.get(address, headers=page | {"HX-Boosted": "true"})
    assert query_of(answer.headers["hx-redirect"]) == {"return_to": address}
    worker = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Accept": "text/html,*/*"}
    answer = await http.get(address, headers=worker)
    assert answer.status_code == 401
    assert f"return_to={quote(address)}" in answer.text
