"""The container's files: what the Dockerfile says is true of the files beside it, and its command runs."""

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import pytest
import redis
import yaml

from camunda_entra_fastapi import EntraSettings
from camunda_entra_fastapi.testing import EntraEmulator
from tests.e2e.gateways import running
from tests.ports import free_port
from tests.samples.dockerfile import Stage, stages
from tests.waiting import wait_for

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / "samples" / "container"
PORT: Final = "8000"
NAVIGATION: Final = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none"}


@pytest.fixture
def image() -> Stage:
    """What the image is in the end."""
    return stages(FOLDER / "Dockerfile")[-1]


@pytest.fixture
def compose() -> dict[str, Any]:
    """The services of ``compose.yaml``."""
    services: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text())["services"]
    return services


@pytest.fixture
def emulator() -> Iterator[EntraEmulator]:
    """A local Entra that is served, as the service is a process."""
    emulator = EntraEmulator()
    with emulator.serve():
        yield emulator


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file and what is in it."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@contextmanager
def started(image: Stage, emulator: EntraEmulator, folder: Path, **variables: str) -> Iterator[int]:
    """The image's command on a port of its own, in a folder with what the image copies; gives the port."""
    service, logs = folder / "service", folder / "logs"
    service.mkdir()
    logs.mkdir()
    for name in image.copied:
        shutil.copy(FOLDER / name, service)
    before, port = files_of(service), free_port()
    assert PORT in image.command("CMD")
    command = [str(port) if word == PORT else word for word in image.command("CMD")]
    program = shutil.which(command[0], path=str(Path(sys.executable).parent))
    assert program, f"{command[0]} is no program of this environment."
    own = {name: value for name, value in image.environment.items() if name != "PATH"}
    environment = own | emulator.environment() | variables
    with running([program, *command[1:]], logs, port, environment, cwd=service):
        yield port
    # The file system may be read-only, so nothing was written.
    assert files_of(service) == before


def healthy(image: Stage, port: int) -> bool:
    """What the health check says, asked as Docker asks it."""
    command = [word.replace(PORT, str(port)) for word in image.command("HEALTHCHECK")]
    assert command[0] == "python"
    command[0] = sys.executable
    return subprocess.run(command, check=False, capture_output=True, timeout=60).returncode == 0


def test_every_stage_copies_what_is_there_and_let_into_the_build() -> None:
    """``.dockerignore`` keeps out all but what the Dockerfile names, so no secret file gets in by chance."""
    excluded, *exceptions = [
        line for line in (FOLDER / ".dockerignore").read_text().splitlines() if not line.startswith("#")
    ]
    assert excluded == "*"
    let_in = {line.removeprefix("!") for line in exceptions}
    copied = {name for stage in stages(FOLDER / "Dockerfile") for name in stage.copied}
    assert copied == let_in
    assert all((FOLDER / name).is_file() for name in copied)
    assert not any(fnmatch(name, pattern) for name in (".env", "orders.env") for pattern in let_in)


def test_bases_are_pinned_to_a_python_that_this_package_names() -> None:
    """A tag of a minor version and a system; all stages have the same, or the environment would not fit."""
    bases = {stage.base for stage in stages(FOLDER / "Dockerfile")}
    (base,) = bases
    version = re.fullmatch(r"python:(\d+\.\d+)-slim-\w+", base)
    assert version, base
    classifiers = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["classifiers"]
    assert f"Programming Language :: Python :: {version[1]}" in classifiers


def test_the_image_runs_as_a_number_that_is_not_root(image: Stage) -> None:
    """Kubernetes' ``runAsNonRoot`` refuses a name, as it cannot know whose it is."""
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", image.value("USER"))
    names = [name for name, _ in image.instructions]
    assert names.index("USER") > max(index for index, name in enumerate(names) if name in ("COPY", "RUN"))
    assert image.value("EXPOSE") == PORT


def test_no_setting_of_entra_stands_in_the_image() -> None:
    """No layer has a secret: there is no variable of ours, and no build argument that could carry one."""
    for stage in stages(FOLDER / "Dockerfile"):
        assert not [name for name in stage.environment if name.startswith(("CAMUNDA_", "AZURE_"))]
        assert not [text for name, text in stage.instructions if name == "ARG" or "secret" in text.lower()]


def test_what_is_installed_has_what_is_used() -> None:
    """The extra is one of this package's, and the program of the command comes with what is listed."""
    listed = (FOLDER / "requirements.txt").read_text().split()
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = {re.split(r"[\[<>=]", line)[0]: re.findall(r"\[(.*)\]", line) for line in listed}
    wanted = {extra for group in named["camunda-entra-fastapi"] for extra in group.split(",")}
    assert wanted <= set(extras)
    assert wanted == {"cli", "redis"}  # doctor in the container, and the store of compose.yaml
    assert "uvicorn" in named


def test_the_command_starts_the_service(image: Stage, emulator: EntraEmulator, tmp_path: Path) -> None:
    """It is healthy, knows who is asking, answers the gateway, and writes no file."""
    with started(image, emulator, tmp_path) as port:
        assert healthy(image, port)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60) as client:
            assert client.get("/alive").json() == {"alive": True}
            assert client.get("/orders").status_code == 401
            reader = {"Authorization": f"Bearer {emulator.token(name='Ben Reader')}"}
            assert client.get("/orders", headers=reader).json() == {"of": "Ben Reader"}
            assert client.delete("/orders/7", headers=reader).status_code == 403
            admin = {"Authorization": f"Bearer {emulator.token(roles=['Orders.Admin'])}"}
            assert client.delete("/orders/7", headers=admin).json() == {"cancelled": 7}
            assert client.get("/gateway/verify", headers=reader).headers["X-Auth-Request-User"]
            assert client.get("/auth/verify", headers=reader).status_code == 404
            assert "server" not in client.get("/alive").headers


def test_a_container_without_entras_keys_is_alive_and_not_healthy(
    image: Stage, emulator: EntraEmulator, tmp_path: Path
) -> None:
    """What the health check asks is readiness: to start it again would bring no keys."""
    emulator.down()
    with started(image, emulator, tmp_path) as port:
        assert not healthy(image, port)
        assert httpx.get(f"http://127.0.0.1:{port}/alive", trust_env=False, timeout=60).status_code == 200
        emulator.up()
        wait_for(lambda: healthy(image, port))


def test_forwarded_headers_count_from_named_addresses(
    image: Stage, emulator: EntraEmulator, tmp_path: Path
) -> None:
    """uvicorn believes the proxies in FORWARDED_ALLOW_IPS; then redirect URIs have https."""
    with started(image, emulator, tmp_path, FORWARDED_ALLOW_IPS="127.0.0.1") as port:
        headers = NAVIGATION | {"Host": "orders.example.com", "X-Forwarded-Proto": "https"}
        url = f"http://127.0.0.1:{port}/auth/login"
        answer = httpx.get(url, headers=headers, trust_env=False, timeout=60)
        assert "redirect_uri=https%3A%2F%2Forders.example.com%2Fauth" in answer.headers["Location"]


def test_compose_confines_the_service_and_gives_it_what_it_reads(
    image: Stage, compose: dict[str, Any]
) -> None:
    """Nothing to write to, no capabilities, the image's port, and variables that are settings."""
    service = compose["orders"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    (published,) = service["ports"]
    assert published == f"127.0.0.1:{PORT}:{image.value('EXPOSE')}"
    known = {f"CAMUNDA_ENTRA_{name.upper()}" for name in EntraSettings.model_fields}
    assert set(service["environment"]) <= known
    assert service["environment"]["CAMUNDA_ENTRA_BASE_URL"].endswith(f":{PORT}")
    assert "secret" not in "".join(service["environment"]).lower()
    assert service["env_file"] == "orders.env"
    assert service["depends_on"] == {"redis": {"condition": "service_healthy"}}
    assert {"test", "interval"} <= set(compose["redis"]["healthcheck"])


async def test_compose_s_redis_keeps_the_service_s_sessions(
    image: Stage, compose: dict[str, Any], emulator: EntraEmulator, tmp_path: Path
) -> None:
    """Its command is one that Redis understands, and the service is healthy with it as with its URL."""
    port, folder = free_port(), tmp_path / "redis"
    folder.mkdir()
    url = urlsplit(compose["orders"]["environment"]["CAMUNDA_ENTRA_SESSION_STORE"])
    assert url.hostname in compose
    store = url._replace(netloc=f"127.0.0.1:{port}").geturl()
    with running([*compose["redis"]["command"], "--port", str(port)], folder, port):
        server = redis.Redis(port=port, decode_responses=True)
        assert server.config_get("maxmemory") == {"maxmemory": str(256 * 1024 * 1024)}
        assert server.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        with started(image, emulator, tmp_path, CAMUNDA_ENTRA_SESSION_STORE=store) as service:
            assert healthy(image, service)
            server.client_pause(10_000, all=True)
            assert not healthy(image, service)
            wait_for(lambda: healthy(image, service))
