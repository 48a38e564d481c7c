"""The cookies of this package: names, flags and sizes (RFC 6265; RFC 6265bis, 4.1.3 for the prefixes)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from camunda_entra_fastapi.log_records import Trouble
from camunda_entra_fastapi.settings.cookies import is_in_domain
from camunda_entra_fastapi.telemetry import logger
from camunda_entra_fastapi.web.public_url import PublicUrl

MAX_CHUNK: Final = 3_800
"""Characters of a value. Browsers refuse cookies of more than 4096 bytes, names and flags included."""
MAX_CHUNKS: Final = 13
MAX_VALUE: Final = 4_096
"""Characters of a value up to which it is read: no browser has sent a longer one (RFC 6265bis, 5.6)."""
MAX_ATTEMPTS_READ: Final = 20
"""Attempts that are read of one request; more than a sign-in leaves, as several tabs may begin at once."""

_CHUNKED: Final = re.compile(r"([2-9]|1[0-3]):(.*)", re.DOTALL)
_ATTEMPT_ID: Final = re.compile("[0-9a-z]{1,16}")


@dataclass(frozen=True, slots=True)
class Cookies:
    """Reads and writes the cookies of this package.

    Attributes:
        name: The name of the session cookie, without prefix.
        domain: The domain whose hosts share it; None for this host alone.
        public_url: Tells whether browsers use https.
    """

    name: str
    domain: str | None
    public_url: PublicUrl
    _secure_name: str = field(init=False)
    _other_hosts: Trouble = field(init=False, compare=False, default_factory=Trouble)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_secure_name", self._with_prefix(self.name))

    def session(self, connection: HTTPConnection) -> str | None:
        """The session's handle, joined from its chunks; None without one, or where it is larger than ours."""
        cookies = connection.cookies
        name = self._secure_name if self.public_url.is_secure(connection) else self.name
        first = cookies.get(name)
        if not first or len(first) > MAX_VALUE:
            return None
        if ":" not in first or (match := _CHUNKED.fullmatch(first)) is None:
            return first
        others = [cookies.get(f"{name}-{number}", "") for number in range(1, int(match[1]))]
        return "".join((match[2], *others)) if max(map(len, others)) <= MAX_CHUNK else None

    def set_session(self, connection: HTTPConnection, handle: str, seconds: float) -> list[str]:
        """``Set-Cookie`` values that set the handle for that time, and delete chunks of a longer one."""
        name = self._prefixed(connection, self.name)
        chunks = list(_chunks(handle))
        count = f"{len(chunks)}:" if len(chunks) > 1 else ""
        values = {name if not number else f"{name}-{number}": chunk for number, chunk in enumerate(chunks)}
        values[name] = count + values[name]
        obsolete = self._session_names(connection) - values.keys()
        return [
            *(self._set_cookie(connection, name, value, seconds) for name, value in values.items()),
            *(self._set_cookie(connection, name, "", 0) for name in sorted(obsolete)),
        ]

    def delete_session(self, connection: HTTPConnection) -> list[str]:
        """``Set-Cookie`` values that delete the session and all its chunks."""
        names = self._session_names(connection) | {self._prefixed(connection, self.name)}
        return [self._set_cookie(connection, name, "", 0) for name in sorted(names)]

    def attempt(self, connection: HTTPConnection, attempt_id: str) -> str | None:
        """The sealed sign-in attempt of that ID."""
        value = connection.cookies.get(self._attempt_name(connection) + attempt_id)
        return None if value is None or len(value) > MAX_VALUE else value

    def attempts(self, connection: HTTPConnection) -> dict[str, str]:
        """The newest sealed sign-in attempts of the browser, by ID.

        Browsers send the oldest first (RFC 6265, 5.4), and what was set for a part of the site before that.
        """
        name = self._attempt_name(connection)
        all_of_them = {
            cookie[len(name) :]: value
            for cookie, value in connection.cookies.items()
            if cookie.startswith(name)
            and _ATTEMPT_ID.fullmatch(cookie, len(name))
            and len(value) <= MAX_VALUE
        }
        return dict(list(all_of_them.items())[-MAX_ATTEMPTS_READ:])

    def set_attempt(self, connection: HTTPConnection, attempt_id: str, sealed: str, seconds: int) -> str:
        """The ``Set-Cookie`` value that sets an attempt."""
        return self._set_cookie(connection, self._attempt_name(connection) + attempt_id, sealed, seconds)

    def delete_attempt(self, connection: HTTPConnection, attempt_id: str) -> str:
        """The ``Set-Cookie`` value that deletes an attempt."""
        return self._set_cookie(connection, self._attempt_name(connection) + attempt_id, "", 0)

    def step_up(self, connection: HTTPConnection) -> str | None:
        """The digest of the claims that a recent sign-in asked for; None without one."""
        return connection.cookies.get(self._prefixed(connection, f"{self.name}_step"))

    def set_step_up(self, connection: HTTPConnection, digest: str, seconds: int) -> str:
        """The ``Set-Cookie`` value that sets that digest."""
        return self._set_cookie(connection, self._prefixed(connection, f"{self.name}_step"), digest, seconds)

    def _session_names(self, connection: HTTPConnection) -> set[str]:
        name = self._prefixed(connection, self.name)
        possible = {name, *(f"{name}-{number}" for number in range(1, MAX_CHUNKS))}
        return possible & connection.cookies.keys()

    def _attempt_name(self, connection: HTTPConnection) -> str:
        return self._prefixed(connection, f"{self.name}_attempt_")

    def _prefixed(self, connection: HTTPConnection, name: str) -> str:
        """The name, with ``__Host-`` or ``__Secure-`` before it where browsers use https."""
        return self._with_prefix(name) if self.public_url.is_secure(connection) else name

    def _with_prefix(self, name: str) -> str:
        return f"__Host-{name}" if self.domain is None else f"__Secure-{name}"

    def _set_cookie(self, connection: HTTPConnection, name: str, value: str, seconds: float) -> str:
        domain = ""
        if self.domain is not None:
            self._warn_of_other_hosts(connection, self.domain)
            domain = f"; Domain={self.domain}"
        return f"{name}={value}; Max-Age={max(0, int(seconds))}; Path=/{domain}{self.flags(connection)}"

    def flags(self, connection: HTTPConnection) -> str:
        """The attributes of each cookie that say who sends it."""
        secure = "; Secure" if self.public_url.is_secure(connection) else ""
        return f"{secure}; HttpOnly; SameSite=Lax"

    def _warn_of_other_hosts(self, connection: HTTPConnection, domain: str) -> None:
        """Say it where the browser will refuse the cookie; the settings compare the base URL themselves."""
        origin = self.public_url.origin_if_known(connection)
        host = urlsplit(origin or "").hostname
        if host is not None and not is_in_domain(host, domain) and self._other_hosts.is_news("host"):
            logger.warning(
                "A browser asked for %s, which is not in CAMUNDA_ENTRA_COOKIE_DOMAIN (%s): it refuses the "
                "cookies, and nobody can sign in there. Correct that setting or leave it out; behind a "
                "proxy, set CAMUNDA_ENTRA_BASE_URL.",
                origin,
                domain,
            )


def _chunks(text: str) -> Iterator[str]:
    for start in range(0, len(text), MAX_CHUNK):
        yield text[start : start + MAX_CHUNK]
