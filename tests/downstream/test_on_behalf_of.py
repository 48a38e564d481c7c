"""Calling another service in the caller's name: by their bearer token, or by their session."""

import asyncio
import base64
import json
import logging
from collections.abc import Callable
from typing import Annotated, Any, Final

import httpx
import pytest
from fastapi import Depends

from camunda_entra_fastapi import CamundaEntra, EntraUser, SettingsError
from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.directory import OPERATE, UNRELATED
from tests.conftest import FakeClock
from tests.site import PERSON, MakeSite, Site, code_of
from tests.waiting import until

SCOPE: Final = f"{UNRELATED}/access_as_user"
ADA: Final = "ada00000-0000-4000-8000-000000000001"
BEN: Final = "be110000-0000-4000-8000-000000000002"
CAPABILITY: Final = {"xms_cc": {"values": ["cp1"]}}


class Api:
    """The other service: it keeps the tokens that it was sent, and refuses some."""

    def __init__(self) -> None:
        self.tokens: list[str] = []
        self.refused: Callable[[str], bool] = lambda _: False
        self.challenge = 'Bearer error="invalid_token"'

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """One call."""
        self.tokens.append(request.headers["Authorization"].removeprefix("Bearer "))
        if self.refused(self.tokens[-1]):
            return httpx.Response(401, headers={"WWW-Authenticate": self.challenge})
        return httpx.Response(200)


@pytest.fixture
def api() -> Api:
    """The other service."""
    return Api()


@pytest.fixture
def calling(make_site: MakeSite, api: Api) -> Callable[..., Site]:
    """Makes sites with routes that call on; keyword arguments are settings."""

    def make(**settings: Any) -> Site:
        site = make_site(**settings)
        in_their_name = Annotated[httpx.Auth, Depends(site.entra.on_behalf_of(SCOPE))]

        @site.app.get("/async")
        async def call(auth: in_their_name) -> int:
            async with httpx.AsyncClient(transport=httpx.MockTransport(api), auth=auth) as client:
                return (await client.get("https://api.example.com/")).status_code

        @site.app.get("/sync")
        def call_blocking(auth: in_their_name) -> int:
            with httpx.Client(transport=httpx.MockTransport(api), auth=auth) as client:
                return client.get("https://api.example.com/").status_code

        return site

    return make


@pytest.fixture
def site(calling: Callable[..., Site]) -> Site:
    """A site that calls on."""
    return calling()


def claims_of(token: str) -> dict[str, Any]:
    """The claims of a token."""
    part = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


async def ask(site: Site, token: str | None = None, path: str = "/async", **headers: str) -> httpx.Response:
    """A program's request."""
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    return await site.browser().http.get(path, headers=headers)


def exchanges(site: Site) -> list[dict[str, str]]:
    """The token requests for the other service."""
    return [dict(form) for form in site.wire.forms if form.get("scope") == SCOPE]


@pytest.mark.parametrize("path", ["/async", "/sync"])
async def test_the_next_service_sees_the_caller(
    site: Site, emulator: EntraEmulator, api: Api, path: str
) -> None:
    """By one exchange for each bearer token, which says on whose behalf it is."""
    token = emulator.token(user=ADA)
    for _ in range(3):
        assert (await ask(site, token, path)).json() == 200
    claims = claims_of(api.tokens[0])
    assert (claims["oid"], claims["appid"], claims["scp"]) == (ADA, OPERATE, "access_as_user")
    assert len(set(api.tokens)) == 1
    (form,) = exchanges(site)
    assert json.loads(form.pop("claims")) == {"access_token": CAPABILITY}
    secret = site.entra.settings.client_secret
    assert secret
    assert form == {
        "client_id": OPERATE,
        "client_secret": secret.get_secret_value(),
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "requested_token_use": "on_behalf_of",
        "assertion": token,
        "scope": SCOPE,
    }
    await ask(site, emulator.token(user=BEN), path)
    assert claims_of(api.tokens[-1])["oid"] == BEN
    assert len(exchanges(site)) == 2


async def test_who_signed_in_is_acted_for_by_their_session(site: Site, api: Api) -> None:
    """By its refresh token, once; and again when the token is about to expire."""
    browser = await site.browser().signed_in()
    for _ in range(3):
        assert (await browser.http.get("/async")).json() == 200
    (form,) = exchanges(site)
    assert (form["grant_type"], "assertion" in form) == ("refresh_token", False)
    claims = claims_of(api.tokens[0])
    assert (claims["oid"], claims["appid"], claims["scp"]) == (ADA, OPERATE, "access_as_user")
    site.clock.advance(6000)
    assert (await browser.http.get("/async")).json() == 200
    assert len(exchanges(site)) == 2
    assert len(set(api.tokens)) == 2


async def test_a_session_without_refresh_token_has_its_access_token(
    calling: Callable[..., Site], api: Api
) -> None:
    """As bearer tokens are exchanged."""
    site = calling(scopes=["openid", "email", f"{OPERATE}/.default"])
    browser = await site.browser().signed_in()
    assert (await browser.http.get("/async")).json() == 200
    assert exchanges(site)[0]["assertion"] == site.wire.tokens[0]["access_token"]


async def test_who_may_not_be_acted_for(site: Site, emulator: EntraEmulator) -> None:
    """Nobody without credentials, and no application; people are sent to sign in."""
    assert (await ask(site)).status_code == 401
    answer = await ask(site, **PERSON)
    assert answer.status_code == 302
    answer = await ask(site, emulator.token(app_only=True, roles=["Operate.Admin"]))
    assert (answer.status_code, code_of(answer)) == (403, "user_required")
    assert exchanges(site) == []


async def test_fifty_requests_at_once_exchange_once(site: Site, emulator: EntraEmulator, api: Api) -> None:
    """For one caller and one scope."""
    token = emulator.token(user=ADA)
    event = site.wire.hang("/token")
    waiting = [asyncio.create_task(ask(site, token)) for _ in range(50)]
    await until(lambda: len(exchanges(site)) == 1)
    waiting.pop().cancel()
    event.set()
    assert {(await each).json() for each in waiting} == {200}
    assert len(exchanges(site)) == 1
    assert len(set(api.tokens)) == 1


async def test_nothing_outlives_the_callers_own_token(
    site: Site, emulator: EntraEmulator, clock: FakeClock
) -> None:
    """Nor is it kept for longer than it is good itself."""
    short = emulator.token(user=ADA, lifetime=600)
    assert (await ask(site, short)).status_code == 200
    clock.advance(700)
    answer = await ask(site, short)
    assert (answer.status_code, code_of(answer)) == (401, "token_expired")
    long = emulator.token(user=ADA, lifetime=90_000)
    site.wire.change("/token", lambda document: {**document, "expires_in": 100})
    for wait in (0, 80, 20):
        clock.advance(wait)
        await ask(site, long)
    assert len(exchanges(site)) == 3


async def test_kept_tokens_are_bounded(
    site: Site, emulator: EntraEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that was not used for longest makes place."""
    monkeypatch.setattr("camunda_entra_fastapi.downstream.user_token.MAX_CACHED", 2)
    tokens = [emulator.token(user=ADA, marker=number) for number in range(3)]
    for number in (0, 1, 0, 2, 0):
        await ask(site, tokens[number])
    assert len(exchanges(site)) == 3
    await ask(site, tokens[1])
    assert len(exchanges(site)) == 4


CLAIMS: Final = {"access_token": {"acrs": {"essential": True, "value": "c1"}}}


async def test_a_stronger_sign_in_is_asked_of_the_caller(site: Site, emulator: EntraEmulator) -> None:
    """401 with the claims that Entra wants to see (Learn: claims challenges)."""
    site.wire.answer(
        "/token",
        400,
        json={"error": "interaction_required", "error_codes": [50076], "claims": json.dumps(CLAIMS)},
    )
    answer = await ask(site, emulator.token(user=ADA))
    assert (answer.status_code, code_of(answer)) == (401, "insufficient_claims")
    claims = answer.headers["WWW-Authenticate"].partition('claims="')[2].partition('"')[0]
    assert json.loads(base64.b64decode(claims)) == CLAIMS


@pytest.mark.parametrize(
    ("status", "said", "bearer", "session"),
    [
        (400, {"error": "interaction_required", "error_codes": [50079]}, (401, "insufficient_claims"), None),
        (400, {"error": "invalid_grant", "error_codes": [65001]}, (403, "consent_required"), None),
        (
            400,
            {"error": "invalid_grant", "error_codes": [500133]},
            (401, "token_expired"),
            (401, "credentials_missing"),
        ),
        (401, {"error": "invalid_client", "error_codes": [7000222]}, (502, "entra_refused"), None),
        (429, {}, (503, "entra_throttled"), None),
        (500, {}, (502, "entra_failed"), None),
    ],
)
async def test_refusals_are_told_apart(  # each as what it is, never as a fault of somebody else's
    site: Site,
    emulator: EntraEmulator,
    status: int,
    said: dict[str, Any],
    bearer: tuple[int, str],
    session: tuple[int, str] | None,
) -> None:
    """For bearers and sessions alike, but that a session ends where a token only expires."""
    browser = await site.browser().signed_in()
    token = emulator.token(user=ADA)
    site.wire.answer("/token", status, json=said)
    answer = await ask(site, token)
    assert (answer.status_code, code_of(answer)) == bearer
    answer = await browser.http.get("/async")
    assert (answer.status_code, code_of(answer)) == (session or bearer)


async def test_entra_is_left_alone_for_as_long_as_it_asks(
    site: Site, emulator: EntraEmulator, clock: FakeClock
) -> None:
    """By all callers."""
    site.wire.answer("/token", 429, text="Too Many Requests", headers={"Retry-After": "60"})
    for user in (ADA, BEN, ADA):
        answer = await ask(site, emulator.token(user=user))
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60")
    assert len(exchanges(site)) == 1
    clock.advance(61)
    site.wire.heal()
    assert (await ask(site, emulator.token(user=ADA))).json() == 200


@pytest.mark.parametrize("path", ["/async", "/sync"])
async def test_a_token_that_the_next_service_refuses_is_replaced_once(
    site: Site, emulator: EntraEmulator, api: Api, path: str
) -> None:
    """With the claims that it wants to see; what it says of the new one is the answer."""
    token = emulator.token(user=ADA)
    await ask(site, token, path)
    old = api.tokens[0]
    api.refused = lambda token: token == old
    encoded = base64.b64encode(json.dumps(CLAIMS).encode()).decode()
    api.challenge = f'Bearer error="insufficient_claims", claims="{encoded}"'
    assert (await ask(site, token, path)).json() == 200
    assert len(exchanges(site)) == 2
    claims = json.loads(exchanges(site)[1]["claims"])["access_token"]
    assert claims == CAPABILITY | CLAIMS["access_token"]
    api.refused = lambda _: True
    assert (await ask(site, token, path)).json() == 401
    assert len(exchanges(site)) == 3
    assert (await ask(site, token, path)).json() == 401


async def test_two_that_are_refused_at_once_do_not_drop_the_new_token(
    site: Site, emulator: EntraEmulator, api: Api
) -> None:
    """The second one finds it there."""
    token = emulator.token(user=ADA)
    await ask(site, token)
    old = api.tokens[0]
    auths: list[Any] = []

    @site.app.get("/auth")
    async def give(auth: Annotated[httpx.Auth, Depends(site.entra.on_behalf_of(SCOPE))]) -> None:
        auths.append(auth)

    await ask(site, token, "/auth")
    await ask(site, token, "/auth")
    first, second = (auth._tokens() for auth in auths)
    assert first.invalidate(old, None)
    new = await first.get()
    assert second.invalidate(old, None)
    assert await second.get() == new != old


@pytest.mark.parametrize("scope", ["", " ", "ä/.default", "a/.default\n"])
def test_a_scope_that_is_none_is_refused_at_start(emulator: EntraEmulator, scope: str) -> None:
    """With what a right one looks like."""
    with pytest.raises(ValueError, match=r"such as api://0{8}-"):
        CamundaEntra(emulator.settings()).on_behalf_of(scope)


def test_without_a_proof_of_who_this_is_it_is_said_at_start(emulator: EntraEmulator) -> None:
    """The setting is named."""
    with pytest.raises(SettingsError, match="CAMUNDA_IDENTITY_CLIENT_SECRET is not set"):
        CamundaEntra(emulator.settings(client_secret=None)).on_behalf_of(SCOPE)


async def test_a_user_of_a_test_who_has_no_session_is_no_error(site: Site) -> None:
    """It is as if nobody were signed in: nothing proves to Entra on whose behalf to ask."""
    user = EntraUser.from_sign_in({"name": "Somebody"}, "", has_customers=False)
    site.app.dependency_overrides[site.entra.current_user] = lambda: user
    answer = await site.browser().http.get("/async")
    assert (answer.status_code, code_of(answer)) == (401, "credentials_missing")


async def test_tokens_are_shown_nowhere(
    site: Site, emulator: EntraEmulator, api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither in logs of any level, nor in what clients are told, nor in what objects say of themselves."""
    token = emulator.token(user=ADA)
    with caplog.at_level(logging.DEBUG):
        browser = await site.browser().signed_in()
        api.refused = lambda _: True
        answers = [await ask(site, token), await browser.http.get("/async")]
        for said in (
            {"error": "invalid_grant", "error_description": token},
            {"error": "invalid_client", "error_description": token},
            {"error": token},
        ):
            site.wire.answer("/token", 400, json=said)
            fresh = emulator.token(user=ADA, marker=str(said))
            answers.append(await ask(site, fresh))
    tokens = site.entra._runtimes[-1].user_tokens
    assert tokens
    assertions = {form["assertion"] for form in exchanges(site) if "assertion" in form}
    secrets = site.wire.secrets() | assertions | set(api.tokens)
    # The browser's own log has the address that Entra sent it back to.
    logged = [record.getMessage() for record in caplog.records if "login-callback" not in record.getMessage()]
    said_all = "".join(logged) + "".join(answer.text + str(answer.headers) for answer in answers)
    said_all += "".join(repr(each) for each in (*tokens._cached.values(), *answers))
    assert len(secrets) > 10
    assert not [secret for secret in secrets if secret in said_all]
