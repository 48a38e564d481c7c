"""People with browsers, who sign in, ask and sign out at two replicas; each answer is noted."""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, Literal
from urllib.parse import urlencode, urlsplit

from tests.chaos.browser import Answer, Browser
from tests.chaos.machine import Stalls
from tests.e2e.browser_less import Page

BASE_URL: Final = "http://localhost:8000"
"""The address that browsers know, and that the local Entra has registered."""
Kind = Literal["request", "sign-in", "sign-out", "health"]
_HANDLE: Final = re.compile(r"([\w-]{43})\.[\w-]{43}")


@dataclass(slots=True, eq=False)
class Person:
    """Somebody who is signed in.

    Attributes:
        record: The last part of the session's key in the store.
        cookies: What the browser has, also after signing out, like a copy that was stolen.
        signed_in: When the sign-in was answered.
        signing_out: When the sign-out was asked for; None before.
        signed_out: When it was answered as done; None before.
        signed_out_at: The replica that did it.
    """

    record: str
    cookies: dict[str, str] = field(default_factory=dict, repr=False)
    signed_in: float = 0.0
    signing_out: float | None = None
    signed_out: float | None = None
    signed_out_at: int | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """One answer.

    Attributes:
        person: Whose request it was; None where nobody was signed in.
        stalled: Seconds for which this machine kept somebody waiting for a processor meanwhile.
        code: The error's code, or the failure where no answer came.
    """

    kind: Kind
    replica: int
    person: Person | None
    begun: float
    ended: float
    status: int
    stalled: float = 0.0
    code: str = ""


class Crowd:
    """All who use the service.

    Args:
        replicas: Browsers for the replicas.
        entra: One for the local Entra.
        stalls: Knows when this machine was busy.
    """

    def __init__(self, replicas: Sequence[Browser], entra: Browser, stalls: Stalls) -> None:
        self.replicas = replicas
        self.seen: list[Seen] = []
        self._entra = entra
        self._stalls = stalls

    def stalled(self, begun: float, ended: float) -> float:
        """The seconds of that time for which the machine let one of the replicas wait."""
        return max(self._stalls.between(replica, begun, ended) for replica in (0, 1))

    async def ask(self, person: Person, replica: int) -> Seen:
        """A request by cookie."""
        answer = await self._send("request", replica, "GET", "/orders", person, person.cookies)
        return answer[1]

    async def health(self, replica: int) -> Seen:
        """A readiness probe."""
        answer = await self._send("health", replica, "GET", "/auth/health", None, {})
        return answer[1]

    async def sign_in(self, *replicas: int) -> Person | None:
        """Sign in: at the first replica, at Entra, and at the last one; None where that did not succeed."""
        first, last = replicas[0], replicas[-1]
        answer, _ = await self._send("sign-in", first, "GET", "/auth/login?return_to=/orders", None, {})
        if answer.status // 100 != 3:
            return None
        cookies = dict(answer.cookies)
        page = await self._entra.send("GET", _path(answer.location), {"Host": self._host(answer.location)})
        assert page.status == 200, page
        form = next(each for each in Page(page.body.decode()).forms if each.buttons)
        kind = {"Host": self._host(answer.location), "Content-Type": "application/x-www-form-urlencoded"}
        fields = urlencode(form.fields | form.buttons[0][1]).encode()
        page = await self._entra.send("POST", _path(form.action or answer.location), kind, fields)
        answer, seen = await self._send("sign-in", last, "GET", _path(page.location), None, cookies)
        found = [match[1] for value in answer.cookies.values() if (match := _HANDLE.fullmatch(value))]
        if not found:
            return None
        kept = {name: value for name, value in {**cookies, **answer.cookies}.items() if value}
        return Person(sha256(found[0].encode()).hexdigest(), kept, seen.ended)

    async def sign_out(self, person: Person, replica: int) -> None:
        """Sign out; the browser's cookies are kept, to see that they count no more."""
        person.signing_out = time.monotonic()
        answer, seen = await self._send("sign-out", replica, "POST", "/auth/logout", person, person.cookies)
        if answer.status // 100 == 3:
            person.signed_out, person.signed_out_at = seen.ended, replica

    async def _send(
        self, kind: Kind, replica: int, method: str, path: str, person: Person | None, cookies: dict[str, str]
    ) -> tuple[Answer, Seen]:
        headers = {"Host": urlsplit(BASE_URL).netloc, "Origin": BASE_URL, "Accept": "application/json"}
        if cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
        begun = time.monotonic()
        answer = await self.replicas[replica].send(method, path, headers)
        ended = time.monotonic()
        code = "" if 200 <= answer.status < 400 else answer.code
        stalled = self._stalls.between(replica, begun, ended)
        seen = Seen(kind, replica, person, begun, ended, answer.status, stalled, code)
        self.seen.append(seen)
        return answer, seen

    def _host(self, address: str) -> str:
        return urlsplit(address).netloc


def _path(address: str) -> str:
    parts = urlsplit(address)
    return parts.path + (f"?{parts.query}" if parts.query else "")
