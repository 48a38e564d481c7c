"""The recipes of ``samples/gateways`` in real gateways, before an upstream that tells what reached it."""

import asyncio
import random
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin

from camunda_entra_fastapi.testing import EntraEmulator, SigningKey
from camunda_entra_fastapi.testing.directory import OPERATE
from camunda_entra_fastapi.testing.serving.server import serving
from tests.e2e.browser_less import Page
from tests.e2e.gateways import GATEWAYS, Addresses, Upstream, load_service
from tests.ports import free_port
from tests.waiting import PATIENCE

ADA: Final = "ada00000-0000-4000-8000-000000000001"
NAVIGATION: Final = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none"}


class LateClock:
    """The machine's clock, which a test may set forward."""

    ahead: float = 0

    def time(self) -> float:
        """Seconds since 1970."""
        return time.time() + self.ahead

    def monotonic(self) -> float:
        """Seconds since some moment."""
        return time.monotonic() + self.ahead


@dataclass
class Gateway:
    """A gateway with its recipe, and what is behind and beside it."""

    address: str
    upstream: Upstream
    emulator: EntraEmulator
    clock: LateClock
    kind: str

    @property
    def cookie(self) -> str:
        """The name of the session's cookie."""
        return self.emulator.settings().cookie_name

    def browser(self) -> httpx.AsyncClient:
        """Somebody's browser, with a jar of its own."""
        return httpx.AsyncClient(trust_env=False, timeout=PATIENCE)

    async def get(self, path: str, token: str | None = None, **headers: str) -> httpx.Response:
        """A program's request."""
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        async with self.browser() as program:
            return await program.get(self.address + path, headers=headers)

    async def sign_in(self, browser: httpx.AsyncClient, path: str, user: str = "Ada") -> httpx.Response:
        """Open a page, sign in at the local Entra, and follow back to the page."""
        answer = await follow(browser, await browser.get(self.address + path, headers=NAVIGATION))
        form = next(form for form in Page(answer.text).forms if form.buttons)
        (button,) = [sent for label, sent in form.buttons if label.startswith(user)]
        return await follow(browser, await browser.post(str(answer.url), data=form.fields | button))


async def raw(port: int | None, request: str) -> bytes:
    """The answer to a request that no client library would send."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request.encode())
    answer = await reader.read()
    writer.close()
    return answer


async def follow(browser: httpx.AsyncClient, answer: httpx.Response) -> httpx.Response:
    """Where the answer leads, as a browser goes there."""
    while answer.is_redirect:
        request = answer.next_request
        assert request is not None
        request.headers.update(NAVIGATION)
        answer = await browser.send(request)
    return answer


@pytest.fixture(scope="module")
def clock() -> LateClock:
    """What time it is for the service and the local Entra."""
    return LateClock()


@pytest.fixture(scope="module")
def entra_id(clock: LateClock) -> Iterator[EntraEmulator]:
    """A local Entra."""
    key = SigningKey.generate()
    emulator = EntraEmulator(new_key=lambda: key, clock=clock.time)
    with emulator.serve():
        yield emulator


@pytest.fixture(scope="module", params=list(GATEWAYS))
def running(
    request: pytest.FixtureRequest,
    entra_id: EntraEmulator,
    clock: LateClock,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Gateway]:
    """Everything, for all tests of one gateway."""
    upstream, port = Upstream(), free_port()
    address = f"http://localhost:{port}"
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for name, value in (entra_id.environment() | {"CAMUNDA_ENTRA_BASE_URL": address}).items():
            patch.setenv(name, value)
        service = load_service()
        stack.enter_context(service.entra.overridden(clock=clock))
        addresses = Addresses(
            port,
            stack.enter_context(serving(service.app)),
            stack.enter_context(serving(upstream.app())),
        )
        folder = tmp_path_factory.mktemp(request.param)
        stack.enter_context(GATEWAYS[request.param](addresses, folder))
        yield Gateway(address, upstream, entra_id, clock, request.param)


@pytest.fixture
def gateway(running: Gateway) -> Iterator[Gateway]:
    """The same, with nothing recorded, and everybody as they were afterwards."""
    running.upstream.requests.clear()
    running.upstream.bodies.clear()
    running.upstream.handshakes.clear()
    directory = running.emulator.directory
    yield running
    running.emulator.directory = directory


def code_of(answer: httpx.Response) -> str:
    """The refusal's code."""
    return str(answer.json()["detail"]["code"])


async def test_without_credentials_a_program_gets_the_challenge(gateway: Gateway) -> None:
    """401 with WWW-Authenticate and JSON, and nothing reaches the upstream."""
    for path in ("/orders?x=1", "/admin/", "/"):
        answer = await gateway.get(path)
        assert (answer.status_code, code_of(answer)) == (401, "credentials_missing")
        (challenge,) = answer.headers.get_list("WWW-Authenticate")
        assert challenge.startswith("Bearer ")
    assert gateway.upstream.requests == []


async def test_a_forged_token_is_refused(gateway: Gateway) -> None:
    """401, with the reason in the challenge."""
    token = gateway.emulator.token()
    answer = await gateway.get("/orders", token[:-8] + "AAAAAAAA")
    assert (answer.status_code, code_of(answer)) == (401, "signature_invalid")
    (challenge,) = answer.headers.get_list("WWW-Authenticate")
    assert 'error="invalid_token"' in challenge
    assert gateway.upstream.requests == []


async def test_a_bearer_token_passes_with_its_identity(gateway: Gateway) -> None:
    """The upstream gets the request as it was, the token, and who it is."""
    token = gateway.emulator.token(user=ADA, email="ada@contoso.example")
    forged = {"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "ftp"}
    answer = await gateway.get("/orders/a%2Fb?x=1&y=%20z", token, Cookie="theme=dark", **forged)
    assert answer.json() == {"operate": "/orders/a/b", "query": "x=1&y=%20z"}
    headers = gateway.upstream.headers
    assert headers["authorization"] == f"Bearer {token}"
    assert headers["x-auth-request-user"] == ADA
    assert headers["x-auth-request-email"] == "ada@contoso.example"
    assert headers["x-auth-request-preferred-username"] == "ada@contoso.example"
    assert headers["x-auth-request-roles"] == "Operate.Admin"
    assert headers["x-auth-request-groups"].count(",") == 1
    assert headers["cookie"] == "theme=dark"
    assert headers["host"] == headers["x-forwarded-host"] == urlsplit(gateway.address).netloc
    assert (headers["x-forwarded-for"], headers["x-forwarded-proto"]) == ("127.0.0.1", "http")
    assert gateway.upstream.requests[0].scope["raw_path"] == b"/orders/a%2Fb"


SPELLINGS: Final = [
    "X-Auth-Request-User",
    "X_Auth_Request_User",
    "X-Auth_Request-User",
    "x_auth-request_user",
    "X-Auth-Request-Tenant",
    "X_Auth_Request_Tenant",
    "X-Auth-Request-Roles",
    "X_Auth_Request_Groups",
    "X-Auth-Request-Email",
    "X-Auth-Request-Incomplete",
    "X-Auth-Request-Access-Token",
    "X_Auth_Request_Access_Token",
    "X-Auth-Request-Set-Cookie-1",
    "X_Auth_Request_Set_Cookie_1",
    "X-Entra-Identity",
    "X_Entra_Identity",
]


@pytest.mark.parametrize("name", SPELLINGS)
async def test_a_forged_identity_never_arrives(gateway: Gateway, name: str) -> None:
    """Under whatever spelling a client sends it, and whether or not the real one is empty."""
    answer = await gateway.get("/orders", gateway.emulator.token(application=OPERATE), **{name: "Forged"})
    assert answer.status_code == 200
    assert "Forged" not in "".join(gateway.upstream.headers.values())


async def test_a_client_that_names_a_header_in_connection_takes_none_away(gateway: Gateway) -> None:
    """Hop-by-hop headers are the client's to name, but not the gateway's identity headers."""
    answer = await gateway.get(
        "/orders", gateway.emulator.token(user=ADA), Connection="close, X-Auth-Request-User, Authorization"
    )
    if answer.status_code == 200:
        assert gateway.upstream.headers["x-auth-request-user"] == ADA
    else:
        assert (answer.status_code, gateway.upstream.requests) == (401, [])


async def test_a_missing_role_is_403(gateway: Gateway) -> None:
    """With JSON that names it; who has it gets through."""
    answer = await gateway.get("/admin/users", gateway.emulator.token(user=ADA, roles=["Operate.User"]))
    assert (answer.status_code, code_of(answer)) == (403, "role_missing")
    assert "Operate.Admin" in answer.json()["detail"]["message"]
    (challenge,) = answer.headers.get_list("WWW-Authenticate")
    assert 'error="insufficient_scope"' in challenge
    assert gateway.upstream.requests == []
    assert (await gateway.get("/admin/users", gateway.emulator.token(user=ADA))).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/admin",
        "/admin;a=b/x",
        "/%61dmin/x",
        "//admin/x",
        "/x/../admin/x",
        "/./admin/x",
        "/x/%2e%2e/admin",
        "/x/..;/admin",
        "/x/%2e%2e;a=b/admin",
        "/.;/admin",
        "/;/admin",
    ],
)
async def test_another_spelling_of_the_path_is_no_way_round_the_role(gateway: Gateway, path: str) -> None:
    """What an upstream may take for /admin/ demands the role, or does not arrive as that."""
    token = gateway.emulator.token(user=ADA, roles=["Operate.User"])
    host = urlsplit(gateway.address)
    lines = [f"GET {path} HTTP/1.1", f"Host: {host.netloc}", f"Authorization: Bearer {token}"]
    answer = await raw(host.port, "\r\n".join([*lines, "Connection: close", "", ""]))
    assert answer.split()[1] in {b"400", b"403"}, answer
    assert gateway.upstream.requests == []


async def test_the_way_to_sign_in_is_no_way_in(gateway: Gateway) -> None:
    """It is open to everybody, but no path that begins like it leads to the upstream."""
    host = urlsplit(gateway.address)
    for path in (
        "/auth/../orders",
        "/auth/%2e%2e/orders",
        "/auth/..%2forders",
        "/auth/%2E%2E%2Forders",
        "/auth/..;/orders",
        "/auth//../../orders",
        "//auth/../orders",
        "/authorders",
        "/Auth/../orders",
    ):
        lines = [f"GET {path} HTTP/1.1", f"Host: {host.netloc}", "Connection: close", "", ""]
        answer = await raw(host.port, "\r\n".join(lines))
        assert answer.split()[1] in {b"400", b"401", b"404"}, (path, answer)
    assert gateway.upstream.requests == []


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-Uri": "/auth/login"},
        {"X-Original-URL": "/auth/login"},
        {"X-Original-URI": "/auth/health"},
        {"X-Forwarded-Method": "OPTIONS"},
        {"X-Original-Method": "OPTIONS"},
        {"X-Forwarded-Host": "evil.example"},
        {"X-Forwarded-For": "127.0.0.1"},
    ],
)
async def test_what_a_client_says_of_the_request_opens_nothing(
    gateway: Gateway, headers: dict[str, str]
) -> None:
    """Neither does the query, which might reach the question that the gateway asks."""
    assert (await gateway.get("/orders", **headers)).status_code == 401
    token = gateway.emulator.token(user=ADA, roles=["Operate.User"])
    assert (await gateway.get("/admin/?role=Operate.User&any_role=x", token, **headers)).status_code == 403
    assert gateway.upstream.requests == []


async def test_a_browser_is_sent_to_sign_in_and_back_to_the_deep_link(gateway: Gateway) -> None:
    """With its query, whatever a client says of where it was."""
    async with gateway.browser() as browser:
        first = await browser.get(
            f"{gateway.address}/orders/7?tab=a%26b&x=1",
            headers=NAVIGATION | {"X-Original-URL": "/elsewhere", "X-Forwarded-Host": "evil.example"},
        )
        assert first.status_code == 302
        there = urlsplit(first.headers["Location"])
        assert (there.netloc or urlsplit(gateway.address).netloc) == urlsplit(gateway.address).netloc
        assert there.path == "/auth/login"
        assert parse_qs(there.query) == {"return_to": ["/orders/7?tab=a%26b&x=1"]}
        assert gateway.upstream.requests == []

        answer = await gateway.sign_in(browser, "/orders/7?tab=a%26b&x=1")
        assert str(answer.url) == f"{gateway.address}/orders/7?tab=a%26b&x=1"
        assert answer.json() == {"operate": "/orders/7", "query": "tab=a%26b&x=1"}
        headers = gateway.upstream.headers
        assert headers["x-auth-request-user"] == ADA
        assert headers["authorization"].startswith("Bearer ey")


@pytest.mark.parametrize(
    "cookies",
    ["first=1; {}", "{}; last=2", "first=1; {}; last=2", "{}", "my_entra_session=x; {}; entra_sessions=y"],
)
async def test_the_upstream_gets_no_session_cookie(gateway: Gateway, cookies: str) -> None:
    """The token is enough for it; other cookies arrive."""
    async with gateway.browser() as browser:
        await gateway.sign_in(browser, "/orders")
        session = browser.cookies[gateway.cookie]
    ours = f"__Host-{gateway.cookie}=a.b; {gateway.cookie}-1=c; {gateway.cookie}={session}"
    answer = await gateway.get("/orders", Cookie=cookies.format(ours))
    assert answer.status_code == 200
    arrived = gateway.upstream.headers.get("cookie", "")
    assert {each.strip() for each in arrived.split(";")} - {""} == set(
        cookies.replace("{}", "").split("; ")
    ) - {""}


async def test_a_role_missing_in_a_session_is_403_for_the_browser_too(gateway: Gateway) -> None:
    """Signing in again would not help."""
    async with gateway.browser() as browser:
        await gateway.sign_in(browser, "/orders", "Ben")
        gateway.upstream.requests.clear()
        gateway.clock.ahead += 6000
        answer = await browser.get(f"{gateway.address}/admin/", headers=NAVIGATION)
        assert (answer.status_code, answer.headers["content-type"]) == (403, "text/html; charset=utf-8")
        assert "Operate.Admin" in answer.text
        assert len(answer.headers.get_list("set-cookie")) == 1
        program = await browser.get(f"{gateway.address}/admin/")
        assert (program.status_code, code_of(program)) == (403, "role_missing")
        assert "set-cookie" not in program.headers
    assert gateway.upstream.requests == []


async def test_a_renewed_session_reaches_the_browser_and_not_the_upstream(gateway: Gateway) -> None:
    """The browser gets the new cookie with the upstream's answer, and the upstream the new token."""
    async with gateway.browser() as browser:
        await gateway.sign_in(browser, "/orders")
        before, token = browser.cookies[gateway.cookie], gateway.upstream.headers["authorization"]
        gateway.clock.ahead += 6000
        answer = await browser.get(f"{gateway.address}/orders?set-cookie=operate%3D1")
        assert answer.status_code == 200
        assert (browser.cookies["operate"], browser.cookies[gateway.cookie] == before) == ("1", False)
        headers = gateway.upstream.headers
        assert headers["authorization"] != token
        assert not [name for name in headers if "set-cookie" in name]
        assert not [name for name in answer.headers if name.startswith("x-auth-request-")]
        again = await browser.get(f"{gateway.address}/orders")
        assert (again.status_code, "set-cookie" in again.headers) == (200, False)


def a_lot(emulator: EntraEmulator, groups: int) -> None:
    """Put Ada into many groups, whose IDs do not compress."""
    source = random.Random(42)
    ids = tuple(str(uuid.UUID(int=source.getrandbits(128), version=4)) for _ in range(groups))
    tenant = emulator.tenant
    users = tuple(replace(each, groups=ids) if each.id == ADA else each for each in tenant.users)
    emulator.directory = emulator.directory.with_tenant(replace(tenant, users=users))


async def test_a_session_of_two_cookies_is_renewed_with_both(gateway: Gateway) -> None:
    """And its large token reaches the upstream, in a large header."""
    a_lot(gateway.emulator, 190)
    async with gateway.browser() as browser:
        await gateway.sign_in(browser, "/orders")
        assert {gateway.cookie, f"{gateway.cookie}-1"} <= set(browser.cookies)
        before = dict(browser.cookies)
        gateway.clock.ahead += 6000
        answer = await browser.get(f"{gateway.address}/orders")
        assert answer.status_code == 200
        assert all(browser.cookies[name] != before[name] for name in (gateway.cookie, f"{gateway.cookie}-1"))
        assert len(gateway.upstream.headers["authorization"]) > 7000
        assert "groups" in gateway.upstream.headers["x-auth-request-incomplete"]
        assert gateway.cookie not in gateway.upstream.headers.get("cookie", "")
        answer = await browser.get(f"{gateway.address}/orders")
        assert (answer.status_code, "set-cookie" in answer.headers) == (200, False)


async def test_a_large_bearer_token_passes(gateway: Gateway) -> None:
    """200 groups make one of 11 KB."""
    a_lot(gateway.emulator, 199)
    token = gateway.emulator.token(user=ADA)
    assert len(token) > 9000
    assert (await gateway.get("/orders", token)).status_code == 200


async def test_a_body_arrives_whole(gateway: Gateway) -> None:
    """The question about it has none, and the method stays."""
    body = random.Random(1).randbytes(300_000)
    headers = {"Authorization": f"Bearer {gateway.emulator.token()}"}
    async with gateway.browser() as program:
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            answer = await program.request(method, f"{gateway.address}/x", headers=headers, content=body)
            assert answer.status_code == 200
            assert gateway.upstream.requests[-1].method == method
            assert gateway.upstream.bodies[-1] == body
        answer = await program.post(f"{gateway.address}/x", content=body)
    assert (answer.status_code, len(gateway.upstream.requests)) == (401, 4)


async def test_another_sites_page_changes_nothing_with_the_cookie(gateway: Gateway) -> None:
    """A POST with a foreign Origin is 403; one of our own page, or a navigation, passes."""
    async with gateway.browser() as browser:
        await gateway.sign_in(browser, "/orders")
        gateway.upstream.requests.clear()
        for foreign in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "same-site"}, {}):
            answer = await browser.post(f"{gateway.address}/orders", headers=foreign)
            assert (answer.status_code, code_of(answer)) == (403, "cross_origin")
        claimed = {"Origin": "https://evil.example", "X-Forwarded-Method": "GET", "X-Original-Method": "GET"}
        assert (await browser.post(f"{gateway.address}/orders", headers=claimed)).status_code == 403
        assert gateway.upstream.requests == []
        answer = await browser.post(f"{gateway.address}/orders", headers={"Origin": gateway.address})
        assert answer.status_code == 200


async def test_the_upstreams_own_refusals_stay_its_own(gateway: Gateway) -> None:
    """Its 401, 403, 404, 500 and 503 arrive as it said them."""
    for status in (401, 403, 404, 500, 503):
        answer = await gateway.get(f"/orders?status={status}", gateway.emulator.token(), **NAVIGATION)
        assert (answer.status_code, answer.json()["operate"]) == (status, "/orders")
        assert answer.headers.get("WWW-Authenticate") == ('Bearer realm="operate"' if status == 401 else None)


async def test_a_websocket_goes_through(gateway: Gateway) -> None:
    """With a token; with a session from our own pages; and from nowhere else."""
    address = gateway.address.replace("http", "ws") + "/socket"
    token = gateway.emulator.token(user=ADA)
    async with connect(address, additional_headers={"Authorization": f"Bearer {token}"}) as socket:
        await socket.send("hello")
        assert await socket.recv() == "hello"
    assert gateway.upstream.handshakes[0]["x-auth-request-user"] == ADA
    async with gateway.browser() as browser:
        await gateway.sign_in(browser, "/orders")
        cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    async with connect(
        address, additional_headers={"Cookie": cookies}, origin=Origin(gateway.address)
    ) as socket:
        await socket.send("hello")
        assert await socket.recv() == "hello"
    for headers, status in (({}, 401), ({"Cookie": cookies, "Origin": "https://evil.example"}, 403)):
        with pytest.raises(InvalidStatus) as refused:
            await connect(address, additional_headers=headers)
        assert refused.value.response.status_code == status
    assert len(gateway.upstream.handshakes) == 2


async def test_the_endpoints_for_gateways_are_not_for_pages(gateway: Gateway) -> None:
    """A script on a page cannot read the token of a session there."""
    async with gateway.browser() as browser:
        await gateway.sign_in(browser, "/orders")
        for path in (
            "/auth/verify?token=true",
            "/auth/%76erify?token=true",
            "/auth//verify",
            "/auth/ext-authz/x",
        ):
            answer = await browser.get(gateway.address + path)
            assert answer.status_code == 404, path
            assert "x-auth-request-access-token" not in answer.headers
        assert (await browser.get(f"{gateway.address}/auth/me")).json()["name"] == "Ada Admin"


async def test_with_known_keys_requests_pass_while_entra_is_away(gateway: Gateway) -> None:
    """For tokens seen before, and for others."""
    token = gateway.emulator.token(user=ADA)
    others = gateway.emulator.token(application=OPERATE)
    assert (await gateway.get("/orders", token)).status_code == 200
    gateway.emulator.faults.down = True
    try:
        assert (await gateway.get("/orders", token)).status_code == 200
        assert (await gateway.get("/orders", others)).status_code == 200
    finally:
        gateway.emulator.faults.down = False


async def test_nothing_passes_while_the_service_is_away(gateway: Gateway, tmp_path: Path) -> None:
    """5xx, and the upstream hears of nothing."""
    upstream = Upstream()
    asked: list[dict[str, str]] = [{}, {"Authorization": f"Bearer {gateway.emulator.token()}"}, NAVIGATION]
    with serving(upstream.app()) as behind:
        addresses = Addresses(free_port(), f"http://127.0.0.1:{free_port()}", behind)
        with GATEWAYS[gateway.kind](addresses, tmp_path):
            address = f"http://localhost:{addresses.port}/orders"
            async with gateway.browser() as client:
                answers = await asyncio.gather(*(client.get(address, headers=each) for each in asked))
    assert [answer.status_code in {500, 502, 503, 504} for answer in answers] == [True] * 3
    assert upstream.requests == []
