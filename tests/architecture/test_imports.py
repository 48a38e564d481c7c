"""Who may import whom: ARCHITECTURE.md's floors and table, held against every import there is."""

import subprocess
import sys
from collections.abc import Mapping
from itertools import accumulate, chain
from typing import TypeVar

import pytest

from tests.architecture.structure import (
    PACKAGE,
    circles_of,
    folders_of,
    graph_of,
    imports_in,
    modules_of,
    room_in,
    rooms_of,
)

T = TypeVar("T")

FLOORS: dict[str, list[set[str]]] = {
    "": [
        {"errors", "event_loops", "http_library", "remedies", "telemetry", "untrusted_json", "urls"},
        {"log_records", "single_flight", "sweeping"},
        {"faults", "sessions", "tenant_check", "validation"},
        {"remote", "settings", "user"},
        {"configured_credential", "token_validator", "testing"},
        {"sign_in"},
        {"web"},
        {"downstream"},
        {"runtime"},
        {"application_api", "cli", "downstream_api", "stream_api"},
        {"plugin"},
        {"__init__"},
    ],
    "web": [
        {
            "__init__",
            "caches",
            "challenges",
            "credentials",
            "identity_headers",
            "look",
            "misspelled_header",
            "mounted",
            "pages",
            "permissions",
            "public_url",
            "security_scheme",
            "signed_identity",
            "websocket_tokens",
        },
        {"answerable", "bearer", "cookies", "gateway_identity", "page_requests", "same_origin"},
        {"asked_url", "framed_cookies", "health", "openapi", "refusal_pages", "sessions"},
        {"current_user", "docs_assets", "exception_handlers"},
        {"forward_auth", "login", "mounted_docs", "permission_guard"},
        {"guard", "installation", "route_scopes", "streams"},
    ],
    "testing": [
        {"directory", "pages"},
        {"protocol"},
        {"world"},
        {"serving", "tokens"},
        {"clients"},
        {"endpoints"},
        {"emulator"},
        {"fixtures"},
        {"__init__"},
    ],
}
"""The rooms of a folder, which are its modules and subfolders, from the ground up."""

THIRD_PARTY = {
    "errors": set(),
    "user.frozen": set(),
    "remedies": set(),
    "event_loops": set(),
    "single_flight": set(),
    "http_library": {"httpx", "httpx2"},
    "untrusted_json": set(),
    "sweeping": set(),
    "urls": set(),
    "telemetry": {"opentelemetry"},
    "log_records": set(),
    "validation": set(),
    "validation.compact": {"pydantic", "pydantic_core"},
    "validation.keys": {"cryptography", "jose"},
    "validation.id_token": {"jose"},
    "validation.identity": {"cryptography", "jose"},
    "remote": set(),
    "remote.http": {"certifi"},
    "remote.certificates": {"cryptography"},
    "faults": set(),
    "sessions": set(),
    "sessions.sealing": {"cryptography", "jose"},
    "sessions.redis": {"redis"},
    "sessions.redis_client": {"redis"},
    "sessions.redis_failures": {"redis"},
    "sessions.redis_limits": {"redis"},
    "settings": {"pydantic", "pydantic_core", "pydantic_settings"},
    "settings.issuers": set(),
    "settings.orchestration": set(),
    "settings.urls": set(),
    "user": {"pydantic", "fastapi_azure_auth"},
    "user.fields": {"fastapi_azure_auth"},
    "configured_credential": set(),
    "tenant_check": set(),
    "token_validator": set(),
    "sign_in": set(),
    "web.login.responses": {"starlette"},
    "web.login.docs_token": {"starlette"},
    "web.pages": {"jinja2", "starlette"},
    "web.login.frames": {"starlette"},
    "web.login.parameters": {"starlette"},
    "web.login.router": {"fastapi", "starlette"},
    "web": {"fastapi", "starlette"},
    "downstream": set(),
    "downstream.on_behalf_of": {"fastapi", "starlette"},
    "web.bearer": {"fastapi", "starlette", "fastapi_azure_auth"},
    "web.gateway_identity": {"jose", "starlette"},
    "runtime": set(),
    "downstream_api": set(),
    "application_api": {"fastapi", "starlette"},
    "stream_api": {"starlette"},
    "plugin": set(),
    "cli": {"rich", "typer", "uvicorn", "fastapi", "pydantic", "starlette"},
    "cli.environment": {"dotenv", "typer"},
    "testing": {"cryptography", "starlette"},
    "testing.directory": {"cryptography", "pydantic", "yaml"},
    "testing.endpoints.graph.application_resource": {"pydantic"},
    "testing.pages": {"jinja2", "markupsafe", "starlette"},
    "testing.serving.server": {"uvicorn"},
    "testing.fixtures.pytest_plugin": {"pytest"},
}
"""Part or module to what it may import of other packages; the more exact name counts."""

NAME = PACKAGE.name
GRAPH = graph_of(PACKAGE)
MODULES = modules_of(PACKAGE)


def nearest(table: Mapping[str, T], module: str) -> T | None:
    """The entry of the module, or else of what it is in."""
    names = accumulate(module.split("."), lambda above, name: f"{above}.{name}")
    return next((table[name] for name in reversed(list(names)) if name in table), None)


def test_no_circle_of_modules() -> None:
    """No module imports itself by way of others, not for type checkers either."""
    assert circles_of(GRAPH) == []


@pytest.mark.parametrize("folder", folders_of(GRAPH))
def test_no_circle_of_folders(folder: str) -> None:
    """What lies side by side in a folder, modules and subfolders, forms no circle."""
    assert circles_of(rooms_of(GRAPH, folder)) == []


@pytest.mark.parametrize("folder", FLOORS)
def test_every_room_has_its_floor(folder: str) -> None:
    """A room that is new is given a floor here and in ARCHITECTURE.md."""
    assert sorted(chain.from_iterable(FLOORS[folder])) == sorted(rooms_of(GRAPH, folder))


@pytest.mark.parametrize("folder", FLOORS)
def test_no_arrow_against_the_floors(folder: str) -> None:
    """A room imports from lower floors alone."""
    floor = {room: number for number, rooms in enumerate(FLOORS[folder]) for room in rooms}
    against = [
        f"{room} imports from {other}"
        for room, others in rooms_of(GRAPH, folder).items()
        for other in others
        if floor[other] >= floor[room]
    ]
    assert against == []


def test_the_local_entra_shares_no_code_with_the_validator() -> None:
    """So that each checks the other: it knows errors, settings and which HTTP library there is."""
    shared = {
        room_in("", target)
        for name, targets in GRAPH.items()
        if room_in("", name) == "testing"
        for target in targets
    }
    assert shared == {"errors", "http_library", "settings", "testing"}


@pytest.mark.parametrize("module", [name for name in MODULES if name != "__init__"])
def test_imports_of_other_packages_are_where_the_table_says(module: str) -> None:
    """Each third party is touched by those parts alone whose business it is."""
    allowed = nearest(THIRD_PARTY, module)
    assert allowed is not None, f"add {module} to THIRD_PARTY in {__file__} and to ARCHITECTURE.md"
    imported = imports_in(MODULES[module].read_text("utf-8"))
    foreign = {each.module.partition(".")[0] for each in imported} - {NAME, *sys.stdlib_module_names}
    assert foreign <= allowed


def test_importing_the_package_loads_no_extras() -> None:
    """Who protects an API pays for nothing else."""
    heavy = ["redis", "uvicorn", "jinja2", "typer", f"{NAME}.testing", f"{NAME}.cli"]
    code = f"import sys; from {NAME} import *; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_flagged_packages_are_not_imported() -> None:
    """ecdsa, rsa and pyasn1 stay outside, also when they are installed."""
    flagged = ("ecdsa", "rsa", "pyasn1")
    code = f"import sys; from {NAME} import *; print([name for name in {flagged} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
