"""Moments that last: answers of Entra's that are on their way until a test lets them go."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from camunda_entra_fastapi.testing import EntraEmulator
from tests.waiting import PATIENCE


class HoldingEntra(EntraEmulator):
    """A local Entra that makes its answers at once, and sends them when it is told to."""

    held = 0
    """How many answers are on their way."""
    _suffix: str | None = None
    _waited_for = False

    @contextmanager
    def holding(self, suffix: str = "") -> Iterator[None]:
        """Keep back what is answered where paths end so, until the block ends.

        Raises:
            AssertionError: Somebody had to wait for it, as far as a test can tell.
        """
        self._suffix = suffix
        try:
            yield
        finally:
            self._suffix = None
        assert not self._waited_for, "The answer was waited for."

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        messages: list[Message] = []

        async def keep(message: Message) -> None:
            messages.append(message)

        if scope["type"] != "http" or self._suffix is None or not scope["path"].endswith(self._suffix):
            await super().__call__(scope, receive, send)
            return
        await super().__call__(scope, receive, keep)
        self.held += 1
        deadline = time.monotonic() + PATIENCE
        while self._suffix is not None and not self._waited_for:
            self._waited_for = time.monotonic() > deadline
            await asyncio.sleep(0.01)
        self.held -= 1
        for message in messages:
            await send(message)


@dataclass
class Arrivals:
    """An application, and how many requests have reached it."""

    app: ASGIApp
    count: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        self.count += scope["type"] == "http"
        await self.app(scope, receive, send)
