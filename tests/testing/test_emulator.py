"""``EntraEmulator``: tokens at a stroke, settings, the directory, the fixture."""

import subprocess
import sys
import uuid
from typing import Any

import jwt
import pytest

from camunda_entra_fastapi.testing import Application, Directory, EntraEmulator, Tenant, User
from camunda_entra_fastapi.testing.directory import BILLING, CONTOSO, OPERATE, UNRELATED
from camunda_entra_fastapi.urls import is_loopback
from tests.conftest import FakeClock
from tests.site import signing_key
from tests.testing.conftest import SECRET, Client

pytest_plugins = ["pytester"]


def claims_of(token: str) -> dict[str, Any]:
    """The claims, unverified."""
    found: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return found


def test_a_token_without_arguments_is_a_persons(emulator: EntraEmulator, clock: FakeClock) -> None:
    """The first user, the API's first scope, no role; members in Entra's order."""
    token = emulator.token()
    claims = claims_of(token)
    assert list(claims) == (
        [
            "aud",
            "iss",
            "iat",
            "nbf",
            "exp",
            "aio",
            "azp",
            "azpacr",
            "groups",
            "name",
            "oid",
            "preferred_username",
            "rh",
            "scp",
            "sub",
            "tid",
            "uti",
            "ver",
        ]
    )
    assert (claims["name"], claims["scp"], claims["aud"]) == ("Ben Reader", "access_as_user", OPERATE)
    assert claims["iss"] == emulator.settings().issuer
    assert jwt.get_unverified_header(token) == {"typ": "JWT", "alg": "RS256", "kid": emulator.keys[0].key_id}


def test_a_token_of_somebody_has_what_the_directory_says(emulator: EntraEmulator) -> None:
    """Roles and groups come from there, guests say where they are at home."""
    ada = claims_of(emulator.token(user="Ada Admin"))
    assert (ada["roles"], len(ada["groups"])) == (["Operate.Admin"], 2)
    assert claims_of(emulator.token(user="Gabi Guest"))["idp"].startswith("https://sts.windows.net/fab")
    assert claims_of(emulator.token(user="ada@contoso.example"))["oid"] == ada["oid"]


def test_roles_and_scopes_are_exactly_what_is_named(emulator: EntraEmulator) -> None:
    """Whatever the directory grants."""
    claims = claims_of(emulator.token(user="Ada Admin", roles=["X"], scopes=["a", "b"]))
    assert (claims["roles"], claims["scp"]) == (["X"], "a b")


def test_an_applications_token(emulator: EntraEmulator) -> None:
    """The one that was granted a role, with it, unless another is named."""
    claims = claims_of(emulator.token(app_only=True))
    assert (claims["azp"], claims["roles"]) == (BILLING, ["Incidents.Read.All"])
    assert "scp" not in claims
    assert "roles" not in claims_of(emulator.token(app_only=True, client=OPERATE))
    assert claims_of(emulator.token(app_only=True, application=UNRELATED))["appid"] == OPERATE


def test_a_v1_token(emulator: EntraEmulator) -> None:
    """Another issuer, another audience, other names for the client, x5t in the header."""
    token = emulator.token(version=1)
    claims = claims_of(token)
    assert claims["iss"] == f"https://sts.windows.net/{CONTOSO}/"
    assert (claims["aud"], claims["appid"], claims["ver"]) == (f"api://{OPERATE}", OPERATE, "1.0")
    assert (claims["acr"], claims["amr"], claims["unique_name"]) == ("1", ["pwd"], "ben@contoso.example")
    header = jwt.get_unverified_header(token)
    assert header["x5t"] == header["kid"]


def test_claims_and_header_members_change_and_go(emulator: EntraEmulator) -> None:
    """A value sets, None takes away."""
    token = emulator.token(header={"typ": None, "nonce": "x"}, aud="other", name=None)
    assert claims_of(token)["aud"] == "other"
    assert "name" not in claims_of(token)
    assert jwt.get_unverified_header(token) == {
        "alg": "RS256",
        "kid": emulator.keys[0].key_id,
        "nonce": "x",
    }


def test_lifetimes_may_be_over(emulator: EntraEmulator, clock: FakeClock) -> None:
    """Seconds from now, negative for a token that has expired."""
    assert claims_of(emulator.token(lifetime=-60))["exp"] == clock.now - 60
    assert claims_of(emulator.token(lifetime=5, exp=1))["exp"] == 1


def test_a_token_of_another_tenant(emulator: EntraEmulator) -> None:
    """One of the directory with its people, or any GUID with the default tenant's."""
    stranger = "5ec0d000-1111-4222-8333-444455556666"
    claims = claims_of(emulator.token(tenant=stranger.upper(), user="Ada Admin"))
    assert (claims["tid"], claims["name"]) == (stranger, "Ada Admin")
    assert claims["iss"] == f"{emulator.base_url}/{stranger}/v2.0"
    other = Tenant(stranger, "Other", "other.example", (User("eve@other.example", "Eve"),))
    both = EntraEmulator(directory=Directory((emulator.tenant, other)))
    claims = claims_of(both.token(tenant="other.example"))
    assert (claims["tid"], claims["name"], claims["aud"]) == (stranger, "Eve", OPERATE)
    assert claims_of(both.token(tenant=stranger, user="Ada Admin"))["oid"].startswith("ada")


def test_an_id_token(emulator: EntraEmulator) -> None:
    """It is for the default application, and has the nonce."""
    claims = claims_of(emulator.id_token(user="Ada Admin", nonce="n", extra=1))
    assert (claims["aud"], claims["nonce"], claims["extra"]) == (OPERATE, "n", 1)
    assert claims["roles"] == ["Operate.Admin"]
    assert "scp" not in claims


@pytest.mark.parametrize("wrong", [{"user": "Eve"}, {"application": "x"}, {"client": "x"}, {"tenant": "x"}])
def test_unknown_names_are_reported(emulator: EntraEmulator, wrong: dict[str, Any]) -> None:
    """A name that the directory does not have is a mistake in the test."""
    with pytest.raises(ValueError, match="The directory has no"):
        emulator.token(**wrong)


def test_more_than_200_groups_are_not_listed() -> None:
    """A claim says where to ask instead."""
    user = User("ada", groups=tuple(str(uuid.UUID(int=number)) for number in range(201)))
    reader = Application(BILLING, "A", scopes=("s",), group_membership_claims="SecurityGroup")
    tenant = Tenant(CONTOSO, "T", "t.example", (user,), (reader,))
    claims = claims_of(EntraEmulator(directory=Directory((tenant,))).token())
    assert "groups" not in claims
    assert claims["_claim_names"] == {"groups": "src1"}


def test_a_directory_without_people_has_nobody_to_sign_in() -> None:
    """The default person is missing, which is said."""
    tenant = Tenant(CONTOSO, "T", "d", (), (Application(BILLING, "A"),))
    emulator = EntraEmulator(directory=Directory((tenant,)))
    with pytest.raises(ValueError, match="no users"):
        emulator.token()


async def test_secrets_and_codes_are_not_shown(emulator: EntraEmulator, client: Client) -> None:
    """A failing test prints its values, and its report is public."""
    code = await client.code()
    tokens = (await client.redeem_code(code=code)).json()
    text = repr((emulator, emulator.directory, emulator.state, emulator.keys))
    for secret in (SECRET, code, tokens["refresh_token"]):
        assert secret not in text


def test_two_emulators_have_different_keys(emulator: EntraEmulator) -> None:
    """A token of one is not trusted by applications of the other."""
    assert emulator.keys[0].key_id != EntraEmulator().keys[0].key_id


def test_the_environment_has_the_six_variables(emulator: EntraEmulator) -> None:
    """The names are those of Camunda's guide, and settings are made from them."""
    environment = emulator.environment()
    assert [name.removeprefix("CAMUNDA_IDENTITY_") for name in environment] == [
        "TYPE",
        "ISSUER",
        "ISSUER_BACKEND_URL",
        "CLIENT_ID",
        "CLIENT_SECRET",
        "AUDIENCE",
    ]
    changed = emulator.environment(CAMUNDA_IDENTITY_CLIENT_SECRET=None, CAMUNDA_ENTRA_CLOCK_SKEW="5")
    assert "CAMUNDA_IDENTITY_CLIENT_SECRET" not in changed
    assert changed["CAMUNDA_ENTRA_CLOCK_SKEW"] == "5"
    settings = emulator.settings(clock_skew=5)
    assert (settings.client_id, settings.clock_skew) == (environment["CAMUNDA_IDENTITY_CLIENT_ID"], 5)


def test_an_application_without_a_secret_has_settings_too() -> None:
    """A public client needs none."""
    tenant = Tenant(CONTOSO, "T", "t.example", (), (Application(BILLING, "A"),))
    assert EntraEmulator(directory=Directory((tenant,))).settings().client_secret is None


def test_object_ids_are_not_client_ids() -> None:
    """Mixing the two up is a common mistake, so they differ here as well."""
    assert Application(OPERATE, "A").id != OPERATE
    assert Application(OPERATE, "A", id=BILLING).id == BILLING


async def test_lifespan_events_are_answered(emulator: EntraEmulator) -> None:
    """Servers that insist on them get their answer."""
    events = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
    sent: list[str] = []

    async def receive() -> Any:
        return next(events)

    async def send(message: Any) -> None:
        sent.append(message["type"])

    await emulator({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_the_fixture_comes_with_the_package(entra_emulator: EntraEmulator) -> None:
    """Installed, it is there without an import."""
    assert claims_of(entra_emulator.token())["tid"] == CONTOSO


def test_a_test_that_does_not_ask_for_it_does_not_load_it() -> None:
    """The plugin costs nothing where it is not used."""
    code = (
        "import sys, camunda_entra_fastapi.testing.fixtures.pytest_plugin; "
        "print('camunda_entra_fastapi.testing.emulator' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("127.0.0.2", None),
        ("entra.localhost", None),
        ("[::1]", None),
        ("entra", "true"),
        ("127.0.0.1.example.com", "true"),
    ],
)
def test_the_environment_says_that_it_is_meant_wherever_a_service_would_ask(
    host: str, said: str | None
) -> None:
    """What this machine is, both of them tell alike: a name that begins like its address is none."""
    emulator = EntraEmulator(base_url=f"https://{host}", new_key=signing_key)
    assert emulator.environment().get("CAMUNDA_ENTRA_ALLOW_LOCAL_ENTRA") == said
    assert is_loopback(host.strip("[]")) == (said is None)
