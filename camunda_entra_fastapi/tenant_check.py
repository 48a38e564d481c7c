"""Asks the application which tenants it lets in, and remembers the answers for a while.

For services whose customers stand in a database. Only tokens that passed every other check get here, so
nobody without a token of Entra's for this API makes the application look anything up.
"""

import asyncio
import inspect
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from camunda_entra_fastapi.errors import EntraUnavailable, InvalidToken, SettingsError, quoted
from camunda_entra_fastapi.single_flight import SingleFlight
from camunda_entra_fastapi.sweeping import remove_expired
from camunda_entra_fastapi.telemetry import logger

TenantAllowed = Callable[[str], Awaitable[bool] | bool]
"""Of a tenant's ID, a GUID in lower case: whether its people and applications are let in."""

MAX_REMEMBERED: Final = 10_000
"""Tenants whose answers are remembered."""
MAX_LIFETIME: Final = 86_400.0
"""Seconds that an answer may be remembered at most."""
DEADLINE: Final = 10.0
"""Seconds that the application has for an answer."""
RETRY_AFTER: Final = 5.0
"""Seconds after which a client whose tenant could not be told may try again."""
_YES_TO_NO: Final = 10
"""A refusal is remembered for this part of the time: new customers wait less than those who left."""


@dataclass(frozen=True, slots=True)
class TenantFunction:
    """The application's function, and for how many seconds its answers count.

    Raises:
        SettingsError: The first cannot be called with a tenant's ID, or the second is not from 0 to 86,400.
    """

    function: TenantAllowed
    lifetime: float

    def __post_init__(self) -> None:
        problem = "tenant_allowed must be a function of a tenant ID that returns True or False."
        if not callable(self.function):
            raise SettingsError([problem])
        try:
            inspect.signature(self.function).bind("tenant ID")
        except TypeError as error:
            raise SettingsError([f"{problem} It cannot be called with one argument: {error}."]) from None
        except ValueError:
            pass  # it is of C and has no signature to look at
        if not 0 <= self.lifetime <= MAX_LIFETIME:
            raise SettingsError(["tenant_allowed_lifetime must be seconds, from 0 to 86400 (a day)."])


class TenantCheck:
    """Which tenants are let in, by a list or else by the application's function.

    Args:
        function: The application's function.
        listed: Tenant IDs in lower case that are let in without a question.
        clock: Returns seconds since 1970.
    """

    def __init__(self, function: TenantFunction, listed: frozenset[str], clock: Callable[[], float]) -> None:
        self._function = function.function
        self._lifetime = function.lifetime
        self._listed = listed
        self._clock = clock
        self._answers: OrderedDict[str, tuple[bool, float]] = OrderedDict()
        self._questions: SingleFlight[str, tuple[bool, float]] = SingleFlight("tenant check")

    async def let_in_until(self, claims: Mapping[str, Any]) -> float:
        """Until when the tenant of verified claims is let in without another question.

        Raises:
            InvalidToken: ``tenant_mismatch``: it is not let in.
            EntraUnavailable: ``tenant_check_failed``: the application gave no answer.
        """
        tenant = str(claims["tid"]).lower()
        if tenant in self._listed:
            return float("inf")
        answer = self._answers.get(tenant)
        if answer is None or answer[1] <= self._clock():
            answer = await self._questions.run(tenant, lambda: self._ask(tenant))
        is_allowed, until = answer
        if not is_allowed:
            raise InvalidToken(
                "tenant_mismatch", f"The token's tenant {quoted(tenant)} is not let in by this API."
            )
        return until

    def known_until(self, claims: Mapping[str, Any]) -> float:
        """As ``let_in_until``, without a question: 0 for a tenant that is refused, or not known."""
        tenant = str(claims["tid"]).lower()
        if tenant in self._listed:
            return float("inf")
        is_allowed, until = self._answers.get(tenant, (False, 0.0))
        return until if is_allowed else 0.0

    def sweep(self) -> None:
        """Remove the answers that are not remembered any more."""
        remove_expired(self._answers, lambda answer: answer[1], self._clock())

    async def _ask(self, tenant: str) -> tuple[bool, float]:
        """The application's answer, and until when it counts: from the moment at which it was asked."""
        asked_at = self._clock()
        try:
            async with asyncio.timeout(DEADLINE):
                is_allowed = await self._call(tenant)
        except TimeoutError:
            logger.exception("tenant_allowed gave no answer for the tenant %s", tenant)
            raise _failed("gave no answer in time") from None
        except asyncio.CancelledError:
            if (task := asyncio.current_task()) is None or task.cancelling():
                raise  # the event loop ends
            # It was cancelled inside; whoever waits for the answer was not.
            raise _failed("was cancelled") from None
        except Exception as error:  # noqa: BLE001 - the application's function may raise anything
            logger.exception("tenant_allowed gave no answer for the tenant %s", tenant)
            raise _failed(f"raised {type(error).__name__}") from None
        if not isinstance(is_allowed, bool):
            raise _failed(f"returned a {type(is_allowed).__name__}; it must return True or False")
        answer = is_allowed, asked_at + (self._lifetime if is_allowed else self._lifetime / _YES_TO_NO)
        if len(self._answers) >= MAX_REMEMBERED and tenant not in self._answers:
            self._answers.popitem(last=False)
        self._answers[tenant] = answer
        return answer

    async def _call(self, tenant: str) -> object:
        call: Any = getattr(self._function, "__call__", None)  # noqa: B004 - of an object, its method
        is_async = inspect.iscoroutinefunction(self._function) or inspect.iscoroutinefunction(call)
        # As FastAPI does it: a plain function may wait for a database, and must not hold up all others.
        result: Any = self._function(tenant) if is_async else await asyncio.to_thread(self._function, tenant)
        return await result if inspect.isawaitable(result) else result


def _failed(how: str) -> EntraUnavailable:
    return EntraUnavailable("tenant_check_failed", f"The function tenant_allowed {how}.", RETRY_AFTER)
