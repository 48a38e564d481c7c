"""The URL of a Redis, cut into its parts. Pure, and the same on every Python.

``urllib.parse`` knows one host in a URL. From Python 3.13 on it refuses a list of hosts in which one is
an IPv6 address that does not come first.
"""

import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, unquote

_URL: Final = re.compile(
    r"(?:redis|valkey)(?P<tls>s?)(?:\+(?P<kind>sentinel|cluster))?://"
    r"(?:(?P<userinfo>[^/?#\[\]]*)@)?(?P<hosts>[^/?#@]+)(?P<path>(?:/[^?#@]*)?)(?:\?(?P<query>[^#@]*))?",
    re.IGNORECASE,
)
_HOST: Final = re.compile(r"(?:\[(?P<address>[^\[\]]+)\]|(?P<name>[^\[\]:]+))(?::(?P<port>[0-9]+))?")
_MAX_PORT: Final = 65_535
_DEFAULT_PORTS: Final = {"sentinel": 26_379}


@dataclass(frozen=True, slots=True)
class Host:
    """A host of the URL, in lower case, and its port."""

    name: str
    port: int
    is_bracketed: bool


@dataclass(frozen=True, slots=True)
class RedisUrl:
    """The parts of the URL. Whether hosts, path and options are good, the settings check."""

    is_tls: bool
    kind: str
    """``sentinel``, ``cluster``, or empty for a single Redis."""
    userinfo: str = field(repr=False)
    hosts: tuple[Host, ...]
    authority: str
    """The hosts as they were given, without user and password."""
    path: str
    query: str = field(repr=False)

    @property
    def options(self) -> dict[str, str]:
        """What stands behind the question mark."""
        return dict(parse_qsl(self.query))

    @property
    def username(self) -> str | None:
        """The user, before the host or behind it."""
        return unquote(self.userinfo.partition(":")[0]) or self.options.get("username")

    @property
    def password(self) -> str | None:
        """The password, before the host or behind it."""
        return unquote(self.userinfo.partition(":")[2]) or self.options.get("password")


def read_redis_url(text: str) -> RedisUrl | None:
    """The parts of a Redis URL; None for what is none."""
    url = _URL.fullmatch(text)
    if url is None:
        return None
    kind = (url["kind"] or "").lower()
    hosts = []
    for each in url["hosts"].split(","):
        host = _HOST.fullmatch(each)
        port = int(host["port"] or _DEFAULT_PORTS.get(kind, 6379)) if host else 0
        if host is None or not 0 < port <= _MAX_PORT:
            return None
        hosts.append(Host((host["address"] or host["name"]).lower(), port, host["address"] is not None))
    return RedisUrl(
        bool(url["tls"]),
        kind,
        url["userinfo"] or "",
        tuple(hosts),
        url["hosts"],
        url["path"],
        url["query"] or "",
    )
