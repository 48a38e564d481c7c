"""Which headers go on, and which end here."""

import re
from collections.abc import Iterable

Header = tuple[str, str]

# They are about one connection, not about what is sent over it (RFC 9110, 7.6.1).
HOP_BY_HOP = {
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}

# What only a gateway may say. Many programs read X_Auth_Request_User as X-Auth-Request-User.
SAID_BY_GATEWAYS = re.compile(r"x-auth-request-.*|x-entra-.*|x-forwarded-.*|x-real-ip|forwarded")

# The new connection has its own.
OURS_TO_SAY = {"authorization", "cookie", "expect", "host"}

# The server that runs this gateway says them of itself.
SERVERS_TO_SAY = {"date", "server"}


class Scrubber:
    """Takes out what must not go on.

    Args:
        cookie_name: The session's cookie, which is this gateway's alone.
    """

    def __init__(self, cookie_name: str) -> None:
        self._ours = re.compile(rf"(__Host-|__Secure-)?{re.escape(cookie_name)}(-\d+|_attempt_.*|_step)?")

    def request(self, headers: Iterable[Header]) -> list[Header]:
        """What the upstream gets of a client's headers."""
        kept = []
        # A length beside chunks is wrong, and an attempt at smuggling (RFC 9112, 6.3).
        chunked = any(name.lower() == "transfer-encoding" for name, _ in headers)
        dropped = OURS_TO_SAY | ({"content-length"} if chunked else set())
        for name, value in end_to_end(headers):
            plain = name.lower().replace("_", "-")
            if plain not in dropped and not SAID_BY_GATEWAYS.fullmatch(plain):
                kept.append((name, value))
        cookies = [
            cookie.strip()
            for name, value in headers
            if name.lower() == "cookie"
            for cookie in value.split(";")
            if cookie.strip() and not self._is_ours(cookie)
        ]
        return [*kept, ("Cookie", "; ".join(cookies))] if cookies else kept

    def response(self, headers: Iterable[Header]) -> list[Header]:
        """What the client gets of the upstream's headers; no cookie of it takes the place of ours."""
        return [
            (name, value)
            for name, value in end_to_end(headers)
            if name.lower() not in SERVERS_TO_SAY
            and (name.lower() != "set-cookie" or not self._is_ours(value))
        ]

    def _is_ours(self, cookie: str) -> bool:
        # Browsers keep "=name=value" as a value without a name, and send it as name=value.
        name = cookie.partition(";")[0].lstrip("= \t").partition("=")[0].strip()
        return self._ours.fullmatch(name) is not None


def end_to_end(headers: Iterable[Header]) -> list[Header]:
    """Without those that are about the connection, and those that it names as such."""
    headers = list(headers)
    named = {
        each.strip().lower()
        for name, value in headers
        if name.lower() == "connection"
        for each in value.split(",")
    }
    return [(name, value) for name, value in headers if name.lower() not in HOP_BY_HOP | named]
