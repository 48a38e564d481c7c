#!/usr/bin/env bash
# fastapi-versionizer 4.0.2 with FastAPI 0.165.0: versionize() removes mounts and plain routes, and says nothing.
#
# It takes all routes of the application away, and puts FastAPI's own back under each version: operations and WebSockets. Files
# that were mounted, and routes of Starlette (add_route: health checks, metrics, sign-in pages) are then neither where they were
# nor under any version, without a warning or an exception. Whatever is added after versionize() stays.
#
# Seen: before, operation, WebSocket, mount and plain route answer; after, operation and WebSocket answer under the version
# alone, the others nowhere; what is mounted afterwards answers.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  fastapi==0.165.0 starlette==1.10.0 fastapi-versionizer==4.0.2 httpx==0.28.1 2>/dev/null
cat > "$folder/look.py" <<'PYTHON'
import warnings

warnings.simplefilter("ignore")

from fastapi import FastAPI, WebSocket
from fastapi.testclient import TestClient
from fastapi_versionizer.versionizer import Versionizer
from starlette.responses import PlainTextResponse

app = FastAPI()


@app.get("/orders")
def orders():
    return []


@app.websocket("/events")
async def events(socket: WebSocket):
    await socket.accept()
    await socket.send_text("hello")
    await socket.close()


async def mounted(scope, receive, send):
    await PlainTextResponse("file")(scope, receive, send)


app.mount("/files", mounted)
app.add_route("/health", lambda request: PlainTextResponse("good"))


def look(when, prefix):
    client = TestClient(app)
    statuses = {path: client.get(prefix + path).status_code for path in ("/orders", "/files/a", "/health")}
    try:
        with client.websocket_connect(prefix + "/events") as socket:
            statuses["/events"] = socket.receive_text()
    except Exception as refused:
        statuses["/events"] = type(refused).__name__
    print(f"{when}:", ", ".join(f"{path} {status}" for path, status in statuses.items()))


look("before", "")
Versionizer(app=app, prefix_format="/v{major}", semantic_version_format="{major}").versionize()
look("after", "")
look("after, with version", "/v1")
app.mount("/files", mounted)
look("mounted again", "")
PYTHON
"$folder/venv/bin/python" "$folder/look.py" | tee "$folder/seen"
cat > "$folder/expected" <<'TEXT'
before: /orders 200, /files/a 200, /health 200, /events hello
after: /orders 404, /files/a 404, /health 404, /events WebSocketDisconnect
after, with version: /orders 200, /files/a 404, /health 404, /events hello
mounted again: /orders 404, /files/a 200, /health 404, /events WebSocketDisconnect
TEXT
diff "$folder/expected" "$folder/seen"
