#!/usr/bin/env bash
# daphne 4.2.3: SIGTERM cancels the requests that are in progress; their clients get no answer at all, and the exit status is 0.
#
# Servers that are asked to stop let the requests in progress end, for a grace period. daphne cancels their applications at once
# ("Killed 1 pending application instances") and hangs up. Nothing tells the client, or whoever started daphne, that an answer is missing:
# the exit status is that of a clean end. So each rolling update loses the requests that run at that moment.
#
# Seen: the application is cancelled, the client reads the end of the connection without one byte, daphne ends with 0.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check daphne==4.2.3 2>/dev/null
cat > "$folder/app.py" <<'PYTHON'
import asyncio
from pathlib import Path


async def app(scope, receive, send):
    Path("began").touch()
    try:
        await asyncio.sleep(3)
    except asyncio.CancelledError:
        Path("cancelled").touch()
        raise
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"done"})
PYTHON
cat > "$folder/look.py" <<'PYTHON'
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
command = [str(Path(sys.executable).parent / "daphne"), "app:app", "-b", "127.0.0.1", "-p", str(port), "-v", "0"]
server = subprocess.Popen(command)
while True:
    try:
        client = socket.create_connection(("127.0.0.1", port), timeout=60)
        break
    except OSError:
        time.sleep(0.05)
client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
while not Path("began").exists():
    time.sleep(0.01)
server.send_signal(signal.SIGTERM)
print("client:", client.recv(65_536))
print("application:", "cancelled" if Path("cancelled").exists() else "goes on")
print("exit status:", server.wait(60))
PYTHON
cd "$folder"
venv/bin/python look.py | tee seen
cat > expected <<'TEXT'
client: b''
application: cancelled
exit status: 0
TEXT
diff expected seen
