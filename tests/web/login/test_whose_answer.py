"""Whose the answer is: its issuer (RFC 9207, 2.4), and the audience of the tokens that come with it."""

from urllib.parse import quote

import pytest

from camunda_entra_fastapi.testing.directory import BILLING, OPERATE
from tests.site import ADA, BEN, MakeSite, Site, code_of
from tests.testing.browsing import change_application

DISCOVERY = "/openid-configuration"
PROMISE = "authorization_response_iss_parameter_supported"
"""RFC 9207, 3. Entra makes no such promise (recordings of 2024 to 2026, panva/wellknown)."""
OTHER_TENANT = "fab00000-1111-4222-8333-444455556666"


async def outcome(site: Site, issuer: str | None, *, error: bool = False) -> tuple[int, str]:
    """How the callback answers a program, with that ``iss``; and a person with the same status."""
    answers = []
    for headers in ({}, {"Accept": "text/html"}):
        browser = site.browser()
        address = await browser.come_back()
        if error:
            address = address.replace("code=", "error=access_denied&ignored=")
        if issuer is not None:
            address += f"&iss={quote(issuer, safe='')}"
        answers.append(await browser.http.get(address, headers=headers))
        if answers[-1].status_code != 303:
            again = await browser.http.get(address)
            assert (again.status_code, code_of(again)) == (400, "login_expired")  # it counted, once
            assert await browser.status() == 401
    program, person = answers
    assert program.status_code == person.status_code
    assert "evil" not in program.text + person.text
    return program.status_code, "" if program.status_code == 303 else code_of(program)


async def test_without_a_promise_it_may_be_absent(site: Site) -> None:
    """As with Entra."""
    assert await outcome(site, None) == (303, "")


@pytest.mark.parametrize("promised", [True, False])
async def test_the_right_one_is_accepted(site: Site, promised: bool) -> None:
    """By a simple comparison of texts (RFC 3986, 6.2.1)."""
    site.wire.change(DISCOVERY, lambda document: document | {PROMISE: promised})
    assert await outcome(site, site.entra.settings.issuer) == (303, "")


@pytest.mark.parametrize("promised", [True, False])
@pytest.mark.parametrize(
    "issuer",
    [
        "",
        "https://evil.example/v2.0",
        "{issuer}/",
        "{upper}",
        "https://login.microsoftonline.com/{tenantid}/v2.0",
    ],
)
@pytest.mark.parametrize("error", [True, False])
async def test_another_one_is_refused(site: Site, issuer: str, promised: bool, error: bool) -> None:
    """Neither its code nor its error is used: it may be another server's (mix-up attack)."""
    right = site.entra.settings.issuer
    site.wire.change(DISCOVERY, lambda document: document | {PROMISE: promised})
    sent = issuer.replace("{issuer}", right).replace("{upper}", right.upper())
    assert await outcome(site, sent, error=error) == (400, "login_request_invalid")
    assert not site.wire.forms


@pytest.mark.parametrize("error", [True, False])
async def test_a_missing_one_is_refused_where_it_is_promised(site: Site, error: bool) -> None:
    """RFC 9207, 2.4: whoever promises it and does not send it was left out by somebody."""
    site.wire.change(DISCOVERY, lambda document: document | {PROMISE: True})
    assert await outcome(site, None, error=error) == (400, "login_request_invalid")
    assert not site.wire.forms


async def test_a_promise_is_a_boolean(site: Site) -> None:
    """RFC 9207, 3; whatever else stands there promises nothing."""
    site.wire.change(DISCOVERY, lambda document: document | {PROMISE: "true"})
    assert await outcome(site, None) == (303, "")


async def test_with_several_tenants_it_is_that_of_any(make_site: MakeSite) -> None:
    """The tenant is told by the ID token, whose issuer and tenant are checked afterwards."""
    site = make_site()
    change_application(site.emulator, OPERATE, sign_in_audience="AzureADMultipleOrgs")
    issuer = f"{site.emulator.base_url}/organizations/v2.0"
    site = make_site(issuer=issuer, issuer_backend_url=issuer, allowed_tenants="*")
    host = site.emulator.base_url
    assert await outcome(site, f"{host}/{site.emulator.tenant.id}/v2.0") == (303, "")
    assert await outcome(site, f"{host}/{OTHER_TENANT}/v2.0") == (303, "")
    for wrong in ("organizations", "evil", f"{OTHER_TENANT}/x", ""):
        assert await outcome(site, f"{host}/{wrong}/v2.0") == (400, "login_request_invalid")
    for wrong in (f"{host}/{OTHER_TENANT}", f"{OTHER_TENANT}/v2.0", "https://evil.example/v2.0"):
        assert await outcome(site, wrong) == (400, "login_request_invalid")


async def test_without_discovery_nobody_knows_whether_it_is_promised(make_site: MakeSite) -> None:
    """A service that has just started and cannot reach Entra says so, and redeems nothing."""
    departed = make_site().browser()
    address = await departed.come_back()
    other = make_site()
    other.wire.fail(DISCOVERY)
    browser = other.browser(departed)
    answer = await browser.http.get(address)
    assert (answer.status_code, code_of(answer)) == (503, "entra_unreachable")
    assert not other.wire.forms


async def test_consent_of_another_issuer_is_none(site: Site) -> None:
    """An administrator's answer is compared, too, and needs none whatever discovery promises."""
    site.wire.change(DISCOVERY, lambda document: document | {PROMISE: True})
    for issuer, status in ((None, 200), (site.entra.settings.issuer, 200), ("https://evil.example", 400)):
        browser = site.browser()
        begun = await browser.open("/auth/admin-consent")
        address = await browser.at_entra(begun.headers["location"], "Accept")
        answer = await browser.open(address + (f"&iss={quote(issuer, safe='')}" if issuer else ""))
        assert answer.status_code == status, answer.text


@pytest.mark.parametrize("audience", [[OPERATE], [OPERATE, BILLING], [BILLING, OPERATE]])
async def test_an_access_token_for_us_and_others_is_of_whoever_signs_in(
    make_site: MakeSite, caplog: pytest.LogCaptureFixture, audience: list[str]
) -> None:
    """Ours in the list makes it ours (RFC 7519, 4.1.3), and so it must be of the same person."""
    site = make_site(scopes=f"openid offline_access {OPERATE}/.default")  # without profile: no oid to compare
    own = site.emulator.token(user=ADA, scopes=["access_as_user"], aud=audience)
    others = site.emulator.token(user=BEN, scopes=["access_as_user"], aud=audience)
    site.wire.change("/token", lambda document: document | {"access_token": own})
    browser = await site.browser().signed_in()
    assert (await browser.http.get("/auth/me")).json()["scopes"] == ["access_as_user"]
    site.wire.change("/token", lambda document: document | {"access_token": others})
    answer = await site.browser().sign_in()
    assert (answer.status_code, "different people" in caplog.text) == (502, True)
