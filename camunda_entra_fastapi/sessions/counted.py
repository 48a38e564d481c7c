"""Counts what the session store is asked, by operation and outcome."""

from types import TracebackType

from camunda_entra_fastapi.errors import SessionsUnavailable
from camunda_entra_fastapi.telemetry import session_operations


class CountedOperation:
    """A context manager around one kind of operation; it has no state, so that one serves all.

    What is broken off, because the client hung up, is not counted.

    Args:
        store: The kind of store.
        operation: What it is asked.
    """

    __slots__ = ("_failed", "_succeeded")

    def __init__(self, store: str, operation: str) -> None:
        named = {"store": store, "operation": operation}
        self._succeeded = named | {"outcome": "succeeded"}
        self._failed = named | {"outcome": "failed"}

    def __enter__(self) -> None:
        """Nothing is counted before its end."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Count it."""
        if kind is None:
            session_operations.add(1, self._succeeded)
        elif issubclass(kind, SessionsUnavailable):
            session_operations.add(1, self._failed)


class CountedOperations:
    """The operations of one store."""

    __slots__ = ("create", "end", "end_by_sid", "read", "replace")

    def __init__(self, store: str) -> None:
        self.create = CountedOperation(store, "create")
        self.read = CountedOperation(store, "read")
        self.replace = CountedOperation(store, "replace")
        self.end = CountedOperation(store, "end")
        self.end_by_sid = CountedOperation(store, "end_by_sid")
