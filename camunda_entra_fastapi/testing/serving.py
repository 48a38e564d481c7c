"""An ASGI application over HTTP, served by uvicorn from a thread of this process."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import uvicorn


@contextmanager
def serving(app: Any, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Serve the application until the block ends; gives its address. Port 0 takes a free one.

    Raises:
        RuntimeError: The port cannot be had, most likely because it is taken; or the application
            fails to start.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        raise RuntimeError(f"Cannot listen on {host}, port {port}. Is the port taken?") from error
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))

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
            yield f"http://{shown}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
