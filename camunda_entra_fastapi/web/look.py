"""One look at a request's credentials, kept on the request for all of its dependencies.

FastAPI remembers a dependency by its scopes, too. So a route behind a router's guard, with scopes, a role
and the user in its signature asks four times who is there.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Final, Generic, TypeVar, TypeVarTuple

from starlette.types import Scope

from camunda_entra_fastapi.errors import EntraError
from camunda_entra_fastapi.sign_in.session_manager import UserSession
from camunda_entra_fastapi.user import EntraUser

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

STACKS: Final = ("fastapi_inner_astack", "fastapi_function_astack")
"""Keys of the scope: what FastAPI closes when all is sent, and when the route's function has returned."""
KNOWN_FOR: Final = 1.0
"""Seconds for which a look holds outside of a route's function: a stream may ask hours later."""


class Once(Generic[T]):
    """A question that is put once: who asks meanwhile waits, who asks afterwards is told the same.

    An error of ours is such an outcome, too. Where the first one is cancelled, or fails in another way, the
    next one asks.
    """

    # In the class, as few requests need more than one of them: so to make one takes no time.
    _is_asking = False
    _outcome: tuple[T] | None = None
    _refusal: tuple[type[EntraError], tuple[object, ...], dict[str, object]] | None = None
    _news: asyncio.Event | None = None
    """For those who wait, where somebody does."""

    async def ask(self, question: Callable[[*Ts], Awaitable[T]], *args: *Ts) -> T:
        """The outcome.

        Raises:
            EntraError: It is this one.
        """
        while self._is_asking:
            if self._news is None:
                self._news = asyncio.Event()
            await self._news.wait()
        if self._outcome is not None:
            return self._outcome[0]
        if self._refusal is not None:
            raise _again(*self._refusal)
        self._is_asking = True
        try:
            answer = await question(*args)
        except BaseException as error:  # whatever it is; one clause, as each one takes time
            if isinstance(error, EntraError):
                # An error that was raised holds all that was at work, the request with it.
                self._refusal = error.__class__, error.args, error.__dict__
            self._end()
            raise
        self._outcome = (answer,)
        self._end()
        return answer

    def _end(self) -> None:
        self._is_asking = False
        if self._news is not None:
            self._news.set()
            self._news = None


def _again(kind: type[EntraError], args: tuple[object, ...], attributes: dict[str, object]) -> EntraError:
    """An error like that one, raised nowhere yet."""
    error: EntraError = kind.__new__(kind, *args)
    error.__dict__ |= attributes
    return error


class Look:
    """What the credentials of a request have shown.

    Args:
        scope: The request's.
        credentials: The value of its Authorization header; None without one.
        monotonic: Returns seconds since an arbitrary moment.

    Attributes:
        token: Whose the bearer token is; None without one.
        session: The session of the cookie; None where nobody asked for it, as where a token came.
    """

    __slots__ = ("_headers", "_held_by", "_method", "_monotonic", "_until", "credentials", "session", "token")

    def __init__(self, scope: Scope, credentials: bytes | None, monotonic: Callable[[], float]) -> None:
        self.credentials = credentials
        self.token: Once[EntraUser | None] = Once()
        self.session: Once[UserSession | None] | None = None
        # As they are now: middleware may change them between two who ask.
        self._headers = [*scope["headers"]]
        self._method = scope.get("method")
        self._monotonic = monotonic
        self._until = monotonic() + KNOWN_FOR
        self._held_by: AsyncExitStack | None = None
        if STACKS[1] in scope:
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
        stack = scope.get(STACKS[1])
        # A guard has one for both, which is open for as long as what it mounts is at work.
        if stack is not None and stack is not scope.get(STACKS[0]) and scope["type"] == "http":
            self._held_by = stack
            stack.callback(self._release)

    def _release(self) -> None:
        self._held_by = None
