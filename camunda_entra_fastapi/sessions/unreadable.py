"""Session cookies of our name that cannot be opened, which somebody should know of."""

import re
from typing import Final

from camunda_entra_fastapi.log_records import Trouble
from camunda_entra_fastapi.telemetry import logger

_HANDLE: Final = re.compile(
    r"1\.[\w-]{16}\.[\w-]*\.[\w-]{22}|[\w-]{43}(?:\.[\w-]{20}|\.[\w-]{43})?", re.ASCII
)
"""The handles of all stores. What looks otherwise is a stranger's text, and worth no line."""


class UnreadableHandles:
    """Logs that there are some: at the first one, and as a reminder now and then."""

    def __init__(self) -> None:
        self._trouble = Trouble()

    def note(self, handle: str) -> None:
        """A browser sent this one, and it is none of ours, although it has the shape of one."""
        if _HANDLE.fullmatch(handle) and self._trouble.is_news("handle"):
            logger.warning(
                "A browser sent a session cookie with this service's cookie name that this service cannot "
                "open, so that person must sign in. Either its secret is not in CAMUNDA_ENTRA_SESSION_SECRET "
                "any more, or not in that of all replicas; or another service on this host, at whatever port "
                "or path, has the same CAMUNDA_ENTRA_COOKIE_NAME: then give each a name of its own."
            )
