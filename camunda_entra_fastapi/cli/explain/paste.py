"""Reading a token that is pasted into a terminal."""

import os
import sys
from typing import Final

_END_OF_TRANSMISSION: Final = b"\x04"
"""Ctrl-D."""


def is_terminal() -> bool:
    """Whether standard input is a terminal, so that a prompt is needed."""
    return sys.stdin.isatty()


def paste(limit: int) -> str:
    """Read what is pasted until Ctrl-D, at most ``limit`` characters, without echo.

    In canonical mode a terminal cuts lines after 4095 bytes, and tokens are longer. So canonical mode is off
    while this reads.
    """
    try:
        import termios  # noqa: PLC0415 - not on every system
        import tty  # noqa: PLC0415
    except ImportError:
        return sys.stdin.read(limit)
    descriptor = sys.stdin.fileno()
    attributes = termios.tcgetattr(descriptor)
    buffer = bytearray()
    try:
        tty.setcbreak(descriptor, termios.TCSANOW)
        while len(buffer) < limit and _END_OF_TRANSMISSION not in buffer:
            chunk = os.read(descriptor, 4096)
            if not chunk:
                break
            buffer += chunk
    finally:
        # The rest of an endless paste must not reach the shell.
        termios.tcsetattr(descriptor, termios.TCSAFLUSH, attributes)
    return buffer.partition(_END_OF_TRANSMISSION)[0][:limit].decode("utf-8", "replace")
