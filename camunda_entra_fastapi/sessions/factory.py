"""Creates the session store that the setting names."""

from collections.abc import Callable, Sequence
from hashlib import sha256

from camunda_entra_fastapi.errors import SettingsError
from camunda_entra_fastapi.sessions.cookie import CookieStore
from camunda_entra_fastapi.sessions.memory import MemoryStore
from camunda_entra_fastapi.sessions.sealing import Sealer, derive_key
from camunda_entra_fastapi.sessions.store import SessionStore
from camunda_entra_fastapi.sessions.workers import started_workers
from camunda_entra_fastapi.telemetry import logger


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
        if (workers := started_workers()) > 1:
            logger.warning(
                "CAMUNDA_ENTRA_SESSION_STORE=memory, and this service was started with %d workers. Each has "
                "sessions of its own, so whoever signed in at one is a stranger to the others. Set it to "
                "cookie or to a redis:// URL, or start one worker.",
                workers,
            )
        return MemoryStore(clock, derive_key(secrets[0].encode(), f"handle {deployment}"))
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
