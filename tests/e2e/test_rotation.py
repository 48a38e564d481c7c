"""Secrets are replaced: who is signed out by it, and who is not."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import httpx
import httpx2
import pytest
from fastapi import Depends, FastAPI

from camunda_entra_fastapi import CamundaEntra, EntraSettings, EntraUser
from camunda_entra_fastapi.cli.browser import open_page
from camunda_entra_fastapi.testing import EntraEmulator, SigningKey
from camunda_entra_fastapi.testing.serving.server import serving
from tests.e2e.test_replicas import BASE_URL, Balancer, replica, sign_in
from tests.waiting import PATIENCE

NEW: Final = "n" * 40
OTHER: Final = "o" * 40


@pytest.fixture
def emulator(new_key: Callable[[], SigningKey]) -> Iterator[EntraEmulator]:
    """A local Entra."""
    emulator = EntraEmulator(new_key=new_key)
    with emulator.serve():
        yield emulator


@contextmanager
def replicas(emulator: EntraEmulator, store: str, folder: Path, *secrets: str) -> Iterator[Balancer]:
    """A process for each value of CAMUNDA_ENTRA_SESSION_SECRET; an empty one is not set."""
    (folder / "ahead").write_text("0")
    environment = emulator.environment() | {
        "CLOCK_AHEAD": str(folder / "ahead"),
        "CAMUNDA_ENTRA_BASE_URL": BASE_URL,
        "CAMUNDA_ENTRA_SESSION_STORE": store,
    }
    with ExitStack() as stack:
        yield Balancer(
            [
                stack.enter_context(
                    replica(environment | {"CAMUNDA_ENTRA_SESSION_SECRET": secret}, folder / f"{number}.log")
                )
                for number, secret in enumerate(secrets)
            ]
        )


async def statuses(balancer: Balancer, signed_in_at: int) -> list[int]:
    """Sign in at one replica, and ask each of them who it is."""
    async with httpx.AsyncClient(transport=balancer, timeout=PATIENCE) as browser:
        balancer.picked = signed_in_at
        assert (await sign_in(browser)).status_code == 200
        found = []
        for number in range(len(balancer.replicas)):
            balancer.picked = number
            found.append((await browser.get(f"{BASE_URL}/me")).status_code)
    return found


async def test_the_new_secret_before_the_client_secret_signs_nobody_out(
    emulator: EntraEmulator, redis_url: str, tmp_path: Path
) -> None:
    """Sessions under the client secret open where both are named; where the new one is alone, none does."""
    client_secret = emulator.environment()["CAMUNDA_IDENTITY_CLIENT_SECRET"]
    secrets = ("", f"{NEW},{client_secret}", NEW)
    with replicas(emulator, redis_url, tmp_path, *secrets) as balancer:
        assert await statuses(balancer, signed_in_at=0) == [200, 200, 401]
        assert await statuses(balancer, signed_in_at=1) == [401, 200, 200]


async def test_replicas_that_are_replaced_one_by_one_know_the_new_secret_first(
    emulator: EntraEmulator, redis_url: str, tmp_path: Path
) -> None:
    """With the new secret in the second place first, whoever signs in is known to old and new replicas."""
    client_secret = emulator.environment()["CAMUNDA_IDENTITY_CLIENT_SECRET"]
    knows, uses = f"{client_secret},{NEW}", f"{NEW},{client_secret}"
    with replicas(emulator, redis_url, tmp_path, "", knows, uses) as balancer:
        assert (await statuses(balancer, signed_in_at=1))[:2] == [200, 200]
        assert (await statuses(balancer, signed_in_at=2))[1:] == [200, 200]


def service(settings: EntraSettings) -> FastAPI:
    """A service with these settings and sign-in."""
    entra = CamundaEntra(settings)
    app = FastAPI(lifespan=entra.lifespan)
    entra.install(app)

    @app.get("/me")
    async def me(user: Annotated[EntraUser, Depends(entra.current_user)]) -> dict[str, str | None]:
        return {"name": user.name}

    return app


CHANGES: Final[dict[str, tuple[dict[str, Any], bool]]] = {
    "nothing": ({}, True),
    "client_secret": ({"client_secret": NEW, "session_secret": ""}, False),
    "client_secret with a session secret": ({"client_secret": NEW}, True),
    "session_secret": ({"session_secret": NEW}, False),
    "session_secret and the old one": ({"session_secret": f"{NEW},{OTHER}"}, True),
    "session_store": ({"session_store": "memory"}, False),
    "cookie_name": ({"cookie_name": "orders_session"}, False),
}
"""What is set anew, and whether people stay signed in, as docs/how-to/run/rotate-secrets.md has it."""


@pytest.mark.parametrize("change", CHANGES)
def test_who_stays_signed_in(change: str, emulator: EntraEmulator) -> None:
    """Before, the session secret is one of its own, unless the change is about not having one."""
    changed, stays = CHANGES[change]
    before = {"session_secret": changed.get("session_secret", OTHER) and OTHER}
    with ExitStack() as stack:
        old = stack.enter_context(serving(service(emulator.settings(**before))))
        new = stack.enter_context(serving(service(emulator.settings(**before | changed))))
        browser = stack.enter_context(httpx2.Client(trust_env=False, timeout=PATIENCE))
        old, new = (address.replace("127.0.0.1", "localhost") for address in (old, new))
        assert open_page(browser, f"{old}/me", "Ben Reader").json() == {"name": "Ben Reader"}
        assert (browser.get(f"{new}/me").status_code == 200) is stays


def test_a_secret_file_is_read_once(
    emulator: EntraEmulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A running service keeps the value that it began with; the next one has the new value."""
    for name, value in emulator.environment().items():
        if name != "CAMUNDA_IDENTITY_CLIENT_SECRET":
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("CAMUNDA_ENTRA_SECRETS_DIR", str(tmp_path))
    file = tmp_path / "CAMUNDA_IDENTITY_CLIENT_SECRET"
    file.write_text(OTHER)
    running = CamundaEntra()
    file.write_text(NEW)
    for entra, expected in ((running, OTHER), (CamundaEntra(), NEW)):
        assert entra.settings.client_secret
        assert entra.settings.client_secret.get_secret_value() == expected
