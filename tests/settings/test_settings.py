"""``EntraSettings``: where values come from, what is accepted, and how mistakes are told."""

import logging
import os
import re
import traceback
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import certifi
import pytest
from pydantic import BaseModel, SecretStr, ValidationError

from camunda_entra_fastapi.errors import SettingsError
from camunda_entra_fastapi.settings import EntraSettings

TENANT = "11111111-2222-4333-8444-555555555555"
OTHER = "99999999-8888-4777-8666-555555555555"
CLIENT = "22222222-3333-4444-8555-666666666666"
ISSUER = f"https://login.microsoftonline.com/{TENANT}/v2.0"
SECRET = "s3cr3t~never-to-be-shown"
SIX = {
    "CAMUNDA_IDENTITY_TYPE": "AZUREAD",
    "CAMUNDA_IDENTITY_ISSUER": ISSUER,
    "CAMUNDA_IDENTITY_ISSUER_BACKEND_URL": f"http://localhost:8080/{TENANT}/v2.0",
    "CAMUNDA_IDENTITY_CLIENT_ID": CLIENT,
    "CAMUNDA_IDENTITY_CLIENT_SECRET": SECRET,
    "CAMUNDA_IDENTITY_AUDIENCE": f"api://{CLIENT}",
}


def settings(**arguments: Any) -> EntraSettings:
    """Settings with the three required values, and what the test adds."""
    return EntraSettings(**{"type": "AZUREAD", "issuer": ISSUER, "client_id": CLIENT} | arguments)


def problems(**arguments: Any) -> tuple[str, ...]:
    """The problems of settings with these arguments, which are otherwise right."""
    with pytest.raises(SettingsError) as caught:
        settings(**arguments)
    return caught.value.problems


def problem(**arguments: Any) -> str:
    """The one thing that is wrong."""
    (only,) = problems(**arguments)
    return only


@pytest.fixture
def six(monkeypatch: pytest.MonkeyPatch) -> None:
    """The six variables of every Camunda component are set."""
    for name, value in SIX.items():
        monkeypatch.setenv(name, value)


# Values and defaults


@pytest.mark.usefixtures("six")
def test_the_six_variables_are_read() -> None:
    """Nothing but the environment is needed."""
    found = EntraSettings()
    assert (found.type, found.issuer, found.client_id) == ("AZUREAD", ISSUER, CLIENT)
    assert found.issuer_backend_url == f"http://localhost:8080/{TENANT}/v2.0"
    assert found.client_secret == SecretStr(SECRET)
    assert found.audience == (f"api://{CLIENT}",)


def test_three_values_are_enough_and_the_rest_has_defaults() -> None:
    """The defaults are those of the documented table."""
    assert {name: value for name, value in settings() if name not in ("type", "issuer", "client_id")} == {
        "allow_http": False,
        "allow_local_entra": False,
        "websocket_protocol_tokens": False,
        "documentation_url": None,
        "issuer_backend_url": ISSUER,
        "client_secret": None,
        "group_overage": None,
        "client_certificate": None,
        "client_certificate_password": None,
        "client_assertion_algorithm": "PS256",
        "federated_token_file": None,
        "audience": (CLIENT,),
        "base_url": None,
        "scopes": ("openid", "profile", "email", "offline_access", f"{CLIENT}/.default"),
        "session_store": "cookie",
        "session_lease": 0,
        "session_secret": (),
        "session_lifetime": timedelta(hours=8),
        "cookie_name": f"entra_session_{sha256(f'{ISSUER} {CLIENT}'.encode()).hexdigest()[:8]}",
        "cookie_domain": None,
        "cookie_same_site": "lax",
        "frame_ancestors": (),
        "login_prefix": "/auth",
        "callback_path": "/auth/login-callback",
        "post_logout_path": "/auth/login-callback",
        "return_to_hosts": (),
        "clock_skew": 60,
        "accept_v1_tokens": False,
        "allowed_tenants": (),
        "allowed_clients": (),
        "tenant_type": "workforce",
        "allow_guests": True,
        "token_cache_size": 10_000,
        "metadata_lifetime": 3600,
        "key_retention": 86_400,
        "http_timeout": 5.0,
        "http_proxy": None,
        "ca_bundle": None,
        "allow_lax_certificates": False,
        "custom_signing_keys": False,
    }


CA_BUNDLE = certifi.where()
LONG, LONGER = "x" * 32, "y" * 40
ROWS: list[tuple[str, str, Any]] = [
    ("CAMUNDA_IDENTITY_TYPE", "microsoft", "MICROSOFT"),
    ("CAMUNDA_IDENTITY_TYPE", "AzureAD", "AZUREAD"),
    ("CAMUNDA_IDENTITY_CLIENT_ID", "my-client_1", "my-client_1"),
    ("CAMUNDA_IDENTITY_AUDIENCE", "a, api://b ,a", ("a", "api://b")),
    ("CAMUNDA_ENTRA_BASE_URL", "https://operate.example.com/x/", "https://operate.example.com/x"),
    ("CAMUNDA_ENTRA_BASE_URL", "http://[::1]:8000", "http://[::1]:8000"),
    ("CAMUNDA_ENTRA_SCOPES", "openid  a/.default openid", ("openid", "a/.default")),
    ("CAMUNDA_ENTRA_SESSION_STORE", "Memory", "memory"),
    ("CAMUNDA_ENTRA_SESSION_STORE", "redis://localhost", "redis://localhost"),
    (
        "CAMUNDA_ENTRA_SESSION_STORE",
        "rediss://u:p@r.example.com:1/2?ssl_ca_certs=b",
        "rediss://u:p@r.example.com:1/2?ssl_ca_certs=b",
    ),
    ("CAMUNDA_ENTRA_SESSION_SECRET", f"{LONG}, {LONGER}", (SecretStr(LONG), SecretStr(LONGER))),
    ("CAMUNDA_ENTRA_COOKIE_NAME", "operate-2", "operate-2"),
    ("CAMUNDA_ENTRA_COOKIE_DOMAIN", ".Apps.Example.com", "apps.example.com"),
    ("CAMUNDA_ENTRA_LOGIN_PREFIX", "/sign-in/entra", "/sign-in/entra"),
    ("CAMUNDA_ENTRA_CALLBACK_PATH", "/api/authentication/callback", "/api/authentication/callback"),
    ("CAMUNDA_ENTRA_POST_LOGOUT_PATH", "/post-logout", "/post-logout"),
    ("CAMUNDA_ENTRA_POST_LOGOUT_PATH", "/", "/"),
    (
        "CAMUNDA_ENTRA_RETURN_TO_HOSTS",
        "Shop.example.com, reports.example.com,localhost,xn--bcher-kva.example,shop.example.com",
        ("shop.example.com", "reports.example.com", "localhost", "xn--bcher-kva.example"),
    ),
    ("CAMUNDA_ENTRA_SESSION_LEASE", "PT2S", 2),
    ("CAMUNDA_ENTRA_SESSION_LEASE", "10", 10),
    ("CAMUNDA_ENTRA_SESSION_LIFETIME", "PT8H30M", timedelta(hours=8, minutes=30)),
    ("CAMUNDA_ENTRA_SESSION_LIFETIME", "P1W1DT1.5S", timedelta(days=8, seconds=1.5)),
    ("CAMUNDA_ENTRA_SESSION_LIFETIME", "60", timedelta(minutes=1)),
    ("CAMUNDA_ENTRA_SESSION_LIFETIME", "P90D", timedelta(days=90)),
    ("CAMUNDA_ENTRA_CLOCK_SKEW", "0", 0),
    ("CAMUNDA_ENTRA_CLOCK_SKEW", "PT5M", 300),
    ("CAMUNDA_ENTRA_ACCEPT_V1_TOKENS", "TRUE", True),
    ("CAMUNDA_ENTRA_ACCEPT_V1_TOKENS", "off", False),
    ("CAMUNDA_ENTRA_ALLOWED_TENANTS", f"{TENANT.upper()},{OTHER}", (TENANT, OTHER)),
    ("CAMUNDA_ENTRA_ALLOWED_CLIENTS", "AbC,def,abc", ("abc", "def")),
    ("CAMUNDA_ENTRA_TENANT_TYPE", "External", "external"),
    ("CAMUNDA_ENTRA_TENANT_TYPE", "workforce", "workforce"),
    ("CAMUNDA_ENTRA_ALLOW_GUESTS", "no", False),
    ("CAMUNDA_ENTRA_TOKEN_CACHE_SIZE", "1000000", 1_000_000),
    ("CAMUNDA_ENTRA_TOKEN_CACHE_SIZE", "0", 0),
    ("CAMUNDA_ENTRA_METADATA_LIFETIME", "1", 1),
    ("CAMUNDA_ENTRA_METADATA_LIFETIME", "PT24H", 86_400),
    ("CAMUNDA_ENTRA_KEY_RETENTION", "0", 0),
    ("CAMUNDA_ENTRA_KEY_RETENTION", "P7D", 604_800),
    ("CAMUNDA_ENTRA_ALLOW_HTTP", "1", True),
    ("CAMUNDA_ENTRA_HTTP_TIMEOUT", "0.1", 0.1),
    ("CAMUNDA_ENTRA_HTTP_TIMEOUT", "60", 60.0),
    ("CAMUNDA_ENTRA_HTTP_PROXY", "http://u:p@proxy.example.com:3128", "http://u:p@proxy.example.com:3128"),
    ("CAMUNDA_ENTRA_CA_BUNDLE", CA_BUNDLE, Path(CA_BUNDLE)),
    ("CAMUNDA_ENTRA_ALLOW_LAX_CERTIFICATES", "true", True),
    ("CAMUNDA_ENTRA_CUSTOM_SIGNING_KEYS", "yes", True),
    ("CAMUNDA_ENTRA_ALLOW_LOCAL_ENTRA", "on", True),
]


@pytest.mark.usefixtures("six")
@pytest.mark.parametrize(("variable", "text", "value"), ROWS)
def test_every_variable_is_read(
    monkeypatch: pytest.MonkeyPatch, variable: str, text: str, value: object
) -> None:
    """Each row of the table is read from the environment, in upper or lower case."""
    field = variable.removeprefix("CAMUNDA_IDENTITY_").removeprefix("CAMUNDA_ENTRA_").lower()
    monkeypatch.setenv(variable, text)
    assert getattr(EntraSettings(), field) == value
    monkeypatch.delenv(variable)
    monkeypatch.setenv(variable.lower(), text)
    assert getattr(EntraSettings(), field) == value


def test_values_may_be_given_as_python_values() -> None:
    """Code need not write lists, times and secrets as text."""
    found = settings(
        audience=["a", "b"],
        scopes=("openid", "x"),
        session_secret=[SecretStr(LONG), LONGER],
        session_lifetime=timedelta(hours=1),
        client_secret=SecretStr(SECRET),
        clock_skew=5,
        http_timeout=1.5,
        ca_bundle=Path(CA_BUNDLE),
        allowed_clients={"A"},
        allow_http=True,
    )
    assert (found.audience, found.scopes, found.allowed_clients) == (("a", "b"), ("openid", "x"), ("a",))
    assert found.session_secret == (SecretStr(LONG), SecretStr(LONGER))
    assert (found.session_lifetime, found.clock_skew, found.http_timeout) == (timedelta(hours=1), 5, 1.5)
    assert (found.client_secret, found.ca_bundle) == (SecretStr(SECRET), Path(CA_BUNDLE))
    assert found.allow_http is True


def test_is_frozen() -> None:
    """Settings are immutable; equal settings are equal and hash alike."""
    found = settings()
    with pytest.raises(ValidationError, match="frozen"):
        found.issuer = "https://evil.example.com/v2.0"
    assert found == settings()
    assert hash(found) == hash(settings())


# Where values come from


@pytest.mark.usefixtures("six")
@pytest.mark.parametrize(
    "name", ["client_id", "CLIENT_ID", "CAMUNDA_IDENTITY_CLIENTID", "camunda_identity_client_id"]
)
def test_keyword_arguments_win(name: str) -> None:
    """Whether they name the field or a variable, in any case."""
    assert EntraSettings(**{name: "one"}).client_id == "one"


@pytest.mark.parametrize("field", ["issuer_backend_url", "client_id", "client_secret"])
def test_the_spellings_of_the_sdk_mean_the_same(field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """``CAMUNDA_IDENTITY_CLIENTID`` is ``CAMUNDA_IDENTITY_CLIENT_ID``; both at once may agree."""
    for name, value in SIX.items():
        monkeypatch.setenv(name, value)
    expected = EntraSettings()
    documented = f"CAMUNDA_IDENTITY_{field.upper()}"
    joined = f"CAMUNDA_IDENTITY_{field.upper().replace('_', '')}"
    monkeypatch.setenv(joined, SIX[documented])
    assert EntraSettings() == expected
    monkeypatch.delenv(documented)
    assert EntraSettings() == expected


@pytest.mark.usefixtures("six")
@pytest.mark.parametrize("source", ["environment", "dotenv", "files"])
def test_two_spellings_that_differ_are_a_mistake(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever the two stand; the values are not told, and a keyword argument settles it."""
    if source == "environment":
        monkeypatch.setenv("CAMUNDA_IDENTITY_CLIENTSECRET", "another-secret")
    elif source == "dotenv":
        Path(".env").write_text("CAMUNDA_IDENTITY_CLIENTSECRET=another-secret")
    else:
        (tmp_path / "CAMUNDA_IDENTITY_CLIENTSECRET").write_text("another-secret")
        monkeypatch.setenv("CAMUNDA_ENTRA_SECRETS_DIR", str(tmp_path))
    with pytest.raises(SettingsError) as caught:
        EntraSettings()
    (message,) = caught.value.problems
    assert message.startswith("CAMUNDA_IDENTITY_CLIENT_SECRET and CAMUNDA_IDENTITY_CLIENTSECRET ")
    assert "another-secret" not in message
    assert SECRET not in message
    assert EntraSettings(client_secret="third").client_secret == SecretStr("third")


def test_two_keyword_arguments_for_one_setting_must_agree() -> None:
    """Neither is preferred in silence."""
    assert settings(CAMUNDA_IDENTITY_CLIENTID=CLIENT).client_id == CLIENT
    assert problem(CAMUNDA_IDENTITY_CLIENTID="other").startswith("CAMUNDA_IDENTITY_CLIENT_ID is given by two")


def test_sources_have_an_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keyword argument, environment, ``.env``, secret file, default."""
    name = "CAMUNDA_ENTRA_CLOCK_SKEW"
    assert settings().clock_skew == 60
    (tmp_path / name.lower()).write_text("4\n")
    monkeypatch.setenv("CAMUNDA_ENTRA_SECRETS_DIR", str(tmp_path))
    assert settings().clock_skew == 4
    Path(".env").write_text(f"{name}=3\n")
    assert settings().clock_skew == 3
    monkeypatch.setenv(name, "2")
    assert settings().clock_skew == 2
    assert settings(clock_skew=1).clock_skew == 1


def test_a_dotenv_file_is_read(tmp_path: Path) -> None:
    """With a byte order mark and variables of others in it; another file can be named, or none."""
    lines = "".join(f'{name}="{value}"\n' for name, value in SIX.items())
    (tmp_path / ".env").write_text(
        f"{lines}DATABASE_URL=x\nCAMUNDA_IDENTITY_FOO=1\nFLAG\n", encoding="utf-8-sig"
    )
    assert EntraSettings().client_id == CLIENT
    (tmp_path / "other.env").write_text(lines.replace(CLIENT, "other"))
    assert EntraSettings(_env_file=tmp_path / "other.env").client_id == "other"
    with pytest.raises(SettingsError, match="CAMUNDA_IDENTITY_CLIENT_ID is not set"):
        EntraSettings(_env_file=None)


def test_a_dotenv_file_that_is_no_text_is_told() -> None:
    """Some editors write UTF-16; nothing of the content is repeated."""
    Path(".env").write_text(f"CAMUNDA_IDENTITY_CLIENT_SECRET={SECRET}", encoding="utf-16")
    message = problem()
    assert message.startswith("The .env file cannot be read")
    assert SECRET not in message


def test_secret_files_are_read(tmp_path: Path) -> None:
    """One file per variable, its name in any case; other files and folders are left alone."""
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / "camunda_identity_client_secret").write_text(f"{SECRET}\n")
    (folder / "CAMUNDA_ENTRA_CLOCK_SKEW").write_text("")
    (folder / "CAMUNDA_ENTRA_SCOPES").mkdir()
    (folder / "notes").write_bytes(b"\xff")
    assert settings(_secrets_dir=folder).client_secret == SecretStr(SECRET)
    assert settings(_secrets_dir=folder).clock_skew == 60
    Path(".env").write_text(f"CAMUNDA_ENTRA_SECRETS_DIR={folder}")
    assert settings().client_secret == SecretStr(SECRET)


def test_secret_files_are_read_at_each_construction(tmp_path: Path) -> None:
    """A rotated secret is seen; of several folders the last one counts."""
    first, second = tmp_path / "first", tmp_path / "second"
    for number, folder in enumerate((first, second)):
        folder.mkdir()
        (folder / "CAMUNDA_IDENTITY_CLIENT_SECRET").write_text(f"secret{number}")
    assert settings(_secrets_dir=[first, second]).client_secret == SecretStr("secret1")
    (second / "CAMUNDA_IDENTITY_CLIENT_SECRET").write_text("new")
    assert settings(_secrets_dir=[first, second]).client_secret == SecretStr("new")


@pytest.mark.parametrize("kind", ["missing", "file"])
def test_a_folder_that_is_none_is_told(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the name of the variable, together with all other mistakes."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CAMUNDA_ENTRA_SECRETS_DIR", str(tmp_path / kind))
    messages = problems(clock_skew="x")
    assert [one.split()[0] for one in messages] == [
        "CAMUNDA_ENTRA_CLOCK_SKEW",
        "CAMUNDA_ENTRA_SECRETS_DIR",
    ]


@pytest.mark.parametrize("content", [b"\xff\xfe", b"x" * 65_537])
def test_a_secret_file_that_is_none_is_told(content: bytes, tmp_path: Path) -> None:
    """Not text, or far too long; a variable that comes first makes it unimportant."""
    (tmp_path / "CAMUNDA_IDENTITY_CLIENT_SECRET").write_bytes(content)
    assert problem(_secrets_dir=tmp_path).startswith("CAMUNDA_IDENTITY_CLIENT_SECRET has a secret file ")
    assert settings(_secrets_dir=tmp_path, client_secret="x").client_secret == SecretStr("x")


@pytest.mark.usefixtures("six")
@pytest.mark.parametrize("empty", ["", "  ", '""', "''"])
def test_empty_variables_are_not_set(empty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compose files and charts pass on what nobody filled in; a required one is then missing."""
    for field in EntraSettings.model_fields:
        if f"CAMUNDA_IDENTITY_{field.upper()}" not in SIX:
            monkeypatch.setenv(f"CAMUNDA_ENTRA_{field.upper()}", empty)
    for name in ("CLIENT_SECRET", "AUDIENCE", "ISSUER_BACKEND_URL", "CLIENTID"):
        monkeypatch.setenv(f"CAMUNDA_IDENTITY_{name}", empty)
    assert EntraSettings() == settings(_env_file=None)
    monkeypatch.setenv("CAMUNDA_IDENTITY_ISSUER", empty)
    with pytest.raises(SettingsError, match="CAMUNDA_IDENTITY_ISSUER is not set"):
        EntraSettings()


@pytest.mark.usefixtures("six")
def test_empty_arguments_are_not_given() -> None:
    """So the environment decides; None stays None where that is a value."""
    found = EntraSettings(client_id="", type=None, audience=None, client_secret="")
    assert (found.client_id, found.audience) == (CLIENT, (f"api://{CLIENT}",))
    assert found.client_secret == SecretStr(SECRET)
    assert EntraSettings(client_secret=SecretStr("")).client_secret == SecretStr(SECRET)
    assert EntraSettings(client_secret=None).client_secret is None


@pytest.mark.parametrize("text", [f'"{CLIENT}"', f"'{CLIENT}'", f"  {CLIENT}\t", f' " {CLIENT} "'])
def test_blanks_and_quotes_around_values_are_taken_off(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """``docker run --env-file`` leaves quotes in."""
    assert settings(client_id=text).client_id == CLIENT
    monkeypatch.setenv("CAMUNDA_IDENTITY_TYPE", "AZUREAD")
    monkeypatch.setenv("CAMUNDA_IDENTITY_ISSUER", ISSUER)
    monkeypatch.setenv("CAMUNDA_IDENTITY_CLIENT_ID", text)
    assert EntraSettings().client_id == CLIENT


@pytest.mark.parametrize("source", ["environment", "dotenv"])
def test_a_variable_with_a_typo_is_warned_of(
    source: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One warning with the nearest name, without the value; variables of others are left alone."""
    if source == "environment":
        monkeypatch.setenv("CAMUNDA_ENTRA_CLOCK_SCEW", SECRET)
        monkeypatch.setenv("CAMUNDA_IDENTITY_CLOCKSKEW", "PT60S")
    Path(".env").write_text(f"CAMUNDA_ENTRA_CLOCK_SCEW={SECRET}\nCAMUNDA_IDENTITY_RESOURCE=1")
    with caplog.at_level(logging.WARNING):
        settings()
    (record,) = caplog.records
    assert record.name == "camunda_entra_fastapi"
    assert "CAMUNDA_ENTRA_CLOCK_SCEW" in record.getMessage()
    assert "Did you mean CAMUNDA_ENTRA_CLOCK_SKEW?" in record.getMessage()
    assert SECRET not in record.getMessage()


def test_known_variables_are_not_warned_of(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The folder of secret files is no typo."""
    monkeypatch.setenv("CAMUNDA_ENTRA_SECRETS_DIR", str(tmp_path))
    monkeypatch.setenv("CAMUNDA_ENTRA_CLOCK_SKEW", "1")
    settings()
    assert caplog.records == []


# How mistakes are told


def test_all_mistakes_are_told_at_once() -> None:
    """In the order of the table, each beginning with the variable's documented name."""
    messages = problems(
        allow_http="maybe",
        type="KEYCLOAK",
        issuer="nonsense",
        issuer_backend_url="http://entra.example.com/x",
        client_id="api://x",
        audience="a,,b",
        client_certificate=3,
        client_certificate_password="a\nb",
        client_assertion_algorithm="HS256",
        federated_token_file=3,
        base_url="operate",
        scopes="email",
        session_store="file",
        session_lease="11",
        session_secret="short",
        session_lifetime="1",
        cookie_name="a b",
        cookie_domain="localhost",
        cookie_same_site="strict",
        frame_ancestors="portal",
        login_prefix="auth/",
        callback_path="https://operate.example.com/callback",
        post_logout_path="//evil.example",
        return_to_hosts="https://x.example",
        clock_skew="301",
        accept_v1_tokens="2",
        allowed_tenants="contoso.com",
        allowed_clients="a b",
        tenant_type="b2c",
        allow_guests="-",
        websocket_protocol_tokens="maybe",
        group_overage="maybe",
        token_cache_size="many",
        metadata_lifetime="0",
        key_retention="P8D",
        http_timeout="0",
        http_proxy="proxy",
        ca_bundle="nowhere.pem",
        allow_lax_certificates="maybe",
        custom_signing_keys="x",
        documentation_url="docs.example.com",
        allow_local_entra="maybe",
        client_secret="a\nb",
    )
    identity = ("TYPE", "ISSUER", "ISSUER_BACKEND_URL", "CLIENT_ID", "CLIENT_SECRET", "AUDIENCE")
    others = [
        name.upper() for name in EntraSettings.model_fields if name.upper() not in (*identity, "ALLOW_HTTP")
    ]
    assert [one.split()[0] for one in messages] == [
        *(f"CAMUNDA_IDENTITY_{name}" for name in identity),
        *(f"CAMUNDA_ENTRA_{name}" for name in (*others, "ALLOW_HTTP")),
    ]
    assert all(one.endswith(".") for one in messages)


def test_what_is_missing_is_told_with_an_example() -> None:
    """The three required variables."""
    with pytest.raises(SettingsError) as caught:
        EntraSettings()
    assert caught.value.problems == (
        "CAMUNDA_IDENTITY_TYPE is not set. Set it to AZUREAD.",
        f"CAMUNDA_IDENTITY_ISSUER is not set. Set it to the issuer of your tenant, for example {ISSUER}.",
        (
            "CAMUNDA_IDENTITY_CLIENT_ID is not set. Set it to the Application (client) ID of the app "
            f"registration, a GUID, for example {CLIENT}."
        ),
    )


def test_an_unknown_argument_is_told() -> None:
    """A typo in code is a mistake, with the nearest name."""
    assert problem(clock_scew=1) == "'clock_scew' is not a setting. Remove it, or did you mean clock_skew?"


def test_settings_inside_another_model_are_told_as_they_are() -> None:
    """A value that pydantic makes settings of raises the same error."""

    class Outer(BaseModel):
        entra: EntraSettings

    assert Outer(entra=settings()).entra == settings()
    with pytest.raises(ValueError, match="CAMUNDA_IDENTITY_ISSUER is not set"):
        EntraSettings.model_validate({"type": "AZUREAD"})


def test_no_error_shows_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in its text, its context or its traceback, whichever value is wrong."""
    url = f"https://u:{SECRET}@h.example.com/{TENANT}/v2.0?x={SECRET}"
    for name in EntraSettings.model_fields:
        prefix = "IDENTITY" if f"CAMUNDA_IDENTITY_{name.upper()}" in SIX else "ENTRA"
        monkeypatch.setenv(f"CAMUNDA_{prefix}_{name.upper()}", url)
    monkeypatch.setenv("CAMUNDA_IDENTITY_TYPE", "x")
    for plain in ("ALLOW_HTTP", "ACCEPT_V1_TOKENS", "ALLOW_GUESTS", "CUSTOM_SIGNING_KEYS", "CLOCK_SKEW"):
        monkeypatch.setenv(f"CAMUNDA_ENTRA_{plain}", "x")
    for plain in (
        "SESSION_LIFETIME",
        "SESSION_LEASE",
        "TOKEN_CACHE_SIZE",
        "METADATA_LIFETIME",
        "HTTP_TIMEOUT",
        "CA_BUNDLE",
        "KEY_RETENTION",
        "ALLOW_LAX_CERTIFICATES",
        "ALLOW_LOCAL_ENTRA",
        "WEBSOCKET_PROTOCOL_TOKENS",
    ):
        monkeypatch.setenv(f"CAMUNDA_ENTRA_{plain}", "x")
    monkeypatch.setenv("CAMUNDA_IDENTITY_CLIENT_SECRET", f"{SECRET}\n1")
    monkeypatch.setenv("CAMUNDA_ENTRA_SESSION_SECRET", SECRET)
    with pytest.raises(SettingsError) as caught:
        EntraSettings()
    assert len(caught.value.problems) >= 20
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("MEMORY", "memory"),
        ("redis://redis", "redis://redis"),
        ("redis://[::1]:6379/", "redis://[::1]:6379/"),
        ("valkey://redis_1:6379/15", "valkey://redis_1:6379/15"),
        (f"valkeys://:{SECRET}@h?ssl_check_hostname=false", "valkeys://***@h?***"),
        (f"redis+sentinel://u:{SECRET}@a,b:1/my-master", "redis+sentinel://***@a,b:1/my-master"),
        (
            f"rediss+sentinel://a:1/m/3?sentinel_username=s&sentinel_password={SECRET}&ssl_ca_certs=/ca.pem",
            "rediss+sentinel://a:1/m/3?***",
        ),
        (f"rediss+cluster://u:{SECRET}@a:1,b,c:3", "rediss+cluster://***@a:1,b,c:3"),
        (f"redis+cluster://[::1]:1,[::2]?password={SECRET}", "redis+cluster://[::1]:1,[::2]?***"),
        (f"redis+sentinel://u:{SECRET}@a,[::2]:3/m", "redis+sentinel://***@a,[::2]:3/m"),
        ("redis+cluster://a:1,[2001:DB8::2],[::ffff:10.0.0.1]:3", None),
        (f"redis://u:{SECRET}@x@[fe80::1]:1/2", "redis://***@[fe80::1]:1/2"),
        ("redis://REDIS.example.com:65535", None),
    ],
)
def test_session_stores_of_all_kinds_are_known(url: str, shown: str | None) -> None:
    """One Redis or Valkey, Sentinels or a cluster; kept as given, shown without its secrets.

    No Python's ``urlsplit`` is asked: from 3.13 on it refuses lists in which an IPv6 address is not first.
    """
    found = settings(session_store=url)
    assert found.session_store == ("memory" if shown == "memory" else url)
    assert f"session_store={shown or url!r}" in repr(found)


def test_nothing_shows_a_secret() -> None:
    """``repr``, ``str`` and dumps mask secrets, and passwords and queries in URLs."""
    found = settings(
        client_secret=SECRET,
        session_secret=SECRET + LONG,
        session_store=f"redis://user:{SECRET}@redis.example.com:6379/1?password={SECRET}",
        http_proxy=f"http://user:{SECRET}@proxy.example.com:3128",
    )
    for shown in (repr(found), str(found), str(found.model_dump()), found.model_dump_json()):
        assert SECRET not in shown
        assert "redis://***@redis.example.com:6379/1?***" in shown
        assert "http://***@proxy.example.com:3128" in shown
    assert SECRET in found.session_store
    assert "session_store='cookie'" in repr(settings())


@pytest.mark.usefixtures("six")
def test_the_log_of_pydantic_settings_shows_no_secret(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Newer releases log what every source gives, when asked to."""
    monkeypatch.setenv("PYDANTIC_SETTINGS_DEBUG", "1")
    with caplog.at_level(logging.DEBUG):
        EntraSettings()
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("KEYCLOAK", "for Keycloak"),
        ("generic", "any OpenID Connect provider"),
        ("OKTA", "is 'OKTA'"),
        (5, "is '5'"),
    ],
)
def test_other_identity_providers_are_refused_by_name(kind: object, words: str) -> None:
    """Only Entra is understood; the right value is told."""
    message = problem(type=kind)
    assert words in message
    assert "AZUREAD" in message


# The issuer


@pytest.mark.parametrize(
    ("issuer", "words"),
    [
        (f"https://sts.windows.net/{TENANT}/", f"version 1.0. Set it to {ISSUER};"),
        ("https://sts.windows.net", f"version 1.0. Set it to {ISSUER};"),
        (
            f"https://sts.chinacloudapi.cn/{TENANT}/",
            f"Set it to https://login.partner.microsoftonline.cn/{TENANT}/v2.0;",
        ),
        (ISSUER.removesuffix("/v2.0"), f"is not as Entra writes it. Set it to {ISSUER}."),
        (ISSUER.removesuffix("/v2.0") + "/", f"is not as Entra writes it. Set it to {ISSUER}."),
        (ISSUER.replace("/v2.0", "/oauth2/v2.0/token"), f"is not as Entra writes it. Set it to {ISSUER}."),
        (ISSUER + "/", f"ends in a slash, which Entra's tokens do not have. Set it to {ISSUER}."),
        (ISSUER + "/.well-known/openid-configuration", f"is the address of a document. Set it to {ISSUER}."),
        (
            ISSUER.removesuffix("/v2.0") + "/.well-known/openid-configuration?appid=x",
            f"is the address of a document. Set it to {ISSUER}.",
        ),
        (
            "https://c.b2clogin.com/c.onmicrosoft.com/B2C_1_x/v2.0/.well-known/openid-configuration",
            "Set it to https://c.b2clogin.com/c.onmicrosoft.com/B2C_1_x/v2.0.",
        ),
        (
            "https://login.microsoftonline.com/consumers/v2.0",
            "Set it to https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0.",
        ),
        ("https://login.microsoftonline.com", "names no tenant"),
        ("https://login.microsoftonline.com/v2.0", "names no tenant"),
        ("https://login.microsoftonline.com/<tenant>/v2.0", "still holds a placeholder"),
        ("https://login.microsoftonline.com/YOUR_TENANT/v2.0", "still holds a placeholder"),
        ("https://login.microsoftonline.com/${TENANT_ID}/v2.0", "still holds a placeholder"),
        ("https://login.microsoftonline.com/{tenant}/v2.0", "still holds a placeholder"),
        ("https://{tenantid}.ciamlogin.com/{tenantid}/v2.0", "must hold {tenantid} once"),
        ("https://sso.example.com/x-{tenantid}/v2.0", "must hold {tenantid} once"),
        (f"http://sso.example.com/{TENANT}/v2.0", "is plain http"),
        (f"http://127.0.0.1.example.com/{TENANT}/v2.0", "is plain http"),
        (f"http://[::2]/{TENANT}/v2.0", "is plain http"),
        (f"ftp://sso.example.com/{TENANT}/v2.0", "is not https or http with the name of a host"),
        (f"login.microsoftonline.com/{TENANT}/v2.0", "is not https or http with the name of a host"),
        (f"https:///{TENANT}/v2.0", "is not https or http with the name of a host"),
        (f"https://sso.example.com:/{TENANT}/v2.0", "is not https or http with the name of a host"),
        (f"https://sso.example.com:0/{TENANT}/v2.0", "is not https or http with the name of a host"),
        (f"https://sso.example.com:x/{TENANT}/v2.0", "is not https or http with the name of a host"),
        (f"https://[::1/{TENANT}/v2.0", "is not https or http with the name of a host"),
        (f"https://[::1%25eth0]/{TENANT}/v2.0", "is not https or http with the name of a host"),
        (f"https://-sso.example.com/{TENANT}/v2.0", "is not https or http with the name of a host"),
        (f"https://{'a.' * 130}com/{TENANT}/v2.0", "is not https or http with the name of a host"),
        (f"https://user@sso.example.com/{TENANT}/v2.0", "holds a user name or password"),
        (f"{ISSUER}?x=1", "holds a query or fragment"),
        (f"{ISSUER}?", "holds a query or fragment"),
        (f"{ISSUER}#", "holds a query or fragment"),
        (f"https://sso.example.com//{TENANT}/v2.0", "has an empty segment"),
        (f"https://sso.example.com/../{TENANT}/v2.0", "has an empty segment, or one of dots"),
        (f"https://sso.example.com/{TENANT} /v2.0", "holds a character that no URL has"),
        (f"https://sso.example.com/{TENANT}\n/v2.0", "holds a character that no URL has"),
        (f"https://sso.example.com\\@x/{TENANT}/v2.0", "holds a character that no URL has"),
        (f"https://ssö.example.com/{TENANT}/v2.0", "holds a character that no URL has"),
        (f"https://sso.example.com/{'x' * 2048}/v2.0", "longer than 2048 characters"),
        (5, "is not text"),
    ],
)
def test_a_wrong_issuer_is_told_in_its_own_words(issuer: object, words: str) -> None:
    """Likely mistakes are named, with the right value where it can be told."""
    message = problem(issuer=issuer)
    assert message.startswith("CAMUNDA_IDENTITY_ISSUER ")
    assert words in message


@pytest.mark.parametrize(
    ("issuer", "tenant", "authorization_url"),
    [
        (ISSUER, TENANT, f"https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/authorize"),
        (
            f"https://login.microsoftonline.us/{TENANT.upper()}/v2.0",
            TENANT,
            f"https://login.microsoftonline.us/{TENANT.upper()}/oauth2/v2.0/authorize",
        ),
        (
            f"https://login.partner.microsoftonline.cn/{TENANT}/v2.0",
            TENANT,
            f"https://login.partner.microsoftonline.cn/{TENANT}/oauth2/v2.0/authorize",
        ),
        (
            "https://login.microsoftonline.com/contoso.onmicrosoft.com/v2.0",
            "contoso.onmicrosoft.com",
            "https://login.microsoftonline.com/contoso.onmicrosoft.com/oauth2/v2.0/authorize",
        ),
        (
            f"https://{TENANT}.ciamlogin.com/{TENANT}/v2.0",
            TENANT,
            f"https://{TENANT}.ciamlogin.com/{TENANT}/oauth2/v2.0/authorize",
        ),
        (
            f"https://c.b2clogin.com/{TENANT}/v2.0/",
            TENANT,
            f"https://c.b2clogin.com/{TENANT}/oauth2/v2.0/authorize",
        ),
        (
            f"https://c.b2clogin.com/tfp/{TENANT}/B2C_1_x/v2.0/",
            TENANT,
            f"https://c.b2clogin.com/tfp/{TENANT}/B2C_1_x/oauth2/v2.0/authorize",
        ),
        (
            f"http://entra.localhost:8080/prefix/{TENANT}/v2.0",
            TENANT,
            f"http://entra.localhost:8080/prefix/{TENANT}/oauth2/v2.0/authorize",
        ),
        ("https://sso.example.com/adfs", "adfs", "https://sso.example.com/adfs/oauth2/v2.0/authorize"),
    ],
)
def test_an_issuer_of_one_tenant(issuer: str, tenant: str, authorization_url: str) -> None:
    """Kept to the letter; tenant and endpoints for browsers are told without network."""
    found = settings(issuer=issuer)
    assert (found.issuer, found.issuer_template, found.issuer_backend_url) == (issuer, issuer, issuer)
    assert (found.is_multi_tenant, found.tenant) == (False, tenant)
    assert found.authorization_url == authorization_url
    assert found.token_url == authorization_url.removesuffix("authorize") + "token"


@pytest.mark.parametrize(
    ("named", "tenant_in_urls"),
    [("common", "common"), ("organizations", "organizations"), ("{tenantid}", "common")],
)
def test_an_issuer_of_several_tenants(named: str, tenant_in_urls: str) -> None:
    """Tokens name their own tenant; documents and sign-in are those of ``common`` or ``organizations``."""
    found = settings(issuer=ISSUER.replace(TENANT, named), allowed_tenants="*")
    assert (found.is_multi_tenant, found.tenant, found.allowed_tenants) == (True, None, ("*",))
    assert found.issuer_template == ISSUER.replace(TENANT, "{tenantid}")
    assert found.issuer_backend_url == ISSUER.replace(TENANT, tenant_in_urls)
    assert (
        found.authorization_url == f"https://login.microsoftonline.com/{tenant_in_urls}/oauth2/v2.0/authorize"
    )


def test_the_policy_of_b2c_is_taken_from_the_backend_url() -> None:
    """B2C's issuers lack it; a backend URL that browsers cannot reach does not tell it."""
    issuer, policy = f"https://c.b2clogin.com/{TENANT}/v2.0/", "c.onmicrosoft.com/B2C_1_x"
    found = settings(issuer=issuer, issuer_backend_url=f"https://c.b2clogin.com:443/{policy}/v2.0")
    assert found.authorization_url == f"https://c.b2clogin.com:443/{policy}/oauth2/v2.0/authorize"
    elsewhere = settings(issuer=issuer, issuer_backend_url=f"http://localhost:8080/{policy}/v2.0")
    assert elsewhere.token_url == f"https://c.b2clogin.com/{TENANT}/oauth2/v2.0/token"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (ISSUER + "/.well-known/openid-configuration", f"is the address of a document. Set it to {ISSUER}."),
        ("https://proxy/x/.well-known/openid-configuration", "Set it to https://proxy/x."),
        ("https://proxy/{tenantid}/v2.0", "Set it to https://proxy/common/v2.0."),
        ("http://proxy:8080/x", "is plain http"),
        ("https://u:p@proxy/x", "holds a user name or password"),
        ("proxy", "is not https or http with the name of a host"),
    ],
)
def test_a_wrong_backend_url_is_told(url: str, words: str) -> None:
    """The same rules as for the issuer, but for Entra's form."""
    message = problem(issuer_backend_url=url)
    assert message.startswith("CAMUNDA_IDENTITY_ISSUER_BACKEND_URL ")
    assert words in message


def test_plain_http_is_accepted_by_setting() -> None:
    """Elsewhere than on this machine it must be asked for."""
    url = f"http://entra_proxy:8080/entra/{TENANT}/v2.0"
    found = settings(issuer=url, base_url="http://operate", allow_http="true")
    assert (found.issuer, found.issuer_backend_url, found.base_url) == (url, url, "http://operate")
    assert [one.split()[0] for one in problems(issuer=url, base_url="http://operate")] == [
        "CAMUNDA_IDENTITY_ISSUER",
        "CAMUNDA_ENTRA_BASE_URL",
    ]


@pytest.mark.parametrize("host", ["localhost", "a.localhost", "127.0.0.1:8080", "127.9.9.9", "[::1]:80"])
def test_plain_http_is_accepted_on_this_machine(host: str) -> None:
    """Nobody else is on the way."""
    assert settings(issuer=f"http://{host}/{TENANT}/v2.0").tenant == TENANT


# Tenants


@pytest.mark.parametrize("named", ["common", "organizations", "{tenantid}"])
def test_an_issuer_of_several_tenants_needs_a_list(named: str) -> None:
    """The allowed tenants must be set, even if it is every tenant."""
    message = problem(issuer=ISSUER.replace(TENANT, named))
    assert message.startswith(
        "CAMUNDA_ENTRA_ALLOWED_TENANTS is not set, but CAMUNDA_IDENTITY_ISSUER is for several"
    )
    assert settings(issuer=ISSUER.replace(TENANT, named), allowed_tenants=[OTHER]).allowed_tenants == (OTHER,)


def test_a_list_without_the_issuers_own_tenant_is_a_mistake() -> None:
    """It would let nobody in."""
    assert f"lacks the one tenant of CAMUNDA_IDENTITY_ISSUER, {TENANT}" in problem(allowed_tenants=OTHER)


def test_any_tenant_with_the_issuer_of_one_is_that_one() -> None:
    """Nobody is shut out by it, so it is let pass."""
    assert settings(allowed_tenants="*").allowed_tenants == ("*",)


def test_a_list_goes_with_an_issuer_by_domain() -> None:
    """Which tenant a domain is cannot be told here."""
    issuer = "https://login.microsoftonline.com/contoso.onmicrosoft.com/v2.0"
    assert settings(issuer=issuer, allowed_tenants=OTHER).allowed_tenants == (OTHER,)


@pytest.mark.parametrize("tenants", ["contoso.com", f"*,{TENANT}", f"{TENANT};{OTHER}"])
def test_tenants_are_ids(tenants: str) -> None:
    """Domains can change hands."""
    assert "CAMUNDA_ENTRA_ALLOWED_TENANTS holds something that is not a tenant ID" in problem(
        allowed_tenants=tenants
    )


# The rest


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("client_id", f"api://{CLIENT}", "is a URI. Give the Application (client) ID"),
        ("client_id", "my app", "is not an ID. Give the Application (client) ID"),
        ("client_id", "<client-id>", "is not an ID"),
        ("client_id", "your-client-id", "is not an ID"),
        ("client_id", 5, "is not an ID"),
        ("client_secret", "a\tb", "is not one line of printable text"),
        ("client_secret", "x" * 4097, "is not one line of printable text"),
        ("client_secret", 5, "is not one line of printable text"),
        ("audience", "a,,b", "has an empty entry. Give one value, or several separated by commas."),
        ("audience", "api://a api://b", "has an entry with blanks"),
        ("audience", '["a", "b"]', "has an entry with blanks, quotes or brackets"),
        ("audience", 5, "is not text"),
        ("audience", [5], "is not text"),
        ("audience", b"a", "is not text"),
        ("audience", {"a": 1}, "is not text"),
        ("audience", ["a" * 65_537], "longer than 65536 characters"),
        ("base_url", "https://operate.example.com/?x", "holds a query"),
        ("base_url", "https://u@operate.example.com", "holds a user name"),
        ("base_url", "operate.example.com", "for example https://orders.example.com"),
        ("scopes", "email", "lacks openid"),
        ("scopes", "openid,email", "has an entry with commas"),
        ("session_store", "file", "is no store"),
        ("session_store", 5, "is no store"),
        ("session_store", "redis://", "is no store"),
        ("session_store", "http://redis", "is no store"),
        ("session_store", "redis://u:1/x@h", "is no store"),
        ("session_store", "redis://h/0#x", "is no store"),
        ("session_store", "redis://u:1?x@h", "is no store"),
        ("session_store", "redis://h:0", "is no store"),
        ("session_store", "redis://h?password=a b", "is no store"),
        ("session_store", "redis://h/x", "is no store"),
        ("session_store", "redis://" + "h" * 2050, "is no store"),
        ("session_store", "redis+tls://h", "is no store"),
        ("session_store", "redis+cluster://a,,b", "is no store"),
        ("session_store", "redis+sentinel://[::1],[x]/m", "is no store"),
        ("session_store", "redis://h:", "is no store"),
        ("session_store", "redis://h:65536", "is no store"),
        ("session_store", "redis://::1", "is no store"),
        ("session_store", "redis://[::1", "is no store"),
        ("session_store", "redis://[::1]x:3", "is no store"),
        ("session_store", "redis://[10.0.0.1]", "is no store"),
        ("session_store", "redis://[fe80::1%25eth0]", "is no store"),
        ("session_store", "redis+cluster://a,[fe80::1%25eth0]", "is no store"),
        ("session_store", "redis+cluster://a,[v1.x]", "is no store"),
        ("session_store", "redis+cluster://a,-b", "is no store"),
        ("session_store", "redis://u:p[x]@h", "is no store"),
        ("session_store", "redis://a,b", "names several hosts. Give one, or add +sentinel or +cluster"),
        ("session_store", "redis+sentinel://a,b", "does not name the service"),
        ("session_store", "redis+sentinel://a,b/", "as in rediss+sentinel://sentinel-1.example.com,"),
        ("session_store", "redis+sentinel://a,b/m/x", "does not name the service"),
        ("session_store", "redis+cluster://a,b/0", "a cluster has no numbered databases"),
        ("session_store", "redis+cluster://a?db=0", "There are: password, username."),
        ("session_store", "redis://h?db=x", "a wrong value for one. There are: db, password, username."),
        ("session_store", "redis://h?ssl_ca_certs=x", "There are: db, password, username."),
        ("session_store", "rediss://h?ssl_cert_reqs=none", "ssl_ca_certs, ssl_certfile, ssl_check_hostname"),
        ("session_store", "redis://h?sentinel_password=x", "has an option after ?"),
        ("session_secret", "x" * 31, "fewer than 32 printable characters"),
        ("session_secret", f"{LONG},short", "fewer than 32 printable characters"),
        ("session_secret", f"{LONG}\n{LONG}", "fewer than 32 printable characters"),
        ("session_secret", f"{LONG},", "has an empty entry"),
        ("session_lease", "11", "is '11'. Give seconds from 0 to 10, for example 2"),
        ("session_lease", "0.5", "Give whole seconds, for example 2"),
        ("session_lifetime", "59", "Give one minute to 90 days"),
        ("session_lifetime", "P91D", "Give one minute to 90 days"),
        ("session_lifetime", "P1M", "Give one minute to 90 days"),
        ("session_lifetime", "PT", "Give one minute to 90 days"),
        ("session_lifetime", "P", "Give one minute to 90 days"),
        ("session_lifetime", "8h", "for example PT8H"),
        ("clock_skew", "-1", "is '-1'. Give seconds from 0 to 300, for example 60"),
        ("clock_skew", "301", "for example PT60S"),
        ("clock_skew", "1.5", "Give whole seconds, for example 60"),
        ("clock_skew", True, "Give seconds from 0 to 300"),
        ("clock_skew", "٣", "Give seconds from 0 to 300"),
        ("allow_guests", "maybe", "is 'maybe'. Give true or false."),
        ("allowed_clients", "api://x", "holds something that is not a client ID"),
        ("token_cache_size", "1000001", "Give a whole number from 0 to 1000000, for example 10000"),
        ("token_cache_size", "1.5", "Give a whole number"),
        ("token_cache_size", "PT5S", "Give a whole number"),
        ("metadata_lifetime", "0", "Give seconds from 1 to 86400"),
        ("key_retention", "604801", "Give seconds from 0 to 604800, for example 86400"),
        ("key_retention", "-1", "ISO 8601 duration, for example PT86400S"),
        ("http_timeout", "0.05", "Give seconds from 0.1 to 60, for example 5"),
        ("http_timeout", float("nan"), "Give seconds from 0.1 to 60"),
        ("http_timeout", float("inf"), "Give seconds from 0.1 to 60"),
        ("http_proxy", "proxy:3128", "is not https or http with the name of a host"),
        ("http_proxy", "http://proxy/x", "holds more than a host and a port"),
        ("http_proxy", "http://proxy?x", "holds more than a host and a port"),
        ("http_proxy", "http://proxy#x", "holds more than a host and a port"),
        ("ca_bundle", "nowhere.pem", "is 'nowhere.pem', not a readable file"),
        ("ca_bundle", "bad\0name", "not a readable file"),
        ("ca_bundle", 5, "not a readable file"),
    ],
)
def test_a_wrong_value_is_told_with_a_right_one(field: str, value: object, words: str) -> None:
    """The sentence says what is wrong and what the value should look like."""
    assert words in problem(**{field: value})


def test_a_file_without_certificates_is_no_ca_bundle(tmp_path: Path) -> None:
    """It is looked into at start, not when keys are fetched."""
    (tmp_path / "empty.pem").write_text("")
    assert "not a readable file of certificates in PEM form" in problem(ca_bundle=tmp_path / "empty.pem")


def test_nothing_is_asked_of_the_network_or_changed_in_the_environment() -> None:
    """Reading settings leaves no trace."""
    before = dict(os.environ)
    settings(issuer=f"https://nowhere.invalid/{TENANT}/v2.0")
    assert dict(os.environ) == before


# Where the login pages are


@pytest.mark.parametrize(
    ("given", "arguments", "expected"),
    [
        ({}, (None, None), ("/auth", "/auth/login-callback", "/auth/login-callback")),
        ({"login_prefix": "/in"}, (None, None), ("/in", "/in/login-callback", "/in/login-callback")),
        ({}, ("/in", None), ("/in", "/in/login-callback", "/in/login-callback")),
        ({}, (None, "/sso-callback"), ("/auth", "/sso-callback", "/sso-callback")),
        ({"callback_path": "/sso"}, ("/in", None), ("/in", "/sso", "/sso")),
        ({"callback_path": "/sso"}, ("/in", "/other"), ("/in", "/other", "/other")),
        ({"post_logout_path": "/bye"}, ("/in", None), ("/in", "/in/login-callback", "/bye")),
    ],
)
def test_paths_follow_the_prefix_unless_they_are_given(
    given: dict[str, str], arguments: tuple[str | None, str | None], expected: tuple[str, str, str]
) -> None:
    """Code counts more than the environment, and what nobody names follows from the rest."""
    assert settings(**given).login_paths(*arguments) == expected


@pytest.mark.parametrize(
    "path",
    ["", "/", "auth", "/auth/", "//auth", "/a//b", "/a/../b", "/a/.", "/a?b", "/a b", "/ä", "/" + "a" * 3000],
)
def test_a_path_that_is_none_is_told(path: str) -> None:
    """In code as in the environment."""
    with pytest.raises(ValueError, match="is not a path"):
        settings().login_paths(None, path)
    with pytest.raises(ValueError, match="is not a path"):
        settings().login_paths(path, None)


@pytest.mark.parametrize(
    ("domain", "base_url", "remedy"),
    [
        ("billing.example.com", "https://orders.apps.example.com", "Give apps.example.com, or"),
        ("ders.apps.example.com", "https://orders.apps.example.com", "Give apps.example.com, or"),
        ("orders.apps.example.com", "https://apps.example.com:8443/orders", "Give example.com, or"),
        ("apps.example.com", "https://orders.azurewebsites.net", "Give orders.azurewebsites.net, or"),
        ("apps.example.com", "http://localhost:8000", "shares cookies with no other: leave it unset."),
        ("apps.example.com", "https://[2001:db8::1]", "shares cookies with no other: leave it unset."),
        ("example.com", "https://192.0.2.7", "shares cookies with no other: leave it unset."),
    ],
)
def test_a_cookie_domain_that_the_service_is_not_in_is_refused(
    domain: str, base_url: str, remedy: str
) -> None:
    """A browser would refuse the cookies, and nobody could sign in."""
    message = problem(cookie_domain=domain, base_url=base_url)
    assert message.startswith(
        "CAMUNDA_ENTRA_COOKIE_DOMAIN is a domain that the host of CAMUNDA_ENTRA_BASE_URL is not in."
    )
    assert remedy in message


@pytest.mark.parametrize(
    ("domain", "base_url"),
    [
        ("apps.example.com", "https://orders.apps.example.com"),
        (".Apps.Example.com", "https://orders.apps.example.com:8443/v1"),
        ("orders.apps.example.com", "https://Orders.apps.example.com"),
        ("apps.example.com", None),
    ],
)
def test_a_cookie_domain_that_the_service_is_in_is_accepted(domain: str, base_url: str | None) -> None:
    """Its own host, too; in any case; with the dot that RFC 6265, 5.2.3 ignores; and without a base URL."""
    assert settings(cookie_domain=domain, base_url=base_url).cookie_domain == domain.lower().removeprefix(".")


def test_default_cookie_names_tell_services_apart_and_replicas_not() -> None:
    """They follow from issuer and client ID, and from nothing else; a name that is set stays as it is."""
    other = "33333333-3333-4444-8555-666666666666"
    names = [
        settings(**changes).cookie_name
        for changes in (
            {},
            {"session_secret": "x" * 40, "base_url": "https://orders.example.com", "cookie_name": ""},
            {"client_id": other},
            {"issuer": ISSUER.replace(TENANT, other)},
        )
    ]
    assert names[0] == names[1]
    assert len(set(names)) == 3
    assert all(re.fullmatch("entra_session_[0-9a-z]{8}", name) for name in names)
    assert settings(cookie_name="entra_session").cookie_name == "entra_session"


def test_cookies_for_frames_need_https() -> None:
    """With plain http, this machine apart, browsers would refuse them."""
    message = problem(cookie_same_site="none", base_url="http://orders.example.com", allow_http=True)
    assert message.startswith(
        "CAMUNDA_ENTRA_COOKIE_SAME_SITE is none, but CAMUNDA_ENTRA_BASE_URL is plain http"
    )
    for base_url in ("https://orders.example.com", "http://localhost:8000", "http://127.0.0.1:8000", None):
        assert settings(cookie_same_site="None", base_url=base_url).cookie_same_site == "none"
    assert problem(cookie_same_site=7).startswith("CAMUNDA_ENTRA_COOKIE_SAME_SITE is neither lax nor none.")


def test_who_may_frame_is_a_list_of_origins() -> None:
    """With a star for hosts in a domain, ports, and http on this machine alone; each once."""
    given = (
        "https://portal.example.com/, https://*.Teams.microsoft.com,http://localhost:3000,https://a.b:8443"
    )
    assert settings(frame_ancestors=f"{given},https://a.b:8443").frame_ancestors == (
        "https://portal.example.com",
        "https://*.teams.microsoft.com",
        "http://localhost:3000",
        "https://a.b:8443",
    )


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("cookie_name", "a;b", "is not a cookie's name"),
        ("cookie_name", "x" * 41, "is not a cookie's name"),
        ("cookie_name", "sitzung-ä", "is not a cookie's name"),
        ("cookie_name", "__Host-entra", "is not a cookie's name"),
        ("cookie_name", 7, "is not a cookie's name"),
        ("cookie_domain", "com", "is not a domain"),
        ("cookie_domain", "a..b", "is not a domain"),
        ("cookie_domain", "x.example; Secure", "is not a domain"),
        ("cookie_domain", 7, "is not a domain"),
        ("cookie_domain", "apps.example.com.", "is not a domain"),
        ("cookie_domain", "..apps.example.com", "is not a domain"),
        ("cookie_domain", "10.0.0.1", "is an IP address"),
        ("cookie_domain", "[::1]", "is an IP address"),
        ("cookie_domain", ".co.uk", "is a public suffix"),
        ("cookie_domain", "AzureWebsites.net", "is a public suffix"),
        ("frame_ancestors", "*", "has an entry that is no origin"),
        ("frame_ancestors", "https://portal.example.com/orders", "has an entry that is no origin"),
        ("frame_ancestors", "http://portal.example.com", "has an entry that is no origin"),
        ("frame_ancestors", "https://a.example; script-src *", "has an entry that is no origin"),
        ("frame_ancestors", "https://a.example 'self'", "has an entry that is no origin"),
        ("frame_ancestors", 7, "has an entry that is no origin"),
        ("frame_ancestors", [f"https://{n}.example" for n in range(51)], "has an entry that is no origin"),
        ("cookie_domain", "https://x.example", "is not a domain"),
        ("cookie_domain", "x.example:8000", "is not a domain"),
        ("cookie_domain", "a." * 127 + "example", "is not a domain"),
        ("login_prefix", 7, "is not a path"),
        ("return_to_hosts", "https://shop.example.com", "has an entry that is no name of a host"),
        ("return_to_hosts", "shop.example.com:8443", "has an entry that is no name of a host"),
        ("return_to_hosts", "*.example.com", "has an entry that is no name of a host"),
        ("return_to_hosts", ".example.com", "has an entry that is no name of a host"),
        ("return_to_hosts", "shop.example.com.", "has an entry that is no name of a host"),
        ("return_to_hosts", "a@shop.example.com", "has an entry that is no name of a host"),
        ("return_to_hosts", "shop.example.com,", "has an entry that is no name of a host"),
        ("return_to_hosts", "127.0.0.1", "has an entry that is no name of a host"),
        ("return_to_hosts", "[::1]", "has an entry that is no name of a host"),
        ("return_to_hosts", "bücher.example", "has an entry that is no name of a host"),
        ("return_to_hosts", "a." * 127 + "example", "has an entry that is no name of a host"),
        ("return_to_hosts", 7, "has an entry that is no name of a host"),
        ("return_to_hosts", [7], "has an entry that is no name of a host"),
        ("return_to_hosts", [f"h{n}.example" for n in range(101)], "names more than 100 hosts"),
    ],
)
def test_what_would_break_a_cookie_or_a_route_is_refused(name: str, value: object, words: str) -> None:
    """The message says what to give instead."""
    message = problem(**{name: value})
    assert message.startswith(f"CAMUNDA_ENTRA_{name.upper()} {words}")
    assert "for example" in message


@pytest.mark.parametrize(
    ("issuer", "others", "authority"),
    [
        (ISSUER, {}, f"https://login.microsoftonline.com/{TENANT}"),
        (
            "https://login.microsoftonline.com/common/v2.0",
            {"allowed_tenants": "*"},
            "https://login.microsoftonline.com/organizations",
        ),
        (
            "https://login.microsoftonline.com/{tenantid}/v2.0",
            {"allowed_tenants": "*"},
            "https://login.microsoftonline.com/organizations",
        ),
    ],
)
def test_consent_and_sign_out_are_beside_the_authorization_endpoint(
    issuer: str, others: dict[str, str], authority: str
) -> None:
    """The admin consent endpoint knows no ``common``."""
    found = settings(issuer=issuer, **others)
    assert found.admin_consent_url == f"{authority}/v2.0/adminconsent"
    assert found.end_session_url == found.authorization_url.removesuffix("authorize") + "logout"


B2C_POLICY = "contoso.onmicrosoft.com/B2C_1_signin"


@pytest.mark.parametrize(
    ("issuer", "backend", "tenant_type", "authority"),
    [
        # Learn: "Enable custom domains for Azure Active Directory B2C", "Overview of tokens in Azure AD B2C"
        (
            f"https://login.contoso.example/{TENANT}/v2.0/",
            f"https://login.contoso.example/{B2C_POLICY}/v2.0",
            "external",
            f"https://login.contoso.example/{B2C_POLICY}",
        ),
        (
            f"https://login.contoso.example/{TENANT}/v2.0/",
            f"http://localhost:8080/{TENANT}/B2C_1A_signup_signin/v2.0",
            "external",
            f"https://login.contoso.example/{TENANT}",
        ),
        (
            f"https://login.contoso.example/tfp/{TENANT}/b2c_1a_signin/v2.0/",
            "",
            "external",
            f"https://login.contoso.example/tfp/{TENANT}/b2c_1a_signin",
        ),
        # Learn: "OpenID Connect on the Microsoft identity platform", external tenants
        (
            f"https://{TENANT}.ciamlogin.com/{TENANT}/v2.0",
            f"https://contoso.ciamlogin.com/{TENANT}/v2.0",
            "external",
            f"https://contoso.ciamlogin.com/{TENANT}",
        ),
        (
            f"https://{TENANT}.ciamlogin.com/{TENANT}/v2.0",
            f"https://login.contoso.example/{TENANT}/v2.0",
            "external",
            f"https://{TENANT}.ciamlogin.com/{TENANT}",
        ),
        (
            f"https://sso.example.com/{TENANT}/v2.0",
            f"https://sso.example.com/internal/{TENANT}/v2.0",
            "workforce",
            f"https://sso.example.com/{TENANT}",
        ),
        (
            f"https://b2clogin.com.example/{TENANT}/v2.0",
            "https://contosob2clogin.com/b2c_2_x/v2.0",
            "workforce",
            f"https://b2clogin.com.example/{TENANT}",
        ),
    ],
)
def test_customers_tenants_are_told_without_network(
    issuer: str, backend: str, tenant_type: str, authority: str
) -> None:
    """By the host, or by B2C's policy, whose name begins with B2C_1_ or B2C_1A_ (Learn: user flows)."""
    found = settings(issuer=issuer, issuer_backend_url=backend)
    assert (found.tenant_type, found.authorization_url) == (tenant_type, f"{authority}/oauth2/v2.0/authorize")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"tenant_type": "b2c"}, "is neither external nor workforce. Give external for External ID"),
        (
            {"tenant_type": "workforce", "issuer": f"https://c.b2clogin.com/{TENANT}/v2.0/"},
            "is workforce, but CAMUNDA_IDENTITY_ISSUER or its backend URL is of External ID or Azure AD B2C",
        ),
    ],
)
def test_a_tenant_type_that_cannot_be_is_refused(values: dict[str, str], words: str) -> None:
    """With the two that there are, or with what contradicts it."""
    message = problem(**values)
    assert message.startswith(f"CAMUNDA_ENTRA_TENANT_TYPE {words}")
    assert "leave it unset" in message.lower()


@pytest.mark.parametrize(
    ("url", "right"),
    [
        ("https://c.b2clogin.com/c.onmicrosoft.com/v2.0?p=B2C_1_x", "c.onmicrosoft.com/B2C_1_x"),
        (
            "https://c.b2clogin.com/c.onmicrosoft.com/v2.0/.well-known/openid-configuration?p=B2C_1A_x",
            "c.onmicrosoft.com/B2C_1A_x",
        ),
        (
            "https://c.b2clogin.com/c.onmicrosoft.com/oauth2/v2.0/authorize?client_id=1&P=b2c_1_x",
            "c.onmicrosoft.com/b2c_1_x",
        ),
        ("https://c.b2clogin.com/c.onmicrosoft.com/b2c_1_X/v2.0?p=B2C_1_x", "c.onmicrosoft.com/b2c_1_X"),
        ("https://c.b2clogin.com?p=B2C_1_x", "<name>.onmicrosoft.com/B2C_1_x"),
    ],
)
def test_a_policy_in_a_query_is_put_into_the_path(url: str, right: str) -> None:
    """Learn, "Set redirect URLs to b2clogin.com": both forms are B2C's, and only a path can go on."""
    message = problem(issuer_backend_url=url)
    assert message == (
        "CAMUNDA_IDENTITY_ISSUER_BACKEND_URL has the policy in its query, where nothing can follow. "
        f"Put it into the path: https://c.b2clogin.com/{right}/v2.0."
    )
    told = problems(issuer=url)[0]
    assert told.startswith("CAMUNDA_IDENTITY_ISSUER has B2C's policy in its query, which no issuer has. Set ")
    assert f"CAMUNDA_IDENTITY_ISSUER_BACKEND_URL to https://c.b2clogin.com/{right}/v2.0, and this one" in told
    if "<" not in right:
        assert settings(issuer_backend_url=f"https://c.b2clogin.com/{right}/v2.0")


def test_another_query_stays_what_it_was() -> None:
    """Only a policy of B2C has a place in the path."""
    assert "holds a query or fragment" in problem(issuer_backend_url=f"{ISSUER}?p=1")
