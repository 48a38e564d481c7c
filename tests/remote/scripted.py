"""An Entra of two documents, answering in the same process whatever a test wants it to answer."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import httpx

from camunda_entra_fastapi.remote.discovery import Provider
from camunda_entra_fastapi.remote.http import EntraHttp
from camunda_entra_fastapi.remote.keysource import KeySource
from tests.conftest import FakeClock
from tests.tokens import ISSUER, jwk

LIFETIME = 3600.0
UNREACHABLE = object()
"""As an answer: the connection fails."""


@dataclass
class ScriptedEntra:
    """Its responses, and the documents that were requested."""

    keys: object = field(default_factory=lambda: {"keys": [jwk()]})
    """The key set, as JSON; bytes for a body that is none."""
    discovery: object = field(
        default_factory=lambda: {"issuer": ISSUER, "jwks_uri": ISSUER.replace("v2.0", "discovery/v2.0/keys")}
    )
    requested: list[str] = field(default_factory=list)

    def publish(self, *entries: Any) -> None:
        """Have these keys from now on: JWKs, or names of keys."""
        self.keys = {"keys": [jwk(entry) if isinstance(entry, str) else entry for entry in entries]}

    def down(self) -> None:
        """Be unreachable."""
        self.keys = self.discovery = UNREACHABLE

    def source(self, clock: FakeClock, *, retention: float = 0.0, lifetime: float = LIFETIME) -> KeySource:
        """A key source that asks it."""
        client = httpx.AsyncClient(transport=httpx.MockTransport(self._answer))
        return KeySource(
            EntraHttp(client=client),
            Provider(ISSUER, ISSUER),
            lifetime=lifetime,
            monotonic=clock.monotonic,
            retention=retention,
        )

    def _answer(self, request: httpx.Request) -> httpx.Response:
        document = "keys" if request.url.path.endswith("/keys") else "discovery"
        self.requested.append(document)
        answer = getattr(self, document)
        if answer is UNREACHABLE:
            raise httpx.ConnectError("No route to host", request=request)
        if isinstance(answer, bytes):
            return httpx.Response(200, content=answer)
        return httpx.Response(200, json=answer)


async def settle() -> None:
    """Let a refresh in the background come to its end, whichever."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*others, return_exceptions=True)
