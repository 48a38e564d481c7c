"""Who signed in: everybody is somebody, and nobody is everybody."""

from typing import Any, Final

import pytest

from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.directory import BILLING, OPERATE
from camunda_entra_fastapi.validation.entra import missing_identity
from tests.site import ADA, BEN, PERSON, Browser, MakeSite, Site, Store, code_of, texts_in
from tests.testing.browsing import change_application, change_user, claims_of

SCOPES: Final = ["access_as_user", "Incidents.Read"]
WITHOUT_PROFILE: Final = f"openid email offline_access {OPERATE}/.default"
TENANT: Final = "c0de0000-1111-4222-8333-444455556666"
OIDS: Final = {
    ADA: "ada00000-0000-4000-8000-000000000001",
    BEN: "be110000-0000-4000-8000-000000000002",
}


@pytest.fixture
def guide(emulator: EntraEmulator) -> None:
    """The registration of Camunda's guide: a redirect URI and a secret; no scopes and no app roles.

    See "Connect Identity to an identity provider", Microsoft Entra ID, in Camunda's documentation of 8.7.
    """
    for name in OIDS:
        change_user(emulator, name, roles={})
    change_application(emulator, BILLING, granted_roles={})
    change_application(emulator, OPERATE, scopes=(), app_roles=())


async def described(browser: Browser) -> Any:
    """Who the service thinks has signed in."""
    return (await browser.http.get("/auth/me")).json()


def verify(site: Site) -> Site:
    """The site with the endpoint that gateways ask."""
    site.app.include_router(site.entra.forward_auth_router())
    return site


@pytest.mark.usefixtures("guide")
@pytest.mark.parametrize("scopes", [None, WITHOUT_PROFILE], ids=["default", "without profile"])
@Store
async def test_with_the_guides_registration_people_are_somebody(
    make_site: MakeSite, store: str, scopes: str | None
) -> None:
    """Their access token has neither scope nor role, and says who they are; with every renewal, too."""
    site = verify(make_site(session_store=store, **({"scopes": scopes} if scopes else {})))
    for name, oid in OIDS.items():
        browser = await site.browser().signed_in(person=name)
        for _ in range(2):
            found = await described(browser)
            username = f"{name.partition(' ')[0].lower()}@contoso.example"
            assert (found["oid"], found["tid"]) == (oid, TENANT)
            assert (found["name"], found["preferred_username"]) == (name, username)
            assert found["email"] == username
            assert (found["is_app"], found["scopes"], found["roles"]) == (False, [], [])
            answer = await browser.http.get("/auth/verify")
            assert answer.headers["x-auth-request-user"] == oid
            assert answer.headers["x-auth-request-preferred-username"] == username
            assert answer.headers["x-auth-request-email"] == username
            site.clock.advance(3600)
    assert not claims_of(site.wire.tokens[0]["access_token"]).get("scp")
    assert site.renewals() == 2


@pytest.mark.usefixtures("guide")
async def test_the_same_access_token_opens_nothing_as_a_bearer_token(site: Site) -> None:
    """To say who signed in is one thing, to be let in to an API by others another."""
    browser = await site.browser().signed_in()
    token = site.wire.tokens[0]["access_token"]
    answer = await site.browser().http.get("/api", headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, await browser.status()) == (401, 200)


async def test_an_applications_token_is_nobodys_sign_in(site: Site, emulator: EntraEmulator) -> None:
    """``idtyp`` tells it (Learn: optional claims), though it may bear a person's claims."""
    browser = site.browser()
    back = await browser.come_back()
    site.wire.change(
        "/token",
        lambda document: (
            document
            | {
                "access_token": emulator.sign(
                    claims_of(document["access_token"]) | {"idtyp": "app", "roles": ["R"]}, v1=False
                )
            }
        ),
    )
    assert code_of(await browser.http.get(back)) == "id_token_invalid"


@pytest.mark.parametrize(
    ("scopes", "taken", "lacking"),
    [
        ("openid offline_access https://graph.microsoft.com/User.Read", (), "oid"),
        ("openid email offline_access", (), "oid"),
        ("openid profile https://graph.microsoft.com/User.Read", ("oid", "tid"), "oid and tid"),
        ("openid profile https://graph.microsoft.com/User.Read", ("tid",), "tid"),
    ],
)
@Store
async def test_who_is_nobody_gets_no_session(
    make_site: MakeSite,
    caplog: pytest.LogCaptureFixture,
    store: str,
    scopes: str,
    taken: tuple[str, ...],
    lacking: str,
) -> None:
    """``oid`` needs the scope ``profile`` (Learn: ID token claims); without it all were one person."""
    site = make_site(session_store=store, scopes=scopes)

    def change(document: dict[str, Any]) -> None:
        claims = claims_of(document["id_token"])
        kept = {name: value for name, value in claims.items() if name not in taken}
        document["id_token"] = site.emulator.sign(kept, v1=False)

    site.wire.change("/token", change)
    browser = site.browser()
    answer = await browser.http.get(await browser.come_back("/incidents/7"))
    remedy = (
        "Leave CAMUNDA_ENTRA_SCOPES unset, or add profile to it, "
        "for example: openid profile email offline_access <client ID>/.default"
    )
    message = f"Entra's tokens do not say who signs in: they lack {lacking}."
    assert answer.status_code == 403
    assert answer.json()["detail"] == {
        "error": "access_denied",
        "code": "identity_missing",
        "message": message,
        "remedy": remedy,
    }
    assert f"{message} {remedy}" in list(texts_in(caplog))
    page = await browser.http.get(await browser.come_back("/incidents/7"), headers=PERSON)
    assert page.status_code == 403
    for text in (
        "Sign-in is not possible right now",
        "Nothing is wrong with your account",
        "Whoever runs",
        OPERATE,
    ):
        assert text in page.text
    assert 'href="/auth/login?return_to=/incidents/7"' in page.text
    assert not browser.cookies
    assert await browser.status() == 401


@Store
async def test_who_becomes_nobody_is_signed_out(make_site: MakeSite, store: str) -> None:
    """A renewal whose tokens do not say who it is ends the session."""
    site = make_site(session_store=store)
    browser = await site.browser().signed_in()

    def change(document: dict[str, Any]) -> None:
        claims = claims_of(document["id_token"])
        document["id_token"] = site.emulator.sign(claims | {"oid": None}, v1=False)
        document["access_token"] = "opaque"

    site.wire.change("/token", change)
    site.clock.advance(3600)
    assert await browser.status() == 401


@pytest.mark.parametrize(
    ("claims", "missing"),
    [
        ({}, ("oid", "tid")),
        ({"oid": "o", "tid": "t"}, ()),
        ({"oid": "", "tid": 7}, ("oid", "tid")),
        ({"tid": "t", "acr": "1"}, ("oid",)),
        ({"iss": f"https://contoso.b2clogin.com/{TENANT}/v2.0/"}, ()),
        ({"iss": f"https://{TENANT}.ciamlogin.com/{TENANT}/v2.0"}, ()),
        ({"iss": f"https://login.contoso.example/{TENANT}/v2.0/", "tfp": "B2C_1_signin"}, ()),
        ({"iss": f"https://login.contoso.example/{TENANT}/v2.0/", "acr": "b2c_1a_signup_signin"}, ()),
    ],
)
def test_only_workforce_tenants_must_say_who_it_is(claims: dict[str, Any], missing: tuple[str, ...]) -> None:
    """B2C's tokens name their policy: ``tfp``, before that ``acr`` (Learn: tokens in Azure AD B2C)."""
    issuer = {"iss": f"https://login.microsoftonline.com/{TENANT}/v2.0"}
    assert missing_identity(issuer | claims) == missing
    assert missing_identity(issuer | claims, has_customers=True) == ()


@Store
async def test_what_an_access_token_does_not_call_people_the_id_token_does(
    make_site: MakeSite, emulator: EntraEmulator, store: str
) -> None:
    """Version 1.0 has ``unique_name`` for ``preferred_username``, and an App ID URI in ``aud`` (Learn)."""
    change_application(emulator, OPERATE, requested_access_token_version=None)
    api = f"api://{OPERATE}"
    site = make_site(session_store=store, accept_v1_tokens=True, audience=api)

    def change(document: dict[str, Any]) -> None:
        claims = claims_of(document["access_token"])
        assert (claims["ver"], "preferred_username" in claims) == ("1.0", False)
        document["access_token"] = emulator.sign(claims | {"aud": api, "sub": "another API's"}, v1=True)

    site.wire.change("/token", change)
    browser = await site.browser().signed_in()
    for _ in range(2):
        found = await described(browser)
        assert (found["oid"], found["name"], found["scopes"]) == (OIDS[ADA], ADA, SCOPES)
        assert found["preferred_username"] == found["email"] == "ada@contoso.example"
        site.clock.advance(3600)
