"""The contract of every session store."""

import asyncio
import json
import re
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from camunda_entra_fastapi.sessions.cookie import CookieStore
from camunda_entra_fastapi.sessions.memory import MemoryStore
from camunda_entra_fastapi.sessions.redis import LOCK_WAIT, RedisStore
from camunda_entra_fastapi.sessions.store import Session, SessionStore, pack, unpack
from tests.conftest import FakeClock
from tests.sessions.conftest import SID, RedisServer, make_session, sealer
from tests.sessions.rights import LEAST, REFUSED_WITHOUT_HARM, given_rights, refused_to, url_of

Make = Callable[..., SessionStore]

LIKE_A_HANDLE = (
    r"\A(1\.[A-Za-z0-9_-]{16}\.[A-Za-z0-9_-]{0,43}\.[A-Za-z0-9_-]{22}"
    r"|[A-Za-z0-9_-]{43}(\.([A-Za-z0-9_-]{20}|[A-Za-z0-9_-]{43}))?)\Z"
)


@pytest.fixture(params=["cookie", "memory", "redis", "redis, least rights"])
async def make(request: pytest.FixtureRequest, clock: FakeClock) -> AsyncIterator[Make]:
    """Makes stores of one kind; those of one deployment share what can be shared."""
    stores: list[SessionStore] = []
    guarded: list[RedisServer] = []

    def make_one(deployment: str = "here") -> SessionStore:
        store: SessionStore
        if request.param == "cookie":
            store = CookieStore(sealer(deployment=deployment), clock.time)
        elif request.param == "memory":
            store = MemoryStore(clock.time)
        else:
            server = request.getfixturevalue("redis_server")
            url = server.url
            if request.param != "redis":
                guarded.append(server)
                given_rights(server, LEAST)
                url = url_of(server)
            store = RedisStore(url, sealer(deployment=deployment), deployment, clock.time)
        stores.append(store)
        return store

    yield make_one
    for store in stores:
        await store.close()
    assert not guarded or refused_to(guarded.pop()) <= REFUSED_WITHOUT_HARM


@pytest.fixture
def store(make: Make) -> SessionStore:
    """The store under test."""
    return make()


async def test_a_session_is_read_as_it_was_kept(store: SessionStore, clock: FakeClock) -> None:
    """Every part of a session survives."""
    session = make_session(clock)
    assert await store.read(await store.create(session)) == session


async def test_claims_come_from_the_access_token_where_it_is_kept(
    store: SessionStore, clock: FakeClock
) -> None:
    """An access token for this API is kept once, and its claims are not kept beside it."""
    session = make_session(clock, access_token="e30.eyJvaWQiOiJhIn0.c2ln", claims={"oid": "a"})
    assert await store.read(await store.create(session)) == session


async def test_a_session_may_have_little(store: SessionStore, clock: FakeClock) -> None:
    """Neither a refresh token nor a sid nor a hint is needed."""
    session = make_session(clock, refresh_token=None, sid=None, login_hint=None, of_access_token=False)
    handle = await store.create(session)
    assert await store.read(handle) == session
    await store.end(handle)


async def test_handles_fit_into_cookies(store: SessionStore, clock: FakeClock) -> None:
    """A handle is of characters that need no quoting in a cookie, and no two are alike."""
    first, second = [await store.create(make_session(clock)) for _ in range(2)]
    assert re.fullmatch(r"[A-Za-z0-9._-]+", first)
    assert first != second


async def test_a_changed_or_cut_handle_is_none(store: SessionStore, clock: FakeClock) -> None:
    """No handle that differs from what was given is a session, not even after the right one was read."""
    handle = await store.create(make_session(clock))
    assert await store.read(handle)
    forged = [
        handle[:at] + other + handle[at + 1 :]
        for at in range(len(handle))
        for other in ("A", "B")
        if other != handle[at]
    ]
    cut = [handle[:at] for at in range(len(handle))]
    longer = [handle + "A", "A" + handle, handle + ".", handle + "\n", " " + handle, handle * 2]
    found = [text for text in (*forged, *cut, *longer) if await store.read(text) is not None]
    assert found == []


@hypothesis_settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    text=st.text()
    | st.from_regex(r"\A1?\.?[A-Za-z0-9_-]{16,43}\.[A-Za-z0-9_-]{0,43}(\.[A-Za-z0-9_-]{22})?\Z")
)
async def test_any_text_may_be_shown(make: Make, text: str) -> None:
    """A made-up handle is no session, and no error."""
    store = make()
    assert await store.read(text) is None
    await store.end(text)
    await store.end_by_sid(text)
    await store.close()


async def test_a_huge_handle_is_none(store: SessionStore) -> None:
    """Its size costs no work."""
    assert await store.read("1.AAAAAAAAAAAAAAAA." + "A" * 1_000_000 + "." + "A" * 22) is None
    assert await store.read("A" * 1_000_000) is None


async def test_another_deployment_has_other_sessions(make: Make, clock: FakeClock) -> None:
    """With the same secret, and in the same Redis, another issuer's or client's handle is none."""
    here, there = make("here"), make("there")
    handle = await here.create(make_session(clock))
    assert await there.read(handle) is None
    await there.end(handle)
    assert await there.end_by_sid(SID) == 0
    assert await here.read(handle)


async def test_a_session_ends_by_itself(store: SessionStore, clock: FakeClock) -> None:
    """It is there until its time is over, and not at that moment."""
    session = make_session(clock)
    handle = await store.create(session)
    clock.now = session.expires_at - 1
    assert await store.read(handle) == session
    clock.now = session.expires_at
    assert await store.read(handle) is None
    await store.end(handle)


async def test_a_session_that_is_over_is_kept_for_nobody(store: SessionStore, clock: FakeClock) -> None:
    """To create one does no harm."""
    handle = await store.create(make_session(clock, expires_at=clock.now - 1))
    assert await store.read(handle) is None


async def test_a_renewed_session_takes_the_place_of_the_former(store: SessionStore, clock: FakeClock) -> None:
    """The handle from ``replace`` is that of the new state."""
    session = make_session(clock)
    renewed = replace(session, refresh_token="1.another", renew_at=clock.now + 7_000)
    former = await store.create(session)
    handle = await store.replace(former, renewed)
    assert handle is not None
    assert await store.read(handle) == renewed
    assert (handle == former) == store.server_side
    assert await store.replace(handle, session) is not None


async def test_an_ended_session_is_not_brought_back(store: SessionStore, clock: FakeClock) -> None:
    """A renewal that comes too late replaces nothing, where sessions can be ended at all."""
    session = make_session(clock)
    handle = await store.create(session)
    await store.end(handle)
    if store.server_side:
        assert await store.replace(handle, session) is None
        assert await store.read(handle) is None
        assert await store.end_by_sid(SID) == 0
    else:
        assert await store.read(handle) == session


async def test_a_session_that_is_over_is_not_replaced(store: SessionStore, clock: FakeClock) -> None:
    """Nor is one that nobody knows."""
    session = make_session(clock)
    handle = await store.create(session)
    clock.now = session.expires_at
    if store.server_side:
        assert await store.replace(handle, session) is None
        assert await store.replace("nobody's", session) is None


async def test_ending_is_for_one(store: SessionStore, clock: FakeClock) -> None:
    """Another session of the same person stays, and to end what is not there does nothing."""
    first, second = [await store.create(make_session(clock)) for _ in range(2)]
    for handle in (first, first, "nobody's"):
        await store.end(handle)
    assert (await store.read(first) is None) == store.server_side
    assert await store.read(second)


async def test_sessions_end_by_sid(store: SessionStore, clock: FakeClock) -> None:
    """All sessions of one sid end, and no others."""
    first, second = [await store.create(make_session(clock)) for _ in range(2)]
    others = [await store.create(make_session(clock, sid=sid)) for sid in ("another", None)]
    assert await store.end_by_sid("unknown") == 0
    assert await store.end_by_sid(SID) == (2 if store.server_side else 0)
    assert await store.end_by_sid(SID) == 0
    for handle in (first, second):
        assert (await store.read(handle) is None) == store.server_side
    assert all([await store.read(handle) for handle in others])


async def test_a_renewed_session_ends_by_sid(store: SessionStore, clock: FakeClock) -> None:
    """Its renewal does not take it out of reach."""
    session = make_session(clock)
    handle = await store.replace(await store.create(session), replace(session, refresh_token="1.another"))
    assert handle is not None
    assert await store.end_by_sid(SID) == (1 if store.server_side else 0)
    assert (await store.read(handle) is None) == store.server_side


async def test_a_key_is_new_once(store: SessionStore) -> None:
    """The second who shows it is told so."""
    assert [await store.use_once(mark, 60) for mark in ("a", "a", "b", "a", "Zoë\ud800")] == [
        True,
        False,
        True,
        False,
        True,
    ]


async def test_a_key_is_new_for_one_of_many(store: SessionStore) -> None:
    """One of several concurrent uses is the first."""
    assert sum(await asyncio.gather(*(store.use_once("mark", 60) for _ in range(20)))) == 1


async def test_renewals_follow_each_other(store: SessionStore, clock: FakeClock) -> None:
    """A session's lock is granted, one at a time where the store is shared."""
    handle = await store.create(make_session(clock))
    running, most = 0, 0

    async def renew() -> None:
        nonlocal running, most
        async with store.renewing(handle):
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.01)
            running -= 1

    await asyncio.gather(*(renew() for _ in range(3)))
    assert running == 0
    assert most == (1 if isinstance(store, RedisStore) else 3)


async def test_a_renewal_that_fails_stands_in_nobodys_way(store: SessionStore, clock: FakeClock) -> None:
    """Its error comes through, and the next one begins at once."""
    handle = await store.create(make_session(clock))
    with pytest.raises(ZeroDivisionError):
        async with store.renewing(handle):
            raise ZeroDivisionError
    async with store.renewing(handle):
        pass


async def test_sessions_renew_side_by_side(store: SessionStore, clock: FakeClock) -> None:
    """One session's renewal does not wait for another's."""
    first, second = [await store.create(make_session(clock)) for _ in range(2)]
    async with asyncio.timeout(LOCK_WAIT / 2), store.renewing(first), store.renewing(second):
        pass


async def test_a_closed_store_opens_again(store: SessionStore) -> None:
    """To close it lets go of connections, and twice is no mistake."""
    await store.check()
    await store.close()
    await store.close()
    await store.check()


def test_another_format_is_no_session(clock: FakeClock) -> None:
    """A session in another version's format is ignored."""
    session = make_session(clock)
    assert unpack(pack(session)) == session
    assert unpack(b"[9" + pack(session)[2:]) is None


@pytest.mark.parametrize(
    "groups",
    [
        [],
        ["0d1f3a5c-9a4e-4c0b-8f65-2c8a2f3f1b77", "ffffffff-ffff-4fff-bfff-ffffffffffff"],
        ["0D1F3A5C-9A4E-4C0B-8F65-2C8A2F3F1B77"],
        ["0d1f3a5c9a4e4c0b8f652c8a2f3f1b77"],
        ["CONTOSO\\Operators", "0d1f3a5c-9a4e-4c0b-8f65-2c8a2f3f1b77"],
        [5],
        "Operators",
        5,
        None,
    ],
)
async def test_groups_come_back_as_they_were(store: SessionStore, clock: FakeClock, groups: object) -> None:
    """Whether they are IDs, which are written shorter, or names, or nothing that Entra would send."""
    session = make_session(clock, claims={"oid": "a", "groups": groups})
    assert await store.read(await store.create(session)) == session


def test_ids_of_groups_take_little_room(clock: FakeClock) -> None:
    """Two hundred of them, as many as a token lists, take less than 30 bytes each."""
    groups = [f"0d1f3a5c-9a4e-4c0b-8f65-{number:012x}" for number in range(200)]
    added = len(pack(make_session(clock, claims={"groups": groups}))) - len(
        pack(make_session(clock, claims={}))
    )
    assert added < 200 * 30


def test_claims_that_nobody_needs_are_not_written(clock: FakeClock) -> None:
    """Entra's claims for itself take no room."""
    found = unpack(pack(make_session(clock, claims={"oid": "a", "aio": "x", "rh": "y", "nonce": "z"})))
    assert isinstance(found, Session)
    assert found.claims == {"oid": "a"}


def test_a_session_shows_nothing(clock: FakeClock) -> None:
    """Its repr, which may end in logs, has no token, claim or identifier."""
    session = make_session(clock, access_token="secret-token")
    for secret in ("secret-token", session.id, SID, str(session.refresh_token), "O.CiQ-hint", "5a1f"):
        assert secret not in repr(session)


def test_claims_that_the_access_token_lacks_are_kept_beside_it(clock: FakeClock) -> None:
    """Those of the token are stored in it alone; what was stored before, without others, is still read."""
    payload = urlsafe_b64encode(b'{"oid":"a","exp":1}').decode().rstrip("=")
    token = f"e30.{payload}.c2ln"
    session = replace(make_session(clock, claims={"oid": "a", "exp": 1}), access_token=token)
    named = replace(session, claims={**session.claims, "email": "a@contoso.example"})
    packed = json.loads(pack(named))
    assert (packed[0], packed[2]) == (2, {"email": "a@contoso.example"})
    assert unpack(pack(named)) == named
    packed[0], packed[2] = 1, None
    assert unpack(json.dumps(packed).encode()) == session
