"""``camunda-entra doctor --component``: what costs people days with Camunda itself.

The sources, read 2026-11-28: camunda/camunda-docs, "Set up the Helm chart with an external Microsoft Entra
tenant" and "Troubleshoot OIDC authentication" (8.10 at 02058923), "Connect to an identity provider" (8.10 at
547966c), "Connect to an OpenID Connect provider" (8.7 at 09445b5), "Connect Management Identity to an
identity provider" (8.10 at 01bb6e7); camunda/camunda issues 45555, 49811, 53685, 58310,
pull requests 62935 and 63587.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.directory import OPERATE
from tests.cli.conftest import Ran, run_command
from tests.testing.browsing import change_application

BASE = "http://localhost:8000"
METHOD = "CAMUNDA_SECURITY_AUTHENTICATION_METHOD"
OIDC = "CAMUNDA_SECURITY_AUTHENTICATION_OIDC_"
OPTIMIZE = "CAMUNDA_OPTIMIZE_IDENTITY_"
SECRET = "local-emulator-secret-of-operate"
DOCS = "https://docs.camunda.io/docs/self-managed/"
Variables = dict[str, str]


def cluster(emulator: EntraEmulator) -> Variables:
    """An Orchestration Cluster's variables as the Helm guide has them."""
    return {
        METHOD: "oidc",
        f"{OIDC}ISSUERURI": emulator.environment()["CAMUNDA_IDENTITY_ISSUER"],
        f"{OIDC}CLIENTID": OPERATE,
        f"{OIDC}CLIENTSECRET": SECRET,
        f"{OIDC}AUDIENCES": OPERATE,
        f"{OIDC}REDIRECTURI": f"{BASE}/sso-callback",
        f"{OIDC}USERNAMECLAIM": "preferred_username",
        f"{OIDC}CLIENTIDCLAIM": "azp",
        f"{OIDC}PREFERUSERNAMECLAIM": "true",
        f"{OIDC}SCOPE": f"openid,profile,offline_access,{OPERATE}/.default",
        f"{OIDC}USERINFOENABLED": "false",
    }


@pytest.fixture
def registered(emulator: EntraEmulator) -> EntraEmulator:
    """The local Entra with the callback paths of all components."""
    callbacks = (
        "/sso-callback",
        "/auth/login-callback",
        "/identity-callback",
        "/api/authentication/callback",
    )
    change_application(emulator, OPERATE, redirect_uris={BASE + each: "web" for each in callbacks})
    return emulator


@pytest.fixture
def examine(registered: EntraEmulator) -> Callable[..., Ran]:
    """Examines an Orchestration Cluster with these changes; None removes a variable."""

    def run(*arguments: str, **changes: str | None) -> Ran:
        merged: dict[str, str | None] = {**cluster(registered), **changes}
        variables = {name: value for name, value in merged.items() if value is not None}
        return run_command("doctor", "--component", "orchestration", "--json", *arguments, **variables)

    return run


def states(ran: Ran) -> list[tuple[str, str]]:
    """Name and state of each finding."""
    return [(each["name"], each["state"]) for each in ran.json["findings"]]


def test_a_right_cluster_has_ticks_alone(examine: Callable[..., Ran]) -> None:
    """The values of the Helm guide, with user info off. That this is the local Entra is to be known."""
    ran = examine()
    assert (ran.code, ran.json["ok"]) == (0, True)
    assert states(ran) == [
        (name, "note" if name == "local Entra" else "ok")
        for name in (
            "issuer",
            "audience",
            "username",
            "user info",
            "DNS",
            "connection",
            "clock",
            "discovery",
            "local Entra",
            "keys",
            "credential",
            "audience",
            "redirect URI",
        )
    ]


CONNECT = f"{DOCS}components/orchestration-cluster/admin/connect-external-identity-provider/"
HELM = f"{DOCS}deployment/helm/configure/authentication-and-authorization/"
CHART = "orchestration.security.authentication.oidc."
CHANGES: list[tuple[dict[str, str | None], dict[str, str]]] = [
    (
        {METHOD: None},
        {
            "code": "component_method",
            "told": "its method is basic",
            "setting": METHOD,
            "helm": "global.security.authentication.method",
            "documentation": CONNECT,
        },
    ),
    (
        {f"{OIDC}AUDIENCES": f"api://{OPERATE}"},
        {
            "code": "component_audience",
            "told": "holds an Application ID URI",
            "expected": OPERATE,
            "setting": f"{OIDC}AUDIENCES",
            "helm": f"{CHART}audience",
            "documentation": f"{HELM}microsoft-entra/",
        },
    ),
    ({f"{OIDC}AUDIENCES": None}, {"code": "component_audience", "told": "is not set"}),
    (
        {f"{OIDC}AUDIENCES": "another"},
        {"code": "component_audience", "told": "is not this component's client ID"},
    ),
    (
        {"CAMUNDA_IDENTITY_AUDIENCE": "another", f"{OPTIMIZE}AUDIENCE": OPERATE},
        {
            "code": "component_audience_shared",
            "told": f"also that of optimize ({OPTIMIZE}AUDIENCE)",
            "documentation": f"{HELM}troubleshooting-oidc/#shared-audience-between-components",
        },
    ),
    (
        {f"{OIDC}REDIRECTURI": BASE},
        {
            "code": "component_redirect",
            "told": "has no callback path; since 8.10",
            "expected": f"{BASE}/sso-callback",
            "setting": f"{OIDC}REDIRECTURI",
            "helm": f"{CHART}redirectUrl",
            "documentation": f"{CONNECT}#redirect-uri",
        },
    ),
    (
        {f"{OIDC}REDIRECTURI": f"{BASE}/login"},
        {"code": "component_redirect", "told": "/sso-callback, where alone"},
    ),
    (
        {f"{OIDC}PREFERUSERNAMECLAIM": None},
        {
            "code": "component_claims",
            "told": "People are taken for machines: their tokens have azp",
            "helm": f"{CHART}preferUsernameClaim",
            "documentation": f"{CONNECT}#controlling-the-principal-identification-order",
        },
    ),
    ({f"{OIDC}USERNAMECLAIM": "oid"}, {"code": "component_claims", "told": "Machines are taken for people"}),
    ({f"{OIDC}USERNAMECLAIM": None}, {"code": "component_claims", "told": "their tokens have sub"}),
    ({f"{OIDC}CLIENTIDCLAIM": None}, {"code": "component_claims", "told": "No claim names machines"}),
    (
        {f"{OIDC}CLIENTIDCLAIM": "appid"},
        {"code": "component_claims", "told": "appid is a claim of version 1.0"},
    ),
    ({f"{OIDC}USERNAMECLAIM": "azp"}, {"code": "component_claims", "told": "by the same claim, azp"}),
    (
        {f"{OIDC}SCOPE": f"openid,{OPERATE}/.default"},
        {"code": "component_claims", "told": "comes with the scope profile", "helm": f"{CHART}scope"},
    ),
]


@pytest.mark.parametrize(("changes", "members"), CHANGES)
def test_what_is_wrong_is_told_with_its_places(
    examine: Callable[..., Ran], changes: dict[str, str | None], members: dict[str, str]
) -> None:
    """Cause, environment's name, Helm value and page; exit code 1."""
    ran = examine(**changes)
    found = ran.finding(members["code"])
    assert found["state"] == "wrong"
    assert ran.code == 1
    for name, text in members.items():
        assert text in found[name] if name == "told" else text == found[name]
    assert found["remedy"]
    assert found["documentation"].startswith("https://")
    assert found["setting"].startswith("CAMUNDA_")


NOTES: list[tuple[dict[str, str | None], str, str]] = [
    ({f"{OIDC}REDIRECTURI": None}, "component_redirect", "ends in a loop"),
    ({"CAMUNDA_IDENTITY_AUDIENCE": OPERATE}, "component_audience_shared", "also that of identity"),
    ({f"{OIDC}USERINFOENABLED": None}, "component_user_info", "500 at /sso-callback"),
    ({f"{OIDC}GROUPSCLAIM": "groups"}, "component_header", "headers of 8KB"),
    (
        {f"{OIDC}GROUPSCLAIM": "groups", "SERVER_MAX_HTTP_REQUEST_HEADER_SIZE": "16KB"},
        "component_header",
        "16KB",
    ),
]


@pytest.mark.parametrize(("changes", "code", "words"), NOTES)
def test_what_depends_on_the_version_is_a_note(
    examine: Callable[..., Ran], changes: dict[str, str | None], code: str, words: str
) -> None:
    """Nothing is said to be wrong that a newer version mends."""
    ran = examine(**changes)
    found = ran.finding(code)
    assert (found["state"], ran.code) == ("note", 0)
    assert words in found["told"]


def test_enough_room_and_no_scope_of_an_api_are_fine(examine: Callable[..., Ran]) -> None:
    """40KB as Camunda suggests, and user info with a token that is for Graph."""
    changes = {f"{OIDC}GROUPSCLAIM": "groups", "SERVER_MAXHTTPREQUESTHEADERSIZE": "40KB"}
    ran = examine(**changes, **{f"{OIDC}USERINFOENABLED": "true", f"{OIDC}SCOPE": "openid,profile"})
    assert ("header", "ok") in states(ran)
    assert "user info" not in dict(states(ran))


def test_further_audiences_are_to_be_looked_at(examine: Callable[..., Ran]) -> None:
    """Web Modeler's is there for deployments; numbered entries are the same list."""
    changes: dict[str, str | None] = {f"{OIDC}AUDIENCES": None, f"{OIDC}AUDIENCES_0": OPERATE}
    ran = examine(**changes, **{f"{OIDC}AUDIENCES_1": "web-modeler"})
    (found,) = [each for each in ran.json["findings"] if "web-modeler" in each["told"]]
    assert (found["state"], ran.code) == ("note", 0)


@pytest.mark.parametrize(
    ("issuer", "words", "remedy"),
    [
        (None, "is not set", "Set it to https://login.microsoftonline.com/<tenant ID>/v2.0."),
        ("{root}", "does not end in /v2.0", "Set it to {root}/v2.0, and requestedAccessTokenVersion"),
        (
            "https://sts.windows.net/11111111-2222-4333-8444-555555555555/",
            "is the issuer of tokens of version 1.0",
            "Set it to https://login.microsoftonline.com/11111111-2222-4333-8444-555555555555/v2.0.",
        ),
        (
            "https://user:hunter2@login.microsoftonline.com/x/v2.0",
            "holds a user name or password",
            "Take out",
        ),
    ],
)
def test_a_wrong_issuer(
    examine: Callable[..., Ran], registered: EntraEmulator, issuer: str | None, words: str, remedy: str
) -> None:
    """Told by the component's own variable, without this package's settings and without a password."""
    root = registered.environment()["CAMUNDA_IDENTITY_ISSUER"].removesuffix("/v2.0")
    ran = examine(**{f"{OIDC}ISSUERURI": issuer and issuer.replace("{root}", root)})
    found = ran.finding("component_issuer")
    assert found["told"].startswith(f"{OIDC}ISSUERURI {words}")
    assert found["remedy"].startswith(remedy.replace("{root}", root))
    assert "CAMUNDA_ENTRA" not in ran.output
    assert "hunter2" not in ran.output


def test_an_issuer_for_several_tenants_gives_no_token(
    examine: Callable[..., Ran], registered: EntraEmulator
) -> None:
    """What can be told is told, and the rest left out."""
    change_application(registered, OPERATE, sign_in_audience="AzureADMultipleOrgs")
    ran = examine(**{f"{OIDC}ISSUERURI": f"{registered.base_url}/organizations/v2.0"})
    assert ("token", "skipped") in states(ran)
    assert ran.code == 0


def test_entra_is_asked_in_the_components_terms(examine: Callable[..., Ran]) -> None:
    """A wrong secret is told with the variable that it is in; no token, no more about it."""
    ran = examine(**{f"{OIDC}CLIENTSECRET": "nope"})
    found = ran.finding("AADSTS7000215")
    assert f"put its value into {OIDC}CLIENTSECRET." in found["remedy"]
    assert (found["setting"], found["helm"]) == (f"{OIDC}CLIENTSECRET", f"{CHART}secret.existingSecret")
    assert ("token", "skipped") in states(ran)


def test_tokens_of_version_1_are_told(examine: Callable[..., Ran], registered: EntraEmulator) -> None:
    """As Entra issues them where the manifest says nothing (``requestedAccessTokenVersion``)."""
    change_application(registered, OPERATE, requested_access_token_version=1)
    found = examine().finding("component_token_version")
    assert (found["expected"], found["actual"]) == ("2.0", "1.0")
    assert "requestedAccessTokenVersion to 2" in found["remedy"]


def test_a_redirect_uri_that_is_not_registered(
    examine: Callable[..., Ran], registered: EntraEmulator
) -> None:
    """Entra is asked, and the remedy names the component's variable."""
    change_application(registered, OPERATE, redirect_uris={f"{BASE}/elsewhere": "web"})
    found = examine().finding("AADSTS50011")
    assert found["told"].startswith("The redirect URI that the component sends")
    assert f"correct {OIDC}REDIRECTURI." in found["remedy"]
    assert found["documentation"] == f"{HELM}troubleshooting-oidc/#invalid-redirect_uri"


@pytest.mark.parametrize("value", [None, "{baseUrl}/sso-callback"])
def test_the_address_may_be_given(examine: Callable[..., Ran], value: str | None) -> None:
    """Where the request decides, ``--url`` says it; without that it is a note."""
    told = [each["told"] for each in examine("--url", BASE, **{f"{OIDC}REDIRECTURI": value}).json["findings"]]
    assert f"{BASE}/sso-callback is registered" in told
    assert examine(**{f"{OIDC}REDIRECTURI": value}).finding("base_url_unknown")["state"] == "note"


def test_without_entra_the_rest_is_told(examine: Callable[..., Ran]) -> None:
    """An address where nobody listens."""
    ran = examine(**{f"{OIDC}ISSUERURI": "http://127.0.0.1:1/11111111-2222-4333-8444-555555555555/v2.0"})
    assert states(ran)[-2:] == [("token", "skipped"), ("redirect", "skipped")]
    assert ran.code == 1


def six(emulator: EntraEmulator) -> Variables:
    """The six variables, as the guides have them for Management Identity and Operate."""
    return emulator.environment() | {"SERVER_MAXHTTPREQUESTHEADERSIZE": "40KB"}


@pytest.mark.parametrize(
    ("name", "root", "callback"),
    [
        ("identity", "IDENTITY_URL", "/auth/login-callback"),
        ("operate", "CAMUNDA_OPERATE_IDENTITY_REDIRECT_ROOT_URL", "/identity-callback"),
        ("optimize", f"{OPTIMIZE}REDIRECT_ROOT_URL", "/api/authentication/callback"),
    ],
)
def test_the_other_components_are_examined_by_the_six_variables(
    registered: EntraEmulator, name: str, root: str, callback: str
) -> None:
    """The callback path is appended to what the variable says."""

    def told(value: str) -> list[tuple[str, str]]:
        ran = run_command("doctor", "--component", name, "--json", **six(registered), **{root: value})
        return [(each["state"], each["told"]) for each in ran.json["findings"]]

    assert ("ok", f"{BASE}{callback} is registered") in told(BASE)
    assert {state for state, message in told(BASE) if "is the local Entra" not in message} == {"ok"}
    assert ("wrong", f"{root} has the callback path, which is appended once more.") in told(BASE + callback)


def test_optimize_has_names_of_its_own_and_since_810_the_clusters(registered: EntraEmulator) -> None:
    """ "Optimize authentication in Self-Managed", 8.10: ``camunda.security.*`` as for the cluster."""
    issuer = registered.environment()["CAMUNDA_IDENTITY_ISSUER"]
    own = {"ISSUER_URL": issuer, "CLIENTID": OPERATE, "CLIENTSECRET": SECRET, "AUDIENCE": OPERATE}
    newer = {"ISSUERURI": issuer, "CLIENTID": OPERATE, "CLIENTSECRET": SECRET, "AUDIENCES": OPERATE}
    newer["REDIRECTURI"] = f"{BASE}/api/authentication/callback"
    for prefix, names in ((OPTIMIZE, own), (OIDC, newer)):
        variables = {prefix + name: value for name, value in names.items()}
        ran = run_command("doctor", "--component", "optimize", "--json", "--url", BASE, **variables)
        assert {
            each["setting"].startswith(prefix) for each in ran.json["findings"] if each["name"] == "audience"
        } == {True}
        assert (ran.code, "redirect URI") == (0, ran.json["findings"][-1]["name"])


def test_operate_of_88_is_the_cluster(registered: EntraEmulator) -> None:
    """Who asks for Operate with the newer variables is told which component it is."""
    ran = run_command("doctor", "--component", "operate", "--json", **cluster(registered))
    assert "--component orchestration" in ran.finding("component_issuer")["remedy"]


def test_people_see_the_places_below_the_remedy(registered: EntraEmulator, tmp_path: Path) -> None:
    """The page stands on a line of its own, to be opened; the shell's own variables do not count."""
    file = tmp_path / "camunda.env"
    changed = cluster(registered) | {f"{OIDC}AUDIENCES": f"api://{OPERATE}"}
    file.write_text("\n".join(f"{name}={value}" for name, value in changed.items()))
    arguments: Any = ("doctor", "--component", "orchestration", "--env-file", str(file))
    ran = run_command(*arguments, CAMUNDA_IDENTITY_AUDIENCE=OPERATE)
    lines = [line.strip() for line in ran.output.splitlines()]
    assert f"{HELM}microsoft-entra/" in lines
    assert f"Helm: {CHART}audience" in " ".join(lines)
    assert lines[-1] == "1 thing is wrong."
    assert SECRET not in ran.output


def test_signing_in_is_for_services(registered: EntraEmulator) -> None:
    """A component has its own page for that."""
    ran = run_command("doctor", "--component", "identity", "--sign-in")
    assert ran.code == 2
    assert "--component" in ran.error
