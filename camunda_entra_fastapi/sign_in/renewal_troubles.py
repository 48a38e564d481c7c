"""What is told of renewals that a session store could take no part in."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from camunda_entra_fastapi.errors import EntraUnavailable, SessionsUnavailable
from camunda_entra_fastapi.log_records import Trouble
from camunda_entra_fastapi.telemetry import logger

PUT_OFF: Final = (TimeoutError, EntraUnavailable, SessionsUnavailable)
"""Why a renewal is put off while the claims are still valid."""


class RenewalTroubles:
    """Logs them: each kind when it begins, and as a reminder now and then."""

    def __init__(self) -> None:
        self._put_off = Trouble()
        self._unstored = Trouble()

    def put_off(self, failure: Exception) -> None:
        """Tell of a renewal that waits for the store, while the claims are still valid."""
        if isinstance(failure, SessionsUnavailable) and self._put_off.is_news(failure.message):
            logger.warning(
                "Sessions are not renewed at the moment. Whoever is signed in stays so until the claims "
                "expire, which is a few minutes later. %s",
                failure.message,
            )

    @contextmanager
    def storing(self) -> Iterator[None]:
        """Around the storing of new tokens: tell where they are lost.

        Raises:
            SessionsUnavailable: The store cannot be asked.
        """
        try:
            yield
        except SessionsUnavailable as failure:
            if self._unstored.is_news(failure.message):
                logger.warning(
                    "Entra renewed a session, and its new tokens could not be stored, so they are lost. The "
                    "next attempt uses the refresh token from before, which Entra does not revoke when it "
                    "is used. %s",
                    failure.message,
                )
            raise
