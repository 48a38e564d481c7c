"""What a sign-in and all that follows leave in memory shows nobody's secrets."""

import dataclasses
import gc
import sys
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from fastapi import Depends

from camunda_entra_fastapi.downstream.http_auth import BearerAuth
from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.directory.default import UNRELATED
from tests.sessions.conftest import RedisServer, redis_server, running_redis
from tests.site import ADA, HOME, PERSON, MakeSite, query_of, set_cookies

__all__ = ["redis_server", "running_redis"]

OURS = ("downstream", "remote", "sessions", "settings", "sign_in", "user", "validation", "web")


def is_ours(cls: type) -> bool:
    """Whether the class is of the package, without the local Entra and the command line."""
    module = str(cls.__module__).split(".")  # of some built-in types it is no text
    return module[0] == "camunda_entra_fastapi" and (len(module) < 2 or module[1] not in ("testing", "cli"))


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """All objects of dataclasses of ours that are made meanwhile, however soon they are gone."""
    objects: list[Any] = []

    def noting(init: Callable[..., None]) -> Callable[..., None]:
        def note(self: Any, *args: Any, **kwargs: Any) -> None:
            init(self, *args, **kwargs)
            objects.append(self)

        return note

    for name, module in list(sys.modules.items()):
        for cls in list(vars(module).values()) if name.startswith("camunda_entra_fastapi.") else ():
            if (
                isinstance(cls, type)
                and cls.__module__ == name
                and is_ours(cls)
                and dataclasses.is_dataclass(cls)
            ):
                monkeypatch.setattr(cls, "__init__", noting(cls.__init__))
    return objects


@pytest.mark.parametrize("store", ["cookie", "memory", "redis"])
async def test_no_object_shows_what_was_sent_or_kept(
    make_site: MakeSite, emulator: EntraEmulator, made: list[Any], store: str, request: pytest.FixtureRequest
) -> None:
    """Cookies, states, codes, tokens and bodies are in no ``repr`` (CWE-532), whatever happens."""
    redis: RedisServer | None = request.getfixturevalue("redis_server") if store == "redis" else None
    settings = {"session_store": redis.url if redis else store, "session_secret": "of sessions " * 4}
    site = make_site(**settings)
    entra = site.entra

    @site.app.get("/on")
    async def on(
        auth: Annotated[BearerAuth, Depends(entra.on_behalf_of(f"{UNRELATED}/access_as_user"))],
        token: Annotated[str, Depends(entra.access_token)],
    ) -> int:
        return len(token + await auth.token())

    site.app.include_router(entra.forward_auth_router())
    async with entra.lifespan():
        browser = site.browser()
        address = await browser.depart()
        sent = query_of(address)
        attempts = [browser.cookies[name] for name in browser.attempts]
        back = await browser.at_entra(address, ADA)
        first = await browser.open(back)
        cookies = [line.partition("=")[2].partition(";")[0] for line in set_cookies(first).values()]
        header = {"Authorization": f"Bearer {emulator.token()}"}
        assert await browser.status("/on") == 200
        assert (await browser.http.get("/api", headers=header)).status_code == 200
        site.clock.advance(4000)
        renewed = await browser.http.get("/auth/verify?token=true&identity=operate")
        assert renewed.status_code == 200
        cookies += [line.partition("=")[2].partition(";")[0] for line in set_cookies(renewed).values()]
        site.wire.answer(
            "/token", 400, json={"error": "invalid_grant", "error_description": "AADSTS50173: x"}
        )
        site.clock.advance(4000)
        assert await browser.status() == 401
        await browser.open(back)
        site.wire.heal()
        assert (await browser.http.get("/auth/logout", headers=PERSON | {"Referer": HOME})).status_code == 302

    secrets = {
        *(sent[name] for name in ("state", "nonce")),
        *(form["code_verifier"] for form in site.wire.forms if "code_verifier" in form),
        *(part for whole in (*attempts, *cookies) for part in whole.split(".") if len(part) > 16),
        *site.wire.secrets(),
        *(renewed.headers["X-Entra-Identity"].split(".")[1:]),
        header["Authorization"].removeprefix("Bearer "),
        "of sessions of sessions",
    }
    assert len(secrets) > 15
    assert {type(each).__name__ for each in made} >= {
        "Attempt",
        "EntraRedirect",
        "UserSession",
        "_Response",
        "Tokens",
    }
    living = [each for each in gc.get_objects() if is_ours(type(each))]
    assert {type(each).__module__.split(".")[1] for each in (*living, *made)} >= set(OURS)
    for each in (*living, *made):
        text = repr(each)
        assert [(type(each), secret) for secret in secrets if secret in text] == []
