#!/usr/bin/env bash
# uvicorn 0.54.0 with websockets 17.4: a WebSocket that is refused with an HTTP response leaves an error in the log.
#
# ASGI's "WebSocket Denial Response" extension lets an application answer a handshake with a status and a body, as 401 with a
# challenge. uvicorn announces the extension and sends the response in full, then logs "ASGI callable returned without completing
# handshake." at ERROR, as if the application had failed. Every client with an expired token thus looks like a fault of the service.
#
# Seen: the client gets 401 with its body; one record, ERROR, that text.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check uvicorn==0.54.0 websockets==17.4 2>/dev/null
cat > "$folder/look.py" <<'PYTHON'
import asyncio
import logging

import uvicorn
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

records = []


class Keep(logging.Handler):
    def emit(self, record):
        records.append((record.levelname, record.getMessage()))


async def app(scope, receive, send):
    assert "websocket.http.response" in scope["extensions"]
    await receive()
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"13")]
    await send({"type": "websocket.http.response.start", "status": 401, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": b"Sign in first"})


async def main():
    server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", log_config=None))
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    logging.getLogger("uvicorn.error").addHandler(Keep(logging.WARNING))
    try:
        async with connect(f"ws://127.0.0.1:{port}/", proxy=None, open_timeout=60):
            raise SystemExit("accepted")
    except InvalidStatus as refused:
        print("client:", refused.response.status_code, refused.response.body.decode())
    server.should_exit = True
    await running
    print("log:", records)


asyncio.run(main())
PYTHON
"$folder/venv/bin/python" "$folder/look.py" | tee "$folder/seen"
cat > "$folder/expected" <<'TEXT'
client: 401 Sign in first
log: [('ERROR', 'ASGI callable returned without completing handshake.')]
TEXT
diff "$folder/expected" "$folder/seen"
