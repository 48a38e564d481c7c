"""How a command ends that runs until somebody ends it."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from time import sleep
from typing import Final

_A_DAY: Final = 86_400


@contextmanager
def until_interrupted() -> Iterator[None]:
    """Ctrl-C and a polite request to end (SIGTERM) are how it is meant to end.

    Both are set, for a shell starts what it runs in the background with Ctrl-C ignored.
    """
    before = {
        number: signal.signal(number, signal.default_int_handler)
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        with suppress(KeyboardInterrupt):
            yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def wait() -> None:
    """Wait, as long as it takes until somebody interrupts."""
    while True:
        sleep(_A_DAY)
