"""``camunda-entra token``: one access token on standard output, and else words on standard error."""

import asyncio
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from jose import jwt

from camunda_entra_fastapi.cli.token.tenant import scope_of
from camunda_entra_fastapi.errors import FetchFailed
from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.directory import BILLING, CONTOSO, OPERATE
from camunda_entra_fastapi.testing.endpoints import documents
from tests.cli.conftest import Ran, run_command
from tests.cli.register.conftest import enter_code

Run = Callable[..., Ran]
COMMAND = "camunda_entra_fastapi.cli.token.command"


def claims(ran: Ran) -> dict[str, Any]:
    """The claims of the one token that was printed, and nothing beside it."""
    assert (ran.code, ran.error) == (0, "")
    assert re.fullmatch(r"[\w.-]+\n", ran.output, re.ASCII)
    return jwt.get_unverified_claims(ran.output.strip())


def refusal(ran: Ran, code: int = 1) -> str:
    """The words on standard error; nothing of a refusal is where a token would be."""
    assert (ran.code, ran.output) == (code, "")
    return re.sub(r"\s+", " ", re.sub("[\u2500-\u257f]", "", ran.error)).strip()


def test_a_token_of_the_local_entra_that_runs(run: Run) -> None:
    """It is signed with that one's keys, so the service accepts it."""
    ran = run("token", "--as", "ada")
    assert claims(ran)["name"] == "Ada Admin"
    assert run("explain", stdin=ran.output, COLUMNS="200").code == 0


def test_all_of_it_can_be_wished(run: Run) -> None:
    """Roles and scopes that nobody registered yet, an audience, a token that has expired."""
    options = ("--role", "Orders.Admin", "--role", "B", "--scope", "Orders.Read", "--audience", "Orders")
    found = claims(run("token", *options, "--expired"))
    assert (found["roles"], found["scp"], found["aud"]) == (["Orders.Admin", "B"], "Orders.Read", "Orders")
    explained = run("explain", "--json", stdin=run("token", "--expired").output)
    assert explained.json["verdict"] == "refused"
    assert "token_expired" in {each.get("code") for each in explained.json["checks"]}


def test_an_applications_token(run: Run) -> None:
    """The one with a role of the API; by name another one."""
    assert claims(run("token", "--app"))["azp"] == BILLING
    assert claims(run("token", "--app", "--as", "operate"))["azp"] == OPERATE


def test_it_is_for_the_audience_that_the_service_accepts(run: Run) -> None:
    """Also where another registration than its own is the API's; and the option goes first."""
    assert claims(run("token", CAMUNDA_IDENTITY_AUDIENCE="api://orders"))["aud"] == "api://orders"
    ran = run("token", "--audience", "x", CAMUNDA_IDENTITY_AUDIENCE="api://orders")
    assert claims(ran)["aud"] == "x"


def test_it_reads_the_file_in_this_folder(emulator: EntraEmulator) -> None:
    """What ``emulator --env-file .env`` writes; or a file by another name."""
    lines = "".join(f"{name}={value}\n" for name, value in emulator.environment().items())
    Path("orders.env").write_text(lines, encoding="utf-8")
    assert claims(run_command("token", "--env-file", "orders.env"))["name"] == "Ben Reader"
    Path("orders.env").rename(".env")
    assert claims(run_command("token"))["name"] == "Ben Reader"


def test_a_local_entra_by_its_port(emulator: EntraEmulator) -> None:
    """That of the demo, whatever else the shell and the folder have; no proxy is between."""
    Path(".env").write_text("CAMUNDA_IDENTITY_CLIENT_ID=nonsense\n", encoding="utf-8")
    others = {"CAMUNDA_ENTRA_CLOCK_SKEW": "nonsense", "HTTP_PROXY": "http://127.0.0.1:1"}
    port = emulator.base_url.rpartition(":")[2]
    for address in (port, emulator.base_url, f"{emulator.base_url}/"):
        assert claims(run_command("token", "--emulator", address, **others))["name"] == "Ben Reader"


@pytest.mark.parametrize("address", ["ftp://127.0.0.1", "x", "http://127.0.0.1:8400/path", "123456"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    """Two that are right are in the message."""
    words = refusal(run_command("token", "--emulator", address), 2)
    assert "--emulator must be a port or a URL, for example 8400 or http://127.0.0.1:8400." in words


def test_two_sources_are_refused() -> None:
    """Nobody has to guess which of them counts."""
    words = refusal(run_command("token", "--emulator", "8400", "--env", "CAMUNDA_IDENTITY_TYPE=x"), 2)
    assert "--emulator stands in place of --env-file and --env." in words


def test_a_name_that_nobody_has_is_answered_with_who_there_is(run: Run) -> None:
    """The local Entra knows."""
    words = refusal(run("token", "--as", "bne"))
    assert words == (
        "There is no person 'bne'. Did you mean ben? There are: Ben Reader, Ada Admin, Gabi Guest."
    )


def test_without_variables_the_remedies_are_told() -> None:
    """The three ways to say whose token it is to be."""
    words = refusal(run_command("token"))
    for remedy in ("camunda-entra emulator --env-file .env", "--env-file", "--emulator 8400"):
        assert remedy in words


def test_a_file_with_a_mistake_is_not_taken_for_none(emulator: EntraEmulator) -> None:
    """As that of a local Entra with TLS, whose authority is gone when it ends."""
    lines = [f"{name}={value}\n" for name, value in emulator.environment().items()]
    Path(".env").write_text("".join([*lines, "CAMUNDA_ENTRA_CA_BUNDLE=/nowhere/ca.pem\n"]), encoding="utf-8")
    assert refusal(run_command("token")).startswith("CAMUNDA_ENTRA_CA_BUNDLE ")


def test_wrong_settings_are_told_as_everywhere(run: Run) -> None:
    """All at once, one a line."""
    words = refusal(run("token", CAMUNDA_IDENTITY_TYPE="x", CAMUNDA_ENTRA_CLOCK_SKEW="x"))
    assert "CAMUNDA_IDENTITY_TYPE" in words
    assert "CAMUNDA_ENTRA_CLOCK_SKEW" in words


def test_a_local_entra_that_does_not_run_is_to_be_started() -> None:
    """One sentence, with the command."""
    assert refusal(run_command("token", "--emulator", "1")) == (
        "The local Entra at http://127.0.0.1:1 does not answer. Start it: "
        "camunda-entra emulator --env-file .env"
    )


def test_other_trouble_leads_to_doctor(run: Run, emulator: EntraEmulator) -> None:
    """Which looks step by step."""
    emulator.down()
    words = refusal(run("token"))
    assert words.endswith(
        "answered with status 503 instead of 200. To see what is wrong, run camunda-entra doctor."
    )


def test_a_tenant_that_cannot_be_reached_is_no_local_entra(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is told to start one; the shell's proxy counts on the way there."""
    proxies: list[str | None] = []

    async def unreachable(_: object, url: str) -> object:
        proxies.append(os.environ.get("HTTPS_PROXY"))
        raise FetchFailed(f"{url} cannot be reached: x", fault="unreachable")

    monkeypatch.setattr("camunda_entra_fastapi.remote.http.EntraHttp.get_json", unreachable)
    issuer = f"https://login.microsoftonline.com/{CONTOSO}/v2.0"
    names = ("CAMUNDA_IDENTITY_ISSUER", "CAMUNDA_IDENTITY_ISSUER_BACKEND_URL")
    proxy = "http://proxy.example.com:3128"
    words = refusal(run("token", HTTPS_PROXY=proxy, **dict.fromkeys(names, issuer)))
    assert words.startswith(issuer)
    assert words.endswith("cannot be reached: x. To see what is wrong, run camunda-entra doctor.")
    assert proxies == [proxy]


def test_trouble_after_the_document_is_told(
    run: Run, emulator: EntraEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the endpoint's address; and one without a token endpoint is named as such."""
    genuine = documents.discovery

    def without(*arguments: Any, **options: Any) -> dict[str, Any]:
        return {**genuine(*arguments, **options), "token_endpoint": None}

    monkeypatch.setattr(documents, "discovery", without)
    assert refusal(run("token")).endswith("names no token endpoint.")

    def elsewhere(*arguments: Any, **options: Any) -> dict[str, Any]:
        return {**genuine(*arguments, **options), "token_endpoint": "http://127.0.0.1:1/oauth2/v2.0/token"}

    monkeypatch.setattr(documents, "discovery", elsewhere)
    assert refusal(run("token")).startswith("http://127.0.0.1:1/local/token cannot be reached")

    def earlier(*arguments: Any, **options: Any) -> dict[str, Any]:
        endpoint = f"{emulator.base_url}/a/b/c/oauth2/v2.0/token"
        return {**genuine(*arguments, **options), "token_endpoint": endpoint}

    monkeypatch.setattr(documents, "discovery", earlier)
    assert refusal(run("token")).startswith("The local Entra is of an earlier version.")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"CAMUNDA_IDENTITY_CLIENT_SECRET": "another"}, "AADSTS7000215: The client secret is not one of"),
        ({"CAMUNDA_IDENTITY_CLIENT_ID": CONTOSO}, "AADSTS700016: There is no application"),
    ],
)
def test_variables_of_another_local_entra_are_to_be_written_anew(
    run: Run, changes: dict[str, str], words: str
) -> None:
    """Its own words, and the command that mends it; the secret is in none of them."""
    found = refusal(run("token", **changes))
    assert found.startswith(words)
    assert "another" not in found
    assert found.endswith("Have it write its own: camunda-entra emulator --env-file .env")


def test_without_a_secret_the_local_entra_gives_none(run: Run) -> None:
    """It is what keeps strangers out."""
    words = refusal(run("token", CAMUNDA_IDENTITY_CLIENT_SECRET=None))
    assert words.startswith("CAMUNDA_IDENTITY_CLIENT_SECRET is not set")


def test_a_local_entra_elsewhere_must_be_meant(run: Run) -> None:
    """As for the service itself."""
    issuer = f"http://entra.example/{CONTOSO}/v2.0"
    words = refusal(run("token", CAMUNDA_IDENTITY_ISSUER=issuer, CAMUNDA_ENTRA_ALLOW_HTTP="true"))
    assert "is of the issuer" in words


def test_ctrl_c_prints_nothing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """And no token either."""

    def interrupted(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(f"{COMMAND}._settings", interrupted)
    assert refusal(run("token")) == ""


@pytest.fixture
def tenant(emulator: EntraEmulator, monkeypatch: pytest.MonkeyPatch) -> EntraEmulator:
    """The emulator without the mark by which the local Entra is known, so that it counts as a tenant."""
    monkeypatch.setattr(documents, "MARK", {})
    return emulator


@pytest.mark.parametrize(
    "options", [["--as", "ben"], ["--role", "x"], ["--expired"], ["--audience", "x"], ["--app", "--as", "x"]]
)
def test_a_tenant_cannot_be_wished_for(run: Run, tenant: EntraEmulator, options: list[str]) -> None:
    """The options are named that the local Entra alone can do."""
    words = refusal(run("token", *options), 2)
    assert f"{options[-2] if len(options) > 1 else options[0]}: the local Entra alone can do that." in words


def test_a_tenants_application_by_client_credentials(run: Run, tenant: EntraEmulator) -> None:
    """With the service's own credential, for this API or for the one that the scope names."""
    before = tenant.count("local/token")
    found = claims(run("token", "--app"))
    assert (found["azp"], found["aud"]) == (OPERATE, OPERATE)
    assert (tenant.requests[-1].did, tenant.count("local/token")) == ("client credentials", before)
    assert claims(run("token", "--app", "--scope", "https://graph.microsoft.com/.default"))["aud"] != OPERATE


def test_what_entra_refuses_is_told_with_its_code(run: Run, tenant: EntraEmulator) -> None:
    """And without the secret."""
    words = refusal(run("token", "--app", CAMUNDA_IDENTITY_CLIENT_SECRET="hunter2"))
    assert words.endswith("(AADSTS7000215)")
    assert "hunter2" not in words
    assert "needs its credential" in refusal(run("token", "--app", CAMUNDA_IDENTITY_CLIENT_SECRET=None))
    shared = {
        name: value.replace(CONTOSO, "organizations")
        for name, value in tenant.environment().items()
        if "ISSUER" in name
    }
    words = refusal(run("token", "--app", CAMUNDA_ENTRA_ALLOWED_TENANTS=CONTOSO, **shared))
    assert "AADSTS50194" in words


@pytest.mark.parametrize("secret", [True, False])
def test_a_person_of_a_tenant_signs_in_with_a_code(
    run: Run, tenant: EntraEmulator, monkeypatch: pytest.MonkeyPatch, *, secret: bool
) -> None:
    """The code is on standard error, so that the token is alone; the client proves itself where it can."""
    printed: list[str] = []
    monkeypatch.setattr(f"{COMMAND}.print_line", lambda _, text, style="": printed.append(text))

    async def pause(_: float) -> None:
        if printed and (codes := re.findall(r"enter the code (\S+)", printed.pop())):
            await asyncio.to_thread(enter_code, tenant, "Ben Reader", codes[0])

    monkeypatch.setattr(f"{COMMAND}.pause", pause)
    home = tenant.directory.tenants[0]
    operate = replace(home.applications[0], allow_public_client=not secret)
    applications = (operate, *home.applications[1:])
    tenant.directory = tenant.directory.with_tenant(replace(home, applications=applications))
    changes = {} if secret else {"CAMUNDA_IDENTITY_CLIENT_SECRET": None}
    found = claims(run("token", "--scope", "Incidents.Read", **changes))
    assert (found["name"], found["scp"], found["aud"]) == ("Ben Reader", "Incidents.Read", OPERATE)
    assert found["azpacr"] == ("1" if secret else "0")


def test_what_stands_in_the_way_of_a_code_is_told(
    run: Run, tenant: EntraEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A registration that allows no public clients; a code that nobody enters; a client that is not there."""

    async def pause(_: float) -> None:
        """Nobody signs in meanwhile."""

    monkeypatch.setattr(f"{COMMAND}.pause", pause)
    words = refusal(run("token", CAMUNDA_IDENTITY_CLIENT_SECRET=None))
    assert "(AADSTS7000218). Allow public client flows under Authentication" in words
    assert words.startswith("To sign in, open http://127.0.0.1")
    assert refusal(run("token")).endswith("The code has expired before somebody signed in. Run this again.")
    assert "(AADSTS700016)" in refusal(run("token", CAMUNDA_IDENTITY_CLIENT_ID=CONTOSO))


async def test_it_waits_between_two_questions() -> None:
    """As long as Entra asks for."""
    from camunda_entra_fastapi.cli.token.command import pause

    began = asyncio.get_running_loop().time()
    await pause(0.05)
    assert asyncio.get_running_loop().time() - began >= 0.04


@pytest.mark.parametrize(
    ("names", "scope"),
    [
        ((), "c/.default"),
        (("Orders.Read", "offline_access"), "c/Orders.Read offline_access"),
        (("api://x/.default",), "api://x/.default"),
    ],
)
def test_scopes_of_this_api_need_no_prefix(names: tuple[str, ...], scope: str) -> None:
    """OpenID Connect's own and full names stay as they are."""
    assert scope_of("c", names) == scope


def test_an_answer_without_words_is_told_as_such(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever answers there."""

    async def answer(*_: object) -> tuple[int, dict[str, Any]]:
        return httpx.codes.BAD_REQUEST, {"error_description": ""}

    monkeypatch.setattr("camunda_entra_fastapi.remote.http.EntraHttp.post_form", answer)
    assert refusal(run("token")) == "It refused without a reason."
