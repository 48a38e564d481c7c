"""``EntraSettings`` from the variables of Camunda's Orchestration Cluster.

Their names are from Camunda 8 Docs, read 2026-11-28: "Properties" of the Orchestration Cluster, section
``CAMUNDA_SECURITY_AUTHENTICATION_OIDC`` (camunda/camunda-docs at 1060fff, ``docs/self-managed/components/
orchestration-cluster/core-settings/configuration/partials/_security.md``, 8.10), the same of 8.8 in
``identity/configuration.md``, "Connect to an identity provider" (8.8 at 03c5e77, 8.10 at 547966c) and
"Special OIDC configuration cases" (8.10 at 3e155ae).
"""

import logging
from pathlib import Path

import pytest
from pydantic import SecretStr

from camunda_entra_fastapi.errors import SettingsError
from camunda_entra_fastapi.settings import EntraSettings

TENANT = "11111111-2222-4333-8444-555555555555"
CLIENT = "22222222-3333-4444-8555-666666666666"
HOST = "https://login.microsoftonline.com"
ISSUER = f"{HOST}/{TENANT}/v2.0"
SECRET = "s3cr3t~never-to-be-shown"
METHOD = "CAMUNDA_SECURITY_AUTHENTICATION_METHOD"
OIDC = "CAMUNDA_SECURITY_AUTHENTICATION_OIDC_"
GUIDE = {
    "CLIENTID": CLIENT,
    "CLIENTSECRET": SECRET,
    "ISSUERURI": ISSUER,
    "AUDIENCES": CLIENT,
    "REDIRECTURI": "https://operate.example.com/sso-callback",
    "SCOPE": f'["openid", "profile", "{CLIENT}/.default"]',
}
"""Entra's example of "Connect to an identity provider", as environment variables."""
PLAIN = {"CLIENTID": CLIENT, "ISSUERURI": ISSUER}


class Environment:
    """Sets the variables of an Orchestration Cluster."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.patch = monkeypatch

    def read(self, *variables: dict[str, str], method: str | None = "oidc", **ours: str) -> EntraSettings:
        """The settings with these variables."""
        if method is not None:
            self.patch.setenv(METHOD, method)
        merged: dict[str, str] = {}
        for each in variables:
            merged |= each
        for name, value in merged.items():
            self.patch.setenv(OIDC + name, value)
        for name, value in ours.items():
            self.patch.setenv(name, value)
        return EntraSettings()

    def problems(self, *variables: dict[str, str], method: str | None = "oidc", **ours: str) -> list[str]:
        """What is wrong with them."""
        with pytest.raises(SettingsError) as caught:
            self.read(*variables, method=method, **ours)
        assert SECRET not in str(caught.value)
        return list(caught.value.problems)


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Environment:
    """No variable is set yet."""
    return Environment(monkeypatch)


def test_what_camundas_guide_has_is_enough(cluster: Environment) -> None:
    """The example for Entra of "Connect to an identity provider" (8.8 to 8.10), without any of the six."""
    found = cluster.read(GUIDE)
    assert (found.type, found.issuer, found.issuer_backend_url) == ("MICROSOFT", ISSUER, ISSUER)
    assert (found.client_id, found.client_secret, found.audience) == (CLIENT, SecretStr(SECRET), (CLIENT,))
    assert (found.base_url, found.callback_path) == ("https://operate.example.com", "/sso-callback")
    assert found.scopes == ("openid", "profile", f"{CLIENT}/.default")


@pytest.mark.parametrize(
    ("name", "text", "field", "value"),
    [
        ("AUDIENCES", f"{CLIENT}, api://{CLIENT}", "audience", (CLIENT, f"api://{CLIENT}")),
        (
            "SCOPE",
            f"openid, profile,{CLIENT}/.default",
            "scopes",
            ("openid", "profile", f"{CLIENT}/.default"),
        ),
        ("SCOPE", "openid", "scopes", ("openid",)),
        ("REDIRECTURI", "{baseUrl}/sso-callback", "base_url", None),
        ("REDIRECTURI", "{baseUrl}/sso-callback", "callback_path", "/sso-callback"),
        ("REDIRECTURI", "/sso-callback", "callback_path", "/sso-callback"),
        ("REDIRECTURI", "https://c.example.com/core/sso-callback", "base_url", "https://c.example.com/core"),
        ("REDIRECTURI", "https://c.example.com/core/sso-callback", "callback_path", "/sso-callback"),
        (
            "REDIRECTURI",
            "https://o.example.com/api/authentication/callback",
            "base_url",
            "https://o.example.com",
        ),
        ("REDIRECTURI", "http://localhost:8080/own/path", "base_url", "http://localhost:8080"),
        ("REDIRECTURI", "http://localhost:8080/own/path", "callback_path", "/own/path"),
    ],
)
def test_each_value_is_read_as_camunda_reads_it(
    cluster: Environment, name: str, text: str, field: str, value: object
) -> None:
    """Lists are separated by commas, ``{baseUrl}`` is the address of the request, a context path precedes."""
    assert getattr(cluster.read(PLAIN, {name: text}), field) == value


def test_numbered_entries_are_one_list(cluster: Environment) -> None:
    """As Spring binds lists, in the order of their numbers: ``…_RESOURCE_0`` in the table of properties."""
    numbered: dict[str, str] = {f"AUDIENCES_{number}": f"a{number}" for number in (10, 2, 0)}
    assert cluster.read(PLAIN, numbered).audience == ("a0", "a2", "a10")


def test_single_endpoints_tell_issuer_and_back_channel(
    cluster: Environment, caplog: pytest.LogCaptureFixture
) -> None:
    """ "Use separate OIDC provider URIs for browser and backend", where no issuer is set."""
    found = cluster.read(
        {
            "CLIENTID": CLIENT,
            "AUTHORIZATIONURI": f"{HOST}/{TENANT}/oauth2/v2.0/authorize",
            "TOKENURI": f"https://gateway.example.com/{TENANT}/oauth2/v2.0/token",
            "JWKSETURI": f"https://gateway.example.com/{TENANT}/discovery/v2.0/keys",
        }
    )
    assert found.issuer == ISSUER
    assert found.issuer_backend_url == f"https://gateway.example.com/{TENANT}/v2.0"
    assert caplog.records == []


def test_endpoints_of_another_provider_are_told(cluster: Environment) -> None:
    """Nothing is guessed; what is missing is named as this configuration names it."""
    (problem,) = cluster.problems(
        {
            "CLIENTID": CLIENT,
            "AUTHORIZATIONURI": "https://id.example.com/realms/x/protocol/openid-connect/auth",
        }
    )
    assert problem.startswith(f"{OIDC}AUTHORIZATIONURI is no authorization endpoint of Entra's")
    assert f"Set {OIDC}ISSUERURI" in problem


def test_two_endpoints_that_disagree_are_a_mistake(cluster: Environment) -> None:
    """There is one back channel."""
    (problem,) = cluster.problems(
        {
            "CLIENTID": CLIENT,
            "AUTHORIZATIONURI": f"{HOST}/{TENANT}/oauth2/v2.0/authorize",
            "TOKENURI": f"https://one.example.com/{TENANT}/oauth2/v2.0/token",
            "JWKSETURI": f"https://two.example.com/{TENANT}/discovery/v2.0/keys",
        }
    )
    assert problem.startswith(f"{OIDC}TOKENURI and {OIDC}JWKSETURI mean the same")


@pytest.mark.parametrize(
    ("ours", "name", "value", "same"),
    [
        ("CAMUNDA_IDENTITY_ISSUER", "ISSUERURI", f"{HOST}/organizations/v2.0", ISSUER),
        ("CAMUNDA_IDENTITY_CLIENT_ID", "CLIENTID", "other", CLIENT),
        ("CAMUNDA_IDENTITY_CLIENTSECRET", "CLIENTSECRET", "other", SECRET),
        ("CAMUNDA_IDENTITY_AUDIENCE", "AUDIENCES", "other", f"{CLIENT}"),
        ("CAMUNDA_ENTRA_SCOPES", "SCOPE", "openid", f"openid  profile {CLIENT}/.default"),
        (
            "CAMUNDA_ENTRA_BASE_URL",
            "REDIRECTURI",
            "https://other.example.com",
            "https://operate.example.com/",
        ),
        ("CAMUNDA_ENTRA_CALLBACK_PATH", "REDIRECTURI", "/auth/login-callback", "/sso-callback"),
    ],
)
def test_two_spellings_that_disagree_are_a_mistake(
    cluster: Environment, monkeypatch: pytest.MonkeyPatch, ours: str, name: str, value: str, same: str
) -> None:
    """Ours and the Orchestration Cluster's may agree; otherwise both are named, and no value."""
    expected = cluster.read(GUIDE)
    assert cluster.read(**{ours: same}) == expected
    (problem,) = cluster.problems(**{ours: value})
    assert problem.startswith(f"{ours} and {OIDC}{name} mean the same")
    assert "other" not in problem


def test_lists_agree_in_any_order(cluster: Environment) -> None:
    """The order of scopes says nothing (RFC 6749, 3.3), nor does that of audiences (RFC 7519, 4.1.3)."""
    ours = {"CAMUNDA_ENTRA_SCOPES": "profile openid", "CAMUNDA_IDENTITY_AUDIENCE": "b, a"}
    found = cluster.read(PLAIN, {"SCOPE": "openid,profile", "AUDIENCES": "a,b"}, **ours)
    assert (found.scopes, found.audience) == (("profile", "openid"), ("b", "a"))


def test_three_spellings_are_compared(cluster: Environment) -> None:
    """Ours, that of Camunda's SDK, and that of the Orchestration Cluster."""
    names = {"CAMUNDA_IDENTITY_CLIENT_ID": CLIENT, "CAMUNDA_IDENTITY_CLIENTID": CLIENT}
    assert cluster.read(PLAIN, **names).client_id == CLIENT
    (problem,) = cluster.problems({"CLIENTID": "other"})
    assert problem.endswith("Keep one of them.")


def test_keyword_arguments_settle_it(cluster: Environment) -> None:
    """They win over all variables, also over those that are missing."""
    cluster.read(GUIDE)
    cluster.patch.setenv("CAMUNDA_IDENTITY_CLIENT_ID", "other")
    cluster.patch.delenv(f"{OIDC}ISSUERURI")
    assert EntraSettings(client_id="third", issuer=ISSUER).client_id == "third"


@pytest.mark.parametrize("method", [None, "basic", "none"])
def test_without_the_method_they_do_not_count(cluster: Environment, method: str | None) -> None:
    """The default of Camunda is ``basic``; what to set is told."""
    problems = cluster.problems(GUIDE, method=method)
    state = "is not set" if method is None else f"is {method!r}"
    assert problems[0] == (
        f"{METHOD} {state}, so that {OIDC}AUDIENCES and its like do not count, as in Camunda. Set it to oidc."
    )
    assert [problem.partition(" ")[0] for problem in problems[1:]] == [
        "CAMUNDA_IDENTITY_ISSUER",
        "CAMUNDA_IDENTITY_CLIENT_ID",
    ]


def test_six_variables_need_no_method(cluster: Environment, caplog: pytest.LogCaptureFixture) -> None:
    """The Orchestration Cluster's do not count beside them then, which is said once."""
    six = {"TYPE": "AZUREAD", "ISSUER": ISSUER, "CLIENT_ID": "of-the-six"}
    found = cluster.read(GUIDE, method="basic", **{f"CAMUNDA_IDENTITY_{name}": six[name] for name in six})
    assert (found.client_id, found.client_secret) == ("of-the-six", None)
    (record,) = caplog.records
    assert record.getMessage().startswith(f"{METHOD} is 'basic'")


def test_the_method_alone_changes_nothing(cluster: Environment, caplog: pytest.LogCaptureFixture) -> None:
    """Six variables beside it are the six variables, whichever method it says."""
    six = {"TYPE": "AZUREAD", "ISSUER": ISSUER, "CLIENT_ID": CLIENT}
    for method in ("oidc", "basic"):
        found = cluster.read(method=method, **{f"CAMUNDA_IDENTITY_{name}": six[name] for name in six})
        assert (found.type, found.base_url) == ("AZUREAD", None)
    assert caplog.records == []


def test_what_is_missing_is_told_in_this_spelling(cluster: Environment) -> None:
    """Both names are given; workload identity fills the gap as it does elsewhere."""
    issuer, client = cluster.problems({"CLIENTSECRET": SECRET})
    assert issuer.startswith(f"{OIDC}ISSUERURI is not set, nor is CAMUNDA_IDENTITY_ISSUER.")
    assert client.startswith(f"{OIDC}CLIENTID is not set, nor is CAMUNDA_IDENTITY_CLIENT_ID.")
    cluster.patch.setenv("AZURE_FEDERATED_TOKEN_FILE", "/var/run/token")
    cluster.patch.setenv("AZURE_CLIENT_ID", CLIENT)
    cluster.patch.setenv("AZURE_TENANT_ID", TENANT)
    assert EntraSettings().issuer == ISSUER


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("ISSUERURI", f"{HOST}/{TENANT}", f"is not as Entra writes it. Set it to {ISSUER}."),
        ("ISSUERURI", f"https://sts.windows.net/{TENANT}/", "is the issuer of tokens of version 1.0."),
        ("CLIENTID", f"api://{CLIENT}", "is a URI. Give the Application (client) ID"),
        ("CLIENTSECRET", "two\nlines", "is not one line of printable text."),
        ("AUDIENCES", "a,,b", "has an empty entry."),
        ("SCOPE", "profile", "lacks openid"),
        (
            "REDIRECTURI",
            "https://operate.example.com",
            "has no callback path, and Camunda itself does not start",
        ),
        (
            "REDIRECTURI",
            "https://operate.example.com/",
            "Append it, as in https://operate.example.com/sso-callback.",
        ),
        ("REDIRECTURI", "http://operate.example.com/sso-callback", "is plain http"),
        ("REDIRECTURI", "operate", "is not a path"),
    ],
)
def test_a_wrong_value_is_told_by_the_name_it_has(
    cluster: Environment, name: str, value: str, words: str
) -> None:
    """Not by that of the setting, which is nowhere in the reader's configuration."""
    (problem,) = cluster.problems(PLAIN, {name: value})
    assert problem.startswith(f"{OIDC}{name} ")
    assert words in problem


def test_what_has_no_effect_is_said_once(cluster: Environment, caplog: pytest.LogCaptureFixture) -> None:
    """In one line without values: claims, and endpoints beside an issuer, which Camunda ignores as well."""
    unused: dict[str, str] = {
        "JWKSETURI": "x",
        "TOKENURI": "x",
        "AUTHORIZATIONURI": "x",
        "ENDSESSIONENDPOINTURI": "x",
        "CLIENTIDCLAIM": "azp",
        "USERNAMECLAIM": "preferred_username",
        "GROUPSCLAIM": "groups",
        "PREFERUSERNAMECLAIM": "true",
    }
    cluster.patch.setenv("CAMUNDA_SECURITY_AUTHORIZATIONS_ENABLED", "true")
    with caplog.at_level(logging.INFO):
        found = cluster.read(GUIDE, unused)
    assert found.issuer_backend_url == ISSUER
    (record,) = caplog.records
    names = ", ".join(repr(OIDC + name) for name in sorted(unused))
    assert record.getMessage().startswith(f"Without effect on this service: {names}. ")


def test_underscores_may_stand_for_hyphens(cluster: Environment) -> None:
    """Spring Boot reads ``CLIENT_ID`` for ``client-id``, too (``SystemEnvironmentPropertyMapper``)."""
    found = cluster.read({"CLIENT_ID": CLIENT, "ISSUER_URI": ISSUER, "TOKEN_URI": "ignored beside an issuer"})
    assert (found.client_id, found.issuer, found.issuer_backend_url) == (CLIENT, ISSUER, ISSUER)
    (problem,) = cluster.problems({"CLIENTID": "other"})
    assert f"{OIDC}CLIENT_ID" in problem
    assert f"{OIDC}CLIENTID" in problem


def test_secret_files_and_dotenv_count_as_well(cluster: Environment, tmp_path: Path) -> None:
    """One source is as good as another, and a file that cannot be read is told."""
    (tmp_path / f"{OIDC}CLIENTSECRET").write_text(SECRET)
    cluster.patch.setenv("CAMUNDA_ENTRA_SECRETS_DIR", str(tmp_path))
    Path(".env").write_text(f"{METHOD}=OIDC\n{OIDC}CLIENTID={CLIENT}\n{OIDC}ISSUERURI={ISSUER}\n")
    assert EntraSettings().client_secret == SecretStr(SECRET)
    (tmp_path / "CLIENTSECRET").write_text("of somebody else")
    assert EntraSettings().client_secret == SecretStr(SECRET)
    (tmp_path / f"{OIDC}CLIENTSECRET").write_bytes(b"\xff")
    (problem,) = cluster.problems(method=None)
    assert problem.startswith(f"{OIDC}CLIENTSECRET has a secret file")
