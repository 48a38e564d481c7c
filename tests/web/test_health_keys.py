"""``/auth/health?keys=true``: which keys the service has, and which of them Entra does not publish now."""

from typing import Any

from camunda_entra_fastapi.testing import SigningKey
from tests.conftest import FakeClock
from tests.remote.scripted import settle
from tests.site import Site

HOUR = 3600


async def keys_of(site: Site, query: str = "?keys=true") -> Any:
    """What the endpoint says of keys, after the refresh that may be due."""
    http = site.browser().http
    await http.get("/auth/health")
    await settle()
    response = await http.get(f"/auth/health{query}")
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    return response.json().get("keys")


async def test_the_keys_are_told_with_the_time_they_were_last_seen(site: Site, clock: FakeClock) -> None:
    """Published ones as of the newest document; kept ones with the end of their 24 hours."""
    clock.now = 1_795_000_000.0  # 2026-11-18T11:06:40Z
    old = site.emulator.keys[0].key_id
    site.emulator.world.new_key = SigningKey.generate  # instead of the one that all of these tests share
    site.emulator.rotate_keys()
    new = site.emulator.keys[0].key_id
    assert await keys_of(site) == {
        "published": [new, old],
        "published_at": "2026-11-18T11:06:40Z",
        "kept": [],
    }
    site.emulator.hide_key(old)
    clock.advance(HOUR)
    assert await keys_of(site) == {
        "published": [new],
        "published_at": "2026-11-18T12:06:40Z",
        "kept": [
            {"kid": old, "last_seen": "2026-11-18T11:06:40Z", "kept_until": "2026-11-19T11:06:40Z"},
        ],
    }
    site.emulator.show_key(old)
    clock.advance(HOUR)
    assert (await keys_of(site))["kept"] == []


async def test_who_does_not_ask_for_keys_is_told_none(site: Site) -> None:
    """A probe gets what it always got."""
    for query in ("", "?keys", "?keys=1", "?keys=false"):
        assert await keys_of(site, query) is None
