"""Requests a second over HTTP: uvicorn with uvloop and httptools, loaded by wrk, contenders in turn.

Requests a second swing on machines that are shared; the processor time that the service itself used for a
request, as the system accounts for it, stands beside them.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

import httpx

from camunda_entra_fastapi.cli.browser import open_page
from camunda_entra_fastapi.testing import EntraEmulator
from tests.benchmarks.measurement import Goal, Row, row_of
from tests.benchmarks.serving import Service, answers, load, service, wait_for
from tests.sessions.conftest import RedisServer

CONNECTIONS: Final = 32
RUN_IN_SECONDS: Final = 1

NOBODY: Final = "a dependency that does nothing"
BY_COOKIE: Final = f"{NOBODY}, sent the cookie"
AZURE_AUTH: Final = "fastapi-azure-auth, every token"
SEEN: Final = "ours, bearer token seen before"


@dataclass(slots=True)
class _Running:
    """A contender, its service up."""

    name: str
    service: Service
    headers: Mapping[str, str]
    floor: str = NOBODY
    goal: Goal | None = None
    workers: int = 1
    rates: list[float] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)

    def work(self, seconds: int) -> None:
        """Answer for that long, and keep how many a second, and what one cost."""
        options = ["-t1", f"-c{CONNECTIONS}", f"-d{seconds}s"]
        for name, value in self.headers.items():
            options += ["-H", f"{name}: {value}"]
        before = self.service.processor_seconds()
        process = load(f"{self.service.address}/incidents", *options, beside=self.workers == 1)
        count, passed = answers(process)
        self.rates.append(count / passed)
        self.costs.append((self.service.processor_seconds() - before) / count)


@contextmanager
def entra() -> Iterator[EntraEmulator]:
    """A local Entra, its tokens long-lived; this process serves it."""
    emulator = EntraEmulator(token_lifetime=24 * 3600)
    with emulator.serve():
        yield emulator


def throughput(rounds: int, seconds: int) -> list[Row]:
    """All contenders in turn, in an order drawn anew for each round."""
    chance = Random(2)
    with ExitStack() as stack:
        running = _start(stack, stack.enter_context(entra()))
        for contender in running:
            contender.work(RUN_IN_SECONDS)
            contender.rates.clear()
            contender.costs.clear()
        for _ in range(rounds):
            for contender in chance.sample(running, len(running)):
                contender.work(seconds)
    by_name = {contender.name: contender for contender in running}
    rows = [_row(contender, by_name[contender.floor]) for contender in running]
    return [*rows, _against(by_name[SEEN], by_name[AZURE_AUTH])]


def _row(contender: _Running, floor: _Running) -> Row:
    rates = [mine / base for mine, base in zip(contender.rates, floor.rates, strict=True)]
    costs = [mine / base for mine, base in zip(contender.costs, floor.costs, strict=True)]
    figures = {
        "requests/s": median(contender.rates),
        "processor us": median(contender.costs) * 1e6,
        "by cost": 1 / median(costs),
    }
    row = row_of(contender.name, figures, rates, contender.goal)
    return Row(row.name, row.figures, row.ratio, row.quartiles, row.goal, higher_is_better=True)


def _against(ours: _Running, other: _Running) -> Row:
    rates = [mine / theirs for mine, theirs in zip(ours.rates, other.rates, strict=True)]
    costs = [theirs / mine for mine, theirs in zip(ours.costs, other.costs, strict=True)]
    return row_of(
        f"{SEEN}, by fastapi-azure-auth", {"by cost": median(costs)}, rates, Goal(4.5, at_least=True)
    )


def _start(stack: ExitStack, emulator: EntraEmulator) -> list[_Running]:
    redis = RedisServer(Path(stack.enter_context(TemporaryDirectory())))
    redis.start()
    stack.callback(redis.stop)
    token = {"Authorization": f"Bearer {emulator.token()}"}
    environment = emulator.environment()

    def start(guard: str, workers: int = 1, store: str = "cookie") -> Service:
        chosen = environment | {"CAMUNDA_ENTRA_SESSION_STORE": store}
        return stack.enter_context(service(guard, chosen, workers=workers))

    ours, nobody = start("ours"), start("nobody")
    wait_for(ours, token)
    cookie = _signed_in(ours, emulator)
    running = [
        _Running(NOBODY, nobody, token),
        _Running("no dependency at all", start("no dependency"), token),
        _Running(SEEN, ours, token, goal=Goal(0.97, at_least=True)),
        _Running(AZURE_AUTH, start("fastapi-azure-auth"), token),
        _Running("PyJWKClient, dependency by hand", start("by hand"), token),
        _Running(BY_COOKIE, nobody, cookie),
        _Running("ours, session cookie, store cookie", ours, cookie, BY_COOKIE, Goal(0.9, at_least=True)),
    ]
    for store in ("memory", redis.url):
        one = start("ours", store=store)
        wait_for(one, token)
        name = f"ours, session cookie, store {store.partition(':')[0]}"
        running.append(_Running(name, one, _signed_in(one, emulator), BY_COOKIE))
    two = start("nobody", workers=2)
    running += [
        _Running(f"two workers: {NOBODY}", two, token, workers=2),
        _Running(f"two workers: {SEEN}", start("ours", 2), token, f"two workers: {NOBODY}", workers=2),
    ]
    for contender in running:
        wait_for(contender.service, contender.headers)
    return running


def _signed_in(running: Service, emulator: EntraEmulator) -> dict[str, str]:
    """The cookie header of somebody who signed in."""
    with httpx.Client(base_url=running.address, trust_env=False) as browser:
        open_page(browser, "/incidents", emulator.tenant.users[0].name)
        return {"Cookie": f"entra_session={browser.cookies['entra_session']}"}


def start_up(rounds: int) -> list[Row]:
    """Seconds from the start of a process until it answered a request that brought a token."""
    seconds: dict[str, list[float]] = {"nobody": [], "ours": [], "fastapi-azure-auth": []}
    with entra() as emulator:
        token = {"Authorization": f"Bearer {emulator.token()}"}
        for _ in range(rounds + 1):
            for guard, passed in seconds.items():
                began = time.monotonic()
                with service(guard, emulator.environment()) as started:
                    wait_for(started, token)
                    passed.append(time.monotonic() - began)
    floor = seconds["nobody"][1:]  # the first round filled the disk's cache
    return [
        row_of(
            {"nobody": NOBODY}.get(guard, guard),
            {"seconds": median(passed[1:])},
            [mine / base for mine, base in zip(passed[1:], floor, strict=True)],
        )
        for guard, passed in seconds.items()
    ]
