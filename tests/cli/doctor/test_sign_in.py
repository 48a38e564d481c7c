"""``camunda-entra doctor --sign-in``: somebody signs in for real, and both tokens are explained."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest

from camunda_entra_fastapi.cli.browser import NAVIGATION, open_page
from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.directory import OPERATE
from tests.cli.conftest import Ran
from tests.sessions.conftest import free_port
from tests.testing.browsing import change_application, change_tenant
from tests.waiting import PATIENCE

MODULE = "camunda_entra_fastapi.cli.doctor.sign_in"
Person = Callable[[str], object]


@contextmanager
def person(monkeypatch: pytest.MonkeyPatch, does: Person) -> Iterator[list[Any]]:
    """Whoever sits at the browser that is opened, and what they saw."""
    seen: list[Any] = []
    threads: list[threading.Thread] = []

    def opened(url: str) -> bool:
        threads.append(threading.Thread(target=lambda: seen.append(does(url))))
        threads[-1].start()
        return True

    monkeypatch.setattr(f"{MODULE}.webbrowser.open", opened)
    yield seen
    for thread in threads:
        thread.join()


def ada(url: str) -> httpx.Response:
    """Ada opens the page and signs in."""
    with httpx.Client(trust_env=False, timeout=PATIENCE) as client:
        return open_page(client, url, "Ada Admin")


def names(ran: Ran) -> dict[str, list[str]]:
    """The states of the findings, by their names."""
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
    with person(monkeypatch, ada) as seen:
        ran = run("doctor", "--json", "--sign-in", "--port", port)
    assert ran.code == 0, ran.output
    states = names(ran)
    assert (
        states["ID token"] == states["access token"] == states["refresh token"] == states["sign-in"] == ["ok"]
    )
    (access,) = [each for each in ran.json["findings"] if each["name"] == "access token"]
    assert access["told"] == "all 10 checks pass; version 2.0"
    assert "Roles: Operate.Admin." in access["actual"]
    assert "You are signed in" in seen[0].text
    assert f"http://localhost:{port}/" in ran.error
    assert "eyJ" not in ran.output + ran.error + seen[0].text


def test_people_are_told_where_to_go(
    port: str, run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address, the redirect URI that it needs, and then what came of it."""
    with person(monkeypatch, ada):
        ran = run("doctor", "--sign-in", "--port", port)
    assert f"It needs the redirect URI http://localhost:{port}/auth/login-callback" in ran.output
    assert "Entra redeemed the code" in ran.output


def test_v1_tokens_are_seen(
    port: str, emulator: EntraEmulator, run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The access token's first failed check has the remedy; the browser shows it, too."""
    change_application(emulator, OPERATE, requested_access_token_version=None)
    with person(monkeypatch, ada) as seen:
        ran = run("doctor", "--json", "--sign-in", "--port", port)
    wrong = [each for each in ran.json["findings"] if each["name"] == "access token"]
    assert wrong[0]["code"] == "v1_token"
    assert "requestedAccessTokenVersion" in wrong[0]["remedy"]
    assert ran.code == 1
    assert "Something is wrong" in seen[0].text
    assert "requestedAccessTokenVersion" in seen[0].text


def test_a_token_for_graph_hinders_no_sign_in(
    port: str, run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is good to know, and so is the missing refresh token."""
    with person(monkeypatch, ada):
        ran = run("doctor", "--json", "--sign-in", "--port", port, CAMUNDA_ENTRA_SCOPES="openid User.Read")
    states = names(ran)
    assert states["refresh token"] == ["note"]
    assert "graph_token" in {each.get("code") for each in ran.json["findings"]}
    (graph, *_) = [each for each in ran.json["findings"] if each.get("code") == "graph_token"]
    assert graph["state"] == "note"


def test_a_refused_code(port: str, run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong secret is seen when the code is redeemed, too."""
    with person(monkeypatch, ada):
        ran = run("doctor", "--json", "--sign-in", "--port", port, CAMUNDA_IDENTITY_CLIENT_SECRET="nope")
    assert [each["name"] for each in ran.json["findings"] if each.get("code") == "AADSTS7000215"] == [
        "credential",
        "sign-in",
    ]


def test_no_consent(
    port: str, emulator: EntraEmulator, run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Entra sends back instead of a code is explained."""
    change_application(emulator, OPERATE, admin_consent=False)

    def declines(url: str) -> httpx.Response:
        with httpx.Client(trust_env=False, timeout=PATIENCE) as client:
            page = client.get(url, headers=NAVIGATION, follow_redirects=True)
            answer = page.request.url.params
            back = answer["redirect_uri"]
            parameters = {
                "error": "access_denied",
                "error_description": "AADSTS65004: no",
                "state": answer["state"],
            }
            return client.get(back, params=parameters)

    with person(monkeypatch, declines) as seen:
        ran = run("doctor", "--json", "--sign-in", "--port", port)
    assert "was declined" in ran.finding("AADSTS65004")["told"]
    assert seen[0].status_code == 400


def test_somebody_else_comes_back(
    port: str, run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer that was not asked for counts for nothing."""

    def other(url: str) -> httpx.Response:
        return httpx.get(f"{url}auth/login-callback?code=x&state=y", trust_env=False)

    with person(monkeypatch, other):
        ran = run("doctor", "--json", "--sign-in", "--port", port)
    assert ran.finding("login_expired")["name"] == "sign-in"

    def twice(url: str) -> httpx.Response:
        return httpx.get(f"{url}auth/login-callback?code=x&code=y", trust_env=False)

    with person(monkeypatch, twice):
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
    """Before the way there, and before the code is redeemed."""

    def too_early(url: str) -> httpx.Response:
        emulator.down()
        return httpx.get(url, trust_env=False)

    def too_late(url: str) -> httpx.Response:
        with httpx.Client(trust_env=False, timeout=PATIENCE) as client:
            page = client.get(url, headers=NAVIGATION)
            state = httpx.URL(page.headers["location"]).params["state"]
            emulator.down()
            return client.get(f"{url}auth/login-callback", params={"code": "x", "state": state})

    for does in (too_early, too_late):
        with person(monkeypatch, does) as seen:
            ran = run("doctor", "--json", "--sign-in", "--port", port)
        emulator.up()
        assert ran.finding("fetch_failed")["remedy"] == "Look above for what is in the way to Entra."
        assert seen[0].status_code == 400


def test_the_token_endpoint_goes_away(
    port: str, emulator: EntraEmulator, run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Discovery is there, redeeming is not."""
    from camunda_entra_fastapi.errors import FetchFailed

    async def fails(*_: object, **__: object) -> None:
        raise FetchFailed("https://x did not answer.")

    monkeypatch.setattr(f"{MODULE}.redeem_code", fails)
    with person(monkeypatch, ada):
        ran = run("doctor", "--json", "--sign-in", "--port", port)
    assert ran.finding("fetch_failed")["name"] == "sign-in"


def test_without_an_id_token(port: str, run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    """Which no sign-in is without."""
    from camunda_entra_fastapi.remote.token_endpoint import redeem_code

    async def without(*arguments: Any, **options: Any) -> Any:
        return replace(await redeem_code(*arguments, **options), id_token=None)

    monkeypatch.setattr(f"{MODULE}.redeem_code", without)
    with person(monkeypatch, ada):
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
    """Without a credential nobody does; the findings say so once more where the sign-in would be."""
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
    """Nonce and at_hash are looked at, each with its own words."""
    from camunda_entra_fastapi.remote.token_endpoint import redeem_code

    async def swapped(*arguments: Any, **options: Any) -> Any:
        tokens = await redeem_code(*arguments, **options)
        return replace(tokens, id_token=emulator.id_token(nonce="other", at_hash="other"))

    monkeypatch.setattr(f"{MODULE}.redeem_code", swapped)
    with person(monkeypatch, ada):
        ran = run("doctor", "--json", "--sign-in", "--port", port)
    codes = [each["code"] for each in ran.json["findings"] if each["name"] == "ID token"]
    assert codes == ["nonce_mismatch", "at_hash_mismatch"]
    change_tenant(emulator)
