"""More than a day of traffic on a clock of our own: memory stays bounded, and what has expired goes."""

import asyncio
import threading
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest

from camunda_entra_fastapi import CamundaEntra, sweeping
from camunda_entra_fastapi.errors import EntraError
from camunda_entra_fastapi.sessions.expiring_set import ExpiringSet
from camunda_entra_fastapi.sessions.memory import MemoryStore
from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.directory import OPERATE, UNRELATED
from tests.conftest import FakeClock
from tests.growth.caches import CACHES, NAMED
from tests.growth.inspection import entries
from tests.growth.traffic import Traffic, give_ada_long_roles, troubled_hour, with_all_routes
from tests.site import MakeSite, signing_key
from tests.testing.browsing import change_application
from tests.waiting import until

HOURS: Final = 26
"""Keys change in them with and without an overlap, Entra has trouble twice, and crowds come twice."""
BOUND: Final = 12
"""Entries of every cache in these tests, so that all are full within a few hours."""
FEW: Final = 40
"""Entries that a container may have that is no cache: more than any token of this traffic has claims."""

USED: Final = (
    "ExpiringSet._expires_at",
    "GraphGroups._cache",
    "SessionManager._by_id",
    "SignedIdentities._cache",
    "TokenCache._entries",
    "UserTokens._cached",
)
USED_BY_STORE: Final = {
    "cookie": (*USED, "CookieStore._cache", "SessionManager._access_tokens"),
    "memory": (*USED, "MemoryStore._sessions", "MemoryStore._by_sid"),
}
"""The caches that more was put into than they hold."""


@pytest.fixture
def small_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    """All bounds of the table are small that can be changed."""
    for cache in CACHES:
        if cache.constant is not None and not cache.is_fixed:
            monkeypatch.setattr(cache.constant, BOUND)
    monkeypatch.setattr(ExpiringSet.__init__, "__defaults__", (BOUND,))
    options = {**(MemoryStore.__init__.__kwdefaults__ or {}), "limit": BOUND}
    monkeypatch.setattr(MemoryStore.__init__, "__kwdefaults__", options)


@pytest.mark.parametrize(
    ("store", "has_many_tenants"),
    [("cookie", False), ("memory", True)],
    ids=["cookies", "memory and many tenants"],
)
@pytest.mark.usefixtures("nothing_else", "small_caches")
async def test_a_day_of_traffic_fills_no_memory(
    store: str,
    has_many_tenants: bool,
    make_site: MakeSite,
    emulator: EntraEmulator,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What ARCHITECTURE.md does not name stays small, what it names is bounded; in the end all is gone."""
    give_ada_long_roles(emulator)
    settings: dict[str, Any] = {"session_store": store, "token_cache_size": BOUND, "group_overage": "graph"}
    if has_many_tenants:
        change_application(emulator, OPERATE, sign_in_audience="AzureADMultipleOrgs")
        common = emulator.settings().issuer.replace(emulator.tenant.id, "common")
        settings |= {"issuer": common, "issuer_backend_url": common, "allowed_tenants": ["*"]}
    site = with_all_routes(make_site(**settings))
    traffic = Traffic(site, site.entra.client_credentials(f"{UNRELATED}/.default"))
    await traffic.hour()
    at_first, resources = entries(), _resources()

    largest: dict[str, int] = {}
    for hour in range(1, HOURS):
        clock.advance(3600)
        if hour % 12 == 0:
            emulator.rotate_keys(overlap=hour % 24 == 0)
        await (troubled_hour(traffic, emulator) if hour % 9 == 0 else traffic.hour())
        for record in (site.wire.urls, site.wire.forms, site.wire.tokens):
            record.clear()
        if hour % 12 == 11:
            await traffic.crowd(BOUND + 2)
            largest |= {name: max(size, largest.get(name, 0)) for name, size in entries().items()}
            assert _resources() == resources
    bounds = {name: NAMED[name].bound_in_tests(BOUND) for name in NAMED}
    for name, size in largest.items():
        few = max(FEW, at_first.get(name, 0))
        assert size <= bounds.get(name.removesuffix("[]"), few), f"{name} has {size} entries"
    assert {name for name in USED_BY_STORE[store] if largest[name] == 0} == set()
    assert {200, 302, 400, 401, 403, 503} <= traffic.statuses
    assert 500 not in traffic.statuses

    monkeypatch.setattr(sweeping, "SWEEP_EVERY", 0.01)
    clock.advance(2 * 86_400)
    async with site.entra.lifespan(site.app):
        await traffic.last()
        await until(lambda: max(_left().values()) <= 1)
    assert _resources() == resources


def _left() -> dict[str, int]:
    """What is left in the caches whose entries expire."""
    return {name: size for name, size in entries().items() if name in NAMED and NAMED[name].expires}


def _resources() -> tuple[int, int, int]:
    """Open descriptors, threads, and tasks of this event loop."""
    return len(list(Path("/proc/self/fd").iterdir())), threading.active_count(), len(asyncio.all_tasks())


async def test_connections_to_entra_are_closed_however_an_exchange_ends(clock: FakeClock) -> None:
    """Over TLS, with an event loop and without one, in outages, and where answers come too late."""
    emulator = EntraEmulator(clock=clock.time, new_key=lambda: signing_key("key 0"))
    with emulator.serve(tls=True):
        entra = CamundaEntra(
            emulator.settings(ca_bundle=str(emulator.ca_file), http_timeout="0.2"), clock=clock
        )
        credentials = entra.client_credentials(f"{UNRELATED}/.default")

        async def exchanges() -> None:
            troubles = (emulator.up, emulator.down, partial(emulator.slow, 5), partial(emulator.throttle, 1))
            for begin in troubles:
                begin()
                clock.advance(7200)
                for token in (credentials.token, partial(asyncio.to_thread, credentials.token_blocking)):
                    with suppress(EntraError):
                        await token()
                    clock.advance(60)
                emulator.up()
                emulator.slow(0)
                emulator.throttle(0)

        async with entra.lifespan():
            await exchanges()
            # On a busy machine the first round may keep no connection, and the next ones keep one: that is
            # two descriptors, as both ends are here, and a task of the server's. What stays open at each
            # round is soon more.
            bounds = [first + kept for first, kept in zip(_resources(), (4, 1, 2), strict=True)]
            for _ in range(5):
                await exchanges()
                await until(lambda: all(now <= most for now, most in zip(_resources(), bounds, strict=True)))
        assert emulator.count("/token") >= 4 * 5
