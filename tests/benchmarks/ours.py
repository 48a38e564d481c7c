"""Ours: the whole dependency as FastAPI calls it, for good tokens and for some that are refused."""

from collections.abc import Iterable
from typing import Any, Final

import httpx
from fastapi import HTTPException
from fastapi.security import SecurityScopes

from camunda_entra_fastapi import CamundaEntra, EntraSettings
from tests.benchmarks.material import Material, Supply
from tests.benchmarks.measurement import Contender, Goal, Work
from tests.benchmarks.traffic import requests_with
from tests.tokens import CLIENT_ID, ISSUER

NEVER_SEEN: Final = Goal(2.0)
SEEN_BEFORE: Final = Goal(0.12)
"""The goals: processor time by the floor's."""

BATCH: Final = 20
LARGE_BATCH: Final = 200
"""For what is so quick that reading the clock would count otherwise."""

_SCOPES: Final = SecurityScopes()


async def ours(material: Material) -> list[Contender]:
    """All rows of ours, their keys fetched."""
    return [
        await _never_seen_uncached(material),
        await _never_seen(material),
        await _seen_before(material),
        await _refused(material, material.garbage, "garbage", "token_malformed", LARGE_BATCH),
        await _refused(material, material.expired, "expired", "token_expired", BATCH),
        await _refused(material, material.forged, "wrong signature", "signature_invalid", BATCH),
        await _refused(material, material.too_large, "over 16 KiB", "token_too_large", LARGE_BATCH),
        await _refused(
            material, material.of_unknown_keys, "unknown key, fetches used up", "key_unknown", LARGE_BATCH
        ),
    ]


async def _never_seen_uncached(material: Material) -> Contender:
    supply, entra = Supply.of(material.good), await entra_with(material, token_cache_size=0)

    async def prepare(count: int) -> Work:
        return _accept(entra, supply.take(count))

    return Contender("ours, never seen, token cache off", BATCH, prepare, NEVER_SEEN)


async def _never_seen(material: Material) -> Contender:
    supply, entra, used = Supply.of(material.good), await entra_with(material), 0

    async def prepare(count: int) -> Work:
        nonlocal entra, used
        if used + count > len(material.good):  # the tokens begin anew, so must who has seen them
            entra, used = await entra_with(material), 0
        used += count
        return _accept(entra, supply.take(count))

    return Contender("ours, never seen", BATCH, prepare, NEVER_SEEN)


async def _seen_before(material: Material) -> Contender:
    supply, entra = Supply.of(material.good[:LARGE_BATCH]), await entra_with(material)
    await _accept(entra, supply.tokens)()

    async def prepare(count: int) -> Work:
        return _accept(entra, supply.take(count))

    return Contender("ours, seen before", LARGE_BATCH, prepare, SEEN_BEFORE)


async def _refused(material: Material, tokens: tuple[str, ...], why: str, code: str, batch: int) -> Contender:
    supply, entra = Supply.of(tokens), await entra_with(material)
    for request in requests_with(tokens):
        await _expect(code, entra, request)

    async def prepare(count: int) -> Work:
        requests = requests_with(supply.take(count))

        async def work() -> None:
            for request in requests:
                try:  # noqa: SIM105 - as FastAPI does it; a context manager would cost, too
                    await entra.current_user(request, _SCOPES)
                except HTTPException:
                    pass

        return work

    return Contender(f"ours, refused: {why}", batch, prepare)


def _accept(entra: CamundaEntra, tokens: Iterable[str]) -> Work:
    """Work that fails with the first token that is not accepted."""
    requests = requests_with(tokens)

    async def work() -> None:
        for request in requests:
            await entra.current_user(request, _SCOPES)

    return work


async def _expect(code: str, entra: CamundaEntra, request: Any) -> None:
    """A look before the clock starts that the refusal is the one to be measured.

    Raises:
        AssertionError: It is not.
    """
    try:
        await entra.current_user(request, _SCOPES)
    except HTTPException as refusal:
        if refusal.detail["code"] == code:  # type: ignore[index]  # ours is always a dict
            return
        raise AssertionError(f"refused, but not as {code}: {refusal.detail}") from None
    raise AssertionError(f"accepted, though it is to be refused as {code}")


async def entra_with(material: Material, **settings: Any) -> CamundaEntra:
    """A CamundaEntra that has its keys; whom it asks for them is in this process."""
    documents = {
        "/v2.0/.well-known/openid-configuration": {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/keys"},
        "/v2.0/keys": {"keys": [material.public_jwk]},
    }

    def answer(request: httpx.Request) -> httpx.Response:
        _, _, path = request.url.path.partition("/v2.0")
        return httpx.Response(200, json=documents[f"/v2.0{path}"])

    entra = CamundaEntra(
        EntraSettings(_env_file=None, type="AZUREAD", issuer=ISSUER, client_id=CLIENT_ID, **settings),
        http_client=httpx.AsyncClient(transport=httpx.MockTransport(answer)),
    )
    async with entra.lifespan():
        pass  # fetches the keys; they stay
    return entra
