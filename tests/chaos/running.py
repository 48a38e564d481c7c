"""Runs the scenarios of a group: a store, two replicas and the load, and a verdict on each."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from redis.exceptions import RedisError

from camunda_entra_fastapi.testing import EntraEmulator
from tests.chaos.browser import Browser
from tests.chaos.crowd import BASE_URL, Crowd, Person
from tests.chaos.judge import Facts, Verdict, judge, troubles_after
from tests.chaos.load import Load
from tests.chaos.machine import Stalls
from tests.chaos.replicas import Replica, replicas
from tests.chaos.scenario import Group, Scenario
from tests.chaos.servers import PATIENCE
from tests.chaos.stores import Store

WARM_UP: Final = 1.0
"""Seconds of load before a fault."""
QUIET: Final = 1.5
"""Seconds of good answers after which a scenario is over."""
TOKEN_LIFETIMES: Final = range(6, 36)
"""Seconds that access tokens last, in turn, so that sessions are renewed all the time."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What all scenarios of a run have in common.

    Attributes:
        program: The server's program.
        lease: ``CAMUNDA_ENTRA_SESSION_LEASE``; 0 for none.
        rate: Requests a second.
        comings: Sign-ins a second.
        people: Who stays signed in.
    """

    program: str
    lease: float
    rate: float
    comings: float
    people: int


async def run_group(
    group: Group, wanted: Sequence[str], setting: Setting, folder: Path, emulator: EntraEmulator
) -> AsyncGenerator[tuple[str, Verdict], None]:
    """The title of each scenario, and the verdict on it, one after another.

    Args:
        group: The group.
        wanted: Parts of the titles that are wanted; all are without one.
        setting: What it is run with.
        folder: An empty one.
        emulator: A local Entra that is served.
    """
    titles = {f"{group.name}: {each.name}": each for each in group.scenarios}
    chosen = [title for title in titles if not wanted or any(text in title for text in wanted)]
    if not chosen:
        return
    store = group.make(setting.program, folder)
    try:
        await store.start()
        environment = emulator.environment() | {
            "CAMUNDA_ENTRA_BASE_URL": BASE_URL,
            "CAMUNDA_ENTRA_SESSION_STORE": store.url,
        }
        if setting.lease:
            environment["CAMUNDA_ENTRA_SESSION_LEASE"] = f"{setting.lease:g}"
        async with replicas(environment, folder) as running, _load(running, store, emulator, setting) as load:
            for title in chosen:
                yield title, await _run(titles[title], store, load, setting)
    finally:
        store.stop()


@asynccontextmanager
async def _load(
    running: Sequence[Replica], store: Store, emulator: EntraEmulator, setting: Setting
) -> AsyncIterator[Load]:
    browsers = [*(Browser(each.address) for each in running), Browser(emulator.base_url, keeps=False)]
    stalls = Stalls(
        [each.pid for each in running], lambda: [pid for each in store.servers for pid in each.pids]
    )
    tasks = [asyncio.create_task(stalls.watch()), asyncio.create_task(_change_lifetimes(emulator))]
    try:
        yield Load(Crowd(browsers[:-1], browsers[-1], stalls), setting.rate, setting.comings, setting.people)
    finally:
        for task in tasks:
            task.cancel()
        for browser in browsers:
            browser.close()


async def _change_lifetimes(emulator: EntraEmulator) -> None:
    while True:
        for emulator.token_lifetime in TOKEN_LIFETIMES:
            await asyncio.sleep(0.05)


async def _run(scenario: Scenario, store: Store, load: Load, setting: Setting) -> Verdict:
    crowd = load.crowd
    await load.fill()
    crowd.seen.clear()
    load.guests.clear()
    moments: list[float] = []

    async def happen() -> None:
        await asyncio.sleep(WARM_UP)
        moments.append(time.monotonic())
        await scenario.fault(store)
        moments.append(time.monotonic())
        await _until_well(store, load, moments[1], scenario.recovery)

    await load.during(happen)
    kept = await _kept(store)
    facts = Facts(
        broke=moments[0],
        healed=moments[1],
        kept=kept,
        loses=scenario.loses,
        away=scenario.away,
        recovery=scenario.recovery + crowd.stalled(moments[1], moments[1] + scenario.recovery),
        lease=setting.lease,
        notices=scenario.notices,
    )
    verdict = judge(crowd.seen, [*load.residents, *load.guests], facts)
    load.residents = [person for person in load.residents if person.record in kept]
    return verdict


async def _until_well(store: Store, load: Load, healed: float, recovery: float) -> None:
    """Until all has been well for a while, or for as long as it may take and a while more."""
    while time.monotonic() < healed + recovery + QUIET:
        await asyncio.sleep(0.25)
        if time.monotonic() < healed + QUIET:
            continue
        kept = await _kept(store)
        is_pending = any(guest.signed_out and guest.record in kept for guest in load.guests)
        since = time.monotonic() - QUIET
        lost = {each.record for each in _people(load) if each.signed_out is None} - kept
        if not is_pending and not troubles_after(load.crowd.seen, lost, since):
            return


async def _kept(store: Store) -> frozenset[str]:
    """The sessions that the store has, as soon as it can be asked."""
    async with asyncio.timeout(PATIENCE):
        while True:
            with suppress(RedisError, OSError):
                return frozenset(await store.records())
            await asyncio.sleep(0.1)


def _people(load: Load) -> list[Person]:
    return [*load.residents, *load.guests]
