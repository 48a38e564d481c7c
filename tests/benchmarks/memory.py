"""The cost of cached tokens: memory, time to find one among many, and the garbage collector's full pass."""

import gc
import time
import tracemalloc
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from typing import Final

from fastapi.security import SecurityScopes

from camunda_entra_fastapi import CamundaEntra
from tests.benchmarks.material import Material, Supply, more_valid
from tests.benchmarks.measurement import Contender, Goal, Row, Work, measure
from tests.benchmarks.ours import entra_with
from tests.benchmarks.traffic import requests_with

KIBIBYTE: Final = 1024
WEIGHED: Final = 1000
"""Tokens that are enough to weigh one."""
ACTIVE: Final = 100
"""Clients that ask while others are only cached."""
BATCH: Final = 5 * ACTIVE

_SCOPES: Final = SecurityScopes()


async def memory(material: Material) -> list[Row]:
    """KiB for each token, and what stays of twice as many as the setting allows."""
    entra = await entra_with(material, token_cache_size=WEIGHED)
    await _validate(entra, material.good[: 2 * WEIGHED])  # what is made once is there, and the cache is full
    entra = await entra_with(material, token_cache_size=WEIGHED)
    await _validate(entra, material.good[:1])
    gc.collect()
    tracemalloc.start()
    await _validate(entra, material.good[1 : WEIGHED + 1])
    full = _traced()
    await _validate(entra, material.good[WEIGHED + 1 : 2 * WEIGHED])
    fuller = _traced()
    tracemalloc.stop()
    each = full / WEIGHED / KIBIBYTE
    header = len(b"Bearer ") + sum(map(len, material.good[:WEIGHED])) / WEIGHED
    return [
        Row("a remembered token, KiB", {"of these its text, KiB": header / KIBIBYTE}, each, goal=Goal(4.0)),
        Row(
            "twice as many as allowed, by as many", {"KiB": fuller / KIBIBYTE}, fuller / full, goal=Goal(1.02)
        ),
    ]


async def finding(material: Material, sizes: Sequence[int], rounds: int) -> list[Row]:
    """A token seen before among ever more; the fewest are the floor."""
    tokens = material.good + _mint_more(max(sizes) - len(material.good))
    contenders, passes = [], []
    for size in sizes:
        entra = await entra_with(material, token_cache_size=size)
        before = _full_pass()
        await _validate(entra, tokens[:size])
        passes.append(_full_pass() - before)
        # As many from all over the store, each several times a round, as clients that are at work do.
        chosen = tokens[: size : size // ACTIVE]
        contenders.append(_found(f"seen before, among {size:,}", entra, chosen, Goal(1.25)))
    rows = await measure(contenders, rounds=rounds)
    return [
        replace(row, figures=dict(row.figures) | {"gc's full pass, ms more": passed * 1000})
        for row, passed in zip(rows, passes, strict=True)
    ]


def _found(name: str, entra: CamundaEntra, tokens: tuple[str, ...], goal: Goal) -> Contender:
    supply = Supply.of(tokens)

    async def prepare(count: int) -> Work:
        requests = requests_with(supply.take(count))

        async def work() -> None:
            for request in requests:
                await entra.current_user(request, _SCOPES)

        return work

    return Contender(name, BATCH, prepare, goal)


def _mint_more(count: int) -> tuple[str, ...]:
    """Signed by all processors: it takes most of the time. As copies of this process they have its key."""
    portion = 1000
    with ProcessPoolExecutor(mp_context=get_context("fork")) as pool:
        portions = pool.map(partial(more_valid, count=portion), range(count // portion + 1))
        return tuple(token for each in portions for token in each)[:count]


async def _validate(entra: CamundaEntra, tokens: Sequence[str]) -> None:
    for token in tokens:
        [request] = requests_with([token])
        await entra.current_user(request, _SCOPES)


def _traced() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def _full_pass() -> float:
    """Seconds of the quickest of some."""
    passed = []
    for _ in range(5):
        began = time.perf_counter()
        gc.collect()
        passed.append(time.perf_counter() - began)
    return min(passed)
