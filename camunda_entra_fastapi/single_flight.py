"""Single flight: all who ask for the same thing at the same time share one task and its outcome."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from camunda_entra_fastapi.event_loops import forget_closed_loops

K = TypeVar("K")
T = TypeVar("T")


class SingleFlight(Generic[K, T]):
    """Calls in progress: at most one for each key and event loop.

    A task belongs to one event loop; tests and threads have several.

    Args:
        name: What the calls do, for the names of their tasks.
    """

    def __init__(self, name: str) -> None:
        self._name = f"camunda_entra {name}"
        self._tasks: dict[asyncio.AbstractEventLoop, dict[K, asyncio.Task[T]]] = {}

    def in_progress(self, key: K) -> "asyncio.Task[T] | None":
        """The call in progress for the key on this event loop; None without one."""
        task = self._tasks.get(asyncio.get_running_loop(), {}).get(key)
        return None if task is None or task.done() else task

    def start(self, key: K, call: Callable[[], Coroutine[Any, Any, T]]) -> "asyncio.Task[T]":
        """The call in progress for the key on this event loop, or a new one."""
        task = self.in_progress(key)
        if task is None:
            loop = asyncio.get_running_loop()
            task = loop.create_task(call(), name=self._name)
            self._tasks_of(loop)[key] = task
            task.add_done_callback(lambda done: self._done(loop, key, done))
        return task

    async def run(self, key: K, call: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The outcome of the call in progress for the key, or of a new one."""
        return await outcome_of(self.start(key, call))

    def _tasks_of(self, loop: asyncio.AbstractEventLoop) -> dict[K, "asyncio.Task[T]"]:
        if loop not in self._tasks:
            forget_closed_loops(self._tasks)  # their tasks never end
        return self._tasks.setdefault(loop, {})

    def _done(self, loop: asyncio.AbstractEventLoop, key: K, task: "asyncio.Task[T]") -> None:
        tasks = self._tasks.get(loop, {})
        if tasks.get(key) is task:
            del tasks[key]
        if not tasks:
            self._tasks.pop(loop, None)
        if not task.cancelled():
            task.exception()  # retrieved, so that asyncio does not complain when nobody waited


async def outcome_of(task: "asyncio.Task[T]") -> T:
    """The task's result or exception. A caller that is cancelled meanwhile does not cancel the task.

    ``asyncio.shield`` would not do: from Python 3.14 on it reports a failure as unhandled when a caller left.
    """
    await asyncio.wait((task,))
    return task.result()
