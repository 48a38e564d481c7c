"""Bytes that no browser sends, and clients that hang up, at real servers: nothing fails, nor says so."""

import logging
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Annotated, Any, Final
from urllib.parse import urlencode, urlsplit

import httpx
import pytest
import uvicorn
from fastapi import Depends, FastAPI, WebSocket

from camunda_entra_fastapi import CamundaEntra, EntraUser
from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.directory import OPERATE
from tests.site import SECRET, signing_key
from tests.waiting import PATIENCE
from tests.web.test_odd_hosts import ODD

HTTP: Final = ("h11", "httptools")
FORM_TYPE: Final = "application/x-www-form-urlencoded"
SAME_ORIGIN: Final = "Sec-Fetch-Site: same-origin\r\n"


@dataclass
class Server:
    """A uvicorn, and the requests that it has."""

    port: int
    uvicorn: uvicorn.Server

    def send(self, data: bytes, *, reset: bool = False, wait: bool = True) -> bytes:
        """What it answers to these bytes; without ``wait`` the client hangs up at once, or resets."""
        answer = b""
        with (
            socket.create_connection(("127.0.0.1", self.port), timeout=3) as client,
            suppress(ConnectionError),  # a server that has read enough does not read the rest
        ):
            client.sendall(data)
            if wait:
                while part := client.recv(65_536):
                    answer += part
            elif reset:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.rest()
        return answer

    def rest(self) -> None:
        """Wait until no request is in progress."""
        deadline = time.monotonic() + PATIENCE
        while self.uvicorn.server_state.tasks or self.uvicorn.server_state.connections:
            assert time.monotonic() < deadline, "a request does not end"
            time.sleep(0.002)


@contextmanager
def serving(app: Any, http: str) -> Iterator[Server]:
    """Serve the application by that implementation of HTTP, with its log where tests see it."""
    config = uvicorn.Config(app, http=http, log_config=None, timeout_keep_alive=1)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.002)
        try:
            yield Server(listener.getsockname()[1], server)
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture
def entra_emulator_of_ours() -> EntraEmulator:
    """An emulator with a key that is made once."""
    return EntraEmulator(new_key=signing_key)


def application(emulator: EntraEmulator) -> FastAPI:
    """A service with all pages."""
    entra = CamundaEntra(emulator.settings(), http_client=emulator.http_client())
    app = FastAPI(lifespan=entra.lifespan)
    entra.install(app, protect_docs=True)
    app.include_router(entra.forward_auth_router())
    user = Annotated[EntraUser, Depends(entra.current_user)]

    @app.get("/page")
    @app.post("/page")
    async def page(who: user) -> str:
        return str(who.name)

    @app.websocket("/ws")
    async def ws(socket: WebSocket, _: user) -> None:
        await socket.accept()

    return app


def assert_no_trace(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing went wrong, whoever would have logged it."""
    bad = [
        (record.name, record.getMessage(), record.exc_text)
        for record in caplog.records
        if record.levelno >= logging.ERROR or record.exc_info or "Traceback" in record.getMessage()
        # What uvicorn 0.54 says of every WebSocket that an application denies with a response.
        if record.getMessage() != "ASGI callable returned without completing handshake."
    ]
    assert bad == []


PATHS: Final = (
    *("login", "login-callback", "login-callback?error=access_denied&state=s", "logout", "me", "health"),
    *("front-channel-logout?sid=s", "admin-consent", "admin-consent-callback", "token", "identity-keys"),
    *(
        "verify?redirect=true",
        "ext-authz/x",
        "../docs",
        "../docs/oauth2-redirect",
        "../openapi.json",
        "../page",
    ),
)
"""Below ``/auth/``."""
FORMS: Final = ("token", "logout", "login-callback", "front-channel-logout")
UPGRADE: Final = (
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
NAVIGATION: Final = b"Sec-Fetch-Mode: navigate\r\nSec-Fetch-Site: none\r\n"


@pytest.mark.parametrize("http", HTTP)
def test_odd_hosts_over_the_wire(
    entra_emulator_of_ours: EntraEmulator, caplog: pytest.LogCaptureFixture, http: str
) -> None:
    """RFC 9110, 7.2: whatever the server lets through is answered, HTTP/1.0 and WebSockets included."""
    statuses = set()
    with serving(application(entra_emulator_of_ours), http) as server:
        for name, hosts in ODD.items():
            host = b"".join(b"Host: %s\r\n" % value for value in hosts)
            for number, page in enumerate(PATHS):
                path = f"/auth/{page}".replace("/auth/../", "/")
                version = b"1.0" if (number + len(name)) % 2 else b"1.1"
                method = b"POST" if page == "token" else b"GET"
                head = method + b" " + path.encode() + b" HTTP/" + version + b"\r\n" + host
                answer = server.send(
                    head + (NAVIGATION if number % 3 else b"") + b"Connection: close\r\n\r\n"
                )
                status = int(answer.split(b" ", 2)[1])
                statuses.add(status)
                assert 200 <= status < 500, (name, path, answer[:300])
                assert b"127.0.0.1" not in answer, (name, path)
            if len(host) < 8000:  # uvicorn answers 431, and leaves the connection open
                answer = server.send(b"GET /ws HTTP/1.1\r\n" + host + UPGRADE + b"\r\n")
                assert int(answer.split(b" ", 2)[1]) in (400, 401), (name, answer[:300])
    assert {200, 302, 400, 401} <= statuses
    assert_no_trace(caplog)


def broken_forms(path: str, form: dict[str, str], headers: str = "") -> Iterator[bytes]:
    """Requests that end before their body does, each in another way."""
    body = urlencode(form)
    head = f"POST {path} HTTP/1.1\r\nHost: localhost:8000\r\n{headers}"
    typed = f"{head}Content-Type: {FORM_TYPE}\r\n"
    for sent in (body, body[: len(body) // 2], body[:1], ""):
        yield f"{typed}Content-Length: {len(body) + 100}\r\n\r\n{sent}".encode()
    yield f"{typed}Transfer-Encoding: chunked\r\n\r\n{len(body) + 50:x}\r\n{body}".encode()
    yield f"{typed}Transfer-Encoding: chunked\r\n\r\n{len(body):x}\r\n{body}\r\n".encode()
    parts = f'--b\r\nContent-Disposition: form-data; name="grant_type"\r\n\r\n{body}'
    multipart = f"{head}Content-Type: multipart/form-data; boundary=b\r\n"
    yield f"{multipart}Content-Length: {len(parts) + 100}\r\n\r\n{parts}".encode()


def odd_forms(path: str, headers: str = "") -> Iterator[bytes]:
    """Requests with bodies that are whole, and no form, or too much of one."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost:8000\r\nConnection: close\r\n{headers}"
    broken = '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n--b'
    for kind, body in (
        ("multipart/form-data; boundary=b", broken),
        ("multipart/form-data", broken),
        ("multipart/form-data; boundary=\xff", broken),
        (FORM_TYPE, "&".join(f"a{number}=x" for number in range(1001))),
        (FORM_TYPE, "a=" + "x" * 20_000),
        (FORM_TYPE, "a=" + "x" * 200_000),
        (FORM_TYPE, "\xff\xfe=%ff%fe&%=%&==&&"),
        (f"{FORM_TYPE}; charset=utf-16", "a=b"),
        ("", "a=b"),
        ("application/json", '{"a": ' * 2000),
    ):
        data = body.encode("latin-1")
        yield f"{head}Content-Type: {kind}\r\nContent-Length: {len(data)}\r\n\r\n".encode("latin-1") + data


def misframed_forms(path: str, headers: str = "") -> Iterator[bytes]:
    """Requests whose body nobody can find the end of (RFC 9112, 6)."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost:8000\r\nConnection: close\r\n{headers}"
    for framing in ("Content-Length: x", "Content-Length: -1", "Content-Length: 1\r\nContent-Length: 2"):
        yield f"{head}Content-Type: {FORM_TYPE}\r\n{framing}\r\n\r\na=b".encode()
    yield f"{head}Content-Type: {FORM_TYPE}\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\na=b\r\n".encode()


DOCS_FORM: Final = {
    "grant_type": "authorization_code",
    "code": "a-code",
    "client_id": OPERATE,
    "redirect_uri": "http://localhost:8000/docs/oauth2-redirect",
    "code_verifier": "v" * 43,
}


@pytest.mark.parametrize("http", HTTP)
@pytest.mark.parametrize("reset", [False, True])
def test_whoever_hangs_up_in_the_middle_of_a_form_changes_nothing(
    entra_emulator_of_ours: EntraEmulator, caplog: pytest.LogCaptureFixture, http: str, *, reset: bool
) -> None:
    """Neither an exception nor a trace; Entra is not asked, though the part that came was a whole form."""
    caplog.set_level(logging.DEBUG, "uvicorn")
    with serving(application(entra_emulator_of_ours), http) as server:
        before = len(entra_emulator_of_ours.requests)
        for path in FORMS:
            for data in broken_forms(f"/auth/{path}", DOCS_FORM, SAME_ORIGIN):
                server.send(data, reset=reset, wait=False)
        assert [one for one in list(entra_emulator_of_ours.requests)[before:] if "token" in one.path] == []
    assert_no_trace(caplog)


@pytest.mark.parametrize("http", HTTP)
def test_bodies_that_are_no_forms_are_refused(
    entra_emulator_of_ours: EntraEmulator, caplog: pytest.LogCaptureFixture, http: str
) -> None:
    """Broken multipart, wrong lengths, too large, too many fields: 4xx, by the server or by us."""
    with serving(application(entra_emulator_of_ours), http) as server:
        for data in (*odd_forms("/auth/token", SAME_ORIGIN), *misframed_forms("/auth/token", SAME_ORIGIN)):
            answer = server.send(data)
            assert answer == b"" or 400 <= int(answer.split(b" ", 2)[1]) < 500, (data[:300], answer)
    assert_no_trace(caplog)


def emulated(emulator: EntraEmulator) -> dict[str, dict[str, str]]:
    """The emulator's pages that read a body, each with a form."""
    tenant = emulator.tenant.id
    client = {"client_id": OPERATE, "client_secret": SECRET}
    grant = {"grant_type": "client_credentials", "scope": f"{OPERATE}/.default"}
    return {
        f"/{tenant}/oauth2/v2.0/token": client | grant,
        f"/{tenant}/oauth2/v2.0/authorize?client_id={OPERATE}&response_type=code": {"login": "x"},
        f"/{tenant}/oauth2/v2.0/devicecode": client | {"scope": "openid"},
        f"/{tenant}/oauth2/v2.0/logout": {"logout_hint": "x"},
        f"/{tenant}/v2.0/adminconsent?client_id={OPERATE}": {"answer": "accept"},
        f"/{tenant}/adminconsent?client_id={OPERATE}": {"answer": "accept"},
        "/common/oauth2/deviceauth": {"code": "x"},
        "/v1.0/me/getMemberObjects": {"securityEnabledOnly": "false"},
        "/v1.0/applications": {"displayName": "x"},
        "/oidc/userinfo": {"a": "b"},
    }


@pytest.mark.parametrize("http", HTTP)
@pytest.mark.parametrize("reset", [False, True])
def test_the_emulator_does_not_mind_either(
    entra_emulator_of_ours: EntraEmulator, caplog: pytest.LogCaptureFixture, http: str, *, reset: bool
) -> None:
    """Pages, token endpoint and Graph: hung up in the middle, or something else than a form."""
    emulator = entra_emulator_of_ours
    token = emulator.token(user="Ada Admin", aud="00000003-0000-0000-c000-000000000000")
    headers = f"Authorization: Bearer {token}\r\n"
    with serving(emulator, http) as server:
        before = len(emulator.tenant.applications)
        for path, form in emulated(emulator).items():
            for data in broken_forms(path, form, headers):
                server.send(data, reset=reset, wait=False)
            json = f"POST {path} HTTP/1.1\r\nHost: x\r\n{headers}Content-Type: application/json\r\n"
            data = f'{json}Content-Length: 99\r\n\r\n{{"displayName": "x"}}'.encode()
            server.send(data, reset=reset, wait=False)
            for data in odd_forms(path, headers):
                answer = server.send(data)
                assert answer == b"" or int(answer.split(b" ", 2)[1]) < 500, (data[:300], answer)
        assert len(emulator.tenant.applications) == before
    assert_no_trace(caplog)


@pytest.mark.parametrize("http", HTTP)
def test_the_emulator_answers_odd_hosts(
    entra_emulator_of_ours: EntraEmulator, caplog: pytest.LogCaptureFixture, http: str
) -> None:
    """Its addresses are those of its own base URL."""
    tenant = entra_emulator_of_ours.tenant.id
    paths = [urlsplit(path).path for path in emulated(entra_emulator_of_ours)]
    paths += [f"/{tenant}/v2.0/.well-known/openid-configuration?appid={OPERATE}", "/v1.0/nothing", "/v1.0/me"]
    with serving(entra_emulator_of_ours, http) as server:
        for name, hosts in ODD.items():
            host = b"".join(b"Host: %s\r\n" % value for value in hosts)
            for path in paths:
                answer = server.send(b"GET " + path.encode() + b" HTTP/1.0\r\n" + host + b"\r\n")
                assert int(answer.split(b" ", 2)[1]) < 500, (name, path, answer[:300])
    assert_no_trace(caplog)


@pytest.mark.parametrize("http", HTTP)
def test_a_code_is_not_used_up_by_half_a_request(entra_emulator_of_ours: EntraEmulator, http: str) -> None:
    """The whole request that follows gets the tokens."""
    with serving(entra_emulator_of_ours, http) as server:
        url = f"http://127.0.0.1:{server.port}"
        path, form = next(iter(emulated(entra_emulator_of_ours).items()))
        for data in broken_forms(path, form):
            server.send(data, wait=False)
        assert httpx.post(url + path, data=form, trust_env=False).status_code == 200
