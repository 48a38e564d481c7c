"""Mounted applications, whose handlers and docs pages are their own, with one ``install`` around them."""

import copy
import re
from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Host, Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from camunda_entra_fastapi import CamundaEntra, EntraUser
from camunda_entra_fastapi.testing.directory import OPERATE
from tests.site import ADA, HOME, MakeSite, Site, code_of, register

OURS = {"Origin": HOME, "Sec-Fetch-Site": "same-origin"}
VERIFIER = "v" * 43


async def mine(_: Request, error: Any) -> Response:
    """A mounted application's own handler, which forgets the headers."""
    return PlainTextResponse(f"mine: {type(error).__name__}", error.status_code)


def version(entra: CamundaEntra, app: FastAPI | None = None) -> FastAPI:
    """A version of an API, which calls another service."""
    app = app or FastAPI()
    token = entra.client_credentials("api://other/.default")

    @app.get("/me")
    async def me(user: Annotated[EntraUser, Depends(entra.current_user)]) -> dict[str, object]:
        return {"name": user.name}

    @app.get("/calling")
    async def calling() -> Any:
        return await token.aget_headers()

    @app.get("/archive")
    async def archive(auth: Annotated[Any, Depends(entra.on_behalf_of("api://other/.default"))]) -> Any:
        return await auth.token()

    return app


def starlette(entra: CamundaEntra) -> Starlette:
    """An application without FastAPI that calls another service."""
    token = entra.client_credentials("api://other/.default")

    async def calling(_: Request) -> Response:
        return JSONResponse(await token.aget_headers())

    return Starlette(routes=[Route("/calling", calling)])


def at_mount(app: FastAPI, mounted: ASGIApp) -> None:
    """As usual."""
    app.mount("/v1", mounted)


def in_middleware(app: FastAPI, mounted: ASGIApp) -> None:
    """With a middleware around it."""
    app.mount("/v1", CORSMiddleware(mounted))


def at_host(app: FastAPI, mounted: ASGIApp) -> None:
    """By the name of the host, below a router."""
    app.router.routes.append(Host("localhost", Starlette(routes=[Mount("/v1", mounted)])))


def at_router(app: FastAPI, mounted: ASGIApp) -> None:
    """In a mount that has routes, and no application."""
    app.router.routes.append(Mount("/v1", routes=[Mount("/", mounted)]))


def within_another(app: FastAPI, mounted: ASGIApp) -> None:
    """In a mount within a mounted application."""
    outer = FastAPI()
    outer.mount("/", mounted)
    app.mount("/v1", outer)


@pytest.mark.parametrize("mount", [at_mount, in_middleware, at_host, at_router, within_another])
@pytest.mark.parametrize("handlers", [{}, {HTTPException: mine}])
async def test_a_mounted_application_refuses_like_the_one_around_it(
    make_site: MakeSite, mount: Callable[[FastAPI, ASGIApp], None], handlers: dict[Any, Any]
) -> None:
    """Redirects, challenges, pages, 503 for what its routes' code raises, also with handlers of its own."""
    site = make_site(app=FastAPI(title="Orders"))
    mount(site.app, version(site.entra, FastAPI(exception_handlers=handlers)))
    site.wire.fail("/token")
    browser = site.browser()
    assert (await browser.open("/v1/me")).headers["location"] == f"{HOME}/auth/login?return_to=/v1/me"
    assert (await browser.http.get("/v1/me")).headers["www-authenticate"].startswith("Bearer realm=")
    program = await browser.http.get("/v1/calling")
    assert (program.status_code, code_of(program)) == (503, "entra_unreachable")
    assert program.headers["retry-after"] == "1"
    page = await browser.open("/v1/calling")
    assert (page.status_code, "This does not work right now" in page.text) == (503, True)
    assert '<p class="application">Orders</p>' in page.text
    headers = {"Authorization": f"Bearer {site.emulator.token()}"}
    assert (await browser.http.get("/v1/archive", headers=headers)).status_code == 503


async def test_an_application_behind_a_guard_refuses_like_the_one_around_it(site: Site) -> None:
    """What it refuses itself, to somebody whom the guard lets in, has page and challenge, too."""
    mounted = version(site.entra, FastAPI(exception_handlers={HTTPException: mine}))
    mounted.add_api_route("/boss", lambda: 1, dependencies=[Depends(site.entra.require(roles=["Boss"]))])
    site.app.mount("/v1", site.entra.guard(CORSMiddleware(mounted)))
    browser = await site.browser().signed_in()
    page = await browser.open("/v1/boss")
    assert (page.status_code, page.headers["content-type"]) == (403, "text/html; charset=utf-8")
    program = await browser.http.get("/v1/boss")
    assert (program.status_code, code_of(program)) == (403, "role_missing")
    assert "insufficient_scope" in program.headers["www-authenticate"]
    assert "initOAuth" in (await browser.open("/v1/docs")).text


async def test_entra_s_refusal_is_502_in_a_mounted_application(site: Site) -> None:
    """Also in one of Starlette's, whose default handler knows no JSON."""
    site.app.mount("/v1", version(site.entra))
    site.app.mount("/plain", starlette(site.entra))
    site.wire.answer("/token", 400, json={"error": "invalid_client", "error_codes": [7000215]})
    for path in ("/v1/calling", "/plain/calling"):
        answer = await site.browser().http.get(path)
        assert (answer.status_code, code_of(answer)) == (502, "entra_refused")


async def test_a_mounted_application_s_own_handlers_and_install_stay(make_site: MakeSite) -> None:
    """What it says of itself counts there."""
    site = make_site(app=FastAPI(title="Orders"))
    own = version(site.entra, FastAPI(title="Second", exception_handlers={503: mine}))
    site.entra.install(own)
    site.app.mount("/v2", own)
    site.wire.fail("/token")
    browser = site.browser()
    assert (await browser.http.get("/v2/calling")).text == "mine: EntraUnavailable"
    assert (await browser.open("/v2/me")).headers["location"] == f"{HOME}/v2/auth/login?return_to=/v2/me"


async def test_a_mounted_application_that_nobody_found_answers_too(site: Site) -> None:
    """FastAPI's own handler knows the exceptions, as they are ``HTTPException``s."""
    mounted = version(site.entra)

    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        await mounted(scope, receive, send)

    site.app.mount("/v1", dispatch)
    site.wire.fail("/token")
    answer = await site.browser().http.get("/v1/calling")
    assert (answer.status_code, code_of(answer)) == (503, "entra_unreachable")
    assert (await site.browser().open("/v1/me")).headers["location"].endswith("return_to=/v1/me")


async def test_install_in_an_application_that_runs_already_counts_at_once(
    make_site: MakeSite,
) -> None:
    """Without a secret there is no middleware to add."""
    site = make_site(client_secret=None)
    app = FastAPI()
    app.mount("/v1", version_without_secret(site.entra))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=HOME) as http:
        assert (await http.get("/nothing")).status_code == 404
        site.entra.install(app)
        assert (await http.get("/v1/docs")).text.count(site.entra.settings.client_id) == 2


def version_without_secret(entra: CamundaEntra) -> FastAPI:
    """A version that calls nobody."""
    app = FastAPI()
    app.get("/me", dependencies=[Depends(entra.current_user)])(lambda: None)
    return app


class Endless:
    """Something mounted that leads to itself."""

    def __init__(self) -> None:
        self.app = self

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await PlainTextResponse("endless")(scope, receive, send)


async def test_what_leads_to_itself_is_looked_through_once(site: Site) -> None:
    """Also two applications that are mounted in each other."""
    inner = version(site.entra)
    site.app.mount("/endless", Endless())
    site.app.mount("/v1", inner)
    inner.mount("/outer", site.app)
    assert (await site.browser().http.get("/endless/")).text == "endless"
    assert (await site.browser().open("/v1/me")).headers["location"]


async def test_two_registrations_share_a_mounted_application(make_site: MakeSite) -> None:
    """Its docs page knows both schemes, each with the address that redeems its codes, and its files once."""
    site = make_site(app=FastAPI(title="Orders"), install={"accent_color": "#1d5fa8"})
    settings = site.emulator.settings(login_prefix="/second/auth", cookie_name="second")
    second = CamundaEntra(settings, scheme_name="Second", http_client=site.emulator.http_client())
    second.install(site.app)
    mounted = version(site.entra)
    mounted.get("/second", dependencies=[Depends(second.current_user)])(lambda: None)
    site.app.mount("/v1", mounted)
    document = (await site.browser().http.get("/v1/openapi.json")).json()
    schemes = document["components"]["securitySchemes"]
    urls = {name: each["flows"]["authorizationCode"]["tokenUrl"] for name, each in schemes.items()}
    assert urls == {"Entra": "/auth/token", "Second": "/second/auth/token"}
    assert (await site.browser().open("/v1/second")).headers["location"].startswith(f"{HOME}/second/auth")
    assert [type(route).__name__ for route in mounted.router.routes].count("LoginMount") == 1


async def docs_of(site: Site, path: str) -> tuple[str, str, Any]:
    """Where the docs page gets and redeems codes, and what it is filled in with."""
    http = site.browser().http
    page = (await http.get(f"{path}/docs")).text
    redirect = re.search(r"oauth2RedirectUrl: window.location.origin \+ '([^']*)'", page)
    filled_in = re.search(r"initOAuth\((.*)\)", page)
    document = (await http.get(f"{path}/openapi.json")).json()
    flow = document["components"]["securitySchemes"]["Entra"]["flows"]["authorizationCode"]
    assert redirect
    return redirect[1], flow["tokenUrl"], filled_in and filled_in[1]


async def test_the_docs_pages_of_versions_sign_in_like_the_one_around_them(site: Site) -> None:
    """One redirect URI for all; the same filled in; refusals documented."""
    site.app.mount("/v1", version(site.entra))
    site.app.mount("/v2", version(site.entra))
    ours = await docs_of(site, "")
    assert ours[:2] == ("/docs/oauth2-redirect", "/auth/token")
    assert await docs_of(site, "/v1") == await docs_of(site, "/v2") == ours
    document = (await site.browser().http.get("/v1/openapi.json")).json()
    assert {"401", "403"} <= document["paths"]["/me"]["get"]["responses"].keys()


async def test_a_version_s_docs_page_redeems_its_code(site: Site) -> None:
    """At the address that its document names."""
    site.app.mount("/v1", version(site.entra))
    redirect, token_url, _ = await docs_of(site, "/v1")
    answer = await redeem(site, f"{HOME}{redirect}", token_url)
    assert answer.status_code == 200
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    assert (await site.browser().http.get("/v1/me", headers=headers)).json() == {"name": ADA}


async def test_a_version_with_its_own_install_redeems_its_code_where_there_is_a_base_url(
    make_site: MakeSite,
) -> None:
    """All addresses are below the base URL, so the outer application redeems it, for pages that are there."""
    site = make_site(base_url=HOME)
    v1 = version(site.entra)
    site.entra.install(v1)
    site.app.mount("/v1", v1)
    v1.mount("/outer", site.app)
    redirect, token_url, _ = await docs_of(site, "/v1")
    assert redirect == "/v1/docs/oauth2-redirect"
    assert (await redeem(site, f"{HOME}{redirect}", token_url)).status_code == 200
    assert (await redeem(site, f"{HOME}/v2/docs/oauth2-redirect", token_url)).status_code == 400


async def redeem(site: Site, redirect_uri: str, token_url: str = "/auth/token") -> httpx.Response:
    """What Swagger UI gets for a code that came to that redirect URI."""
    register(site.emulator, redirect_uri)
    browser = site.browser()
    query = {
        "client_id": OPERATE,
        "response_type": "code",
        "redirect_uri": redirect_uri,
        "scope": f"{OPERATE}/.default",
        "code_challenge": VERIFIER,
        "code_challenge_method": "plain",
    }
    address = f"{site.emulator.settings().authorization_url}?{httpx.QueryParams(query)}"
    code = parse_qs(urlsplit(await browser.at_entra(address, ADA)).query)["code"][0]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
    return await browser.http.post(token_url, data=form | {"code_verifier": VERIFIER}, headers=OURS)


async def test_versions_as_routers_have_redirect_uris_of_their_own(site: Site) -> None:
    """fastapi-versionizer adds a docs page to each; an address that is no page of ours gets no token."""
    router = APIRouter(prefix="/v1")
    router.get("/docs/oauth2-redirect", include_in_schema=False)(lambda: None)
    site.app.include_router(router)
    assert (await redeem(site, f"{HOME}/v1/docs/oauth2-redirect")).status_code == 200
    for foreign in (f"{HOME}/v2/docs/oauth2-redirect", "https://evil.example/v1/docs/oauth2-redirect"):
        assert (await redeem(site, foreign)).json()["code"] == "login_request_invalid"


async def test_without_a_docs_page_around_them_there_is_still_one_redirect_uri(make_site: MakeSite) -> None:
    """Its page comes with the first version that has docs, behind a prefix and a base URL as well."""
    settings = {"base_url": "https://orders.example.com/shop"}
    site = make_site(app=FastAPI(docs_url=None, redoc_url=None, openapi_url=None), **settings)
    http = site.browser().http
    site.app.mount("/v1", version(site.entra))
    site.app.mount("/open", FastAPI())
    site.app.mount("/closed", FastAPI(openapi_url=None))
    redirect, token_url, _ = await docs_of(site, "/v1")
    assert (redirect, token_url) == ("/shop/docs/oauth2-redirect", "/shop/auth/token")
    assert "swaggerUIRedirectOauth2" in (await http.get("/docs/oauth2-redirect")).text
    assert (await http.get("/docs")).status_code == 404


async def test_an_api_without_protected_operations_keeps_its_docs_page(make_site: MakeSite) -> None:
    """Also where those of the service are behind a sign-in."""
    site = make_site(install={"protect_docs": True})
    site.app.mount("/open", FastAPI())
    site.app.mount("/v1", version(site.entra))
    http = site.browser().http
    page = await http.get("/open/docs")
    assert (page.status_code, "initOAuth" in page.text) == (200, False)
    assert "/open/docs/oauth2-redirect" in page.text
    assert (await http.get("/open/openapi.json")).json()["paths"] == {}
    for path in ("/v1/docs", "/v1/redoc", "/v1/openapi.json"):
        assert (await http.get(path)).status_code == 401
    ada = await site.browser().signed_in()
    assert (await ada.http.get("/v1/docs")).headers["cache-control"] == "no-store"


async def test_a_version_s_docs_page_asks_entra_itself_where_that_is_wanted(make_site: MakeSite) -> None:
    """With ``direct_docs``, as for the page of the service."""
    site = make_site(install={"direct_docs": True})
    site.app.mount("/v1", version(site.entra))
    redirect, token_url, _ = await docs_of(site, "/v1")
    assert (redirect, urlsplit(token_url).path.rpartition("/")[2]) == ("/docs/oauth2-redirect", "token")
    assert token_url.startswith("https://")


async def test_a_version_s_docs_page_loads_its_files_from_where_the_service_says(make_site: MakeSite) -> None:
    """From itself with the extra, or from the folder that ``install`` was given, below no mount."""
    site = make_site()
    site.app.mount("/v1", version(site.entra))
    http = site.browser().http
    assert "cdn.jsdelivr.net" not in (await http.get("/v1/docs")).text
    assert (await http.get("/v1/docs/swagger-ui-bundle.js")).status_code == 200
    other = make_site(install={"docs_assets": "/static/docs"})
    other.app.mount("/v1", version(other.entra))
    assert '"/static/docs/swagger-ui-bundle.js"' in (await other.browser().http.get("/v1/docs")).text


class VersionedRouter(APIRouter):
    """Looks for routes as Cadwyn's router does: in a list for each version, and in one for no version."""

    def __init__(self, routes: list[BaseRoute]) -> None:
        super().__init__(routes=list(routes))
        self.unversioned_routes = list(routes)
        self.versioned_routers: dict[str, APIRouter] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        version = dict(scope.get("headers", ())).get(b"x-api-version", b"").decode()
        routes = self.versioned_routers[version].routes if version else self.unversioned_routes
        router = APIRouter()
        router.routes[:] = routes
        await router(scope, receive, send)


async def test_login_pages_and_protected_docs_are_there_in_all_versions(make_site: MakeSite) -> None:
    """Cadwyn makes the versions' routes from copies when it begins to run, after ``install``."""
    app = FastAPI()
    router = VersionedRouter(app.router.routes)
    document = next(route for route in app.router.routes if getattr(route, "path", "") == "/openapi.json")
    app.router = router
    site = make_site(app=app, install={"protect_docs": True})
    router.versioned_routers["1"] = APIRouter(routes=[document, *version(site.entra).routes[-3:]])
    ada = await site.browser().signed_in("/docs")
    for headers in ({}, {"X-API-Version": "1"}):
        assert (await ada.http.get("/auth/me", headers=headers)).status_code == 200
        assert (await ada.http.get("/openapi.json", headers=headers)).status_code == 200
        assert (await site.browser().http.get("/openapi.json", headers=headers)).status_code == 401
    assert (await ada.http.get("/me", headers={"X-API-Version": "1"})).json() == {"name": ADA}


def test_what_copies_routes_copies_no_dependency(site: Site) -> None:
    """A copy would have keys, tokens and locks of its own."""
    for dependency in (site.entra.current_user, site.entra.bearer, site.entra.require(roles=["A"])):
        assert copy.deepcopy(dependency) is dependency


async def test_the_login_pages_survive_what_empties_the_routes(make_site: MakeSite) -> None:
    """fastapi-versionizer keeps the docs pages alone of those that are there when it begins."""
    site = make_site()
    site.app.router.routes = [route for route in site.app.routes if getattr(route, "path", "") == "/docs"]
    assert (await site.browser().open("/auth/login")).status_code == 302
