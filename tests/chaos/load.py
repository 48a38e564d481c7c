"""A steady load: people who stay, people who come and go, and probes."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import Any, Final

from tests.chaos.crowd import Crowd, Person
from tests.chaos.servers import PATIENCE

PROBES: Final = 4
"""Questions a second for the health of replicas."""
AT_ONCE: Final = 3
"""Sign-ins at a time before a fault."""
STAYS: Final = 1.0
"""Seconds between somebody's sign-in and sign-out."""


@dataclass(frozen=True, slots=True)
class _Pace:
    per_second: float
    act: Callable[[int], Coroutine[Any, Any, object]]


class Load:
    """What the crowd does while a store fails.

    Args:
        crowd: Who does it.
        rate: Requests a second by cookies of people who stay; that many are begun, however slowly others are
            answered. A fifth as many have cookies of people who left.
        comings: Sign-ins a second, and nearly as many sign-outs.
        residents: People who stay signed in.
    """

    def __init__(self, crowd: Crowd, rate: float, comings: float, residents: int) -> None:
        self.crowd = crowd
        self._rate = rate
        self._comings = comings
        self._count = residents
        self.residents: list[Person] = []
        self.guests: list[Person] = []
        """Who signed in meanwhile, and perhaps out again."""
        self._random = Random(0)

    async def fill(self) -> None:
        """Let people sign in until there are as many as there shall be."""
        async with asyncio.timeout(PATIENCE):
            while missing := self._count - len(self.residents):
                comers = (self.crowd.sign_in(number % 2) for number in range(min(missing, AT_ONCE)))
                self.residents += [each for each in await asyncio.gather(*comers) if each is not None]

    async def during(self, happening: Callable[[], Awaitable[None]]) -> None:
        """Keep the load up until something is over."""
        paces = (
            _Pace(self._rate, self._ask),
            _Pace(self._comings, self._come_and_go),
            _Pace(PROBES, lambda number: self.crowd.health(number % 2)),
            _Pace(self._rate / 5, self._ask_with_a_copy),
        )
        async with asyncio.TaskGroup() as acts:
            keepers = [acts.create_task(self._keep(pace, acts)) for pace in paces]
            await happening()
            for keeper in keepers:
                keeper.cancel()

    async def _keep(self, pace: _Pace, acts: asyncio.TaskGroup) -> None:
        """Begin as many as there shall be a second; what a stall delayed is begun later, and none at once."""
        loop = asyncio.get_running_loop()
        next_at = loop.time()
        for number in count():
            acts.create_task(pace.act(number))
            next_at = max(next_at + 1 / pace.per_second, loop.time() - 0.05)
            await asyncio.sleep(next_at - loop.time())

    async def _ask(self, number: int) -> None:
        await self.crowd.ask(self.residents[number // 2 % len(self.residents)], number % 2)

    async def _come_and_go(self, number: int) -> None:
        """Every fourth guest stays, and shows later whether a sign-in that was answered is kept."""
        here, there = number % 2, (number // 2) % 2
        guest = await self.crowd.sign_in(here, there)
        if guest is None:
            return
        self.guests.append(guest)
        if number % 4 == 3:
            return
        await asyncio.sleep(STAYS)
        await self.crowd.sign_out(guest, here)
        await asyncio.gather(*(self.crowd.ask(guest, replica) for replica in (0, 1)))

    async def _ask_with_a_copy(self, number: int) -> None:
        """By the cookies of anybody who signed out."""
        gone = [guest for guest in self.guests if guest.signed_out is not None]
        if gone:
            await self.crowd.ask(self._random.choice(gone), number % 2)
