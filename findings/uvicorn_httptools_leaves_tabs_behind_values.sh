#!/usr/bin/env bash
# uvicorn 0.54.0 with httptools 0.9.0: a tab behind a header's value reaches the application, and one before it does not.
#
# RFC 9110, 5.5: "A field value does not include leading or trailing whitespace", and a parser excludes it before it is processed. That
# whitespace is blanks and tabs (5.6.3). httptools takes both away before the value, and behind it neither. With h11 uvicorn takes
# away all of it, so one application sees two values for the same request, by whether httptools is installed: "Bearer x" and "Bearer x\t".
#
# Seen: by httptools the tab and the blanks behind are there, by h11 they are not.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check uvicorn==0.54.0 httptools==0.9.0 h11==0.16.0 2>/dev/null
cat > "$folder/look.py" <<'PYTHON'
import asyncio

import uvicorn

seen = []


async def app(scope, receive, send):
    seen.append(dict(scope["headers"])[b"authorization"])
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


async def main(http):
    server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", log_config=None, http=http))
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    for value in (b"\tBearer x", b"Bearer x\t", b"Bearer x  "):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: " + value + b"\r\n\r\n")
        await reader.read()
        writer.close()
        print(f"{http}: {value!r} arrives as {seen.pop()!r}")
    server.should_exit = True
    await running


asyncio.run(main("httptools"))
asyncio.run(main("h11"))
PYTHON
"$folder/venv/bin/python" "$folder/look.py" | tee "$folder/seen"
cat > "$folder/expected" <<'TEXT'
httptools: b'\tBearer x' arrives as b'Bearer x'
httptools: b'Bearer x\t' arrives as b'Bearer x\t'
httptools: b'Bearer x  ' arrives as b'Bearer x  '
h11: b'\tBearer x' arrives as b'Bearer x'
h11: b'Bearer x\t' arrives as b'Bearer x'
h11: b'Bearer x  ' arrives as b'Bearer x'
TEXT
diff "$folder/expected" "$folder/seen"
