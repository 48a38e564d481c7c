"""Tokens of the application itself: one for each scope, however many call, whatever client they use."""

import asyncio
import gc
import json
import logging
import threading
import time
import traceback
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any, Final

import httpx
import httpx2
import pytest
from fastapi import FastAPI

from camunda_entra_fastapi import CamundaEntra, EntraRefused, EntraUnavailable, SettingsError
from camunda_entra_fastapi.testing import EntraEmulator
from tests.conftest import FakeClock
from tests.downstream.conftest import SCOPE, Api, challenge, grants
from tests.e2e.holding import HoldingEntra
from tests.site import Wire
from tests.waiting import PATIENCE, until, wait_for

ELSEWHERE: Final = "https://api.example.com/v2/process-instances"
CAPABILITY: Final = {"access_token": {"xms_cc": {"values": ["cp1"]}}}


def transport(library: ModuleType, api: Api) -> Any:
    """The way to the API, for synchronous and asynchronous clients of a library."""

    def handle(request: Any) -> Any:
        status, headers = api.answer(request)
        return library.Response(status, headers=headers)

    return library.MockTransport(handle)


async def call(library: ModuleType, blocking: bool, api: Api, auth: Any, **request: Any) -> int:
    """Call the API with one of the clients; gives the status."""
    if blocking:
        with library.Client(transport=transport(library, api), auth=auth) as client:
            return int(client.request("POST", ELSEWHERE, **request).status_code)
    async with library.AsyncClient(transport=transport(library, api), auth=auth) as client:
        return int((await client.request("POST", ELSEWHERE, **request)).status_code)


clients = pytest.mark.parametrize(
    ("library", "blocking"),
    [(httpx, False), (httpx, True), (httpx2, False), (httpx2, True)],
    ids=["httpx async", "httpx", "httpx2 async", "httpx2"],
)


@clients
async def test_every_client_sends_the_token(
    entra: CamundaEntra, wire: Wire, api: Api, library: ModuleType, blocking: bool
) -> None:
    """Fetched with the first call by the application's own secret, and never again while it is good."""
    auth = entra.client_credentials(SCOPE)
    assert wire.forms == []
    for _ in range(3):
        assert await call(library, blocking, api, auth) == 200
    assert api.tokens == [wire.tokens[0]["access_token"]] * 3
    (form,) = grants(wire)
    assert json.loads(form.pop("claims")) == CAPABILITY
    settings = entra.settings
    assert settings.client_secret
    assert form == {
        "grant_type": "client_credentials",
        "client_id": settings.client_id,
        "client_secret": settings.client_secret.get_secret_value(),
        "scope": SCOPE,
    }


async def test_a_thousand_calls_at_once_fetch_one_token(entra: CamundaEntra, wire: Wire) -> None:
    """All callers with the same scope share a token; another scope has its own."""
    auths = [entra.client_credentials(SCOPE) for _ in range(10)]
    tokens = await asyncio.gather(*(auths[number % 10].token() for number in range(1000)))
    assert set(tokens) == {wire.tokens[0]["access_token"]}
    assert len(wire.forms) == 1
    await entra.client_credentials("https://graph.microsoft.com/.default").token()
    assert len(wire.forms) == 2


async def test_threads_fetch_one_token_as_well(entra: CamundaEntra, wire: Wire) -> None:
    """Without an event loop of their own."""
    auth = entra.client_credentials(SCOPE)

    def ask(_: int) -> str:
        return auth.get_headers()["Authorization"]

    with ThreadPoolExecutor(20) as threads:
        headers = await asyncio.to_thread(lambda: set(threads.map(ask, range(100))))
    assert headers == {f"Bearer {wire.tokens[0]['access_token']}"}
    assert len(wire.forms) == 1
    assert await auth.aget_headers() == {"Authorization": headers.pop()}


async def test_a_token_is_renewed_ahead_of_time(entra: CamundaEntra, wire: Wire, clock: FakeClock) -> None:
    """When a quarter of its life is left, beside the calls, which do not wait for it."""
    auth = entra.client_credentials(SCOPE)
    first, life = await auth.token(), wire_life(wire)
    clock.advance(0.75 * life - 1)
    assert (await auth.token(), len(wire.forms)) == (first, 1)
    clock.advance(2)
    event = wire.hang("/token")
    assert {await auth.token() for _ in range(20)} == {first}
    event.set()
    second = await next_token(auth, first)
    assert (second, len(wire.forms)) == (wire.tokens[1]["access_token"], 2)


def wire_life(wire: Wire) -> int:
    """Seconds that the latest token is good for."""
    return int(wire.tokens[-1]["expires_in"])


async def next_token(auth: Any, old: str) -> str:
    """The token that takes the old one's place in a moment."""
    deadline = time.monotonic() + PATIENCE
    while (token := await auth.token()) == old:
        assert time.monotonic() < deadline, "There is no new token."
        await asyncio.sleep(0.01)
    return str(token)


async def test_entra_says_when_to_renew(entra: CamundaEntra, wire: Wire, clock: FakeClock) -> None:
    """By refresh_in, as it does for tokens that live for a day."""
    wire.change("/token", lambda document: document.update(refresh_in=600))
    auth = entra.client_credentials(SCOPE)
    first = await auth.token()
    clock.advance(599)
    assert (await auth.token(), len(wire.forms)) == (first, 1)
    clock.advance(2)
    await next_token(auth, first)
    assert len(wire.forms) == 2


@pytest.mark.parametrize("blocking", [False, True])
async def test_a_good_token_is_kept_while_entra_is_away(
    entra: CamundaEntra, wire: Wire, clock: FakeClock, blocking: bool
) -> None:
    """Until it expires; then the fault is told, and Entra asked again after a pause only."""
    auth = entra.client_credentials(SCOPE)

    async def token() -> str:
        return auth.token_blocking() if blocking else await auth.token()

    first, life = await token(), wire_life(wire)
    wire.fail("/token")
    clock.advance(0.8 * life)
    for _ in range(5):
        assert await token() == first
        await until(lambda: len(wire.forms) == 2)
    assert len(wire.forms) == 2
    clock.advance(0.2 * life)
    for _ in range(5):
        with pytest.raises(EntraUnavailable, match="cannot be reached") as error:
            await token()
        assert (error.value.code, error.value.retry_after > 0) == ("entra_unreachable", True)
    assert len(wire.forms) == 3
    clock.advance(15)
    wire.heal()
    assert await token() == wire.tokens[-1]["access_token"] != first


async def test_the_pause_grows_while_entra_stays_away(
    entra: CamundaEntra, wire: Wire, clock: FakeClock
) -> None:
    """1, 2, 4, 8, and then every 15 seconds."""
    auth = entra.client_credentials(SCOPE)
    wire.fail("/token")
    for pause in (1, 2, 4, 8, 15, 15):
        with pytest.raises(EntraUnavailable) as error:
            await auth.token()
        assert error.value.retry_after == pytest.approx(pause)
        count = len(wire.forms)
        clock.advance(pause - 0.5)
        with pytest.raises(EntraUnavailable):
            await auth.token()
        assert len(wire.forms) == count
        clock.advance(0.5)


@pytest.mark.parametrize(("retry_after", "waited"), [("60", 60), ("7200", 3600), ("", 1), ("soon", 1)])
async def test_entra_is_left_alone_for_as_long_as_it_asks(
    entra: CamundaEntra, wire: Wire, clock: FakeClock, retry_after: str, waited: float
) -> None:
    """429 with Retry-After, an hour at most."""
    auth = entra.client_credentials(SCOPE)
    wire.answer("/token", 429, text="Too Many Requests", headers={"Retry-After": retry_after})
    for ahead in (0, waited - 0.5):
        clock.advance(ahead)
        with pytest.raises(EntraUnavailable) as error:
            await auth.token()
        assert error.value.code == "entra_throttled"
    assert len(wire.forms) == 1
    wire.heal()
    clock.advance(0.5)
    assert await auth.token() == wire.tokens[0]["access_token"]


async def test_a_refusal_says_what_to_do(
    make_entra: Callable[..., CamundaEntra],
    wire: Wire,
    clock: FakeClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """With Entra's code and the correlation ID; the secret is nowhere."""
    auth = make_entra(client_secret="a-wrong-secret-of-mine").client_credentials(SCOPE)
    with caplog.at_level(logging.DEBUG):
        for _ in range(3):
            with pytest.raises(EntraRefused, match="secret") as error:
                await auth.token()
        clock.advance(2)
        with pytest.raises(EntraRefused):
            auth.token_blocking()
    assert len(wire.forms) == 2
    refusal = error.value.refusal
    assert (refusal.error, refusal.aadsts) == ("invalid_client", 7000215)
    assert refusal.correlation_id
    assert "a-wrong-secret-of-mine" not in caplog.text + repr(error.value) + repr(auth)


@clients
async def test_a_token_that_the_api_refuses_is_replaced(
    entra: CamundaEntra, wire: Wire, api: Api, clock: FakeClock, library: ModuleType, blocking: bool
) -> None:
    """Once: what the API says of the new one is the answer, and for a minute no other one is fetched."""
    auth = entra.client_credentials(SCOPE)
    assert await call(library, blocking, api, auth) == 200
    api.refused = lambda token: token == api.tokens[0]
    assert await call(library, blocking, api, auth, content=b"body") == 200
    assert api.tokens == [wire.tokens[number]["access_token"] for number in (0, 0, 1)]
    assert api.bodies == [b"", b"body", b"body"]
    api.refused = lambda _: True
    assert await call(library, blocking, api, auth) == 401
    assert (len(api.tokens), len(wire.forms)) == (4, 2)
    clock.advance(61)
    assert await call(library, blocking, api, auth) == 401
    assert (len(api.tokens), len(wire.forms)) == (6, 3)


async def test_many_that_are_refused_at_once_replace_the_token_once(entra: CamundaEntra, wire: Wire) -> None:
    """All of them get through with the new one."""
    auth = entra.client_credentials(SCOPE)
    old = await auth.token()
    everybody = asyncio.Barrier(50)

    class Together(httpx.AsyncBaseTransport):
        """Refuses the old token once all have come with it."""

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if old not in request.headers["Authorization"]:
                return httpx.Response(200)
            await everybody.wait()
            return httpx.Response(401)

    async with httpx.AsyncClient(transport=Together(), auth=auth) as client:
        answers = await asyncio.gather(*(client.get(ELSEWHERE) for _ in range(50)))
    assert ({answer.status_code for answer in answers}, len(wire.forms)) == ({200}, 2)


@clients
async def test_without_another_token_the_apis_word_is_the_answer(
    entra: CamundaEntra, wire: Wire, api: Api, library: ModuleType, blocking: bool
) -> None:
    """The caller sees the API's 401, and no error of the token request."""
    auth = entra.client_credentials(SCOPE)
    assert await call(library, blocking, api, auth) == 200
    wire.fail("/token")
    api.refused = lambda _: True
    assert await call(library, blocking, api, auth) == 401


@pytest.mark.parametrize("claims", [{"acrs": {"essential": True, "value": "c1"}}, {"nbf": {"value": "1"}}])
async def test_the_claims_that_an_api_wants_are_asked_for(
    entra: CamundaEntra, wire: Wire, api: Api, claims: dict[str, Any]
) -> None:
    """Together with what this client is capable of."""
    auth = entra.client_credentials(SCOPE)
    old = await auth.token()
    api.refused = lambda token: token == old
    api.challenge = challenge({"access_token": claims})
    assert await call(httpx, False, api, auth) == 200
    assert json.loads(grants(wire)[1]["claims"]) == {"access_token": CAPABILITY["access_token"] | claims}


@pytest.mark.parametrize(
    "said",
    [
        'Bearer error="insufficient_claims", claims="no base64!"',
        'Bearer error="insufficient_claims", claims="bm8ganNvbg=="',
        'Bearer error="insufficient_claims", claims="W10="',
        'Bearer error="insufficient_claims"',
        f'Bearer error="insufficient_claims", claims="{"A" * 9000}"',
        'Bearer error="invalid_token", claims="e30="',
        'Basic error="insufficient_claims", claims="e30="',
    ],
)
async def test_a_challenge_that_makes_no_sense_is_a_plain_refusal(
    entra: CamundaEntra, wire: Wire, api: Api, said: str
) -> None:
    """Another token is fetched as for any."""
    auth = entra.client_credentials(SCOPE)
    old = await auth.token()
    api.refused, api.challenge = lambda token: token == old, said
    assert await call(httpx, False, api, auth) == 200
    assert json.loads(grants(wire)[1]["claims"]) == CAPABILITY


@pytest.mark.parametrize("library", [httpx, httpx2])
async def test_a_body_that_can_be_sent_once_is_sent_once(entra: CamundaEntra, library: ModuleType) -> None:
    """The API's 401 is the answer then, and the next call has another token."""
    auth = entra.client_credentials(SCOPE)
    old, seen = await auth.token(), list[bytes]()

    async def pieces() -> AsyncIterator[bytes]:
        yield b"piece"

    class Straight(library.AsyncBaseTransport):  # type: ignore[misc, name-defined]
        """Reads the body as it comes, as transports over a network do."""

        async def handle_async_request(self, request: Any) -> Any:
            seen.append(b"".join([chunk async for chunk in request.stream]))
            return library.Response(401 if old in request.headers["Authorization"] else 200)

    async with library.AsyncClient(transport=Straight(), auth=auth) as client:
        assert (await client.post(ELSEWHERE, content=pieces())).status_code == 401
        assert seen == [b"piece"]
        assert (await client.post(ELSEWHERE, content=pieces())).status_code == 200


async def test_who_gives_up_waiting_cancels_it_for_nobody(entra: CamundaEntra, wire: Wire) -> None:
    """The others get the token that is on its way."""
    auth = entra.client_credentials(SCOPE)
    event = wire.hang("/token")
    waiting = [asyncio.create_task(auth.token()) for _ in range(3)]
    await until(lambda: len(wire.forms) == 1)
    waiting[0].cancel()
    event.set()
    assert await waiting[1] == await waiting[2] == wire.tokens[0]["access_token"]
    assert len(wire.forms) == 1


def test_every_event_loop_may_ask(emulator: EntraEmulator, clock: FakeClock) -> None:
    """One after the other, as in scripts; the token is the same."""
    with emulator.serve():
        auth = CamundaEntra(emulator.settings(), clock=clock).client_credentials(SCOPE)
        tokens = {asyncio.run(auth.token()) for _ in range(3)} | {auth.token_blocking()}
    assert (len(tokens), emulator.count("/oauth2/v2.0/token")) == (1, 1)
    gc.collect()


def test_a_loop_that_ends_in_the_middle_does_no_harm(clock: FakeClock) -> None:
    """The next one asks again."""
    emulator = HoldingEntra(clock=clock.time)
    with emulator.serve():
        auth = CamundaEntra(emulator.settings(), clock=clock).client_credentials(SCOPE)
        with emulator.holding(), pytest.raises(TimeoutError):
            asyncio.run(asyncio.wait_for(auth.token(), 0.05))
        assert asyncio.run(auth.token()) == auth.token_blocking()


@pytest.mark.parametrize(
    "scope",
    [
        "",
        "openid",
        "api://x/access_as_user",
        "a/.default b/.default",
        "a/.default\n",
        "ä/.default",
        "x .default",
    ],
)
def test_a_scope_that_is_none_of_an_application_is_refused_at_start(entra: CamundaEntra, scope: str) -> None:
    """With what a right one looks like."""
    with pytest.raises(ValueError, match=r"one scope that ends in /\.default, such as api://"):
        entra.client_credentials(scope)


def test_without_a_secret_it_is_said_at_start(make_entra: Callable[..., CamundaEntra]) -> None:
    """The setting is named."""
    with pytest.raises(
        SettingsError, match=r"CAMUNDA_IDENTITY_CLIENT_SECRET is not set\. Calling other services"
    ):
        make_entra(client_secret=None).client_credentials(SCOPE)


async def test_tests_may_put_another_entra_in_its_place(
    entra: CamundaEntra, wire: Wire, clock: FakeClock
) -> None:
    """Its tokens are used for as long, and the old ones afterwards."""
    auth = entra.client_credentials(SCOPE)
    before = await auth.token()
    other = EntraEmulator(clock=clock.time)
    async with other.http_client() as client:
        with entra.overridden(other.settings(), http_client=client):
            assert await auth.token() != before
    assert (await auth.token(), len(wire.forms)) == (before, 1)


@pytest.mark.parametrize("lacking", ["expires_in", "access_token", "token_type"])
async def test_an_answer_without_a_usable_token_is_entras_fault(
    entra: CamundaEntra, wire: Wire, lacking: str
) -> None:
    """Whatever the caller's request was."""
    wire.change("/token", lambda document: {name: document[name] for name in document if name != lacking})
    with pytest.raises(EntraUnavailable, match=f"without a usable {lacking}") as error:
        await entra.client_credentials(SCOPE).token()
    assert error.value.code == "entra_failed"


async def test_an_entra_that_the_settings_do_not_mean_gives_no_token(
    emulator: EntraEmulator, make_entra: Callable[..., CamundaEntra]
) -> None:
    """By the code that requests with tokens get: Entra did nothing wrong, and the settings have to change."""
    emulator.base_url = "https://login.example.com"
    credentials = make_entra(allow_local_entra=False).client_credentials(SCOPE)
    for _ in range(2):  # the second time from the failure that is known
        with pytest.raises(EntraUnavailable, match="CAMUNDA_ENTRA_ALLOW_LOCAL_ENTRA=true") as error:
            await credentials.token()
        assert error.value.code == "local_entra"


async def test_without_a_token_endpoint_it_is_entras_fault(entra: CamundaEntra, wire: Wire) -> None:
    """The discovery document may lack one."""
    wire.change("/openid-configuration", lambda document: {**document, "token_endpoint": None})
    with pytest.raises(EntraUnavailable, match="no token_endpoint"):
        await entra.client_credentials(SCOPE).token()


async def test_a_route_without_a_token_to_call_on_is_no_fault_of_its_caller(
    entra: CamundaEntra, wire: Wire, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """503 while Entra is away; 502 where it refuses this service, and why is in the log alone."""
    app = FastAPI()
    entra.install(app)
    auth = entra.client_credentials(SCOPE)

    @app.get("/")
    async def call_on() -> str:
        return await auth.token()

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as client:
        wire.fail("/token")
        away = await client.get("/")
        clock.advance(15)
        wire.answer("/token", 401, json={"error": "invalid_client", "error_codes": [7000222]})
        refused = await client.get("/")
    assert (away.status_code, away.json()["detail"]["code"]) == (503, "entra_unreachable")
    assert int(away.headers["Retry-After"]) >= 1
    assert (refused.status_code, refused.json()["detail"]["code"]) == (502, "entra_refused")
    assert refused.json()["detail"]["message"].startswith("This service got no token")
    assert "WWW-Authenticate" not in refused.headers
    assert "expired" in caplog.text


async def test_secrets_and_tokens_are_shown_nowhere(
    entra: CamundaEntra, wire: Wire, api: Api, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither in logs of any level, nor in what objects say of themselves, nor in errors and their causes."""
    texts: list[str] = []
    with caplog.at_level(logging.DEBUG):
        auth = entra.client_credentials(SCOPE)
        await call(httpx, False, api, auth)
        api.refused = lambda _: True
        await call(httpx, False, api, auth)
        for change in (
            lambda document: {**document, "token_type": document["access_token"]},
            lambda document: {"error": "invalid_client", "error_description": document["access_token"]},
            lambda document: {"error": document["access_token"]},
        ):
            clock.advance(100_000)
            wire.change("/token", change)
            with pytest.raises((EntraRefused, EntraUnavailable)) as error:
                await auth.token()
            texts += traceback.format_exception(error.value)
        tokens: Any = auth._tokens().source  # type: ignore[attr-defined]  # it is answerable
        texts += [
            repr(each) for each in (auth, tokens, tokens._client, tokens._client.credential, entra.settings)
        ]
        texts.append(repr(tokens._cached))
    secrets = wire.secrets() - {"None"}
    assert len(secrets) > 5
    said = caplog.text + "".join(texts)
    assert not [secret for secret in secrets if secret in said]


@pytest.mark.parametrize("blocking", [False, True])
async def test_the_last_minute_of_a_token_counts_while_entra_is_away(
    entra: CamundaEntra, wire: Wire, clock: FakeClock, blocking: bool
) -> None:
    """pyzeebe 4.7.0 fails every call from 60 seconds before the expiry on (``leeway``, seen 2026-11-28)."""
    auth = entra.client_credentials(SCOPE)

    async def token() -> str:
        return auth.token_blocking() if blocking else await auth.token()

    first, life = await token(), wire_life(wire)
    wire.fail("/token")
    clock.advance(life - 61)
    for _ in range(50):
        assert await token() == first
        clock.advance(1)
    assert await token() == first
    wire.heal()
    clock.advance(15)
    assert await token() != first


async def renewed(auth: Any, old: str) -> str:
    """The token that threads get in a moment."""
    deadline = time.monotonic() + PATIENCE
    while (token := await asyncio.to_thread(auth.token_blocking)) == old:
        assert time.monotonic() < deadline, "There is no new token."
    return str(token)


def test_no_thread_waits_for_a_hanging_entra_while_its_token_is_good(clock: FakeClock) -> None:
    """One thread beside them renews, and all go on with the token at hand."""
    emulator = HoldingEntra(clock=clock.time)
    with emulator.serve():
        auth = CamundaEntra(emulator.settings(), clock=clock).client_credentials(SCOPE)
        old = auth.token_blocking()
        clock.advance(3600 * 0.8)
        with emulator.holding("/token"), ThreadPoolExecutor(20) as threads:
            for _ in range(5):
                assert set(threads.map(lambda _: auth.token_blocking(), range(100))) == {old}
            wait_for(lambda: emulator.held == 1)
            assert set(threads.map(lambda _: auth.token_blocking(), range(100))) == {old}
        new = asyncio.run(renewed(auth, old))
        assert {auth.token_blocking() for _ in range(20)} == {new}
    assert emulator.count("/oauth2/v2.0/token") == 2


def test_threads_without_a_token_share_one_that_is_on_its_way(clock: FakeClock) -> None:
    """Without one at hand they have to wait, and ask once."""
    emulator = HoldingEntra(clock=clock.time)
    with emulator.serve():
        auth = CamundaEntra(emulator.settings(), clock=clock).client_credentials(SCOPE)
        with ThreadPoolExecutor(20) as threads:
            with emulator.holding("/token"):
                waiting = [threads.submit(auth.token_blocking) for _ in range(20)]
                wait_for(lambda: emulator.held == 1)
            assert len({each.result() for each in waiting}) == 1
    assert emulator.count("/oauth2/v2.0/token") == 1


async def test_threads_and_tasks_renew_the_same_token(
    entra: CamundaEntra, wire: Wire, clock: FakeClock
) -> None:
    """Whichever of them did."""
    auth = entra.client_credentials(SCOPE)
    first = await auth.token()
    clock.advance(0.8 * wire_life(wire))
    second = await renewed(auth, first)
    assert await auth.token() == second == wire.tokens[1]["access_token"]


def test_a_thread_that_comes_late_renews_nothing(
    entra: CamundaEntra, wire: Wire, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another one, or a task, may have renewed the token after it was found to be due."""
    auth = entra.client_credentials(SCOPE)
    first = auth.token_blocking()
    clock.advance(0.8 * wire_life(wire))
    started, start = [], threading.Thread.start

    def start_late(thread: threading.Thread) -> None:
        if thread.name == "camunda_entra token renewal":
            asyncio.run(next_token(auth, first))
            started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_late)
    assert auth.token_blocking() == first
    started[0].join(PATIENCE)
    assert auth.token_blocking() == wire.tokens[1]["access_token"] != first
    assert len(wire.forms) == 2


def test_without_another_thread_the_token_at_hand_is_used(
    entra: CamundaEntra, wire: Wire, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process may be at its limit of threads, or about to end; the next call tries again."""
    auth = entra.client_credentials(SCOPE)
    first = auth.token_blocking()
    clock.advance(0.8 * wire_life(wire))

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        assert {auth.token_blocking() for _ in range(3)} == {first}
    assert len(wire.forms) == 1
    assert asyncio.run(renewed(auth, first)) == wire.tokens[1]["access_token"]
