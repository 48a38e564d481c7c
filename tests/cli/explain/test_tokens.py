"""Each token that is sent by mistake: its kind, the check that it fails, and the remedy."""

import base64
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camunda_entra_fastapi import AccessDenied, EntraSettings, InvalidToken
from camunda_entra_fastapi.cli.explain.explanation import explain_token
from camunda_entra_fastapi.errors import FetchFailed
from camunda_entra_fastapi.remedies import REMEDIES
from camunda_entra_fastapi.remote.http import EntraHttp
from camunda_entra_fastapi.remote.keysource import KeySource
from camunda_entra_fastapi.runtime import policy_of, provider_of
from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.directory import BILLING, OPERATE, UNRELATED
from camunda_entra_fastapi.token_validator import TokenValidator
from camunda_entra_fastapi.validation.keys import KeySet, parse_keys
from tests.cli.conftest import Ran
from tests.testing.browsing import change_application

V1 = "https://sts.windows.net/c0de0000-1111-4222-8333-444455556666/"
OTHER_TENANT = "fab00000-1111-4222-8333-444455556666"


def part(members: dict[str, Any]) -> str:
    """A part of a token."""
    return base64.urlsafe_b64encode(json.dumps(members).encode()).rstrip(b"=").decode()


def tampered(token: str, **members: Any) -> str:
    """The token with other claims, so that nobody signed it."""
    header, payload, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    return f"{header}.{part(claims | members)}.{signature}"


def unsigned(header: dict[str, Any], claims: dict[str, Any]) -> str:
    """Something that is written like a token."""
    return f"{part(header)}.{part(claims)}.c2lnbmF0dXJl"


def test_the_verdict_is_told_first_and_last(emulator: EntraEmulator, run: Callable[..., Ran]) -> None:
    """Below the kind of token, and again below the last of all checks."""
    for token, verdict in (
        (emulator.token(), "The service accepts it."),
        (emulator.token(lifetime=-600), "The service answers it with 401 token_expired."),
    ):
        lines = run("explain", token).output.splitlines()
        assert (lines[1], lines[-1]) == (verdict, verdict)


@dataclass(frozen=True)
class Sent:
    """One token.

    Attributes:
        name: Of the test.
        make: Makes it.
        code: What the service says; empty where it accepts.
        kind: Words of what it is.
        remedy: Words of what mends it.
        variables: Of the service.
    """

    name: str
    make: Callable[[EntraEmulator], str]
    code: str
    kind: str
    remedy: str
    variables: tuple[tuple[str, str], ...] = ()


def of_claims(**claims: Any) -> Callable[[EntraEmulator], str]:
    """A token of Entra's with these claims."""
    return lambda emulator: emulator.token(scopes=("access_as_user",), **claims)


SENT = [
    Sent("a good one", of_claims(), "", "access token of a person", ""),
    Sent(
        "an application's",
        lambda emulator: emulator.token(app_only=True, roles=("Incidents.Export",), client=BILLING),
        "",
        "access token of an application",
        "",
    ),
    Sent(
        "of version 1.0",
        lambda emulator: emulator.token(version=1),
        "v1_token",
        "access token of a person",
        "requestedAccessTokenVersion to 2",
    ),
    Sent(
        "for another API",
        lambda emulator: emulator.token(application=UNRELATED, version=2),
        "audience_mismatch",
        "access token of a person",
        f"ask for the scope {OPERATE}/.default",
    ),
    Sent(
        "for the App ID URI",
        of_claims(aud=f"api://{OPERATE}"),
        "audience_mismatch",
        "access token of a person",
        "CAMUNDA_IDENTITY_AUDIENCE",
    ),
    Sent(
        "for Microsoft Graph",
        lambda emulator: emulator.token(application="https://graph.microsoft.com", scopes=("User.Read",)),
        "graph_token",
        "access token for Microsoft Graph",
        "names without a prefix, such as User.Read, are Microsoft Graph's",
    ),
    Sent(
        "for Graph by its name, signed plainly",
        of_claims(aud="https://graph.microsoft.com"),
        "graph_token",
        "access token for Microsoft Graph",
        "/.default",
    ),
    Sent(
        "an ID token",
        lambda emulator: emulator.id_token(nonce="n"),
        "id_token",
        "ID token",
        "send the access_token",
    ),
    Sent("expired", of_claims(exp=1_700_000_000), "token_expired", "access token", "get a new token"),
    Sent("from the future", of_claims(nbf=4_000_000_000), "token_not_yet_valid", "access token", "with NTP"),
    Sent(
        "of another tenant",
        of_claims(iss=f"https://login.microsoftonline.com/{OTHER_TENANT}/v2.0", tid=OTHER_TENANT),
        "issuer_mismatch",
        "access token",
        "set CAMUNDA_IDENTITY_ISSUER to it",
    ),
    Sent(
        "with the tenant of somebody else",
        of_claims(tid=OTHER_TENANT),
        "tenant_mismatch",
        "access token",
        "CAMUNDA_ENTRA_ALLOWED_TENANTS",
    ),
    Sent(
        "changed on the way",
        lambda e: tampered(of_claims()(e), name="x"),
        "signature_invalid",
        "access",
        "unchanged",
    ),
    Sent("cut when copied", lambda e: of_claims()(e)[:-1], "token_malformed", "access token", "unchanged"),
    Sent(
        "of a key that is gone",
        lambda e: unsigned({"alg": "RS256", "kid": "gone"}, {"iss": "x", "sub": "y", "aud": OPERATE}),
        "key_unknown",
        "token",
        "CAMUNDA_ENTRA_CUSTOM_SIGNING_KEYS",
    ),
    Sent(
        "with HS256",
        lambda e: unsigned({"alg": "HS256"}, {"sub": "y"}),
        "algorithm_not_allowed",
        "ID",
        "RS256",
    ),
    Sent(
        "without alg",
        lambda e: unsigned({"alg": "none"}, {"sub": "y"}),
        "algorithm_not_allowed",
        "ID",
        "RS256",
    ),
    Sent(
        "with a key of its own",
        lambda e: unsigned({"alg": "RS256", "kid": "k", "jwk": {}}, {"sub": "y"}),
        "header_not_allowed",
        "ID",
        "bring no key along",
    ),
    Sent(
        "without a key",
        lambda e: unsigned({"alg": "RS256"}, {"sub": "y"}),
        "key_missing",
        "ID",
        "name their key",
    ),
    Sent("without a subject", of_claims(sub=None), "claim_missing", "access token", "find out who made"),
    Sent("with a strange expiry", of_claims(exp="soon"), "claim_malformed", "access token", "never writes"),
    Sent(
        "as large as a book",
        lambda e: "eyJ." + "a" * 20_000 + ".b",
        "token_too_large",
        "cannot be read",
        "fewer groups",
    ),
    Sent(
        "encrypted",
        lambda e: f"{part({'alg': 'RSA-OAEP', 'enc': 'A256GCM'})}.a.b.c.d",
        "token_encrypted",
        "encrypted token (JWE)",
        "tokenEncryptionKeyId",
    ),
    Sent(
        "a session cookie",
        lambda e: f"{part({'alg': 'dir', 'enc': 'A256GCM'})}..b.c.d",
        "token_encrypted",
        "session cookies of this package",
        "send it as a cookie",
    ),
    Sent(
        "an application's without a role",
        lambda emulator: emulator.token(app_only=True, client=BILLING, roles=()),
        "app_without_permissions",
        "access token of an application",
        "Application permissions",
    ),
    Sent(
        "a person's without a scope",
        lambda emulator: emulator.token(scopes=()),
        "person_without_permissions",
        "access token of a person",
        f"ask for {OPERATE}/.default or for the scope by its full name",
    ),
    Sent(
        "bound to a certificate",
        of_claims(cnf={"x5t#S256": "x"}),
        "bound_token",
        "access token of a person",
        "plain bearer token",
    ),
    Sent(
        "for this API and for Graph",
        of_claims(aud=["https://graph.microsoft.com", OPERATE]),
        "",
        "access",
        "",
    ),
    Sent(
        "a guest's",
        of_claims(acct=1),
        "guest_not_allowed",
        "access token of a person",
        "CAMUNDA_ENTRA_ALLOW_GUESTS=true",
        (("CAMUNDA_ENTRA_ALLOW_GUESTS", "false"),),
    ),
    Sent(
        "of a client that is not let in",
        of_claims(azp=UNRELATED),
        "client_not_allowed",
        "access token of a person",
        "CAMUNDA_ENTRA_ALLOWED_CLIENTS",
        (("CAMUNDA_ENTRA_ALLOWED_CLIENTS", BILLING),),
    ),
]


@pytest.mark.parametrize("sent", SENT, ids=lambda one: one.name)
def test_what_the_service_says_of_it(sent: Sent, emulator: EntraEmulator, run: Callable[..., Ran]) -> None:
    """The verdict's code is the service's, the failed check has the remedy, and nothing shows the token."""
    token = sent.make(emulator)
    ran = run("explain", "--json", "-", stdin=token, **dict(sent.variables))
    explanation = ran.json
    assert sent.kind in explanation["kind"]
    assert (explanation["code"] or "") == sent.code, explanation
    assert explanation["verdict"] == ("refused" if sent.code else "accepted")
    assert ran.code == (1 if sent.code else 0)
    failed = [check for check in explanation["checks"] if check["state"] == "wrong"]
    if sent.code:
        (first, *_) = failed
        assert first["code"] == sent.code
        assert sent.remedy in first["remedy"]
    else:
        assert not failed
    for piece in token.split(".")[1:]:
        assert len(piece) < 8 or piece not in ran.output
    printed = run("explain", "-", stdin=token, **dict(sent.variables))
    assert printed.code == ran.code
    assert explanation["message"] in " ".join(printed.output.split())
    assert token not in printed.output


async def verdict_of(token: str, settings: EntraSettings, emulator: EntraEmulator) -> str:
    """The code of the service's error response; empty when it accepts."""
    async with emulator.http_client() as client:
        keys = KeySource(
            EntraHttp(client=client), provider_of(settings), lifetime=3600, monotonic=time.monotonic
        )
        validator = TokenValidator(keys, policy_of(settings), cache_size=0, clock=time)
        try:
            await validator.validate_text(token)
        except (InvalidToken, AccessDenied) as error:
            return error.code
    return ""


@pytest.mark.parametrize("sent", SENT, ids=lambda one: one.name)
async def test_the_first_failed_check_is_the_validators_verdict(sent: Sent) -> None:
    """Explaining and validating agree on every token: the same checks, in the same order."""
    emulator = EntraEmulator()
    token = sent.make(emulator)
    settings = emulator.settings(**dict(sent.variables))
    explanation = explain_token(token, settings, own_keys(emulator), time.time())
    assert explanation.result is not None
    error = explanation.result.error
    assert (error.code if error else "") == await verdict_of(token, settings, emulator)


CLAIMS = st.fixed_dictionaries(
    {},
    optional={
        "aud": st.sampled_from(
            [
                OPERATE,
                UNRELATED,
                "https://graph.microsoft.com",
                ["https://graph.microsoft.com", OPERATE],
                3,
                [],
            ]
        ),
        "iss": st.sampled_from(["https://other.example", V1, None]),
        "tid": st.sampled_from([OTHER_TENANT, None, 7]),
        "exp": st.sampled_from([1, 4_000_000_000, "x", None]),
        "nbf": st.sampled_from([1, 4_000_000_000, None]),
        "scp": st.sampled_from(["a b", "", None, 4]),
        "azp": st.sampled_from([BILLING, None]),
        "acct": st.sampled_from([0, 1, None]),
        "sub": st.sampled_from(["s", "", None]),
        "cnf": st.sampled_from([{"jkt": "x"}, None]),
        "idtyp": st.sampled_from(["app", "user"]),
        "name": st.sampled_from(["Ada", None]),
        "roles": st.sampled_from([["Operate.Admin"], None]),
    },
)


@settings(max_examples=60, deadline=None)
@given(claims=CLAIMS)
async def test_they_agree_on_whatever_is_wrong_at_once(claims: dict[str, Any]) -> None:
    """However many things are wrong, the first failed check is the service's error."""
    token = EMULATOR.token(scopes=("access_as_user",), **claims)
    configured = EMULATOR.settings(allow_guests=False, allowed_clients=OPERATE)
    explanation = explain_token(token, configured, own_keys(EMULATOR), time.time())
    assert explanation.result is not None
    error = explanation.result.error
    assert (error.code if error else "") == await verdict_of(token, configured, EMULATOR)


EMULATOR = EntraEmulator()


def own_keys(emulator: EntraEmulator) -> KeySet:
    """The keys as the emulator publishes them."""
    from camunda_entra_fastapi.testing.endpoints.documents import key_set

    return parse_keys(key_set(emulator.keys, emulator.base_url, v1=False))


def test_every_code_of_a_refused_token_has_a_remedy() -> None:
    """Each of the validator's codes has a remedy."""
    import ast
    from pathlib import Path

    import camunda_entra_fastapi.validation as package

    codes = {
        node.args[0].value
        for path in Path(package.__path__[0]).glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("InvalidToken", "AccessDenied")
        and node.args
        and isinstance(node.args[0], ast.Constant)
    }
    assert len(codes) > 15
    assert codes <= REMEDIES.keys()


# Without keys, without settings


def test_without_settings_it_says_what_it_is_and_what_is_missing(
    emulator: EntraEmulator, run: Callable[..., Ran]
) -> None:
    """Claims can be read on any machine; a verdict needs the service's settings."""
    ran = run("explain", "-", stdin=emulator.token(), **dict.fromkeys(emulator.environment()))
    assert ran.code == 1
    assert "This is an access token of a person" in ran.output
    assert "CAMUNDA_IDENTITY_ISSUER is not set" in ran.output
    assert "cannot be told without its settings" in " ".join(ran.output.split())


def test_offline_the_signature_stays_open(emulator: EntraEmulator, run: Callable[..., Ran]) -> None:
    """No request is sent, and the verdict says what it depends on."""
    before = len(emulator.requests)
    good = run("explain", "--json", "--offline", stdin=emulator.token(scopes=("access_as_user",)))
    assert (good.json["verdict"], good.code) == ("unknown", 1)
    bad = run("explain", "--json", "--offline", stdin=emulator.token(version=1))
    assert bad.json["verdict"] == "refused"
    assert bad.json["message"].startswith("If Entra signed it, ")
    assert len(emulator.requests) == before


def test_keys_that_cannot_be_had_are_reported(emulator: EntraEmulator, run: Callable[..., Ran]) -> None:
    """The check of the key has the reason; the claims are checked nevertheless."""
    token = emulator.token(scopes=("access_as_user",))
    ran = run(
        "explain", "--json", stdin=token, CAMUNDA_IDENTITY_ISSUER_BACKEND_URL="http://127.0.0.1:1/x/v2.0"
    )
    assert ran.json["verdict"] == "unknown"
    (key,) = [check for check in ran.json["checks"] if check["name"] == "key"]
    assert "cannot be reached" in key["told"]
    assert "camunda-entra doctor" in key["remedy"]


def test_keys_that_are_of_no_use_are_reported(emulator: EntraEmulator) -> None:
    """The reason is the service's own."""
    explanation = explain_token(emulator.token(), emulator.settings(), FetchFailed("no keys"), time.time())
    assert explanation.result is not None
    assert [check.message for check in explanation.result.checks if check.name == "key"] == [
        "Entra's keys cannot be had. no keys"
    ]


async def test_a_document_without_usable_keys_is_a_reason() -> None:
    """As the service would log it."""
    import httpx

    from camunda_entra_fastapi.cli.fetching import entra_http, fetch_keys

    emulator = EntraEmulator()
    issuer = emulator.settings().issuer

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("keys"):
            return httpx.Response(200, json={"keys": []})
        return httpx.Response(200, json={"issuer": issuer, "jwks_uri": issuer + "/keys"})

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        failed = await fetch_keys(entra_http(emulator.settings(), client), emulator.settings())
    assert isinstance(failed, FetchFailed)
    assert "unusable keys" in failed.message


# What is explained besides


def test_kind_details_and_times(emulator: EntraEmulator, run: Callable[..., Ran]) -> None:
    """Who acts for whom, in which groups and tenant, and when it ends from now."""
    groups = [f"9a0b0000-0000-4000-9000-{number:012d}" for number in range(12)]
    now = int(time.time())
    token = emulator.token(
        scopes=("access_as_user",),
        tid="9188040d-6c67-4c5b-b112-36a304b66dad",
        groups=groups,
        acct=1,
        cnf={"kid": "x"},
        hasgroups=True,
        iat=now - 90_000,
        nbf=now - 90_000,
        exp=now + 7_265,
    )
    explanation = run("explain", "--json", stdin=token).json
    assert explanation["details"] == [
        "It is of a personal Microsoft account.",
        f"The application {OPERATE} acts for a person.",
        "The person is a guest of the tenant.",
        "Scopes: access_as_user.",
        f"Groups: {', '.join(groups[:10])} and 2 more.",
        "The person is in more groups than the token lists (group overage).",
        "It is bound to a key (proof of possession); as a bearer token it is refused.",
    ]
    assert explanation["times"]["exp"].endswith("in 2 hours 1 minute")
    assert explanation["times"]["iat"].endswith("1 day 1 hour ago")
    other = run("explain", "--json", stdin=emulator.token(tid=OTHER_TENANT)).json
    assert f"It is of the tenant {OTHER_TENANT}, where this service is for" in " ".join(other["details"])


@pytest.mark.parametrize(
    ("claims", "header", "kind"),
    [
        ({"iss": OPERATE, "sub": OPERATE, "aud": "https://login/token"}, {}, "client assertion"),
        ({"events": {}, "sub": "x"}, {}, "logout token"),
        ({"sub": "x", "azp": "y"}, {"typ": "entra-identity+jwt"}, "identity, signed by a gateway"),
        ({"aud": "00000003-0000-0000-c000-000000000000"}, {"nonce": "n"}, "access token for Microsoft Graph"),
        ({"idtyp": "app", "sub": "x", "azp": "y", "scp": ""}, {}, "access token of an application"),
        ({"aud": ["https://graph.microsoft.com"], "appid": "x"}, {}, "access token of an application"),
    ],
)
def test_kinds_that_entra_does_not_issue_for_apis(
    claims: dict[str, Any], header: dict[str, Any], kind: str, run: Callable[..., Ran]
) -> None:
    """They are called by their names."""
    explanation = run("explain", "--json", stdin=unsigned({"alg": "RS256", "kid": "k"} | header, claims)).json
    assert kind in explanation["kind"]


@pytest.mark.parametrize(
    ("issuer", "name"),
    [
        (V1, "Microsoft Entra ID, version 1.0"),
        (f"https://login.microsoftonline.com/{OTHER_TENANT}/v2.0", "Microsoft Entra ID, version 2.0"),
        (f"https://login.microsoftonline.us/{OTHER_TENANT}/v2.0", "for US Government"),
        ("https://contoso.b2clogin.com/x/v2.0/", "Azure AD B2C"),
        (f"https://{OTHER_TENANT}.ciamlogin.com/x/v2.0", "External ID"),
        ("https://keycloak.example/auth/realms/camunda", "Keycloak"),
        ("https://accounts.google.com", "Google, not Entra"),
        ("https://x.eu.auth0.com/", "Auth0"),
    ],
)
def test_issuers_are_called_by_their_names(issuer: str, name: str, run: Callable[..., Ran]) -> None:
    """Whose token it is, for those who do not know issuers by heart."""
    explanation = run(
        "explain", "--json", stdin=unsigned({"alg": "RS256", "kid": "k"}, {"iss": issuer, "sub": "x"})
    ).json
    assert any(name in line for line in explanation["details"])


def test_a_nonce_in_the_header_is_graphs(run: Callable[..., Ran]) -> None:
    """Why nobody else can verify such a token."""
    token = unsigned({"alg": "RS256", "kid": "k", "nonce": "n"}, {"aud": "https://graph.microsoft.com"})
    assert any(
        "only Microsoft Graph can verify" in line
        for line in run("explain", "--json", stdin=token).json["details"]
    )


def test_v1_tokens_are_fine_where_they_are_accepted(emulator: EntraEmulator, run: Callable[..., Ran]) -> None:
    """The expected issuers are both."""
    token = emulator.token(version=1, aud=OPERATE)
    ran = run("explain", "--json", stdin=token, CAMUNDA_ENTRA_ACCEPT_V1_TOKENS="true")
    assert ran.code == 0
    (issuer,) = [check for check in ran.json["checks"] if check["name"] == "issuer, tenant"]
    assert issuer["expected"].endswith(f" or {V1}")


def test_several_tenants(emulator: EntraEmulator, run: Callable[..., Ran]) -> None:
    """With an issuer for several tenants the expected one is the token's own."""
    change_application(emulator, OPERATE, sign_in_audience="AzureADMultipleOrgs")
    common = f"{emulator.base_url}/organizations/v2.0"
    ran = run(
        "explain",
        "--json",
        stdin=emulator.token(scopes=("access_as_user",)),
        CAMUNDA_IDENTITY_ISSUER=common,
        CAMUNDA_IDENTITY_ISSUER_BACKEND_URL=common,
        CAMUNDA_ENTRA_ALLOWED_TENANTS="*",
    )
    assert ran.code == 0, ran.output


def test_numbers_that_json_does_not_have_are_texts_in_it(run: Callable[..., Ran]) -> None:
    """Claims of NaN or 1e400 (RFC 8259, 6) make no JSON that strict readers refuse."""
    claims = base64.urlsafe_b64encode(b'{"sub": "s", "a": 1e400, "b": [NaN, -Infinity]}').decode().rstrip("=")
    ran = run("explain", "--json", "--offline", stdin=f"{part({'alg': 'RS256'})}.{claims}.c2ln")

    def refuse(name: str) -> None:
        raise AssertionError(name)

    shown = json.loads(ran.output, parse_constant=refuse)["claims"]
    assert (shown["a"], shown["b"]) == ("inf", ["nan", "-inf"])
