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

_FUNCTION_STACK: Final = "fastapi_function_astack"
STACKS: Final = ("fastapi_inner_astack", _FUNCTION_STACK)
"""Keys of the scope: what FastAPI closes when all is sent, and when the route's function has returned."""
KNOWN_FOR: Final = 1.0
"""Seconds for which a look holds outside of a route's function: a stream may ask hours later."""


Refusal = tuple[type[EntraError], tuple[object, ...], dict[str, object]]
"""What an error is made of. One that was raised holds all that was at work then, the request with it."""


def again(refusal: Refusal) -> EntraError:
    """An error that is made of it, raised nowhere yet."""
    kind, args, attributes = refusal
    error: EntraError = kind.__new__(kind, *args)
    error.__dict__ |= attributes
    return error


class Once(Generic[T]):
    """A question that is put once: who asks meanwhile waits, who asks afterwards is told the same.

    An error of ours is such an outcome, too. Where the first one is cancelled, or fails in another way, the
    next one asks.
    """

    def __init__(self) -> None:
        self._is_asking = False
        self._outcome: tuple[T] | None = None
        self._refusal: Refusal | None = None
        self._news: asyncio.Event | None = None  # for those who wait, where somebody does

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
            raise again(self._refusal)
        self._is_asking = True
        try:
            answer = await question(*args)
        except EntraError as error:
            self._refusal = error.__class__, error.args, error.__dict__
            raise
        finally:
            self._is_asking = False
            if self._news is not None:
                self._news.set()
                self._news = None
        self._outcome = (answer,)
        return answer


class Look:
    """What the credentials of a request have shown.

    Args:
        scope: The request's.
        credentials: The value of its Authorization header; None without one.
        monotonic: Returns seconds since an arbitrary moment.

    Attributes:
        bearer: Whose the bearer token is, in a tuple, with None for no token; None before it was judged. Only
            keys and tenants are waited for, once for all requests, so that nobody here has to wait.
        refusal: The error where the token is refused.
        session: The session of the cookie; None where nobody asked for it, as where a token came.
    """

    # In the class, as most requests need none of them: it takes no time to have them.
    bearer: tuple[EntraUser | None] | None = None
    refusal: Refusal | None = None
    session: Once[UserSession | None] | None = None
    _held_by: AsyncExitStack | None = None

    def __init__(self, scope: Scope, credentials: bytes | None, monotonic: Callable[[], float]) -> None:
        self.credentials = credentials
        # As they are now: middleware may change them between two who ask.
        self._headers = [*scope["headers"]]
        self._method = scope.get("method")
        self._monotonic = monotonic
        self._until = monotonic() + KNOWN_FOR
        if _FUNCTION_STACK in scope:
            self._hold(scope)

    def holds(self, scope: Scope) -> bool:
        """Whether it is still of these credentials, and new enough.

        In a request it holds until the route's function has returned, however long that takes. What is sent
        afterwards may take hours, and so may a WebSocket.
        """
        if self._headers != [*scope["headers"]] or self._method != scope.get("method"):
            return False
        if self._held_by is not None and self._held_by is scope.get(_FUNCTION_STACK):
            return True
        if self._monotonic() >= self._until:
            return False
        self._hold(scope)
        return True

    def _hold(self, scope: Scope) -> None:
        stack = scope.get(_FUNCTION_STACK)
        # A guard has one for both, which is open for as long as what it mounts is at work.
        if stack is not None and stack is not scope.get(STACKS[0]) and scope["type"] == "http":
            self._held_by = stack
            stack.callback(self._release)

    def _release(self) -> None:
        self._held_by = None
