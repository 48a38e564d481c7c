"""Replicas with a Redis in common: one asks Entra, the others need not."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Final

import httpx
import pytest

from camunda_entra_fastapi import CamundaEntra, EntraUnavailable
from camunda_entra_fastapi.downstream.user_token import UserGrant
from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.directory import UNRELATED
from tests.conftest import FakeClock
from tests.downstream.conftest import SCOPE
from tests.sessions.conftest import RedisServer
from tests.site import Wire

ON: Final = f"{UNRELATED}/access_as_user"
GRAPH: Final = "https://graph.microsoft.com/.default"


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis of the test's own."""
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.stop()


Make = Callable[..., CamundaEntra]


@pytest.fixture
async def replica(
    emulator: EntraEmulator, wire: Wire, clock: FakeClock, redis: RedisServer
) -> AsyncIterator[Make]:
    """Makes replicas of one service; keyword arguments are settings."""
    made: list[CamundaEntra] = []

    async with httpx.AsyncClient(transport=wire) as client:

        def make(**settings: str) -> CamundaEntra:
            replica_settings = emulator.settings(**{"session_store": redis.url} | settings)
            made.append(CamundaEntra(replica_settings, http_client=client, clock=clock))
            return made[-1]

        yield make
        for entra in made:
            login_context = entra._runtimes[-1].login_context
            assert login_context
            await login_context.sessions.manager.store.close()


async def in_a_name(entra: CamundaEntra, assertion: str, until: float = 1e12) -> str:
    """A token in somebody's name."""
    tokens = entra._runtimes[-1].user_tokens
    assert tokens
    return await tokens.of(UserGrant("digest", until, assertion=assertion), ON).get()


async def test_the_next_replica_finds_what_the_first_has_fetched(
    replica: Make, wire: Wire, emulator: EntraEmulator
) -> None:
    """The application's own tokens, and those in somebody's name."""
    tokens = {await replica().client_credentials(SCOPE).token() for _ in range(3)}
    assert tokens == {wire.tokens[0]["access_token"]}
    assertion = emulator.token()
    tokens = {await in_a_name(replica(), assertion) for _ in range(3)}
    assert tokens == {wire.tokens[1]["access_token"]}
    assert len(wire.forms) == 2


async def test_what_lies_there_says_nothing(
    replica: Make, wire: Wire, redis: RedisServer, emulator: EntraEmulator
) -> None:
    """Neither names nor contents hold a token, and each is gone when it is over."""
    await replica().client_credentials(SCOPE).token()
    assertion = emulator.token()
    await in_a_name(replica(), assertion)
    client = redis.client()
    names = [str(name) for name in client.keys("*")]
    assert len(names) == 2
    for name in names:
        content = str(client.get(name))
        for secret in (*(each["access_token"] for each in wire.tokens), assertion):
            assert secret not in name + content
            assert secret.split(".")[1] not in content
        assert 0 < client.pttl(name) <= 3_600_000 * 2


async def test_another_deployment_finds_nothing(replica: Make, wire: Wire) -> None:
    """Nor does one with other secrets, who can read the same Redis."""
    await replica().client_credentials(SCOPE).token()
    await replica(session_secret="x" * 40).client_credentials(SCOPE).token()
    assert len(wire.forms) == 2


async def test_what_was_tampered_with_counts_for_nothing(
    replica: Make, wire: Wire, redis: RedisServer
) -> None:
    """Entries that are changed, made up or moved are as if they were not there."""
    await replica().client_credentials(SCOPE).token()
    await replica().client_credentials(GRAPH).token()
    client = redis.client()
    first, second = client.keys("*")
    mine, other = str(client.get(first)), str(client.get(second))
    number = random.Random(1).randrange(len(mine) - 1)
    changed = mine[:number] + ("A" if mine[number] != "A" else "B") + mine[number + 1 :]
    before = len(wire.forms)
    for content in (other, mine, changed, "", "rubbish", mine[:-1]):
        for scope in (SCOPE, GRAPH):
            client.set(first, content)
            client.set(second, content)
            await replica().client_credentials(scope).token()
        # The one that was moved is found under its own name alone.
        assert len(wire.forms) - before == (1 if content in (mine, other) else 2)
        before = len(wire.forms)


async def test_nobody_is_the_worse_for_a_redis_that_is_away(
    replica: Make, wire: Wire, redis: RedisServer, emulator: EntraEmulator
) -> None:
    """Each replica asks Entra then."""
    redis.stop()
    for count in (1, 2):
        assert await replica().client_credentials(SCOPE).token() == wire.tokens[-1]["access_token"]
        assert len(wire.forms) == count
    assert await in_a_name(replica(), emulator.token()) == wire.tokens[-1]["access_token"]


async def test_what_must_be_renewed_is_fetched(replica: Make, wire: Wire, clock: FakeClock) -> None:
    """By the first replica that comes; the others have it from there."""
    await replica().client_credentials(SCOPE).token()
    clock.advance(0.8 * int(wire.tokens[0]["expires_in"]))
    tokens = {await replica().client_credentials(SCOPE).token() for _ in range(3)}
    assert tokens == {wire.tokens[1]["access_token"]}


async def test_a_token_that_an_api_refused_is_not_taken_from_there(
    replica: Make, wire: Wire, emulator: EntraEmulator
) -> None:
    """The new one takes its place, for other replicas as well."""
    entra = replica()
    tokens = entra._runtimes[-1].app_tokens
    assert tokens
    own = tokens.of(SCOPE)
    old = await own.get()
    assert own.invalidate(old, None)
    new = await own.get()
    assert new != old
    assert await replica().client_credentials(SCOPE).token() == new
    assertion = emulator.token()
    theirs = entra._runtimes[-1].user_tokens
    assert theirs
    token = theirs.of(UserGrant("digest", 1e12, assertion=assertion), ON)
    old = await token.get()
    assert token.invalidate(old, None)
    new = await token.get()
    assert await in_a_name(replica(), assertion) == new != old
    assert len(wire.forms) == 4


async def test_without_an_event_loop_a_process_asks_by_itself(replica: Make, wire: Wire) -> None:
    """A connection would belong to a loop that is over a moment later."""
    await replica().client_credentials(SCOPE).token()
    auth = replica().client_credentials(SCOPE)
    await asyncio.to_thread(auth.token_blocking)
    assert len(wire.forms) == 2


async def test_cookies_and_memory_share_nothing(replica: Make, wire: Wire) -> None:
    """There is nowhere to put it."""
    for store in ("cookie", "memory"):
        for _ in range(2):
            await replica(session_store=store).client_credentials(SCOPE).token()
    assert len(wire.forms) == 4


async def test_failures_are_not_shared(replica: Make, wire: Wire, redis: RedisServer) -> None:
    """Each replica finds out by itself."""
    wire.fail("/token")
    for _ in range(2):
        with pytest.raises(EntraUnavailable):
            await replica().client_credentials(SCOPE).token()
    assert (len(wire.forms), redis.client().keys("*")) == (2, [])
