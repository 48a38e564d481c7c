"""Ours: the whole dependency, as FastAPI calls it, for good tokens and for what is refused."""

from typing import Any, Final

import httpx
from fastapi import HTTPException
from fastapi.security import SecurityScopes

from camunda_entra_fastapi import CamundaEntra, EntraSettings
from tests.benchmarks.material import Material, Supply
from tests.benchmarks.measurement import Contender, Work
from tests.benchmarks.requests import requests_with
from tests.tokens import CLIENT_ID, ISSUER

NEVER_SEEN: Final = 3.0
"""The goals, as ratios to the floor in processor time."""
SEEN_BEFORE: Final = 0.2

BATCH: Final = 20
LARGE_BATCH: Final = 200
"""For what is so fast that the clock itself would count otherwise."""

_SCOPES: Final = SecurityScopes()


def ours(material: Material) -> list[Contender]:
    """Every row of ours."""
    return [
        _never_seen_without_cache(material),
        _never_seen(material),
        _seen_before(material),
        _refused("ours, refused: garbage", "token_malformed", material, material.garbage, LARGE_BATCH),
        _refused("ours, refused: expired", "token_expired", material, material.expired, BATCH),
        _refused("ours, refused: wrong signature", "signature_invalid", material, material.forged, BATCH),
    ]


def _never_seen_without_cache(material: Material) -> Contender:
    supply, entra = Supply.of(material.good), _entra(material, token_cache_size=0)

    async def prepare(count: int) -> Work:
        return await _accepting(entra, supply.take(count))

    return Contender("ours, never seen (nothing remembered)", BATCH, prepare, goal=NEVER_SEEN)


def _never_seen(material: Material) -> Contender:
    supply, entra, used = Supply.of(material.good), _entra(material), 0

    async def prepare(count: int) -> Work:
        nonlocal entra, used
        if used + count > len(supply.tokens):  # the tokens begin anew, so who judges them must
            entra, used = _entra(material), 0
        used += count
        return await _accepting(entra, supply.take(count))

    return Contender("ours, never seen", BATCH, prepare, goal=NEVER_SEEN)


def _seen_before(material: Material) -> Contender:
    entra, seen = _entra(material), material.good[:LARGE_BATCH]
    supply = Supply.of(seen)

    async def prepare(count: int) -> Work:
        await (await _accepting(entra, seen))()
        return await _accepting(entra, supply.take(count))

    return Contender("ours, seen before", LARGE_BATCH, prepare, goal=SEEN_BEFORE)


def _refused(name: str, code: str, material: Material, tokens: tuple[str, ...], batch: int) -> Contender:
    supply, entra = Supply.of(tokens), _entra(material)

    async def prepare(count: int) -> Work:
        await _warm(entra, material)
        for request in requests_with(supply.take(1)):
            await _expect(entra, request, code)
        requests = requests_with(supply.take(count))

        async def work() -> None:
            for request in requests:
                try:
                    await entra.current_user(request, _SCOPES)
                except HTTPException:
                    continue
                raise AssertionError(f"a token that should be refused as {code} was accepted")

        return work

    return Contender(name, batch, prepare)


async def _accepting(entra: CamundaEntra, tokens: Any) -> Work:
    await _warm(entra)
    requests = requests_with(tokens)

    async def work() -> None:
        for request in requests:
            await entra.current_user(request, _SCOPES)

    return work
