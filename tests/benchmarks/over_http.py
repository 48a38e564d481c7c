"""Requests a second over HTTP: uvicorn with uvloop and httptools, loaded by wrk, contenders in turn.

Requests a second swing on machines that are shared; the processor time that the service itself used for a
request, as the system accounts for it, stands beside them.
"""

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
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

NOBODY: Final = "a dependency that does nothing"
SEEN: Final = "ours, bearer token seen before"


@dataclass(frozen=True, slots=True)
class Sample:
    """The result of one run of wrk."""

    rate: float
    cost: float
    """Seconds of processor time for one request."""


@dataclass(slots=True)
class Running:
    """A contender, its service up."""

    name: str
    service: Service
    headers: Mapping[str, str]
    floor: "Running | None" = None
    goal: Goal | None = None
    workers: int = 1
    sample: Sample = field(init=False)
    beside: Sample = field(init=False)
    """The result of the floor, right before and after."""

    def work(self, seconds: int) -> Sample:
        """Answer for that long."""
        options = ["-t1", f"-c{CONNECTIONS}", f"-d{seconds}s"]
        for name, value in self.headers.items():
            options += ["-H", f"{name}: {value}"]
        before = self.service.processor_seconds()
        process = load(f"{self.service.address}/incidents", *options, beside=self.workers == 1)
        count, passed = answers(process)
        return Sample(count / passed, (self.service.processor_seconds() - before) / count)

    def work_beside_floor(self, seconds: int) -> None:
        """The floor before and after, so that a machine that becomes slower meanwhile favours nobody."""
        if self.floor is None:
            self.sample = self.beside = self.work(seconds)
            return
        before = self.floor.work(seconds)
        self.sample = self.work(seconds)
        after = self.floor.work(seconds)
        self.beside = Sample((before.rate + after.rate) / 2, (before.cost + after.cost) / 2)


@contextmanager
def entra() -> Iterator[EntraEmulator]:
    """A local Entra, its tokens long-lived; this process serves it."""
    emulator = EntraEmulator(token_lifetime=24 * 3600)
    with emulator.serve():
        yield emulator


def bearer(emulator: EntraEmulator) -> dict[str, str]:
    """The header with a token of somebody who is in ten groups, as those that are validated in process."""
    return {"Authorization": f"Bearer {emulator.token(groups=[str(uuid.uuid4()) for _ in range(10)])}"}


def throughput(rounds: int, seconds: int) -> list[Row]:
    """All contenders in turn, in an order drawn anew for each round, each beside its floor.

    The services are started anew for each round: where a process happens to have its memory makes some
    quicker than others for as long as they live.
    """
    chance = Random(2)
    all_rounds: list[list[Running]] = []
    with entra() as emulator:
        for _ in range(rounds):
            with ExitStack() as stack:
                running = _start(stack, emulator)
                for contender in chance.sample(running, len(running)):
                    contender.work_beside_floor(seconds)
            all_rounds.append(running)
    return [_row(same) for same in zip(*all_rounds, strict=True)]


def _row(same: Sequence[Running]) -> Row:
    """The results of one contender in all rounds."""
    figures = {
        "requests/s": median(each.sample.rate for each in same),
        "processor us": median(each.sample.cost for each in same) * 1e6,
        "by cost": median(each.beside.cost / each.sample.cost for each in same),
    }
    ratios = [each.sample.rate / each.beside.rate for each in same]
    return replace(row_of(same[0].name, figures, ratios, same[0].goal), higher_is_better=True)


def _start(stack: ExitStack, emulator: EntraEmulator) -> list[Running]:
    redis = RedisServer(Path(stack.enter_context(TemporaryDirectory())))
    redis.start()
    stack.callback(redis.stop)
    token = bearer(emulator)
    environment = emulator.environment()

    def start(guard: str, workers: int = 1, store: str = "cookie") -> Service:
        chosen = environment | {"CAMUNDA_ENTRA_SESSION_STORE": store}
        return stack.enter_context(service(guard, chosen, workers=workers))

    nobody, with_sign_in = start("nobody"), start("ours with sign-in")
    wait_for(with_sign_in, token)
    cookie = signed_in(with_sign_in, emulator)
    floor = Running(NOBODY, nobody, token)
    azure_auth = Running("fastapi-azure-auth, every token", start("fastapi-azure-auth"), token, floor)
    seen = Running(SEEN, start("ours"), token, floor, Goal(0.97, at_least=True))
    by_cookie = Running(f"{NOBODY}, sent the cookie", nobody, cookie, floor)
    running = [
        floor,
        Running("no dependency at all", start("no dependency"), token, floor),
        seen,
        azure_auth,
        Running(f"{SEEN}, by fastapi-azure-auth", seen.service, token, azure_auth, Goal(4.5, at_least=True)),
        Running("PyJWKClient, dependency by hand", start("by hand"), token, floor),
        by_cookie,
        Running(
            "ours, session cookie, store cookie", with_sign_in, cookie, by_cookie, Goal(0.9, at_least=True)
        ),
    ]
    for store in ("memory", redis.url):
        one = start("ours with sign-in", store=store)
        wait_for(one, token)
        name = f"ours, session cookie, store {store.partition(':')[0]}"
        running.append(Running(name, one, signed_in(one, emulator), by_cookie))
    two = Running(f"two workers: {NOBODY}", start("nobody", 2), token, workers=2)
    running += [two, Running(f"two workers: {SEEN}", start("ours", 2), token, two, workers=2)]
    for contender in running:
        wait_for(contender.service, contender.headers)
    return running


def signed_in(running: Service, emulator: EntraEmulator) -> dict[str, str]:
    """The cookie header of somebody who signed in."""
    with httpx.Client(base_url=running.address, trust_env=False) as browser:
        open_page(browser, "/incidents", emulator.tenant.users[0].name)
        return {"Cookie": "; ".join(f"{name}={value}" for name, value in browser.cookies.items())}


def start_up(rounds: int) -> list[Row]:
    """Seconds from the start of a process until it answered a request that brought a token."""
    seconds: dict[str, list[float]] = {"nobody": [], "ours": [], "fastapi-azure-auth": []}
    with entra() as emulator:
        token = bearer(emulator)
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
