"""Requests a second through gateways: nginx with this package, Apache with mod_auth_openidc, and neither.

``python tests/benchmarks/gateways.py [--rounds N] [--seconds N]`` needs wrk, and Apache httpd with
mod_auth_openidc; nginx is the one of this environment. In each round every contender works once, in an order
drawn anew; ratios are formed within a round.
"""

import argparse
import os
import random
import re
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

import httpx

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the repository, as for the tests

from camunda_entra_fastapi.cli.browser import open_page
from camunda_entra_fastapi.testing import EntraEmulator
from tests.benchmarks.gateway_flood import refused_by_served
from tests.e2e.gateways import RECIPES, Addresses, nginx, running
from tests.e2e.servers import server
from tests.ports import free_port

CONNECTIONS: Final = 32
OPENIDC: Final = Path("/usr/lib/apache2/modules/mod_auth_openidc.so")

UPSTREAM: Final = """
worker_processes 1;
events {}
http {
    access_log off;
    keepalive_requests 1000000;
    client_body_temp_path FOLDER/a; proxy_temp_path FOLDER/b; fastcgi_temp_path FOLDER/c;
    uwsgi_temp_path FOLDER/d; scgi_temp_path FOLDER/e;
    large_client_header_buffers 4 32k;
    upstream operate { server 127.0.0.1:UPSTREAM; keepalive 32; keepalive_requests 1000000; }
    server { listen UPSTREAM; location / { default_type text/plain; return 200 "operate"; } }
    server {
        listen PLAIN;
        location / { proxy_pass http://operate; proxy_http_version 1.1; proxy_set_header Connection ""; }
    }
}
"""

APACHE: Final = """
ServerName localhost
ServerRoot FOLDER
PidFile FOLDER/httpd.pid
ErrorLog FOLDER/error.log
LogLevel error
Listen 127.0.0.1:PLAIN
Listen 127.0.0.1:GUARDED
MODULES
User nobody
Group nogroup
KeepAlive On
MaxKeepAliveRequests 0
LimitRequestFieldSize 32768
ProxyPass / http://127.0.0.1:UPSTREAM/ enablereuse=on
OIDCOAuthVerifyJwksUri JWKS
OIDCCABundlePath BUNDLE
OIDCOAuthRemoteUserClaim oid
<VirtualHost 127.0.0.1:GUARDED>
  ProxyPass / http://127.0.0.1:UPSTREAM/ enablereuse=on
  <Location />
    AuthType oauth20
    <RequireAll>
      Require claim aud:AUDIENCE
      Require claim iss:ISSUER
    </RequireAll>
  </Location>
</VirtualHost>
"""
MODULES: Final = ("authn_core", "authz_core", "authz_user", "proxy", "proxy_http", "auth_openidc")


@dataclass(frozen=True)
class Contender:
    """A row: what is asked, and by whose credentials."""

    name: str
    url: str
    headers: dict[str, str]
    guarded: bool = True


def rates(contenders: Sequence[Contender], rounds: int, seconds: int) -> list[list[float]]:
    """Requests a second of each, round by round."""
    chance = random.Random(1)
    found: list[list[float]] = [[] for _ in contenders]
    for _ in range(rounds):
        for index in chance.sample(range(len(contenders)), len(contenders)):
            found[index].append(_rate(contenders[index], seconds))
    return found


def _rate(contender: Contender, seconds: int) -> float:
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", contender.url]
    for name, value in contender.headers.items():
        command += ["-H", f"{name}: {value}"]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    broken = sum(int(each) for each in re.findall(r"(?:connect|read|write|timeout) (\d+)", output))
    (answered,) = re.findall(r"(\d+) requests in", output)
    if "Non-2xx" in output or broken > int(answered) / 1000:  # servers may close a connection now and then
        raise SystemExit(f"{contender.name} does not answer everything with 200:\n{output}")
    (rate,) = re.findall(r"Requests/sec:\s+([\d.]+)", output)
    return float(rate)


def check(contender: Contender) -> None:
    """It lets the good through and nobody else, so that no row is about error pages."""
    with httpx.Client(trust_env=False, timeout=20) as client:
        good = client.get(contender.url, headers=contender.headers).status_code
        expected = (200, 401, 401) if contender.guarded else (200, 200, 200)
        forged = {name: f"{value[:-8]}AAAAAAAA" for name, value in contender.headers.items()}
        found = (
            good,
            client.get(contender.url).status_code,
            client.get(contender.url, headers=forged).status_code,
        )
    if found != expected:
        raise SystemExit(f"{contender.name} answers {found} and not {expected}.")


@contextmanager
def apache(emulator: EntraEmulator, upstream: int, folder: Path) -> Iterator[tuple[int, int]]:
    """Apache httpd as a proxy, and as one that checks tokens; gives both ports."""
    plain, guarded = free_port(), free_port()
    settings = emulator.settings()
    issuer, tenant = settings.issuer, emulator.tenant
    keys = f"{emulator.base_url}/{tenant.id}/discovery/v2.0/keys"
    modules = f"LoadModule mpm_event_module {OPENIDC.parent}/mod_mpm_event.so\n" + "\n".join(
        f"LoadModule {each}_module {OPENIDC.parent}/mod_{each}.so" for each in MODULES
    )
    text = APACHE.replace("MODULES", modules).replace("JWKS", keys)
    for name, value in {
        "PLAIN": plain,
        "GUARDED": guarded,
        "UPSTREAM": upstream,
        "AUDIENCE": settings.client_id,
        "ISSUER": issuer,
        "FOLDER": folder,
        "BUNDLE": folder / "ca.pem",
    }.items():
        text = text.replace(name, str(value))
    (folder / "httpd.conf").write_text(text)
    assert emulator.ca_file
    shutil.copyfile(emulator.ca_file, folder / "ca.pem")
    command = ["apache2", "-f", str(folder / "httpd.conf"), "-DFOREGROUND"]
    with running(command, folder, guarded):
        yield plain, guarded


@contextmanager
def service(environment: dict[str, str], folder: Path) -> Iterator[str]:
    """One process of the service beside the gateway, with httptools and uvloop if they are there."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "service:app", "--port", str(port), "--no-access-log"]
    with running(command, folder, port, environment, RECIPES):
        yield f"http://127.0.0.1:{port}"


def contenders(stack: ExitStack) -> list[Contender]:
    """All of them, started and looked at."""
    folder = Path(stack.enter_context(TemporaryDirectory()))
    folder.chmod(0o755)

    def own(name: str) -> Path:
        path = folder / name
        path.mkdir()
        path.chmod(0o777)  # for servers that give up their rights
        return path

    emulator = EntraEmulator(token_lifetime=24 * 3600)
    stack.enter_context(emulator.serve(tls=True))  # mod_auth_openidc fetches keys by https alone
    upstream, plain, gateway = free_port(), free_port(), free_port()
    place = own("upstream")
    text = (
        UPSTREAM.replace("FOLDER", str(place)).replace("UPSTREAM", str(upstream)).replace("PLAIN", str(plain))
    )
    (place / "nginx.conf").write_text(text)
    outside = f"daemon off; pid {place}/pid; error_log stderr;"
    command = [str(server("nginx")), "-p", str(place), "-c", str(place / "nginx.conf"), "-g", outside]
    stack.enter_context(running(command, place, plain))
    apache_plain, apache_guarded = stack.enter_context(apache(emulator, upstream, own("apache")))
    public = f"http://localhost:{gateway}"
    environment = emulator.environment() | {"CAMUNDA_ENTRA_BASE_URL": public}
    environment["CAMUNDA_ENTRA_CA_BUNDLE"] = str(emulator.ca_file)
    verifier = stack.enter_context(service(environment, own("service")))
    addresses = Addresses(gateway, verifier, f"http://127.0.0.1:{upstream}")
    stack.enter_context(nginx(addresses, own("nginx"), rate="rate=1000000r/s"))

    token = {"Authorization": f"Bearer {emulator.token()}"}
    trust = ssl.create_default_context(cafile=emulator.ca_file)
    with httpx.Client(base_url=public, trust_env=False, verify=trust) as browser:
        open_page(browser, "/", emulator.tenant.users[0].name)
        session = {"Cookie": "; ".join(f"{name}={value}" for name, value in browser.cookies.items())}
    local = "http://127.0.0.1"
    return [
        Contender("straight to the upstream", f"{local}:{upstream}/", token, guarded=False),
        Contender("nginx alone", f"{local}:{plain}/", token, guarded=False),
        Contender("nginx, verified here, bearer token", f"{local}:{gateway}/", token),
        Contender("nginx, verified here, session cookie", f"{local}:{gateway}/", session),
        Contender("Apache alone", f"{local}:{apache_plain}/", token, guarded=False),
        Contender("Apache, mod_auth_openidc, bearer token", f"{local}:{apache_guarded}/", token),
        Contender("the verify endpoint alone, bearer token", f"{verifier}/auth/verify", token),
        Contender("the verify endpoint alone, session cookie", f"{verifier}/auth/verify", session),
    ]


def main() -> int:
    """Measure and print; 1 when something to measure with is missing."""
    parser = argparse.ArgumentParser(description="Requests a second through gateways.")
    parser.add_argument("--rounds", type=int, default=7, help="how often each works (default: 7)")
    parser.add_argument("--seconds", type=int, default=3, help="how long each time (default: 3)")
    options = parser.parse_args()
    missing = [name for name in ("apache2", "wrk") if shutil.which(name) is None]
    if missing or not OPENIDC.exists():
        packages = "apache2 libapache2-mod-auth-openidc wrk"
        print(
            f"This needs more. Run: sudo apt-get install --no-install-recommends {packages}", file=sys.stderr
        )
        return 1
    for name in [name for name in os.environ if name.upper().startswith("CAMUNDA_")]:
        del os.environ[name]
    with ExitStack() as stack:
        rows = contenders(stack)
        for row in rows:
            check(row)
        time.sleep(1)
        found = rates(rows, options.rounds, options.seconds)
    times = refused_by_served(options.rounds, options.seconds)
    width = max(len(row.name) for row in rows)
    size = f"{options.rounds} rounds of {options.seconds} s, {CONNECTIONS} connections, {os.cpu_count()} CPUs"
    print(f"{size}; medians")
    print(f"{'':{width}}  requests/s  by straight  by nginx alone")
    for row, mine in zip(rows, found, strict=True):
        straight, alone = (median(a / b for a, b in zip(mine, found[i], strict=True)) for i in (0, 1))
        print(f"{row.name:{width}}  {median(mine):10.0f}  {straight:11.3f}  {alone:14.3f}")
    print(f"\nIn a flood, nginx answers {times:.0f} times as many as the service beside it can judge.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
