"""From the setting to the store."""

import builtins
import sys
from typing import Any

import pytest

from camunda_entra_fastapi.errors import SettingsError
from camunda_entra_fastapi.sessions.cookie import CookieStore
from camunda_entra_fastapi.sessions.factory import create_store
from camunda_entra_fastapi.sessions.memory import MemoryStore
from camunda_entra_fastapi.sessions.redis import RedisStore
from tests.conftest import FakeClock


@pytest.mark.parametrize(
    ("location", "kind"),
    [
        ("cookie", CookieStore),
        ("memory", MemoryStore),
        ("redis://127.0.0.1:1", RedisStore),
        ("rediss+sentinel://127.0.0.1:1/operate", RedisStore),
    ],
)
async def test_the_setting_names_the_store(location: str, kind: type, clock: FakeClock) -> None:
    """Nothing is connected for it."""
    assert isinstance(create_store(location, ["s" * 32], "issuer client", clock.time), kind)


def test_a_redis_without_its_package_is_told(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the line that installs it."""
    for name in [name for name in sys.modules if name.startswith("camunda_entra_fastapi.sessions.redis")]:
        monkeypatch.delitem(sys.modules, name)
    genuine = builtins.__import__

    def without_redis(name: str, *others: Any, **named: Any) -> Any:
        if name.partition(".")[0] == "redis":
            raise ImportError(name)
        return genuine(name, *others, **named)

    monkeypatch.setattr(builtins, "__import__", without_redis)
    with pytest.raises(SettingsError, match=r"pip install 'camunda-entra-fastapi\[redis\]'"):
        create_store("redis://127.0.0.1:1", ["s" * 32], "issuer client", clock.time)
