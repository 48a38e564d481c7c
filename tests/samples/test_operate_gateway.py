"""The gateway of the samples, before the service that stands for Operate and before others."""

import asyncio
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin, Subprotocol

from camunda_entra_fastapi.cli.browser import NAVIGATION, open_page
from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.serving.server import serving
from tests.conftest import FakeClock
from tests.waiting import PATIENCE, until
from tests.web.test_gateway_shapes import OID

SAMPLES: Final = Path(__file__).parents[2] / "samples"
BEN: Final = "Ben Reader"


@pytest.fixture
def emulator(clock: FakeClock) -> Iterator[EntraEmulator]:
    """A local Entra."""
    emulator = EntraEmulator(clock=clock.time)
    with emulator.serve():
        yield emulator


@pytest.fixture
def load(
    emulator: EntraEmulator, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., ModuleType]]:
    """Loads a module of the sample, set up for the local Entra and an address of Operate."""

    def forget() -> None:
        for name in [name for name in sys.modules if name.startswith("operate_gateway")]:
            monkeypatch.delitem(sys.modules, name)

    def load(name: str, operate_url: str = "") -> ModuleType:
        more = {"OPERATE_URL": operate_url, "CAMUNDA_ENTRA_COOKIE_NAME": "entra_session"}
        for variable, value in (emulator.environment() | more).items():
            monkeypatch.setenv(variable, value)
        forget()
        module = import_module(f"operate_gateway.{name}")
        stack.enter_context(module.entra.overridden(clock=clock))
        return module

    monkeypatch.syspath_prepend(str(SAMPLES))
    with ExitStack() as stack:
        yield load
    forget()


@pytest.fixture
def before(load: Callable[..., ModuleType]) -> Iterator[Callable[..., str]]:
    """Serves an upstream and the gateway before it; gives the gateway's address."""
    with ExitStack() as stack:

        def before(upstream: ASGIApp, prefix: str = "") -> str:
            behind = stack.enter_context(serving(upstream))
            address = stack.enter_context(serving(load("main", behind + prefix).app))
            return address.replace("127.0.0.1", "localhost")

        yield before


@pytest.fixture
def address(before: Callable[..., str], load: Callable[..., ModuleType]) -> str:
    """The gateway before the service that stands for Operate."""
    return before(load("stand_in").app)


@pytest.fixture
def browser(address: str) -> Iterator[httpx2.Client]:
    """Somebody's browser."""
    with httpx2.Client(base_url=address, trust_env=False) as browser:
        yield browser


def bearer(emulator: EntraEmulator) -> dict[str, str]:
    """Credentials of a program."""
    return {"Authorization": f"Bearer {emulator.token(user=OID)}"}


class Recorder:
    """An upstream that keeps the requests as they came, and answers with those headers."""

    def __init__(self, status: int = 200, *headers: tuple[bytes, bytes]) -> None:
        self.status, self.headers = status, headers
        self.requests: list[Scope] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return
        self.requests.append(scope)
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": b"operate"})

    def last(self) -> dict[str, str]:
        """The headers of the last request; none may come twice."""
        headers = [(name.decode(), value.decode("latin-1")) for name, value in self.requests[-1]["headers"]]
        assert len(dict(headers)) == len(headers)
        return dict(headers)


def test_a_deep_link_leads_through_the_sign_in(browser: httpx2.Client) -> None:
    """And Operate, which verifies the token by itself, shows who it is."""
    page = open_page(browser, "/?tab=incidents", BEN)
    assert page.url.query == b"tab=incidents"
    assert f"<h1>{BEN}, you are through</h1>" in page.text
    assert "<td>Bearer ***</td>" in page.text
    assert "entra_session" not in page.text


def test_programs_pass_with_their_token_and_not_without(
    browser: httpx2.Client, emulator: EntraEmulator
) -> None:
    """Without one they get the gateway's own 401, with the challenge."""
    answer = browser.get("/api/echo")
    assert (answer.status_code, answer.json()["detail"]["code"]) == (401, "credentials_missing")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
    assert browser.get("/api/echo", headers=bearer(emulator)).json()["user"] == OID


def test_another_sites_form_changes_nothing(browser: httpx2.Client) -> None:
    """With the session's cookie, requests that change something must come from a page behind this gateway."""
    open_page(browser, "/", BEN)
    for origin, status in (("https://evil.example", 403), (str(browser.base_url).rstrip("/"), 200)):
        assert browser.post("/api/echo", headers={"Origin": origin}).status_code == status


def test_an_expired_token_is_renewed_on_the_way(
    before: Callable[..., str], emulator: EntraEmulator, clock: FakeClock
) -> None:
    """Operate gets the new one, and the browser the new cookie."""
    upstream = Recorder()
    with httpx2.Client(base_url=before(upstream), trust_env=False) as browser:
        open_page(browser, "/", BEN)
        old, cookie = upstream.last()["authorization"], browser.cookies["entra_session"]
        clock.advance(6000)
        assert browser.get("/").text == "operate"
        assert upstream.last()["authorization"] not in {"Bearer ", old}
        assert browser.cookies["entra_session"] != cookie
        assert sum(each.did == "refresh" for each in emulator.requests) == 1


def test_method_path_and_query_arrive_byte_by_byte(
    before: Callable[..., str], emulator: EntraEmulator
) -> None:
    """Whatever they look like, they go to Operate and to nobody else."""
    upstream = Recorder()
    gateway = httpx2.URL(before(upstream))
    for method, path in (
        ("GET", "/a%2Fb//c?x=%20&y=a+b&&z"),
        ("DELETE", "/%E4%B8%AD|[]?q={}"),
        ("POST", "/x?"),
        ("PATCH", "//evil.example/x"),
        ("PUT", "/a;b=c/@d"),
        ("OPTIONS", "/x"),
        ("HEAD", "/auth"),
    ):
        with httpx2.Client(trust_env=False) as client:
            target = {"target": path.encode()}
            answer = client.request(method, gateway, headers=bearer(emulator), extensions=target)
        assert answer.status_code == 200
        scope = upstream.requests.pop()
        arrived = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
        assert (scope["method"], arrived) == (method, path.rstrip("?").encode())
    assert upstream.requests == []


def test_no_path_leaves_operates_prefix(before: Callable[..., str], emulator: EntraEmulator) -> None:
    """Dot segments are refused, as browsers never send them; other paths stand behind the prefix."""
    upstream = Recorder()
    gateway = before(upstream, "/operate/")
    with httpx2.Client(trust_env=False) as client:
        for path in (
            *(b"/../admin", b"/x/%2e%2E/admin", b"/./x", b"/x/..", b"/x/.%2e/y"),
            *(b"/..;/admin", b"/x/..;a=b/admin", b"/%2e%2e%3b/admin", b"/..\\admin", b"/..%5cadmin"),
        ):
            refused = client.get(gateway, headers=bearer(emulator), extensions={"target": path})
            assert (refused.status_code, refused.json()["detail"]["code"]) == (400, "path_not_allowed")
        assert upstream.requests == []
        assert client.get(f"{gateway}/x", headers=bearer(emulator)).status_code == 200
        assert upstream.requests[0]["path"] == "/operate/x"


def test_what_clients_must_not_say_does_not_arrive(
    before: Callable[..., str], emulator: EntraEmulator
) -> None:
    """Identity in any spelling, and what is about the connection or named so."""
    upstream = Recorder()
    forged = (
        *("X-Auth-Request-User", "X_Auth_Request_User", "x-auth_request-Groups"),
        *("X-Auth-Request-Tenant", "X_Auth_Request_Tenant"),
        *("X-Entra-Identity", "X_Entra_Identity", "Forwarded", "X-Forwarded-User", "X_Forwarded_For"),
        *("X-Real-IP", "Keep-Alive", "Proxy-Authorization", "TE", "X-Named"),
    )
    with httpx2.Client(base_url=before(upstream), trust_env=False) as client:
        host = client.base_url.netloc.decode()
        for name in forged:
            headers = bearer(emulator) | {name: "Forged", "Connection": "keep-alive, x-named", "X-Kept": "y"}
            headers |= {"X-Forwarded-Proto": "ftp", "X-Forwarded-Host": "evil.example"}
            client.get("/", headers=headers)
            arrived = upstream.last()
            assert "Forged" not in arrived.values(), name
            assert (arrived["x-kept"], arrived["authorization"]) == ("y", headers["Authorization"])
            assert (arrived["x-forwarded-host"], arrived["x-forwarded-proto"]) == (host, "http")
            assert arrived["x-forwarded-for"] == "127.0.0.1"


def test_the_sessions_cookies_stay_here(before: Callable[..., str], emulator: EntraEmulator) -> None:
    """In all their names, and Operate cannot set one; its own cookies go both ways."""
    upstream = Recorder(
        200,
        (b"set-cookie", b"operate=1; Path=/"),
        (b"set-cookie", b"entra_session=stolen; Path=/"),
        (b"set-cookie", b"__Host-entra_session-1=stolen"),
        (b"set-cookie", b"=entra_session=stolen; Path=/"),
        (b"set-cookie", b"lang=en"),
    )
    ours = "__Host-entra_session=a; __Secure-entra_session-1=b; entra_session_attempt_x=c; entra_session=d"
    ours += "; entra_session_step=e"
    with httpx2.Client(base_url=before(upstream), trust_env=False) as client:
        headers = bearer(emulator) | {"Cookie": f"a=1; {ours}; my_entra_session=2; entra_sessions=3"}
        answer = client.get("/", headers=headers)
        assert upstream.last()["cookie"] == "a=1; my_entra_session=2; entra_sessions=3"
        assert answer.headers.get_list("set-cookie") == ["operate=1; Path=/", "lang=en"]
        client.get("/", headers=bearer(emulator) | {"Cookie": ours})
        assert "cookie" not in upstream.last()
        main: Any = sys.modules["operate_gateway.main"]
        assert list(main.upstream._client.cookies.jar) == []


def test_bytes_of_headers_and_body_go_on_as_they_are(
    before: Callable[..., str], emulator: EntraEmulator
) -> None:
    """Also those that are no ASCII, and a body that is compressed."""
    upstream = Recorder(
        203,
        (b"content-encoding", b"made-up"),
        (b"x-name", "Zoë 中".encode()),
        (b"connection", b"x-hop"),
        (b"x-hop", b"1"),
        (b"date", b"Sun, 06 Nov 1994 08:49:37 GMT"),
    )
    with httpx2.Client(base_url=before(upstream), trust_env=False) as client:
        headers = [(name.encode(), value.encode()) for name, value in bearer(emulator).items()]
        headers.append((b"X-Name", "Zoë 中".encode()))
        with client.stream("GET", "/", headers=headers) as answer:
            assert b"".join(answer.iter_raw()) == b"operate"
        assert (answer.status_code, answer.headers["content-encoding"]) == (203, "made-up")
        assert dict(answer.headers.raw)[b"x-name"] == "Zoë 中".encode()
        assert "x-hop" not in answer.headers
        assert [len(answer.headers.get_list(name)) for name in ("date", "server")] == [1, 1]
    assert dict(upstream.requests[0]["headers"])[b"x-name"] == "Zoë 中".encode()


def test_operates_own_refusals_go_on_but_for_401(
    before: Callable[..., str], emulator: EntraEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    """Which would look like ours, and send people to sign in again and again."""
    upstream = Recorder(403)
    with httpx2.Client(base_url=before(upstream), trust_env=False) as client:
        for upstream.status in (403, 404, 500, 503):
            answer = client.get("/", headers=bearer(emulator))
            assert (answer.status_code, answer.text) == (upstream.status, "operate")
        upstream.status, upstream.headers = 401, ((b"www-authenticate", b'Bearer error="invalid_token"'),)
        answer = client.get("/", headers=bearer(emulator) | NAVIGATION)
        assert (answer.status_code, answer.json()["detail"]["code"]) == (502, "upstream_refused_token")
        assert "www-authenticate" not in answer.headers
    assert 'good here: Bearer error="invalid_token"' in caplog.text


def test_redirects_of_operate_lead_to_the_gateway(
    before: Callable[..., str], emulator: EntraEmulator
) -> None:
    """Those to Operate itself; others stay as they are."""
    upstream = Recorder(302)
    with httpx2.Client(base_url=before(upstream, "/operate"), trust_env=False) as client:
        client.get("/", headers=bearer(emulator))
        for location, public in {
            f"http://{upstream.last()['host']}/operate/x?y=1": "/x?y=1",
            "/operate/x": "/x",
            "/elsewhere": "/elsewhere",
            "https://other.example/operate/x": "https://other.example/operate/x",
            "//other.example/operate/x": "//other.example/operate/x",
            "x": "x",
            f"http://{upstream.last()['host']}/operate": "/",
            "/operate?x=1": "/?x=1",
            "/operated": "/operated",
        }.items():
            upstream.headers = ((b"location", location.encode()),)
            assert client.get("/", headers=bearer(emulator)).headers["location"] == public


def test_no_redirect_of_operate_becomes_one_to_another_site(
    before: Callable[..., str], emulator: EntraEmulator
) -> None:
    """A path such as /operate//evil.example is a path still when the prefix is gone."""
    upstream = Recorder(302)
    with httpx2.Client(base_url=before(upstream, "/operate"), trust_env=False) as client:
        client.get("/", headers=bearer(emulator))
        for start in ("/operate", f"http://{upstream.last()['host']}/operate"):
            for rest in ("//evil.example/x/", "/\\evil.example/x"):
                upstream.headers = ((b"location", (start + rest).encode()),)
                location = client.get("/", headers=bearer(emulator)).headers["location"]
                assert location == "/." + rest


def test_operates_address_is_known_in_every_spelling(load: Callable[..., ModuleType]) -> None:
    """The port that goes without saying and capital letters make no other address."""
    public = load("main", "http://Operate:80/x").upstream._public
    assert public("http://operate/x/y") == "/y"
    assert public("HTTP://OPERATE:80/x/y") == "/y"
    assert public("http://operate:81/x/y") == "http://operate:81/x/y"
    assert public("http://operate:port/x/y") == "http://operate:port/x/y"
    assert public("/x/\t/evil.example") == "/./\t/evil.example"


def test_a_stream_arrives_while_it_goes_on(address: str, emulator: EntraEmulator) -> None:
    """And Operate hears when nobody listens any more."""
    with (
        httpx2.Client(base_url=address, trust_env=False) as client,
        client.stream("GET", "/api/events", headers=bearer(emulator)) as answer,
    ):
        lines = answer.iter_lines()
        assert [next(lines) for _ in range(3)] == ["data: 0", "", "data: 1"]


def test_operate_hears_when_a_client_goes_away(before: Callable[..., str], emulator: EntraEmulator) -> None:
    """So that it need not work for nobody."""
    gone = threading.Event()

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"x", "more_body": True})
            while (await receive())["type"] != "http.disconnect":
                pass
            gone.set()

    with (
        httpx2.Client(base_url=before(endless), trust_env=False) as client,
        client.stream("GET", "/", headers=bearer(emulator)) as answer,
    ):
        body = answer.iter_raw()
        assert next(body) == b"x"
        assert not gone.wait(0.1)
    assert gone.wait(PATIENCE)


@pytest.mark.parametrize("content", [None, b"a body"])
def test_operate_hears_when_a_client_does_not_wait_for_the_answer(
    before: Callable[..., str], emulator: EntraEmulator, content: bytes | None
) -> None:
    """Not only when it has begun; nobody holds a connection that nobody waits for."""
    asked, gone = threading.Event(), threading.Event()

    async def silent(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            asked.set()
            while (await receive())["type"] != "http.disconnect":
                pass
            gone.set()

    client = HTTPConnection(urlsplit(before(silent)).netloc)
    client.request("POST", "/", content, bearer(emulator))
    assert asked.wait(PATIENCE)
    client.close()
    assert gone.wait(PATIENCE)


async def test_an_upload_is_passed_on_while_it_comes(
    before: Callable[..., str], emulator: EntraEmulator
) -> None:
    """Its second half is sent only once Operate has seen the first."""
    seen: list[bytes] = []
    first = threading.Event()

    async def receiving(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            more = True
            while more:
                message = await receive()
                seen.append(message["body"])
                first.set()
                more = message.get("more_body", False)
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body"})

    async def halves() -> AsyncIterator[bytes]:
        yield b"first"
        assert await asyncio.to_thread(first.wait, 5)
        yield b"second"

    async with httpx2.AsyncClient(trust_env=False) as client:
        answer = await client.post(before(receiving), headers=bearer(emulator), content=halves())
    assert answer.status_code == 200
    assert b"".join(seen) == b"firstsecond"


def test_a_large_body_arrives_whole(browser: httpx2.Client, emulator: EntraEmulator) -> None:
    """With its length, or in chunks."""
    body = b"x" * 3_000_000
    for content in (body, iter([body])):
        answer = browser.post("/api/upload", headers=bearer(emulator), content=content)
        assert answer.json() == {"bytes": len(body)}


def test_operate_away_is_502(load: Callable[..., ModuleType], emulator: EntraEmulator) -> None:
    """In JSON, as all refusals; signing in still works."""
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    with (
        serving(load("main", f"http://127.0.0.1:{port}").app) as address,
        httpx2.Client(base_url=address, trust_env=False) as client,
    ):
        answer = client.get("/", headers=bearer(emulator))
        assert (answer.status_code, answer.json()["detail"]["code"]) == (502, "upstream_unreachable")
        assert client.get("/auth/health").status_code == 200


@pytest.mark.parametrize(
    ("limits", "status", "code"),
    [({"read": 0.2}, 504, "upstream_timeout"), ({"pool": 0.2}, 503, "upstream_busy")],
)
async def test_operate_that_hangs_is_told_apart(
    before: Callable[..., str],
    load: Callable[..., ModuleType],
    emulator: EntraEmulator,
    monkeypatch: pytest.MonkeyPatch,
    limits: dict[str, float],
    status: int,
    code: str,
) -> None:
    """504 when it does not answer, 503 when all connections are taken."""
    over = threading.Event()

    async def hanging(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await asyncio.to_thread(over.wait, PATIENCE)
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body"})

    address = before(hanging)
    forwarding: Any = sys.modules["operate_gateway.forwarding"]
    seconds = dict.fromkeys(("connect", "read", "write", "pool"), float(PATIENCE)) | limits
    monkeypatch.setattr(forwarding, "TIMEOUT", httpx2.Timeout(**seconds))
    main: Any = sys.modules["operate_gateway.main"]
    main.upstream._client._transport._pool._max_connections = 1
    async with httpx2.AsyncClient(trust_env=False, timeout=PATIENCE) as client:
        asked = [asyncio.create_task(client.get(address, headers=bearer(emulator))) for _ in range(2)]
        done, _ = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        over.set()
        await asyncio.wait(asked)
    answer = done.pop().result()
    assert (answer.status_code, answer.json()["detail"]["code"]) == (status, code)


@pytest.mark.parametrize(
    "url",
    [
        *("", "operate:8080", "ftp://operate", "http://", "http://operate?x=1", "http://op erate"),
        *("http://operate:port", "http://operate:99999", "http://gateway:secret@operate", "http://operate/?"),
    ],
)
def test_an_address_that_is_none_is_told_at_start(load: Callable[..., ModuleType], url: str) -> None:
    """With the variable's name and what a right one looks like."""
    with pytest.raises(ValueError, match="OPERATE_URL says where Operate is, such as http://operate:8080"):
        load("main", url)


@contextmanager
def refused(status: int) -> Iterator[None]:
    """A handshake that gets that answer."""
    with pytest.raises(InvalidStatus) as error:
        yield
    assert error.value.response.status_code == status


async def test_a_websocket_passes_both_ways(address: str, emulator: EntraEmulator) -> None:
    """Text and bytes, with the subprotocol and the closing that Operate chose."""
    async with connect(
        address.replace("http", "ws") + "/api/socket?x=1",
        additional_headers=bearer(emulator),
        subprotocols=[Subprotocol("other"), Subprotocol("echo")],
    ) as there:
        assert there.subprotocol == "echo"
        assert await there.recv() == "Ada Admin"
        for said in ("text", b"\x00bytes"):
            await there.send(said)
            assert await there.recv() == said
        await there.send("good-bye")
        with pytest.raises(ConnectionClosed):
            await there.recv()
        assert (there.close_code, there.close_reason) == (4000, "As you wish")


async def test_operate_hears_why_a_client_closed(before: Callable[..., str], emulator: EntraEmulator) -> None:
    """With the code; and also when the connection just broke."""
    codes: list[int] = []

    async def listening(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            codes.append((await receive())["code"])

    address = before(listening).replace("http", "ws")
    for code, heard in ((4001, {4001}), (1000, {1000}), (None, {1000, 1011})):
        there = await connect(address, additional_headers=bearer(emulator))
        await (there.close(code) if code else asyncio.to_thread(there.transport.abort))
        await until(lambda: bool(codes))
        assert codes[0] in heard
        codes.clear()


async def test_a_websocket_that_operate_refuses_the_token_for_is_502(
    before: Callable[..., str], emulator: EntraEmulator
) -> None:
    """As for any request; other refusals are Operate's own."""

    async def refusing(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            status = int(scope["path"].lstrip("/"))
            await send({"type": "websocket.http.response.start", "status": status, "headers": []})
            await send({"type": "websocket.http.response.body", "body": b"no"})

    address = before(refusing).replace("http", "ws")
    for status, shown in ((401, 502), (404, 404)):
        with refused(shown):
            await connect(f"{address}/{status}", additional_headers=bearer(emulator))


@pytest.mark.parametrize("location", ["{elsewhere}/x", "/x", "https://login.example/"])
async def test_a_websocket_goes_to_operate_and_to_nobody_else(
    before: Callable[..., str], emulator: EntraEmulator, location: str
) -> None:
    """A redirect is not followed: the token and all that the client says are meant for Operate."""
    asked: list[str] = []

    async def elsewhere(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            asked.append("elsewhere")
            await receive()
            await send({"type": "websocket.close"})

    with serving(elsewhere) as address:
        target = location.format(elsewhere=address.replace("http", "ws"))

        async def moving(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "websocket":
                asked.append(scope["path"])
                await receive()
                headers = [(b"location", target.encode())]
                await send({"type": "websocket.http.response.start", "status": 302, "headers": headers})
                await send({"type": "websocket.http.response.body", "body": b""})

        with refused(302):
            await connect(before(moving).replace("http", "ws") + "/here", additional_headers=bearer(emulator))
    assert asked == ["/here"]


async def test_a_websocket_needs_who_it_is_and_operate(
    address: str, browser: httpx2.Client, load: Callable[..., ModuleType], emulator: EntraEmulator
) -> None:
    """401 without credentials, 403 from another site, 404 and 502 as Operate says or does not."""
    there = address.replace("http", "ws")
    with refused(401):
        await connect(f"{there}/api/socket")
    open_page(browser, "/", BEN)
    cookie = {"Cookie": f"entra_session={browser.cookies['entra_session']}"}
    with refused(403):
        await connect(f"{there}/api/socket", additional_headers=cookie, origin=Origin("https://evil.example"))
    async with connect(f"{there}/api/socket", additional_headers=cookie, origin=Origin(address)) as socket:
        assert await socket.recv() == BEN
    with refused(403):
        await connect(f"{there}/api/nothing", additional_headers=bearer(emulator))
    with refused(502):
        await connect(f"{there}/x/../api/socket", additional_headers=bearer(emulator))
    with (
        serving(load("main", "http://127.0.0.1:9").app) as nowhere,
        refused(502),
    ):
        await connect(nowhere.replace("http", "ws"), additional_headers=bearer(emulator))


def test_a_length_beside_chunks_does_not_go_on(load: Callable[..., ModuleType]) -> None:
    """It is wrong (RFC 9112, 6.3), and the length of what Operate gets is told by the chunks."""
    load("main", "http://operate")
    headers: Any = sys.modules["operate_gateway.headers"]
    scrubber = headers.Scrubber("entra_session")
    assert scrubber.request([("Content-Length", "3"), ("Transfer-Encoding", "chunked")]) == []
    assert scrubber.request([("Content-Length", "3")]) == [("Content-Length", "3")]
