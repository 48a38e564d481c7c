"""Taking a token from a terminal."""

import os
import sys
from typing import Final

_END: Final = b"\x04"
"""Ctrl-D."""


def is_terminal() -> bool:
    """Whether a person types, and has to be told what."""
    return sys.stdin.isatty()


def paste(limit: int) -> str:
    """What is pasted until Ctrl-D, at most so many characters; it is not shown.

    Terminals usually collect lines, of 4095 bytes at most, and cut what is longer: tokens are. So the line is
    not collected while this reads.
    """
    try:
        import termios  # noqa: PLC0415 - not on every system
        import tty  # noqa: PLC0415
    except ImportError:
        return sys.stdin.read(limit)
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    found = bytearray()
    try:
        tty.setcbreak(descriptor, termios.TCSANOW)
        while len(found) < limit and _END not in found:
            chunk = os.read(descriptor, 4096)
            if not chunk:
                break
            found += chunk
    finally:
        # What is left of an endless paste must not reach the shell.
        termios.tcsetattr(descriptor, termios.TCSAFLUSH, before)
    return found.partition(_END)[0][:limit].decode("utf-8", "replace")
