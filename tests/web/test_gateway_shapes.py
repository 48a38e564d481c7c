"""Traefik and Envoy with their recipes, replayed: their requests, and the use of the response.

Neither runs in these tests. What they do stands here as their documentation has it; what they are told is
read from the recipes.
"""

import re
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final, Protocol
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
import pytest
import yaml
from starlette.types import ASGIApp

from camunda_entra_fastapi.testing import EntraEmulator
from tests.conftest import FakeClock
from tests.e2e.gateways import RECIPES, load_service
from tests.site import HOME, Browser, code_of
from tests.web.login.test_sign_in import a_lot

OID: Final = "ada00000-0000-4000-8000-000000000001"
NAVIGATION: Final = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none"}
HOP_BY_HOP: Final = {"connection", "keep-alive", "te", "trailers", "transfer-encoding", "upgrade"}


class Gateway(Protocol):
    """A gateway that was asked to forward a request."""

    def __init__(self, service: ASGIApp) -> None: ...

    async def forward(self, request: httpx.Request) -> tuple[httpx.Headers | None, httpx.Response]:
        """The headers that the upstream gets, or None; and the answer without what the upstream adds."""


def matches(rule: str, path: str) -> bool:
    """Whether one of Traefik's matchers fits a path."""
    found = re.fullmatch(r"(PathPrefix|PathRegexp)\(`([^`]+)`\)", rule)
    assert found
    return path.startswith(found[2]) if found[1] == "PathPrefix" else re.search(found[2], path) is not None


class Traefik:
    """The ForwardAuth middleware of Traefik 3."""

    def __init__(self, service: ASGIApp) -> None:
        recipe = yaml.safe_load((RECIPES / "traefik" / "routes.yml").read_text())["http"]
        self.routers = sorted(recipe["routers"].values(), key=lambda each: -each["priority"])
        self.middlewares = recipe["middlewares"]
        self.service = service

    async def forward(self, request: httpx.Request) -> tuple[httpx.Headers | None, httpx.Response]:
        """Route it, ask, and replace headers."""
        router = next(
            router
            for router in self.routers
            if any(matches(each, request.url.path) for each in router["rule"].split(" || "))
        )
        if router["service"] == "entra":
            blocked = [self.middlewares[name]["ipAllowList"] for name in router.get("middlewares", ())]
            return None, httpx.Response(blocked[0]["rejectStatusCode"] if blocked else 200)
        (name,) = router["middlewares"]
        settings = self.middlewares[name]["forwardAuth"]
        assert settings["trustForwardHeader"] is False
        headers = httpx.Headers(
            [(name, value) for name, value in request.headers.multi_items() if name not in HOP_BY_HOP]
        )
        del headers["host"]
        headers.pop("content-length", None)
        headers["X-Forwarded-Method"] = request.method
        headers["X-Forwarded-Proto"] = request.url.scheme
        headers["X-Forwarded-Host"] = request.url.netloc.decode()
        headers["X-Forwarded-Uri"] = request.url.raw_path.decode()
        headers["X-Forwarded-For"] = "192.0.2.1"
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.service)) as client:
            answer = await client.get(settings["address"], headers=headers)
        if not answer.is_success:
            if "location" in answer.headers:
                answer.headers["location"] = urljoin(settings["address"], answer.headers["location"])
            return None, answer
        pattern = re.compile(settings["authResponseHeadersRegex"])
        passed = [each for each in request.headers.multi_items() if not pattern.search(each[0])]
        passed += [each for each in answer.headers.multi_items() if pattern.search(each[0])]
        cookies = [
            ("Set-Cookie", value)
            for value in answer.headers.get_list("set-cookie")
            if value.partition("=")[0] in settings["addAuthCookiesToResponse"]
        ]
        return httpx.Headers(passed), httpx.Response(200, headers=cookies)


def is_one_of(name: str, patterns: list[Mapping[str, str]]) -> bool:
    """Whether Envoy's matchers fit a header's name."""
    return any(name == each.get("exact") or name.startswith(each.get("prefix", "\0")) for each in patterns)


def is_for(match: Mapping[str, Any], path: str) -> bool:
    """Whether a route of Envoy's is for a path."""
    if "prefix" in match:
        return path.startswith(match["prefix"])
    return re.fullmatch(match["safe_regex"]["regex"], path) is not None


class Envoy:
    """The ``ext_authz`` filter of Envoy with an HTTP service, and ``rbac`` behind it."""

    def __init__(self, service: ASGIApp) -> None:
        (listener,) = yaml.safe_load((RECIPES / "envoy.yaml").read_text())["static_resources"]["listeners"]
        manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
        assert manager["common_http_protocol_options"]["headers_with_underscores_action"] == "DROP_HEADER"
        assert [each["name"].rpartition(".")[2] for each in manager["http_filters"]] == [
            "ext_authz",
            "rbac",
            "router",
        ]
        self.settings, self.rules = (each["typed_config"] for each in manager["http_filters"][:2])
        (self.host,) = manager["route_config"]["virtual_hosts"]
        self.service = service

    async def forward(self, request: httpx.Request) -> tuple[httpx.Headers | None, httpx.Response]:
        """Drop headers, ask, replace headers, decide by roles, and route."""
        passed = httpx.Headers([each for each in request.headers.multi_items() if "_" not in each[0]])
        route = next(each for each in self.host["routes"] if is_for(each["match"], request.url.path))
        (guard,) = route.get("typed_per_filter_config", {"": {}}).values()
        if guard.get("disabled"):
            return None, httpx.Response(route.get("direct_response", {"status": 200})["status"])
        http, allowed = self.settings["http_service"], self.settings["allowed_headers"]["patterns"]
        question = [("host", passed["host"]), ("content-length", "0")]
        question += [
            (name, value)
            for name, value in passed.multi_items()
            if name == "authorization" or is_one_of(name, allowed)
        ]
        address = http["server_uri"]["uri"] + http["path_prefix"] + request.url.raw_path.decode()
        async with httpx.AsyncClient(transport=httpx.ASGITransport(self.service)) as client:
            answer = await client.request(request.method, address, headers=question)
        settings = http["authorization_response"]
        side = "allowed_client_headers_on_success" if answer.status_code == 200 else "allowed_client_headers"
        passed_headers = [
            each for each in answer.headers.multi_items() if is_one_of(each[0], settings[side]["patterns"])
        ]
        if answer.status_code != 200:
            return None, httpx.Response(answer.status_code, headers=passed_headers, content=answer.content)
        for name, value in answer.headers.multi_items():
            if is_one_of(name, settings["allowed_upstream_headers"]["patterns"]):
                passed[name] = value
        if self._is_denied(request.url.path, passed):
            return None, httpx.Response(403, text="RBAC: access denied")
        for name in self.host["request_headers_to_remove"]:
            passed.pop(name, None)
        return passed, httpx.Response(200, headers=passed_headers)

    def _is_denied(self, path: str, headers: httpx.Headers) -> bool:
        assert self.rules["rules"]["action"] == "DENY"
        policy: Any
        for policy in self.rules["rules"]["policies"].values():
            prefix = policy["permissions"][0]["url_path"]["path"]["prefix"]
            matcher = policy["principals"][0]["not_id"]["header"]
            regex = matcher["string_match"]["safe_regex"]["regex"]
            if path.lower().startswith(prefix) and not re.fullmatch(regex, headers.get(matcher["name"], "")):
                return True
        return False


COOKIE: Final = "entra_session"
"""Traefik's recipe asks for this name."""


@pytest.fixture
async def service(
    emulator: EntraEmulator, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[ASGIApp]:
    """The service beside the gateway."""
    more = {"CAMUNDA_ENTRA_BASE_URL": HOME, "CAMUNDA_ENTRA_COOKIE_NAME": COOKIE}
    for name, value in (emulator.environment() | more).items():
        monkeypatch.setenv(name, value)
    module = load_service()
    async with emulator.http_client() as client:
        with module.entra.overridden(http_client=client, clock=clock):
            yield module.app


@pytest.fixture(params=[Traefik, Envoy])
def gateway(request: pytest.FixtureRequest, service: ASGIApp) -> Gateway:
    """Each of them."""
    made: Gateway = request.param(service)
    return made


@pytest.fixture
async def browser(service: ASGIApp, emulator: EntraEmulator) -> AsyncIterator[Browser]:
    """The browser of somebody who is about to sign in."""
    transport = httpx.ASGITransport(service)
    async with httpx.AsyncClient(transport=transport, base_url=HOME) as http, emulator.http_client() as entra:
        yield Browser(http, entra)


def request_for(path: str, token: str | None = None, method: str = "GET", **headers: str) -> httpx.Request:
    """A client's request."""
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    return httpx.Request(method, HOME + path, headers=headers)


def cookies_of(browser: Browser) -> dict[str, str]:
    """The headers of a browser."""
    return {"Cookie": "; ".join(f"{name}={value}" for name, value in browser.cookies.items())}


async def test_programs_without_credentials_get_the_challenge(gateway: Gateway) -> None:
    """401 with JSON; and nothing that they send of the request's address or method changes it."""
    for headers in ({}, {"X-Forwarded-Uri": "/auth/login"}, {"X-Forwarded-Method": "OPTIONS"}):
        passed, answer = await gateway.forward(request_for("/orders?role=", **headers))
        assert (passed, answer.status_code, code_of(answer)) == (None, 401, "credentials_missing")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer ")


async def test_people_are_sent_to_sign_in_and_back(gateway: Gateway) -> None:
    """By an address that a browser can reach, to the page with its query."""
    passed, answer = await gateway.forward(request_for("/orders/7?tab=a%26b", **NAVIGATION))
    assert (passed, answer.status_code) == (None, 302)
    there = urlsplit(answer.headers["Location"])
    assert f"{there.scheme}://{there.netloc}{there.path}" == f"{HOME}/auth/login"
    assert parse_qs(there.query) == {"return_to": ["/orders/7?tab=a%26b"]}


@pytest.mark.parametrize(
    "name",
    [
        "X-Auth-Request-User",
        "X_Auth_Request_User",
        "X-Auth-Request-Tenant",
        "x_auth_request-TENANT",
        "x_auth-request_ROLES",
        "X-Auth-Request_Preferred-Username",
        "X-Auth-Request-Access-Token",
        "X-Entra-Identity",
        "X_Entra_Identity",
    ],
)
async def test_a_forged_identity_never_arrives(gateway: Gateway, emulator: EntraEmulator, name: str) -> None:
    """The upstream gets the token and who it is, and nothing that a client says of itself."""
    token = emulator.token(user=OID)
    passed, _ = await gateway.forward(request_for("/orders?role=&x=1", token, **{name: "Forged"}))
    assert passed is not None
    assert passed["Authorization"] == f"Bearer {token}"
    assert passed["X-Auth-Request-User"] == OID
    assert passed["X-Auth-Request-Tenant"] == emulator.tenant.id
    assert passed["X-Auth-Request-Roles"] == "Operate.Admin"
    assert "Forged" not in passed.values()


async def test_the_role_for_administration_is_demanded(gateway: Gateway, emulator: EntraEmulator) -> None:
    """403 without it, whatever the client's query says."""
    for path in ("/admin", "/admin/users?role=Operate.User"):
        for roles in (["Operate.User"], ["Operate.Administrator", "Not.Operate.Admin"]):
            passed, answer = await gateway.forward(request_for(path, emulator.token(user=OID, roles=roles)))
            assert (passed, answer.status_code) == (None, 403)
        request = request_for(
            path.partition("?")[0], emulator.token(user=OID, roles=["A", "Operate.Admin", "B"])
        )
        assert (await gateway.forward(request))[0] is not None


@pytest.mark.parametrize("path", ["/x/..;/admin", "/.;a=b/admin", "/;/admin"])
async def test_a_path_that_means_another_one_to_tomcat_goes_nowhere(
    gateway: Gateway, emulator: EntraEmulator, path: str
) -> None:
    """So that nobody gets round the role."""
    passed, answer = await gateway.forward(
        request_for(path, emulator.token(user=OID, roles=["Operate.User"]))
    )
    assert (passed, answer.status_code in {400, 404}) == (None, True)


async def test_a_renewed_session_reaches_the_browser_alone(
    gateway: Gateway, browser: Browser, emulator: EntraEmulator, clock: FakeClock
) -> None:
    """Both of its cookies; the upstream gets the new token."""
    a_lot(emulator, groups=190)
    await browser.signed_in("/auth/login?return_to=/orders")
    clock.advance(6000)
    passed, answer = await gateway.forward(request_for("/orders", **cookies_of(browser)))
    assert passed is not None
    assert len(passed["Authorization"]) > 7000
    assert not [name for name in passed if "set-cookie" in name]
    assert [value.partition("=")[0] for value in answer.headers.get_list("set-cookie")] == [
        COOKIE,
        f"{COOKIE}-1",
    ]


async def test_another_sites_page_changes_nothing_with_the_cookie(gateway: Gateway, browser: Browser) -> None:
    """Neither by a form, nor by a WebSocket; a page of ours may."""
    await browser.signed_in("/auth/login?return_to=/orders")
    socket = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }
    for method, more in (("POST", {}), ("GET", socket)):
        for origin, status in (("https://evil.example", 403), (HOME, 200)):
            request = request_for("/orders", None, method, Origin=origin, **cookies_of(browser), **more)
            passed, answer = await gateway.forward(request)
            assert (answer.status_code, passed is None) == (status, status == 403)


async def test_the_questions_are_not_for_pages(gateway: Gateway) -> None:
    """Signing in is."""
    for path, status in (("/auth/verify", 404), ("/auth/ext-authz/x", 404), ("/auth/login", 200)):
        passed, answer = await gateway.forward(request_for(path))
        assert (passed, answer.status_code) == (None, status)
