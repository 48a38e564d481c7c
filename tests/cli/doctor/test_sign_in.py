"""``camunda-entra doctor --sign-in``: a browser signs in for real, and both tokens are checked."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from camunda_entra_fastapi.cli.browser import NAVIGATION, open_page
from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.directory import BILLING, OPERATE
from tests.cli.conftest import Ran
from tests.ports import free_port
from tests.testing.browsing import change_application, change_tenant, change_user
from tests.waiting import PATIENCE

MODULE = "camunda_entra_fastapi.cli.doctor.sign_in"
Browse = Callable[[str], object]


@contextmanager
def browser_opens(monkeypatch: pytest.MonkeyPatch, browse: Browse) -> Iterator[list[Any]]:
    """The browser that is opened, as a function; what it returned is in the list."""
    pages: list[Any] = []
    threads: list[threading.Thread] = []

    def opened(url: str) -> bool:
        threads.append(threading.Thread(target=lambda: pages.append(browse(url))))
        threads[-1].start()
        return True

    monkeypatch.setattr(f"{MODULE}.webbrowser.open", opened)
    yield pages
    for thread in threads:
        thread.join()


def ada(url: str) -> httpx2.Response:
    """Ada opens the page and signs in."""
    with httpx2.Client(trust_env=False, timeout=PATIENCE) as client:
        return open_page(client, url, "Ada Admin")


def states_by_name(ran: Ran) -> dict[str, list[str]]:
    """The findings' states, by their names."""
    found: dict[str, list[str]] = {}
    for each in ran.json["findings"]:
        found.setdefault(each["name"], []).append(each["state"])
    return found


@pytest.fixture
def port(emulator: EntraEmulator) -> str:
    """A free port of the local page, registered."""
    number = free_port()
    uris = {f"http://localhost:{number}/auth/login-callback": "web"}
    change_application(emulator, OPERATE, redirect_uris=uris)
    return str(number)


def test_both_tokens_are_explained(
    port: str, run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All checks of both pass, there is a refresh token, and the browser says that all is done."""
    with browser_opens(monkeypatch, ada) as pages:
        ran = run("doctor", "--json", "--sign-in", "--port", port)
    assert ran.code == 0, ran.output
    states = states_by_name(ran)
    assert (
        states["ID token"] == states["access token"] == states["refresh token"] == states["sign-in"] == ["ok"]
    )
    (access,) = [each for each in ran.json["findings"] if each["name"] == "access token"]
    assert access["told"] == "all 11 checks pass; version 2.0"
    assert "Roles: Operate.Admin." in access["actual"]
    assert "You are signed in" in pages[0].text
    assert f"http://localhost:{port}/" in ran.error
    assert "eyJ" not in ran.output + ran.error + pages[0].text


def test_people_see_where_to_go(port: str, run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    """The address, the redirect URI that it needs, and then the findings."""
    with browser_opens(monkeypatch, ada):
        ran = run("doctor", "--sign-in", "--port", port)
    assert f"It needs the redirect URI http://localhost:{port}/auth/login-callback" in ran.output
    assert "Entra redeemed the code" in ran.output


def test_v1_tokens_are_seen(
    port: str, emulator: EntraEmulator, run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The access token's first failed check has the remedy; the browser shows it, too."""
    change_application(emulator, OPERATE, requested_access_token_version=None)
    with browser_opens(monkeypatch, ada) as pages:
        ran = run("doctor", "--json", "--sign-in", "--port", port)
    wrong = [each for each in ran.json["findings"] if each["name"] == "access token"]
    assert wrong[0]["code"] == "v1_token"
    assert "requestedAccessTokenVersion" in wrong[0]["remedy"]
    assert ran.code == 1
    assert "Something is wrong" in pages[0].text
    assert "requestedAccessTokenVersion" in pages[0].text


def test_a_token_for_graph_hinders_no_sign_in(
    port: str, run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is good to know, and so is the missing refresh token."""
    with browser_opens(monkeypatch, ada):
        ran = run(
            "doctor", "--json", "--sign-in", "--port", port, CAMUNDA_ENTRA_SCOPES="openid profile User.Read"
        )
    states = states_by_name(ran)
    assert states["refresh token"] == ["note"]
    assert "graph_token" in {each.get("code") for each in ran.json["findings"]}
    (graph, *_) = [each for each in ran.json["findings"] if each.get("code") == "graph_token"]
    assert graph["state"] == "note"
    assert states["access token"] == ["note"]
    assert ran.code == 0


def test_a_refused_code(port: str, run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong secret is seen when the code is redeemed, too."""
    with browser_opens(monkeypatch, ada):
        ran = run("doctor", "--json", "--sign-in", "--port", port, CAMUNDA_IDENTITY_CLIENT_SECRET="nope")
    assert [each["name"] for each in ran.json["findings"] if each.get("code") == "AADSTS7000215"] == [
        "credential",
        "sign-in",
    ]


def test_no_consent(
    port: str, emulator: EntraEmulator, run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error that Entra sends instead of a code has its finding."""
    change_application(emulator, OPERATE, admin_consent=False)

    def declines(url: str) -> httpx2.Response:
        with httpx2.Client(trust_env=False, timeout=PATIENCE) as client:
            page = client.get(url, headers=NAVIGATION, follow_redirects=True)
            authorization = page.request.url.params
            back = authorization["redirect_uri"]
            parameters = {
                "error": "access_denied",
                "error_description": "AADSTS65004: no",
                "state": authorization["state"],
            }
            return client.get(back, params=parameters)

    with browser_opens(monkeypatch, declines) as pages:
        ran = run("doctor", "--json", "--sign-in", "--port", port)
    assert "was declined" in ran.finding("AADSTS65004")["told"]
    assert pages[0].status_code == 400


def test_somebody_else_comes_back(
    port: str, run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A response to no request of ours is refused."""

    def other(url: str) -> httpx2.Response:
        return httpx2.get(f"{url}auth/login-callback?code=x&state=y", trust_env=False)

    with browser_opens(monkeypatch, other):
        ran = run("doctor", "--json", "--sign-in", "--port", port)
    assert ran.finding("login_expired")["name"] == "sign-in"

    def twice(url: str) -> httpx2.Response:
        return httpx2.get(f"{url}auth/login-callback?code=x&code=y", trust_env=False)

    with browser_opens(monkeypatch, twice):
        ran = run("doctor", "--json", "--sign-in", "--port", port)
    assert ran.finding("login_request_invalid")["name"] == "sign-in"


def test_nobody_comes_back(port: str, run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    """After some minutes, or with Ctrl-C, it says what to look at."""
    monkeypatch.setattr(f"{MODULE}.SIGN_IN_TIMEOUT", 0.05)
    ran = run("doctor", "--json", "--sign-in", "--no-browser", "--port", port)
    found = ran.finding("nobody_signed_in")
    assert f"http://localhost:{port}/auth/login-callback is not registered" in found["remedy"]

    def interrupted(_: str) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(f"{MODULE}.webbrowser.open", interrupted)
    ran = run("doctor", "--sign-in", "--port", port)
    assert "Nobody came back" in ran.output


def test_entra_goes_away_meanwhile(
    port: str, emulator: EntraEmulator, run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the redirect to Entra, and before the code is redeemed."""

    def too_early(url: str) -> httpx2.Response:
        emulator.down()
        return httpx2.get(url, trust_env=False)

    def too_late(url: str) -> httpx2.Response:
        with httpx2.Client(trust_env=False, timeout=PATIENCE) as client:
            page = client.get(url, headers=NAVIGATION)
            state = httpx2.URL(page.headers["location"]).params["state"]
            emulator.down()
            return client.get(f"{url}auth/login-callback", params={"code": "x", "state": state})

    for browse in (too_early, too_late):
        with browser_opens(monkeypatch, browse) as pages:
            ran = run("doctor", "--json", "--sign-in", "--port", port)
        emulator.up()
        assert ran.finding("fetch_failed")["remedy"] == "Look above for what is in the way to Entra."
        assert pages[0].status_code == 400


def test_the_token_endpoint_goes_away(
    port: str, emulator: EntraEmulator, run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Discovery works, the token endpoint does not."""
    from camunda_entra_fastapi.errors import FetchFailed

    async def fails(*_: object, **__: object) -> None:
        raise FetchFailed("https://x did not answer.")

    monkeypatch.setattr(f"{MODULE}_pages.redeem_code", fails)
    with browser_opens(monkeypatch, ada):
        ran = run("doctor", "--json", "--sign-in", "--port", port)
    assert ran.finding("fetch_failed")["name"] == "sign-in"


def test_without_an_id_token(port: str, run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    """Every sign-in needs one."""
    from camunda_entra_fastapi.remote.token_endpoint import redeem_code

    async def without(*arguments: Any, **options: Any) -> Any:
        return replace(await redeem_code(*arguments, **options), id_token=None)

    monkeypatch.setattr(f"{MODULE}_pages.redeem_code", without)
    with browser_opens(monkeypatch, ada):
        ran = run("doctor", "--json", "--sign-in", "--port", port)
    assert "openid" in ran.finding("id_token_missing")["remedy"]


@pytest.mark.parametrize(
    ("variables", "code", "where"),
    [
        ({"CAMUNDA_IDENTITY_CLIENT_SECRET": None}, "no_credential", ["credential", "sign-in"]),
        (
            {"CAMUNDA_IDENTITY_CLIENT_SECRET": None, "CAMUNDA_ENTRA_CLIENT_CERTIFICATE": "missing.pem"},
            "settings_invalid",
            ["credential", "sessions", "sign-in"],
        ),
    ],
)
def test_who_cannot_sign_in(
    variables: dict[str, str | None], code: str, where: list[str], run: Callable[..., Ran]
) -> None:
    """Nobody signs in without a credential; the sign-in has a finding of its own that says so."""
    ran = run("doctor", "--json", "--sign-in", "--no-browser", "--port", "0", **variables)
    assert [each["name"] for each in ran.json["findings"] if each.get("code") == code] == where


def test_a_port_that_is_taken(port: str, run: Callable[..., Ran]) -> None:
    """Another one is chosen with --port."""
    import socket

    with socket.create_server(("127.0.0.1", int(port))):
        ran = run("doctor", "--json", "--sign-in", "--no-browser", "--port", port)
    assert "--port" in ran.finding("port_taken")["remedy"]


def test_an_id_token_of_another_sign_in(
    port: str, emulator: EntraEmulator, run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nonce and at_hash are checked, each with a code of its own."""
    from camunda_entra_fastapi.remote.token_endpoint import redeem_code

    async def swapped(*arguments: Any, **options: Any) -> Any:
        tokens = await redeem_code(*arguments, **options)
        return replace(tokens, id_token=emulator.id_token(nonce="other", at_hash="other"))

    monkeypatch.setattr(f"{MODULE}_pages.redeem_code", swapped)
    with browser_opens(monkeypatch, ada):
        ran = run("doctor", "--json", "--sign-in", "--port", port)
    codes = [each["code"] for each in ran.json["findings"] if each["name"] == "ID token"]
    assert codes == ["nonce_mismatch", "at_hash_mismatch"]
    change_tenant(emulator)


def test_a_registration_without_scopes_and_roles_signs_people_in(
    port: str, emulator: EntraEmulator, run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Camunda's guide registers it: the access token says who it is. That it opens nothing is a note."""
    for name in ("Ada Admin", "Ben Reader"):
        change_user(emulator, name, roles={})
    change_application(emulator, BILLING, granted_roles={})
    change_application(emulator, OPERATE, scopes=(), app_roles=())
    with browser_opens(monkeypatch, ada) as pages:
        ran = run("doctor", "--json", "--sign-in", "--port", port, CAMUNDA_ENTRA_ALLOWED_CLIENTS=BILLING)
    states = states_by_name(ran)
    assert (states["ID token"], states["identity"]) == (["ok"], ["ok"])
    assert states["access token"] == ["ok", "note"]
    assert "opens no API" in ran.finding("no_permissions")["told"]
    assert "You are signed in" in pages[0].text


def test_a_sign_in_without_profile_that_says_not_who_it_is(
    port: str, run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service would refuse it, and so does the doctor (Learn: ID token claims reference, ``oid``)."""
    with browser_opens(monkeypatch, ada) as pages:
        ran = run("doctor", "--json", "--sign-in", "--port", port, CAMUNDA_ENTRA_SCOPES="openid User.Read")
    wrong = [each for each in ran.json["findings"] if each.get("code") == "identity_missing"]
    assert [each["name"] for each in wrong] == ["scopes", "identity"]
    assert "they lack oid" in wrong[1]["told"]
    assert "add profile" in wrong[1]["remedy"]
    assert ran.code == 1
    assert "they lack oid" in pages[0].text


def test_an_answer_of_another_issuer(
    port: str, emulator: EntraEmulator, run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is refused as the service does (RFC 9207, 2.4), and the finding says what to compare."""

    def other(url: str) -> httpx2.Response:
        with httpx2.Client(trust_env=False, timeout=PATIENCE) as client:
            page = client.get(url, headers=NAVIGATION)
            parameters = {
                "code": "x",
                "state": httpx2.URL(page.headers["location"]).params["state"],
                "iss": "https://evil.example/v2.0",
            }
            return client.get(f"{url}auth/login-callback", params=parameters)

    with browser_opens(monkeypatch, other) as pages:
        ran = run("doctor", "--json", "--sign-in", "--port", port)
    found = ran.finding("login_request_invalid")
    assert found["name"] == "sign-in"
    assert emulator.settings().issuer in found["told"]
    assert "evil" not in pages[0].text
