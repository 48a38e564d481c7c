"""The columns: what every server is asked, and what is told of its answers in a few words."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote, urlsplit

import httpx

from camunda_entra_fastapi.testing import EntraEmulator
from tests.asgi_servers.commands import Command, Server, running
from tests.asgi_servers.wire import Answer, connect, get, handshake, read, request, send
from tests.e2e.browser_less import Page
from tests.odd_addresses import FROM_HAND, LEADING_HOME, ODD
from tests.site import ADA, register

NAVIGATION: Final = (b"Sec-Fetch-Mode: navigate", b"Sec-Fetch-Site: none")
SIZES: Final = (4_000, 8_000, 12_000, 15_000, 20_000, 30_000, 60_000, 100_000)
"""Bytes of headers that are tried. A token has 16 KiB at most, a session's cookies 8 or more."""
ROOM: Final = 30_000
PART: Final = 3_900
STOPS: Final = 15.0
"""Seconds in which a server with an endless stream is to stop, unless it waits for that."""
ADDRESSES: Final = (*ODD, *FROM_HAND)


@dataclass(frozen=True)
class Subject:
    """A server under test, and the local Entra that its application trusts."""

    command: Command
    emulator: EntraEmulator
    server: Server

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.server.port

    def bearer(self) -> bytes:
        """A header with a good token."""
        return f"Authorization: Bearer {self.emulator.token(user=ADA)}".encode()


def _code(answer: Answer) -> str:
    try:
        return str(json.loads(answer.body)["detail"]["code"])
    except (ValueError, KeyError, TypeError):
        return ""


def _refusal(answer: Answer) -> str:
    """Status, code and whether there is a challenge."""
    words = [str(answer.status), _code(answer)]
    if answer.all("www-authenticate"):
        words.append("with challenge")
    return " ".join(word for word in words if word)


def tokens(subject: Subject) -> str:
    """A good token, none, a bad one, and a good one in two headers."""
    good = get(subject.port, "/me", subject.bearer())
    assert good.status == 200, good
    return "; ".join(
        [
            "200",
            _refusal(get(subject.port, "/me")),
            _refusal(get(subject.port, "/me", b"Authorization: Bearer a.b.c")),
            _refusal(get(subject.port, "/me", subject.bearer(), subject.bearer())),
        ]
    )


def lifespan(subject: Subject) -> str:
    """Whether the application's lifespan runs."""
    return "runs" if (subject.server.seen / "started").exists() else "does not run"


def challenges(subject: Subject) -> str:
    """Whether two challenges arrive as two."""
    return f"{len(get(subject.port, '/challenges').all('www-authenticate'))} challenges"


def tabs(subject: Subject) -> str:
    """A tab before, behind and inside of the value."""
    header = subject.bearer()
    behind = get(subject.port, "/me", header + b"\t")
    before = get(subject.port, "/me", header.replace(b": ", b":\t "))
    inside = get(subject.port, "/me", header.replace(b"Bearer ", b"Bearer\t"))
    return f"{behind.status} behind, {before.status} before, {inside.status} inside"


class Browser:
    """Somebody who signs in once at Entra; the service's cookies are dropped for each address."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._entra = httpx.Client(trust_env=False)
        self._home = f"http://localhost:{subject.port}"
        register(subject.emulator, f"{self._home}/auth/login-callback")

    def comes_back_to(self, address: str) -> str:
        """Where a sign-in ends that begins at the address; words where the server refuses it."""
        answer = get(self._subject.port, address, *NAVIGATION)
        if answer.status != 302:
            return f"{answer.status} for {address}"
        with httpx.Client(trust_env=False, base_url=self._home) as http:
            login = http.get(answer.one("location"))
            at_entra = self._entra.get(login.headers["location"])
            if not at_entra.is_redirect:
                at_entra = self._choose(at_entra)
            # Pages of localhost are reached at 127.0.0.1, where the server listens.
            back = http.get(at_entra.headers["location"])
            assert back.status_code == 303, back.text
            landed = str(back.headers["location"])
            cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in http.cookies.jar)
        page = get(self._subject.port, landed, b"Cookie: " + cookies.encode() + b"\t")
        if landed == address and page.status != 200:
            return f"{page.status} at {landed}"
        return landed

    def _choose(self, page: httpx.Response) -> httpx.Response:
        for form in Page(page.text).forms:
            for label, sent in form.buttons:
                if label.startswith(ADA):
                    return self._entra.post(str(page.url), data=form.fields | sent)
        raise AssertionError(page.text)


def addresses(subject: Subject) -> str:
    """Sign-ins that come back to the address that was asked for, and those that must not."""
    browser = Browser(subject)
    told = {address: browser.comes_back_to(address) for address in ADDRESSES}
    wrong = sorted(words for address, words in told.items() if words != address)
    away = [address for address in LEADING_HOME if _leads_away(subject, address)]
    counted = f"{len(told) - len(wrong)} of {len(told)} to the letter"
    return "; ".join([counted, *wrong, *(f"AWAY: {address}" for address in away)])


def _leads_away(subject: Subject, address: str) -> bool:
    """Whether any of the links that a browser gets leads to another place than this service."""
    answer = get(subject.port, address, *NAVIGATION)
    location = answer.one("location")
    if not location:
        return False
    there = urlsplit(location)
    is_login = (there.netloc, there.path) == (f"localhost:{subject.port}", "/auth/login")
    return not is_login and not (there.netloc == "" and "evil" not in unquote(location))


def _largest(subject: Subject, ask: Callable[[int], Answer], good: int) -> str:
    """The largest of the sizes that passes, and how the next one is answered."""
    largest = 0
    for size in SIZES:
        answer = ask(size)
        if answer.status != good:
            beyond = {0: "hangs up", -1: "no answer"}.get(answer.status, answer.status)
            return f"{largest:,}, beyond it {beyond}"
        largest = size
    assert get(subject.port, "/open").status == 200
    return f"{largest:,} or more"


def field_limit(subject: Subject) -> str:
    """The largest header that passes."""
    return _largest(subject, lambda size: get(subject.port, "/open", _header(size)), 200)


def headers_limit(subject: Subject) -> str:
    """The largest sum of headers that passes."""

    def ask(size: int) -> Answer:
        parts = [b"X-Part-%d: " % number + b"a" * PART for number in range(size // PART + 1)]
        parts[-1] = parts[-1][: max(12, size % PART)]
        return get(subject.port, "/open", *parts)

    return _largest(subject, ask, 200)


def socket_limit(subject: Subject) -> str:
    """The largest header of a WebSocket's handshake that passes."""
    return _largest(subject, lambda size: handshake(subject.port, "/ws-open", _header(size))[0], 101)


def _header(size: int) -> bytes:
    begin = b"Authorization: Bearer "
    return begin + b"a" * (size - len(begin))


def refused_sockets(subject: Subject) -> str:
    """How a WebSocket without a token is refused, and one with a bad token."""
    without = handshake(subject.port, "/ws")[0]
    bad = handshake(subject.port, "/ws", b"Authorization: Bearer a.b.c")[0]
    words = [_refusal(without), _refusal(bad)]
    return words[0] if len(set(words)) == 1 else ", ".join(words)


def accepted_sockets(subject: Subject) -> str:
    """A WebSocket with a good token."""
    answer, text = handshake(subject.port, "/ws", subject.bearer())
    return f"{answer.status} {text}"


def streams(subject: Subject) -> str:
    """Whether the first part comes before the second one is made."""
    with connect(subject.port) as connection:
        send(connection, request(subject.port, "/stream", subject.bearer()))
        data = b""
        while ADA.encode() not in data and (part := connection.recv(65_536)):
            data += part
        subject.server.tell("part-1-came")
        while part := connection.recv(65_536):
            data += part
    return "part by part" if data.index(ADA.encode()) < data.index(b"end\n") else "in one piece"


def graceful_stop(subject: Subject) -> str:
    """SIGTERM while a request is in progress: its answer, the lifespan's end, the exit status."""
    server = subject.server
    with connect(subject.port) as connection:
        send(connection, request(subject.port, "/slow", subject.bearer()))
        assert server.wait_for("slow-began")
        server.ask_to_stop()
        early = server.ends_within(0.5)
        server.tell("slow-may-end")
        answer = read(connection)
    is_there = answer.status > 0
    words = ["stops at once" if early else "", f"answers {answer.status}" if is_there else "no answer"]
    if not server.ends_within(60):
        return f"{words[-1]}, never ends"
    words.append("lifespan ends" if (server.seen / "stopped").exists() else "the lifespan's end does not run")
    words.append(f"exit status {server.process.returncode}")
    return ", ".join(word for word in words if word)


def stop_with_stream(subject: Subject) -> str:
    """SIGTERM while a stream without an end is open."""
    with connect(subject.port) as connection:
        send(connection, request(subject.port, "/endless"))
        assert b"data: x" in connection.recv(65_536) + connection.recv(65_536)
        subject.server.ask_to_stop()
        ends = subject.server.ends_within(STOPS)
    return f"ends within {STOPS:.0f} s" if ends else f"waits for it, for more than {STOPS:.0f} s"


def prefixes(subject: Subject) -> str:
    """Whether the login page is right behind a proxy that takes the prefix out, and one that leaves it."""
    wanted = f"http://localhost:{subject.port}/r/auth/login?return_to={quote('/r/x/a%2Fb')}"
    words = []
    for said, address in (("taken out", "/x/a%2Fb"), ("left in", "/r/x/a%2Fb")):
        answer = get(subject.port, address, *NAVIGATION)
        is_right = answer.one("location") == wanted
        words.append(f"{said}: {'right' if is_right else answer.status}")
    return ", ".join(words)


Check = Callable[[Subject], str]
TOGETHER: Final[Mapping[str, Check]] = {
    "lifespan": lifespan,
    "tokens": tokens,
    "challenges": challenges,
    "tabs": tabs,
    "addresses": addresses,
    "accepted WebSocket": accepted_sockets,
    "streams": streams,
    "refused WebSocket": refused_sockets,
    "one header": field_limit,
    "all headers": headers_limit,
    "a handshake's header": socket_limit,
    "graceful stop": graceful_stop,
}
"""What one process is asked, one after another; the last one ends it."""


def with_room(subject: Subject) -> str:
    """What passes with the options that make room."""
    header = _header(ROOM)
    answers = get(subject.port, "/open", header), handshake(subject.port, "/ws-open", header)[0]
    return " and ".join(str(answer.status) for answer in answers)


@contextmanager
def _served(
    command: Command, emulator: EntraEmulator, *options: str, **environment: str
) -> Iterator[Subject]:
    with running(command, emulator.environment() | environment, *options) as server:
        yield Subject(command, emulator, server)


def examine(command: Command, emulator: EntraEmulator) -> dict[str, str]:
    """All that is told of a server, by column."""
    told = {}
    with _served(command, emulator) as subject:
        for name, check in TOGETHER.items():
            told[name] = check(subject)
    with _served(command, emulator) as subject:
        told["stop with a stream"] = stop_with_stream(subject)
    told["prefix"] = "no option"
    if command.root:
        with _served(command, emulator, command.root, "/r") as subject:
            told["prefix"] = prefixes(subject)
    told["with room"] = "no option"
    variables, words = command.room
    if variables or words:
        with _served(command, emulator, *words.split(), **variables) as subject:
            told["with room"] = with_room(subject)
    return told
