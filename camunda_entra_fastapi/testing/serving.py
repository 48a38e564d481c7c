"""An ASGI application over HTTP, served by uvicorn from a thread of this process."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn


@contextmanager
def serving(app: Any, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Serve the application until the block ends; gives its address. Port 0 takes a free one.

    Raises:
        RuntimeError: The port cannot be had, most likely because it is taken.
    """
    try:
        listener = socket.create_server((host, port))
    except OSError as error:
        raise RuntimeError(f"Cannot listen on {host}, port {port}. Is the port taken?") from error
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
    thread = threading.Thread(target=server.run, args=([listener],), name="served", daemon=True)
    with listener:
        thread.start()
        while not server.started:
            time.sleep(0.005)
        try:
            yield f"http://{host}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
