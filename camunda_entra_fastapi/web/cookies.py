"""Cookies of ours: their names, flags and sizes (RFC 6265; RFC 6265bis, 4.1.3 for the prefixes)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from starlette.requests import HTTPConnection

from camunda_entra_fastapi.web.public_url import PublicUrl

MAX_CHUNK: Final = 3_800
"""Characters of a value. Browsers drop cookies of more than 4096 bytes, names and flags included."""
MAX_CHUNKS: Final = 13

_CHUNKED: Final = re.compile(r"([2-9]|1[0-3]):(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Cookies:
    """Reads and writes cookies of ours.

    Attributes:
        name: The session cookie's, without prefix.
        domain: Whose hosts share it; None for this host alone.
        site: Tells whether browsers come by https.
    """

    name: str
    domain: str | None
    public_url: PublicUrl
    _secure_name: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_secure_name", self._with_prefix(self.name))

    def session(self, connection: HTTPConnection) -> str | None:
        """The session's handle, put together from its chunks; None without one."""
        cookies = connection.cookies
        name = self._secure_name if self.public_url.is_secure(connection) else self.name
        first = cookies.get(name)
        if not first:
            return None
        if ":" not in first or (match := _CHUNKED.fullmatch(first)) is None:
            return first
        others = [cookies.get(f"{name}-{number}", "") for number in range(1, int(match[1]))]
        return "".join((match[2], *others))

    def set_session(self, connection: HTTPConnection, handle: str, seconds: float) -> list[str]:
        """``Set-Cookie`` values that keep the handle for so long, and drop chunks of a longer one."""
        name = self._prefixed(connection, self.name)
        chunks = list(_chunks(handle))
        count = f"{len(chunks)}:" if len(chunks) > 1 else ""
        kept = {name if not number else f"{name}-{number}": chunk for number, chunk in enumerate(chunks)}
        kept[name] = count + kept[name]
        left = self._session_names(connection) - kept.keys()
        return [
            *(self._set(connection, name, value, seconds) for name, value in kept.items()),
            *(self._set(connection, name, "", 0) for name in sorted(left)),
        ]

    def delete_session(self, connection: HTTPConnection) -> list[str]:
        """``Set-Cookie`` values after which the browser has no session, whether or not it has one."""
        names = self._session_names(connection) | {self._prefixed(connection, self.name)}
        return [self._set(connection, name, "", 0) for name in sorted(names)]

    def attempt(self, connection: HTTPConnection, attempt_id: str) -> str | None:
        """The sealed attempt of that ID."""
        return connection.cookies.get(self._attempt_name(connection) + attempt_id)

    def attempts(self, connection: HTTPConnection) -> dict[str, str]:
        """All sealed attempts that the browser has, by ID."""
        name = self._attempt_name(connection)
        return {
            found.removeprefix(name): value
            for found, value in connection.cookies.items()
            if found.startswith(name)
        }

    def set_attempt(self, connection: HTTPConnection, attempt_id: str, sealed: str, seconds: int) -> str:
        """The ``Set-Cookie`` value that keeps an attempt."""
        return self._set(connection, self._attempt_name(connection) + attempt_id, sealed, seconds)

    def delete_attempt(self, connection: HTTPConnection, attempt_id: str) -> str:
        """The ``Set-Cookie`` value that drops an attempt."""
        return self._set(connection, self._attempt_name(connection) + attempt_id, "", 0)

    def step(self, connection: HTTPConnection) -> str | None:
        """The mark of the claims that a sign-in of a moment ago was about."""
        return connection.cookies.get(self._prefixed(connection, f"{self.name}_step"))

    def set_step_up(self, connection: HTTPConnection, mark: str, seconds: int) -> str:
        """The ``Set-Cookie`` value that keeps it for a moment."""
        return self._set(connection, self._prefixed(connection, f"{self.name}_step"), mark, seconds)

    def _session_names(self, connection: HTTPConnection) -> set[str]:
        name = self._prefixed(connection, self.name)
        possible = {name, *(f"{name}-{number}" for number in range(1, MAX_CHUNKS))}
        return possible & connection.cookies.keys()

    def _attempt_name(self, connection: HTTPConnection) -> str:
        return self._prefixed(connection, f"{self.name}_attempt_")

    def _prefixed(self, connection: HTTPConnection, name: str) -> str:
        """With the prefix by which browsers see to it that no other host set the cookie."""
        return self._with_prefix(name) if self.public_url.is_secure(connection) else name

    def _with_prefix(self, name: str) -> str:
        return f"__Host-{name}" if self.domain is None else f"__Secure-{name}"

    def _set(self, connection: HTTPConnection, name: str, value: str, seconds: float) -> str:
        domain = "" if self.domain is None else f"; Domain={self.domain}"
        secure = "; Secure" if self.public_url.is_secure(connection) else ""
        return (
            f"{name}={value}; Max-Age={max(0, int(seconds))}; Path=/{domain}{secure}; HttpOnly; SameSite=Lax"
        )


def _chunks(text: str) -> Iterator[str]:
    for start in range(0, len(text), MAX_CHUNK):
        yield text[start : start + MAX_CHUNK]
