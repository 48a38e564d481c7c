"""``CamundaEntra``: what the settings make of it."""

import logging
from contextlib import ExitStack
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Security, WebSocket
from fastapi.testclient import TestClient

from camunda_entra_fastapi import CamundaEntra, EntraUser, SettingsError
from camunda_entra_fastapi.testing import EntraEmulator
from tests.conftest import FakeClock
from tests.site import logged_under, reference_in
from tests.web.conftest import bearer

ROUTES = ("/bearer", "/current", "/optional", "/scoped", "/all", "/any", "/router", "/mounted/")


@pytest.fixture
def emulator() -> EntraEmulator:
    """A local Entra of the test's own."""
    return EntraEmulator()


def client_of(emulator: EntraEmulator, **overrides: Any) -> TestClient:
    """A client of an application that trusts the emulator, with some settings changed."""
    http_client = overrides.pop("http_client", None) or emulator.http_client()
    entra = CamundaEntra(emulator.settings(**overrides), http_client=http_client)
    app = FastAPI(lifespan=entra.lifespan)

    @app.get("/", dependencies=[Depends(entra.current_user)])
    async def anything() -> None: ...

    return TestClient(app)


def code_of(client: TestClient, token: str) -> str:
    """The refusal's code, or "accepted"."""
    answer = client.get("/", headers=bearer(token))
    return "accepted" if answer.status_code == 200 else str(answer.json()["detail"]["code"])


def test_reads_the_six_variables(emulator: EntraEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without arguments, the environment decides."""
    for name, value in emulator.environment().items():
        monkeypatch.setenv(name, value)
    assert CamundaEntra().settings == emulator.settings()


def test_wrong_settings_are_told_at_construction() -> None:
    """No request has to fail first."""
    with pytest.raises(SettingsError, match="CAMUNDA_IDENTITY_ISSUER is not set"):
        CamundaEntra()


def test_an_issuer_by_domain_is_refused_with_the_right_one(
    emulator: EntraEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    """Entra's own document gives the GUID form; the operator is told it."""
    right = emulator.settings().issuer
    tenant = emulator.settings().tenant
    assert tenant
    wrong = right.replace(tenant, "contoso.onmicrosoft.com")
    with (
        caplog.at_level(logging.WARNING),
        client_of(emulator, issuer=wrong, issuer_backend_url=wrong) as client,
    ):
        answer = client.get("/", headers=bearer(emulator.token()))
    assert (answer.status_code, answer.json()["detail"]["code"]) == (503, "issuer_unexpected")
    message = answer.json()["detail"]["message"]
    assert "login.entra" not in message
    assert right in logged_under(reference_in(message), caplog)


def messages_of(caplog: pytest.LogCaptureFixture, words: str) -> list[str]:
    """The warnings with those words."""
    records = [each for each in caplog.records if each.levelno == logging.WARNING]
    return [each.getMessage() for each in records if words in each.getMessage()]


def test_each_start_with_the_local_entra_is_warned_of_once(
    emulator: EntraEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    """However often its documents are fetched again."""
    with client_of(emulator, metadata_lifetime=1) as client:
        for _ in range(3):
            assert client.get("/", headers=bearer(emulator.token())).status_code == 200
            emulator.rotate_keys()
    (warning,) = messages_of(caplog, "is the local Entra, which asks for no password")
    assert emulator.settings().issuer in warning


@pytest.mark.parametrize("base_url", ["https://login.example.com", "https://login.microsoftonline.com"])
def test_beyond_this_machine_the_local_entra_is_refused_unless_a_setting_says_that_it_is_meant(
    base_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """By our 503 and not the caller's 401; the log names the setting."""
    emulator = EntraEmulator(base_url=base_url)
    with client_of(emulator, allow_local_entra=False) as client:
        answer = client.get("/", headers=bearer(emulator.token()))
    assert (answer.status_code, answer.json()["detail"]["code"]) == (503, "local_entra")
    assert "WWW-Authenticate" not in answer.headers
    assert messages_of(caplog, "CAMUNDA_ENTRA_ALLOW_LOCAL_ENTRA=true")
    assert not messages_of(caplog, "whoever reaches it is anybody here")
    caplog.clear()
    with client_of(emulator) as client:
        assert client.get("/", headers=bearer(emulator.token())).status_code == 200
    assert len(messages_of(caplog, "whoever reaches it is anybody here")) == 1


def test_keys_of_the_local_entra_are_no_other_entras(caplog: pytest.LogCaptureFixture) -> None:
    """A discovery document that somebody else wrote may lead to them."""
    emulator = EntraEmulator(base_url="https://login.example.com")

    async def unmarked(request: httpx.Request) -> httpx.Response:
        async with emulator.http_client() as entra:
            answer = await entra.send(httpx.Request(request.method, request.url))
        document = answer.json()
        if "issuer" in document:
            del document["local_entra"]
        return httpx.Response(200, json=document)

    http_client = httpx.AsyncClient(transport=httpx.MockTransport(unmarked))
    with client_of(emulator, http_client=http_client, allow_local_entra=False) as client:
        answer = client.get("/", headers=bearer(emulator.token()))
    assert (answer.status_code, answer.json()["detail"]["code"]) == (503, "local_entra")
    assert messages_of(caplog, "CAMUNDA_ENTRA_ALLOW_LOCAL_ENTRA=true")


def test_guests_are_let_in_unless_the_setting_says_no(emulator: EntraEmulator) -> None:
    """``CAMUNDA_ENTRA_ALLOW_GUESTS``."""
    guest = emulator.token(acct=1)
    with client_of(emulator) as client:
        assert code_of(client, guest) == "accepted"
    with client_of(emulator, allow_guests=False) as client:
        assert code_of(client, guest) == "guest_not_allowed"
        assert client.get("/", headers=bearer(guest)).status_code == 403
        assert code_of(client, emulator.token(acct=0)) == "accepted"


def test_allowed_clients_are_the_only_ones(emulator: EntraEmulator) -> None:
    """``CAMUNDA_ENTRA_ALLOWED_CLIENTS``; a listed application needs no role."""
    listed, other = "AAAAAAAA-0000-4000-8000-000000000001", "aaaaaaaa-0000-4000-8000-000000000002"
    with client_of(emulator, allowed_clients=[listed.lower()]) as client:
        assert code_of(client, emulator.token(azp=listed)) == "accepted"
        assert code_of(client, emulator.token(azp=other)) == "client_not_allowed"
        assert code_of(client, emulator.token(app_only=True, roles=[], azp=listed)) == "accepted"


def test_an_application_without_permissions_is_refused(emulator: EntraEmulator) -> None:
    """Any application of the tenant can get such a token."""
    with client_of(emulator) as client:
        assert code_of(client, emulator.token(app_only=True, roles=[])) == "app_without_permissions"


def test_v1_tokens_are_refused_with_the_remedy_or_accepted_by_setting(emulator: EntraEmulator) -> None:
    """``CAMUNDA_ENTRA_ACCEPT_V1_TOKENS``."""
    token = emulator.token(version=1, aud=emulator.settings().client_id)
    with client_of(emulator) as client:
        message = client.get("/", headers=bearer(token)).json()["detail"]["message"]
        assert code_of(client, token) == "v1_token"
        assert "requestedAccessTokenVersion" in message
    with client_of(emulator, accept_v1_tokens=True) as client:
        assert code_of(client, token) == "accepted"


def test_several_tenants_by_an_allow_list(emulator: EntraEmulator) -> None:
    """``CAMUNDA_ENTRA_ALLOWED_TENANTS`` with an issuer for more tenants than one."""
    settings = emulator.settings()
    assert settings.tenant
    other = "bbbbbbbb-0000-4000-8000-000000000001"
    issuer = settings.issuer.replace(settings.tenant, "{tenantid}")
    foreign = emulator.token(tid=other, iss=settings.issuer.replace(settings.tenant, other))
    common = settings.issuer.replace(settings.tenant, "common")
    for spelling in (issuer, common):
        options = {"issuer": spelling, "issuer_backend_url": common}
        with client_of(emulator, allowed_tenants=[settings.tenant], **options) as client:
            assert code_of(client, emulator.token()) == "accepted"
            assert code_of(client, foreign) == "tenant_mismatch"
        with client_of(emulator, allowed_tenants=["*"], **options) as client:
            assert code_of(client, foreign) == "accepted"


def test_other_audiences_are_a_setting(emulator: EntraEmulator) -> None:
    """``CAMUNDA_IDENTITY_AUDIENCE`` may list several."""
    with client_of(emulator, audience=["api://one", "two"]) as client:
        assert code_of(client, emulator.token(aud="api://one")) == "accepted"
        assert code_of(client, emulator.token(aud="two")) == "accepted"
        assert code_of(client, emulator.token()) == "audience_mismatch"


def test_custom_signing_keys_are_asked_for_by_client_id(emulator: EntraEmulator) -> None:
    """Applications with claims mapping have keys of their own, shown with ``?appid=``."""
    with client_of(emulator, custom_signing_keys=True) as client:
        assert code_of(client, emulator.token()) == "accepted"
    queries = {request.query for request in emulator.requests}
    assert queries == {f"appid={emulator.settings().client_id}"}


def test_a_token_cache_of_zero_caches_nothing(emulator: EntraEmulator) -> None:
    """``CAMUNDA_ENTRA_TOKEN_CACHE_SIZE=0``; tokens are good all the same."""
    token = emulator.token()
    with client_of(emulator, token_cache_size=0) as client:
        assert [code_of(client, token) for _ in range(3)] == ["accepted"] * 3


@pytest.fixture
def entra(emulator: EntraEmulator) -> CamundaEntra:
    """One that trusts the first emulator, and has a client of its own."""
    return CamundaEntra(emulator.settings(), http_client=emulator.http_client())


@pytest.fixture
def other() -> EntraEmulator:
    """Another Entra, with keys of its own under the same names."""
    return EntraEmulator()


@pytest.fixture
def everywhere(entra: CamundaEntra) -> FastAPI:
    """An application that is guarded in every way and made before anything is overridden."""
    app, mounted, router = FastAPI(), FastAPI(), APIRouter(dependencies=[Depends(entra.current_user)])
    guards = {
        "/bearer": Depends(entra.bearer),
        "/current": Depends(entra.current_user),
        "/optional": Depends(entra.optional_user),
        "/scoped": Security(entra.current_user, scopes=["Incidents.Read"]),
        "/all": Depends(entra.require(roles=["Operate.Admin"])),
        "/any": Depends(entra.require_any(scopes=["Incidents.Read"], roles=["Operate.Admin"])),
    }

    async def nothing() -> None: ...

    for path, guard in guards.items():
        app.get(path, dependencies=[guard])(nothing)
    router.get("/router")(nothing)
    mounted.get("/", dependencies=[Depends(entra.current_user)])(nothing)
    app.include_router(router)
    app.mount("/mounted", mounted)

    @app.websocket("/socket")
    async def socket(websocket: WebSocket, user: Annotated[EntraUser, Depends(entra.current_user)]) -> None:
        await websocket.accept()
        await websocket.send_text(user.roles[0])
        await websocket.close()

    return app


def token_of(emulator: EntraEmulator) -> str:
    """A token that every route lets in."""
    return emulator.token(scopes=["Incidents.Read"], roles=["Operate.Admin"])


def verdict(app: FastAPI, token: str, path: str = "/current") -> str:
    """The refusal's code, or "accepted"."""
    answer = TestClient(app).get(path, headers=bearer(token))
    return "accepted" if answer.status_code == 200 else str(answer.json()["detail"]["code"])


@pytest.mark.parametrize("path", ROUTES)
def test_overridden_reaches_dependencies_that_are_wired_already(
    entra: CamundaEntra, everywhere: FastAPI, emulator: EntraEmulator, other: EntraEmulator, path: str
) -> None:
    """Routes, routers and mounted applications trust the other Entra meanwhile, and only meanwhile."""
    first, second = token_of(emulator), token_of(other)
    assert [verdict(everywhere, token, path) for token in (first, second)] == ["accepted", "key_unknown"]
    with entra.overridden(other.settings(), http_client=other.http_client()):
        assert [verdict(everywhere, token, path) for token in (first, second)] == ["key_unknown", "accepted"]
    assert [verdict(everywhere, token, path) for token in (first, second)] == ["accepted", "key_unknown"]


def test_overridden_reaches_websockets(
    entra: CamundaEntra, everywhere: FastAPI, other: EntraEmulator
) -> None:
    """They have the same dependencies."""
    with (
        entra.overridden(other.settings(), http_client=other.http_client()),
        TestClient(everywhere).websocket_connect("/socket", headers=bearer(token_of(other))) as socket,
    ):
        assert socket.receive_text() == "Operate.Admin"


def test_refusals_meanwhile_name_the_other_registration(
    entra: CamundaEntra, everywhere: FastAPI, other: EntraEmulator
) -> None:
    """A client is told where the tokens come from that count now, by every dependency."""
    client_id = "aaaaaaaa-0000-4000-8000-00000000000f"
    settings = other.settings(client_id=client_id)
    lacking = other.token(roles=[])
    with entra.overridden(settings, http_client=other.http_client()):
        assert entra.settings is settings
        client = TestClient(everywhere)
        for answer in (client.get("/current"), client.get("/all", headers=bearer(lacking))):
            assert f'client_id="{client_id}"' in answer.headers["WWW-Authenticate"]
    assert client_id not in TestClient(everywhere).get("/current").headers["WWW-Authenticate"]


def test_caches_are_as_before_when_overriding_ends(
    entra: CamundaEntra, everywhere: FastAPI, emulator: EntraEmulator, other: EntraEmulator
) -> None:
    """Nothing is fetched again, and nothing that was trusted meanwhile is cached."""
    token, foreign = token_of(emulator), token_of(other)
    assert verdict(everywhere, token) == "accepted"
    count = len(emulator.requests)
    with entra.overridden(other.settings(), http_client=other.http_client()):
        assert verdict(everywhere, foreign) == "accepted"
    emulator.down()
    assert verdict(everywhere, token) == "accepted"
    assert len(emulator.requests) == count
    assert verdict(everywhere, foreign) == "key_unknown"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"audience": "aaaaaaaa-0000-4000-8000-00000000000f"}, "audience_mismatch"),
        ({"allowed_clients": "aaaaaaaa-0000-4000-8000-00000000000f"}, "client_not_allowed"),
    ],
    ids=["audience", "clients"],
)
def test_a_token_accepted_before_is_validated_again_under_other_settings(
    entra: CamundaEntra, everywhere: FastAPI, emulator: EntraEmulator, changed: dict[str, str], code: str
) -> None:
    """A user that is cached under one policy is not used under the next."""
    token = token_of(emulator)
    assert [verdict(everywhere, token) for _ in range(2)] == ["accepted", "accepted"]
    with entra.overridden(emulator.settings(**changed), http_client=emulator.http_client()):
        assert verdict(everywhere, token) == code
    assert verdict(everywhere, token) == "accepted"


def test_a_lifespan_that_begins_meanwhile_fetches_the_other_keys(
    entra: CamundaEntra, emulator: EntraEmulator, other: EntraEmulator
) -> None:
    """The service starts in front of the Entra that it is tested with."""
    app = FastAPI(lifespan=entra.lifespan)
    with entra.overridden(other.settings(), http_client=other.http_client()), TestClient(app):
        assert other.count("/keys") == 1
    assert not emulator.requests


def test_overriding_nests_and_unwinds_in_order(
    entra: CamundaEntra, everywhere: FastAPI, emulator: EntraEmulator, other: EntraEmulator
) -> None:
    """The innermost counts, then the one around it, with what it knew."""
    third = EntraEmulator()
    tokens = [token_of(one) for one in (emulator, other, third)]

    def accepted() -> list[int]:
        return [place for place, token in enumerate(tokens) if verdict(everywhere, token) == "accepted"]

    with entra.overridden(other.settings(), http_client=other.http_client()):
        assert accepted() == [1]
        with entra.overridden(third.settings(), http_client=third.http_client()):
            assert accepted() == [2]
        other.down()
        assert accepted() == [1]
    assert accepted() == [0]


def test_overriding_that_ends_in_another_order_leaves_nothing_behind(
    entra: CamundaEntra, everywhere: FastAPI, emulator: EntraEmulator, other: EntraEmulator
) -> None:
    """Two tasks may override side by side; when both are done, all is as before."""
    third = EntraEmulator()
    first, second = ExitStack(), ExitStack()
    first.enter_context(entra.overridden(other.settings(), http_client=other.http_client()))
    second.enter_context(entra.overridden(third.settings(), http_client=third.http_client()))
    first.close()
    assert verdict(everywhere, token_of(third)) == "accepted"
    second.close()
    assert verdict(everywhere, token_of(third)) == "key_unknown"
    assert verdict(everywhere, token_of(emulator)) == "accepted"


def test_an_error_ends_overriding_too(
    entra: CamundaEntra, everywhere: FastAPI, emulator: EntraEmulator, other: EntraEmulator
) -> None:
    """A failed test does not change the next one."""
    with (
        pytest.raises(RuntimeError, match="the test failed"),
        entra.overridden(other.settings(), http_client=other.http_client()),
    ):
        raise RuntimeError("the test failed")
    assert entra.settings == emulator.settings()
    assert verdict(everywhere, token_of(emulator)) == "accepted"


def test_what_is_not_overridden_stays(
    emulator: EntraEmulator, other: EntraEmulator, clock: FakeClock
) -> None:
    """Settings, client and clock are overridden one by one, and nested ones keep what is around them."""
    entra = CamundaEntra(emulator.settings(), http_client=emulator.http_client())
    app = FastAPI()
    app.get("/current", dependencies=[Depends(entra.current_user)])(lambda: None)
    guest = emulator.token(acct=1)
    with entra.overridden(emulator.settings(allow_guests=False)):
        assert verdict(app, guest) == "guest_not_allowed"
        with entra.overridden(http_client=other.http_client()):
            assert verdict(app, other.token(acct=1)) == "guest_not_allowed"
            assert verdict(app, other.token()) == "accepted"
            clock.now = 4_000_000_000.0
            with entra.overridden(clock=clock):
                assert verdict(app, other.token()) == "token_expired"


def test_a_service_without_a_client_secret_runs(
    emulator: EntraEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    """Swagger UI alone is wired, straight to Entra; a session cookie means nothing there."""
    settings = emulator.settings().model_copy(update={"client_secret": None})
    entra = CamundaEntra(settings, http_client=emulator.http_client())
    app = FastAPI(lifespan=entra.lifespan)
    app.get("/current", dependencies=[Depends(entra.current_user)])(lambda: None)
    entra.install(app)
    with caplog.at_level(logging.INFO), TestClient(app) as client:
        assert client.get("/auth/login").status_code == 404
        cookie = {"Cookie": "entra_session=x", "Accept": "text/html"}
        assert client.get("/current", headers=cookie).status_code == 401
        assert client.get("/current", headers=bearer(emulator.token())).status_code == 200
        flows = client.get("/openapi.json").json()["components"]["securitySchemes"]["Entra"]["flows"]
    assert flows["authorizationCode"]["tokenUrl"] == settings.token_url
    assert "Redirect URIs" not in caplog.text


def test_protecting_docs_that_nobody_could_open_is_an_error(emulator: EntraEmulator) -> None:
    """The application is left as it was."""
    entra = CamundaEntra(emulator.settings().model_copy(update={"client_secret": None}))
    app = FastAPI()
    before = list(app.routes)
    with pytest.raises(SettingsError, match="CAMUNDA_IDENTITY_CLIENT_SECRET is not set"):
        entra.install(app, protect_docs=True)
    assert (app.routes, app.swagger_ui_init_oauth, app.user_middleware) == (before, None, [])


def test_redirect_uris_are_logged_once_at_start(
    emulator: EntraEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    """As they have to be registered, with the public address where it is known."""
    entra = CamundaEntra(
        emulator.settings(base_url="https://operate.example.com"), http_client=emulator.http_client()
    )
    app = FastAPI(lifespan=entra.lifespan, swagger_ui_oauth2_redirect_url="/api-docs/back")
    entra.install(app, prefix="/in", callback_path="/sso-callback")
    with caplog.at_level(logging.INFO), TestClient(app):
        pass
    (line,) = [record.getMessage() for record in caplog.records if "Redirect URIs" in record.getMessage()]
    for path in ("/sso-callback", "/api-docs/back", "/in/admin-consent-callback", "/in/front-channel-logout"):
        assert f"https://operate.example.com{path}" in line


@pytest.mark.parametrize("wrong", [{"prefix": "in"}, {"callback_path": "https://x.example/callback"}])
def test_paths_that_are_none_are_refused(emulator: EntraEmulator, wrong: dict[str, str]) -> None:
    """Where they are given, and before any request."""
    entra = CamundaEntra(emulator.settings())
    with pytest.raises(ValueError, match="is not a path"):
        entra.login_router(prefix=wrong.get("prefix"), callback_path=wrong.get("callback_path"))
    with pytest.raises(ValueError, match="is not a path"):
        entra.install(FastAPI(), prefix=wrong.get("prefix"), callback_path=wrong.get("callback_path"))
