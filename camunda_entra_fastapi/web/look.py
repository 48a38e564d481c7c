"""One look at a request's credentials, kept on the request for all of its dependencies.

FastAPI remembers a dependency by its scopes, too. So a route behind a router's guard, with scopes, a role
and the user in its signature asks four times who is there.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Final, Generic, ParamSpec, TypeVar

from starlette.types import Scope

from camunda_entra_fastapi.errors import EntraError
from camunda_entra_fastapi.sign_in.session_manager import UserSession
from camunda_entra_fastapi.user import EntraUser

P = ParamSpec("P")
T = TypeVar("T")

STACKS: Final = ("fastapi_inner_astack", "fastapi_function_astack")
"""Keys of the scope: what FastAPI closes when all is sent, and when the route's function has returned."""
KNOWN_FOR: Final = 1.0
"""Seconds for which a look holds outside of a route's function: a stream may ask hours later."""


class Once(Generic[T]):
    """A question that is put once: who asks meanwhile waits, who asks afterwards is told the same.

    An error of ours is such an outcome, too. Where the first one is cancelled, or fails in another way, the
    next one asks.
    """

    __slots__ = ("_is_asking", "_news", "outcome")

    def __init__(self) -> None:
        self.outcome: tuple[T] | EntraError | None = None
        """What came of it: a value in a tuple, or an error; None before."""
        self._is_asking = False
        self._news: asyncio.Event | None = None  # for those who wait, where somebody does

    async def ask(self, question: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """The outcome.

        Raises:
            EntraError: It is this one.
        """
        while self._is_asking:
            if self._news is None:
                self._news = asyncio.Event()
            await self._news.wait()
        outcome = self.outcome
        if outcome is None:
            self._is_asking = True
            try:
                answer = await question(*args, **kwargs)
            except EntraError as error:
                self.outcome = _again(error)
                raise
            finally:
                self._is_asking = False
                if self._news is not None:
                    self._news.set()
                    self._news = None
            self.outcome = (answer,)
            return answer
        if isinstance(outcome, EntraError):
            raise _again(outcome)
        return outcome[0]


def _again(error: EntraError) -> EntraError:
    """The same error, raised nowhere yet: one that was holds all that was at work, the request with it."""
    again: EntraError = type(error).__new__(type(error), *error.args)
    again.__dict__ |= error.__dict__
    return again


class Look:
    """What the credentials of a request have shown.

    Args:
        scope: The request's.
        credentials: The value of its Authorization header; None without one.
        monotonic: Returns seconds since an arbitrary moment.

    Attributes:
        token: Whose the bearer token is; None without one.
        session: The session of the cookie; asked for only where no token came.
    """

    __slots__ = ("_headers", "_held_by", "_method", "_monotonic", "_until", "credentials", "session", "token")

    def __init__(self, scope: Scope, credentials: bytes | None, monotonic: Callable[[], float]) -> None:
        self.credentials = credentials
        self.token: Once[EntraUser | None] = Once()
        self.session: Once[UserSession | None] = Once()
        # As they are now: middleware may change them between two who ask.
        self._headers = [*scope["headers"]]
        self._method = scope.get("method")
        self._monotonic = monotonic
        self._until = monotonic() + KNOWN_FOR
        self._held_by: AsyncExitStack | None = None
        self._hold(scope)

    def holds(self, scope: Scope) -> bool:
        """Whether it is still of these credentials, and new enough.

        In a request it holds until the route's function has returned, however long that takes. What is sent
        afterwards may take hours, and so may a WebSocket.
        """
        if self._headers != [*scope["headers"]] or self._method != scope.get("method"):
            return False
        if self._held_by is not None and self._held_by is scope.get(STACKS[1]):
            return True
        if self._monotonic() >= self._until:
            return False
        self._hold(scope)
        return True

    def _hold(self, scope: Scope) -> None:
        of_request, of_function = map(scope.get, STACKS)
        # A guard has one for both, which is open for as long as what it mounts is at work.
        if of_function is not None and of_function is not of_request and scope["type"] == "http":
            self._held_by = of_function
            of_function.callback(self._release)

    def _release(self) -> None:
        self._held_by = None
