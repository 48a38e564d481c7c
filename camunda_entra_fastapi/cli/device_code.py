"""The device authorization grant: a person signs in in a browser, for a program that has none (RFC 8628)."""

import re
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, Final

from camunda_entra_fastapi.cli.findings import printable
from camunda_entra_fastapi.errors import Refusal
from camunda_entra_fastapi.remote.aadsts import read_refusal

_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/=-]{1,65536}")
"""RFC 6750, 2.1. The HTTP client would repeat anything else in its error message."""
_MAX_INTERVAL: Final = 60
_SLOW_DOWN: Final = 5


class DeviceCodeRefused(Exception):
    """Entra refused, or nobody signed in in time."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.error)
        self.refusal = refusal

    @property
    def own_words(self) -> str:
        """What to do, where that is told by the grant's own errors; else empty."""
        return {
            "authorization_declined": "The sign-in was declined. Run this again, and accept.",
            "expired_token": "The code has expired before somebody signed in. Run this again.",
            "bad_verification_code": "Entra does not know the code any more. Run this again.",
        }.get(self.refusal.error, "")


@dataclass(frozen=True, slots=True)
class Post:
    """A form to be sent; what comes back is the JSON object of the response."""

    url: str
    form: dict[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Wait:
    """Seconds to be waited."""

    seconds: int


def device_code_grant(
    device_url: str,
    token_url: str,
    *,
    client_id: str,
    scope: str,
    prompt: Callable[[str], object],
) -> Generator[Post | Wait, Any, str]:
    """Have somebody sign in; the access token (Learn: device authorization grant).

    It sends nothing itself: whoever drives it does, with or without asyncio.

    Args:
        device_url: The device authorization endpoint.
        token_url: The token endpoint.
        client_id: The client.
        scope: The scope.
        prompt: Called with the sentence that has address and code.

    Raises:
        DeviceCodeRefused: There is no token.
    """
    authorization = yield Post(device_url, {"client_id": client_id, "scope": scope})
    for name in ("device_code", "user_code", "verification_uri"):
        if not isinstance(authorization.get(name), str):
            raise DeviceCodeRefused(read_refusal(authorization))
    address, code = (
        printable(authorization["verification_uri"], 200),
        printable(authorization["user_code"], 40),
    )
    prompt(f"To sign in, open {address} in a browser and enter the code {code}")
    interval = _positive_seconds(authorization.get("interval"), 5)
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
        "client_id": client_id,
        "device_code": authorization["device_code"],
    }
    remaining = _positive_seconds(authorization.get("expires_in"), 900)
    while remaining > 0:
        yield Wait(interval)
        remaining -= interval
        response = yield Post(token_url, form)
        if is_token(token := response.get("access_token")):
            return str(token)
        refusal = read_refusal(response)
        if refusal.error == "slow_down":
            interval += _SLOW_DOWN
        elif refusal.error != "authorization_pending":
            raise DeviceCodeRefused(refusal)
    raise DeviceCodeRefused(Refusal("expired_token"))


def is_token(value: object) -> bool:
    """Whether it is text that can stand in an Authorization header."""
    return isinstance(value, str) and _TOKEN.fullmatch(value) is not None


def _positive_seconds(value: object, default: int) -> int:
    usable = isinstance(value, int) and not isinstance(value, bool) and value > 0
    return min(int(str(value)), _MAX_INTERVAL if default < _MAX_INTERVAL else 3600) if usable else default
