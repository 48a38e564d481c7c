"""The fixtures for tests of applications: tokens, and clients that bear them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import ModuleType
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Depends, FastAPI, WebSocket
from fastapi.responses import StreamingResponse
from starlette.requests import Request
from starlette.testclient import WebSocketDenialResponse

from camunda_entra_fastapi import CamundaEntra, EntraSettings, EntraUser
from camunda_entra_fastapi.testing import AppClients, EntraEmulator
from tests.conftest import FakeClock

ELSEWHERE = "11111111-1111-4111-8111-111111111111"
CLIENT = "22222222-2222-4222-8222-222222222222"
OWN = {
    "type": "AZUREAD",
    "issuer": f"https://login.microsoftonline.com/{ELSEWHERE}/v2.0",
    "client_id": CLIENT,
}


def production(**settings: Any) -> CamundaEntra:
    """As a service has it that is run in production: another tenant and registration."""

    def unreachable(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no network in tests", request=request)

    http_client = httpx.AsyncClient(transport=httpx.MockTransport(unreachable))
    return CamundaEntra(EntraSettings(**OWN | settings), http_client=http_client)


def guarded(entra: CamundaEntra) -> FastAPI:
    """A small application, which counts how often it was started and ended."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, str]]:
        app.state.events = [*getattr(app.state, "events", []), "started"]
        async with entra.lifespan():
            yield {"made_at_start": "a value"}
        app.state.events.append("ended")

    app = FastAPI(lifespan=lifespan)

    @app.get("/me")
    async def me(user: Annotated[EntraUser, Depends(entra.current_user)]) -> dict[str, Any]:
        return {"name": user.name, "roles": user.roles, "scopes": user.scopes, "is_app": user.is_app}

    @app.get("/state")
    async def state(request: Request) -> str:
        return str(request.state.made_at_start)

    @app.get("/loop")
    async def loop() -> int:
        return id(asyncio.get_running_loop())

    @app.get("/busy", status_code=503)
    async def busy() -> StreamingResponse:
        return StreamingResponse(iter(["later"]), status_code=503)

    @app.websocket("/socket")
    async def socket(websocket: WebSocket, user: Annotated[EntraUser, Depends(entra.current_user)]) -> None:
        await websocket.accept()
        await websocket.send_text(str(user.name))
        await websocket.close()

    return app


@pytest.fixture
def entra() -> CamundaEntra:
    """Trusts somebody else, as long as no test says otherwise."""
    return production()


@pytest.fixture
def app(entra: CamundaEntra) -> FastAPI:
    """What is under test."""
    return guarded(entra)


def test_entra_token_is_a_token_of_the_emulators(
    entra_token: Callable[..., str], entra_emulator: EntraEmulator, entra_client: AppClients, app: FastAPI
) -> None:
    """It takes the arguments of ``EntraEmulator.token``, and both are of the same emulator."""
    assert entra_token == entra_emulator.token


def test_a_client_bears_the_token_that_was_chosen(
    entra_client: AppClients, app: FastAPI, entra: CamundaEntra
) -> None:
    """User, roles and scopes as for a token; the application is not changed for it."""
    client = entra_client(app, entra, user="Ben Reader", roles=["A.Role"], scopes=["One", "Two"])
    for _ in range(2):
        assert client.get("/me").json() == {
            "name": "Ben Reader",
            "roles": ["A.Role"],
            "scopes": ["One", "Two"],
            "is_app": False,
        }


def test_a_client_may_be_an_applications(entra_client: AppClients, app: FastAPI, entra: CamundaEntra) -> None:
    """``app_only`` as for a token."""
    assert entra_client(app, entra, app_only=True, roles=["A.Role"]).get("/me").json()["is_app"]


def test_a_client_takes_claims(entra_client: AppClients, app: FastAPI, entra: CamundaEntra) -> None:
    """Whatever ``EntraEmulator.token`` takes goes there."""
    assert entra_client(app, entra, name="Somebody").get("/me").json()["name"] == "Somebody"
    expired = entra_client(app, entra, lifetime=-3600).get("/me")
    assert expired.json()["detail"]["code"] == "token_expired"


def test_an_anonymous_client_bears_none(entra_client: AppClients, app: FastAPI, entra: CamundaEntra) -> None:
    """401 is tested with it."""
    client = entra_client(app, entra, anonymous=True)
    assert client.get("/me").json()["detail"]["code"] == "credentials_missing"


def test_a_requests_own_header_counts_more(
    entra_client: AppClients, entra_token: Callable[..., str], app: FastAPI, entra: CamundaEntra
) -> None:
    """Single requests may bear something else."""
    headers = {"Authorization": f"Bearer {entra_token(aud='api://other')}"}
    answer = entra_client(app, entra).get("/me", headers=headers)
    assert answer.json()["detail"]["code"] == "audience_mismatch"


def test_websockets_bear_the_token_too(entra_client: AppClients, app: FastAPI, entra: CamundaEntra) -> None:
    """Opened with the same client."""
    with entra_client(app, entra, user="Ben Reader").websocket_connect("/socket") as socket:
        assert socket.receive_text() == "Ben Reader"
    with (
        pytest.raises(WebSocketDenialResponse) as denial,
        entra_client(app, entra, anonymous=True).websocket_connect("/socket"),
    ):
        pass
    assert denial.value.status_code == 401


def test_several_clients_share_one_start_of_the_application(
    entra_client: AppClients, app: FastAPI, entra: CamundaEntra, entra_emulator: EntraEmulator
) -> None:
    """Two people at once are one service: one lifespan, one event loop, one fetch of the keys."""
    ada, ben = entra_client(app, entra, user="Ada Admin"), entra_client(app, entra, user="Ben Reader")
    assert [client.get("/me").json()["name"] for client in (ada, ben)] == ["Ada Admin", "Ben Reader"]
    assert [client.get("/state").json() for client in (ada, ben)] == ["a value", "a value"]
    assert len({client.get("/loop").json() for client in (ada, ben, ada)}) == 1
    assert app.state.events == ["started"]
    assert entra_emulator.count("/keys") == 1


def test_two_applications_are_started_both(entra_client: AppClients, entra: CamundaEntra) -> None:
    """Each has its own lifespan, also when one CamundaEntra guards both."""
    first, second = guarded(entra), guarded(entra)
    assert [entra_client(app, entra).get("/state").json() for app in (first, second)] == ["a value"] * 2
    assert first.state.events == second.state.events == ["started"]


def test_two_registrations_are_overridden_both(entra_client: AppClients) -> None:
    """Several may stand side by side; each that is named trusts the emulator until the test ends."""
    first, second = production(), production()
    for entra in (first, second):
        entra_client(guarded(entra), entra)
    assert first.settings.issuer == second.settings.issuer != production().settings.issuer


def test_with_out_of_habit_starts_nothing_twice(
    entra_client: AppClients, app: FastAPI, entra: CamundaEntra
) -> None:
    """The client is started already, and is there until the test ends."""
    with entra_client(app, entra) as client:
        assert client.get("/me").status_code == 200
    assert client.get("/state").json() == "a value"
    assert app.state.events == ["started"]


async def test_an_asynchronous_client_bears_the_token(
    entra_client: AppClients, app: FastAPI, entra: CamundaEntra
) -> None:
    """The same for coroutines; no lifespan runs, and keys are fetched on first use."""
    client = entra_client.asynchronous(app, entra, user="Ben Reader", roles=["A.Role"], scopes=["One"])
    assert (await client.get("/me")).json() == {
        "name": "Ben Reader",
        "roles": ["A.Role"],
        "scopes": ["One"],
        "is_app": False,
    }
    daemon = entra_client.asynchronous(app, entra, app_only=True, roles=["A.Role"])
    assert (await daemon.get("/me")).json()["is_app"]
    async with entra_client.asynchronous(app, entra, anonymous=True) as nobody:
        assert (await nobody.get("/me")).status_code == 401
    assert not hasattr(app.state, "events")


async def test_a_lifespan_can_be_put_around_an_asynchronous_client(
    entra_client: AppClients, app: FastAPI, entra: CamundaEntra, entra_emulator: EntraEmulator
) -> None:
    """By Starlette's own means, and it is the emulator whose keys are fetched."""
    client = entra_client.asynchronous(app, entra)
    async with app.router.lifespan_context(app):
        assert entra_emulator.count("/keys") == 1
        assert (await client.get("/me")).status_code == 200
    assert app.state.events == ["started", "ended"]


def test_everything_ends_with_the_test(
    entra_emulator: EntraEmulator, app: FastAPI, entra: CamundaEntra
) -> None:
    """Clients are closed, the application is ended, and the CamundaEntra trusts whom it trusted."""
    own = entra.settings
    with AppClients(entra_emulator) as clients:
        client, other = clients(app, entra), clients(app, entra)
        coroutines = clients.asynchronous(app, entra)
        (fetching,) = [one for one in clients._asynchronous if one is not coroutines]
        assert client.get("/me").status_code == 200
        assert entra.settings is not own
    assert entra.settings is own
    assert app.state.events == ["started", "ended"]
    assert all(one.is_closed for one in (client, other, coroutines, fetching))


async def test_everything_ends_inside_of_an_event_loop_too(
    entra_emulator: EntraEmulator, app: FastAPI, entra: CamundaEntra
) -> None:
    """Closing waits for no loop of the test's."""
    with AppClients(entra_emulator) as clients:
        client = clients.asynchronous(app, entra)
        assert (await client.get("/me")).status_code == 200
    assert client.is_closed


def test_a_failing_test_ends_everything_too(
    entra_emulator: EntraEmulator, app: FastAPI, entra: CamundaEntra
) -> None:
    """The next test finds the application as it was."""
    own = entra.settings
    clients = AppClients(entra_emulator)
    with pytest.raises(RuntimeError, match="the test failed"), clients, clients(app, entra):
        raise RuntimeError("the test failed")
    assert (entra.settings, app.state.events) == (own, ["started", "ended"])


def test_policies_stay_the_applications_own(entra_client: AppClients, entra_emulator: EntraEmulator) -> None:
    """What production refuses, a test does not let in."""
    entra = production(allow_guests=False, allowed_clients=[CLIENT])
    app = guarded(entra)
    assert entra_client(app, entra, azp=CLIENT).get("/me").status_code == 200
    guest = entra_client(app, entra, azp=CLIENT, acct=1).get("/me")
    assert guest.json()["detail"]["code"] == "guest_not_allowed"
    assert entra_client(app, entra).get("/me").json()["detail"]["code"] == "client_not_allowed"
    assert entra.settings.audience == entra_emulator.settings().audience


@pytest.mark.parametrize(("tenants", "foreign"), [([ELSEWHERE], "tenant_mismatch"), (["*"], None)])
def test_an_application_for_several_tenants_stays_one(
    entra_client: AppClients, tenants: list[str], foreign: str | None
) -> None:
    """The emulator's tenant is let in besides its own ones, and no others are."""
    common = "https://login.microsoftonline.com/common/v2.0"
    entra = production(issuer=common, issuer_backend_url=common, allowed_tenants=tenants)
    app = guarded(entra)
    stranger = "33333333-3333-4333-8333-333333333333"
    assert entra_client(app, entra).get("/me").status_code == 200
    assert entra_client(app, entra, tenant=ELSEWHERE).get("/me").status_code == 200
    answer = entra_client(app, entra, tenant=stranger).get("/me").json()
    assert answer.get("detail", {}).get("code") == foreign


def test_the_application_lives_in_the_emulators_time(app: FastAPI, entra: CamundaEntra) -> None:
    """Tokens expire when the emulator's clock says so."""
    clock = FakeClock(now=4_000_000_000.0)
    with AppClients(EntraEmulator(clock=clock.time)) as clients:
        client = clients(app, entra)
        assert client.get("/me").status_code == 200
        clock.advance(86_400)
        assert client.get("/me").json()["detail"]["code"] == "token_expired"


def test_an_application_that_trusts_the_emulator_needs_no_entra(
    entra_client: AppClients, entra_emulator: EntraEmulator
) -> None:
    """As one has that was made in the test itself."""
    entra = CamundaEntra(entra_emulator.settings(), http_client=entra_emulator.http_client())
    assert entra_client(guarded(entra)).get("/me").status_code == 200


def test_a_forgotten_entra_is_told(entra_client: AppClients, app: FastAPI) -> None:
    """Refusals by an application that trusts another Entra would only puzzle."""
    client = entra_client(app)
    with pytest.raises(RuntimeError, match=r"\(keys_unavailable\).*entra_client\(app, entra\)"):
        client.get("/me")


async def test_a_wrong_entra_is_told(entra_client: AppClients, app: FastAPI) -> None:
    """One that guards something else is as good as none."""
    client = entra_client.asynchronous(app, production())
    with pytest.raises(RuntimeError, match=r"Pass the CamundaEntra whose dependencies guard it"):
        await client.get("/me")


def test_refusals_that_have_another_reason_are_answers(
    entra_client: AppClients, app: FastAPI, entra: CamundaEntra, entra_emulator: EntraEmulator
) -> None:
    """An outage on purpose, or the application's own 503."""
    assert entra_client(app).get("/busy").text == "later"
    entra_emulator.down()
    answer = entra_client(app, entra).get("/me")
    assert (answer.status_code, answer.json()["detail"]["code"]) == (503, "keys_unavailable")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda: None, "the function <lambda>"),
        (FastAPI, "the type FastAPI"),
        (ModuleType("main"), "the module main"),
        ("main:app", "the str"),
        (None, "the NoneType"),
    ],
)
def test_what_is_no_application_is_told(
    entra_client: AppClients, entra: CamundaEntra, wrong: Any, words: str
) -> None:
    """The mistake is named before a client fails in ways of its own; factories are the common one."""
    for make in (entra_client, entra_client.asynchronous):
        with pytest.raises(TypeError, match=rf"entra_client\(app, entra\)\. It got {words}\.$"):
            make(wrong, entra)


def test_swapped_arguments_are_told(
    entra_client: AppClients, app: FastAPI, entra: CamundaEntra, entra_emulator: EntraEmulator
) -> None:
    """The application comes first, and its CamundaEntra second."""
    mixed: Any = entra_client
    with pytest.raises(TypeError, match=r"ASGI application first.*It got the CamundaEntra\.$"):
        mixed(entra, app)
    with pytest.raises(TypeError, match=r"the CamundaEntra .*second.*It got the EntraEmulator\.$"):
        mixed(app, entra_emulator)
    assert not hasattr(app.state, "events")


def test_an_anonymous_client_with_a_chosen_token_is_told(
    entra_client: AppClients, app: FastAPI, entra: CamundaEntra
) -> None:
    """Only one of both can be meant; an empty list is a choice, too."""
    with pytest.raises(TypeError, match="no token, so roles, user cannot be chosen"):
        entra_client(app, entra, anonymous=True, user="Ada Admin", roles=[])


def test_somebody_who_is_not_in_the_directory_is_told(
    entra_client: AppClients, app: FastAPI, entra: CamundaEntra
) -> None:
    """In the words of the emulator, and before anything is changed."""
    own = entra.settings
    with pytest.raises(ValueError, match="no user 'Nobody'"):
        entra_client(app, entra, user="Nobody")
    assert entra.settings is own


class TestAnotherEmulator:
    """What a conftest.py may do."""

    @pytest.fixture
    def entra_emulator(self) -> EntraEmulator:
        """One with another address."""
        return EntraEmulator(base_url="https://login.example.com")

    def test_the_other_fixtures_follow_an_overridden_one(
        self,
        entra_client: AppClients,
        entra_token: Callable[..., str],
        entra_emulator: EntraEmulator,
        app: FastAPI,
        entra: CamundaEntra,
    ) -> None:
        """Tokens and clients are those of the emulator that the project chose."""
        headers = {"Authorization": f"Bearer {entra_token(name='Somebody')}"}
        assert entra_client(app, entra).get("/me", headers=headers).json()["name"] == "Somebody"
        assert entra.settings.issuer.startswith("https://login.example.com/")
