#!/usr/bin/env bash
# fastapi-versioning 0.10.0 with FastAPI 0.165.0: VersionedFastAPI stops at an application that has a mount or a WebSocket.
#
# It reads "endpoint" and "methods" of every route. A mount has neither, a WebSocket's route has no methods, so that an application
# with one of them cannot be versioned at all: AttributeError. A plain Starlette route passes, but then it is in the version's
# application twice. Whoever mounts files or has a WebSocket adds them to the versioned application, after the call.
#
# Seen: the two errors; the plain route twice; a mount afterwards works.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  fastapi==0.165.0 starlette==1.10.0 fastapi-versioning==0.10.0 httpx==0.28.1 2>/dev/null
cat > "$folder/look.py" <<'PYTHON'
import warnings

warnings.simplefilter("ignore")

from fastapi import FastAPI, WebSocket
from fastapi.testclient import TestClient
from fastapi_versioning import VersionedFastAPI, version
from starlette.responses import PlainTextResponse


async def mounted(scope, receive, send):
    await PlainTextResponse("file")(scope, receive, send)


async def events(socket: WebSocket):
    await socket.accept()


def application():
    app = FastAPI()

    @app.get("/orders")
    @version(1)
    def orders():
        return []

    return app


for what, add in (
    ("mount", lambda app: app.mount("/files", mounted)),
    ("WebSocket", lambda app: app.add_api_websocket_route("/events", events)),
):
    app = application()
    add(app)
    try:
        VersionedFastAPI(app)
    except AttributeError as error:
        print(f"{what}: {error}")
app = application()
app.add_route("/health", lambda request: PlainTextResponse("good"))
versioned = VersionedFastAPI(app)
[inner] = [route.app for route in versioned.routes if getattr(route, "path", "") == "/v1_0"]
print("plain route:", [route.path for route in inner.routes].count("/health"), "times")
versioned = VersionedFastAPI(application())
versioned.mount("/files", mounted)
client = TestClient(versioned)
print("mounted afterwards:", client.get("/files/a").status_code, client.get("/v1_0/orders").status_code)
PYTHON
"$folder/venv/bin/python" "$folder/look.py" | tee "$folder/seen"
cat > "$folder/expected" <<'TEXT'
mount: 'Mount' object has no attribute 'endpoint'
WebSocket: 'APIWebSocketRoute' object has no attribute 'methods'
plain route: 2 times
mounted afterwards: 200 200
TEXT
diff "$folder/expected" "$folder/seen"
