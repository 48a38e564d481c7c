"""How many processes a server was told to start, where its command line or environment says so."""

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import PurePath
from typing import Final

_OPTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "uvicorn": ("--workers",),
    "fastapi": ("--workers",),
    "gunicorn": ("--workers", "-w"),
    "hypercorn": ("--workers", "-w"),
    "granian": ("--workers",),
}
_VARIABLES: Final[Mapping[str, tuple[str, ...]]] = {
    "uvicorn": ("UVICORN_WORKERS", "WEB_CONCURRENCY"),
    "fastapi": ("WEB_CONCURRENCY",),
    "gunicorn": ("WEB_CONCURRENCY",),
    "hypercorn": (),
    "granian": ("GRANIAN_WORKERS",),
}
_DIGITS: Final = 5
_RELOADS_ALONE: Final = frozenset({"uvicorn", "fastapi"})
"""Servers that start one worker where they reload it."""


def started_workers(argv: Sequence[str] = (), environ: Mapping[str, str] = os.environ) -> int:
    """The number of workers; 1 where nobody says that there are more.

    Workers have the command line of their server, also where they are spawned.

    Args:
        argv: The command line; that of this process if there is none.
        environ: The environment.
    """
    program, *words = argv or sys.argv or [""]
    path = PurePath(program)
    server = path.parent.name if path.stem == "__main__" else path.stem
    if server not in _OPTIONS:
        return 1
    if server in _RELOADS_ALONE and ("--reload" in words or words[:1] == ["dev"]):
        return 1
    if server == "gunicorn":
        words = [*shlex.split(environ.get("GUNICORN_CMD_ARGS", "")), *words]
    given = [value for option in _OPTIONS[server] for value in _values_of(option, words)]
    given += [environ[name] for name in _VARIABLES[server] if name in environ]
    return _number(given[0]) if given else 1


def _values_of(option: str, words: Sequence[str]) -> list[str]:
    """What the option is given in ``--workers 2``, ``--workers=2`` and ``-w2``; the last one counts."""
    end = "=" if option.startswith("--") else ""
    joined = [word.removeprefix(option + end) for word in words if word.startswith(option + end)]
    apart = [value for word, value in pairwise(words) if word == option]
    return [value for value in (*apart, *joined) if value][-1:]


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _DIGITS else 1
