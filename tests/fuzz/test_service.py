"""A whole service: whatever requests come, by ASGI as servers hand them over, it answers as documented."""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Final
from urllib.parse import quote, urlsplit

import httpx
import pytest
from fastapi import Depends, FastAPI
from hypothesis import strategies as st

from camunda_entra_fastapi import CamundaEntra
from camunda_entra_fastapi.testing import EntraEmulator
from tests.conftest import FakeClock
from tests.fuzz.engine import Fuzzer
from tests.fuzz.material import header_value, mutated
from tests.fuzz.silence import REFRESH_TOKEN, SESSION_SECRET, assert_silent, recorded
from tests.site import ADA, HOME, SECRET, Browser, Site, Wire, guarded, signing_key

Header = tuple[bytes, bytes]
DOCUMENTED: Final = frozenset({502, 503})
"""Errors of ours that are none: Entra, or the session store, cannot be asked."""
HOST: Final = (b"host", b"localhost:8000")
PERSON: Final = ((b"sec-fetch-mode", b"navigate"), (b"sec-fetch-site", b"none"))
QUERY: Final = bytes(range(0x21, 0x7F))


@dataclass
class Asked:
    """A request, and what it holds that no answer may repeat."""

    path: str
    query: bytes = b""
    headers: Sequence[Header] = (HOST,)
    method: str = "GET"
    body: bytes = b""


@dataclass
class Answered:
    """The response."""

    status: int = 0
    headers: list[Header] = field(default_factory=list)
    body: bytes = b""


@dataclass
class Service:
    """The service, somebody who is signed in, and a sign-in that has begun."""

    site: Site
    runner: asyncio.Runner
    token: str
    cookies: dict[str, str]
    callback: str

    @property
    def cookie(self) -> bytes:
        """The browser's ``Cookie`` header."""
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items()).encode()

    def ask(self, asked: Asked) -> Answered:
        """The answer to a request; what the application raises is raised."""
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "scheme": "http",
            "method": asked.method,
            "path": asked.path,
            "raw_path": quote(asked.path).encode(),
            "query_string": asked.query,
            "root_path": "",
            "headers": list(asked.headers),
            "client": ("127.0.0.1", 50_000),
            "server": ("127.0.0.1", 8000),
            "extensions": {},
        }
        answered, parts = Answered(), [asked.body]

        async def receive() -> dict[str, Any]:
            if parts:
                return {"type": "http.request", "body": parts.pop(), "more_body": False}
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                answered.status, answered.headers = message["status"], list(message["headers"])
            else:
                answered.body += message.get("body", b"")

        async def whole() -> None:
            await self.site.app(scope, receive, send)

        self.runner.run(whole())
        return answered

    def begun(self) -> tuple[bytes, bytes]:
        """A sign-in that has just begun: its cookie and its state."""
        answered = self.ask(Asked("/auth/login"))
        (cookie,) = (
            value for name, value in answered.headers if name == b"set-cookie" and b"Max-Age=6" in value
        )
        location = dict(answered.headers)[b"location"]
        return cookie.partition(b";")[0], location.partition(b"&state=")[2].partition(b"&")[0]

    def check(self, asked: Asked, *, may_show: Sequence[str] = ()) -> Answered:
        """Ask, and assert what holds of every answer."""
        with recorded() as logged:
            answered = self.ask(asked)
        assert 200 <= answered.status < 500 or answered.status in DOCUMENTED, (answered, asked)
        for name, value in answered.headers:
            assert header_value(value) == value, (name, value)
        shown = [
            value for name, value in answered.headers if name.lower() not in (b"set-cookie", b"location")
        ]
        texts = [each.decode("latin-1") for each in (answered.body, *shown)]
        secrets = {self.token, *self.cookies.values(), SECRET, SESSION_SECRET, REFRESH_TOKEN}
        assert_silent([*texts, *logged], secrets - set(may_show))
        return answered


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """One service for all requests: to begin each time would cost more than what is tested."""
    logging.getLogger("httpx").setLevel(logging.WARNING)
    clock = FakeClock()
    emulator = EntraEmulator(clock=clock.time, new_key=signing_key)
    wire = Wire(emulator)
    settings = emulator.settings(session_secret=SESSION_SECRET)
    entra = CamundaEntra(settings, http_client=httpx.AsyncClient(transport=wire), clock=clock)
    app = guarded(entra, FastAPI())
    entra.install(app)
    app.include_router(entra.forward_auth_router())

    @app.get("/claims")
    async def claims(user: Annotated[Any, Depends(entra.current_user)]) -> Any:
        return dict(user.claims)

    site = Site(app, entra, emulator, wire, clock)
    with asyncio.Runner() as runner:
        browser: Browser = site.browser()
        runner.run(browser.signed_in())
        other = site.browser()
        callback = runner.run(other.come_back())
        yield Service(site, runner, emulator.token(user=ADA), {**browser.cookies, **other.cookies}, callback)


_names = st.sampled_from(
    (
        *(b"authorization", b"cookie", b"host", b"origin", b"referer", b"accept", b"sec-fetch-site"),
        *(b"sec-fetch-mode", b"x-forwarded-method", b"x-forwarded-uri", b"x-original-uri", b"x-original-url"),
        *(b"x-original-method", b"x-forwarded-host", b"x-forwarded-proto", b"upgrade", b"sec-websocket-key"),
        *(
            b"content-type",
            b"content-length",
            b"x-requested-with",
            b"x-auth-request-user",
            b"x-entra-identity",
        ),
    )
)


def queries(*valid: str) -> st.SearchStrategy[bytes]:
    """Queries in the characters that servers let pass."""
    kept = bytes(sorted(set(range(256)) - set(QUERY)))
    texts = [text.encode() for text in valid]
    return st.one_of(st.sampled_from(texts), mutated(*texts)).map(lambda data: data.translate(None, kept))


def headers(service: Service, *others: Header) -> st.SearchStrategy[tuple[Header, ...]]:
    """Headers: good credentials, or some that have been changed, and odd ones beside them."""
    valid = {
        b"authorization": b"Bearer " + service.token.encode(),
        b"cookie": service.cookie,
        b"host": b"localhost:8000",
    }
    good = st.sampled_from(
        ((), *(((name, value),) for name, value in valid.items() if name != b"host"), PERSON, others)
    )
    snippets = (
        b"GET",
        b"POST",
        b"/board?x=1",
        b"https://localhost:8000/x",
        b"same-origin",
        b"text/html",
        b"",
    )
    odd = st.tuples(_names, mutated(*snippets, *valid.values()).map(header_value))
    return st.builds(
        lambda host, first, more: (*host, *first, *more),
        st.sampled_from(((HOST,), (HOST,), (HOST,), ())),
        good,
        st.one_of(st.just([]), st.lists(odd, max_size=3)),
    )


def test_verify_queries_and_headers(fuzzer: Fuzzer, service: Service) -> None:
    """A gateway's question ends in 200 with credentials, and else in a documented refusal."""
    query = queries(
        "scope=access_as_user&role=Operate.Admin&redirect=true&token=true&identity=orders",
        "any_role=A&any_scope=B&any_group=C&authorization=true&refusal=false",
        *(
            "",
            "identity=orders",
            "token=true",
            "authorization=true",
            "redirect=true",
            "role=Operate.Admin",
            "refusal=true",
        ),
    )
    paths = st.sampled_from(
        ("/auth/verify", "/auth/ext-authz/board", "/auth/ext-authz", "/auth/identity-keys")
    )
    methods = st.sampled_from(("GET", "GET", "POST", "DELETE", "HEAD"))

    def judge(drawn: tuple[str, bytes, tuple[Header, ...], str]) -> None:
        path, text, sent, method = drawn
        answered = service.check(Asked(path, text, sent, method), may_show=[service.token])
        if answered.status == 200 and path != "/auth/identity-keys":
            names = {name for name, _ in sent}
            assert names & {b"authorization", b"cookie"}
            assert dict(answered.headers)[b"x-auth-request-user"]
        for name, value in answered.headers:
            if service.token.encode() in value:
                assert name in (b"authorization", b"x-auth-request-access-token")
            if value and name == b"x-auth-request-access-token":
                assert b"token=true" in text
            if name == b"authorization":
                assert b"authorization=true" in text

    fuzzer.run(st.tuples(paths, query, headers(service), methods), judge)


def test_pages_for_signing_in_and_out(fuzzer: Fuzzer, service: Service) -> None:
    """Each page answers, and sends browsers to Entra or to this site, and nowhere else."""
    query = queries(
        "return_to=%2Fboard%3Fx%3D1&prompt=login&login_hint=ada%40contoso.example&claims=e30",
        "return_to=//evil.example",
        "sid=00d1cc4c-0d2f-4a9c-8c86-e7f3f2c2a7a1&iss=x",
        "",
    )
    names = (
        "login",
        "logout",
        "me",
        "front-channel-logout",
        "admin-consent",
        "admin-consent-callback",
        "health",
    )
    paths = st.sampled_from((*(f"/auth/{name}" for name in names), "/page", "/api", "/own", "/claims"))
    methods = st.sampled_from(("GET", "GET", "GET", "POST"))

    def judge(drawn: tuple[str, bytes, tuple[Header, ...], str]) -> None:
        path, text, sent, method = drawn
        answered = service.check(Asked(path, text, sent, method))
        location = dict(answered.headers).get(b"location", b"/").decode()
        hosts = ["127.0.0.1:8000", *(value.decode("latin-1") for name, value in sent if name == b"host")]
        origins = (service.site.emulator.base_url, *(f"http://{host.lower()}" for host in hosts))
        assert location.startswith(("/", *origins)), location

    fuzzer.run(st.tuples(paths, query, headers(service), methods), judge)


def test_callbacks(fuzzer: Fuzzer, service: Service) -> None:
    """Nobody is signed in by an answer that was changed, by query or by form; errors are pages or JSON."""
    refusals = (
        "error=access_denied&error_description=AADSTS65004%3A+declined&state=STATE",
        "error=consent_required&error_description=AADSTS65001%3A+no+consent&state=STATE&error_subcode=x",
        "error=server_error&state=STATE",
    )
    others = (
        "code=0.AX&state=STATE&session_state=x",
        "code=0.AX&state=STATE&iss=x",
        "admin_consent=True&tenant=x",
    )
    query = queries(urlsplit(service.callback).query, *refusals, *others)
    form = (b"content-type", b"application/x-www-form-urlencoded")
    paths = st.sampled_from(("/auth/login-callback", "/auth/login-callback", "/auth/admin-consent-callback"))

    def judge(drawn: tuple[str, bytes, tuple[Header, ...], bool]) -> None:
        path, text, sent, is_form = drawn
        cookie, state = service.begun()
        sent, text = (*sent, (b"cookie", cookie)), text.replace(b"STATE", state)
        asked = Asked(path, text, sent)
        if is_form:
            origin = (b"origin", b"https://login.microsoftonline.com")
            asked = Asked(path, b"", (*sent, form, origin), "POST", text)
        answered = service.check(asked)
        if is_form:
            assert answered.status == 405  # the form_post response mode is never asked for
        if answered.status == 303:
            assert text == urlsplit(service.callback).query.encode()
        assert cookie.partition(b"=")[2] not in answered.body

    fuzzer.run(st.tuples(paths, query, headers(service), st.booleans()), judge)


def test_docs_token_forms(fuzzer: Fuzzer, service: Service) -> None:
    """Swagger UI's token endpoint answers any body; what it refuses, it refuses as OAuth does."""
    redirect_uri = quote(f"{HOME}/docs/oauth2-redirect", safe="")
    fields = (
        f"grant_type=authorization_code&code=0.AX&redirect_uri={redirect_uri}"
        f"&code_verifier={'v' * 43}&client_id={service.site.emulator.application.client_id}"
    )
    bodies = mutated(
        fields.encode(), f"grant_type=refresh_token&refresh_token={REFRESH_TOKEN}".encode(), b"\xff=%ff"
    )
    types = mutated(b"application/x-www-form-urlencoded; charset=utf-8", b"multipart/form-data").map(
        header_value
    )
    own = ((b"origin", HOME.encode()), (b"sec-fetch-site", b"same-origin"))

    def judge(drawn: tuple[bytes, bytes, tuple[Header, ...]]) -> None:
        body, kind, sent = drawn
        answered = service.check(Asked("/auth/token", b"", (*sent, (b"content-type", kind)), "POST", body))
        if answered.status >= 400:
            assert b'"error"' in answered.body or answered.status == 405

    some = st.one_of(st.just((HOST, *own)), st.just((HOST, *own)), headers(service, *own))
    fuzzer.run(
        st.tuples(bodies, st.one_of(st.just(b"application/x-www-form-urlencoded"), types), some), judge
    )


def test_hosts(fuzzer: Fuzzer, service: Service) -> None:
    """Without a base URL the address is the Host header's, whatever that is."""
    hosts = mutated(
        b"localhost:8000", b"[::1]:8000", b"xn--bcher-kva.example", b"a:b:c", b"[", b"a@b", b"%zz"
    ).map(header_value)
    names = ("login", "logout", "admin-consent", "login-callback", "token", "verify", "me")
    paths = st.sampled_from(("/page", "/change", *(f"/auth/{name}" for name in names)))
    texts = ("x=1", "", "redirect=true", "error=consent_required&state=STATE&error_description=AADSTS65001")
    query = st.sampled_from(texts)
    credentials = st.sampled_from(((), ((b"cookie", service.cookie),)))

    def judge(drawn: tuple[bytes, str, str, tuple[Header, ...], bool, str]) -> None:
        host, path, text, first, has_referer, method = drawn
        address = b"http://" + host.lower() + b"/x"
        more = (
            ((b"referer", address), (b"x-original-url", address), (b"origin", address)) if has_referer else ()
        )
        cookie, state = service.begun()
        sent = ((b"host", host), *PERSON, *first, *more, (b"cookie", cookie))
        answered = service.check(Asked(path, text.encode().replace(b"STATE", state), sent, method))
        assert answered.status < 500

    methods = st.sampled_from(("GET", "POST"))
    fuzzer.run(st.tuples(hosts, paths, query, credentials, st.booleans(), methods), judge)
