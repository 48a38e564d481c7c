"""Renewals while the session store can be read, and takes no writes."""

import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from camunda_entra_fastapi.errors import SessionsUnavailable
from camunda_entra_fastapi.sign_in.exchange import RENEW_BEFORE
from camunda_entra_fastapi.sign_in.renewal_troubles import RenewalTroubles
from camunda_entra_fastapi.sign_in.session_manager import RENEWAL_PAUSE
from tests.sessions.conftest import RedisServer
from tests.site import ADA, MakeSite, Site, session_manager_of, texts_in
from tests.testing.browsing import change_user

DUE = 3599 - RENEW_BEFORE
"""Seconds after signing in."""


@pytest.fixture
async def shared(make_site: MakeSite, tmp_path: Path) -> AsyncIterator[tuple[RedisServer, Site]]:
    """A site with its sessions in a Redis of its own."""
    server = RedisServer(tmp_path)
    server.start()
    site = make_site(session_store=server.url)
    yield server, site
    await session_manager_of(site).store.close()
    server.stop()


def set_full(server: RedisServer, *, full: bool) -> None:
    """Let the server refuse writes, as if its memory were used up; or take them again."""
    with server.client() as client:
        client.config_set("maxmemory", "1" if full else "0")


async def test_nobody_whose_claims_are_good_is_refused_for_a_renewal_that_cannot_be_stored(
    shared: tuple[RedisServer, Site], caplog: pytest.LogCaptureFixture
) -> None:
    """The next attempt is made after a pause. With expired claims it is 503 until the store is well."""
    server, site = shared
    browser = await site.browser().signed_in()
    site.clock.advance(DUE)
    set_full(server, full=True)
    assert [await browser.status() for _ in range(3)] == [200] * 3
    assert site.renewals() == 0
    told = [text for text in texts_in(caplog) if "not renewed at the moment" in text]
    assert len(told) == 1
    assert "OutOfMemoryError" in told[0]
    site.clock.advance(RENEW_BEFORE)
    assert await browser.status() == 503
    set_full(server, full=False)
    assert await browser.status() == 200
    assert site.renewals() == 1


async def test_who_is_refused_by_entra_is_out_though_the_store_cannot_be_told(
    shared: tuple[RedisServer, Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once, and for good: the claims would have been valid for some minutes."""
    _, site = shared
    browser = await site.browser().signed_in()
    store = session_manager_of(site).store

    async def end(_: str) -> None:
        raise SessionsUnavailable("The session store cannot be asked: Testing.")

    monkeypatch.setattr(store, "end", end)
    change_user(site.emulator, ADA, enabled=False)
    site.clock.advance(DUE)
    assert [await browser.status() for _ in range(3)] == [401] * 3


async def test_tokens_that_could_not_be_stored_are_told_of_and_the_former_ones_go_on(
    shared: tuple[RedisServer, Site], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The refresh token from before is used again, and no lock is left behind."""
    caplog.set_level(logging.INFO)
    server, site = shared
    browser = await site.browser().signed_in()
    store = session_manager_of(site).store

    async def replace(*_: Any) -> None:
        raise SessionsUnavailable("The session store cannot be asked: Testing.")

    site.clock.advance(DUE)
    with monkeypatch.context() as patch:
        patch.setattr(store, "replace", replace)
        assert await browser.status() == 200
    assert site.renewals() == 1
    assert len([text for text in texts_in(caplog) if "its new tokens could not be stored" in text]) == 1
    with server.client() as client:
        assert not client.keys("*:renewing:*")
    site.clock.advance(RENEWAL_PAUSE)
    assert await browser.status() == 200
    assert site.renewals() == 2
    assert not [secret for secret in site.wire.secrets() if secret in "\n".join(texts_in(caplog))]


def test_lost_tokens_are_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """A store that is away for long does not fill the log."""
    troubles = RenewalTroubles()
    for _ in range(2):
        with pytest.raises(SessionsUnavailable), troubles.storing():
            raise SessionsUnavailable("The session store cannot be asked: Testing.")
    assert len([text for text in texts_in(caplog) if "are lost" in text]) == 1
