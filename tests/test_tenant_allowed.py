"""``CamundaEntra(tenant_allowed=...)``: the application's own function decides which tenants are let in.

It takes the place of fastapi-azure-auth's ``iss_callable`` ("Accept specific tenants only" in its pages).
That it is asked after the signature is RFC 7519, 7.2: claims of an unverified token say nothing.
"""

import asyncio
import functools
import inspect
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Annotated, Any, Final

import httpx
import pytest
from fastapi import Depends, FastAPI, WebSocket
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from camunda_entra_fastapi import (
    CamundaEntra,
    EntraSettings,
    EntraUser,
    InvalidToken,
    SettingsError,
    tenant_check,
)
from camunda_entra_fastapi.cli.doctor.runner import settings_finding
from camunda_entra_fastapi.cli.doctor.service import session_store
from camunda_entra_fastapi.cli.explain.explanation import explain_token
from camunda_entra_fastapi.cli.findings import State
from camunda_entra_fastapi.runtime import policy_of
from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.directory import OPERATE
from camunda_entra_fastapi.testing.fixtures.trust import settings_for
from camunda_entra_fastapi.token_validator import TokenValidator
from tests.cli.explain.test_tokens import own_keys
from tests.conftest import FakeClock
from tests.site import (
    ADA,
    COOKIE,
    HOME,
    MakeSite,
    Site,
    Store,
    emulator,
    guarded,
    make_site,
    session_manager_of,
)
from tests.testing.browsing import change_application
from tests.tokens import CLIENT_ID, OTHER_TENANT, PERSONAL_TENANT, TENANT
from tests.waiting import until

__all__ = ["emulator", "make_site"]

SENTENCE: Final = "Whether people of this organization are let in cannot be told at the moment."
COMMON: Final = "https://login.microsoftonline.com/common/v2.0"
LIFETIME: Final = 300
NOTE: Final = "the service's function tenant_allowed decides, which this command cannot ask"


@dataclass
class Customers:
    """A service's customers, as they stand in its database.

    Attributes:
        tenants: Who is a customer.
        asked: The tenants that were asked about, one entry for each question.
        trouble: What the database raises.
        answers: No question is answered before this happens.
    """

    tenants: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    trouble: BaseException | None = None
    answers: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        """Usually there is an answer."""
        self.answers.set()

    async def __call__(self, tenant_id: str) -> bool:
        """Whether it is a customer."""
        self.asked.append(tenant_id)
        await self.answers.wait()
        if self.trouble is not None:
            raise self.trouble
        return tenant_id in self.tenants


def several(emulator: EntraEmulator, segment: str = "common") -> dict[str, Any]:
    """Settings for an issuer of several tenants, with a function that decides."""
    change_application(emulator, OPERATE, sign_in_audience="AzureADMultipleOrgs")
    issuer = f"{emulator.base_url}/{segment}/v2.0"
    return {"issuer": issuer, "issuer_backend_url": issuer, "allowed_tenants": "function"}


def token_of(emulator: EntraEmulator, tenant: str = OTHER_TENANT, **claims: Any) -> str:
    """An access token of that tenant."""
    own = {"tid": tenant, "iss": f"{emulator.base_url}/{tenant}/v2.0", "aud": OPERATE} | claims
    return emulator.token(scopes=["access_as_user"], **own)


@dataclass
class Service:
    """A service whose customers stand in a database."""

    http: httpx.AsyncClient
    entra: CamundaEntra
    app: FastAPI
    customers: Customers
    emulator: EntraEmulator

    async def ask(self, token: str | None = None, path: str = "/api") -> tuple[int, str]:
        """Status and code of an answer."""
        token = token_of(self.emulator) if token is None else token
        answer = await self.http.get(path, headers={"Authorization": f"Bearer {token}"})
        detail = answer.json().get("detail", {}) if answer.content else {}
        return answer.status_code, detail.get("code", "")


Open = Callable[..., Awaitable[Service]]


@pytest.fixture
async def opened(emulator: EntraEmulator, clock: FakeClock) -> AsyncIterator[Open]:
    """Opens services; keyword arguments are settings, those of ``CamundaEntra`` apart."""
    opened: list[httpx.AsyncClient] = []

    async def start(
        customers: Customers | None = None, function: Any = None, lifetime: float = LIFETIME, **settings: Any
    ) -> Service:
        customers = customers or Customers({OTHER_TENANT})
        entra = CamundaEntra(
            emulator.settings(**several(emulator) | settings),
            http_client=emulator.http_client(),
            clock=clock,
            tenant_allowed=function or customers,
            tenant_allowed_lifetime=lifetime,
        )
        app = guarded(entra, FastAPI())
        app.include_router(entra.forward_auth_router())
        opened.append(httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=HOME))
        return Service(opened[-1], entra, app, customers, emulator)

    yield start
    for client in opened:
        await client.aclose()


async def test_the_function_decides(opened: Open) -> None:
    """It gets the tenant's ID in small letters, once for many tokens."""
    service = await opened()
    assert await service.ask() == (200, "")
    assert await service.ask(token_of(service.emulator, OTHER_TENANT.upper())) == (200, "")
    assert await service.ask(token_of(service.emulator, TENANT)) == (401, "tenant_mismatch")
    assert await service.ask(token_of(service.emulator, TENANT)) == (401, "tenant_mismatch")
    assert service.customers.asked == [OTHER_TENANT, TENANT]


async def test_the_list_is_not_asked_about(opened: Open) -> None:
    """Who stands in CAMUNDA_ENTRA_ALLOWED_TENANTS is let in, also when the database is away."""
    service = await opened(Customers(trouble=OSError("away")), allowed_tenants=[OTHER_TENANT])
    assert await service.ask() == (200, "")
    assert service.customers.asked == []
    assert await service.ask(token_of(service.emulator, TENANT)) == (503, "tenant_check_failed")
    assert service.entra.settings.allowed_tenants == (OTHER_TENANT, "function")


@pytest.mark.parametrize(
    "claims",
    [{"aud": "api://other"}, {"exp": 1}, {"iss": "https://evil.example/"}, {"scp": "", "azp": None}],
    ids=["another API's", "expired", "another issuer's", "an ID token"],
)
async def test_no_other_refusal_costs_a_question(opened: Open, claims: dict[str, Any]) -> None:
    """Whoever has no token for this API makes the service look up nothing."""
    service = await opened()
    assert (await service.ask(token_of(service.emulator, **claims)))[0] == 401
    assert service.customers.asked == []


async def test_no_signature_no_question(opened: Open) -> None:
    """RFC 7519, 7.2: an unverified token's tenant is anybody's word."""
    service = await opened()
    forged = token_of(service.emulator)[:-8] + "AAAAAAAA"
    assert await service.ask(forged) == (401, "signature_invalid")
    assert service.customers.asked == []


async def test_a_removed_tenant_is_refused_in_time(opened: Open, clock: FakeClock) -> None:
    """Also with a token that was seen before, and to the second."""
    service = await opened()
    token = token_of(service.emulator)
    assert await service.ask(token) == (200, "")
    service.customers.tenants.clear()
    clock.advance(LIFETIME - 1)
    later = token_of(service.emulator, sub="somebody else")
    assert await service.ask(token) == await service.ask(later) == (200, "")
    clock.advance(1)
    assert await service.ask(token) == await service.ask(later) == (401, "tenant_mismatch")
    assert service.customers.asked == [OTHER_TENANT] * 2


async def test_a_new_customer_waits_less(opened: Open, clock: FakeClock) -> None:
    """A refusal is remembered for a tenth of the time."""
    service = await opened(Customers())
    token = token_of(service.emulator)
    assert await service.ask(token) == (401, "tenant_mismatch")
    service.customers.tenants.add(OTHER_TENANT)
    clock.advance(LIFETIME / 10 - 1)
    assert await service.ask(token) == (401, "tenant_mismatch")
    clock.advance(1)
    assert await service.ask(token) == (200, "")


async def test_nothing_is_remembered_for_no_time(opened: Open) -> None:
    """With a lifetime of 0 every request asks."""
    service = await opened(lifetime=0)
    token = token_of(service.emulator)
    assert [await service.ask(token) for _ in range(3)] == [(200, "")] * 3
    service.customers.tenants.clear()
    assert await service.ask(token) == (401, "tenant_mismatch")
    assert len(service.customers.asked) == 4


async def test_all_who_wait_share_one_question(opened: Open) -> None:
    """A crowd of one tenant is one look-up, and another tenant's people do not wait for it."""
    service = await opened(Customers({OTHER_TENANT, TENANT}))
    service.customers.answers.clear()
    crowd = [
        asyncio.create_task(service.ask(token_of(service.emulator, sub=f"person {number}")))
        for number in range(20)
    ]
    await until(lambda: len(service.customers.asked) == 1)
    other = asyncio.create_task(service.ask(token_of(service.emulator, TENANT)))
    await until(lambda: len(service.customers.asked) == 2)
    service.customers.answers.set()
    assert set(await asyncio.gather(*crowd, other)) == {(200, "")}
    assert service.customers.asked == [OTHER_TENANT, TENANT]


async def test_who_leaves_takes_nobody_along(opened: Open) -> None:
    """A request that is cancelled does not cancel the question of others."""
    service = await opened()
    service.customers.answers.clear()
    first, second = (
        asyncio.create_task(service.ask(token_of(service.emulator, sub=name))) for name in ("a", "b")
    )
    await until(lambda: len(service.customers.asked) == 1)
    first.cancel()
    service.customers.answers.set()
    assert await second == (200, "")
    assert first.cancelled()
    assert service.customers.asked == [OTHER_TENANT]


@pytest.mark.parametrize(
    ("trouble", "how"),
    [
        (OSError("postgresql://app:hunter2@db:5432 refused"), "raised OSError"),
        (PermissionError("401"), "raised PermissionError"),
        (asyncio.CancelledError("a pool that closes"), "was cancelled"),
    ],
    ids=lambda each: type(each).__name__,
)
async def test_a_database_that_is_away_is_no_fault_of_the_caller(
    opened: Open, trouble: BaseException, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    """503 with a sentence and a reference; the log has the rest once; nothing is remembered of it."""
    service = await opened(Customers({OTHER_TENANT}, trouble=trouble))
    headers = {"Authorization": f"Bearer {token_of(service.emulator)}"}
    answer = await service.http.get("/api", headers=headers)
    detail = answer.json()["detail"]
    assert (answer.status_code, detail["code"]) == (503, "tenant_check_failed")
    assert detail["message"].startswith(SENTENCE)
    assert answer.headers["retry-after"] == "5"
    assert "www-authenticate" not in answer.headers
    assert "hunter2" not in answer.text
    (line,) = [each for each in caplog.messages if "Answered 503" in each]
    assert f"The function tenant_allowed {how}." in line
    assert line.split("reference ")[1][:8] in detail["message"]
    traced = [each for each in caplog.records if each.exc_info]
    assert len(traced) == isinstance(trouble, Exception)
    service.customers.trouble = None
    assert (await service.http.get("/api", headers=headers)).status_code == 200


async def test_a_database_that_hangs_holds_up_nobody_for_ever(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is a deadline."""
    monkeypatch.setattr(tenant_check, "DEADLINE", 0.01)
    service = await opened()
    service.customers.answers.clear()
    assert await service.ask() == (503, "tenant_check_failed")


async def test_an_event_loop_that_ends_cancels_the_question(opened: Open) -> None:
    """The question is not turned into an answer then."""
    service = await opened()
    service.customers.answers.clear()
    asked = asyncio.create_task(service.ask())
    await until(lambda: len(service.customers.asked) == 1)
    (question,) = [each for each in asyncio.all_tasks() if "tenant check" in each.get_name()]
    question.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked


@pytest.mark.parametrize("answer", [None, 1, f"https://login.microsoftonline.com/{TENANT}/v2.0"])
async def test_what_is_neither_true_nor_false_lets_nobody_in(
    opened: Open, answer: object, caplog: pytest.LogCaptureFixture
) -> None:
    """A ``return`` that was forgotten, or an ``iss_callable``, which returns an issuer."""

    async def function(_: str) -> Any:
        return answer

    service = await opened(function=function)
    assert await service.ask() == (503, "tenant_check_failed")
    assert f"returned a {type(answer).__name__}; it must return True or False" in caplog.text


async def test_a_plain_function_holds_nobody_up(opened: Open) -> None:
    """It runs in a thread of its own, as FastAPI runs plain functions."""
    threads: list[str] = []

    def function(tenant_id: str) -> bool:
        threads.append(threading.current_thread().name)
        return tenant_id == OTHER_TENANT

    def later(tenant_id: str) -> Awaitable[bool]:
        return Customers({OTHER_TENANT})(tenant_id)

    for each in (function, functools.partial(function), later):
        assert await (await opened(function=each)).ask() == (200, "")
    assert threading.main_thread().name not in threads
    assert len(threads) == 2


async def test_the_answers_that_are_kept_are_bounded(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest goes first."""
    monkeypatch.setattr(tenant_check, "MAX_REMEMBERED", 2)
    service = await opened(Customers())
    tenants = [OTHER_TENANT, TENANT, PERSONAL_TENANT]
    for tenant in (*tenants, tenants[2], tenants[1], tenants[0]):
        assert await service.ask(token_of(service.emulator, tenant)) == (401, "tenant_mismatch")
    assert service.customers.asked == [*tenants, tenants[0]]


async def test_old_answers_are_swept_out(opened: Open, clock: FakeClock) -> None:
    """Once a minute, with the tokens that were seen."""
    service = await opened()
    await service.ask()
    validator = service.entra.bearer.authentication.validator
    assert validator.tenants is not None
    validator.sweep()
    assert len(validator.tenants._answers) == 1
    clock.advance(LIFETIME)
    validator.sweep()
    assert len(validator.tenants._answers) == 0


async def test_personal_accounts_are_no_organization(opened: Open, emulator: EntraEmulator) -> None:
    """With /organizations nobody is asked about them; with /common the function decides."""
    everybody = Customers({PERSONAL_TENANT})
    service = await opened(everybody, **several(emulator, "organizations"))
    assert await service.ask(token_of(emulator, PERSONAL_TENANT)) == (401, "tenant_mismatch")
    assert everybody.asked == []
    assert await (await opened(everybody)).ask(token_of(emulator, PERSONAL_TENANT)) == (200, "")


async def test_gateways_are_told_the_same(opened: Open) -> None:
    """``/auth/verify`` and Envoy's endpoint."""
    service = await opened()
    stranger = token_of(service.emulator, TENANT)
    for path in ("/auth/verify", "/auth/ext-authz/orders"):
        assert await service.ask(path=path) == (200, "")
        assert await service.ask(stranger, path) == (401, "tenant_mismatch")
    service.customers.trouble = OSError()
    assert await service.ask(token_of(service.emulator, PERSONAL_TENANT), "/auth/verify") == (
        503,
        "tenant_check_failed",
    )


async def test_websockets_are_refused_before_they_open(opened: Open) -> None:
    """Known customers are let in, others are not, and a database that is away is 503."""
    service = await opened()

    @service.app.websocket("/live")
    async def live(socket: WebSocket, who: Annotated[EntraUser, Depends(service.entra.current_user)]) -> None:
        await socket.accept()
        await socket.send_text(who.tid or "")
        await socket.close()

    def connect(tenant: str) -> str:
        headers = {"Authorization": f"Bearer {token_of(service.emulator, tenant)}"}
        with TestClient(service.app).websocket_connect("/live", headers=headers) as socket:
            return str(socket.receive_text())

    assert await asyncio.to_thread(connect, OTHER_TENANT) == OTHER_TENANT
    with pytest.raises(WebSocketDisconnect) as refused:
        await asyncio.to_thread(connect, TENANT)
    assert getattr(refused.value, "status_code", None) == 401


def site_of(make_site: MakeSite, emulator: EntraEmulator, customers: Customers, **settings: Any) -> Site:
    """A site that people sign in to, with customers."""
    options = {"tenant_allowed": customers, "tenant_allowed_lifetime": LIFETIME}
    return make_site(
        **several(emulator, "organizations") | {"cookie_name": COOKIE} | settings, options=options
    )


@Store
async def test_who_is_no_customer_gets_no_session(
    make_site: MakeSite, emulator: EntraEmulator, store: str
) -> None:
    """The sign-in is refused before there is one; after a signature that Entra made."""
    customers = Customers()
    site = site_of(make_site, emulator, customers, session_store=store)
    browser = site.browser()
    answer = await browser.http.get(await browser.come_back(person=ADA))
    assert (answer.status_code, answer.json()["detail"]["code"]) == (403, "tenant_mismatch")
    assert customers.asked == [emulator.tenant.id]
    assert not [name for name in browser.cookies if name == COOKIE]


@Store
async def test_a_sign_in_while_the_database_is_away_can_be_tried_again(
    make_site: MakeSite, emulator: EntraEmulator, store: str
) -> None:
    """503, with a page for people; no session."""
    customers = Customers(trouble=OSError())
    site = site_of(make_site, emulator, customers, session_store=store)
    answer = await site.browser().sign_in()
    assert answer.status_code == 503
    assert SENTENCE in answer.text
    customers.trouble, customers.tenants = None, {emulator.tenant.id}
    assert await (await site.browser().signed_in()).status() == 200


@Store
async def test_a_session_of_a_removed_tenant_ends_in_time(
    make_site: MakeSite, emulator: EntraEmulator, clock: FakeClock, store: str
) -> None:
    """Long before its access token expires; with the database away it waits and is not lost."""
    customers = Customers({emulator.tenant.id})
    site = site_of(make_site, emulator, customers, session_store=store)
    browser = await site.browser().signed_in()
    assert [await browser.status() for _ in range(3)] == [200] * 3
    assert customers.asked == [emulator.tenant.id]
    clock.advance(LIFETIME)
    assert [await browser.status() for _ in range(3)] == [200] * 3
    assert customers.asked == [emulator.tenant.id] * 2
    clock.advance(LIFETIME)
    customers.trouble = OSError()
    assert await browser.status() == 503
    customers.trouble = None
    assert await browser.status() == 200
    clock.advance(LIFETIME)
    customers.tenants.clear()
    assert await browser.status() == 401
    customers.tenants.add(emulator.tenant.id)
    clock.advance(LIFETIME)
    assert await browser.status() == 401, "what has ended stays ended"
    assert site.renewals() == 0


async def test_a_session_whose_tenant_is_known_is_found_at_once(
    make_site: MakeSite, emulator: EntraEmulator, clock: FakeClock
) -> None:
    """Also after the answer was fetched anew, and in another process that never saw the sign-in."""
    customers = Customers({emulator.tenant.id})
    browser = await site_of(make_site, emulator, customers).browser().signed_in()
    other = site_of(make_site, emulator, customers)
    http = other.browser(like=browser)
    manager = session_manager_of(other)
    assert manager.cached(browser.session) is None
    assert await http.status() == 200
    assert manager.cached(browser.session) is not None
    clock.advance(LIFETIME)
    assert manager.cached(browser.session) is None
    assert await http.status() == 200
    assert manager.cached(browser.session) is not None


@Store
async def test_a_renewal_asks_as_well(
    make_site: MakeSite, emulator: EntraEmulator, clock: FakeClock, store: str
) -> None:
    """Entra's new tokens are judged like the first ones."""
    customers = Customers({emulator.tenant.id})
    site = site_of(make_site, emulator, customers, session_store=store)
    browser = await site.browser().signed_in()
    clock.advance(2 * 3600)
    assert await browser.status() == 200
    assert site.renewals() == 1
    clock.advance(2 * 3600)
    customers.tenants.clear()
    assert await browser.status() == 401


async def test_a_listed_tenant_s_sessions_ask_nobody(make_site: MakeSite, emulator: EntraEmulator) -> None:
    """The list is enough, and the session is as fast as without a function."""
    customers = Customers(trouble=OSError())
    site = site_of(make_site, emulator, customers, allowed_tenants=[emulator.tenant.id])
    browser = await site.browser().signed_in()
    assert await browser.status() == 200
    assert session_manager_of(site).cached(browser.session) is not None
    assert customers.asked == []


def environment(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    """The variables of a service for several tenants."""
    for name, value in {"TYPE": "AZUREAD", "ISSUER": COMMON, "CLIENT_ID": CLIENT_ID}.items():
        monkeypatch.setenv(f"CAMUNDA_IDENTITY_{name}", value)
    for name, value in variables.items():
        monkeypatch.setenv(f"CAMUNDA_ENTRA_{name}", value)


async def nobody(_: str) -> bool:
    """No tenant at all."""
    return False


async def issuer_of(*, tid: str) -> str:
    """An ``iss_callable`` as fastapi-azure-auth calls it, by name."""
    return tid


def test_a_function_without_a_signature_is_tried_when_somebody_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """As some of C have none to look at."""

    def signature(_: object) -> None:
        raise ValueError("no signature found")

    monkeypatch.setattr(inspect, "signature", signature)
    assert tenant_check.TenantFunction(nobody, LIFETIME).function is nobody


def test_with_a_function_no_list_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor the word; the settings say afterwards what decides."""
    environment(monkeypatch)
    assert CamundaEntra(tenant_allowed=nobody).settings.allowed_tenants == ("function",)
    with pytest.raises(SettingsError, match=r"or to function where CamundaEntra\(tenant_allowed=\.\.\.\)"):
        CamundaEntra()


@pytest.mark.parametrize(
    ("tenants", "function", "message"),
    [
        ("function", None, "says that a function decides, and CamundaEntra was given none"),
        ("*", nobody, r"lets in every tenant, so that .* would never be asked"),
        (f"function,{TENANT},*", nobody, "holds something that is not a tenant ID"),
    ],
)
def test_list_and_function_must_fit(
    monkeypatch: pytest.MonkeyPatch, tenants: str, function: Any, message: str
) -> None:
    """What would let in everybody, or nobody, is told at start."""
    environment(monkeypatch, ALLOWED_TENANTS=tenants)
    with pytest.raises(SettingsError, match=message):
        CamundaEntra(tenant_allowed=function)


@pytest.mark.parametrize("tenants", [f"function,{TENANT}", f"FUNCTION, {TENANT}", TENANT])
def test_both_may_be_there(monkeypatch: pytest.MonkeyPatch, tenants: str) -> None:
    """The list for those who are always let in."""
    environment(monkeypatch, ALLOWED_TENANTS=tenants)
    assert set(CamundaEntra(tenant_allowed=nobody).settings.allowed_tenants) == {"function", TENANT}


def test_for_a_single_tenant_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the same code runs with the local Entra; a foreign list is still refused."""
    environment(monkeypatch)
    monkeypatch.setenv("CAMUNDA_IDENTITY_ISSUER", COMMON.replace("common", TENANT))
    for tenants in (None, "function", f"function,{TENANT}"):
        if tenants is not None:
            monkeypatch.setenv("CAMUNDA_ENTRA_ALLOWED_TENANTS", tenants)
        entra = CamundaEntra(tenant_allowed=nobody)
        assert entra.bearer.authentication.validator.tenants is None
    monkeypatch.setenv("CAMUNDA_ENTRA_ALLOWED_TENANTS", f"function,{OTHER_TENANT}")
    with pytest.raises(SettingsError, match="lacks the one tenant"):
        CamundaEntra(tenant_allowed=nobody)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tenant_allowed": "customers"}, "must be a function of a tenant ID that returns True or False"),
        ({"tenant_allowed": issuer_of}, "cannot be called with one argument: too many positional arguments"),
        ({"tenant_allowed": nobody, "tenant_allowed_lifetime": -1}, "must be seconds, from 0 to 86400"),
        ({"tenant_allowed": nobody, "tenant_allowed_lifetime": float("nan")}, "must be seconds"),
        ({"tenant_allowed": nobody, "tenant_allowed_lifetime": 86_401}, "must be seconds"),
    ],
)
def test_wrong_arguments_are_refused_at_start(arguments: dict[str, Any], message: str) -> None:
    """With what they should be."""
    settings = EntraSettings(type="AZUREAD", issuer=COMMON, client_id=CLIENT_ID, allowed_tenants="function")
    with pytest.raises(SettingsError, match=message):
        CamundaEntra(settings, **arguments)


async def test_without_a_function_nobody_is_let_in_who_is_not_named(
    emulator: EntraEmulator, clock: FakeClock
) -> None:
    """A policy that says so, and no function: the names alone count."""
    policy = policy_of(emulator.settings(**several(emulator) | {"allowed_tenants": ["function", TENANT]}))
    async with emulator.http_client() as client:
        settings = emulator.settings(**several(emulator) | {"allowed_tenants": "*"})
        keys = CamundaEntra(settings, http_client=client, clock=clock)._runtimes[-1].keys
        validator = TokenValidator(keys, policy, cache_size=0, clock=clock)
        assert (await validator.validate_text(token_of(emulator, TENANT))).tid == TENANT
        with pytest.raises(InvalidToken, match="is not let in by this API"):
            await validator.validate_text(token_of(emulator))


async def test_doctor_looks_at_the_session_store_all_the_same(emulator: EntraEmulator) -> None:
    """The function is not there when it runs."""
    settings = emulator.settings(**several(emulator))
    context: Any = SimpleNamespace(settings=settings, probe=SimpleNamespace(client=None), clock=emulator.now)
    *_, finding = [each async for each in session_store(context)]
    assert (finding.state, finding.message) == (State.OK, "in the browsers' cookies")


async def test_tests_of_the_application_keep_the_function(opened: Open, emulator: EntraEmulator) -> None:
    """``entra_client`` lets in the local Entra's own tenant; about all others the function decides."""
    production = EntraSettings(
        type="AZUREAD", issuer=COMMON, client_id=OPERATE, allowed_tenants="function", client_secret="s" * 32
    )
    service = await opened(Customers({OTHER_TENANT}))
    with service.entra.overridden(settings_for(emulator, production)):
        assert await service.ask(token_of(emulator, emulator.tenant.id)) == (200, "")
        assert service.customers.asked == []
        assert await service.ask() == (200, "")
        assert await service.ask(token_of(emulator, TENANT)) == (401, "tenant_mismatch")


def test_explain_and_doctor_say_that_a_function_decides(emulator: EntraEmulator, clock: FakeClock) -> None:
    """They cannot ask it, and do not act as if they had."""
    settings = emulator.settings(**several(emulator) | {"allowed_tenants": ["function", emulator.tenant.id]})
    assert "of which its function tenant_allowed lets in some" in settings_finding(settings).message
    assert "function" not in settings_finding(emulator.settings()).message
    for tenant, is_asked in ((OTHER_TENANT, True), (emulator.tenant.id, False)):
        explained = explain_token(token_of(emulator, tenant), settings, own_keys(emulator), clock.time())
        assert explained.result is not None
        notes = [check.message for check in explained.result.checks if check.state is State.NOTE]
        assert notes == (["not looked at: " + NOTE] if is_asked else [])
        verdict, message = explained.verdict
        assert verdict == "accepted"
        assert ("if its function tenant_allowed lets in the tenant" in message) is is_asked
