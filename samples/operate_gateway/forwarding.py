"""Requests on their way to Operate, and its answers on their way back; neither is ever held in memory."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import unquote, urlsplit

import httpx
from fastapi import Request, Response
from fastapi.responses import JSONResponse, StreamingResponse
from starlette.requests import ClientDisconnect, HTTPConnection
from starlette.types import Receive, Scope, Send

from operate_gateway.headers import Header, Scrubber

logger = logging.getLogger("operate_gateway")

# Seconds. Streams may pause for as long as "read" says.
TIMEOUT = httpx.Timeout(connect=5, read=60, write=60, pool=5)
LIMITS = httpx.Limits(max_connections=200, max_keepalive_connections=50)


class Upstream:
    """Operate.

    Args:
        url: Where it is.
        scrubber: Takes out headers.

    Raises:
        ValueError: That is no address.
    """

    def __init__(self, url: str, scrubber: Scrubber) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
            raise ValueError(
                "OPERATE_URL says where Operate is, such as http://operate:8080 or https://host/operate."
            )
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self.prefix = parts.path.rstrip("/")
        self.scrubber = scrubber
        self._client: httpx.AsyncClient

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        """Have connections while the block runs."""
        # No proxy or password of the environment's gets between this gateway and Operate.
        async with httpx.AsyncClient(timeout=TIMEOUT, limits=LIMITS, trust_env=False) as self._client:
            yield

    def target(self, connection: HTTPConnection) -> bytes | None:
        """Path and query for Operate, byte by byte as they came; None if the path may leave its prefix."""
        path: bytes = connection.scope["raw_path"]
        if not path.startswith(b"/") or {".", ".."} & set(unquote(path.decode("latin-1")).split("/")):
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
            ("X-Forwarded-Proto", connection.url.scheme.replace("ws", "http")),
        ]

    async def forward(self, request: Request, token: str) -> Response:
        """Operate's answer to a request."""
        target = self.target(request)
        if target is None:
            return refusal(400, "path_not_allowed", "The path has a segment . or .. in it.")
        has_body = "content-length" in request.headers or "transfer-encoding" in request.headers
        outgoing = httpx.Request(
            request.method,
            self.origin,
            headers=[
                (name.encode("latin-1"), value.encode("latin-1"))
                for name, value in self.headers(request, token)
            ],
            content=request.stream() if has_body else None,
            extensions={"target": target, "timeout": TIMEOUT.as_dict()},
        )
        try:
            answer = await self._client.send(outgoing, stream=True)
        except httpx.TransportError as error:
            return self._fault(error)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody will see it
        answer.headers.encoding = "latin-1"  # every byte is a character, so that all go on as they are
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            await answer.aclose()
            return self.refused(answer.headers.get("www-authenticate", "no challenge"))
        return Forwarded(answer, self._answer_headers(answer))

    def refused(self, challenge: str) -> Response:
        """For a token that is good here and not there. To sign in again would not help."""
        logger.warning("Operate refused a token that is good here: %s", challenge)
        return refusal(
            502,
            "upstream_refused_token",
            "You are signed in, but Operate did not accept your access token. Its settings "
            "CAMUNDA_IDENTITY_ISSUER and CAMUNDA_IDENTITY_AUDIENCE must be those of this gateway.",
        )

    def _fault(self, error: httpx.TransportError) -> Response:
        logger.warning("No answer from Operate at %s: %s", self.origin, type(error).__name__)
        if isinstance(error, httpx.PoolTimeout):
            return refusal(503, "upstream_busy", "All connections to Operate are taken. Try again.")
        if isinstance(error, httpx.TimeoutException):
            return refusal(504, "upstream_timeout", "Operate did not answer in time.")
        return refusal(502, "upstream_unreachable", "Operate cannot be reached at OPERATE_URL.")

    def _answer_headers(self, answer: httpx.Response) -> list[Header]:
        return [
            (name, self._public(value) if name.lower() == "location" else value)
            for name, value in self.scrubber.response(answer.headers.multi_items())
        ]

    def _public(self, location: str) -> str:
        """The address under which a browser finds what Operate redirects to."""
        path = location.removeprefix(self.origin)
        if path.startswith("//") or not path.startswith(f"{self.prefix}/"):
            return location
        return path.removeprefix(self.prefix)


class Forwarded(StreamingResponse):
    """An answer on its way; when the client goes away, Operate is told by closing the connection."""

    def __init__(self, answer: httpx.Response, headers: list[Header]) -> None:
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
