"""What is counted beyond tokens: refusals, sign-ins, sessions, fetches of tokens, the age of keys; spans."""

import asyncio
import gc
from dataclasses import dataclass
from typing import Any, Final

import httpx
import pytest
from opentelemetry.metrics import CallbackOptions
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode

from camunda_entra_fastapi import EntraRefused
from camunda_entra_fastapi.errors import CODES, FetchFailed, SessionsUnavailable
from camunda_entra_fastapi.remote.http import EntraHttp
from camunda_entra_fastapi.telemetry import INSTRUMENTS, ObservableAges, key_ages
from camunda_entra_fastapi.testing.directory import OPERATE
from tests.conftest import FakeClock
from tests.measuring import counted, metric_reader, span_exporter
from tests.remote.scripted import ScriptedEntra, settle
from tests.site import (
    ADA,
    MakeSite,
    Site,
    Store,
    emulator,
    make_site,
    session_manager_of,
    site,
)
from tests.web.conftest import bearer

__all__ = ["emulator", "make_site", "site"]

REFUSALS: Final = "camunda_entra.refusals"
SIGN_INS: Final = "camunda_entra.sign_ins"
OPERATIONS: Final = "camunda_entra.session.operations"
RENEWALS: Final = "camunda_entra.session.renewals"
FETCHES: Final = "camunda_entra.token_fetches"


@pytest.fixture(autouse=True)
def look_afresh() -> None:
    """What other tests counted is discarded."""
    metric_reader().get_metrics_data()
    span_exporter().clear()


async def test_refusals_are_counted_by_code(site: Site) -> None:
    """Each request once, whoever refuses: a token, a role, a gateway's question, Entra away."""
    site.app.include_router(site.entra.forward_auth_router())
    http = site.browser().http
    good = bearer(site.emulator.token(user=ADA, roles=[]))
    await http.get("/api")
    await http.get("/api", headers=good)
    await http.get("/api", headers=bearer("nonsense"))
    await http.get("/auth/verify?role=Boss", headers=good)
    await http.get("/auth/verify?rolle=Boss", headers=good)
    await http.get("/auth/me")
    assert counted(REFUSALS) == {
        ("credentials_missing",): 2,
        ("token_malformed",): 1,
        ("role_missing",): 1,
        ("verify_request_invalid",): 1,
    }


async def test_faults_count_as_refusals_too(site: Site) -> None:
    """An alert on keys that never came looks at them."""
    site.wire.fail("")
    await site.browser().http.get("/api", headers=bearer(site.emulator.token()))
    assert counted(REFUSALS) == {("keys_unavailable",): 1}


async def test_sign_ins_are_counted_by_outcome(site: Site) -> None:
    """Those that worked, those that Entra refused, and those that could not begin."""
    await site.browser().signed_in()
    browser = site.browser()
    address = await browser.come_back()
    description = {"error": "invalid_client", "error_codes": [7000222]}
    site.wire.answer("/token", 401, json=description)
    await browser.open(address)
    await browser.open("/auth/login-callback?state=invented&code=x")
    assert counted(SIGN_INS) == {("signed_in",): 1, ("login_refused",): 1, ("login_expired",): 1}


async def test_a_sign_in_that_cannot_begin_is_counted(site: Site) -> None:
    """Nobody comes back from an Entra that nobody reaches."""
    site.wire.fail("")
    await site.browser().open("/auth/login")
    assert counted(SIGN_INS) == {("entra_unreachable",): 1}


@Store
async def test_sessions_are_counted_by_store_and_operation(make_site: MakeSite, store: str) -> None:
    """Made, read, renewed, ended."""
    site = make_site(session_store=store)
    browser = await site.browser().signed_in()
    assert counted(OPERATIONS) == {("create", "succeeded", store): 1}
    site.clock.advance(3600)
    assert await browser.status() == 200
    assert counted(OPERATIONS) == {
        ("read", "succeeded", store): 2 if store == "memory" else 1,
        ("replace", "succeeded", store): 1,
    }
    assert counted(RENEWALS) == {}  # the look before has taken them along
    await browser.http.get("/auth/front-channel-logout?sid=nobodys")
    await browser.http.get("/auth/logout")
    found = counted(OPERATIONS)
    assert found[("end_by_sid", "succeeded", store)] == 1
    assert found[("end", "succeeded", store)] == 1


async def test_renewals_are_counted_by_outcome(site: Site) -> None:
    """Renewed, refused for good, failed for now."""
    first, second, third = [await site.browser().signed_in() for _ in range(3)]
    site.clock.advance(3600)
    metric_reader().get_metrics_data()
    assert await first.status() == 200
    site.wire.answer("/token", 400, json={"error": "invalid_grant", "error_codes": [700082]})
    assert await second.status() == 401
    site.wire.fail("/token")
    assert await third.status() == 503
    assert counted(RENEWALS) == {("renewed",): 1, ("refused",): 1, ("failed",): 1}


class Away:
    """A session store that nobody reaches."""

    server_side = True

    async def read(self, handle: str) -> None:
        """Fail, or wait for ever."""
        if handle == "slow":
            await asyncio.sleep(1000)
        raise SessionsUnavailable("away")


async def test_a_store_that_is_away_is_counted_as_failed_and_a_client_that_left_is_not(site: Site) -> None:
    """An alert shall be about the store."""
    manager: Any = session_manager_of(site)
    manager.store = Away()
    with pytest.raises(SessionsUnavailable):
        await manager.find("x")
    task = asyncio.create_task(manager.find("slow"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert counted(OPERATIONS) == {("read", "failed", "cookie"): 1}


async def test_requests_for_tokens_are_counted_by_grant_and_outcome(site: Site) -> None:
    """Those of sign-ins and renewals as well as those for other services."""
    browser = await site.browser().signed_in()
    site.clock.advance(3600)
    assert await browser.status() == 200
    token = site.entra.client_credentials(f"{OPERATE}/.default")
    await token.token()
    site.wire.answer("/token", 401, json={"error": "invalid_client", "error_codes": [7000222]})
    with pytest.raises(EntraRefused):
        await site.entra.client_credentials("api://other/.default").token()
    site.wire.fail("/token")
    site.clock.advance(3600)
    assert await browser.status() == 503
    assert counted(FETCHES) == {
        ("authorization_code", "succeeded"): 1,
        ("refresh_token", "succeeded"): 1,
        ("client_credentials", "succeeded"): 1,
        ("client_credentials", "entra_refused"): 1,
        ("refresh_token", "entra_unreachable"): 1,
    }


@dataclass(eq=False)
class Fetched:
    """Something with an age."""

    issuer: str
    seconds: float | None

    def age(self) -> float | None:
        """As the test has it."""
        return self.seconds


def observed(ages: ObservableAges) -> dict[str, float]:
    """What an exporter gets, by issuer."""
    options = CallbackOptions()
    return {str((one.attributes or {})["issuer"]): float(one.value) for one in ages.observe(options)}


def test_the_oldest_of_an_issuer_counts_and_what_is_gone_does_not() -> None:
    """Two registrations may be of one tenant, and tests replace one by another."""
    ages = ObservableAges()
    things = [Fetched("a", 3), Fetched("a", 9), Fetched("a", 5), Fetched("b", 0), Fetched("c", None)]
    for thing in things:
        ages.add(thing)
    del thing
    assert observed(ages) == {"a": 9, "b": 0}
    del things[1]
    gc.collect()
    assert observed(ages) == {"a": 5, "b": 0}


async def test_the_age_of_keys_begins_with_the_first_and_falls_with_each_fetch(clock: FakeClock) -> None:
    """Also with a document that changes nothing."""
    entra = ScriptedEntra()
    source = entra.source(clock)
    assert source.age() is None
    await source.prefetch()
    clock.advance(120)
    assert source.age() == 120
    assert observed(key_ages)[source.issuer] >= 120
    clock.advance(3600)
    source.current()
    await settle()
    assert source.age() == 0


def test_each_instrument_says_what_it_counts() -> None:
    """Names of OpenTelemetry's grammar, units of UCUM, and a sentence; counts are of something."""
    assert len({one.name for one in INSTRUMENTS}) == len(INSTRUMENTS)
    for one in INSTRUMENTS:
        assert one.name.startswith("camunda_entra.")
        assert one.unit == "s" or (one.unit.startswith("{") and "counter" in one.kind)
        assert one.description[0].isupper()
        assert not one.description.endswith(".")
        assert all(one.attributes.values())


def test_attributes_can_only_be_of_few_values() -> None:
    """A label for each path, person or client would be a flood."""
    assert {name for one in INSTRUMENTS for name in one.attributes} == {
        *("code", "document", "grant", "issuer", "operation", "outcome", "store")
    }
    assert len(CODES) < 80


# --- spans -------------------------------------------------------------------------------------------------


def our_spans() -> list[ReadableSpan]:
    """The spans of this package; newer versions of FastAPI make some of their own."""
    return [
        span
        for span in span_exporter().get_finished_spans()
        if span.instrumentation_scope is not None
        and span.instrumentation_scope.name == "camunda_entra_fastapi"
    ]


async def test_requests_to_entra_are_spans_without_queries_and_secrets(make_site: MakeSite) -> None:
    """OpenTelemetry's conventions for HTTP clients; nothing else of the request, and no trace to Entra."""
    site = make_site(custom_signing_keys=True)
    await site.browser().signed_in()
    spans = our_spans()
    assert {span.kind for span in spans} == {SpanKind.CLIENT}
    urls = [str((span.attributes or {})["url.full"]) for span in spans]
    assert [url.rpartition("/")[2] for url in urls] == ["openid-configuration", "token", "keys"]
    assert [(span.attributes or {})["http.request.method"] for span in spans] == ["GET", "POST", "GET"]
    for span in spans:
        attributes = dict(span.attributes or {})
        assert attributes.keys() == {
            "http.request.method",
            "url.full",
            "server.address",
            "http.response.status_code",
        }
        assert "?" not in str(attributes["url.full"])
        assert attributes["http.response.status_code"] == 200
        assert not span.events
        assert not [secret for secret in site.wire.secrets() if secret in span.to_json()]


async def test_what_failed_is_marked_with_its_kind(site: Site) -> None:
    """A status of Entra's, or how the connection failed; the text of the error stays in the log."""
    site.wire.answer("/openid-configuration", 400, json={"error": "invalid_tenant"})
    await site.browser().http.get("/api", headers=bearer(site.emulator.token()))
    site.wire.fail("/openid-configuration")
    site.clock.advance(15)
    await site.browser().http.get("/api", headers=bearer(site.emulator.token()))
    found = [
        ((span.attributes or {}).get("error.type"), span.status.status_code, span.status.description)
        for span in our_spans()
    ]
    assert found == [("400", StatusCode.ERROR, None), ("unreachable", StatusCode.ERROR, None)]


@pytest.mark.parametrize(
    ("url", "shown", "host"),
    [
        ("https://a:b@host.example:8443/x?code=1#f", "https://host.example:8443/x", "host.example"),
        ("http://[::1]:80/x", "http://[::1]:80/x", "[::1]"),
        ("http://[::1", "http://[::1", "[:"),
    ],
)
async def test_a_span_has_no_credentials_and_no_query_of_the_url(url: str, shown: str, host: str) -> None:
    """Whatever the address: one that is none fails as it did without spans."""
    away = httpx.MockTransport(lambda _: httpx.Response(500))
    async with httpx.AsyncClient(transport=away) as client:
        with pytest.raises(FetchFailed):
            await EntraHttp(client=client).get_json(url)
    (span,) = our_spans()
    attributes = span.attributes or {}
    assert (attributes["url.full"], attributes["server.address"]) == (shown, host)
