"""A process that runs the Python blocks of one page, one after the other, in one namespace."""

import ast
import asyncio
import importlib
import inspect
import os
import sys
import traceback
import types
from collections.abc import Mapping
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

# What nearly every page imports is imported once, in the process that all pages' processes are forked from.
_CONTEXT: Final = get_context("forkserver")
_PRELOADED: Final = ["camunda_entra_fastapi", "camunda_entra_fastapi.testing", "fastapi.testclient", "httpx"]


class PythonPage:
    """The process of one page."""

    def __init__(self, folder: Path) -> None:
        """Nothing is started before there is something to run."""
        self._folder = folder
        self._process: Any = None
        self._connection: Connection[Any, Any] | None = None

    def run(self, source: str, place: str, environment: Mapping[str, str]) -> None:
        """Run a block.

        Raises:
            AssertionError: It raised; the traceback is the message.
        """
        self._ask(("run", source, place), environment, place)

    def load(self, module: str, place: str, environment: Mapping[str, str]) -> None:
        """Import a module that a block wrote; its names join those of the page."""
        self._ask(("load", module, place), environment, place)

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            assert self._connection is not None
            self._connection.close()
            self._process.join(10)
            self._process.kill()

    def _ask(self, request: tuple[str, str, str], environment: Mapping[str, str], place: str) -> None:
        if self._connection is None:
            _CONTEXT.set_forkserver_preload(_PRELOADED)
            self._connection, theirs = _CONTEXT.Pipe()
            self._process = _CONTEXT.Process(target=_serve, args=(theirs, str(self._folder)), daemon=True)
            self._process.start()
            theirs.close()
        self._connection.send((*request, dict(environment)))
        try:
            problem = self._connection.recv()
        except EOFError:
            problem = "its process ended"
        assert not problem, f"{place}: {problem}"


def _serve(connection: "Connection[Any, Any]", folder: str) -> None:
    from pytest_socket import socket_allow_hosts

    socket_allow_hosts(["127.0.0.1", "::1", "localhost"], allow_unix_socket=True)
    os.chdir(folder)
    sys.path.insert(0, folder)
    page = types.ModuleType("page")
    sys.modules["page"] = page  # where pydantic and dataclasses look for the names of annotations
    with asyncio.Runner() as runner:
        while True:
            try:
                kind, text, place, environment = connection.recv()
            except EOFError:
                return
            os.environ.clear()
            os.environ.update(environment)
            try:
                if kind == "run":
                    _run(text, place, page, runner)
                else:
                    _load(text, page)
            except BaseException:  # noqa: BLE001 - whatever it is, the test says it
                connection.send(traceback.format_exc())
            else:
                connection.send("")


def _run(source: str, place: str, page: types.ModuleType, runner: asyncio.Runner) -> None:
    code = compile(source, place, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    running = eval(code, page.__dict__)
    if inspect.iscoroutine(running):
        runner.run(running)


def _load(module: str, page: types.ModuleType) -> None:
    sys.modules.pop(module, None)
    importlib.invalidate_caches()
    loaded = importlib.import_module(module)
    page.__dict__.update({name: value for name, value in vars(loaded).items() if not name.startswith("__")})
