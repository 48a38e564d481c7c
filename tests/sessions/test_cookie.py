"""The cookie store beyond the contract."""

import gc
import logging
from dataclasses import replace
from uuid import UUID

import pytest

from camunda_entra_fastapi.sessions import cookie
from camunda_entra_fastapi.sessions.cookie import MAX_WITH_ACCESS_TOKEN, CookieStore
from camunda_entra_fastapi.sessions.store import Session, pack, unpack
from tests.conftest import FakeClock
from tests.sessions.conftest import make_session, sealer
from tests.tokens import token

GROUPS = [str(UUID(int=number * 0x9E3779B97F4A7C15F39CC0605CEDC834 % 2**128)) for number in range(1, 501)]
"""IDs without anything that could be compressed."""


@pytest.fixture
def store(clock: FakeClock) -> CookieStore:
    """A store of one process."""
    return CookieStore(sealer(), clock.time)


async def test_the_access_token_is_kept_while_there_is_room(store: CookieStore, clock: FakeClock) -> None:
    """And brings the claims along, so that they are not there twice."""
    claims = {"oid": "5a1f", "groups": GROUPS[:5]}
    session = make_session(clock, access_token=token(claims), claims=claims)
    found = await store.read(await store.create(session))
    assert found == session
    alone = await store.create(make_session(clock, access_token="", claims=claims))
    assert len(await store.create(session)) < len(alone) + len(session.access_token)


async def test_a_large_access_token_is_left_out(store: CookieStore, clock: FakeClock) -> None:
    """It can be had anew; the claims, of which the user is made, are there."""
    claims = {"oid": "5a1f", "groups": GROUPS[:150]}
    session = make_session(clock, access_token=token(claims), claims=claims)
    handle = await store.create(session)
    assert len(handle) < MAX_WITH_ACCESS_TOKEN
    assert await store.read(handle) == replace(session, access_token="")


async def test_what_proxies_would_refuse_is_warned_of(
    store: CookieStore, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """With byte counts and two remedies; it is kept all the same."""
    session = make_session(clock, claims={"groups": GROUPS})
    with caplog.at_level(logging.WARNING):
        handle = await store.create(session)
    (warning,) = (record.getMessage() for record in caplog.records)
    assert f"takes {len(handle)} bytes of cookies" in warning
    assert "CAMUNDA_ENTRA_SESSION_STORE" in warning
    assert "ApplicationGroup" in warning
    assert await store.read(handle) == session


async def test_two_hundred_groups_are_no_trouble(
    store: CookieStore, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """That is as many as a token lists; a refresh token of 1.4 KB is there besides."""
    refresh_token = "".join(UUID(group).hex for group in GROUPS[200:245])
    handle = await store.create(
        make_session(clock, claims={"groups": GROUPS[:200]}, refresh_token=refresh_token)
    )
    assert len(handle) < 7_000
    assert caplog.records == []


@pytest.mark.parametrize(
    "groups",
    [
        [],
        GROUPS[:3],
        ["Everyone", GROUPS[0]],
        [GROUPS[0].upper()],
        [GROUPS[0], 7],
        [None],
        "one",
        None,
        {"a": "b"},
    ],
)
def test_groups_come_back_as_they_were(clock: FakeClock, groups: object) -> None:
    """Whatever a token calls so, and however long it is."""
    session = make_session(clock, claims={"groups": groups, "name": "Zoë"})
    assert unpack(pack(session)) == session


async def test_claims_for_entra_itself_take_no_room(store: CookieStore, clock: FakeClock) -> None:
    """They mean nothing to anybody else."""
    noise = dict.fromkeys(("aio", "rh", "uti", "xms_ftd", "nonce", "at_hash", "c_hash"), "x")
    found = await store.read(await store.create(make_session(clock, claims={"oid": "5a1f"} | noise)))
    assert found is not None
    assert found.claims == {"oid": "5a1f"}


async def test_the_cache_of_unsealed_sessions_is_bounded(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More sessions than that are opened again, and are right all the same."""
    monkeypatch.setattr(cookie, "MAX_CACHED", 3)
    store = CookieStore(sealer(), clock.time)
    sessions = [make_session(clock, id=str(number)) for number in range(10)]
    handles = [await store.create(session) for session in sessions]
    for _ in range(2):
        assert [await store.read(handle) for handle in handles] == sessions


async def test_a_renewed_session_is_cached_once(store: CookieStore, clock: FakeClock) -> None:
    """However often it is renewed, and however many of its former cookies come back (CWE-401)."""

    def cached_sessions() -> int:
        gc.collect()
        return sum(isinstance(each, Session) and each.id == "renewed" for each in gc.get_objects())

    before = cached_sessions()
    handles = []
    for number in range(400):
        session = make_session(clock, id="renewed", access_expires_at=clock.time() + number)
        handles.append(await store.create(session))
        assert await store.read(handles[-1]) == session
    del session
    assert cached_sessions() == before + 1
    found = [await store.read(handle) for handle in handles]
    assert [each and each.access_expires_at for each in found] == [
        clock.time() + number for number in range(400)
    ]
    newest = found[-1]
    assert await store.read(handles[-1]) is newest
    found.clear()
    assert cached_sessions() == before + 1


async def test_a_session_that_ended_is_cached_no_longer(store: CookieStore, clock: FakeClock) -> None:
    """Its cookie is opened again when it comes, whatever state of it was the last one."""
    session = make_session(clock)
    former = await store.create(session)
    newest = await store.create(replace(session, access_expires_at=session.access_expires_at + 1))
    cached = await store.read(newest)
    await store.end(former)
    assert await store.read(newest) is cached
    await store.end(newest)
    again = await store.read(newest)
    assert again == cached
    assert again is not cached


async def test_a_session_of_another_format_is_none(store: CookieStore) -> None:
    """After an update, or a step back, people sign in again, and nothing breaks."""
    assert await store.read(sealer().seal(b'[99, "something", {}, null, "else"]')) is None
