"""What can go wrong with Entra, on demand."""

import asyncio
from dataclasses import dataclass
from typing import Final

from starlette.responses import PlainTextResponse, Response

_TOO_MANY: Final = "Too Many Requests"


@dataclass(slots=True)
class Faults:
    """What is wrong just now.

    Attributes:
        down: Whether nobody answers.
        delay: Seconds before every answer.
        throttled_until: Until when the token endpoint takes no more, in seconds since 1970.
    """

    down: bool = False
    delay: float = 0
    throttled_until: float = 0

    async def wait(self) -> None:
        """Let the delay pass."""
        if self.delay:
            await asyncio.sleep(self.delay)

    def seconds_left(self, now: float) -> int:
        """For how long the token endpoint takes no more, in whole seconds; 0 when it does."""
        return max(0, -int((now - self.throttled_until) // 1))


def too_many_requests(seconds: int) -> Response:
    """What applications get that ask too often (Learn: throttling in MSAL)."""
    return PlainTextResponse(_TOO_MANY, 429, {"Retry-After": str(seconds)})


def outage() -> Response:
    """What a server in front of a dead one answers."""
    return PlainTextResponse("Service unavailable", 503)
