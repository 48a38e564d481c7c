"""WebSockets are authenticated before they are accepted."""

from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, HTTPException, WebSocket
from fastapi.security import SecurityScopes
from fastapi.testclient import TestClient
from starlette.testclient import WebSocketDenialResponse
from starlette.types import Message

from camunda_entra_fastapi import CamundaEntra, EntraUser
from camunda_entra_fastapi.testing import EntraEmulator
from tests.conftest import FakeClock
from tests.web.conftest import bearer


def test_a_good_token_opens_the_socket(client: TestClient, emulator: EntraEmulator) -> None:
    """The same dependencies serve WebSockets."""
    token = emulator.token(roles=["Operate.Admin"])
    with client.websocket_connect("/ws", headers=bearer(token)) as socket:
        assert socket.receive_json()["name"]


def test_a_socket_may_ask_again_while_it_is_open(
    app: FastAPI, entra: CamundaEntra, emulator: EntraEmulator, clock: FakeClock
) -> None:
    """It outlives the token that opened it, and so can tell."""

    @app.websocket("/long")
    async def long(websocket: WebSocket, _: Annotated[EntraUser, Depends(entra.current_user)]) -> None:
        await websocket.accept()
        clock.advance(24 * 3600)
        with pytest.raises(HTTPException) as refusal:
            await entra.current_user(websocket, SecurityScopes())
        await websocket.send_json(refusal.value.detail)
        await websocket.close()

    with (
        TestClient(app) as client,
        client.websocket_connect("/long", headers=bearer(emulator.token())) as socket,
    ):
        assert socket.receive_json()["code"] == "token_expired"


@pytest.mark.parametrize(
    ("token", "status", "code"),
    [({}, 403, "role_missing"), ({"aud": "api://other"}, 401, "audience_mismatch"), (None, 401, None)],
)
def test_a_refusal_carries_status_body_and_challenge(
    client: TestClient, emulator: EntraEmulator, token: dict[str, Any] | None, status: int, code: str | None
) -> None:
    """The denial response is that of HTTP."""
    headers = {} if token is None else bearer(emulator.token(**token))
    with (
        pytest.raises(WebSocketDenialResponse) as denial,
        client.websocket_connect("/ws", headers=headers),
    ):
        pass
    assert denial.value.status_code == status
    assert denial.value.headers["WWW-Authenticate"].startswith("Bearer realm=")
    assert denial.value.json()["detail"]["code"] == (code or "credentials_missing")


async def test_without_denial_responses_the_socket_is_closed(app: FastAPI) -> None:
    """A server that cannot answer closes with 1008."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "websocket", "path": "/ws", "headers": [], "query_string": b"", "subprotocols": []}
    await app(scope, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1008, "reason": "credentials_missing"}]
