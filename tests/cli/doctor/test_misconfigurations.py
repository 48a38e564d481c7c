"""Each mistake that costs people days, made for real: the finding names the cause and the remedy."""

import errno
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from camunda_entra_fastapi import CamundaEntra
from camunda_entra_fastapi.testing import EntraEmulator, FederatedCredential
from camunda_entra_fastapi.testing.directory import CONTOSO, OPERATE
from camunda_entra_fastapi.testing.directory.applications import Secret
from camunda_entra_fastapi.testing.serving.certificates import Tls
from camunda_entra_fastapi.testing.serving.server import serving
from tests.cli.conftest import Ran, run_command
from tests.sessions.conftest import RedisServer
from tests.testing.browsing import change_application

BASE = "http://localhost:8000"
SECRET = "local-emulator-secret-of-operate"
Variables = dict[str, str | None]
REGISTRATION = "App registrations > this application"


@dataclass(frozen=True)
class Mistake:
    """One mistake.

    Attributes:
        name: Of the test.
        code: Of the finding.
        cause: Words that it must have.
        remedy: Words that the remedy must have.
        variables: What is set; ``{host}`` and the like stand for the emulator's. None removes one.
        change: What is changed in the emulator.
        finding: What was looked at.
        state: How bad it is.
    """

    name: str
    code: str
    cause: str
    remedy: str
    variables: Mapping[str, str | None] = field(default_factory=dict)
    change: Callable[[EntraEmulator], None] | None = None
    finding: str = ""
    state: str = "wrong"


def setting(
    name: str, value: str | None, cause: str, remedy: str, test: str = "", **more: str | None
) -> Mistake:
    """A value that settings refuse."""
    variables = {name: value, **more}
    return Mistake(test or name, "settings_invalid", cause, remedy, variables, finding=name)


def operate(**changes: Any) -> Callable[[EntraEmulator], None]:
    """The registration is another one."""
    return lambda emulator: change_application(emulator, OPERATE, **changes)


SETTINGS = [
    setting("CAMUNDA_IDENTITY_TYPE", None, "is not set", "Set it to AZUREAD", "type missing"),
    setting("CAMUNDA_IDENTITY_TYPE", "KEYCLOAK", "KEYCLOAK", "Set it to AZUREAD", "type of Keycloak"),
    setting(
        "CAMUNDA_IDENTITY_ISSUER", None, "is not set", "https://login.microsoftonline.com/", "issuer missing"
    ),
    setting(
        "CAMUNDA_IDENTITY_ISSUER",
        f"https://login.microsoftonline.com/{CONTOSO}/v2.0/",
        "ends in a slash",
        f"Set it to https://login.microsoftonline.com/{CONTOSO}/v2.0.",
        "issuer with a slash at its end",
    ),
    setting(
        "CAMUNDA_IDENTITY_ISSUER",
        f"https://login.microsoftonline.com/{CONTOSO}",
        "",
        f"https://login.microsoftonline.com/{CONTOSO}/v2.0",
        "issuer without its version",
    ),
    setting(
        "CAMUNDA_IDENTITY_ISSUER",
        f"https://sts.windows.net/{CONTOSO}/",
        "",
        f"https://login.microsoftonline.com/{CONTOSO}/v2.0",
        "issuer of version 1.0",
    ),
    setting(
        "CAMUNDA_IDENTITY_ISSUER",
        f"https://login.microsoftonline.com/{CONTOSO}/v2.0/.well-known/openid-configuration",
        "address of a document",
        f"Set it to https://login.microsoftonline.com/{CONTOSO}/v2.0",
        "issuer is the document",
    ),
    setting(
        "CAMUNDA_IDENTITY_ISSUER",
        "https://login.microsoftonline.com/<tenant>/v2.0",
        "placeholder",
        "Put your tenant's ID there",
        "issuer with a placeholder",
    ),
    setting(
        "CAMUNDA_IDENTITY_ISSUER",
        f"http://login.example.com/{CONTOSO}/v2.0",
        "plain http",
        "Use https",
        "issuer by plain http",
    ),
    setting(
        "CAMUNDA_IDENTITY_CLIENT_ID",
        f"api://{OPERATE}",
        "is a URI",
        "Application (client) ID",
        "client ID a URI",
    ),
    setting(
        "CAMUNDA_IDENTITY_CLIENT_ID",
        "<client-id>",
        "is not an ID",
        "Application (client) ID",
        "placeholder ID",
    ),
    setting(
        "CAMUNDA_IDENTITY_CLIENT_ID",
        OPERATE,
        "mean the same, but have different values",
        "Keep one of the two",
        "two spellings",
        CAMUNDA_IDENTITY_CLIENTID="another",
    ),
    setting("CAMUNDA_IDENTITY_AUDIENCE", '["a"]', "quotes or brackets", "Separate several by commas"),
    setting("CAMUNDA_ENTRA_SCOPES", "email offline_access", "lacks openid", "Add it"),
    setting("CAMUNDA_ENTRA_SESSION_SECRET", "short", "fewer than 32", "secrets.token_urlsafe(32)"),
    setting("CAMUNDA_ENTRA_SESSION_STORE", "mysql://db", "is no store", "rediss://"),
    setting(
        "CAMUNDA_ENTRA_COOKIE_DOMAIN",
        "billing.example.com",
        "that the host of CAMUNDA_ENTRA_BASE_URL is not in",
        "Give apps.example.com",
        CAMUNDA_ENTRA_BASE_URL="https://orders.apps.example.com",
    ),
    setting("CAMUNDA_ENTRA_CA_BUNDLE", "missing.pem", "not a readable file", "Give its path"),
    setting("CAMUNDA_ENTRA_CLOCK_SKEW", "one minute", "is 'one minute'", "Give seconds from 0 to 300"),
    setting("CAMUNDA_ENTRA_BASE_URL", "http://operate.example.com", "plain http", "Use https"),
    setting("CAMUNDA_ENTRA_CLIENT_CERTIFICATE", "client.pem", "are set", "Keep one of them"),
    setting(
        "CAMUNDA_ENTRA_ALLOWED_TENANTS",
        None,
        "for several tenants",
        "* for every tenant",
        "no tenants named",
        CAMUNDA_IDENTITY_ISSUER="https://login.microsoftonline.com/organizations/v2.0",
        CAMUNDA_IDENTITY_ISSUER_BACKEND_URL=None,
    ),
    Mistake(
        "a variable that nobody reads",
        "setting_unknown",
        "CAMUNDA_ENTRA_BASEURL",
        "CAMUNDA_ENTRA_BASE_URL",
        {"CAMUNDA_ENTRA_BASEURL": BASE},
        finding="settings",
        state="note",
    ),
]

REGISTRATIONS = [
    Mistake(
        "wrong secret",
        "AADSTS7000215",
        "The client secret is wrong",
        "Certificates & secrets",
        {"CAMUNDA_IDENTITY_CLIENT_SECRET": "nope"},
        finding="credential",
    ),
    Mistake(
        "the secret's ID instead of its value",
        "secret_id",
        "has the form of a Secret ID",
        "take its Value",
        {"CAMUNDA_IDENTITY_CLIENT_SECRET": "12345678-aaaa-4bbb-8ccc-1234567890ab"},
        finding="credential",
    ),
    Mistake(
        "expired secret",
        "AADSTS7000222",
        "The client secret has expired",
        "put the value of a new one into CAMUNDA_IDENTITY_CLIENT_SECRET",
        change=operate(secrets=(Secret(SECRET, datetime(2020, 1, 1, tzinfo=UTC)),)),
        finding="credential",
    ),
    Mistake(
        "no secret",
        "no_credential",
        "no client secret",
        "CAMUNDA_IDENTITY_CLIENT_SECRET",
        {"CAMUNDA_IDENTITY_CLIENT_SECRET": None},
        finding="credential",
        state="note",
    ),
    Mistake(
        "client ID of nobody",
        "AADSTS700016",
        "knows no application with this client ID",
        "Compare CAMUNDA_IDENTITY_CLIENT_ID",
        {"CAMUNDA_IDENTITY_CLIENT_ID": "0be7a7e0-dead-4222-8333-444455556666"},
        finding="credential",
    ),
    Mistake(
        "disabled application",
        "AADSTS7000112",
        "disabled in the tenant",
        "enabled for users to sign in",
        change=operate(enabled=False),
        finding="credential",
        state="note",
    ),
    Mistake(
        "tokens of version 1.0",
        "v1_token",
        "version 1.0",
        "requestedAccessTokenVersion to 2",
        change=operate(requested_access_token_version=None),
        finding="own token",
    ),
    Mistake(
        "audience is the App ID URI",
        "audience_mismatch",
        f"expects 'api://{OPERATE}'",
        "CAMUNDA_IDENTITY_AUDIENCE",
        {"CAMUNDA_IDENTITY_AUDIENCE": f"api://{OPERATE}"},
        finding="own token",
    ),
    Mistake(
        "scopes of Microsoft Graph",
        "scopes_elsewhere",
        "scopes of other APIs",
        "Leave CAMUNDA_ENTRA_SCOPES unset",
        {"CAMUNDA_ENTRA_SCOPES": "openid profile offline_access User.Read"},
        finding="scopes",
        state="note",
    ),
    Mistake(
        "no scope of an API",
        "scopes_elsewhere",
        "no scope of this API",
        "Leave CAMUNDA_ENTRA_SCOPES unset",
        {"CAMUNDA_ENTRA_SCOPES": "openid profile email offline_access"},
        finding="scopes",
        state="note",
    ),
    Mistake(
        "nothing says who signs in",
        "identity_missing",
        "neither profile nor a scope of this API",
        "Leave CAMUNDA_ENTRA_SCOPES unset, or add profile",
        {"CAMUNDA_ENTRA_SCOPES": "openid offline_access User.Read"},
        finding="CAMUNDA_ENTRA_SCOPES",
    ),
    Mistake(
        "no scope for ID tokens that say who it is",
        "no_profile",
        "neither oid nor name",
        "Add profile to CAMUNDA_ENTRA_SCOPES",
        {"CAMUNDA_ENTRA_SCOPES": f"openid offline_access {OPERATE}/.default"},
        finding="scopes",
        state="note",
    ),
    Mistake(
        "no refresh tokens",
        "no_refresh",
        "sign in again every hour",
        "Add offline_access",
        {"CAMUNDA_ENTRA_SCOPES": f"openid {OPERATE}/.default"},
        finding="scopes",
        state="note",
    ),
    Mistake(
        "redirect URI with another path",
        "AADSTS50011",
        "is not registered",
        "Authentication, add exactly the URI",
        {"CAMUNDA_ENTRA_BASE_URL": BASE, "CAMUNDA_ENTRA_CALLBACK_PATH": "/identity-callback"},
        finding="redirect URI",
    ),
    Mistake(
        "scope of an API that nobody knows",
        "AADSTS500011",
        "no API of the name",
        "Compare CAMUNDA_ENTRA_SCOPES",
        {
            "CAMUNDA_ENTRA_BASE_URL": BASE,
            "CAMUNDA_ENTRA_SCOPES": f"openid offline_access {OPERATE}/.default api://x/y",
        },
        finding="redirect URI",
    ),
    Mistake(
        "nobody knows where the service is",
        "base_url_unknown",
        "is not known",
        "Set CAMUNDA_ENTRA_BASE_URL",
        finding="redirect URI",
        state="note",
    ),
    Mistake(
        "sessions in memory",
        "memory_store",
        "memory of one process",
        "cookie or to a Redis",
        {"CAMUNDA_ENTRA_SESSION_STORE": "memory"},
        finding="sessions",
        state="note",
    ),
]

ENTRAS = [
    Mistake(
        "tenant of nobody",
        "AADSTS90002",
        "no tenant of this name or ID",
        "Set the tenant in CAMUNDA_IDENTITY_ISSUER",
        {
            "CAMUNDA_IDENTITY_ISSUER": "{host}/0ddba110-dead-4222-8333-444455556666/v2.0",
            "CAMUNDA_IDENTITY_ISSUER_BACKEND_URL": None,
        },
        finding="discovery",
    ),
    Mistake(
        "domain in the issuer",
        "issuer_unexpected",
        "is of the issuer",
        "is a domain, and tokens name the tenant by its ID",
        {
            "CAMUNDA_IDENTITY_ISSUER": "{host}/{domain}/v2.0",
            "CAMUNDA_IDENTITY_ISSUER_BACKEND_URL": None,
        },
        finding="discovery",
    ),
    Mistake(
        "issuer without version",
        "issuer_unexpected",
        "is of the issuer 'https://sts.windows.net/",
        "end CAMUNDA_IDENTITY_ISSUER and CAMUNDA_IDENTITY_ISSUER_BACKEND_URL with /v2.0",
        {"CAMUNDA_IDENTITY_ISSUER": "{host}/{own}", "CAMUNDA_IDENTITY_ISSUER_BACKEND_URL": None},
        finding="discovery",
    ),
    Mistake(
        "backend URL of another tenant",
        "issuer_unexpected",
        "is of the issuer",
        "CAMUNDA_IDENTITY_ISSUER_BACKEND_URL",
        {"CAMUNDA_IDENTITY_ISSUER_BACKEND_URL": "{host}/{other}/v2.0"},
        finding="discovery",
    ),
    Mistake(
        "backend URL without the tenant",
        "no_document",
        "is answered with status 404",
        "Correct CAMUNDA_IDENTITY_ISSUER_BACKEND_URL",
        {"CAMUNDA_IDENTITY_ISSUER_BACKEND_URL": "{host}/a/b/c"},
        finding="discovery",
    ),
    Mistake(
        "host of nobody",
        "host_unknown",
        "Nobody knows the host",
        "Names of containers are known in their own network only",
        {"CAMUNDA_IDENTITY_ISSUER_BACKEND_URL": f"https://entra.invalid/{CONTOSO}/v2.0"},
        finding="DNS",
    ),
    Mistake(
        "port of nobody",
        "refused",
        "Nothing listens at 127.0.0.1:1.",
        "In a container, localhost is the container itself",
        {"CAMUNDA_IDENTITY_ISSUER_BACKEND_URL": f"http://127.0.0.1:1/{CONTOSO}/v2.0"},
        finding="connection",
    ),
    Mistake(
        "https to a server for http",
        "no_tls",
        "does not speak TLS",
        "write http in the URL",
        {"CAMUNDA_IDENTITY_ISSUER_BACKEND_URL": "{tls host}/x/v2.0"},
        finding="connection",
    ),
    Mistake(
        "proxy of nobody",
        "refused",
        "Nothing listens at the proxy http://***@127.0.0.1:1",
        "Correct host and port",
        {"CAMUNDA_ENTRA_HTTP_PROXY": "http://somebody:hidden-word@127.0.0.1:1"},
        finding="connection",
    ),
    Mistake(
        "plain http allowed",
        "http_allowed",
        "unencrypted",
        "Leave it out",
        {"CAMUNDA_ENTRA_ALLOW_HTTP": "true"},
        finding="plain http",
        state="note",
    ),
    Mistake(
        "browsers by plain http",
        "base_url_http",
        "plain http at operate.example.com",
        "Put TLS before the service",
        {"CAMUNDA_ENTRA_ALLOW_HTTP": "true", "CAMUNDA_ENTRA_BASE_URL": "http://operate.example.com"},
        finding="base URL",
    ),
    Mistake(
        "Redis of nobody",
        "sessions_unavailable",
        "at 127.0.0.1:1 does not answer",
        "Correct host, port, user and password",
        {"CAMUNDA_ENTRA_SESSION_STORE": "redis://:hidden-word@127.0.0.1:1/0"},
        finding="sessions",
    ),
]


@pytest.mark.parametrize("mistake", [*SETTINGS, *REGISTRATIONS, *ENTRAS], ids=lambda one: one.name)
def test_the_finding_names_cause_and_remedy(
    mistake: Mistake, emulator: EntraEmulator, run: Callable[..., Ran]
) -> None:
    """Whatever is wrong, exit code 1 and words; what is only good to know does not fail."""
    if mistake.change is not None:
        mistake.change(emulator)
    ran = run("doctor", "--json", **filled_in(mistake.variables, emulator))
    check(ran, mistake.code, mistake.cause, mistake.remedy, mistake.finding, mistake.state)


def filled_in(variables: Mapping[str, str | None], emulator: EntraEmulator) -> Variables:
    """The variables with the emulator's addresses."""
    host = emulator.base_url
    tls = host.replace("http://", "https://")
    own, other, *_ = emulator.directory.tenants
    return {
        name: value
        and value.replace("{tls host}", tls)
        .replace("{host}", host)
        .replace("{domain}", own.domain)
        .replace("{own}", own.id)
        .replace("{other}", other.id)
        for name, value in variables.items()
    }


def check(ran: Ran, code: str, cause: str, remedy: str, name: str, state: str = "wrong") -> dict[str, Any]:
    """There is that finding, and the exit code fits."""
    found = [
        each
        for each in ran.json["findings"]
        if each.get("code") == code
        and each.get("setting", each["name"]) == name
        and cause in each["told"] + each.get("expected", "")
    ]
    assert found, ran.output
    assert found[0]["state"] == state
    assert remedy in found[0]["remedy"], found[0]
    assert "hidden-word" not in ran.output
    if state == "wrong":
        assert ran.code == 1
        assert ran.json["ok"] is False
    only: dict[str, Any] = found[0]
    return only


def test_without_any_variable_it_says_where_to_run(run: Callable[..., Ran]) -> None:
    """On the wrong machine there is a note, besides what is missing."""
    ran = run_command("doctor", "--json")
    check(ran, "no_variables", "begins with CAMUNDA_", "--env-file", "settings", "note")
    assert [each["setting"] for each in ran.json["findings"] if each["state"] == "wrong"] == [
        "CAMUNDA_IDENTITY_TYPE",
        "CAMUNDA_IDENTITY_ISSUER",
        "CAMUNDA_IDENTITY_CLIENT_ID",
    ]


# The way to Entra


def test_a_registered_uri_that_differs_by_a_slash_is_shown_as_it_must_be(
    emulator: EntraEmulator, run: Callable[..., Ran]
) -> None:
    """The finding has the exact URI to register; a URI that only Swagger UI needs is a note."""
    change_application(emulator, OPERATE, redirect_uris={f"{BASE}/auth/login-callback/": "web"})
    ran = run("doctor", "--json", "--url", BASE)
    found = [each for each in ran.json["findings"] if each.get("code") == "AADSTS50011"]
    assert [(each["state"], each["expected"].partition(" ")[0]) for each in found] == [
        ("wrong", f"{BASE}/auth/login-callback"),
        ("note", f"{BASE}/docs/oauth2-redirect"),
        ("note", f"{BASE}/auth/admin-consent-callback"),
    ]


def test_a_clock_that_is_wrong(monkeypatch: pytest.MonkeyPatch, run: Callable[..., Ran]) -> None:
    """Ten minutes are wrong, half a minute is good to know; both say in which direction."""
    for seconds, code, words in (
        (600, "clock_wrong", "600 seconds ahead"),
        (-30, "clock_off", "30 seconds behind"),
    ):
        shifted = SimpleNamespace(time=lambda seconds=seconds: time.time() + seconds)
        monkeypatch.setattr("camunda_entra_fastapi.cli.doctor.command.time", shifted)
        ran = run("doctor", "--json")
        state = "wrong" if code == "clock_wrong" else "note"
        check(ran, code, "clock", "NTP", "clock", state)
        message = ran.finding(code)["told"]
        number = int(message.split(" is ")[1].split()[0])
        assert abs(number - abs(seconds)) <= 1
        assert words.split()[2] in message


@contextmanager
def serving_responses(respond: Callable[[Request], Response]) -> Iterator[str]:
    """A server with this response to every request."""

    async def endpoint(request: Request) -> Response:
        return respond(request)

    with serving(Starlette(routes=[Route("/{path:path}", endpoint)])) as url:
        yield f"{url}/{CONTOSO}/v2.0"


@pytest.mark.parametrize(
    ("respond", "words"),
    [
        (lambda _: HTMLResponse("<!DOCTYPE html><p>Sign in to the network"), "a web page, as from a proxy"),
        (lambda _: RedirectResponse("https://elsewhere.example/"), "redirects to https://elsewhere.example/"),
        (lambda _: JSONResponse([]), "something that is not JSON"),
        (lambda _: Response(status_code=503), "with status 503 and nothing"),
        (lambda _: JSONResponse({}, 418), "with status 418 and JSON"),
    ],
)
def test_something_else_than_entra_answers(
    respond: Callable[[Request], Response], words: str, run: Callable[..., Ran]
) -> None:
    """The finding says what came instead of the document; steps that need it are skipped."""
    with serving_responses(respond) as url:
        ran = run("doctor", "--json", "--url", BASE, CAMUNDA_IDENTITY_ISSUER_BACKEND_URL=url)
    check(ran, "no_document", words, "proxies pass Entra's documents on", "discovery")
    skipped = {each["name"] for each in ran.json["findings"] if each["state"] == "skipped"}
    assert skipped >= {"keys", "credential", "own token", "redirect URI"}


def test_a_document_without_keys(emulator: EntraEmulator, run: Callable[..., Ran]) -> None:
    """Keys of no use, keys that are not there, and a document that names none."""
    issuer = emulator.environment()["CAMUNDA_IDENTITY_ISSUER"]
    for document, code, name in (
        ({"issuer": issuer, "jwks_uri": "{own}/keys"}, "keys", "keys"),
        ({"issuer": issuer, "jwks_uri": "{own}/none"}, "keys", "keys"),
        ({"issuer": issuer}, "fetch_failed", "discovery"),
        ({"issuer": issuer, "jwks_uri": "http://far.example/keys"}, "fetch_failed", "discovery"),
    ):

        def respond(request: Request, document: dict[str, str] = document) -> Response:
            if request.url.path.endswith("keys"):
                return JSONResponse({"keys": []})
            if request.url.path.endswith("none"):
                return Response(status_code=404)
            own = str(request.base_url).rstrip("/")
            return JSONResponse({name: value.replace("{own}", own) for name, value in document.items()})

        with serving_responses(respond) as url:
            ran = run("doctor", "--json", CAMUNDA_IDENTITY_ISSUER_BACKEND_URL=url)
        check(ran, code, "", "CAMUNDA_", name)


def test_keys_that_are_not_there(emulator: EntraEmulator, run: Callable[..., Ran]) -> None:
    """The document is right, but nobody listens where it says that the keys are."""
    issuer = emulator.environment()["CAMUNDA_IDENTITY_ISSUER"]
    document = {"issuer": issuer, "jwks_uri": "http://127.0.0.1:1/keys"}
    with serving_responses(lambda _: JSONResponse(document)) as url:
        ran = run("doctor", "--json", CAMUNDA_IDENTITY_ISSUER_BACKEND_URL=url)
    check(ran, "refused", "Nothing listens", "Correct host and port", "keys")


def test_a_server_that_never_answers(emulator: EntraEmulator, run: Callable[..., Ran]) -> None:
    """After the deadline of the settings, which is named."""
    emulator.slow(3)
    try:
        ran = run("doctor", "--json", CAMUNDA_ENTRA_HTTP_TIMEOUT="0.3")
    finally:
        emulator.slow(0)
    check(ran, "timeout", "within 0.3 seconds", "CAMUNDA_ENTRA_HTTP_PROXY", "connection")


def test_tls_that_nobody_vouches_for(run: Callable[..., Ran]) -> None:
    """As behind a proxy that reads along; with its authority in CAMUNDA_ENTRA_CA_BUNDLE all is well."""
    emulator = EntraEmulator()
    with emulator.serve(tls=True):
        variables = emulator.environment()
        ran = run_command("doctor", "--json", **variables)
        check(
            ran,
            "certificate_untrusted",
            "Nobody who is trusted here",
            "CAMUNDA_ENTRA_CA_BUNDLE",
            "connection",
        )
        ran = run_command("doctor", "--json", **variables, CAMUNDA_ENTRA_CA_BUNDLE=str(emulator.ca_file))
    assert ran.code == 0
    (connection,) = [each for each in ran.json["findings"] if each["name"] == "connection"]
    assert "TLSv1.3, certificate by Local emulator's authority" in connection["told"]


@pytest.mark.parametrize(
    ("name", "days", "code", "words"),
    [
        ("127.0.0.1", (-20, -10), "certificate_time", "has expired"),
        ("127.0.0.1", (10, 20), "certificate_time", "is not valid yet"),
        ("elsewhere.example", (-1, 20), "certificate_name", "is for another name"),
    ],
)
def test_certificates_that_are_refused(
    name: str, days: tuple[int, int], code: str, words: str, tmp_path: Path, run: Callable[..., Ran]
) -> None:
    """Time and name of a certificate have findings of their own, besides trust."""
    pem = tmp_path / "server.pem"
    write_certificate(pem, name, days)
    both = pem.read_bytes()
    with serving(Starlette(), tls=Tls(both, both, "", both)) as url:
        ran = run(
            "doctor",
            "--json",
            CAMUNDA_IDENTITY_ISSUER_BACKEND_URL=f"{url}/{CONTOSO}/v2.0",
            CAMUNDA_ENTRA_CA_BUNDLE=str(pem),
        )
    check(ran, code, words, "", "connection")


def write_certificate(path: Path, name: str, days: tuple[int, int]) -> None:
    """A certificate that vouches for itself, and its key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    alternative: x509.GeneralName = x509.DNSName(name)
    if name == "127.0.0.1":
        import ipaddress

        alternative = x509.IPAddress(ipaddress.ip_address(name))
    begin, end = (now + timedelta(days=each) for each in days)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), 1, begin, end)
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    own = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(certificate.public_bytes(pem) + own)


def test_a_proxy_that_lets_nobody_through(run: Callable[..., Ran]) -> None:
    """A proxy's refusal has a finding of its own, which names where its password belongs."""
    with serving(Starlette()) as url:
        proxy = url.replace("http://", "http://me:hidden-word@")
        ran = run(
            "doctor",
            "--json",
            CAMUNDA_ENTRA_HTTP_PROXY=proxy,
            CAMUNDA_IDENTITY_ISSUER_BACKEND_URL=f"https://entra.invalid/{CONTOSO}/v2.0",
        )
    check(ran, "proxy_refused", "does not let through to entra.invalid", "NO_PROXY", "connection")
    names = [each["told"] for each in ran.json["findings"] if each["name"] == "DNS"]
    assert names[0].startswith("entra.invalid is left to the proxy http://***@127.0.0.1")


def test_an_issuer_that_this_machine_does_not_reach(emulator: EntraEmulator, run: Callable[..., Ran]) -> None:
    """Browsers need it, the service does not: a note, with the backend URL in order."""
    issuer = f"http://127.0.0.1:1/{CONTOSO}/v2.0"
    backend = emulator.environment()["CAMUNDA_IDENTITY_ISSUER"]
    ran = run("doctor", "--json", CAMUNDA_IDENTITY_ISSUER=issuer, CAMUNDA_IDENTITY_ISSUER_BACKEND_URL=backend)
    check(ran, "refused", "Nothing listens", "", "issuer", "note")
    with serving_responses(lambda _: Response(status_code=404)) as url:
        ran = run(
            "doctor", "--json", CAMUNDA_IDENTITY_ISSUER=url, CAMUNDA_IDENTITY_ISSUER_BACKEND_URL=backend
        )
    check(
        ran, "issuer_silent", "with status 404", "Browsers sign in at the issuer's address", "issuer", "note"
    )


def test_what_may_be_wrong_with_a_connection(
    run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ways to fail that cannot be made on this machine: no route, a broken connection, an odd certificate."""
    odd = ssl.SSLCertVerificationError(1, "x")
    odd.verify_code, odd.verify_message = 68, "CA signature digest algorithm too weak"
    for error, code, words in (
        (OSError(errno.ENETUNREACH, "x"), "no_route", "no way to"),
        (ConnectionResetError(errno.ECONNRESET, "reset by peer"), "broken", "reset by peer"),
        (odd, "certificate_refused", "too weak"),
    ):

        async def fail(*_: object, error: Exception = error, **__: object) -> None:
            raise httpx2.ConnectError("all attempts failed") from ExceptionGroup("several", [error])

        monkeypatch.setattr(httpx2.AsyncHTTPTransport, "handle_async_request", fail)
        ran = run("doctor", "--json")
        check(ran, code, "", "", "connection")
        assert words in ran.finding(code)["told"] or words in str(error)


def test_a_document_without_end_is_cut(run: Callable[..., Ran]) -> None:
    """What is read is bounded, and the finding says what it is."""
    with serving_responses(lambda _: Response(b" " * 3_000_000)) as url:
        ran = run("doctor", "--json", CAMUNDA_IDENTITY_ISSUER_BACKEND_URL=url)
    check(ran, "no_document", "something that is not JSON", "", "discovery")


def test_without_a_date_the_clock_is_not_looked_at(
    run: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As behind proxies that drop the header."""

    async def without(*_: object) -> httpx2.Response:
        return httpx2.Response(200, content=b"")

    monkeypatch.setattr(httpx2.AsyncHTTPTransport, "handle_async_request", without)
    ran = run("doctor", "--json")
    (clock,) = [each for each in ran.json["findings"] if each["name"] == "clock"]
    assert clock["state"] == "skipped"


# Credentials


def test_certificates_of_the_client(tmp_path: Path, emulator: EntraEmulator, run: Callable[..., Ran]) -> None:
    """Missing, unknown to Entra, near its end, over, and good."""
    path = tmp_path / "client.pem"
    variables: Variables = {
        "CAMUNDA_IDENTITY_CLIENT_SECRET": None,
        "CAMUNDA_ENTRA_CLIENT_CERTIFICATE": str(path),
        "CAMUNDA_ENTRA_SESSION_SECRET": "s" * 32,
    }
    ran = run("doctor", "--json", **variables)
    check(ran, "settings_invalid", "cannot be read", "may read it", "credential")
    write_certificate(path, "client", (-1, 365))
    ran = run("doctor", "--json", **variables)
    check(ran, "AADSTS700027", "fits none of its certificates", "upload the certificate", "credential")
    for days, code, words in ((365, "", "is good until"), (10, "certificate_ends", "in 9 days")):
        write_certificate(path, "client", (-1, days))
        upload_certificate(emulator, path)
        ran = run("doctor", "--json", **variables)
        assert ran.code == 0, ran.output
        (about,) = [each for each in ran.json["findings"] if words in each["told"]]
        assert about.get("code", "") == code
        assert "Entra takes the client certificate" in ran.output
    write_certificate(path, "client", (-10, -5))
    upload_certificate(emulator, path)
    ran = run("doctor", "--json", **variables)
    check(ran, "certificate_expired", "expired on", "Certificates & secrets", "credential")


def upload_certificate(emulator: EntraEmulator, path: Path) -> None:
    """Upload the certificate."""
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
    change_application(emulator, OPERATE, certificates=(pem,))


def test_federated_tokens(tmp_path: Path, emulator: EntraEmulator, run: Callable[..., Ran]) -> None:
    """A file that is not there, one that is no token, and a token that no federated credential fits."""
    path = tmp_path / "token"
    variables: Variables = {
        "CAMUNDA_IDENTITY_CLIENT_SECRET": None,
        "CAMUNDA_ENTRA_FEDERATED_TOKEN_FILE": str(path),
    }
    ran = run("doctor", "--json", **variables)
    check(ran, "credential_unusable", "cannot be read", "FEDERATED_TOKEN_FILE", "credential")
    path.write_text("no token")
    ran = run("doctor", "--json", **variables)
    check(ran, "credential_unusable", "no signed JSON Web Token", "FEDERATED_TOKEN_FILE", "credential")
    path.write_text(emulator.token())
    change_application(emulator, OPERATE, federated_credentials=(FederatedCredential(BASE, "somebody"),))
    ran = run("doctor", "--json", **variables)
    check(ran, "AADSTS700211", "", "Federated credentials", "credential")


# The service


def test_sessions_in_redis(tmp_path: Path, run: Callable[..., Ran]) -> None:
    """A Redis that answers, and one that wants another password."""
    server = RedisServer(tmp_path, "--requirepass", "right")
    server.start()
    try:
        for password, code in (("right", 0), ("hidden-word", 1)):
            store = server.url.replace("redis://", f"redis://:{password}@")
            ran = run("doctor", "--json", CAMUNDA_ENTRA_SESSION_STORE=store)
            assert ran.code == code
            assert password not in ran.output.replace("right", "" if code else "right")
    finally:
        server.stop()
    check(ran, "sessions_unavailable", "does not answer", "password", "sessions")


def test_a_redis_that_takes_no_writes(tmp_path: Path, run: Callable[..., Ran]) -> None:
    """It answers, and nobody can sign in: the finding says why."""
    server = RedisServer(tmp_path, "--replicaof", "127.0.0.1", "1")
    server.start()
    try:
        ran = run("doctor", "--json", CAMUNDA_ENTRA_SESSION_STORE=server.url)
    finally:
        server.stop()
    check(ran, "sessions_unavailable", "takes no writes: ReadOnlyError", "Name the primary", "sessions")


def test_without_redis_py(monkeypatch: pytest.MonkeyPatch, run: Callable[..., Ran]) -> None:
    """The package to install is named."""
    monkeypatch.setitem(__import__("sys").modules, "camunda_entra_fastapi.sessions.redis", None)
    ran = run("doctor", "--json", CAMUNDA_ENTRA_SESSION_STORE="redis://127.0.0.1:1/0")
    check(ran, "settings_invalid", "redis-py is not installed", "pip install", "sessions")


@contextmanager
def service(emulator: EntraEmulator, **changes: Any) -> Iterator[str]:
    """A service of ours that runs with these settings."""
    entra = CamundaEntra(emulator.settings(**changes))
    with serving(entra_app(entra)) as url:
        yield url.replace("127.0.0.1", "localhost")


def entra_app(entra: CamundaEntra) -> Any:
    """The smallest application with login pages."""
    from fastapi import FastAPI

    app = FastAPI(lifespan=entra.lifespan)
    entra.install(app)
    return app


def service_finding(ran: Ran) -> dict[str, Any]:
    """The finding about the service."""
    (found,) = [each for each in ran.json["findings"] if each["name"] == "service"]
    only: dict[str, Any] = found
    return only


def test_a_service_that_runs_as_it_should(emulator: EntraEmulator, run: Callable[..., Ran]) -> None:
    """Its own way to Entra names the redirect URI that belongs to the address."""
    with service(emulator) as url:
        ran = run("doctor", "--json", "--url", url)
    assert [each["code"] for each in ran.json["findings"] if each["state"] != "ok"] == ["local_entra"]
    found = service_finding(ran)
    assert (found["state"], found["told"]) == (
        "ok",
        f"sends browsers to Entra, and back to {url}/auth/login-callback",
    )


def test_a_proxy_whose_headers_are_not_believed(emulator: EntraEmulator, run: Callable[..., Ran]) -> None:
    """The service and browsers know different addresses of it: the remedy says what to set."""
    with service(emulator) as url:
        other = url.replace("localhost", "127.0.0.1")
        with forwarding(other) as proxy:
            ran = run("doctor", "--json", "--url", proxy)
    found = check(ran, "proxy_headers", "another redirect URI", "--forwarded-allow-ips", "service")
    assert found["actual"] == f"{other}/auth/login-callback"
    assert found["expected"] == f"{proxy}/auth/login-callback"


@contextmanager
def forwarding(target: str) -> Iterator[str]:
    """A proxy that sends no forwarded headers."""

    async def forward(request: Request) -> Response:
        async with httpx2.AsyncClient(trust_env=False) as client:
            response = await client.get(target + request.url.path)
        return Response(
            response.content, response.status_code, {"Location": response.headers.get("Location", "")}
        )

    with serving(Starlette(routes=[Route("/{path:path}", forward)])) as url:
        yield url


def test_a_service_with_other_settings(emulator: EntraEmulator, run: Callable[..., Ran]) -> None:
    """Another client ID, and another base URL."""
    with service(emulator, client_id="0ddba110-1111-4222-8333-444455556666") as url:
        ran = run("doctor", "--json", "--url", url)
    check(ran, "service_differs", "another client ID", "Start it again", "service")
    with service(emulator, base_url="http://localhost:9") as url:
        ran = run("doctor", "--json", CAMUNDA_ENTRA_BASE_URL=url)
    check(ran, "redirect_uri_differs", "another redirect URI", "Start it again", "service")


@pytest.mark.parametrize(
    ("respond", "code", "words", "state"),
    [
        (lambda _: Response(status_code=404), "no_login", "has no page /auth/login", "note"),
        (lambda _: Response("hello"), "service_strange", "with status 200 instead", "wrong"),
        (lambda _: Response(status_code=503), "service_strange", "with status 503 instead", "wrong"),
        (
            lambda _: JSONResponse({"detail": {"message": "Entra is away."}}, 503),
            "service_unavailable",
            "Entra is away.",
            "wrong",
        ),
    ],
)
def test_something_else_than_the_service_answers(
    respond: Callable[[Request], Response], code: str, words: str, state: str, run: Callable[..., Ran]
) -> None:
    """No login pages are a choice; anything strange is not."""
    with serving_responses(respond) as url:
        ran = run("doctor", "--json", "--url", url.partition(f"/{CONTOSO}")[0])
    check(ran, code, words, "", "service", state)


@pytest.mark.parametrize(
    ("respond", "state", "words"),
    [
        (lambda _: HTMLResponse("<p>Pick an account"), "ok", "Entra shows its sign-in page"),
        (lambda _: HTMLResponse('{"sErrorCode":"50011"}'), "wrong", "is not registered"),
        (lambda _: HTMLResponse('{"sErrorCode":"50058"}'), "ok", "Entra shows its sign-in page"),
        (lambda _: HTMLResponse("AADSTS50194: no"), "wrong", "for one tenant"),
        (lambda _: HTMLResponse("<p>AADB2C90006: no"), "wrong", "is not registered"),
        (lambda _: Response(status_code=500), "note", "status 500"),
        (
            lambda _: RedirectResponse("https://login.live.example/x?error=y"),
            "note",
            "leads on to login.live.example",
        ),
        (
            lambda request: RedirectResponse(
                request.query_params["redirect_uri"] + "?error=unauthorized_client"
            ),
            "wrong",
            "may not sign people in",
        ),
    ],
)
def test_what_entras_page_may_say_to_a_redirect_uri(
    respond: Callable[[Request], Response],
    state: str,
    words: str,
    emulator: EntraEmulator,
    run: Callable[..., Ran],
) -> None:
    """Entra's pages are read as far as can be without a person."""
    issuer = emulator.environment()["CAMUNDA_IDENTITY_ISSUER"]

    def page(request: Request) -> Response:
        if request.url.path.endswith("authorize"):
            return respond(request)
        own = str(request.base_url).rstrip("/")
        return JSONResponse(
            {"issuer": issuer, "jwks_uri": f"{own}/k", "authorization_endpoint": f"{own}/authorize"}
        )

    with serving_responses(page) as url:
        ran = run("doctor", "--json", "--url", BASE, CAMUNDA_IDENTITY_ISSUER_BACKEND_URL=url)
    (first, *_) = [each for each in ran.json["findings"] if each["name"] == "redirect URI"]
    assert (first["state"], words in first["told"]) == (state, True), first


def test_entra_ends_while_it_is_asked(emulator: EntraEmulator, run: Callable[..., Ran]) -> None:
    """A missing authorization endpoint and a missing token endpoint have a finding each."""
    issuer = emulator.environment()["CAMUNDA_IDENTITY_ISSUER"]
    nowhere = {"authorization_endpoint": "http://127.0.0.1:1/a", "token_endpoint": "http://127.0.0.1:1/t"}
    with serving_responses(
        lambda r: JSONResponse({"issuer": issuer, "jwks_uri": f"{r.base_url}k"} | nowhere)
    ) as url:
        ran = run("doctor", "--json", "--url", BASE, CAMUNDA_IDENTITY_ISSUER_BACKEND_URL=url)
    check(ran, "fetch_failed", "cannot be reached", "CAMUNDA_IDENTITY_ISSUER_BACKEND_URL", "credential")
    check(ran, "refused", "Nothing listens", "", "redirect URI", "note")


def test_the_local_entra_beyond_this_machine(run: Callable[..., Ran]) -> None:
    """Somebody may have forgotten to set the tenant; where it is meant, it is to be known."""
    emulator, meant = EntraEmulator(), "CAMUNDA_ENTRA_ALLOW_LOCAL_ENTRA"
    with emulator.serve() as address:
        emulator.base_url = "https://entra.example.com"
        backend_url = f"{address}/{CONTOSO}/v2.0"
        variables: Variables = {**emulator.environment(), "CAMUNDA_IDENTITY_ISSUER_BACKEND_URL": backend_url}
        assert variables[meant] == "true"
        forgotten = variables | {meant: None}
        ran = run("doctor", "--json", **forgotten)
        check(
            ran,
            "local_entra",
            "at entra.example.com, is the local Entra",
            f"say so: {meant}=true.",
            "discovery",
        )
        explained = run("explain", "--json", stdin=emulator.token(), **forgotten)
        assert (explained.code, meant in explained.output) == (1, True)
        ran = run("doctor", "--json", **variables)
        assert [each["state"] for each in ran.json["findings"] if each["name"] == "local Entra"] == ["note"]
