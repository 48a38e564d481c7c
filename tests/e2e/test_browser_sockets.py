"""WebSockets and streams of pages in a real browser: tokens among the subprotocols, and how they end."""

import asyncio
import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, HTTPException, Request, WebSocket
from fastapi.responses import HTMLResponse, StreamingResponse
from playwright.sync_api import Page, sync_playwright

from camunda_entra_fastapi import CamundaEntra, EntraUser
from camunda_entra_fastapi.testing import EntraEmulator, SigningKey
from camunda_entra_fastapi.testing.serving.server import serving
from tests.waiting import PATIENCE

ROOT = Path(__file__).parents[2]
ADA = "Ada Admin"
CONNECT = """([url, protocols]) => new Promise((resolve) => {
  const heard = {};
  const socket = protocols ? new WebSocket(url, protocols) : new WebSocket(url);
  socket.onmessage = (message) => { heard.message = message.data; };
  socket.onclose = (closed) => {
    resolve({...heard, protocol: socket.protocol, code: closed.code, reason: closed.reason});
  };
})"""

SCRIPT = (ROOT / "samples" / "single_page_application" / "socket.js").read_text("utf-8")


@dataclass
class Service:
    """A running service, its Entra, and a page of no service."""

    url: str
    emulator: EntraEmulator
    page: Page

    def connect(self, path: str, *protocols: str) -> dict[str, Any]:
        """What a page's script hears of a WebSocket, until it is closed."""
        url = self.url.replace("http", "ws") + path
        heard: dict[str, Any] = self.page.evaluate(CONNECT, [url, list(protocols)])
        return heard


def application(entra: CamundaEntra) -> FastAPI:
    """Orders by WebSocket and by server-sent events."""
    app = FastAPI(lifespan=entra.lifespan)
    entra.install(app)
    current_user = Annotated[EntraUser, Depends(entra.current_user)]

    @app.get("/page")
    async def page(user: current_user) -> HTMLResponse:
        return HTMLResponse(f"<h1>Hello {user.name}</h1>")

    @app.websocket("/orders")
    async def orders(socket: WebSocket, user: current_user) -> None:
        await socket.accept(subprotocol=next(iter(socket.scope["subprotocols"]), None))
        await socket.send_json([user.name, socket.scope["subprotocols"]])
        await socket.close()

    @app.websocket("/long")
    async def long(socket: WebSocket, _: current_user) -> None:
        await socket.accept()
        await socket.send_text("open")
        async for text in entra.while_good(socket, socket.iter_text(), every=0.1):
            await socket.send_text(text)

    @app.get("/events")
    async def events(request: Request, _: current_user) -> StreamingResponse:
        async def silence() -> Any:
            yield "open"
            async for _message in _forever():
                yield "never"

        async def written() -> Any:
            try:
                async for text in entra.while_good(request, silence(), every=0.1):
                    yield f"data: {text}\n\n"
            except HTTPException as ended:
                yield f"event: signed-out\ndata: {json.dumps(ended.detail)}\n\n"

        return StreamingResponse(written(), media_type="text/event-stream")

    return app


async def _forever() -> Any:
    await asyncio.Event().wait()
    yield


@pytest.fixture(scope="module")
def service(new_key: Callable[[], SigningKey]) -> Iterator[Service]:
    """Debian's Chromium and one service for all tests."""
    emulator = EntraEmulator(new_key=new_key)
    flags = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    with emulator.serve(), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=flags)
        entra = CamundaEntra(emulator.settings(session_store="memory", websocket_protocol_tokens=True))
        with serving(application(entra)) as address, browser.new_context(locale="en-GB") as context:
            context.set_default_timeout(1000 * PATIENCE)
            url = address.replace("127.0.0.1", "localhost")
            yield Service(url, emulator, context.new_page())
        browser.close()


@pytest.mark.parametrize("shape", ["bearer.{}", "authorization.bearer.{}", "kubernetes", "pair"])
def test_a_page_s_token_opens_a_socket_and_the_other_protocol_is_chosen(service: Service, shape: str) -> None:
    """Also from a page of another origin, as no browser sends such a token by itself."""
    token = service.emulator.token()
    encoded = base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")
    offered = {
        "kubernetes": ["orders.v1", f"base64url.bearer.authorization.k8s.io.{encoded}"],
        "pair": ["bearer", token],
    }.get(shape, ["orders.v1", shape.format(token)])
    service.page.goto(f"{service.emulator.base_url}/healthz")
    heard = service.connect("/orders", *offered)
    assert heard["protocol"] == offered[0]
    assert json.loads(heard["message"]) == ["Ben Reader", offered[:1]]
    assert heard["code"] == 1000


def test_the_sample_s_script_opens_a_socket(service: Service) -> None:
    """It says what came and, by the close code, that a sign-in is over."""
    service.page.goto(service.url + "/auth/health")
    service.page.evaluate(SCRIPT + "; window.connectSocket = connect;")
    heard = service.page.evaluate(
        """([url, token]) => new Promise((resolve) => {
          window.connectSocket(url, token, (it) => resolve(["text", it]), (why) => resolve(["over", why]));
        })""",
        [service.url.replace("http", "ws") + "/orders", service.emulator.token()],
    )
    assert heard == ["text", '["Ben Reader",["orders.v1"]]']


def test_chromium_wants_another_protocol_than_the_token(service: Service) -> None:
    """With the token alone, none is left to choose, and the browser fails what the service accepted."""
    heard = service.connect("/orders", f"bearer.{service.emulator.token()}")
    assert (heard["code"], "message" in heard) == (1006, False)


def test_signing_out_closes_sockets_and_ends_streams(service: Service) -> None:
    """A tab's socket and its stream, which wait for messages, learn of another tab's signing out."""
    page = service.page
    page.goto(service.url + "/page")
    page.get_by_role("button", name=ADA).click()
    page.get_by_role("heading", name=f"Hello {ADA}").wait_for()
    page.evaluate(
        """(connect) => {
          const wait = eval(connect);
          window.socketClosed = wait([location.origin.replace("http", "ws") + "/long"]);
          window.ended = new Promise((resolve) => {
            const events = new EventSource("/events");
            window.opened = new Promise((open) => { events.onmessage = open; });
            events.addEventListener("signed-out", (event) => { events.close(); resolve(event.data); });
          });
        }""",
        CONNECT,
    )
    page.evaluate("async () => { await window.opened; }")
    page.evaluate("async () => { await fetch('/auth/logout', {method: 'POST', redirect: 'manual'}); }")
    heard = page.evaluate("() => window.socketClosed")
    assert (heard["message"], heard["code"], heard["reason"]) == ("open", 3000, "credentials_missing")
    assert json.loads(page.evaluate("() => window.ended"))["code"] == "credentials_missing"
