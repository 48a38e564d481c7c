"""How a command ends that runs until somebody ends it."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from time import sleep
from typing import Final

_A_DAY: Final = 86_400
_HANG_UP: Final = tuple(number for number in signal.Signals if number.name == "SIGHUP")
"""Windows has none."""


@contextmanager
def interruptible() -> Iterator[None]:
    """A polite request to end (SIGTERM) and a closed terminal are as Ctrl-C, so nothing is left behind.

    Ctrl-C is set, too, for a shell starts what it runs in the background with Ctrl-C ignored. The end of a
    terminal stays ignored where it was, as ``nohup`` wants it.
    """
    before = {
        number: signal.signal(number, signal.default_int_handler)
        for number in (signal.SIGINT, signal.SIGTERM, *_HANG_UP)
        if number not in _HANG_UP or signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def deferring_interrupts() -> Iterator[None]:
    """Who interrupts in the block is heard at its end, so that what the block makes can be tidied up."""
    heard: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _: heard.append(number))
        for number in (signal.SIGINT, signal.SIGTERM, *_HANG_UP)
        if signal.getsignal(number) is signal.default_int_handler
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if heard:
        raise KeyboardInterrupt


@contextmanager
def until_interrupted() -> Iterator[None]:
    """Being interrupted is how it is meant to end."""
    with interruptible(), suppress(KeyboardInterrupt):
        yield


def wait() -> None:
    """Wait, as long as it takes until somebody interrupts."""
    while True:
        sleep(_A_DAY)
