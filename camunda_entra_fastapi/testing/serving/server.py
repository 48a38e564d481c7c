"""An ASGI application over HTTP, served by uvicorn from a thread of this process."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Any, Final

import uvicorn

from camunda_entra_fastapi.testing.serving.certificates import Tls

CLOSING: Final = 0.5
"""Seconds that open connections with TLS have to end when the server does."""


class _TlsServer(uvicorn.Server):
    """Does not wait for clients that never answer the end of TLS, as those with idle connections do."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        still_open = list(self.server_state.connections)

        def abort() -> None:
            for connection in still_open:
                connection.transport.abort()

        asyncio.get_running_loop().call_later(CLOSING, abort)
        await super().shutdown(sockets)


def _load(app: Any, tls: Tls | None) -> uvicorn.Config:
    """What uvicorn needs to know; it has read the files when this returns, and they are gone."""
    with tls.files() if tls else nullcontext((None, None)) as (certificate, key):
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            ssl_certfile=certificate,
            ssl_keyfile=key,
            ssl_keyfile_password=tls.password if tls else None,
        )
        config.load()
    return config


@contextmanager
def serving(app: Any, host: str = "127.0.0.1", port: int = 0, *, tls: Tls | None = None) -> Iterator[str]:
    """Serve the application until the block ends; gives its address. Port 0 takes a free one.

    Raises:
        RuntimeError: The port cannot be had, most likely because it is taken; or the application
            fails to start.
    """
    config = _load(app, tls)
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        raise RuntimeError(f"Cannot listen on {host}, port {port}. Is the port taken?") from error
    server = (_TlsServer if tls else uvicorn.Server)(config)

    def run() -> None:
        with suppress(SystemExit):  # how uvicorn gives up; it has logged why
            server.run([listener])

    thread = threading.Thread(target=run, name="served", daemon=True)
    with listener:
        thread.start()
        while not server.started:
            if not thread.is_alive():
                raise RuntimeError("The application failed to start; its log says why.")
            time.sleep(0.005)
        try:
            shown = f"[{host}]" if ":" in host else host
            yield f"{'https' if tls else 'http'}://{shown}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
