"""Creates the session store that the setting names."""

from collections.abc import Callable, Sequence
from hashlib import sha256

from camunda_entra_fastapi.errors import SettingsError
from camunda_entra_fastapi.sessions.cookie import CookieStore
from camunda_entra_fastapi.sessions.memory import MemoryStore
from camunda_entra_fastapi.sessions.sealing import Sealer
from camunda_entra_fastapi.sessions.store import SessionStore


def create_store(
    location: str, secrets: Sequence[str], deployment: str, clock: Callable[[], float], lease: float = 0
) -> SessionStore:
    """The store; it connects on first use.

    Args:
        location: ``cookie``, ``memory`` or a URL.
        secrets: The secrets that seal sessions; the newest first.
        deployment: Issuer and client ID. A session of one deployment is none to another.
        clock: Returns seconds since 1970.
        lease: Seconds for which copies of what is in a Redis count; 0 for no copies.

    Raises:
        SettingsError: A Redis is named, and redis-py is not installed.
    """
    if location == "memory":
        return MemoryStore(clock)
    sealer = Sealer(secrets, f"session {deployment}", compress=True)
    if location == "cookie":
        return CookieStore(sealer, clock)
    try:
        # Loaded only where it is used: it is an extra.
        from camunda_entra_fastapi.sessions.redis import RedisStore  # noqa: PLC0415
    except ImportError as error:
        raise SettingsError(
            [
                "CAMUNDA_ENTRA_SESSION_STORE names a Redis, but redis-py is not installed. "
                "Run: pip install 'camunda-entra-fastapi[redis]'."
            ]
        ) from error
    namespace = sha256(deployment.encode()).hexdigest()[:16]
    return RedisStore(location, sealer, namespace, clock, lease=lease)
