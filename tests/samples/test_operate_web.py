"""The sample with web pages, as people and programs meet it."""

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import httpx2
import pytest

from camunda_entra_fastapi.cli.browser import NAVIGATION, open_page
from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.serving.server import serving

SAMPLES = Path(__file__).parents[2] / "samples"
KEY = 2251799813685348
ADA, BEN, GABI = "Ada Admin", "Ben Reader", "Gabi Guest"
OURS = NAVIGATION | {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx2.Client]:
    """Somebody's browser before a sample of the test's own."""
    emulator = EntraEmulator()
    with emulator.serve():
        for name, value in emulator.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.syspath_prepend(str(SAMPLES))
        for name in [name for name in sys.modules if name.startswith(("operate_api", "operate_web"))]:
            monkeypatch.delitem(sys.modules, name)
        app = import_module("operate_web.main").app
        with (
            serving(app) as address,
            httpx2.Client(base_url=address.replace("127.0.0.1", "localhost"), trust_env=False) as browser,
        ):
            yield browser
        for name in [name for name in sys.modules if name.startswith(("operate_api", "operate_web"))]:
            monkeypatch.delitem(sys.modules, name)


def test_a_link_to_an_incident_leads_through_the_sign_in(browser: httpx2.Client) -> None:
    """And shows it afterwards, with who is signed in."""
    page = open_page(browser, f"/operate/incidents/{KEY}", BEN)
    assert page.url.path == f"/operate/incidents/{KEY}"
    for shown in (BEN, "Loan application", "Income sufficient?", "monthlyIncome &gt; 2 * rate", "Sign out"):
        assert shown in page.text
    assert 'action="/operate' not in page.text


def test_the_table_has_all_that_waits(browser: httpx2.Client) -> None:
    """With a link for each, and a mark for guests."""
    page = open_page(browser, "/", GABI)
    assert "<strong>3</strong> waiting" in page.text
    assert page.text.count('<a href="/operate/incidents/') == 3
    assert '<span class="chip guest">Guest</span>' in page.text
    assert "IO mapping error" in page.text


def test_administrators_resolve_and_others_are_told_why_not(browser: httpx2.Client) -> None:
    """By a form of the page; the route itself refuses who has not the role."""
    resolve = f"/operate/incidents/{KEY}/resolve"
    open_page(browser, "/", BEN)
    refused = browser.post(resolve, headers=OURS)
    assert refused.status_code == 403
    assert "ben@contoso.example lacks the role Operate.Admin" in refused.text
    assert "Operate sample" in refused.text
    browser.cookies.clear()
    open_page(browser, "/", ADA)
    assert browser.post(resolve, headers=NAVIGATION).status_code == 403  # of no page of ours
    done = browser.post(resolve, headers=OURS, follow_redirects=True)
    assert "Resolved by Ada Admin" in done.text
    assert "<strong>2</strong> waiting" in browser.get("/", headers=NAVIGATION).text


def test_nothing_waits_when_all_is_resolved(browser: httpx2.Client) -> None:
    """The table makes way for a sentence."""
    open_page(browser, "/", ADA)
    for incident in browser.get("/incidents").json():
        browser.post(f"/operate/incidents/{incident['key']}/resolve", headers=OURS)
    page = browser.get("/", headers=NAVIGATION).text
    assert "Nothing is waiting" in page
    assert "<table>" not in page


def test_what_is_not_there_is_a_page_for_people_and_json_for_programs(browser: httpx2.Client) -> None:
    """Both with the reason."""
    open_page(browser, "/", ADA)
    page = browser.get("/operate/incidents/1", headers=NAVIGATION)
    assert (page.status_code, "There is no incident 1." in page.text) == (404, True)
    assert "The address may be mistyped" in browser.get("/nothere", headers=NAVIGATION).text
    assert browser.get("/operate/incidents/1").json() == {"detail": "There is no incident 1."}
    assert browser.get("/operate/incidents/x", headers=NAVIGATION).status_code == 422


def test_pages_load_nothing_foreign(browser: httpx2.Client) -> None:
    """No script, no frame, forms to this service and to Entra alone."""
    page = open_page(browser, "/", ADA)
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'self'; form-action 'self' http://127.0.0.1:")
    assert browser.get("/operate/style.css").headers["content-type"].startswith("text/css")


def test_signing_out_ends_it(browser: httpx2.Client) -> None:
    """The page asks to sign in again, and the API gives 401."""
    open_page(browser, "/", ADA)
    assert browser.post("/auth/logout", headers=OURS).status_code == 302
    assert browser.get("/", headers=NAVIGATION).status_code == 302
    assert browser.get("/incidents").status_code == 401
