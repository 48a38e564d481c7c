"""Jobs in a caller's name: a delegation is text that outlives the caller's token."""

import base64
import json
import logging
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Annotated, Any, Final

import httpx
import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient

from camunda_entra_fastapi import CamundaEntra, DelegationEnded, EntraRefused, EntraUnavailable, SettingsError
from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.directory import OPERATE, UNRELATED
from tests.conftest import FakeClock
from tests.sessions.conftest import RedisServer, redis_server, running_redis
from tests.site import BEN, COOKIE, PERSON, Browser, MakeSite, Site, code_of
from tests.testing.browsing import change_application

__all__ = ["redis_server", "running_redis"]

SCOPE: Final = f"{UNRELATED}/access_as_user"
ADA: Final = "ada00000-0000-4000-8000-000000000001"
OLD, NEW = "the secret of before " * 2, "the secret of today " * 2
CLAIMS: Final = {"access_token": {"acrs": {"essential": True, "value": "c1"}}}
HOUR, DAY = 3600, 86_400


@pytest.fixture
def delegating(make_site: MakeSite) -> Callable[..., Site]:
    """Makes sites with a route that begins jobs; keyword arguments are settings."""

    def make(**settings: Any) -> Site:
        site = make_site(**settings)
        add_jobs(site.app, site.entra)
        return site

    return make


def add_jobs(app: FastAPI, entra: CamundaEntra, scope: str = SCOPE, **lifetime: timedelta) -> None:
    """Add a route that begins a job: it gives the delegation, which nobody's route should."""

    @app.post("/jobs")
    async def begin(delegation: Annotated[str, Depends(entra.delegation(scope, **lifetime))]) -> str:
        return delegation


@pytest.fixture
def site(delegating: Callable[..., Site]) -> Site:
    """A site that begins jobs."""
    return delegating()


async def begin(site: Site, token: str | None = None, **headers: str) -> httpx.Response:
    """A program's request that begins a job."""
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    return await site.browser().http.post("/jobs", headers=headers)


async def delegation_of(site: Site, emulator: EntraEmulator, user: str = ADA) -> str:
    """The delegation of somebody who called with a token."""
    answer = await begin(site, emulator.token(user=user))
    assert answer.status_code == 200, answer.text
    return str(answer.json())


def claims_of(token: str) -> dict[str, Any]:
    """The claims of a token."""
    part = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def worker_of(site: Site, **settings: Any) -> CamundaEntra:
    """The same service in another process: nothing but settings is common to both."""
    own = site.entra.settings
    given = own.model_copy(update=settings)
    http_client = site.entra._runtimes[-1].http_client
    return CamundaEntra(given, http_client=http_client, clock=site.clock)


async def test_a_job_acts_for_its_caller_when_their_token_has_expired(
    site: Site, emulator: EntraEmulator
) -> None:
    """In a process that never saw them, for as long as the delegation lasts; each token is the caller's."""
    text = await delegation_of(site, emulator)
    (form,) = site.wire.forms
    assert (form["requested_token_use"], form["scope"]) == ("on_behalf_of", f"{SCOPE} offline_access")
    worker = worker_of(site)
    seen = []
    for _ in range(3):
        site.clock.advance(2 * HOUR)
        token = await worker.delegated(text).token()
        assert await worker.delegated(text).token() == token
        claims = claims_of(token)
        assert claims["exp"] > site.clock.time()
        assert (claims["oid"], claims["appid"], claims["scp"]) == (ADA, OPERATE, "access_as_user")
        seen.append(token)
    assert len(set(seen)) == 3
    renewals = [form for form in site.wire.forms if form["grant_type"] == "refresh_token"]
    assert [form["scope"] for form in renewals] == [SCOPE] * 3
    site.clock.advance(18 * HOUR - 1)
    await worker.delegated(text).token()
    auth = worker.delegated(text)
    site.clock.advance(1)
    for use in (lambda: worker.delegated(text), auth.token_blocking):
        with pytest.raises(DelegationEnded, match=r"The time .* is over") as ended:
            use()
        assert ended.value.code == "delegation_ended"
    with pytest.raises(DelegationEnded):
        await auth.token()


async def test_the_first_token_is_there_at_once(site: Site, emulator: EntraEmulator) -> None:
    """A job of the same process asks Entra for nothing in the first hour."""
    auth = site.entra.delegated(await delegation_of(site, emulator))
    assert await auth.token() == auth.token_blocking()
    assert len(site.wire.forms) == 1


async def test_a_session_delegates_too(site: Site) -> None:
    """And the job goes on when its person has signed out."""
    browser: Browser = await site.browser().signed_in(person=BEN)
    text = (await browser.http.post("/jobs", headers={"Sec-Fetch-Site": "same-origin"})).json()
    form = site.wire.forms[-1]
    assert (form["grant_type"], form["scope"]) == ("refresh_token", f"{SCOPE} offline_access")
    await browser.http.get("/auth/logout", headers=PERSON)
    site.clock.advance(20 * HOUR)
    assert claims_of(await worker_of(site).delegated(text).token())["name"] == BEN


async def test_a_session_whose_refresh_token_stays_the_same(site: Site) -> None:
    """RFC 6749, 6: an answer without a new one means that the old one goes on."""
    browser = await site.browser().signed_in()
    old = site.wire.tokens[-1]["refresh_token"]
    site.wire.change("/token", lambda document: document.pop("refresh_token") and None)
    text = (await browser.http.post("/jobs", headers={"Sec-Fetch-Site": "same-origin"})).json()
    await worker_of(site).delegated(text).token()
    assert site.wire.forms[-1]["refresh_token"] == old


@pytest.mark.parametrize("is_async", [True, False])
async def test_http_clients_take_it(site: Site, emulator: EntraEmulator, is_async: bool) -> None:
    """As ``auth``, with an event loop or without one."""
    auth = worker_of(site).delegated(await delegation_of(site, emulator))
    api = httpx.MockTransport(lambda request: httpx.Response(200, json=request.headers["Authorization"]))
    if is_async:
        async with httpx.AsyncClient(transport=api, auth=auth) as client:
            header = (await client.get("https://archive.example.com/")).json()
    else:
        with httpx.Client(transport=api, auth=auth) as client:
            header = client.get("https://archive.example.com/").json()
    assert claims_of(header)["oid"] == ADA


async def test_threads_ask_once(site: Site, emulator: EntraEmulator) -> None:
    """A worker's threads that share one ``auth`` share its tokens."""
    auth = worker_of(site).delegated(await delegation_of(site, emulator))
    with ThreadPoolExecutor(10) as threads:
        tokens = set(threads.map(lambda _: auth.token_blocking(), range(10)))
    assert len(tokens) == 1
    assert [form["grant_type"] for form in site.wire.forms].count("refresh_token") == 1


def test_a_worker_process_acts_for_the_caller(emulator: EntraEmulator) -> None:
    """Another interpreter with the same environment, after the caller's token has expired at Entra."""
    emulator = EntraEmulator()
    with emulator.serve():
        entra = CamundaEntra(emulator.settings())
        app = FastAPI(lifespan=entra.lifespan)
        add_jobs(app, entra)
        with TestClient(app) as client:
            headers = {"Authorization": f"Bearer {emulator.token(user=ADA)}"}
            text = client.post("/jobs", headers=headers).json()
        emulator.travel(2 * HOUR)
        code = (
            "import sys; from camunda_entra_fastapi import CamundaEntra\n"
            "print(CamundaEntra().delegated(sys.stdin.read()).token_blocking())"
        )
        worker = subprocess.run(
            [sys.executable, "-c", code],
            input=text,
            env=emulator.environment(),
            capture_output=True,
            text=True,
            check=True,
        )
    claims = claims_of(worker.stdout.strip())
    assert (claims["oid"], claims["exp"] > emulator.now()) == (ADA, True)


async def test_replicas_share_its_tokens(
    make_site: MakeSite, emulator: EntraEmulator, redis_server: RedisServer
) -> None:
    """Where sessions are in a Redis, a worker finds the service's first token there."""
    site = make_site(session_store=redis_server.url)
    add_jobs(site.app, site.entra)
    async with site.entra.lifespan():
        text = await delegation_of(site, emulator)
        worker = worker_of(site)
        async with worker.lifespan():
            assert claims_of(await worker.delegated(text).token())["oid"] == ADA
    assert len(site.wire.forms) == 1


async def test_an_administrator_ends_it(site: Site, emulator: EntraEmulator) -> None:
    """Whoever revokes a person's sign-ins at Entra ends their jobs, with the next token at the latest."""
    auth = worker_of(site).delegated(await delegation_of(site, emulator))
    site.clock.advance(HOUR)
    emulator.revoke("Ada Admin")
    for _ in range(2):
        with pytest.raises(DelegationEnded, match=r"The person has to come back: .*was revoked") as ended:
            await auth.token()
    assert (ended.value.code, ended.value.claims) == ("delegation_ended", {})


@pytest.mark.parametrize(
    ("said", "claims"),
    [
        ({"error": "interaction_required", "error_codes": [50076], "claims": json.dumps(CLAIMS)}, CLAIMS),
        ({"error": "interaction_required", "error_codes": [50079]}, {}),
        ({"error": "invalid_grant", "error_codes": [700082]}, {}),
        ({"error": "invalid_grant", "error_codes": [65001]}, {}),
    ],
)
async def test_a_job_that_needs_its_person_says_so(
    site: Site, emulator: EntraEmulator, said: dict[str, Any], claims: dict[str, Any]
) -> None:
    """One error for all of it, with the claims to sign in with where Entra names any."""
    auth = worker_of(site).delegated(await delegation_of(site, emulator))
    site.wire.answer("/token", 400, json=said)
    for fetch in (auth.token_blocking, None):
        with pytest.raises(DelegationEnded, match="has to come back") as ended:
            _ = fetch() if fetch else await auth.token()
        assert ended.value.claims == claims


async def test_what_is_not_the_persons_fault_ends_nothing(site: Site, emulator: EntraEmulator) -> None:
    """An Entra that is away or an expired secret of this service are the errors they always are."""
    auth = worker_of(site).delegated(await delegation_of(site, emulator))
    site.wire.answer("/token", 401, json={"error": "invalid_client", "error_codes": [7000222]})
    with pytest.raises(EntraRefused):
        await auth.token()
    site.wire.fail("/token")
    with pytest.raises(EntraUnavailable):
        await auth.token()
    site.wire.heal()
    assert claims_of(await auth.token())["oid"] == ADA


@pytest.mark.parametrize("is_async", [True, False])
async def test_an_api_may_send_the_person_for(site: Site, emulator: EntraEmulator, is_async: bool) -> None:
    """A claims challenge is met where Entra can; where it wants the person, the job's error says so."""
    auth = worker_of(site).delegated(await delegation_of(site, emulator))
    tokens: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        tokens.append(request.headers["Authorization"])
        if len(tokens) % 2:
            encoded = base64.b64encode(json.dumps(CLAIMS).encode()).decode()
            challenge = f'Bearer error="insufficient_claims", claims="{encoded}"'
            return httpx.Response(401, headers={"WWW-Authenticate": challenge})
        return httpx.Response(200)

    async def call() -> int:
        api = httpx.MockTransport(answer)
        if is_async:
            async with httpx.AsyncClient(transport=api, auth=auth) as client:
                return (await client.get("https://archive.example.com/")).status_code
        with httpx.Client(transport=api, auth=auth) as client:
            return client.get("https://archive.example.com/").status_code

    for _ in range(2):  # hours later, it is met again
        assert await call() == 200
        assert (
            json.loads(site.wire.forms[-1]["claims"])["access_token"].items()
            >= CLAIMS["access_token"].items()
        )
        site.clock.advance(HOUR / 2)
    said = {"error": "interaction_required", "error_codes": [50076], "claims": json.dumps(CLAIMS)}
    site.wire.answer("/token", 400, json=said)
    with pytest.raises(DelegationEnded, match="has to come back") as ended:
        await call()
    assert ended.value.claims == CLAIMS


async def test_an_api_that_refuses_each_token_is_asked_twice(site: Site, emulator: EntraEmulator) -> None:
    """Its 401 is the response then; and those that it refuses at once share the new token."""
    auth = worker_of(site).delegated(await delegation_of(site, emulator))
    source = auth._tokens()
    old = await auth.token()
    assert source.invalidate(old, None)
    new = await auth.token()
    assert source.invalidate(old, None)
    assert await auth.token() == new != old
    assert not source.invalidate(new, None)
    site.clock.advance(61)
    assert source.invalidate(await auth.token(), None)


async def test_who_may_not_delegate(site: Site, emulator: EntraEmulator) -> None:
    """As with ``on_behalf_of``: nobody, and no application."""
    assert (await begin(site)).status_code == 401
    refused = await begin(site, emulator.token(app_only=True, roles=["Operate.Admin"]))
    assert (refused.status_code, code_of(refused)) == (403, "user_required")
    said = {"error": "interaction_required", "error_codes": [50076], "claims": json.dumps(CLAIMS)}
    site.wire.answer("/token", 400, json=said)
    refused = await begin(site, emulator.token())
    assert (refused.status_code, code_of(refused)) == (401, "insufficient_claims")
    site.wire.fail("/token")
    assert (await begin(site, emulator.token())).status_code == 503


async def test_without_a_refresh_token_there_is_no_delegation(site: Site, emulator: EntraEmulator) -> None:
    """Where nobody consented to ``offline_access``, the request is refused, and not the job an hour later."""
    site.wire.change("/token", lambda document: document.pop("refresh_token") and None)
    refused = await begin(site, emulator.token())
    assert (refused.status_code, code_of(refused)) == (403, "consent_required")
    assert "offline_access" in refused.text


async def test_offline_access_may_be_written_out(make_site: MakeSite, emulator: EntraEmulator) -> None:
    """It is asked for once."""
    site = make_site()
    add_jobs(site.app, site.entra, f"{SCOPE} offline_access")
    await delegation_of(site, emulator)
    assert site.wire.forms[-1]["scope"] == f"{SCOPE} offline_access"


async def test_a_new_secret_opens_what_the_old_one_sealed(
    delegating: Callable[..., Site], emulator: EntraEmulator
) -> None:
    """As long as it is listed behind the new one; then the text is unreadable."""
    site = delegating(session_secret=OLD)
    text = await delegation_of(site, emulator)
    both = emulator.settings(session_secret=f"{NEW},{OLD}").session_secret
    assert await worker_of(site, session_secret=both).delegated(text).token()
    with pytest.raises(DelegationEnded, match="CAMUNDA_ENTRA_SESSION_SECRET") as ended:
        worker_of(site, session_secret=both[:1]).delegated(text)
    assert ended.value.code == "delegation_unreadable"


async def test_a_new_client_secret_changes_nothing(
    delegating: Callable[..., Site], emulator: EntraEmulator
) -> None:
    """Where the session secret is a setting of its own."""
    site = delegating(session_secret=OLD)
    text = await delegation_of(site, emulator)
    secret = emulator.settings(client_secret="some-other-secret-of-operate").client_secret
    worker = worker_of(site, client_secret=secret)
    with pytest.raises(EntraRefused):  # it opens; the local Entra knows the first secret alone
        await worker.delegated(text).token()


@pytest.mark.parametrize("changed", ["cut", "other byte", "cookie", "empty", "huge", "other client"])
async def test_no_other_text_is_one(site: Site, emulator: EntraEmulator, changed: str) -> None:
    """Neither changed ones, nor what this service seals for another purpose, nor another service's."""
    text = await delegation_of(site, emulator)
    browser = await site.browser().signed_in()
    worker = site.entra
    if changed == "other client":
        worker = worker_of(site, client_id=UNRELATED)
    wrong = {
        "cut": text[:-8],
        "other byte": text[:40] + ("A" if text[40] != "A" else "B") + text[41:],
        "cookie": browser.session,
        "empty": "",
        "huge": "1." + "A" * 1_000_000,
        "other client": text,
    }[changed]
    with pytest.raises(DelegationEnded) as ended:
        worker.delegated(wrong)
    assert ended.value.code == "delegation_unreadable"


@pytest.mark.parametrize("kind", ["whole", "after the cookie's number"])
async def test_a_delegation_is_no_session(site: Site, emulator: EntraEmulator, kind: str) -> None:
    """Whoever gets hold of one cannot sign in with it."""
    text = await delegation_of(site, emulator)
    value = text if kind == "whole" else text.partition(".")[2]
    answer = await site.browser().http.get("/api", headers={"Cookie": f"{COOKIE}={value}"})
    assert answer.status_code == 401


def test_bytes_are_no_text(site: Site) -> None:
    """Some queues give bytes, and the error says what to do."""
    with pytest.raises(TypeError, match=r"A delegation is a str.*and not bytes"):
        site.entra.delegated(b"1.abc")  # type: ignore[arg-type]  # this is the mistake


@pytest.mark.parametrize(
    "lifetime", [timedelta(0), timedelta(seconds=-1), timedelta(days=90, seconds=1), 3600, None]
)
def test_a_lifetime_that_is_none_is_refused_at_start(site: Site, lifetime: Any) -> None:
    """Entra's refresh tokens live for 90 days."""
    with pytest.raises(ValueError, match="90 days"):
        site.entra.delegation(SCOPE, lifetime=lifetime)


async def test_its_lifetime_is_chosen_where_it_begins(make_site: MakeSite, emulator: EntraEmulator) -> None:
    """90 days at most, in which the refresh token inside of it stays good."""
    site = make_site()
    add_jobs(site.app, site.entra, lifetime=timedelta(days=90))
    text = await delegation_of(site, emulator)
    site.clock.advance(89 * DAY)
    assert await worker_of(site).delegated(text).token()
    site.clock.advance(DAY)
    with pytest.raises(DelegationEnded):
        site.entra.delegated(text)


async def test_no_token_outlives_the_delegation(make_site: MakeSite, emulator: EntraEmulator) -> None:
    """Nor does one that is cached."""
    site = make_site()
    add_jobs(site.app, site.entra, lifetime=timedelta(minutes=5))
    auth = site.entra.delegated(await delegation_of(site, emulator))
    site.clock.advance(299)
    assert await auth.token()
    site.clock.advance(1)
    with pytest.raises(DelegationEnded):
        await auth.token()


@pytest.mark.parametrize("scope", ["", "ä/.default"])
def test_a_scope_that_is_none_is_refused_at_start(site: Site, scope: str) -> None:
    """With what a right one looks like."""
    with pytest.raises(ValueError, match=r"such as api://0{8}-"):
        site.entra.delegation(scope)


def test_what_is_missing_is_said_at_start(emulator: EntraEmulator) -> None:
    """A credential, and a secret to seal with where the credential is none."""
    without = CamundaEntra(emulator.settings(client_secret=None))
    with pytest.raises(SettingsError, match=r"CAMUNDA_IDENTITY_CLIENT_SECRET is not set\. Delegations need"):
        without.delegation(SCOPE)
    keyless = CamundaEntra(emulator.settings(client_secret=None), client_assertion=lambda: "signed")
    for use in (lambda: keyless.delegation(SCOPE), lambda: keyless.delegated("1.a.b.c")):
        with pytest.raises(SettingsError, match="CAMUNDA_ENTRA_SESSION_SECRET is not set"):
            use()


@pytest.mark.parametrize("is_async", [True, False])
async def test_a_tenant_that_is_not_let_in_any_more_ends_its_jobs(
    emulator: EntraEmulator, clock: FakeClock, is_async: bool
) -> None:
    """The application's own word counts for jobs as for sessions."""
    allowed = {emulator.tenant.id}
    change_application(emulator, OPERATE, sign_in_audience="AzureADMultipleOrgs")
    common = f"{emulator.base_url}/organizations/v2.0"
    settings = emulator.settings(issuer=common, issuer_backend_url=common, allowed_tenants="function")
    async with emulator.http_client() as http_client:
        entra = CamundaEntra(
            settings, http_client=http_client, clock=clock, tenant_allowed=allowed.__contains__
        )
        app = FastAPI()
        add_jobs(app, entra)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://orders.example.com") as client:
            headers = {"Authorization": f"Bearer {emulator.token()}"}
            answer = await client.post("/jobs", headers=headers)
        auth = entra.delegated(answer.json())
        assert await auth.token() == auth.token_blocking()
        allowed.clear()
        clock.advance(301)
        with pytest.raises(DelegationEnded, match="is not let in"):
            _ = await auth.token() if is_async else auth.token_blocking()


async def test_a_tenant_that_the_list_names_no_more_ends_its_jobs(
    emulator: EntraEmulator, clock: FakeClock
) -> None:
    """A job lives for up to 90 days, so the settings of today count, as for the next sign-in."""
    change_application(emulator, OPERATE, sign_in_audience="AzureADMultipleOrgs")
    common = f"{emulator.base_url}/organizations/v2.0"

    def service(allowed_tenants: str) -> CamundaEntra:
        settings = emulator.settings(
            issuer=common, issuer_backend_url=common, allowed_tenants=allowed_tenants
        )
        return CamundaEntra(settings, http_client=http_client, clock=clock)

    other = "00000000-0000-4000-8000-000000000000"
    async with emulator.http_client() as http_client:
        entra = service(f"{emulator.tenant.id},{other}")
        app = FastAPI()
        add_jobs(app, entra)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://orders.example.com") as client:
            headers = {"Authorization": f"Bearer {emulator.token()}"}
            text = (await client.post("/jobs", headers=headers)).json()
        for allowed in (emulator.tenant.id, "*"):
            assert await service(allowed).delegated(text).token()
        with pytest.raises(DelegationEnded, match="CAMUNDA_ENTRA_ALLOWED_TENANTS does not name it") as ended:
            service(other).delegated(text)
        assert ended.value.code == "delegation_ended"


async def test_it_shows_no_secret(
    site: Site, emulator: EntraEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    """Not in its text, nor in logs, errors and what objects say of themselves; and its size is bounded."""
    with caplog.at_level(logging.DEBUG):
        text = await delegation_of(site, emulator)
        auth = worker_of(site).delegated(text)
        await auth.token()
        site.wire.answer("/token", 400, json={"error": "invalid_grant", "error_description": text})
        site.clock.advance(2 * HOUR)
        with pytest.raises(DelegationEnded) as ended:
            await auth.token()
    source: Any = auth._tokens()
    said = f"{auth!r}{source!r}{source._token._grant!r}{ended.value!r}{ended.value}" + caplog.text
    for secret in (*site.wire.secrets(), text):
        assert secret not in said
        assert text == secret or secret not in text
    site.wire.heal()
    largest = "r" * 16 * 1024
    site.wire.change("/token", lambda document: {**document, "refresh_token": largest})
    assert len(await delegation_of(site, emulator)) < 24_000
