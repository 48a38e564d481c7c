"""Signing out by HTTP while Redis says nothing, on one of two replicas."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.sessions.conftest import RedisServer
from tests.sessions.test_unfinished_ends import hanging
from tests.site import Browser, MakeSite, Site, query_of, session_manager_of
from tests.waiting import PATIENCE


@pytest.fixture
async def replicas(make_site: MakeSite, own_redis: RedisServer) -> AsyncIterator[tuple[Site, Site]]:
    """Two of one service, the first of which waits for Redis for a short time only."""
    here, there = (make_site(session_store=own_redis.url) for _ in range(2))
    session_manager_of(here).store._timeout = 0.5  # type: ignore[attr-defined]
    yield here, there
    for site in (here, there):
        await session_manager_of(site).store.close()


async def over_at(site: Site, thief: Browser) -> None:
    """Wait until the site lets a copy of that cookie in no more."""
    for _ in range(100 * PATIENCE):
        status = await thief.status()
        assert status in {200, 401}
        if status == 401:
            return
    raise AssertionError(f"{site.url} lets it in")


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_sign_out_while_redis_hangs_ends_every_copy(
    replicas: tuple[Site, Site], own_redis: RedisServer, method: str
) -> None:
    """The answer is that of any sign-out; a copy of the cookie is refused here at once, and there soon."""
    here, there = replicas
    browser = await here.browser().signed_in()
    copy_here, copy_there = here.browser(like=browser), there.browser(like=browser)
    assert await copy_there.status() == 200
    with hanging(own_redis):
        answer = await browser.http.request(method, "/auth/logout")
    assert answer.status_code == 302
    assert "post_logout_redirect_uri" in query_of(answer.headers["location"])
    assert not browser.cookies
    assert await copy_here.status() == 401
    await over_at(there, copy_there)
    assert await copy_here.status() == 401


async def test_a_front_channel_logout_while_redis_hangs_is_made_up_for(
    replicas: tuple[Site, Site], own_redis: RedisServer
) -> None:
    """It is 503, as nobody can tell how many it ended; nobody has to repeat it."""
    here, there = replicas
    browser = await here.browser().signed_in()
    copy_here, copy_there = here.browser(like=browser), there.browser(like=browser)
    session = await session_manager_of(there).find(browser.session)
    assert session is not None
    with hanging(own_redis):
        answer = await here.browser().http.get(f"/auth/front-channel-logout?sid={session.session.sid}")
    assert answer.status_code == 503
    assert await copy_here.status() == 401
    await over_at(there, copy_there)


async def test_a_refused_renewal_while_redis_hangs_is_made_up_for(
    replicas: tuple[Site, Site], own_redis: RedisServer
) -> None:
    """Entra ended the sign-in, and Redis could not be told."""
    here, there = replicas
    browser = await here.browser().signed_in()
    copy_there = there.browser(like=browser)
    here.clock.advance(3_500)  # due for renewal, and still good
    hold = hanging(own_redis)

    async def refuse(_: httpx.Request) -> httpx.Response:
        hold.__enter__()
        return httpx.Response(
            400, json={"error": "invalid_grant", "error_description": "AADSTS50173: Revoked."}
        )

    here.wire.handle("/token", refuse)
    there.wire.fail("/token")
    assert await browser.status() == 401  # here it counts at once, and nobody waits for long
    hold.__exit__(None, None, None)
    await over_at(here, here.browser(like=browser))
    await over_at(there, copy_there)


async def test_a_service_that_is_stopped_makes_up_for_sign_outs(
    replicas: tuple[Site, Site], own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When its lifespan ends, it tries once more."""
    monkeypatch.setattr("camunda_entra_fastapi.sessions.unfinished_ends.FIRST_PAUSE", 100 * PATIENCE)
    here, there = replicas
    async with here.entra.lifespan():
        browser = await here.browser().signed_in()
        copy_there = there.browser(like=browser)
        with hanging(own_redis):
            await browser.http.post("/auth/logout")
        assert await copy_there.status() == 200
    assert await copy_there.status() == 401


async def test_health_says_that_redis_takes_no_writes(
    replicas: tuple[Site, Site], own_redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """503 for a replica, with the words in the log; whoever is signed in goes on."""
    here, _ = replicas
    browser = await here.browser().signed_in()
    assert (await here.browser().http.get("/auth/health")).status_code == 200
    with own_redis.client() as client:
        client.replicaof("127.0.0.1", 1)
    answer = await here.browser().http.get("/auth/health")
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert (
        "sessions_unavailable: The session store answers, but takes no writes: ReadOnlyError" in caplog.text
    )
    assert await browser.status() == 200
