"""What others send goes into the log as one line of printable text (CWE-117), and bounded (CWE-779)."""

import asyncio
import io
import json
import logging
import re
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from camunda_entra_fastapi.telemetry import MAX_LOGGED, MAX_TRACEBACK, logger
from camunda_entra_fastapi.testing.directory import OPERATE
from tests.site import ADA, COOKIE, MakeSite, Site, emulator, make_site, query_of
from tests.web.conftest import bearer
from tests.web.login.test_docs_token import FORM, OURS
from tests.web.login.test_sign_in import a_lot

__all__ = ["emulator", "make_site"]

ROOT: Final = Path(__file__).parents[1]
HOSTILE: Final = {
    "line ends": "a\r\nWARNING forged\n\nb\x0b\x0c\x85\u2028\u2029WARNING forged",
    "escape sequences": "a\x1b[2J\x1b]0;title\x07\x1b[31mred\x9b2Kb",
    "control characters": "".join(map(chr, (*range(0x20), *range(0x7F, 0xA0)))),
    "reading direction": "a\u202egnp.exe\u2066b\u2069\u200f\u061c\ufeff",
    "10 KB": "x" * 10_240,
    "lone surrogates": "a\ud800b\udfff",
}
"""Unicode Standard Annex 9 (bidirectional marks), ECMA-48 (control functions), Unicode 5.8 (line ends)."""

Say = Callable[[Site, str], Awaitable[object]]
FORMAT: Final = "%(levelname)s %(message)s"
LEVEL: Final = re.compile("(DEBUG|INFO|WARNING|ERROR) ")


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """The log, as a file has it."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter(FORMAT))
    logger.addHandler(handler)
    level = logger.level
    logger.setLevel(logging.DEBUG)
    yield stream
    logger.setLevel(level)
    logger.removeHandler(handler)


def assert_clean(stream: io.StringIO) -> None:
    """Each line begins with a level or belongs to a traceback, is printable, and has an end."""
    text = stream.getvalue()
    assert text.strip(), "nothing was logged"
    lines = text.removesuffix("\n").split("\n")
    for line in lines:
        assert line.isprintable(), ascii(line)
        assert LEVEL.match(line) or line.startswith("  "), line
        assert len(line) < MAX_LOGGED + 100


def refused(text: str) -> httpx.Response:
    """A refusal of Entra's with that text wherever text can be."""
    description = f"AADSTS70008: {text} Trace ID: {text}"
    document = {"error": text, "error_description": description, "suberror": text}
    return httpx.Response(400, content=json.dumps(document))


async def in_claims(site: Site, text: str) -> None:
    """Of a token that the tenant's key signed."""
    wrong: list[dict[str, Any]] = [{"aud": text}, {"iss": text}, {"tid": text}]
    for claims in (*wrong, {"azp": text, "roles": [], "scp": None}):
        await site.browser().http.get("/api", headers=bearer(site.emulator.token(**claims)))


async def in_a_gateways_question(site: Site, text: str) -> None:
    """As name and as value."""
    site.app.include_router(site.entra.forward_auth_router())
    for query in ({"role": ADA, text: "x"}, {"redirect": text}, {"scope": text}, {"identity": text}):
        await site.browser().http.get("/auth/verify", params=encodable(query))


async def in_a_callback(site: Site, text: str) -> None:
    """Of an attempt of this browser."""
    for name in ("error", "error_description", "iss", "code", "session_state"):
        browser = site.browser()
        state = query_of(await browser.depart())["state"]
        query = {"state": state, "error": "access_denied", name: text}
        await browser.http.get("/auth/login-callback", params=encodable(query))


async def in_a_form(site: Site, text: str) -> None:
    """Of the docs page's token request."""
    for name in (*FORM, text):
        form = encodable(FORM | {name: text})
        await site.browser().http.post("/auth/token", data=form, headers=OURS)


async def in_the_host(site: Site, text: str) -> None:
    """As a server that checks nothing hands it over."""
    host, text = text.encode("latin-1", "replace"), text.encode(errors="replace").decode()
    for path, method in (("/auth/login", "GET"), ("/change", "POST"), ("/auth/logout", "POST")):
        scope: dict[str, Any] = {"type": "http", "method": method, "path": path, "root_path": text}
        headers = [
            (b"host", host),
            (b"origin", host),
            (b"x-forwarded-host", host),
            (b"cookie", f"{COOKIE}=x".encode()),
        ]
        scope |= {"headers": headers, "query_string": b"", "scheme": "http"}
        await call(site, scope)


async def in_the_way_to_it(site: Site, text: str) -> None:
    """The prefix that a proxy names, with a host that is right."""
    text = text.encode(errors="replace").decode()
    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": "/auth/login", "root_path": text}
    await call(site, scope | {"headers": [(b"host", b"x.example")], "query_string": b"", "scheme": "http"})


async def in_a_system_error(site: Site, text: str) -> None:
    """Of the connection to Entra."""

    async def away(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError(text)

    site.wire.handle("", away)
    await site.browser().http.get("/api", headers=bearer(site.emulator.token()))


async def in_an_error_nobody_thought_of(site: Site, text: str) -> None:
    """With a traceback."""

    async def away(_: httpx.Request) -> httpx.Response:
        raise KeyError(text) from ValueError(text)

    site.wire.handle("", away)
    await site.browser().http.get("/api", headers=bearer(site.emulator.token()))


async def in_discovery(site: Site, text: str) -> None:
    """As issuer and as address."""
    changed: dict[str, Any] = {}
    site.wire.change("/openid-configuration", lambda document: document | changed)
    for name in ("issuer", "jwks_uri", "token_endpoint"):
        changed = {name: text}
        site.clock.advance(3600)
        await site.browser().http.get("/api", headers=bearer(site.emulator.token()))


async def in_keys(site: Site, text: str) -> None:
    """Of which one cannot be used, and another one is gone from the next document."""
    site.wire.change(
        "/keys", lambda document: document["keys"].append({"kid": text, "kty": text, "alg": text})
    )
    await site.browser().http.get("/api", headers=bearer(site.emulator.token()))

    def rename(document: dict[str, Any]) -> None:
        document["keys"][0]["kid"] = text

    for change in (rename, lambda _: None):
        site.wire.change("/keys", change)
        site.clock.advance(3600)
        await site.browser().http.get("/api", headers=bearer(site.emulator.token()))
        await asyncio.sleep(0)


async def in_a_refusal(site: Site, text: str) -> None:
    """Of Entra's token endpoint."""
    browser = site.browser()
    address = await browser.come_back()

    async def refuse(_: httpx.Request) -> httpx.Response:
        return refused(text)

    site.wire.handle("/token", refuse)
    await browser.open(address)
    other = site.entra.client_credentials(f"{OPERATE}/.default")
    with pytest.raises(Exception, match="no token") as caught:
        await other.token()
    assert caught.value.code in ("entra_refused", "entra_failed")  # type: ignore[attr-defined]


async def in_graphs_answer(site: Site, text: str) -> None:
    """To the question for somebody's groups."""
    a_lot(site.emulator, groups=300)
    content = json.dumps({"error": {"code": text, "message": text}})
    site.wire.answer("/getMemberObjects", 403, content=content)
    site.app.include_router(site.entra.forward_auth_router())
    headers = bearer(site.emulator.token(user=ADA))
    await site.browser().http.get("/auth/verify", params={"group": OPERATE}, headers=headers)


def encodable(values: dict[str, str]) -> dict[str, str]:
    """The values as a URL can have them."""
    return {
        name.encode(errors="replace").decode(): value.encode(errors="replace").decode()
        for name, value in values.items()
    }


async def call(site: Site, scope: dict[str, Any]) -> None:
    """Call the application as a server does."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(_: Any) -> None: ...

    await site.app(scope, receive, send)


MOUTHS: Final[list[Say]] = [
    in_claims,
    in_a_gateways_question,
    in_a_callback,
    in_a_form,
    in_the_host,
    in_the_way_to_it,
    in_a_system_error,
    in_an_error_nobody_thought_of,
    in_discovery,
    in_keys,
    in_a_refusal,
    in_graphs_answer,
]


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("say", MOUTHS, ids=lambda say: say.__name__)
async def test_what_others_say_is_logged_in_clean_lines(
    make_site: MakeSite, written: io.StringIO, say: Say, hostile: str
) -> None:
    """CWE-117: no line of it is of their making, and none moves a terminal."""
    site = make_site(group_overage="graph")
    await say(site, hostile)
    assert_clean(written)


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("form", ["%s", "%.20000s and %d"])
def test_any_message_is_cleaned_whoever_writes_it(written: io.StringIO, hostile: str, form: str) -> None:
    """CWE-117: arguments, exceptions as arguments, and tracebacks; at every level."""
    more = () if form == "%s" else (1,)
    logger.debug(form, hostile, *more)
    logger.warning(form, ValueError(hostile), *more)
    try:
        raise ValueError(hostile)
    except ValueError:
        logger.exception(form, "It failed", *more)
    assert_clean(written)


def test_a_message_that_is_clean_stays_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    """Collectors group by the text without its arguments; letters of all languages are letters."""
    logger.warning("No token for %s: %d", "gr\u00f6\u00dfe/\u65e5\u672c", 7)
    (record,) = caplog.records
    assert (record.msg, record.args) == ("No token for %s: %d", ("gr\u00f6\u00dfe/\u65e5\u672c", 7))
    assert record.exc_text is None


def test_a_traceback_keeps_its_end(written: io.StringIO) -> None:
    """What went wrong stands there; a long one loses its beginning, and long lines their ends."""
    try:
        raise ValueError("\n".join(["x" * 10_000] * 300) + "\nat the very end")
    except ValueError:
        logger.exception("It failed")
    message, *lines = written.getvalue().splitlines()
    assert (message, lines[-1]) == ("ERROR It failed", "  at the very end")
    assert len(lines) == MAX_TRACEBACK
    assert {len(line) for line in lines[:-1]} == {2 + MAX_LOGGED + 3}


def test_there_is_one_logger() -> None:
    """So its filter sees all that the package logs."""
    makers = [
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "camunda_entra_fastapi").rglob("*.py")
        if re.search(r"getLogger|logging\.(debug|info|warning|error|exception|log)\(", path.read_text())
    ]
    assert makers == ["camunda_entra_fastapi/telemetry.py"]
