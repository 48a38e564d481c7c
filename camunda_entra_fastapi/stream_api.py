"""The part of ``CamundaEntra`` for streams that outlive the look at who opened them."""

from collections.abc import AsyncGenerator, AsyncIterable
from typing import TypeVar

from starlette.requests import HTTPConnection

from camunda_entra_fastapi.user import EntraUser
from camunda_entra_fastapi.web.current_user import CurrentUser
from camunda_entra_fastapi.web.streams import still_good, while_good

T = TypeVar("T")


class StreamApi:
    """The part of ``CamundaEntra`` that tells a long stream when the sign-in of whoever opened it ends."""

    current_user: CurrentUser

    async def still_good(self, connection: HTTPConnection) -> EntraUser:
        """The user that a request with the credentials of this one would have now; else it raises.

        All is looked at as for a new request: when the token expires and whether its key is still Entra's;
        for a session, whether it ended or was signed out, as far as its store can tell. It is renewed where
        it is due, so roles and groups may have changed. Permissions are for the caller to look at again.

        Args:
            connection: The request or WebSocket, perhaps accepted long ago.

        Raises:
            HTTPException: The sign-in has ended, or that cannot be told: 503.
            WebSocketException: The same, for an accepted WebSocket, which FastAPI closes then: with 3000
                where the sign-in has ended, 3003 where it is forbidden, 1013 where it cannot be told.
        """
        return await still_good(self.current_user, connection)

    def while_good(
        self, connection: HTTPConnection, stream: AsyncIterable[T], *, every: float = 30
    ) -> AsyncGenerator[T, None]:
        """The items of a stream, until ``still_good`` raises.

        Args:
            connection: The request or WebSocket, perhaps accepted long ago.
            stream: An asynchronous generator, ``websocket.iter_text()`` or the like; closed at the end.
            every: Seconds between two looks; the stream ends that much too late at most.

        Raises:
            HTTPException: As for ``still_good``.
            WebSocketException: As for ``still_good``.
            ValueError: ``every`` is no positive number.
        """
        if not every > 0:
            raise ValueError("while_good(every=...) must be a positive number of seconds.")
        return while_good(self.current_user, connection, stream, every)
