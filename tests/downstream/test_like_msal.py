"""The requests of Microsoft's own library in the same situations, and their outcome."""

import asyncio
import base64
import json
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import httpx
import msal  # type: ignore[import-untyped]

from camunda_entra_fastapi import CamundaEntra
from camunda_entra_fastapi.downstream.user_token import UserGrant
from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.directory import UNRELATED
from tests.conftest import FakeClock
from tests.downstream.conftest import SCOPE
from tests.remote.test_credentials import CERTIFIED, PASSWORD
from tests.site import Wire

ON: Final = f"{UNRELATED}/access_as_user"
OF_ITS_OWN: Final = {"iat", "nbf", "exp", "uti", "aio", "rh", "jti"}
"""Claims that are another's in every token."""


@dataclass
class Answer:
    """As ``requests`` has it, which msal expects."""

    status_code: int
    text: str
    headers: dict[str, str]

    def raise_for_status(self) -> None:
        """Not used here."""


class MsalHttp:
    """msal's way to the emulator, which keeps the forms that it sends."""

    def __init__(self, emulator: EntraEmulator) -> None:
        self._emulator = emulator
        self.forms: list[dict[str, str]] = []

    def get(self, url: str, **_: Any) -> Answer:
        """A document."""
        return asyncio.run(self._ask("GET", url))

    def post(self, url: str, data: Any = None, headers: Any = None, **_: Any) -> Answer:
        """A form."""
        form = {name: value.decode() if isinstance(value, bytes) else value for name, value in data.items()}
        self.forms.append(form)
        return asyncio.run(self._ask("POST", url, data=dict(form)))

    def close(self) -> None:
        """Nothing is open."""

    async def _ask(self, method: str, url: str, **content: Any) -> Answer:
        async with self._emulator.http_client() as client:
            answer = await client.request(method, url, **content)
        return Answer(answer.status_code, answer.text, dict(answer.headers))


def claims_of(token: str) -> dict[str, Any]:
    """The claims of a token, without those that differ in every token."""
    part = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return {name: value for name, value in claims.items() if name not in OF_ITS_OWN}


def ours(emulator: EntraEmulator, clock: FakeClock, **settings: Any) -> tuple[str, dict[str, str]]:
    """The token that this package obtains, and the form that it sends."""

    async def ask() -> tuple[str, dict[str, str]]:
        wire = Wire(emulator)
        async with httpx.AsyncClient(transport=wire) as client:
            entra = CamundaEntra(emulator.settings(**settings), http_client=client, clock=clock)
            token = await entra.client_credentials(SCOPE).token()
        await wire.aclose()
        return token, dict(wire.forms[0])

    return asyncio.run(ask())


def theirs(
    emulator: EntraEmulator, credential: Any, assertion: str | None = None
) -> tuple[str, dict[str, str]]:
    """The same of msal; with an assertion, in its bearer's name."""
    http = MsalHttp(emulator)
    application = msal.ConfidentialClientApplication(
        emulator.application.client_id,
        client_credential=credential,
        authority=f"{emulator.base_url}/{emulator.tenant.id}",
        instance_discovery=False,
        http_client=http,
        client_capabilities=["cp1"],
    )
    if assertion is None:
        result = application.acquire_token_for_client([SCOPE])
    else:
        result = application.acquire_token_on_behalf_of(assertion, [ON])
    assert "access_token" in result, result
    return str(result["access_token"]), http.forms[0]


def test_a_secret_gets_the_same_token_by_the_same_request(emulator: EntraEmulator, clock: FakeClock) -> None:
    """Field by field, but for msal's own telemetry."""
    token, form = ours(emulator, clock)
    secret = form["client_secret"]
    their_token, their_form = theirs(emulator, secret)
    assert claims_of(token) == claims_of(their_token)
    assert json.loads(form.pop("claims")) == json.loads(their_form.pop("claims"))
    their_form.pop("client_info", None)
    assert form == their_form


def test_a_token_in_somebodys_name_is_the_same_by_the_same_request(
    emulator: EntraEmulator, clock: FakeClock
) -> None:
    """But for the scopes of OpenID Connect, which msal always asks for besides."""
    assertion = emulator.token(user="Ada Admin")

    async def ask() -> tuple[str, dict[str, str]]:
        wire = Wire(emulator)
        async with httpx.AsyncClient(transport=wire) as client:
            entra = CamundaEntra(emulator.settings(), http_client=client, clock=clock)
            tokens = entra._runtimes[-1].user_tokens
            assert tokens
            token = await tokens.of(UserGrant("digest", 1e12, assertion=assertion), ON).get()
        await wire.aclose()
        return token, dict(wire.forms[0])

    token, form = asyncio.run(ask())
    their_token, their_form = theirs(emulator, form["client_secret"], assertion)
    assert claims_of(token) == claims_of(their_token)
    assert json.loads(form.pop("claims")) == json.loads(their_form.pop("claims"))
    their_form.pop("client_info", None)
    besides = set(their_form.pop("scope").split()) - set(form.pop("scope").split())
    assert besides == {"openid", "profile", "offline_access"}
    assert form == their_form


def test_a_certificate_gets_the_same_token_by_the_same_request(
    emulator: EntraEmulator, clock: FakeClock, tmp_path: Path
) -> None:
    """The assertion has the same header, audience and issuer; ours says besides from when on it is good."""
    tenant = emulator.tenant
    operate = replace(emulator.application, secrets=(), certificates=(CERTIFIED.pem.decode(),))
    emulator.directory = emulator.directory.with_tenant(
        replace(tenant, applications=(operate, *tenant.applications[1:]))
    )
    path = tmp_path / "operate.pfx"
    path.write_bytes(CERTIFIED.pkcs12(PASSWORD))
    token, form = ours(
        emulator, clock, client_secret=None, client_certificate=path, client_certificate_password=PASSWORD
    )
    clock.now = time.time()
    their_token, their_form = theirs(emulator, {"private_key_pfx_path": str(path), "passphrase": PASSWORD})
    assert claims_of(token) == claims_of(their_token)
    for each in (form, their_form):
        each.pop("claims")
        each.pop("client_info", None)
    mine, other = form.pop("client_assertion"), their_form.pop("client_assertion")
    assert form == their_form

    def part(assertion: str, number: int) -> dict[str, Any]:
        text = assertion.split(".")[number]
        found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        return found

    assert part(mine, 0)["alg"] == part(other, 0)["alg"] == "PS256"
    assert part(mine, 0)["x5t#S256"] == part(other, 0)["x5t#S256"].rstrip("=")
    assert {name: part(mine, 1)[name] for name in ("aud", "iss", "sub")} == {
        name: part(other, 1)[name] for name in ("aud", "iss", "sub")
    }
    assert part(mine, 1).keys() - part(other, 1).keys() == {"nbf"}
