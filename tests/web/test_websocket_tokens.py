"""Browsers' scripts bring the token of a WebSocket among its subprotocols, where the settings let them."""

import base64
import logging
from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, WebSocket
from fastapi.testclient import TestClient
from starlette.testclient import WebSocketDenialResponse
from starlette.types import Message

from camunda_entra_fastapi import CamundaEntra, EntraUser
from camunda_entra_fastapi.testing import EntraEmulator
from tests.conftest import FakeClock
from tests.web.conftest import bearer

KUBERNETES = "base64url.bearer.authorization.k8s.io."
SHAPES = ["bearer.{}", "Bearer.{}", "authorization.bearer.{}", KUBERNETES + "{b64}"]


def offered(shape: str, token: str) -> str:
    """The subprotocol that holds the token."""
    return shape.format(token, b64=base64.urlsafe_b64encode(token.encode()).decode().rstrip("="))


def service(emulator: EntraEmulator, clock: FakeClock, **settings: Any) -> FastAPI:
    """A socket that says who is there and what was offered, and takes the first of it."""
    entra = CamundaEntra(emulator.settings(**settings), http_client=emulator.http_client(), clock=clock)
    app = FastAPI(lifespan=entra.lifespan)
    entra.install(app)
    app.include_router(entra.forward_auth_router(prefix="/gateway"))

    @app.websocket("/orders")
    async def orders(socket: WebSocket, user: Annotated[EntraUser, Depends(entra.current_user)]) -> None:
        await socket.accept(subprotocol=next(iter(socket.scope["subprotocols"]), None))
        header = socket.headers.get("sec-websocket-protocol")
        await socket.send_json([user.name, socket.scope["subprotocols"], header])
        await socket.close()

    @app.websocket("/token")
    async def token(socket: WebSocket) -> None:
        found = await entra.bearer.extract_access_token(socket)
        await socket.accept()
        await socket.send_json(found)

    @app.get("/me")
    async def me(user: Annotated[EntraUser, Depends(entra.current_user)]) -> str:
        return user.name or ""

    return app


@pytest.fixture
def client(emulator: EntraEmulator, clock: FakeClock) -> Iterator[TestClient]:
    """A client of a service that reads such tokens."""
    app = service(emulator, clock, websocket_protocol_tokens=True)
    with TestClient(app, base_url="https://testserver") as client:
        yield client


def refused(client: TestClient, *protocols: str, **headers: str) -> tuple[int, dict[str, Any]]:
    """Status and detail of a refused handshake."""
    with (
        pytest.raises(WebSocketDenialResponse) as denial,
        client.websocket_connect("/orders", subprotocols=protocols, headers=headers),
    ):
        pass
    return denial.value.status_code, denial.value.json()["detail"]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("others", [["orders.v1", "orders.v2"], []])
def test_a_token_among_the_subprotocols_opens_the_socket_and_is_none_of_them(
    client: TestClient, emulator: EntraEmulator, shape: str, others: list[str]
) -> None:
    """It is gone where the application looks for one to accept, wherever it stood."""
    protocols = [*others[:1], offered(shape, emulator.token()), *others[1:]]
    with client.websocket_connect("/orders", subprotocols=protocols) as socket:
        name, rest, header = socket.receive_json()
    assert name == "Ben Reader"
    assert rest == others
    assert header == (", ".join(others) or None)
    assert socket.accepted_subprotocol == (others[0] if others else None)


def test_the_word_bearer_and_the_token_may_be_two_subprotocols(
    client: TestClient, emulator: EntraEmulator
) -> None:
    """The word can be accepted."""
    with client.websocket_connect("/orders", subprotocols=["bearer", emulator.token()]) as socket:
        assert socket.receive_json()[1] == ["bearer"]
    assert socket.accepted_subprotocol == "bearer"


async def test_several_headers_are_like_one(emulator: EntraEmulator, clock: FakeClock) -> None:
    """RFC 6455, 11.3.4; and servers may hand over headers in something else than a list."""
    sent: list[Message] = []
    app = service(emulator, clock, websocket_protocol_tokens=True)
    token = emulator.token().encode()
    scope = {
        "type": "websocket",
        "path": "/orders",
        "query_string": b"",
        "headers": ((b"sec-websocket-protocol", b"a, bearer"), (b"sec-websocket-protocol", token + b",b")),
    }

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    assert sent[0]["subprotocol"] == "a"
    assert '"a, bearer, b"' in sent[1]["text"]


def test_without_the_setting_no_token_is_read_there_and_the_log_says_how_to(
    emulator: EntraEmulator, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever tries it learns why it does not work."""
    token = emulator.token()
    with caplog.at_level(logging.DEBUG), TestClient(service(emulator, clock)) as client:
        status, detail = refused(client, "orders.v1", f"bearer.{token}")
        assert (
            refused(client, "orders.v1")[1]["message"] == "This needs a bearer token from Microsoft Entra ID."
        )
    assert (status, detail["code"]) == (401, "credentials_missing")
    assert detail["message"] == "A token came in Sec-WebSocket-Protocol, where this service reads none."
    assert "CAMUNDA_ENTRA_WEBSOCKET_PROTOCOL_TOKENS=true" in caplog.text
    assert token.split(".")[2] not in caplog.text


@pytest.mark.parametrize("shape", SHAPES)
def test_http_requests_bring_no_token_there(client: TestClient, emulator: EntraEmulator, shape: str) -> None:
    """Scripts can set their Authorization header."""
    headers = {"Sec-WebSocket-Protocol": offered(shape, emulator.token())}
    assert client.get("/me", headers=headers).status_code == 401


def test_one_way_to_bring_a_token_is_enough(client: TestClient, emulator: EntraEmulator) -> None:
    """RFC 6750, 2: a request uses one method; nobody knows which of two tokens counts."""
    token = emulator.token()
    status, detail = refused(client, "a", f"bearer.{token}", **bearer(token))
    assert (status, detail["code"]) == (400, "authorization_repeated")
    assert "Sec-WebSocket-Protocol" in detail["message"]
    assert refused(client, f"bearer.{token}", f"authorization.bearer.{token}")[0] == 400


@pytest.mark.parametrize(
    ("protocol", "code"),
    [
        ("bearer.", "token_malformed"),
        ("bearer.nonsense", "token_malformed"),
        (KUBERNETES, "token_malformed"),
        (KUBERNETES + "!", "token_malformed"),
        (KUBERNETES + "aa", "token_malformed"),
        (KUBERNETES + base64.urlsafe_b64encode(b"a.b\r\nX: c").decode().rstrip("="), "token_malformed"),
        ("bearer." + "a" * 17_000, "token_too_large"),
        (KUBERNETES + "a" * 40_000, "token_too_large"),
    ],
)
def test_what_is_no_token_is_refused_as_in_the_header(client: TestClient, protocol: str, code: str) -> None:
    """It is bounded as there, and no cookie takes its place."""
    status, detail = refused(client, "orders.v1", protocol)
    assert (status, detail["code"]) == (401, code)
    assert protocol[-20:] not in str(detail)


def test_a_refused_token_reaches_neither_log_nor_answer(
    client: TestClient, emulator: EntraEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    """As with the header."""
    token = emulator.token(aud="api://other")
    with caplog.at_level(logging.DEBUG, logger="camunda_entra_fastapi"):
        status, detail = refused(client, "orders.v1", f"bearer.{token}")
    assert (status, detail["code"]) == (401, "audience_mismatch")
    assert token.split(".")[2] not in caplog.text + str(detail)


def test_the_header_counts_as_before(client: TestClient, emulator: EntraEmulator) -> None:
    """Programs set it, and offer the protocols that they speak."""
    headers = bearer(emulator.token())
    with client.websocket_connect("/orders", subprotocols=["orders.v1"], headers=headers) as socket:
        assert socket.receive_json()[1] == ["orders.v1"]


def test_a_bad_token_is_refused_whatever_cookie_there_is(client: TestClient, emulator: EntraEmulator) -> None:
    """The cookie counts where no token came."""
    cookie = f"__Host-{emulator.settings().cookie_name}=x"
    status, detail = refused(client, "orders.v1", "bearer.nonsense", Cookie=cookie)
    assert (status, detail["code"]) == (401, "token_malformed")


def test_pages_of_every_origin_may_bring_a_token(client: TestClient, emulator: EntraEmulator) -> None:
    """No browser sends one by itself, so another site's page has none to send."""
    protocols = ["a", f"bearer.{emulator.token()}"]
    headers = {"Origin": "https://shop.example.com", "Sec-Fetch-Site": "cross-site"}
    with client.websocket_connect("/orders", subprotocols=protocols, headers=headers) as socket:
        assert socket.receive_json()[0]


def test_the_scheme_of_the_move_gives_it_too(client: TestClient, emulator: EntraEmulator) -> None:
    """``extract_access_token`` is fastapi-azure-auth's."""
    token = emulator.token()
    with client.websocket_connect("/token", subprotocols=["a", f"bearer.{token}"]) as socket:
        assert socket.receive_json() == token


def test_a_gateway_may_ask_about_a_handshake(
    client: TestClient, emulator: EntraEmulator, clock: FakeClock
) -> None:
    """It repeats the handshake's headers in a request of its own."""
    handshake = {
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Protocol": f"orders.v1, bearer.{emulator.token()}",
        "Origin": "https://shop.example.com",
    }
    assert client.get("/gateway/verify", headers=handshake).status_code == 200
    both = handshake | bearer(emulator.token())
    assert client.get("/gateway/verify", headers=both).status_code == 400
    del handshake["Sec-WebSocket-Key"]
    assert client.get("/gateway/verify", headers=handshake).status_code == 401
    with TestClient(service(emulator, clock)) as other:
        answer = other.get("/gateway/verify", headers=handshake | {"Sec-WebSocket-Key": "x"})
        assert answer.status_code == 401
        assert "Sec-WebSocket-Protocol" in answer.json()["detail"]["message"]
