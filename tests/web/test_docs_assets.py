"""Swagger UI and ReDoc where no CDN can be reached, and where none of their files are installed."""

import re
from importlib.machinery import ModuleSpec
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest
from fastapi import FastAPI

from camunda_entra_fastapi import CamundaEntra
from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.web import docs_assets
from tests.site import MakeSite


def client_of(app: Any, root_path: str = "") -> httpx.AsyncClient:
    """Somebody who reads pages of the application."""
    transport = httpx.ASGITransport(app, root_path=root_path)
    return httpx.AsyncClient(transport=transport, base_url="http://orders.example")


def addresses_in(html: str) -> list[str]:
    """What the page loads, as it stands there."""
    return re.findall(r'(?:src|href)="([^"]*)"', html)


def installed(emulator: EntraEmulator, app: FastAPI | None = None, **install: Any) -> FastAPI:
    """An application with the docs pages that this package gives it."""
    app = app or FastAPI(title="Orders")
    CamundaEntra(emulator.settings(), http_client=emulator.http_client()).install(app, **install)
    return app


@pytest.mark.parametrize(
    ("app", "pages"),
    [
        (FastAPI(), ("/docs", "/redoc")),
        (FastAPI(docs_url="/", redoc_url="/about/api/"), ("/", "/about/api/")),
        (FastAPI(docs_url=None), ("/redoc",)),
    ],
)
async def test_all_that_the_pages_load_comes_from_this_service(
    emulator: EntraEmulator, app: FastAPI, pages: tuple[str, ...]
) -> None:
    """Nothing from elsewhere, and every address of the page answers with a file of its kind."""
    async with client_of(installed(emulator, app)) as client:
        for page in pages:
            loaded = addresses_in((await client.get(page)).text)
            assert len(loaded) >= 2
            for address in loaded:
                answer = await client.get(urljoin(f"http://orders.example{page}", address))
                assert answer.status_code == 200, address
                assert answer.headers["x-content-type-options"] == "nosniff"
                assert answer.headers["cache-control"] == "public, max-age=3600"
                kind = {"js": "text/javascript", "css": "text/css", "png": "image/png"}
                assert answer.headers["content-type"].startswith(kind[address.rpartition(".")[2]])


@pytest.mark.parametrize("prefix", ["/orders", "/a/b"])
async def test_a_proxy_s_prefix_is_before_the_files_as_before_the_page(
    emulator: EntraEmulator, prefix: str
) -> None:
    """Whether the proxy tells it or not: addresses are relative to the page."""
    app = installed(emulator)
    for root_path in ("", prefix):
        async with client_of(app, root_path) as client:
            for page in ("/docs", "/redoc"):
                for address in addresses_in((await client.get(page)).text):
                    public = urljoin(f"http://orders.example{prefix}{page}", address)
                    assert public.startswith(f"http://orders.example{prefix}{page}/")


async def test_a_mounted_application_has_its_files_below_the_mount(emulator: EntraEmulator) -> None:
    """Like all of its routes."""
    outer = FastAPI()
    outer.mount("/orders", installed(emulator))
    async with client_of(outer) as client:
        for address in addresses_in((await client.get("/orders/docs")).text):
            answer = await client.get(urljoin("http://orders.example/orders/docs", address))
            assert answer.status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/docs/core.py",
        "/docs/../core.py",
        "/docs/..%2fcore.py",
        "/docs/%2e%2e/core.py",
        "/docs/swagger-ui.css/../../core.py",
        "/docs/",
        "/docs/redoc.standalone.js",
    ],
)
async def test_nothing_else_of_that_package_is_served(emulator: EntraEmulator, path: str) -> None:
    """The names of the files are fixed, so that no path leads out of the folder."""
    async with client_of(installed(emulator)) as client:
        answer = await client.get(httpx.URL("http://orders.example", raw_path=path.encode()))
        assert answer.status_code in {307, 404}


async def test_protected_pages_stay_protected(make_site: MakeSite) -> None:
    """The page needs a sign-in; the files are public ones, and tell nothing of the service."""
    site = make_site(install={"protect_docs": True})
    browser = site.browser()
    assert (await browser.open("/docs")).status_code == 302
    assert (await browser.open("/docs/swagger-ui.css")).status_code == 200
    page = await (await site.browser().signed_in()).open("/docs")
    assert page.headers["cache-control"] == "no-store"
    assert 'src="docs/swagger-ui-bundle.js"' in page.text


@pytest.mark.parametrize(
    ("folder", "prefix", "address"),
    [
        ("/static/docs", "", "/static/docs/swagger-ui.css"),
        ("/static/docs/", "/a&b", "/a&amp;b/static/docs/swagger-ui.css"),
        ("https://files.example/ui", "/a", "https://files.example/ui/swagger-ui.css"),
    ],
)
async def test_a_folder_of_ones_own(emulator: EntraEmulator, folder: str, prefix: str, address: str) -> None:
    """Of this site or another one; its files are none of ours to serve."""
    async with client_of(installed(emulator, docs_assets=folder), prefix) as client:
        page = (await client.get("/docs")).text
        assert f'href="{address}"' in page
        assert "cdn." not in page
        assert (await client.get("/docs/swagger-ui.css")).status_code == 404


@pytest.mark.parametrize("folder", ["", "static/docs", "//evil.example", "javascript:alert(1)", "on"])
def test_anything_else_is_a_mistake(emulator: EntraEmulator, folder: str) -> None:
    """At start, with the values there are."""
    with pytest.raises(ValueError, match="docs_assets is 'auto'"):
        installed(emulator, docs_assets=folder)


async def test_off_leaves_the_pages_as_fastapi_makes_them(emulator: EntraEmulator) -> None:
    """To the letter."""
    async with (
        client_of(FastAPI()) as plain,
        client_of(installed(emulator, FastAPI(), docs_assets=None)) as own,
    ):
        assert (await own.get("/redoc")).text == (await plain.get("/redoc")).text
        assert "cdn.jsdelivr.net" in (await own.get("/docs")).text


@pytest.mark.parametrize("found", ["nothing", "another package", "other files"])
async def test_without_the_extra_the_page_says_what_to_install(
    emulator: EntraEmulator, monkeypatch: pytest.MonkeyPatch, found: str, tmp_path: Any
) -> None:
    """Where its script cannot be loaded, instead of nothing on white."""
    spec = ModuleSpec("fastapi_offline", None, is_package=found == "other files")
    if found == "other files":
        spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(docs_assets, "find_spec", lambda _: None if found == "nothing" else spec)
    async with client_of(installed(emulator)) as client:
        for page in ("/docs", "/redoc"):
            html = (await client.get(page)).text
            assert 'src="https://cdn.jsdelivr.net/npm/' in html
            assert "onerror=" in html
            assert "install camunda-entra-fastapi[swagger-ui]" in html
        assert (await client.get("/docs/swagger-ui.css")).status_code == 404


async def test_an_application_s_own_docs_route_is_left_alone(emulator: EntraEmulator) -> None:
    """Whoever serves Swagger UI otherwise has thought of its files."""
    app = FastAPI(docs_url=None, redoc_url=None)

    @app.get("/docs")
    async def own() -> str:
        return "mine"

    async with client_of(installed(emulator, app)) as client:
        assert (await client.get("/docs")).json() == "mine"
        assert (await client.get("/docs/swagger-ui.css")).status_code == 404
