"""The recipes of ``samples/gateways`` with the lines that let pages of another origin call."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final

import httpx
import pytest
import yaml

from camunda_entra_fastapi.testing import EntraEmulator, SigningKey
from camunda_entra_fastapi.testing.serving.server import serving
from tests.e2e import gateways
from tests.e2e.gateways import EVERY_GATEWAY, Addresses, Upstream, load_service
from tests.ports import free_port
from tests.waiting import PATIENCE

APP: Final = "https://app.example.com"
CORS: Final = gateways.RECIPES / "cors"
PREFLIGHT: Final = {
    "Access-Control-Request-Method": "DELETE",
    "Access-Control-Request-Headers": "authorization",
}


def section(file: str, name: str) -> str:
    """The lines of a section, as pages of the documentation show them."""
    text = (CORS / file).read_text()
    (found,) = re.findall(rf"^ *# docs: {name}\n(.*?)^ *# docs: end$", text, re.MULTILINE | re.DOTALL)
    return str(found)


def after(text: str, place: str, lines: str) -> str:
    """The text with lines after each such place."""
    assert place in text, f"The recipe does not say {place!r}."
    return text.replace(place, f"{place}\n{lines}")


def in_nginx(recipe: str) -> str:
    """``nginx.conf`` with the three parts in their places."""
    recipe = after(recipe, "http {", section("nginx.conf", "http"))
    recipe = after(recipe, "listen 8080;", section("nginx.conf", "server"))
    for name in ("@refused", "@undecided"):
        recipe = after(recipe, f"location {name} {{", section("nginx.conf", "refused"))
    return recipe


def in_caddy(recipe: str) -> str:
    """The ``Caddyfile`` with the lines first in its site."""
    return after(recipe, ":8080 {", section("Caddyfile", "site"))


def in_haproxy(recipe: str) -> str:
    """``haproxy.cfg`` with the lines first in its frontend."""
    return after(recipe, "bind :8080", section("haproxy.cfg", "frontend"))


def in_traefik(recipe: str) -> str:
    """``routes.yml`` with the middleware, and first in the lists of both routers."""
    return yaml.safe_dump(merged(yaml.safe_load(recipe), yaml.safe_load(section("traefik.yml", "routes"))))


def merged(old: Any, new: Any) -> Any:
    """What is new goes before what was there; tables are merged."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return {
            **old,
            **{name: merged(old[name], value) if name in old else value for name, value in new.items()},
        }
    return new


def in_envoy(recipe: str) -> str:
    """``envoy.yaml`` with the first filter, and the rules in the virtual host."""
    document, lines = yaml.safe_load(recipe), yaml.safe_load(section("envoy.yaml", "filter"))
    (listener,) = document["static_resources"]["listeners"]
    config = listener["filter_chains"][0]["filters"][0]["typed_config"]
    config["http_filters"] = lines["http_filters"] + config["http_filters"]
    (host,) = config["route_config"]["virtual_hosts"]
    for name in ("response_headers_to_add", "typed_per_filter_config"):
        assert name not in host
        host[name] = lines[name]
    return yaml.safe_dump(document, default_flow_style=None, width=10_000)


CHANGES: Final[dict[str, tuple[str, Callable[[str], str]]]] = {
    "nginx": ("nginx.conf", in_nginx),
    "caddy": ("Caddyfile", in_caddy),
    "haproxy": ("haproxy.cfg", in_haproxy),
    "traefik": ("traefik/routes.yml", in_traefik),
    "envoy": ("envoy.yaml", in_envoy),
}


@dataclass(frozen=True)
class Guarded:
    """A gateway whose service may be called by pages of one other origin."""

    address: str
    upstream: Upstream
    emulator: EntraEmulator

    async def request(self, method: str, origin: str = APP, **headers: str) -> httpx.Response:
        """What a browser sends for a page of that origin."""
        async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE) as browser:
            headers = {"Origin": origin, "Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "cross-site"} | headers
            return await browser.request(method, f"{self.address}/orders", headers=headers)


@pytest.fixture(scope="module", params=list(EVERY_GATEWAY))
def gateway(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """A gateway with its recipe and the lines, the service beside it, and what is behind it."""
    key, upstream, port = SigningKey.generate(), Upstream(), free_port()
    emulator, address = EntraEmulator(new_key=lambda: key), f"http://localhost:{port}"
    recipes = tmp_path_factory.mktemp("recipes")
    for source in gateways.RECIPES.rglob("*.*"):
        copy = recipes / source.relative_to(gateways.RECIPES)
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(source.read_bytes())
    (recipes / "Caddyfile").write_bytes((gateways.RECIPES / "Caddyfile").read_bytes())
    file, change = CHANGES[request.param.split("-")[0]]
    (recipes / file).write_text(change((gateways.RECIPES / file).read_text()))
    with ExitStack() as stack:
        stack.enter_context(emulator.serve())
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for name, value in (emulator.environment() | {"CAMUNDA_ENTRA_BASE_URL": address}).items():
            patch.setenv(name, value)
        service = load_service()
        patch.setattr(gateways, "RECIPES", recipes)
        addresses = Addresses(
            port,
            stack.enter_context(serving(service.app)),
            stack.enter_context(serving(upstream.app())),
        )
        folder = tmp_path_factory.mktemp(request.param)
        stack.enter_context(EVERY_GATEWAY[request.param](addresses, folder))
        yield Guarded(address, upstream, emulator)


async def test_a_preflight_is_answered_without_asking_who_it_is(gateway: Guarded) -> None:
    """2xx with what the page may send, although it brings no credentials. The upstream hears nothing."""
    gateway.upstream.requests.clear()
    answer = await gateway.request("OPTIONS", **PREFLIGHT)
    assert answer.is_success
    assert answer.headers["Access-Control-Allow-Origin"] == APP
    assert "DELETE" in answer.headers["Access-Control-Allow-Methods"]
    assert "authorization" in answer.headers["Access-Control-Allow-Headers"].lower()
    assert answer.headers["Access-Control-Max-Age"] == "600"
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert gateway.upstream.requests == []


async def test_a_page_with_a_token_reads_the_answer(gateway: Guarded) -> None:
    """The answer says that the page of that origin may read it, once."""
    answer = await gateway.request("DELETE", Authorization=f"Bearer {gateway.emulator.token()}")
    assert answer.json()["operate"] == "/orders"
    assert answer.headers.get_list("Access-Control-Allow-Origin") == [APP]
    assert "Origin" in answer.headers["Vary"]


async def test_a_page_reads_why_it_is_refused(gateway: Guarded) -> None:
    """A refusal says so as well; without that, a script would see a network error and no 401."""
    answer = await gateway.request("GET", Authorization="Bearer nonsense")
    assert (answer.status_code, answer.json()["detail"]["code"]) == (401, "token_malformed")
    assert answer.headers.get_list("Access-Control-Allow-Origin") == [APP]
    assert answer.headers["Access-Control-Expose-Headers"].lower() == "www-authenticate"
    assert answer.headers["WWW-Authenticate"].startswith("Bearer ")


async def test_other_origins_are_told_nothing(gateway: Guarded) -> None:
    """Neither preflight nor request of another origin's page is allowed, however it looks."""
    for origin in ("https://evil.example", f"{APP}.evil.example", "https://app_example.com", "null"):
        for answer in (
            await gateway.request("OPTIONS", origin, **PREFLIGHT),
            await gateway.request("GET", origin, Authorization=f"Bearer {gateway.emulator.token()}"),
        ):
            assert "Access-Control-Allow-Origin" not in answer.headers


async def test_options_is_no_way_round(gateway: Guarded) -> None:
    """OPTIONS that is no preflight of that origin is asked for credentials as all else, and never passes."""
    gateway.upstream.requests.clear()
    for headers in ({}, {"Access-Control-Request-Method": ""}):
        answer = await gateway.request("OPTIONS", **headers)
        assert answer.status_code in {200, 204, 401}
    answer = await gateway.request("OPTIONS", "https://evil.example", **PREFLIGHT)
    assert answer.status_code in {200, 204, 401}
    assert gateway.upstream.requests == []
