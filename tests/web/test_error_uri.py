"""Where a code is documented: in challenges (RFC 6750, 3 ``error_uri``) and at the end of the log's lines."""

import logging
import re
from typing import Any

import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient

from camunda_entra_fastapi import CamundaEntra
from camunda_entra_fastapi.errors import CODES, CredentialsMissing, InvalidToken, SettingsError
from camunda_entra_fastapi.settings.urls import MAX_DOCUMENTATION_URL
from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.web.challenges import Challenger

DOCUMENTATION = "https://docs.example.com/entra"
# RFC 6750, 3: a URI-reference of %x21 / %x23-5B / %x5D-7E, and nothing else.
ERROR_URI = re.compile(r'error_uri="([\x21\x23-\x5b\x5d-\x7e]+)"')


@pytest.fixture
def emulator() -> EntraEmulator:
    """A local Entra."""
    return EntraEmulator()


def client_of(emulator: EntraEmulator, **settings: Any) -> TestClient:
    """A client of an application with one protected route and the pages for signing in."""
    entra = CamundaEntra(emulator.settings(**settings), http_client=emulator.http_client())
    app = FastAPI(lifespan=entra.lifespan)
    entra.install(app)
    app.add_api_route("/", lambda: None, dependencies=[Depends(entra.current_user)])
    return TestClient(app)


def test_a_challenge_and_the_log_name_the_page_of_the_code(
    emulator: EntraEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    """Operators publish the documentation, and whoever is refused finds the code in it."""
    caplog.set_level(logging.INFO)
    expected = f"{DOCUMENTATION}/reference/codes/#audience_mismatch"
    with client_of(emulator, documentation_url=f"{DOCUMENTATION}/") as client:
        token = emulator.token(aud="api://other")
        refused = client.get("/", headers={"Authorization": f"Bearer {token}"})
        assert ERROR_URI.findall(refused.headers["WWW-Authenticate"]) == [expected]
    (line,) = [line for line in caplog.messages if line.startswith("Request refused")]
    assert line.endswith(f" More: {expected}")


def test_a_request_without_credentials_has_no_error_and_so_no_page(emulator: EntraEmulator) -> None:
    """RFC 6750, 3.1: then no error information should be there."""
    with client_of(emulator, documentation_url=DOCUMENTATION) as client:
        assert "error" not in client.get("/").headers["WWW-Authenticate"]


def test_without_a_published_documentation_nothing_is_named(
    emulator: EntraEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    """The project has no address of its own, so none is made up."""
    caplog.set_level(logging.INFO)
    with client_of(emulator) as client:
        refused = client.get("/", headers={"Authorization": "Bearer x.y.z"})
        assert "error_uri" not in refused.headers["WWW-Authenticate"]
        client.get("/auth/login-callback?state=unknown&code=1")
    assert caplog.messages
    assert not [line for line in caplog.messages if "More:" in line]


def test_the_lines_of_faults_and_failed_sign_ins_name_the_page_too(
    emulator: EntraEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    """Their codes stand on the same page."""
    caplog.set_level(logging.INFO)
    emulator.down()
    with client_of(emulator, documentation_url=DOCUMENTATION) as client:
        client.get("/", headers={"Authorization": f"Bearer {emulator.token()}"})
        client.get("/auth/login-callback?state=unknown&code=1")
    (fault,) = [line for line in caplog.messages if line.startswith("Answered 503")]
    assert fault.endswith(f" More: {DOCUMENTATION}/reference/codes/#keys_unavailable")
    (sign_in,) = [line for line in caplog.messages if line.startswith("Sign-in refused")]
    assert sign_in.endswith(f" More: {DOCUMENTATION}/reference/codes/#login_expired")


@pytest.mark.parametrize(
    "published",
    [
        DOCUMENTATION,
        "https://docs.example.com/a'b;c=d,e!(f)",
        "https://[2001:db8::1]:8443",
        "http://localhost",
    ],
)
@pytest.mark.parametrize("code", ["audience_mismatch", max(CODES, key=len)])
def test_each_address_that_is_accepted_is_a_valid_error_uri(
    emulator: EntraEmulator, published: str, code: str
) -> None:
    """RFC 6750, 3: characters outside of the set would end the quoted value, or the header."""
    accepted = emulator.settings(documentation_url=published).documentation_url
    challenger = Challenger("tenant", lambda: "https://login.example/", "client", documentation_url=accepted)
    challenge = challenger.error_response(InvalidToken(code, "No.")).headers["WWW-Authenticate"]
    assert ERROR_URI.findall(challenge) == [f"{published}/reference/codes/#{code}"]
    assert challenger.error_uri(CredentialsMissing().code)


@pytest.mark.parametrize(
    "wrong",
    [
        'https://docs.example.com/"x',
        "https://docs.example.com/a b",
        "https://docs.example.com/\r\nSet-Cookie: a=b",
        "https://docs.example.com/\\",
        "https://docs.example.com/?page=1",
        "https://docs.example.com/#top",
        "https://user:password@docs.example.com",
        "http://docs.example.com",
        "javascript:alert(1)",
        "docs.example.com",
        "https://docs.example.com/" + "a" * MAX_DOCUMENTATION_URL,
    ],
)
def test_what_is_no_short_plain_address_is_refused_at_start(emulator: EntraEmulator, wrong: str) -> None:
    """It is in every refusal, so it is bounded, and anybody who follows it is safe."""
    with pytest.raises(SettingsError, match="CAMUNDA_ENTRA_DOCUMENTATION_URL") as caught:
        emulator.settings(documentation_url=wrong)
    assert len(caught.value.problems) == 1
