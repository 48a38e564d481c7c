"""The recipes of ``samples/gateways``, run as they are: only addresses are replaced by free ones.

nginx and Caddy are those of this environment; where the system has others, which are older as a rule, the
recipes run in them, too.
"""

import importlib.util
import os
import pwd
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Final
from urllib.parse import urlsplit

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from tests.e2e.servers import server
from tests.waiting import PATIENCE, wait_for

RECIPES: Final = Path(__file__).parents[2] / "samples" / "gateways"
RATE: Final = "rate=1000r/s"
"""How much the nginx recipe lets through."""


@dataclass
class Upstream:
    """What stands for Operate: it records all that reaches it, and answers what it is told to."""

    requests: list[Request] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    handshakes: list[Mapping[str, str]] = field(default_factory=list)

    def app(self) -> Starlette:
        """The application; ``?status=`` and ``?set-cookie=`` of a request say what it answers."""
        methods = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]
        return Starlette(
            routes=[
                WebSocketRoute("/socket", self._echo),
                Route("/{path:path}", self._record, methods=methods),
            ]
        )

    @property
    def headers(self) -> dict[str, str]:
        """What reached it last: names in lower case, with ``-`` for ``_`` as many programs read them."""
        (*_, last) = self.requests
        names = [name.replace("_", "-") for name in last.headers]
        assert len(names) == len(last.headers.items()), "A name came twice."
        return dict(zip(names, last.headers.values(), strict=True))

    async def _record(self, request: Request) -> JSONResponse:
        self.requests.append(request)
        self.bodies.append(await request.body())
        status = int(request.query_params.get("status", "200"))
        answer = JSONResponse({"operate": str(request.url.path), "query": request.url.query}, status)
        if status == 401:
            answer.headers["WWW-Authenticate"] = 'Bearer realm="operate"'
        for value in request.query_params.getlist("set-cookie"):
            answer.headers.append("Set-Cookie", value)
        return answer

    async def _echo(self, socket: WebSocket) -> None:
        self.handshakes.append(dict(socket.headers))
        await socket.accept()
        try:
            while True:
                await socket.send_text(await socket.receive_text())
        except WebSocketDisconnect:
            pass


def load_service() -> ModuleType:
    """``service.py`` of the recipes, set up by the environment of this moment."""
    spec = importlib.util.spec_from_file_location("gateway_service", RECIPES / "service.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True)
class Addresses:
    """Where things are in a test."""

    port: int
    """Of the gateway."""
    service: str
    upstream: str

    def into(self, text: str, listen: str) -> str:
        """The recipe with these addresses for its own."""
        for recipe, here in {
            "127.0.0.1:8000": urlsplit(self.service).netloc,
            "127.0.0.1:9000": urlsplit(self.upstream).netloc,
            listen: listen.replace("8080", str(self.port)),
        }.items():
            assert recipe in text, f"The recipe does not say {recipe!r}."
            text = text.replace(recipe, here)
        return text


@contextmanager
def running(
    command: list[str],
    folder: Path,
    port: int,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Iterator[None]:
    """A program that listens on that port, and writes its log to the folder."""
    log = folder / "log"
    clean = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=cwd or folder, env=clean | dict(environment or {}), stdout=output, stderr=output
        )
    try:
        wait_for(lambda: _listens(port) or process.poll() is not None, log.read_text)
        assert process.poll() is None, log.read_text()
        yield
        assert process.poll() is None, log.read_text()
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), PATIENCE).close()
    except OSError:
        return False
    return True


@contextmanager
def nginx(
    addresses: Addresses,
    folder: Path,
    rate: str = RATE,
    program: Path | None = None,
    listen: str | None = None,
) -> Iterator[None]:
    """nginx with its recipe, perhaps another limit and ``listen``, and files of its own in that folder."""
    recipe = addresses.into((RECIPES / "nginx.conf").read_text(), "listen 8080;")
    recipe = recipe.replace(f"listen {addresses.port};", listen or f"listen {addresses.port};")
    assert RATE in recipe
    recipe = recipe.replace(RATE, rate)
    own = [
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    ]
    own.append("log_format decisions '$status $limit_req_status $upstream_addr';")
    own.append(f"access_log {folder}/access.log decisions;")
    assert "http {" in recipe
    (folder / "nginx.conf").write_text(recipe.replace("http {", "http {\n" + "\n".join(own)))
    outside = f"daemon off; pid {folder}/pid; error_log stderr;"
    if os.getuid() == 0:
        outside += f" user {pwd.getpwuid(0).pw_name};"
    program = program or server("nginx")
    command = [str(program), "-p", str(folder), "-c", str(folder / "nginx.conf"), "-g", outside]
    with running(command, folder, addresses.port):
        yield


@contextmanager
def caddy(addresses: Addresses, folder: Path, program: Path | None = None) -> Iterator[None]:
    """Caddy with its recipe."""
    recipe = addresses.into((RECIPES / "Caddyfile").read_text(), ":8080 {")
    (folder / "Caddyfile").write_text(recipe)
    homes = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    program = program or server("caddy")
    command = [str(program), "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]
    with running(command, folder, addresses.port, homes):
        yield


@contextmanager
def haproxy(addresses: Addresses, folder: Path) -> Iterator[None]:
    """HAProxy with its recipe."""
    (folder / "haproxy.cfg").write_text(addresses.into((RECIPES / "haproxy.cfg").read_text(), "bind :8080"))
    (folder / "verify.lua").write_text((RECIPES / "verify.lua").read_text())
    with running(["haproxy", "-db", "-f", "haproxy.cfg"], folder, addresses.port):
        yield


@contextmanager
def traefik(addresses: Addresses, folder: Path) -> Iterator[None]:
    """Traefik with its recipe, once it knows its routes; before, it answers 404."""
    routes, listen = (RECIPES / "traefik" / "routes.yml").read_text(), 'address: ":8080"'
    (folder / "routes.yml").write_text(addresses.into(routes, "http:"))
    recipe = (RECIPES / "traefik" / "traefik.yml").read_text()
    assert listen in recipe
    recipe = recipe.replace(listen, listen.replace("8080", str(addresses.port)))
    (folder / "traefik.yml").write_text(f"{recipe}\nglobal: {{checkNewVersion: false}}\n")
    with running([str(server("traefik")), "--configFile=traefik.yml"], folder, addresses.port):
        address = f"http://localhost:{addresses.port}/"
        wait_for(lambda: httpx.get(address, trust_env=False).status_code != 404, (folder / "log").read_text)
        yield


@contextmanager
def envoy(addresses: Addresses, folder: Path) -> Iterator[None]:
    """Envoy with its recipe."""
    recipe = (RECIPES / "envoy.yaml").read_text()
    service, upstream = urlsplit(addresses.service), urlsplit(addresses.upstream)
    for of_recipe, here in {
        "http://127.0.0.1:8000": addresses.service,
        "127.0.0.1, port_value: 8000": f"{service.hostname}, port_value: {service.port}",
        "127.0.0.1, port_value: 9000": f"{upstream.hostname}, port_value: {upstream.port}",
        "port_value: 8080": f"port_value: {addresses.port}",
    }.items():
        assert of_recipe in recipe, f"The recipe does not say {of_recipe!r}."
        recipe = recipe.replace(of_recipe, here)
    (folder / "envoy.yaml").write_text(recipe)
    command = [str(server("envoy")), "-c", "envoy.yaml", "--use-dynamic-base-id", "--concurrency", "1"]
    with running(command, folder, addresses.port):
        yield


Start = Callable[[Addresses, Path], AbstractContextManager[None]]
"""Starts a gateway with its recipe, and files of its own in a folder."""

_ENVIRONMENTS: Final[dict[str, Start]] = {"nginx": nginx, "caddy": caddy, "haproxy": haproxy}
_SYSTEMS: Final[dict[str, Start]] = {
    "/usr/sbin/nginx": partial(nginx, program=Path("/usr/sbin/nginx")),
    "/usr/bin/caddy": partial(caddy, program=Path("/usr/bin/caddy")),
}
GATEWAYS: Final = _ENVIRONMENTS | {
    f"{Path(path).name}-of-the-system": start for path, start in _SYSTEMS.items() if Path(path).exists()
}
"""By name: those that are always there, and older ones where the system happens to have them."""
EVERY_GATEWAY: Final[dict[str, Start]] = GATEWAYS | {"traefik": traefik, "envoy": envoy}
"""With those besides that pass session cookies on, and have words of their own for some refusals."""
