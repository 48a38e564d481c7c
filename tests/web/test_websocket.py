"""WebSockets are authenticated before they are accepted."""

from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.testclient import WebSocketDenialResponse
from starlette.types import Message

from camunda_entra_fastapi.testing import EntraEmulator
from tests.web.conftest import bearer


def test_a_good_token_opens_the_socket(client: TestClient, emulator: EntraEmulator) -> None:
    """The same dependencies serve WebSockets."""
    token = emulator.token(roles=["Operate.Admin"])
    with client.websocket_connect("/ws", headers=bearer(token)) as socket:
        assert socket.receive_json()["name"]


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
