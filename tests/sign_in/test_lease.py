"""Two replicas of a service with a lease on their sessions, as browsers meet them."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from camunda_entra_fastapi.sessions.redis import RedisStore
from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.directory import OPERATE
from tests.conftest import FakeClock
from tests.sessions.conftest import RedisServer
from tests.site import Browser, MakeSite, Site, query_of, session_manager_of
from tests.testing.browsing import change_application
from tests.waiting import PATIENCE


@pytest.fixture
async def replicas(
    make_site: MakeSite, tmp_path: Path
) -> AsyncIterator[Callable[..., tuple[RedisServer, Site, Site]]]:
    """Makes two sites that share a Redis; keyword arguments are those of sites."""
    made: list[Site] = []

    with RedisServer(tmp_path) as server:

        def make(**options: Any) -> tuple[RedisServer, Site, Site]:
            made.extend(make_site(session_store=server.url, session_lease="10", **options) for _ in range(2))
            return server, made[0], made[1]

        yield make
        for site in made:
            await store_of(site).close()


def store_of(site: Site) -> RedisStore:
    """Where its sessions are."""
    store = session_manager_of(site).store
    assert isinstance(store, RedisStore)
    return store


def gets(server: RedisServer) -> int:
    """How often the Redis was asked what a key holds."""
    with server.client() as client:
        told: Any = client.info("commandstats")
    return int(told.get("cmdstat_get", {"calls": 0})["calls"])


async def is_found_here(server: RedisServer, browser: Browser) -> None:
    """Ask until a request needs no question to the Redis."""
    deadline = time.monotonic() + PATIENCE
    before = -1
    while gets(server) != before:
        assert time.monotonic() < deadline, "it asks every time"
        await asyncio.sleep(0.01)
        before = gets(server)
        assert await browser.status() == 200


async def is_no_longer_good(browser: Browser) -> None:
    """Ask until it is not. A request by a copy waits for nothing, so others get their turn in between."""
    while await browser.status() == 200:  # noqa: ASYNC110 - what the Redis says brings it about
        await asyncio.sleep(0.01)


Replicas = Callable[..., tuple[RedisServer, Site, Site]]


async def test_signing_out_here_counts_there(replicas: Replicas) -> None:
    """On this replica with the next request, on the other one when the Redis has told."""
    server, here, there = replicas()
    browser = await here.browser().signed_in()
    other = there.browser(browser)
    copied = here.browser(browser)
    for each in (copied, other):
        await is_found_here(server, each)
    assert (await browser.http.post("/auth/logout", headers={"Origin": here.url})).status_code in (302, 303)
    assert await copied.status() == 401
    await is_no_longer_good(other)
    assert await other.status() == 401


async def test_entra_signs_out_everywhere(replicas: Replicas) -> None:
    """Its front-channel sign-out may meet either replica."""
    server, here, there = replicas()
    browser = here.browser()
    back = await browser.come_back()
    sid = query_of(back)["session_state"]
    assert (await browser.open(back)).status_code == 303
    other = there.browser(browser)
    for each in (browser, other):
        await is_found_here(server, each)
    assert (await here.browser().http.get(f"/auth/front-channel-logout?sid={sid}")).status_code == 200
    assert await browser.status() == 401
    await is_no_longer_good(other)
    assert await other.status() == 401


async def test_what_is_due_for_renewal_is_renewed(replicas: Replicas, clock: FakeClock) -> None:
    """Once for both, and then it is found in copies again."""
    server, here, there = replicas()
    browser = await here.browser().signed_in()
    other = there.browser(browser)
    for each in (browser, other):
        await is_found_here(server, each)
    clock.advance(3_600)
    for each in (browser, other):
        assert await each.status() == 200
        await is_found_here(server, each)
    assert here.renewals() + there.renewals() == 1


async def test_tenants_that_a_function_lets_in_are_looked_up_anew(
    replicas: Replicas, emulator: EntraEmulator, clock: FakeClock
) -> None:
    """When its answer is too old; until then, copies need neither it nor the Redis."""
    change_application(emulator, OPERATE, sign_in_audience="AzureADMultipleOrgs")
    common = emulator.settings().issuer.replace(emulator.tenant.id, "common")
    lets_in = True
    asked = 0

    async def tenant_allowed(tenant: str) -> bool:
        nonlocal asked
        asked += 1
        return lets_in

    server, here, _ = replicas(
        options={"tenant_allowed": tenant_allowed},
        issuer=common,
        issuer_backend_url=common,
        allowed_tenants=["function"],
    )
    browser = await here.browser().signed_in()
    await is_found_here(server, browser)
    before = asked
    clock.advance(1_000)
    await is_found_here(server, browser)
    assert asked == before + 1
    lets_in = False
    clock.advance(1_000)
    assert await browser.status() == 401


async def test_a_redis_that_is_gone_is_away_at_once(replicas: Replicas) -> None:
    """With the connection, the copies go; then it is 503, until it is back."""
    server, here, _ = replicas()
    browser = await here.browser().signed_in()
    await is_found_here(server, browser)
    server.stop()
    await is_no_longer_good(browser)
    assert await browser.status() == 503
    server.start()
    assert await browser.status() == 401  # it has forgotten everything
