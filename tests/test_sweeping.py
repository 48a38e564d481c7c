"""What has expired leaves the memory while the lifespan runs, also if nobody asks for it again."""

import asyncio

import pytest

from camunda_entra_fastapi import CamundaEntra, sweeping
from camunda_entra_fastapi.sessions.memory import MemoryStore
from camunda_entra_fastapi.sweeping import keep_sweeping, remove_expired
from camunda_entra_fastapi.testing import EntraEmulator
from tests.conftest import FakeClock
from tests.site import MakeSite, Store, emulator, make_site, session_manager_of
from tests.waiting import until

__all__ = ["emulator", "make_site"]


def test_what_expires_now_is_expired() -> None:
    """As everywhere: ``exp`` is the time on or after which nobody accepts a token (RFC 7519, 4.1.4)."""
    entries = {"before": 9.0, "now": 10.0, "later": 10.1}
    remove_expired(entries, float, 10.0)
    assert entries == {"later": 10.1}


async def test_all_are_swept_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A part that a service does not have is no error, nor is one that another thread has just changed."""
    monkeypatch.setattr(sweeping, "SWEEP_EVERY", 0.001)
    swept: list[str] = []

    class Part:
        def sweep(self) -> None:
            swept.append("part")
            if len(swept) == 1:
                raise RuntimeError("dictionary changed size during iteration")

    task = asyncio.create_task(keep_sweeping(None, Part()))
    await until(lambda: len(swept) >= 3)
    task.cancel()


async def test_a_fault_in_one_part_is_logged_and_the_others_are_swept(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It ends neither the sweeping nor the service, whose lifespan waits for it at the end."""
    monkeypatch.setattr(sweeping, "SWEEP_EVERY", 0.001)
    swept: list[str] = []

    class Broken:
        def sweep(self) -> None:
            raise KeyError("a fault of ours")

    class Part:
        def sweep(self) -> None:
            swept.append("part")

    task = asyncio.create_task(keep_sweeping(Broken(), Part()))
    await until(lambda: len(swept) >= 2)
    assert task.cancel()
    assert "could not be removed" in caplog.text
    assert "a fault of ours" in caplog.text


@pytest.mark.parametrize("secret", [None, "local-emulator-secret-of-operate"])
async def test_users_of_expired_tokens_leave_and_others_stay(
    secret: str | None, emulator: EntraEmulator, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With login pages and without; five minutes of clock skew count as well."""
    monkeypatch.setattr(sweeping, "SWEEP_EVERY", 0.001)
    async with emulator.http_client() as client:
        settings = emulator.settings(client_secret=secret, clock_skew=300)
        entra = CamundaEntra(settings, http_client=client, clock=clock)
        validator = entra.current_user.authentication.validator
        async with entra.lifespan():
            short, long = (emulator.token(lifetime=minutes * 60) for minutes in (5, 60))
            for token in (short, long):
                await validator.validate_text(token)
            clock.advance(10 * 60 - 1)
            await asyncio.sleep(0.01)
            assert len(validator._cache) == 2
            clock.advance(1)
            await until(lambda: len(validator._cache) == 1)
            assert validator.cached(f"Bearer {long}".encode()) is not None


@Store
async def test_a_session_leaves_when_it_has_expired(
    store: str, make_site: MakeSite, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its refresh token, which Entra would take for months; out of the store as well."""
    monkeypatch.setattr(sweeping, "SWEEP_EVERY", 0.001)
    site = make_site(session_store=store)
    browser = await site.browser().signed_in()
    assert await browser.status() == 200
    manager = session_manager_of(site)
    async with site.entra.lifespan(site.app):
        clock.advance(8 * 3600 - 1)
        await asyncio.sleep(0.01)
        assert len(manager._by_id) == 1
        clock.advance(1)
        await until(lambda: not manager._by_id and not manager._by_handle)
        kept = manager.store._sessions if isinstance(manager.store, MemoryStore) else manager.store._cache  # type: ignore[attr-defined]
        await until(lambda: not kept)
    assert await browser.status() == 401
