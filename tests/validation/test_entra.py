"""Entra's own rules: versions, tenants, clouds, Graph, applications, guests."""

from dataclasses import replace
from typing import Any

import pytest

from camunda_entra_fastapi.errors import AccessDenied, InvalidToken
from camunda_entra_fastapi.user import EntraUser
from camunda_entra_fastapi.validation.entra import (
    check_issuer,
    has_group_overage,
    is_guest,
    is_tenant_id,
    v1_issuer_of,
)
from camunda_entra_fastapi.validation.policy import Policy
from tests.tokens import (
    ABSENT,
    CALLER,
    CLIENT_ID,
    HEADER,
    ISSUER,
    NOW,
    OTHER_TENANT,
    PERSONAL_TENANT,
    TENANT,
    V1_ISSUER,
    app_claims,
    user_claims,
)
from tests.validation.conftest import ANY_TENANT, POLICY, signing_key, verify_claims

TEMPLATE = "https://login.microsoftonline.com/{tenantid}/v2.0"
PERSONAL_ISSUER = f"https://login.microsoftonline.com/{PERSONAL_TENANT}/v2.0"
HOME = f"https://sts.windows.net/{TENANT}/"
FOREIGN = f"https://sts.windows.net/{OTHER_TENANT}/"
B2C_ISSUER = f"https://contoso.b2clogin.com/{TENANT}/v2.0/"
B2C_POLICY_ISSUER = f"https://contoso.b2clogin.com/tfp/{TENANT}/b2c_1_signin/v2.0/"
EXTERNAL_ID_ISSUER = f"https://{TENANT}.ciamlogin.com/{TENANT}/v2.0"
US_ISSUER = f"https://login.microsoftonline.us/{TENANT}/v2.0"
CHINA_ISSUER = f"https://login.partner.microsoftonline.cn/{TENANT}/v2.0"

V1_REFUSED = (
    "v1_token",
    "The token is of version 1.0; this API accepts version 2.0. "
    "Set requestedAccessTokenVersion to 2 in the manifest of this API's app registration, "
    "or CAMUNDA_ENTRA_ACCEPT_V1_TOKENS=true on this service.",
)
ID_TOKEN = (
    "id_token",
    "This is an ID token, meant for the application that signs in. Send the access token.",
)
WITHOUT_PERMISSIONS = (
    "app_without_permissions",
    f"The application '{CALLER}' has no application permission (app role) on this API. "
    "Either grant it one in Entra, with admin consent, or name it in CAMUNDA_ENTRA_ALLOWED_CLIENTS "
    "on this service, which then lets in no client that is not named there.",
)


def refusal(claims: object, policy: Policy = POLICY, **options: Any) -> tuple[str, str]:
    """How the claims, rightly signed as they are, are refused as a bad token."""
    with pytest.raises(InvalidToken) as caught:
        verify_claims(claims, policy, **options)
    return caught.value.code, caught.value.message


def denial(claims: object, policy: Policy) -> tuple[str, str, object]:
    """How the bearer of a good token is not let in."""
    with pytest.raises(AccessDenied) as caught:
        verify_claims(claims, policy)
    return caught.value.code, caught.value.message, caught.value.scopes


def v1_claims(**changes: Any) -> dict[str, Any]:
    """The claims of a token of version 1.0."""
    return user_claims(
        **{"iss": V1_ISSUER, "aud": "api://incidents", "appid": CALLER, "azp": ABSENT, "ver": "1.0"} | changes
    )


def other_issuer(named: str, expected: str) -> tuple[str, str]:
    """The refusal of an issuer."""
    return "issuer_mismatch", f"The token's issuer is '{named}'; this API expects '{expected}'."


# Issuers and versions


@pytest.mark.parametrize(
    "issuer",
    [
        f"{ISSUER}/",
        ISSUER.upper(),
        ISSUER.replace("https", "http"),
        ISSUER.replace(TENANT, OTHER_TENANT),
        ISSUER.replace("login.", "login.attacker."),
        ISSUER[:-1],
        f" {ISSUER}",
        "https://login.microsoftonline.com/common/v2.0",
        TEMPLATE,
        V1_ISSUER[:-1],
        f"https://sts.windows.net/{OTHER_TENANT}/",
    ],
)
def test_issuer_is_compared_exactly(issuer: str) -> None:
    """An issuer that differs in anything is somebody else."""
    assert refusal(user_claims(iss=issuer)) == other_issuer(issuer, ISSUER)


def test_v1_token_is_recognised_and_says_what_to_change() -> None:
    """A v1.0 token of the right tenant is refused by name, unless the setting accepts it."""
    assert refusal(v1_claims()) == V1_REFUSED
    assert verify_claims(v1_claims(), replace(POLICY, accept_v1=True)) == v1_claims()


def test_version_2_is_accepted_where_version_1_is_too() -> None:
    """The setting adds v1.0 tokens and takes none away."""
    assert verify_claims(user_claims(), replace(POLICY, accept_v1=True)) == user_claims()


def test_version_is_told_by_the_issuer_and_not_by_ver() -> None:
    """``ver`` is what the token says of itself; the issuer is what was signed for."""
    assert verify_claims(user_claims(ver="1.0"))
    assert verify_claims(user_claims(ver=7))
    assert refusal(v1_claims(ver="2.0")) == V1_REFUSED


def test_accepting_v1_lets_no_other_tenant_in() -> None:
    """A v1.0 token of another tenant stays somebody else's."""
    claims = v1_claims(iss=f"https://sts.windows.net/{OTHER_TENANT}/", tid=OTHER_TENANT)
    expected = other_issuer(f"https://sts.windows.net/{OTHER_TENANT}/", ISSUER)
    assert refusal(claims, replace(POLICY, accept_v1=True)) == expected


@pytest.mark.parametrize(
    ("issuer", "tenant", "expected"),
    [
        (ISSUER, TENANT, V1_ISSUER),
        (TEMPLATE, None, "https://sts.windows.net/{tenantid}/"),
        (US_ISSUER, TENANT, V1_ISSUER),
        (CHINA_ISSUER, TENANT, f"https://sts.chinacloudapi.cn/{TENANT}/"),
        (f"https://login.chinacloudapi.cn/{TENANT}/v2.0", TENANT, f"https://sts.chinacloudapi.cn/{TENANT}/"),
        (B2C_ISSUER, TENANT, None),
        (EXTERNAL_ID_ISSUER, TENANT, None),
    ],
)
def test_v1_issuer_follows_the_cloud(issuer: str, tenant: str | None, expected: str | None) -> None:
    """Each cloud has its own issuer of v1.0 tokens; customers' tenants have none."""
    assert v1_issuer_of(issuer, tenant) == expected


@pytest.mark.parametrize("issuer", [US_ISSUER, CHINA_ISSUER])
def test_sovereign_clouds_are_their_own_issuers(issuer: str) -> None:
    """A token of the cloud that is set is accepted in both versions, one of the public cloud is not."""
    v1_issuer = v1_issuer_of(issuer, TENANT)
    policy = replace(POLICY, issuer=issuer, v1_issuer=v1_issuer, accept_v1=True)
    assert verify_claims(user_claims(iss=issuer), policy)
    assert verify_claims(v1_claims(iss=v1_issuer), policy)
    assert refusal(user_claims(), policy) == other_issuer(ISSUER, issuer)


@pytest.mark.parametrize("issuer", [B2C_ISSUER, B2C_POLICY_ISSUER, EXTERNAL_ID_ISSUER])
@pytest.mark.parametrize("tenant", [ABSENT, TENANT])
def test_customers_tenants_are_issuers_like_others(issuer: str, tenant: object) -> None:
    """Tokens of B2C (final slash, ``ver`` 1.0, no ``tid``) and External ID are accepted as they are."""
    policy = replace(POLICY, issuer=issuer, tenant=None, v1_issuer=None)
    claims = user_claims(iss=issuer, tid=tenant, ver="1.0", idp="google.com", tfp="B2C_1_signin")
    assert verify_claims(claims, policy) == claims
    bare = issuer.rstrip("/") if issuer.endswith("/") else f"{issuer}/"
    assert refusal(user_claims(iss=bare), policy) == other_issuer(bare, issuer)
    assert refusal(v1_claims(), policy) == other_issuer(V1_ISSUER, issuer)


# Tenants


def test_tenant_of_a_single_tenant_issuer_must_fit_where_it_is_named() -> None:
    """``tid`` may be left out or odd, since the issuer names the tenant; another tenant is refused."""
    for tenant in (TENANT, TENANT.upper(), ABSENT, None, 7, [OTHER_TENANT]):
        assert verify_claims(user_claims(tid=tenant))
    for tenant in (OTHER_TENANT, "", "contoso.example"):
        expected = ("tenant_mismatch", f"The token's tenant '{tenant}' is not let in by this API.")
        assert refusal(user_claims(tid=tenant)) == expected


def test_any_tenant_is_let_in_where_the_settings_say_so() -> None:
    """With the placeholder and no list, a tenant's own issuer is right for it, in both versions."""
    foreign = {"tid": OTHER_TENANT, "iss": ISSUER.replace(TENANT, OTHER_TENANT)}
    assert verify_claims(user_claims(), ANY_TENANT)
    assert verify_claims(user_claims(**foreign), ANY_TENANT)
    v1_foreign = v1_claims(tid=OTHER_TENANT, iss=f"https://sts.windows.net/{OTHER_TENANT}/")
    assert refusal(v1_foreign, ANY_TENANT) == V1_REFUSED
    assert verify_claims(v1_foreign, replace(ANY_TENANT, accept_v1=True))


def test_only_listed_tenants_are_let_in() -> None:
    """With several tenants, those on the list pass, in any case of the token's GUID."""
    policy = replace(ANY_TENANT, allowed_tenants=frozenset({TENANT}))
    assert verify_claims(user_claims(), policy)
    upper = TENANT.upper()
    assert verify_claims(user_claims(tid=upper, iss=ISSUER.replace(TENANT, upper)), policy)
    foreign = user_claims(tid=OTHER_TENANT, iss=ISSUER.replace(TENANT, OTHER_TENANT))
    expected = ("tenant_mismatch", f"The token's tenant '{OTHER_TENANT}' is not let in by this API.")
    assert refusal(foreign, policy) == expected


def test_no_tenant_is_let_in_where_no_list_was_given() -> None:
    """A policy for many tenants that names none lets none in."""
    policy = replace(ANY_TENANT, allowed_tenants=frozenset())
    assert refusal(user_claims(), policy)[0] == "tenant_mismatch"


@pytest.mark.parametrize(
    ("tenant", "expected"),
    [
        (ABSENT, ("claim_missing", "The token has no tid claim.")),
        (None, ("claim_missing", "The token has no tid claim.")),
        ("", ("claim_malformed", "The token's tid claim is not a text that is not empty.")),
        (7, ("claim_malformed", "The token's tid claim is not a text that is not empty.")),
        ([TENANT], ("claim_malformed", "The token's tid claim is not a text that is not empty.")),
        ("common", ("claim_malformed", "The token's tid claim is not a tenant's GUID.")),
        ("{tenantid}", ("claim_malformed", "The token's tid claim is not a tenant's GUID.")),
        (f"{TENANT}\n", ("claim_malformed", "The token's tid claim is not a tenant's GUID.")),
        (f"{TENANT}/x", ("claim_malformed", "The token's tid claim is not a tenant's GUID.")),
        (TENANT.replace("-", ""), ("claim_malformed", "The token's tid claim is not a tenant's GUID.")),
        (OTHER_TENANT, other_issuer(ISSUER, ISSUER.replace(TENANT, OTHER_TENANT))),
    ],
)
def test_issuer_of_many_tenants_depends_on_a_right_tid(tenant: object, expected: tuple[str, str]) -> None:
    """The issuer must be that of the token's own tenant, which must be a GUID."""
    assert refusal(user_claims(tid=tenant), ANY_TENANT) == expected


def test_issuer_cannot_be_matched_by_the_placeholder_itself() -> None:
    """A token whose ``iss`` and ``tid`` both say ``{tenantid}`` is of no tenant."""
    claims = user_claims(iss=TEMPLATE, tid="{tenantid}")
    assert refusal(claims, ANY_TENANT)[0] == "claim_malformed"


def test_key_of_personal_accounts_does_not_sign_for_a_company() -> None:
    """With many tenants a key signs only for the issuer that it names."""
    personal_key = signing_key(issuer=PERSONAL_ISSUER)
    expected = f"The token's key signs for '{PERSONAL_ISSUER}', not for '{ISSUER}'."
    assert refusal(user_claims(), ANY_TENANT, key=personal_key) == ("issuer_mismatch", expected)
    assert refusal(v1_claims(), replace(ANY_TENANT, accept_v1=True), key=personal_key) == (
        "issuer_mismatch",
        expected,
    )
    personal = user_claims(tid=PERSONAL_TENANT, iss=PERSONAL_ISSUER)
    assert verify_claims(personal, ANY_TENANT, key=personal_key) == personal


def test_key_for_all_tenants_signs_for_each() -> None:
    """A key whose issuer has the placeholder, or that names none, signs for whom the token names."""
    for key in (signing_key(issuer=TEMPLATE), signing_key()):
        assert verify_claims(user_claims(), ANY_TENANT, key=key)
        assert verify_claims(v1_claims(), replace(ANY_TENANT, accept_v1=True), key=key)


def test_key_of_another_cloud_does_not_sign_for_this_one() -> None:
    """A key whose issuer is in another cloud does not fit a token of this one."""
    key = signing_key(issuer="https://login.microsoftonline.us/{tenantid}/v2.0")
    assert refusal(user_claims(), ANY_TENANT, key=key)[0] == "issuer_mismatch"


@pytest.mark.parametrize(
    ("text", "expected"),
    [(TENANT, True), (TENANT.upper(), True), (f"{TENANT}0", False), ("", False), ("g" + TENANT[1:], False)],
)
def test_tenant_ids_are_guids(text: str, expected: bool) -> None:
    """A tenant's ID is a GUID in either case and nothing more."""
    assert is_tenant_id(text) is expected


# Tokens for somebody else


@pytest.mark.parametrize(
    "audience",
    [
        "00000003-0000-0000-c000-000000000000",
        "https://graph.microsoft.com",
        "https://graph.microsoft.com/",
        "https://graph.microsoft.us/",
        "https://dod-graph.microsoft.us",
        "https://microsoftgraph.chinacloudapi.cn",
        "https://graph.windows.net/",
        "00000002-0000-0000-c000-000000000000",
    ],
)
def test_graph_token_is_recognised_by_its_audience(audience: str) -> None:
    """A token for Graph says so, before its v1.0 issuer or the audience would tell something else."""
    expected = (
        "graph_token",
        f"The token's audience is '{audience}', Microsoft Graph. "
        "Request a token for this API instead, with the scope <client ID of this API>/.default; "
        "scopes without a prefix, such as User.Read, are Graph's.",
    )
    assert refusal(v1_claims(aud=audience)) == expected
    assert refusal(user_claims(aud=["other", audience])) == expected
    assert refusal(v1_claims(aud=audience), header={**HEADER, "nonce": "n"}) == expected


@pytest.mark.parametrize("scopes", [ABSENT, None, "", "  ", 7, ["Incidents.Read"]])
def test_id_token_is_refused(scopes: object) -> None:
    """Without scopes and without a client it is an ID token, though all else fits; roles do not help."""
    assert refusal(user_claims(scp=scopes, azp=ABSENT, nonce="n", roles=["Operate.Admin"])) == ID_TOKEN


@pytest.mark.parametrize("client", [None, "", 7, [CALLER]])
def test_client_of_an_odd_kind_is_none(client: object) -> None:
    """A client claim that is no text does not make an ID token an access token."""
    assert refusal(user_claims(scp=ABSENT, azp=client, appid=client)) == ID_TOKEN


@pytest.mark.parametrize("roles", [ABSENT, None, [], "Operate.Admin", [7], {"Operate.Admin": 1}])
def test_application_without_permissions_is_refused(roles: object) -> None:
    """Any application of a tenant gets a token for any API of it; without a role it means nothing."""
    assert refusal(app_claims(roles=roles)) == WITHOUT_PERMISSIONS
    assert refusal(app_claims(roles=roles, azp=ABSENT, appid=CALLER)) == WITHOUT_PERMISSIONS
    assert refusal(app_claims(roles=roles, azp=7, appid=CALLER)) == WITHOUT_PERMISSIONS


def test_application_with_a_role_or_on_the_list_is_let_in() -> None:
    """A role is a permission; a client that the settings name needs none."""
    listed = replace(POLICY, allowed_clients=frozenset({CALLER}))
    assert verify_claims(app_claims())
    assert verify_claims(app_claims(), listed)
    assert verify_claims(app_claims(roles=ABSENT), listed)
    assert verify_claims(app_claims(roles=ABSENT, azp=CALLER.upper()), listed)
    assert verify_claims(app_claims(roles=ABSENT, azp=ABSENT, appid=CALLER), listed)
    other = replace(POLICY, allowed_clients=frozenset({CLIENT_ID}))
    assert refusal(app_claims(roles=ABSENT), other) == WITHOUT_PERMISSIONS


# Who is let in


def test_client_that_is_not_listed_is_denied() -> None:
    """Where clients are listed, all others are denied, people's and their own tokens alike."""
    policy = replace(POLICY, allowed_clients=frozenset({CLIENT_ID}))
    expected = ("client_not_allowed", f"The application '{CALLER}' may not call this API.", None)
    for claims in (user_claims(), app_claims(), user_claims(azp=ABSENT, appid=CALLER)):
        assert denial(claims, policy) == expected
    assert denial(user_claims(azp=CALLER, appid=CLIENT_ID), policy) == expected
    assert verify_claims(user_claims(azp=CLIENT_ID.upper()), policy)


def test_token_without_a_client_is_denied_where_clients_are_listed() -> None:
    """A delegated token that names no client cannot be one of a listed client."""
    policy = replace(POLICY, allowed_clients=frozenset({CALLER}))
    assert denial(user_claims(azp=ABSENT), policy) == (
        "client_not_allowed",
        "A token that names no application may not call this API.",
        None,
    )
    assert verify_claims(user_claims(azp=ABSENT))


GUESTS = [
    ({"acct": 1}, True),
    ({"acct": "1"}, True),
    ({"acct": 1.0}, True),
    ({"acct": 0}, False),
    ({"acct": "0"}, False),
    ({"acct": 0, "idp": FOREIGN}, False),
    ({"acct": 1, "idp": HOME}, True),
    ({}, False),
    ({"acct": True}, False),
    ({"acct": 2}, False),
    ({"acct": "guest"}, False),
    ({"acct": [1]}, False),
    ({"acct": None, "idp": FOREIGN}, True),
    ({"acct": "odd", "idp": FOREIGN}, True),
    ({"acct": False, "idp": FOREIGN}, True),
    ({"idp": ISSUER}, False),
    ({"idp": HOME}, False),
    ({"idp": HOME.upper()}, False),
    ({"idp": FOREIGN}, True),
    ({"idp": "live.com"}, True),
    ({"idp": "google.com"}, True),
    ({"idp": "mail"}, True),
    ({"idp": 7}, False),
    ({"idp": ["live.com"]}, False),
    ({"idp": None}, False),
    ({"idp": "https://none.example/", "tid": ABSENT}, True),
    ({"idp": "live.com", "tid": ["odd"]}, True),
]


@pytest.mark.parametrize(("changes", "expected"), GUESTS)
def test_guests_are_told_by_acct_or_else_by_idp(changes: dict[str, Any], expected: bool) -> None:
    """``acct`` says who is a guest; without a usable one, a home in another place does."""
    claims = user_claims(**changes)
    assert EntraUser.from_claims(verify_claims(claims), "token").is_guest is expected
    policy = replace(POLICY, allow_guests=False)
    if expected:
        message = "Guest users of the tenant may not call this API."
        assert denial(claims, policy) == ("guest_not_allowed", message, None)
    else:
        assert verify_claims(claims, policy) == claims


def test_home_that_is_the_issuer_itself_is_no_other_place() -> None:
    """``idp`` may repeat the issuer, which need not name the tenant in any way."""
    issuer = "https://login.contoso.example/v2.0"
    assert is_guest({"iss": issuer, "tid": TENANT, "idp": issuer}) is False


def test_empty_or_partial_tenant_does_not_make_a_guest_a_member() -> None:
    """Only a whole tenant ID found in ``idp`` is proof of the same home."""
    for tenant in ("", "s", "sts.windows.net", None):
        assert is_guest({"iss": ISSUER, "tid": tenant, "idp": FOREIGN}) is True


@pytest.mark.parametrize("issuer", [B2C_ISSUER, EXTERNAL_ID_ISSUER])
def test_customers_are_no_guests(issuer: str) -> None:
    """In customers' tenants ``idp`` is how somebody signed in; only ``acct`` tells a guest."""
    assert is_guest({"iss": issuer, "tid": TENANT, "idp": "google.com"}) is False
    assert is_guest({"iss": issuer, "tid": TENANT, "idp": "google.com", "acct": 1}) is True


KINDS: list[tuple[dict[str, Any], bool]] = [
    (user_claims(), False),
    (user_claims(roles=["Operate.Admin"]), False),
    (user_claims(idtyp="user"), False),
    (user_claims(idtyp="user", scp=ABSENT, roles=["Operate.Admin"]), False),
    (user_claims(idtyp="device"), False),
    (user_claims(idtyp=["app"]), False),
    (user_claims(idtyp="app"), True),
    (app_claims(), True),
    (app_claims(idtyp="app"), True),
    (app_claims(idtyp=7), True),
    (app_claims(scp="  "), True),
    (app_claims(scp=["Incidents.Read"]), True),
]


@pytest.mark.parametrize(("claims", "expected"), KINDS)
def test_applications_are_told_by_idtyp_or_else_by_scopes(claims: dict[str, Any], expected: bool) -> None:
    """``idtyp`` decides where it is there; else only people's tokens have scopes. Roles say nothing."""
    assert EntraUser.from_claims(verify_claims(claims), "token").is_app is expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, False),
        ({"groups": ["one"]}, False),
        ({"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {}}}, True),
        ({"_claim_names": {"other": "src1"}}, False),
        ({"_claim_names": ["groups"]}, False),
        ({"_claim_names": None}, False),
        ({"hasgroups": True}, True),
        ({"hasgroups": "true"}, True),
        ({"hasgroups": False}, False),
        ({"hasgroups": "false"}, False),
        ({"hasgroups": ["true"]}, False),
    ],
)
def test_group_overage_is_noticed(changes: dict[str, Any], expected: bool) -> None:
    """Entra marks tokens whose user has more groups than it lists."""
    assert has_group_overage(user_claims(**changes)) is expected


ODD_VALUES: list[Any] = [
    None,
    True,
    7,
    -1.5,
    float("1e300"),
    "",
    "text",
    "é\u2028",
    [],
    [1, [2]],
    {},
    {"a": {"b": []}},
]
NOT_CHECKED = [
    *("acct", "acr", "amr", "auth_time", "azpacr", "email", "groups", "hasgroups", "idp", "idtyp", "ipaddr"),
    *("login_hint", "name", "nonce", "oid", "preferred_username", "roles", "sid", "unique_name", "upn"),
    *("uti", "ver", "verified_primary_email", "wids", "xms_cc", "xms_pl", "_claim_names"),
    *("claims", "access_token", "is_guest"),
]


@pytest.mark.parametrize("name", NOT_CHECKED)
def test_odd_claims_turn_no_good_token_away(name: str) -> None:
    """A claim that no check needs may have any value, and a user is made of it all the same."""
    for value in ODD_VALUES:
        claims = user_claims(**{name: value})
        user = EntraUser.from_claims(verify_claims(claims), "token")
        assert user.claims == claims
        assert user.access_token == "token"


PERSON = "cccccccc-1111-4222-8333-444444444444"
B2C_CLAIMS: dict[str, Any] = {
    "iss": B2C_ISSUER,
    "oid": PERSON,
    "sub": PERSON,
    "tid": ABSENT,
    "ver": "1.0",
    **dict.fromkeys(("name", "preferred_username", "azpacr"), ABSENT),
}
"""What all tokens of B2C have in common: ``sub`` is the object ID (Learn: B2C tokens overview)."""

# Learn, "Access token claims reference" and "Optional claims reference" (idtyp, include_user_token): 2025;
# Learn, "Set up OAuth 2.0 client credentials flow in Azure AD B2C": scp and sub of applications, 2022;
# MicrosoftDocs/azure-docs#29240 (2019): tfp, nonce and auth_time of B2C's people;
# public recordings of 2024 to 2026: sub of federated managed identities.
WHO: list[tuple[dict[str, Any], bool]] = [
    (user_claims(scp=ABSENT, roles=["Operate.Admin"]), False),
    (user_claims(scp=ABSENT, roles=["Operate.Admin"], name=ABSENT), False),
    (user_claims(scp=ABSENT, roles=["Operate.Admin"], name=ABSENT, preferred_username=ABSENT), False),
    (
        v1_claims(scp=ABSENT, roles=["x"], name=ABSENT, preferred_username=ABSENT, upn="ada@x", oid=ABSENT),
        False,
    ),
    (user_claims(scp=ABSENT, roles=["x"], idtyp="user", name=ABSENT, sub=PERSON), False),
    (app_claims(idtyp="app", name="Ada Example"), True),
    (app_claims(sub="/eid1/c/pub/t/one/a/two"), True),
    (app_claims(oid=ABSENT), True),
    (user_claims(**B2C_CLAIMS, scp="app.read app.write"), True),
    (user_claims(**B2C_CLAIMS, tfp="B2C_1_signin"), False),
    (user_claims(**B2C_CLAIMS, auth_time=NOW), False),
    (user_claims(**B2C_CLAIMS, nonce="defaultNonce"), False),
    (user_claims(**B2C_CLAIMS, emails=["ada@contoso.example"]), False),
    (user_claims(**B2C_CLAIMS | {"oid": ABSENT}), False),
]


@pytest.mark.parametrize(("claims", "expected"), WHO)
def test_people_and_applications_are_told_apart(claims: dict[str, Any], expected: bool) -> None:
    """``idtyp`` first, then what only people have, then ``sub`` = ``oid``; ``scp`` alone proves no person."""
    policy = replace(POLICY, issuer=claims["iss"], v1_issuer=None, tenant=None)
    user = EntraUser.from_claims(verify_claims(claims, policy), "token")
    assert user.is_app is expected
    assert EntraUser.model_validate(user.model_dump() | {"access_token": "token"}).is_app is expected


@pytest.mark.parametrize(
    "changes",
    [
        {"idtyp": "user", "name": ABSENT, "preferred_username": ABSENT},
        {"name": "Ada Example", "sub": PERSON},
        {"preferred_username": "ada@contoso.example", "name": ABSENT},
        {"name": ABSENT, "preferred_username": ABSENT},
        {"scp": "  "},
        {"scp": ["access_as_user"]},
    ],
)
def test_person_without_scope_is_refused_in_a_persons_terms(changes: dict[str, Any]) -> None:
    """No role and no administrator: a scope is to be exposed and requested, in B2C by its full name.

    Learn, "Request an access token in Azure Active Directory B2C": the client ID as scope.
    """
    code, message = refusal(user_claims(**{"scp": ABSENT} | changes))
    assert code == "person_without_permissions"
    assert (
        f"of this API. Expose one in its app registration, then request it by its full name, such as api://{CLIENT_ID}/"
        in message
    )
    assert "in Azure AD B2C, the client ID alone as scope brings a token without any" in message
    assert "role" not in message
    assert "admin" not in message


def test_person_without_scope_passes_by_role_and_by_client_as_before() -> None:
    """People have app roles, too, and a client on the list needs no permission."""
    assert verify_claims(user_claims(scp=ABSENT, roles=["Operate.Admin"]))
    assert verify_claims(user_claims(scp=ABSENT), replace(POLICY, allowed_clients=frozenset({CALLER})))


def test_camundas_machine_token_has_two_ways_in() -> None:
    """Camunda 8's usual one (``<client ID>/.default``, ``azp`` = ``aud``; public recording, 2025-12)."""
    claims = app_claims(azp=CLIENT_ID, roles=ABSENT)
    code, message = refusal(claims)
    assert code == "app_without_permissions"
    assert "app role" in message
    assert "CAMUNDA_ENTRA_ALLOWED_CLIENTS" in message
    assert verify_claims(claims | {"roles": ["Operate.Machine"]})
    assert verify_claims(claims, replace(POLICY, allowed_clients=frozenset({CLIENT_ID})))


@pytest.mark.parametrize(
    "audience",
    [[CLIENT_ID, "https://graph.microsoft.com"], ["https://graph.microsoft.com", "api://incidents"]],
)
def test_token_for_us_and_others_is_for_us(audience: list[str]) -> None:
    """One of several audiences is enough (RFC 7519, 4.1.3), also where another one is Microsoft Graph."""
    assert verify_claims(user_claims(aud=audience))
    only_graph = replace(POLICY, audiences=frozenset({"https://graph.microsoft.com"}))
    assert refusal(user_claims(aud=audience), only_graph)[0] == "graph_token"


@pytest.mark.parametrize("tenant", [TENANT, None])
def test_a_v1_issuer_in_place_of_the_expected_one_is_still_v1(tenant: str | None) -> None:
    """Which issuer a service expects makes no v1.0 token another (Learn: access tokens, versions)."""
    issuer = v1_issuer_of(ISSUER, TENANT)
    assert issuer is not None
    policy = replace(POLICY, issuer=issuer, v1_issuer=v1_issuer_of(ISSUER, tenant), tenant=tenant)
    with pytest.raises(InvalidToken) as refused:
        check_issuer({"iss": issuer, "tid": TENANT}, policy, None)
    assert refused.value.code == "v1_token"
