"""Faults of Entra that a test injects: outages, delays and throttling."""

import asyncio
from dataclasses import dataclass
from typing import Final

from starlette.responses import PlainTextResponse, Response

_TOO_MANY_REQUESTS: Final = "Too Many Requests"


@dataclass(slots=True)
class Faults:
    """The faults that are injected now.

    Attributes:
        down: Whether the emulator is unreachable.
        delay: Seconds before each response.
        throttled_until: The time until which the token endpoint throttles, in seconds since 1970.
    """

    down: bool = False
    delay: float = 0
    throttled_until: float = 0

    async def wait(self) -> None:
        """Wait for the delay."""
        if self.delay:
            await asyncio.sleep(self.delay)

    def retry_after(self, now: float) -> int:
        """The whole seconds for which the token endpoint still throttles; 0 when it does not."""
        return max(0, -int((now - self.throttled_until) // 1))


def too_many_requests(seconds: int) -> Response:
    """The response to applications that are throttled (Learn: throttling in MSAL)."""
    return PlainTextResponse(_TOO_MANY_REQUESTS, 429, {"Retry-After": str(seconds)})


def service_unavailable() -> Response:
    """The response of a proxy whose upstream is down."""
    return PlainTextResponse("Service unavailable", 503)
