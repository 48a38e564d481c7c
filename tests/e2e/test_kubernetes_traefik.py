"""Traefik as ``samples/kubernetes`` has it, run: rules and middlewares in a file, with the same fields."""

import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import pytest
import yaml
from fastapi import FastAPI

from camunda_entra_fastapi.testing import EntraEmulator, SigningKey
from camunda_entra_fastapi.testing.serving.server import serving
from tests.e2e.gateways import Upstream, running
from tests.e2e.servers import server
from tests.ports import free_port
from tests.waiting import PATIENCE, wait_for

SAMPLES: Final = Path(__file__).parents[2] / "samples"
HOST: Final = "orders.example.com"
ADDRESS: Final = "http://orders.orders.svc.cluster.local:8000"
NAVIGATION: Final = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none", "Accept": "text/html"}


@dataclass
class Cluster:
    """What somebody outside meets, and what stands behind it."""

    port: int
    reports: Upstream
    emulator: EntraEmulator

    def ask(self, path: str, *roles: str, host: str = HOST, **headers: str) -> httpx.Response:
        """A request with the path as it is written; with roles that of somebody who has them."""
        token = {"Authorization": f"Bearer {self.emulator.token(roles=list(roles))}"} if roles else {}
        url = httpx.URL(scheme="http", host="127.0.0.1", port=self.port, raw_path=path.encode())
        with httpx.Client(trust_env=False, timeout=PATIENCE) as client:
            return client.get(url, headers=headers | token | {"Host": host})


def service() -> FastAPI:
    """The service of the image."""
    spec = importlib.util.spec_from_file_location("traefik_sample", SAMPLES / "container" / "main.py")
    assert spec
    assert spec.loader
    sample = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sample)
    app: FastAPI = sample.app
    return app


def as_file(orders: str, reports: str) -> dict[str, Any]:
    """The resources as Traefik reads them from a file, at these addresses."""
    http: dict[str, Any] = {"routers": {}, "middlewares": {}, "services": {}}
    for each in yaml.safe_load_all((SAMPLES / "kubernetes" / "traefik.yaml").read_text()):
        if each["kind"] == "Middleware":
            middleware = dict(each["spec"]["forwardAuth"])
            middleware["address"] = middleware["address"].replace(ADDRESS, orders)
            http["middlewares"][each["metadata"]["name"]] = {"forwardAuth": middleware}
            continue
        for number, route in enumerate(each["spec"]["routes"]):
            http["routers"][f"route-{number}"] = {
                "rule": route["match"],
                "priority": route["priority"],
                "service": route["services"][0]["name"],
                "middlewares": [one["name"] for one in route.get("middlewares", [])],
            }
    for name, url in (("orders", orders), ("reports", reports)):
        http["services"][name] = {"loadBalancer": {"servers": [{"url": url}]}}
    return {"http": http}


@pytest.fixture
def cluster(
    new_key: Callable[[], SigningKey], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Cluster]:
    """Traefik, the service, and what it guards."""
    emulator, reports, port = EntraEmulator(new_key=new_key), Upstream(), free_port()
    with emulator.serve():
        for name, value in emulator.environment(CAMUNDA_ENTRA_BASE_URL=f"https://{HOST}").items():
            monkeypatch.setenv(name, value)
        with serving(service()) as orders, serving(reports.app()) as behind:
            (tmp_path / "routes.yml").write_text(yaml.safe_dump(as_file(orders, behind)))
            settings = {
                "entryPoints": {"web": {"address": f"127.0.0.1:{port}"}},
                "providers": {"file": {"filename": "routes.yml"}},
                "global": {"checkNewVersion": False},
            }
            (tmp_path / "traefik.yml").write_text(yaml.safe_dump(settings))
            with running([str(server("traefik")), "--configFile=traefik.yml"], tmp_path, port):
                found = Cluster(port, reports, emulator)
                wait_for(lambda: found.ask("/").status_code != 404, (tmp_path / "log").read_text)
                yield found


def test_a_page_is_sent_to_sign_in_and_a_program_is_refused(cluster: Cluster) -> None:
    """At the address that browsers know, and with a challenge; nothing reaches the program."""
    answer = cluster.ask("/reports?month=5", **NAVIGATION)
    assert answer.status_code == 302
    assert answer.headers["Location"] == f"https://{HOST}/auth/login?return_to=/reports%3Fmonth%3D5"
    answer = cluster.ask("/reports")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
    assert cluster.reports.requests == []


def test_the_program_is_told_who_it_is_and_nothing_else(cluster: Cluster) -> None:
    """A client's own headers end here, also under names with an underscore."""
    forged = {"X-Auth-Request-User": "x", "X_Auth_Request_Roles": "Orders.Admin", "X-Entra-Identity": "x"}
    assert cluster.ask("/reports", "Orders.Read", **forged).status_code == 200
    headers = cluster.reports.headers
    assert headers["x-auth-request-roles"] == "Orders.Read"
    assert headers["x-auth-request-user"] not in ("", "x")
    assert "x-entra-identity" not in headers


def test_administration_needs_its_role_however_it_is_spelled(cluster: Cluster) -> None:
    """Whoever has the role passes; of others no spelling reaches the program as that path."""
    assert cluster.ask("/admin", "Orders.Admin").status_code == 200
    before = len(cluster.reports.requests)
    spellings = ("/admin", "//admin", "/%61dmin", "/reports/../admin", "/./admin", "/admin/", "/admin/x")
    for path in spellings:
        answer = cluster.ask(path, "Orders.Read")
        assert len(cluster.reports.requests) == before, path
        assert answer.status_code in (301, 302, 307, 308, 400, 403, 404), path


def test_nobody_outside_asks_the_gateway_s_questions(cluster: Cluster) -> None:
    """Such a path is the guarded program's, or nobody's."""
    for path in ("/gateway/verify", "/auth/../gateway/verify", "/orders/..%2fgateway/verify"):
        assert "x-auth-request-user" not in cluster.ask(path, "Orders.Admin").headers, path


def test_another_host_leads_nowhere_and_a_port_makes_none(cluster: Cluster) -> None:
    """The rules name the host; with a port it is the same one."""
    assert cluster.ask("/reports", "Orders.Read", host="elsewhere.example.com").status_code == 404
    assert cluster.ask("/reports", host=f"{HOST}:443").status_code == 401


def test_the_service_s_own_routes_are_its_own(cluster: Cluster) -> None:
    """It judges by itself, and sign-in begins there."""
    assert cluster.ask("/orders").status_code == 401
    assert cluster.ask("/orders", "Orders.Read").status_code == 200
    entra = urlsplit(cluster.emulator.base_url).netloc
    answer = cluster.ask("/auth/login", **NAVIGATION)
    assert urlsplit(answer.headers["Location"]).netloc == entra
