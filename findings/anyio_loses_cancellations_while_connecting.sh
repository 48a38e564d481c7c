#!/usr/bin/env bash
# anyio up to 4.15.1: connect_tcp loses the cancellation of a task whose connection is just being made. 4.16.0 keeps it.
#
# connect_tcp tries the addresses of a host in a task group, and cancels that group when the first one answers. A cancellation by
# asyncio (task.cancel, or the end of asyncio.run) that arrives in the same turns of the loop is taken for the group's own: the task
# goes on as if nobody had said anything. httpx connects by way of httpcore and anyio, so a service that is stopped while it fetches
# something waits for the deadline of the fetch, five seconds here, and ends with that error in place of the cancellation.
#
# Seen: of the first 20 turns, the task can be cancelled in vain after the 7th and the 8th with 4.15.1 (4.12.1 and 4.14.2 did the same),
# and after none with 4.16.0.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/look.py" <<'PYTHON'
import asyncio
import importlib.metadata
import socket

import anyio


async def lost() -> list[int]:
    """At which turns of the loop after its start a connecting task can be cancelled in vain."""
    steps = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        async def connect_and_wait() -> None:
            stream = await anyio.connect_tcp("127.0.0.1", port)
            async with stream:
                await asyncio.sleep(0.5)  # the native one: nothing of anyio's is left to be asked

        for turns in range(20):
            task = asyncio.create_task(connect_and_wait())
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            done, _ = await asyncio.wait([task])
            if not task.cancelled():
                steps.append(turns)
    return steps


print(f"anyio {importlib.metadata.version('anyio')}: cancelled in vain after turns {asyncio.run(lost())}")
PYTHON
for version in 4.15.1 4.16.0; do
    python3 -m venv "$folder/venv-$version"
    "$folder/venv-$version/bin/pip" install --quiet --disable-pip-version-check anyio==$version 2>/dev/null
    "$folder/venv-$version/bin/python" "$folder/look.py"
done | tee "$folder/seen"
cat > "$folder/expected" <<'TEXT'
anyio 4.15.1: cancelled in vain after turns [7, 8]
anyio 4.16.0: cancelled in vain after turns []
TEXT
diff "$folder/expected" "$folder/seen"
