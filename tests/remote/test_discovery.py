"""The discovery document: whose it must be, and where its endpoints lie for calls of our own."""

from collections.abc import Mapping
from typing import Any, Final

import httpx
import pytest

from camunda_entra_fastapi.errors import FetchFailed
from camunda_entra_fastapi.remote.discovery import (
    Discovery,
    Provider,
    fetch_discovery,
    read_discovery,
    rebase,
)
from camunda_entra_fastapi.remote.http import EntraHttp
from tests.tokens import CLIENT_ID, ISSUER, OTHER_TENANT, TENANT

ORIGIN: Final = "https://login.microsoftonline.com"
PROXIED: Final = Provider(ISSUER, f"http://localhost:8080/entra/{TENANT}/v2.0")
DIRECT: Final = Provider(ISSUER, ISSUER)


def document(root: str = f"{ORIGIN}/{TENANT}", **changes: Any) -> dict[str, Any]:
    """The document as Entra gives it for the tenant."""
    return {
        "issuer": ISSUER,
        "jwks_uri": f"{root}/discovery/v2.0/keys",
        "token_endpoint": f"{root}/oauth2/v2.0/token",
        "authorization_endpoint": f"{root}/oauth2/v2.0/authorize",
        "end_session_endpoint": f"{root}/oauth2/v2.0/logout",
        "userinfo_endpoint": "https://graph.microsoft.com/oidc/userinfo",
    } | changes


def refused(content: Mapping[str, Any], provider: Provider = DIRECT) -> FetchFailed:
    """The error that the document gives."""
    with pytest.raises(FetchFailed) as caught:
        read_discovery(content, provider)
    return caught.value


def test_own_calls_go_to_the_back_channel_and_browsers_do_not() -> None:
    """Keys and tokens are fetched there; people are sent to the address that browsers know."""
    root = f"{ORIGIN}/{TENANT}"
    assert read_discovery(document(), PROXIED) == Discovery(
        jwks_uri=f"http://localhost:8080/entra/{TENANT}/discovery/v2.0/keys",
        token_endpoint=f"http://localhost:8080/entra/{TENANT}/oauth2/v2.0/token",
        authorization_endpoint=f"{root}/oauth2/v2.0/authorize",
        end_session_endpoint=f"{root}/oauth2/v2.0/logout",
        browser_token_endpoint=f"{root}/oauth2/v2.0/token",
    )


def test_without_a_back_channel_all_endpoints_stay() -> None:
    """The default: service and browsers use the same addresses."""
    content = document()
    found = read_discovery(content, DIRECT)
    assert (found.jwks_uri, found.token_endpoint) == (content["jwks_uri"], content["token_endpoint"])


def test_endpoints_that_verification_does_not_need_may_be_missing() -> None:
    """An API that verifies tokens needs keys and nothing else."""
    bare = {name: value for name, value in document().items() if name in ("issuer", "jwks_uri")}
    assert read_discovery(bare, PROXIED) == Discovery(
        f"http://localhost:8080/entra/{TENANT}/discovery/v2.0/keys", None, None, None
    )


LOCAL: Final = {"local_entra": True}


@pytest.mark.parametrize(
    "host",
    ["localhost:8400", "LOCALHOST", "127.0.0.1:8400", "127.8.9.10", "[::1]:8400", "login.entra.localhost"],
)
def test_on_this_machine_the_local_entra_is_meant(host: str) -> None:
    """RFC 1122, 3.2.1.3; RFC 4291, 2.5.3; RFC 6761, 6.3: such an issuer can be nobody else's."""
    issuer = f"https://{host}/{TENANT}/v2.0"
    found = read_discovery(document(issuer=issuer) | LOCAL, Provider(issuer, f"https://entra/{TENANT}/v2.0"))
    assert found.is_local


@pytest.mark.parametrize(
    "host", ["entra:8400", "0.0.0.0:8400", "10.0.0.1", "[fd00::1]", "localhost.example.com", "login.example"]
)
def test_beyond_this_machine_somebody_must_say_that_it_is_meant(host: str) -> None:
    """Who forgot to set the tenant is told both settings; the backend URL does not matter."""
    issuer = f"https://{host}/{TENANT}/v2.0"
    content = document(issuer=issuer) | LOCAL
    error = refused(content, Provider(issuer, f"http://localhost:8400/{TENANT}/v2.0"))
    assert error.code == "local_entra"
    assert "Set CAMUNDA_IDENTITY_ISSUER to that of your tenant" in error.message
    assert "CAMUNDA_ENTRA_ALLOW_LOCAL_ENTRA=true" in error.message
    assert read_discovery(content, Provider(issuer, issuer, allow_local=True)).is_local
    assert not read_discovery(document(issuer=issuer), Provider(issuer, issuer, allow_local=True)).is_local


@pytest.mark.parametrize("mark", [False, None, 1, "true", [], {}])
def test_entra_itself_has_no_such_mark(mark: object) -> None:
    """Only the one that the local Entra has counts."""
    assert not read_discovery(document(local_entra=mark), DIRECT).is_local


@pytest.mark.parametrize(
    "issuer",
    [
        f"{ORIGIN}/{OTHER_TENANT}/v2.0",
        f"{ISSUER}/",
        ISSUER.upper(),
        ISSUER.removesuffix("/v2.0"),
        f"https://sts.windows.net/{TENANT}/",
        f"{ORIGIN}/{{tenantid}}/v2.0",
        f" {ISSUER}",
        "",
        None,
        1,
        [ISSUER],
    ],
)
def test_the_issuer_must_be_equal_to_the_letter(issuer: object) -> None:
    """OpenID Connect Discovery 1.0, 4.3; a slash more is another issuer."""
    assert refused(document(issuer=issuer)).code == "issuer_unexpected"


def test_an_issuer_by_domain_is_refused_with_the_form_that_is_right() -> None:
    """Entra answers for a domain, too, and says the tenant's ID; tokens carry that."""
    by_domain = f"{ORIGIN}/contoso.onmicrosoft.com/v2.0"
    error = refused(document(), Provider(by_domain, by_domain))
    assert error.code == "issuer_unexpected"
    assert f"is of the issuer '{ISSUER}'" in error.message
    assert f"CAMUNDA_IDENTITY_ISSUER stands for '{by_domain}'" in error.message
    assert error.message.endswith(
        "contoso.onmicrosoft.com is a domain, and tokens name the tenant by its ID: "
        f"set CAMUNDA_IDENTITY_ISSUER to {ISSUER}."
    )


def test_a_strange_issuer_is_quoted_with_care() -> None:
    """It came from elsewhere and goes into a log line: short, printable, on one line."""
    message = refused(document(issuer='https://evil"\r\nSet-Cookie: x=1\x1b[2J' + "a" * 5000)).message
    assert message.isprintable()
    assert len(message) < 1000


def test_the_document_of_all_tenants_names_a_template() -> None:
    """``common`` documents say ``{tenantid}``, and so do settings for several tenants."""
    issuer = f"{ORIGIN}/{{tenantid}}/v2.0"
    provider = Provider(issuer, f"{ORIGIN}/common/v2.0")
    found = read_discovery(document(f"{ORIGIN}/common", issuer=issuer), provider)
    assert found.jwks_uri == f"{ORIGIN}/common/discovery/v2.0/keys"
    assert refused(document(f"{ORIGIN}/common"), provider).code == "issuer_unexpected"


def test_a_document_without_keys_is_refused() -> None:
    """Nothing could be verified with it."""
    error = refused({"issuer": ISSUER})
    assert error.code == "fetch_failed"
    assert "has no jwks_uri" in error.message
    assert DIRECT.discovery_url in error.message


@pytest.mark.parametrize(
    "name", ["jwks_uri", "token_endpoint", "authorization_endpoint", "end_session_endpoint"]
)
@pytest.mark.parametrize(
    "value",
    [
        "http://login.microsoftonline.com/keys",
        "ftp://login.microsoftonline.com/keys",
        "/keys",
        "keys",
        "",
        "https:///keys",
        "https://host:99999/keys",
        "https://[::1/keys",
        "https://ho st/keys",
        "https://host/\r\nkeys",
        "https://höst/keys",
        "javascript:alert(1)",
        "file:///etc/passwd",
        1,
        True,
        ["https://host/keys"],
        {"url": "https://host/keys"},
    ],
)
def test_endpoints_that_are_no_encrypted_urls_are_refused(name: str, value: object) -> None:
    """Each of them will be called, or a browser sent there."""
    error = refused(document() | {name: value})
    assert error.code == "fetch_failed"
    assert f"gives {name} as" in error.message
    assert "CAMUNDA_ENTRA_ALLOW_HTTP=true" in error.message


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "login.entra.localhost"])
def test_plain_http_is_fine_on_this_machine(host: str) -> None:
    """Traffic on this machine needs no encryption."""
    url = f"http://{host}:9000/keys"
    assert read_discovery(document(jwks_uri=url), DIRECT).jwks_uri == url


def test_plain_http_elsewhere_is_a_setting() -> None:
    """Inside of a container network it may be wanted."""
    url = "http://entra-proxy:9000/keys"
    provider = Provider(ISSUER, ISSUER, allow_http=True)
    assert read_discovery(document(jwks_uri=url), provider).jwks_uri == url


REBASED = [
    # issuer, back channel, endpoint, expected
    pytest.param(
        f"{ORIGIN}/T/v2.0",
        "http://proxy:8080/T/v2.0",
        f"{ORIGIN}/T/discovery/v2.0/keys",
        "http://proxy:8080/T/discovery/v2.0/keys",
        id="another origin",
    ),
    pytest.param(
        f"{ORIGIN}/T/v2.0",
        "http://proxy:8080/a/b/T/v2.0",
        f"{ORIGIN}/T/discovery/v2.0/keys",
        "http://proxy:8080/a/b/T/discovery/v2.0/keys",
        id="a path prefix",
    ),
    pytest.param(
        "https://sso.example/entra/T/v2.0",
        "https://inside.example/T/v2.0",
        "https://sso.example/entra/T/discovery/v2.0/keys",
        "https://inside.example/T/discovery/v2.0/keys",
        id="the public prefix falls away",
    ),
    pytest.param(
        "https://sso.example/public/T/v2.0",
        "https://inside.example/private/T/v2.0",
        "https://sso.example/public/T/discovery/v2.0/keys",
        "https://inside.example/private/T/discovery/v2.0/keys",
        id="one prefix for another",
    ),
    pytest.param(
        "https://sso.example/public/T/v2.0",
        "https://inside.example/private/T/v2.0",
        "https://sso.example/keys",
        "https://inside.example/keys",
        id="an endpoint outside of the public prefix",
    ),
    pytest.param(
        "https://sso.example/T/v2.0",
        "https://sso.example/internal/T/v2.0",
        "https://sso.example/T/discovery/v2.0/keys",
        "https://sso.example/internal/T/discovery/v2.0/keys",
        id="a path prefix at the same origin",
    ),
    pytest.param(
        "https://sso.example/T/v2.0",
        "https://sso.example/internal/T/v2.0",
        "https://sso.example/internal/T/discovery/v2.0/keys",
        "https://sso.example/internal/T/discovery/v2.0/keys",
        id="a path prefix that the endpoint has already",
    ),
    pytest.param(
        f"{ORIGIN}/{TENANT}/v2.0",
        f"{ORIGIN}/contoso.onmicrosoft.com/v2.0",
        f"{ORIGIN}/{TENANT}/discovery/v2.0/keys",
        f"{ORIGIN}/{TENANT}/discovery/v2.0/keys",
        id="the same origin by the tenant's domain",
    ),
    pytest.param(
        f"{ORIGIN}/{TENANT}/v2.0",
        "http://proxy/contoso.onmicrosoft.com/v2.0",
        f"{ORIGIN}/{TENANT}/discovery/v2.0/keys",
        "http://proxy/contoso.onmicrosoft.com/discovery/v2.0/keys",
        id="another origin by the tenant's domain",
    ),
    pytest.param(
        f"{ORIGIN}/{TENANT}/v2.0",
        "http://proxy/entra/contoso.onmicrosoft.com/v2.0",
        f"{ORIGIN}/contoso.onmicrosoft.com/discovery/v2.0/keys",
        "http://proxy/entra/contoso.onmicrosoft.com/discovery/v2.0/keys",
        id="the endpoint by the tenant's domain as well",
    ),
    pytest.param(
        f"{ORIGIN}/{{tenantid}}/v2.0",
        "http://proxy/entra/common/v2.0",
        f"{ORIGIN}/common/discovery/v2.0/keys",
        "http://proxy/entra/common/discovery/v2.0/keys",
        id="all tenants",
    ),
    pytest.param(
        f"{ORIGIN}/{{tenantid}}/v2.0",
        f"{ORIGIN}/common/v2.0",
        f"{ORIGIN}/common/discovery/v2.0/keys",
        f"{ORIGIN}/common/discovery/v2.0/keys",
        id="all tenants directly",
    ),
    pytest.param(
        f"{ORIGIN}/{{tenantid}}/v2.0",
        f"{ORIGIN}/internal/common/v2.0",
        f"{ORIGIN}/common/discovery/v2.0/keys",
        f"{ORIGIN}/internal/common/discovery/v2.0/keys",
        id="all tenants, a path prefix at the same origin",
    ),
    pytest.param(
        f"https://contoso.b2clogin.com/{TENANT}/v2.0/",
        "http://proxy/b2c/contoso.onmicrosoft.com/B2C_1_SignIn/v2.0",
        "https://contoso.b2clogin.com/contoso.onmicrosoft.com/b2c_1_signin/discovery/v2.0/keys",
        "http://proxy/b2c/contoso.onmicrosoft.com/b2c_1_signin/discovery/v2.0/keys",
        id="B2C, whose documents lie elsewhere than its issuer",
    ),
    pytest.param(
        f"https://contoso.b2clogin.com/{TENANT}/v2.0/",
        f"http://proxy/{TENANT}/B2C_1_SignIn/v2.0",
        f"https://contoso.b2clogin.com/{TENANT}/b2c_1_signin/discovery/v2.0/keys",
        f"http://proxy/{TENANT}/b2c_1_signin/discovery/v2.0/keys",
        id="B2C by the tenant's ID",
    ),
    pytest.param(
        f"https://contoso.b2clogin.com/{TENANT}/v2.0/",
        f"https://contoso.b2clogin.com/{TENANT}/B2C_1_SignIn/v2.0",
        f"https://contoso.b2clogin.com/{TENANT}/b2c_1_signin/discovery/v2.0/keys",
        f"https://contoso.b2clogin.com/{TENANT}/b2c_1_signin/discovery/v2.0/keys",
        id="B2C directly",
    ),
    pytest.param(
        f"{ORIGIN}/T/v2.0",
        "http://proxy:8080/x/T/v2.0",
        "https://keys.example/T/keys",
        "https://keys.example/T/keys",
        id="an endpoint of another origin stays",
    ),
    pytest.param(
        f"{ORIGIN}/T/v2.0",
        "http://proxy:8080/x/T/v2.0",
        f"{ORIGIN}:8443/T/keys",
        f"{ORIGIN}:8443/T/keys",
        id="another port is another origin",
    ),
    pytest.param(
        f"{ORIGIN}/T/v2.0",
        "http://proxy:8080/x/T/v2.0",
        f"{ORIGIN.replace('https', 'http')}/T/keys",
        f"{ORIGIN.replace('https', 'http')}/T/keys",
        id="another scheme is another origin",
    ),
    pytest.param(
        f"{ORIGIN}/T/v2.0",
        "http://proxy:8080/x/T/v2.0",
        f"{ORIGIN}.evil.example/T/keys",
        f"{ORIGIN}.evil.example/T/keys",
        id="a host that begins alike is another origin",
    ),
    pytest.param(
        f"{ORIGIN}/T/v2.0",
        "http://proxy/T/v2.0",
        f"{ORIGIN}:443/T/keys",
        "http://proxy/T/keys",
        id="the default port written out",
    ),
    pytest.param(
        f"{ORIGIN}:443/T/v2.0",
        f"{ORIGIN.upper()}/T/v2.0",
        f"{ORIGIN}/T/keys",
        f"{ORIGIN}/T/keys",
        id="the same origin in other spellings",
    ),
    pytest.param(
        f"{ORIGIN}/T/v2.0",
        "http://proxy/x/T/v2.0",
        f"{ORIGIN}/T/discovery/v2.0/keys?appid=a&b=%2F",
        "http://proxy/x/T/discovery/v2.0/keys?appid=a&b=%2F",
        id="the query stays",
    ),
    pytest.param(
        f"{ORIGIN}/T/v2.0",
        "http://proxy/x/T/v2.0",
        f"{ORIGIN}/",
        "http://proxy/x",
        id="no path",
    ),
]


@pytest.mark.parametrize(("issuer", "backend", "endpoint", "expected"), REBASED)
def test_endpoints_move_with_the_issuer(issuer: str, backend: str, endpoint: str, expected: str) -> None:
    """An endpoint with the issuer's origin is rebased onto the back channel, with its path prefix."""
    assert rebase(endpoint, issuer, backend) == expected


@pytest.mark.parametrize(
    ("backend", "expected"),
    [
        (ISSUER, f"{ISSUER}/.well-known/openid-configuration"),
        (f"{ISSUER}/", f"{ISSUER}/.well-known/openid-configuration"),
        ("http://proxy:1/x/v2.0", "http://proxy:1/x/v2.0/.well-known/openid-configuration"),
    ],
)
def test_the_document_is_fetched_from_the_back_channel(backend: str, expected: str) -> None:
    """OpenID Connect Discovery 1.0, 4."""
    assert Provider(ISSUER, backend).discovery_url == expected


async def test_applications_with_keys_of_their_own_say_who_they_are() -> None:
    """With ``?appid=`` Entra gives a document whose ``jwks_uri`` has it as well (claims mapping)."""
    requested: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requested.append(str(request.url))
        keys = f"{ORIGIN}/{TENANT}/discovery/v2.0/keys?{request.url.query.decode()}"
        return httpx.Response(200, json=document(jwks_uri=keys))

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        provider = Provider(ISSUER, ISSUER, appid=CLIENT_ID)
        found = await fetch_discovery(EntraHttp(client=client), provider)
    assert requested == [f"{ISSUER}/.well-known/openid-configuration?appid={CLIENT_ID}"]
    assert found.jwks_uri == f"{ORIGIN}/{TENANT}/discovery/v2.0/keys?appid={CLIENT_ID}"


def test_the_client_id_is_encoded_in_the_address() -> None:
    """Whatever it holds stays one value."""
    assert Provider(ISSUER, ISSUER, appid="a&b=c d").discovery_url.endswith("?appid=a%26b%3Dc+d")
