"""The servers that tests start are in this environment, and do start; a missing one is a failure."""

import re
import subprocess
import time
from pathlib import Path
from typing import Final

import httpx
import pytest
import redis

from tests.e2e.gateways import running
from tests.e2e.servers import PACKAGES, server
from tests.ports import free_port

PINS: Final = Path(__file__).parents[1] / "packaging" / "servers.txt"
VERSION: Final = {
    "caddy": "version",
    "envoy": "--version",
    "nginx": "-v",
    "traefik": "version",
    "valkey-server": "--version",
}
"""How one is asked for its version."""

ENVOY: Final = "admin: {address: {socket_address: {address: 127.0.0.1, port_value: PORT}}}"


@pytest.mark.parametrize("program", PACKAGES)
def test_a_server_is_there_in_the_pinned_version(program: str) -> None:
    """The program itself says so, not the name of the wheel; ``.post`` is of the wheel alone."""
    (pinned,) = re.findall(rf"^{PACKAGES[program]}==(\S+?)(?:\.post\d+)? \\$", PINS.read_text(), re.MULTILINE)
    asked = subprocess.run(
        [server(program), VERSION[program]], capture_output=True, text=True, check=True, timeout=60
    )
    assert re.search(rf"(?<![\d.]){re.escape(pinned)}(?![\d.])", asked.stdout + asked.stderr)


def ready(url: str) -> str:
    """What it says once it is ready, which may be later than it listens: Traefik answers 404 before."""
    deadline = time.monotonic() + 30
    while (answer := httpx.get(url, trust_env=False, timeout=20)).status_code != 200:
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.02)
    return answer.text


def test_traefik_starts(tmp_path: Path) -> None:
    """It answers its own ping; nginx and Caddy answer in the tests of their recipes."""
    port = free_port()
    command = [str(server("traefik")), f"--entrypoints.ping.address=127.0.0.1:{port}"]
    command += ["--ping.entrypoint=ping", "--global.checknewversion=false"]
    with running(command, tmp_path, port):
        assert ready(f"http://127.0.0.1:{port}/ping") == "OK"


def test_envoy_starts(tmp_path: Path) -> None:
    """It says that it is live."""
    port = free_port()
    (tmp_path / "envoy.yaml").write_text(ENVOY.replace("PORT", str(port)))
    with running([str(server("envoy")), "-c", "envoy.yaml", "--use-dynamic-base-id"], tmp_path, port):
        assert ready(f"http://127.0.0.1:{port}/ready") == "LIVE\n"


def test_valkey_starts(tmp_path: Path) -> None:
    """It keeps a value, and a client of Redis reads it."""
    port = free_port()
    command = [str(server("valkey-server")), "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    with running(command, tmp_path, port), redis.Redis(port=port, decode_responses=True) as client:
        client.set("name", "value", ex=60)
        assert client.get("name") == "value"
        assert client.info("server")["server_name"] == "valkey"
