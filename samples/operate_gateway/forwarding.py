"""Requests on their way to Operate, and its answers on their way back; neither is ever held in memory."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from urllib.parse import unquote

import httpx2
from fastapi import Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.requests import ClientDisconnect, HTTPConnection
from starlette.types import Receive, Scope, Send

from operate_gateway.headers import Header, Scrubber

logger = logging.getLogger("operate_gateway")

# Seconds. Streams may pause for as long as "read" says.
TIMEOUT = httpx2.Timeout(connect=5, read=60, write=60, pool=5)
LIMITS = httpx2.Limits(max_connections=200, max_keepalive_connections=50)

ORIGIN = re.compile(r"https?://[^/?#\\]*", re.IGNORECASE)
HIGHEST_PORT = 65535


class Upstream:
    """Operate.

    Args:
        url: Where it is.
        scrubber: Takes out headers.

    Raises:
        ValueError: That is no address.
    """

    def __init__(self, url: str, scrubber: Scrubber) -> None:
        where = address(url)
        # A name and a password in it would take the place of the user's token.
        if where is None or where.userinfo or "?" in url or "#" in url:
            raise ValueError(
                "OPERATE_URL says where Operate is, such as http://operate:8080 or https://host/operate, "
                "without a password, a query or a fragment."
            )
        self.where = where
        self.origin = f"{where.scheme}://{where.netloc.decode()}"
        self.prefix = where.raw_path.decode().rstrip("/")
        self.scrubber = scrubber
        self._client: httpx2.AsyncClient

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        """Have connections while the block runs."""
        # The cookies of all those people are theirs; this client must not collect them.
        no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=()))
        # No proxy or password of the environment's gets between this gateway and Operate.
        async with httpx2.AsyncClient(
            timeout=TIMEOUT, limits=LIMITS, trust_env=False, cookies=no_cookies
        ) as self._client:
            yield

    def target(self, connection: HTTPConnection) -> bytes | None:
        """Path and query for Operate, byte by byte as they came; None if the path may leave its prefix."""
        path: bytes = connection.scope["raw_path"]
        # Java servers read "..;x" and some others "..\" as "..", too.
        segments = re.split(r"[/\\]", unquote(path.decode("latin-1")))
        if not path.startswith(b"/") or any(each.partition(";")[0] in {".", ".."} for each in segments):
            return None
        query: bytes = connection.scope["query_string"]
        return self.prefix.encode() + path + (b"?" + query if query else b"")

    def headers(self, connection: HTTPConnection, token: str) -> list[Header]:
        """What Operate is told: what the client said, who it is, and how it came here."""
        return [
            *self.scrubber.request(connection.headers.items()),
            ("Authorization", f"Bearer {token}"),
            ("X-Forwarded-For", connection.client.host if connection.client else "unknown"),
            ("X-Forwarded-Host", connection.headers.get("host", "")),
            ("X-Forwarded-Proto", connection.scope["scheme"].replace("ws", "http")),
        ]

    async def forward(self, request: Request, token: str) -> Response:
        """Operate's answer to a request."""
        target = self.target(request)
        if target is None:
            return refusal(400, "path_not_allowed", "The path has a segment . or .. in it.")
        has_body = "content-length" in request.headers or "transfer-encoding" in request.headers
        sent = asyncio.Event()

        async def body() -> AsyncIterator[bytes]:
            async for chunk in request.stream():
                yield chunk
            sent.set()

        outgoing = httpx2.Request(
            request.method,
            self.origin,
            headers=[
                (name.encode("latin-1"), value.encode("latin-1"))
                for name, value in self.headers(request, token)
            ],
            content=body() if has_body else None,
            extensions={"target": target, "timeout": TIMEOUT.as_dict()},
        )
        if not has_body:
            sent.set()
        try:
            answer = await self._ask(outgoing, request, sent)
        except httpx2.TransportError as error:
            return self._fault(error)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody will see it
        answer.headers.encoding = "latin-1"  # every byte is a character, so that all go on as they are
        if answer.status_code == httpx2.codes.UNAUTHORIZED:
            await answer.aclose()
            return self.refused(answer.headers.get("www-authenticate", "no challenge"))
        return Forwarded(answer, self._answer_headers(answer))

    async def _ask(self, outgoing: httpx2.Request, request: Request, sent: asyncio.Event) -> httpx2.Response:
        """The head of the answer, for which a client that went away does not wait."""

        async def gone() -> None:
            await sent.wait()  # until then, whoever reads the body hears of it
            while (await request.receive())["type"] != "http.disconnect":
                pass

        asking = asyncio.create_task(self._client.send(outgoing, stream=True))
        leaving = asyncio.create_task(gone())
        try:
            await asyncio.wait({asking, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not asking.done():
                raise ClientDisconnect
            return asking.result()
        finally:
            asking.cancel()
            leaving.cancel()
            await asyncio.gather(asking, leaving, return_exceptions=True)

    def refused(self, challenge: str) -> Response:
        """For a token that is good here and not there. To sign in again would not help."""
        shown = "".join(char if char.isprintable() else "?" for char in challenge[:300])
        logger.warning("Operate refused a token that is good here: %s", shown)
        return refusal(
            502,
            "upstream_refused_token",
            "You are signed in, but Operate did not accept your access token. Its settings "
            "CAMUNDA_IDENTITY_ISSUER and CAMUNDA_IDENTITY_AUDIENCE must be those of this gateway.",
        )

    def _fault(self, error: httpx2.TransportError) -> Response:
        logger.warning("No answer from Operate at %s: %s", self.origin, type(error).__name__)
        if isinstance(error, httpx2.PoolTimeout):
            return refusal(503, "upstream_busy", "All connections to Operate are taken. Try again.")
        if isinstance(error, httpx2.TimeoutException):
            return refusal(504, "upstream_timeout", "Operate did not answer in time.")
        return refusal(502, "upstream_unreachable", "Operate cannot be reached at OPERATE_URL.")

    def _answer_headers(self, answer: httpx2.Response) -> list[Header]:
        return [
            (name, self._public(value) if name.lower() == "location" else value)
            for name, value in self.scrubber.response(answer.headers.multi_items())
        ]

    def _public(self, location: str) -> str:
        """The address under which a browser finds what Operate redirects to."""
        origin = ORIGIN.match(location)
        if origin is None and re.match(r"/(?![/\\\t])", location) is None:
            return location
        path = location[origin.end() :] if origin else location
        rest = path.removeprefix(self.prefix)
        if (origin and not self._is_here(origin[0])) or not path.startswith(self.prefix):
            return location
        if rest[:1] not in {"", "/", "?", "#"}:
            return location
        # "//host" would be another site, also to browsers that read "\" as "/" and pass over tabs.
        start = "/." if rest[:1] == "/" and rest[1:2] in {"/", "\\", "\t"} else ""
        return f"{start}{rest}" if rest.startswith("/") else f"/{rest}"

    def _is_here(self, origin: str) -> bool:
        there = address(origin)
        return there is not None and host_and_port(there) == host_and_port(self.where)


def address(url: str) -> httpx2.URL | None:
    """The address of a web server in its normal form; None if it is none."""
    try:
        found = httpx2.URL(url)
    except httpx2.InvalidURL:
        return None
    if " " in url or found.scheme not in {"http", "https"} or not found.host:
        return None
    return found if (found.port or 1) <= HIGHEST_PORT else None


def host_and_port(url: httpx2.URL) -> tuple[str, str, int]:
    """What makes two addresses the same server, with the port that goes without saying."""
    return url.scheme, url.host, url.port or {"http": 80, "https": 443}[url.scheme]


class Forwarded(StreamingResponse):
    """An answer on its way; when the client goes away, Operate is told by closing the connection."""

    def __init__(self, answer: httpx2.Response, headers: list[Header]) -> None:
        super().__init__(answer.aiter_raw(), answer.status_code)
        self.raw_headers = [
            (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers
        ]
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._answer.aclose()


def refusal(status: int, code: str, message: str) -> Response:
    """An answer of the gateway's own, in the shape that its refusals of tokens have."""
    detail = {"error": "upstream_error", "code": code, "message": message}
    return JSONResponse({"detail": detail}, status, {"Cache-Control": "no-store"})
