"""Tokens for codes, refresh tokens and secrets; and every refusal with Entra's code."""

import base64
from dataclasses import replace
from typing import Any

import jwt
import msal  # type: ignore[import-untyped]
import pytest

from camunda_entra_fastapi.testing import Application, Directory, EntraEmulator, Tenant, User
from camunda_entra_fastapi.testing.directory import BILLING, OPERATE, UNRELATED
from tests.conftest import FakeClock
from tests.testing.conftest import CHALLENGE, SCOPE, SECRET, SPA, VERIFIER, WEB, Client

GRAPH = "00000003-0000-0000-c000-000000000000"


def claims_of(emulator: EntraEmulator, token: str, audience: str) -> dict[str, Any]:
    """The claims, verified with an independent library."""
    keys = {key.key_id: jwt.PyJWK(key.jwk(None), "RS256") for key in emulator.keys}
    key = keys[jwt.get_unverified_header(token)["kid"]]
    options = {"verify_exp": False, "verify_iat": False, "verify_nbf": False}  # its clock is another one
    found: dict[str, Any] = jwt.decode(token, key, ["RS256"], audience=audience, options=options)  # type: ignore[arg-type]
    return found


async def test_client_credentials_give_an_applications_token(
    client: Client, emulator: EntraEmulator, clock: FakeClock
) -> None:
    """The token has the granted roles, no scopes and no user; times are as Entra sets them."""
    answer = await client.credentials()
    assert list(answer.json()) == ["token_type", "expires_in", "ext_expires_in", "access_token"]
    assert answer.json()["expires_in"] == 3599
    assert answer.headers["cache-control"] == "no-store, no-cache"
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.headers["x-ms-clitelem"] == "1,0,0,,"
    claims = claims_of(emulator, answer.json()["access_token"], OPERATE)
    assert claims["roles"] == ["Incidents.Read.All"]
    assert claims["sub"] == claims["oid"] != BILLING
    assert (claims["azp"], claims["azpacr"], claims["ver"]) == (BILLING, "1", "2.0")
    assert not {"scp", "name", "preferred_username"} & claims.keys()
    assert (claims["iat"], claims["nbf"], claims["exp"]) == (
        clock.now - 300,
        clock.now - 300,
        clock.now + 3600,
    )


async def test_a_secret_may_come_by_basic(client: Client) -> None:
    """RFC 6749, 2.3.1; both halves are form-encoded."""
    basic = base64.b64encode(f"{BILLING}:local%2Demulator%2Dsecret%2Dof%2Dbilling".encode()).decode()
    answer = await client.credentials({"Authorization": f"Basic {basic}"}, client_id=None, client_secret=None)
    assert answer.status_code == 200


async def test_the_resources_registration_decides_the_version(
    client: Client, emulator: EntraEmulator
) -> None:
    """Without requestedAccessTokenVersion, the token is of version 1.0 and for the App ID URI."""
    answer = await client.credentials(scope=f"api://{UNRELATED}/.default")
    claims = claims_of(emulator, answer.json()["access_token"], f"api://{UNRELATED}")
    assert claims["iss"] == f"https://sts.windows.net/{client.tenant}/"
    assert (claims["ver"], claims["appid"], claims["appidacr"]) == ("1.0", BILLING, "1")


async def test_a_code_gives_all_that_was_asked_for(client: Client, emulator: EntraEmulator) -> None:
    """Access token, ID token with the nonce, refresh token, in Entra's order."""
    answer = (await client.redeem_code(code=await client.code())).json()
    assert list(answer) == [
        "token_type",
        "scope",
        "expires_in",
        "ext_expires_in",
        "access_token",
        "refresh_token",
        "id_token",
    ]
    access = claims_of(emulator, answer["access_token"], OPERATE)
    assert (access["name"], access["scp"]) == ("Ada Admin", "access_as_user Incidents.Read")
    assert access["roles"] == ["Operate.Admin"]
    identity = claims_of(emulator, answer["id_token"], OPERATE)
    assert (identity["nonce"], identity["email"], identity["sub"]) == (
        "n0nce",
        "ada@contoso.example",
        access["sub"],
    )
    assert "azp" not in identity
    assert f"{OPERATE}/Incidents.Read" in answer["scope"]


async def test_only_what_was_asked_for_is_given(client: Client, emulator: EntraEmulator) -> None:
    """Without openid no ID token, without offline_access no refresh token; profile and email count."""
    answer = (await client.redeem_code(code=await client.code(scope=f"{OPERATE}/access_as_user"))).json()
    assert not {"id_token", "refresh_token"} & answer.keys()
    answer = (await client.redeem_code(code=await client.code(scope="openid", nonce=None))).json()
    identity = claims_of(emulator, answer["id_token"], OPERATE)
    assert not {"name", "email", "oid", "nonce", "preferred_username"} & identity.keys()


async def test_without_a_resource_the_token_is_graphs(client: Client) -> None:
    """Only Graph can verify it: the header has a nonce, and the signature is over something else."""
    token = (await client.redeem_code(code=await client.code(scope="openid profile"))).json()["access_token"]
    assert jwt.get_unverified_header(token)["nonce"]
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["aud"], claims["ver"]) == ("https://graph.microsoft.com", "1.0")


async def test_a_graph_token_does_not_verify(client: Client, emulator: EntraEmulator) -> None:
    """As with Entra's own."""
    token = (await client.redeem_code(code=await client.code(scope="User.Read"))).json()["access_token"]
    with pytest.raises(jwt.InvalidSignatureError):
        claims_of(emulator, token, "https://graph.microsoft.com")


async def test_refresh_tokens_stay_good(client: Client, clock: FakeClock) -> None:
    """A new one comes with each use, and the old one still works, for 90 days."""
    first = (await client.redeem_code(code=await client.code())).json()["refresh_token"]
    form = {"grant_type": "refresh_token", "client_id": OPERATE, "client_secret": SECRET}
    for scope in (None, f"{OPERATE}/Incidents.Read"):
        answer = await client.redeem(refresh_token=first, scope=scope, **form)
        assert answer.status_code == 200
        assert answer.json()["refresh_token"] != first
        assert "nonce" not in jwt.decode(answer.json()["id_token"], options={"verify_signature": False})
    clock.advance(90 * 86_400)
    refused = await client.redeem(refresh_token=first, **form)
    assert (refused.json()["error"], refused.json()["error_codes"]) == ("invalid_grant", [700082])


async def test_a_sign_in_may_name_several_resources(client: Client, emulator: EntraEmulator) -> None:
    """The first one's token comes with the code, the others' with the refresh token."""
    scope = f"offline_access {OPERATE}/access_as_user api://{UNRELATED}/access_as_user"
    first = (await client.redeem_code(code=await client.code(scope=scope))).json()
    assert claims_of(emulator, first["access_token"], OPERATE)["scp"] == "access_as_user"
    form = {"grant_type": "refresh_token", "client_id": OPERATE, "client_secret": SECRET}
    changes = {"refresh_token": first["refresh_token"], "scope": f"api://{UNRELATED}/access_as_user"}
    second = (await client.redeem(**form, **changes)).json()
    assert claims_of(emulator, second["access_token"], f"api://{UNRELATED}")["ver"] == "1.0"


async def test_a_guests_address_is_in_the_token(client: Client, emulator: EntraEmulator) -> None:
    """Entra adds a guest's e-mail address by default, because the user principal name is none."""
    answer = await client.sign_in("Gabi Guest", scope=f"openid {OPERATE}/.default")
    code = answer.headers["location"].partition("code=")[2].partition("&")[0]
    tokens = (await client.redeem_code(code=code)).json()
    for token in (tokens["access_token"], tokens["id_token"]):
        assert claims_of(emulator, token, OPERATE)["email"] == "gabi@fabrikam.example"


async def test_a_code_can_be_narrowed_to_fewer_scopes(client: Client, emulator: EntraEmulator) -> None:
    """The scope of the token request counts."""
    answer = await client.redeem_code(code=await client.code(), scope=f"{OPERATE}/Incidents.Read")
    assert claims_of(emulator, answer.json()["access_token"], OPERATE)["scp"] == "Incidents.Read"
    assert "id_token" in answer.json()


@pytest.mark.parametrize(
    ("method", "challenge"), [("S256", CHALLENGE), ("plain", VERIFIER), (None, VERIFIER)]
)
async def test_pkce(client: Client, method: str | None, challenge: str) -> None:
    """RFC 7636: the verifier must fit, and may not be left out."""
    pkce = {"code_challenge": challenge, "code_challenge_method": method}
    assert (
        await client.redeem_code(code=await client.code(**pkce), code_verifier=VERIFIER)
    ).status_code == 200
    wrong = await client.redeem_code(code=await client.code(**pkce), code_verifier=VERIFIER[::-1])
    assert wrong.json()["error_codes"] == [501481]
    without = await client.redeem_code(code=await client.code(**pkce))
    assert without.json()["error_codes"] == [50148]


async def test_a_browser_redeems_for_single_page_applications(client: Client) -> None:
    """The request has an Origin and no secret; the response may be read across origins."""
    headers = {"Origin": "http://localhost:8000"}
    code = await client.code(redirect_uri=SPA, code_challenge=CHALLENGE, code_challenge_method="S256")
    form = {"code": code, "redirect_uri": SPA, "client_secret": None, "code_verifier": VERIFIER}
    at_server = await client.redeem_code(**form)
    assert at_server.json()["error_codes"] == [9002327]
    answer = await client.redeem_code(headers, **form)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "http://localhost:8000"


async def test_a_browser_must_not_send_a_secret(client: Client) -> None:
    """Learn: a request with an Origin may not carry client credentials."""
    headers = {"Origin": "http://localhost:8000"}
    code = await client.code(redirect_uri=SPA, code_challenge=CHALLENGE, code_challenge_method="S256")
    answer = await client.redeem_code(headers, code=code, redirect_uri=SPA, code_verifier=VERIFIER)
    assert (answer.status_code, answer.json()["error_codes"]) == (401, [700025])
    assert (await client.credentials(headers)).json()["error_codes"] == [9002326]


async def test_a_single_page_applications_sign_in_ends_after_a_day(client: Client, clock: FakeClock) -> None:
    """A refresh token's successors end when the first one does."""
    headers = {"Origin": "http://localhost:8000"}
    code = await client.code(redirect_uri=SPA, code_challenge=CHALLENGE, code_challenge_method="S256")
    form = {"redirect_uri": SPA, "client_secret": None, "code_verifier": VERIFIER}
    token = (await client.redeem_code(headers, code=code, **form)).json()["refresh_token"]
    renewal = {"grant_type": "refresh_token", "client_id": OPERATE}
    clock.advance(86_399)
    renewed = await client.redeem(headers, **renewal, refresh_token=token)
    assert renewed.status_code == 200
    clock.advance(1)
    for ended in (token, renewed.json()["refresh_token"]):
        refused = await client.redeem(headers, **renewal, refresh_token=ended)
        assert (refused.json()["error"], refused.json()["error_codes"]) == ("invalid_grant", [700084])


async def test_a_code_is_good_for_its_tenant_alone(clock: FakeClock) -> None:
    """An application of two tenants redeems where the person signed in."""
    first, second = Directory.default().tenants
    operate, *others = first.applications
    everywhere = replace(operate, sign_in_audience="AzureADMultipleOrgs")
    first = replace(first, applications=(everywhere, *others))
    async with EntraEmulator(directory=Directory((first, second)), clock=clock.time).http_client() as http:
        code = await Client(http, first.id).code()
        refused = await Client(http, second.id).redeem_code(code=code)
        assert (refused.json()["error"], refused.json()["error_codes"]) == ("invalid_grant", [700005])
        assert (await Client(http, first.id).redeem_code(code=code)).status_code == 200


async def test_a_browser_does_not_redeem_for_web_applications(client: Client) -> None:
    """AADSTS9002326, which the docs page of a web registration would meet."""
    answer = await client.redeem_code({"Origin": "http://localhost:8000"}, code=await client.code())
    assert answer.json()["error_codes"] == [9002326]
    assert "Single-page application" in answer.json()["error_description"]


async def test_browsers_may_ask_first(client: Client) -> None:
    """The preflight request of Swagger UI."""
    answer = await client.http.options(
        f"/{client.tenant}/oauth2/v2.0/token",
        headers={"Origin": "http://localhost:8000", "Access-Control-Request-Headers": "x-requested-with"},
    )
    assert answer.headers["access-control-allow-headers"] == "x-requested-with"
    assert answer.headers["access-control-allow-origin"] == "http://localhost:8000"


REFUSED_CREDENTIALS = [
    ({"grant_type": None}, 400, "invalid_request", 900144),
    ({"grant_type": "password"}, 400, "unsupported_grant_type", 70003),
    ({"client_id": None}, 400, "invalid_request", 900144),
    ({"client_id": "11111111-0000-4000-8000-000000000000"}, 400, "unauthorized_client", 700016),
    ({"client_id": f"api://{OPERATE}"}, 400, "unauthorized_client", 700016),
    ({"client_secret": None}, 401, "invalid_client", 7000216),
    ({"client_secret": "wrong"}, 401, "invalid_client", 7000215),
    ({"client_id": UNRELATED}, 401, "invalid_client", 700025),
    ({"scope": None}, 400, "invalid_request", 900144),
    ({"scope": f"{OPERATE}/Incidents.Read"}, 400, "invalid_scope", 1002012),
    ({"scope": f"{OPERATE}/.default {UNRELATED}/.default"}, 400, "invalid_scope", 1002012),
    ({"scope": "api://nobody/.default"}, 400, "invalid_resource", 500011),
]


@pytest.mark.parametrize(("changes", "status", "error", "code"), REFUSED_CREDENTIALS)
async def test_refused_client_credentials(
    client: Client, changes: dict[str, Any], status: int, error: str, code: int
) -> None:
    """Each mistake has Entra's error, code and status."""
    answer = await client.credentials(**changes)
    assert (answer.status_code, answer.json()["error"], answer.json()["error_codes"]) == (
        status,
        error,
        [code],
    )


async def test_errors_have_everything_that_entras_have(client: Client, clock: FakeClock) -> None:
    """Members and order, IDs for support, and no word of the secret."""
    correlation = "12345678-1234-4234-8234-123456789012"
    answer = await client.credentials({"client-request-id": correlation}, client_secret="not-the-secret")
    body = answer.json()
    assert list(body) == [
        "error",
        "error_description",
        "error_codes",
        "timestamp",
        "trace_id",
        "correlation_id",
        "error_uri",
    ]
    assert body["correlation_id"] == correlation
    assert body["trace_id"] == answer.headers["x-ms-request-id"]
    assert answer.headers["x-ms-clitelem"] == "1,7000215,0,,"
    code, trace, correlated, when = body["error_description"].split("\r\n")
    assert code.startswith("AADSTS7000215: ")
    assert (trace, correlated) == (f"Trace ID: {body['trace_id']}", f"Correlation ID: {correlation}")
    assert when == f"Timestamp: {body['timestamp']}"
    assert "not-the-secret" not in answer.text


REFUSED_CODES = [
    ({"code": None}, "invalid_request", 900144),
    ({"code": "garbage"}, "invalid_grant", 9002313),
    ({"client_secret": None}, "invalid_client", 7000218),
    ({"client_secret": "wrong"}, "invalid_client", 7000215),
    ({"redirect_uri": SPA}, "invalid_grant", 500112),
    ({"scope": f"api://{OPERATE}/access_as_user"}, "invalid_request", 90009),
    ({"scope": f"{OPERATE}/Nope"}, "invalid_scope", 70011),
    ({"scope": f"{OPERATE}/.default {OPERATE}/Incidents.Read"}, "invalid_scope", 70011),
    ({"scope": f"{OPERATE}/.default {UNRELATED}/.default"}, "invalid_scope", 700022),
]


@pytest.mark.parametrize(("changes", "error", "code"), REFUSED_CODES)
async def test_refused_codes(client: Client, changes: dict[str, Any], error: str, code: int) -> None:
    """A mistake in the redemption leaves the code as it was."""
    good = await client.code()
    answer = await client.redeem_code(**({"code": good} | changes))
    assert (answer.json()["error"], answer.json()["error_codes"]) == (error, [code])
    assert (await client.redeem_code(code=good)).status_code == 200


async def test_a_code_is_good_once(client: Client) -> None:
    """AADSTS54005 for the second redemption."""
    code = await client.code()
    assert (await client.redeem_code(code=code)).status_code == 200
    assert (await client.redeem_code(code=code)).json()["error_codes"] == [54005]


async def test_a_code_is_good_for_ten_minutes(client: Client, clock: FakeClock) -> None:
    """AADSTS70008 from then on."""
    early, late = await client.code(), await client.code()
    clock.advance(599)
    assert (await client.redeem_code(code=early)).status_code == 200
    clock.advance(1)
    assert (await client.redeem_code(code=late)).json()["error_codes"] == [70008]


async def test_a_code_is_good_for_its_application_alone(client: Client) -> None:
    """Another application's credentials do not help."""
    code = await client.code()
    other = {"client_id": BILLING, "client_secret": "local-emulator-secret-of-billing"}
    assert (await client.redeem_code(code=code, **other)).json()["error_codes"] == [9002313]
    refresh = (await client.redeem_code(code=code)).json()["refresh_token"]
    stolen = await client.redeem(grant_type="refresh_token", refresh_token=refresh, **other)
    assert stolen.json()["error_codes"] == [9002313]


async def test_an_application_names_itself_by_its_client_id(client: Client) -> None:
    """AADSTS90009 for the App ID URI, in client credentials too."""
    own = {"client_id": OPERATE, "client_secret": SECRET}
    assert (await client.credentials(**own, scope=f"{OPERATE}/.default")).status_code == 200
    refused = await client.credentials(**own, scope=f"api://{OPERATE}/.default")
    assert refused.json()["error_codes"] == [90009]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_the_token_endpoint_takes_posts(client: Client, method: str) -> None:
    """AADSTS900561 for anything else."""
    answer = await client.http.request(method, f"/{client.tenant}/oauth2/v2.0/token")
    assert answer.json()["error_codes"] == [900561]


@pytest.mark.parametrize(
    ("tenant", "code"), [("nowhere.example", 90002), ("common", 50194), ("organizations", 50194)]
)
async def test_the_tenant_must_be_the_applications_own(client: Client, tenant: str, code: int) -> None:
    """An unknown one, or one that stands for all."""
    client.tenant = tenant
    assert (await client.credentials()).json()["error_codes"] == [code]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"grant_type=x&grant_type=y", 9000411),
        (b"grant_type=\xff\xfe", 9002313),
        (b"a=" + b"b" * 70_000, 9002313),
        (b"a=1&" * 2, 9000411),
        (b"grant_type=&client_id=", 900144),
    ],
)
async def test_bodies_that_are_no_proper_form(client: Client, content: bytes, code: int) -> None:
    """Doubled, too large, not UTF-8, or empty."""
    answer = await client.http.post(f"/{client.tenant}/oauth2/v2.0/token", content=content)
    assert answer.json()["error_codes"] == [code]


async def test_a_basic_header_without_a_secret(client: Client) -> None:
    """An empty secret is none."""
    basic = base64.b64encode(f"{BILLING}:".encode()).decode()
    answer = await client.credentials({"Authorization": f"Basic {basic}"}, client_id=None, client_secret=None)
    assert answer.json()["error_codes"] == [7000216]


async def test_a_basic_header_that_is_none(client: Client) -> None:
    """A value that is not base64 is reported."""
    answer = await client.credentials({"Authorization": "Basic ***"})
    assert answer.json()["error_codes"] == [9002313]


async def test_a_public_application_redeems_without_a_secret() -> None:
    """Mobile and desktop applications have none."""
    native = Application(BILLING, "Native", redirect_uris={"http://localhost": "public"}, scopes=("x",))
    user = User("ada@x.example", "Ada")
    directory = Directory(
        (Tenant("11111111-2222-4333-8444-555555555555", "T", "t.example", (user,), (native,)),)
    )
    emulator = EntraEmulator(directory=directory)
    async with emulator.http_client() as http:
        client = Client(http, emulator.tenant.id)
        changes = {"client_id": BILLING, "redirect_uri": "http://localhost", "scope": f"{BILLING}/x"}
        answer = await client.sign_in("Ada", **changes)
        assert answer.headers["location"].startswith("http://localhost/?code=")
        code = answer.headers["location"].partition("code=")[2].partition("&")[0]
        form = {"client_id": BILLING, "client_secret": None, "redirect_uri": None, "code": code}
        token = (await client.redeem_code(**form)).json()["access_token"]
    assert jwt.decode(token, options={"verify_signature": False})["azpacr"] == "0"


async def test_what_is_remembered_is_bounded(
    client: Client, emulator: EntraEmulator, monkeypatch: Any
) -> None:
    """The oldest code gives way."""
    monkeypatch.setattr("camunda_entra_fastapi.testing.world.state.MAX_ENTRIES", 2)
    codes = [await client.code() for _ in range(3)]
    assert list(emulator.state.codes) == codes[1:]


def test_microsofts_own_client_gets_a_token() -> None:
    """msal, over a bridge that carries its https calls to the served emulator."""
    import httpx

    class Bridge:
        """The part of an HTTP client that msal uses; msal insists on https, which is not spoken here."""

        def __init__(self, address: str) -> None:
            self.address = address

        def _send(self, method: str, url: str, **options: Any) -> Any:
            options = {name: options[name] for name in ("params", "headers", "data") if options.get(name)}
            answer = httpx.request(method, url.replace("https://entra.localhost", self.address), **options)
            answer._content = answer.content.replace(self.address.encode(), b"https://entra.localhost")
            return answer

        def get(self, url: str, **options: Any) -> Any:
            return self._send("GET", url, **options)

        def post(self, url: str, **options: Any) -> Any:
            return self._send("POST", url, **options)

        def close(self) -> None: ...

    emulator = EntraEmulator()
    with emulator.serve() as address:
        application = msal.ConfidentialClientApplication(
            BILLING,
            client_credential="local-emulator-secret-of-billing",
            authority=f"https://entra.localhost/{emulator.tenant.id}",
            instance_discovery=False,
            http_client=Bridge(address),
        )
        answer = application.acquire_token_for_client([f"{OPERATE}/.default"])
    assert claims_of(emulator, answer["access_token"], OPERATE)["roles"] == ["Incidents.Read.All"]


def test_what_the_scope_constant_asks_for_is_what_the_guide_says() -> None:
    """Camunda's guide asks for these."""
    assert {"openid", "email", "offline_access", f"{OPERATE}/.default"} <= set(SCOPE.split())
    assert WEB.endswith("/auth/login-callback")
