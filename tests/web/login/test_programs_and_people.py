"""Of a failed sign-in, programs are told what people are: cause, remedy, and the IDs for support."""

import re
from html import unescape
from typing import Any, Final

import httpx
import pytest

from camunda_entra_fastapi.errors import AccessDenied, SessionsUnavailable
from camunda_entra_fastapi.sign_in.flow import SignIn
from tests.site import ADA, PERSON, Browser, MakeSite, Site, query_of

CALLBACK: Final = "/auth/login-callback"
TRACE: Final = "3f1d2c4b-5a69-4788-9abc-def012345678"
CORRELATION: Final = "0b1d2c4b-5a69-4788-9abc-def012345678"
TIME: Final = "2026-08-13 21:24:29Z"
CLAIMS: Final = '{"access_token":{"acrs":{"essential":true,"value":"c1"}}}'
IDS: Final = {"trace_id": TRACE, "correlation_id": CORRELATION, "timestamp": TIME}
OPERATORS_FAULT: Final = 7000222
LABELS: Final = {"trace_id": "Trace ID", "correlation_id": "Correlation ID", "timestamp": "Time"}


def described(code: int) -> str:
    """The description of an error, its parts separated by blanks (pnp/cli-microsoft365, April 2025)."""
    return f"AADSTS{code}: Entra's words. Trace ID: {TRACE} Correlation ID: {CORRELATION} Timestamp: {TIME}"


def told(error: str, code: int, **members: Any) -> dict[str, Any]:
    """A token error, members as in msgraph-sdk-dotnet, issue 2551 (June 2024)."""
    return {
        "error": error,
        "error_description": described(code),
        "error_codes": [code],
        "timestamp": TIME,
        "trace_id": TRACE,
        "correlation_id": CORRELATION,
        **members,
    }


class Told:
    """What a program and a person are told."""

    def __init__(self, program: httpx.Response, person: httpx.Response) -> None:
        assert program.status_code == person.status_code
        assert program.headers.get("retry-after") == person.headers.get("retry-after")
        self.status = program.status_code
        self.detail: dict[str, Any] = program.json()["detail"]
        page = re.sub(r"<style>.*?</style>", "", unescape(person.text), flags=re.DOTALL)
        self.facts = dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", page))
        self.remedy = re.findall(r"What to do</h2>\n<p>(.*?)</p>", page)[0]
        assert "Entra's words" not in program.text + page

    def check(self, error: str, code: int) -> None:
        """Code, IDs and remedy are the same for both; but no visitor is told which setting to change."""
        assert {name: self.detail[name] for name in ("aadsts", *IDS)} == {"aadsts": code, **IDS}
        assert {name: self.facts[label] for name, label in LABELS.items()} == IDS
        assert self.facts["Error"].split(", ")[:2] == [f"AADSTS{code}", error]
        assert "CAMUNDA_" not in self.remedy
        assert self.remedy != ""
        if code == OPERATORS_FAULT:
            assert "CAMUNDA_IDENTITY_CLIENT_SECRET" in self.detail["remedy"]
        else:
            assert self.detail["remedy"] == self.remedy


async def at_the_callback(site: Site, **query: str) -> Told:
    """What both are told when Entra sends the browser back with these parameters."""
    answers = []
    for headers in ({}, PERSON):
        browser = site.browser()
        state = query_of(await browser.depart())["state"]
        sent = query if query else {"code": "1.abc"}
        answers.append(await browser.http.get(CALLBACK, params={**sent, "state": state}, headers=headers))
    return Told(*answers)


REFUSALS: Final[list[tuple[str, int, int]]] = [
    ("invalid_client", 7000222, 400),
    ("invalid_grant", 65001, 403),
    ("interaction_required", 53003, 400),
    ("invalid_grant", 999999, 400),
    ("server_error", 90033, 502),
    ("temporarily_unavailable", 90033, 503),
]


@pytest.mark.parametrize(("error", "code", "status"), REFUSALS)
async def test_a_refusal_in_the_callback_is_told_to_both(
    site: Site, error: str, code: int, status: int
) -> None:
    """RFC 6749, 4.1.2.1; Entra's own trouble (90033) has its code on the page, too."""
    answers = await at_the_callback(site, error=error, error_description=described(code))
    assert answers.status == status
    answers.check(error, code)
    assert "claims" not in answers.detail


@pytest.mark.parametrize(("error", "code", "status"), REFUSALS)
async def test_a_refusal_of_the_token_endpoint_is_told_to_both(
    site: Site, error: str, code: int, status: int
) -> None:
    """RFC 6749, 5.2; with the claims to ask for where Entra names some (Learn: claims challenges)."""
    site.wire.answer("/token", 400, json=told(error, code, suberror="bad_token", claims=CLAIMS))
    answers = await at_the_callback(site)
    assert answers.status == status
    answers.check(error, code)
    assert (answers.detail["claims"], answers.detail["suberror"]) == (CLAIMS, "bad_token")


@pytest.mark.parametrize(("given", "status"), [(500, 502), (503, 502), (429, 503)])
async def test_the_code_of_a_server_error_is_told_to_both(site: Site, given: int, status: int) -> None:
    """Entra's own faults may come with any status (Learn: error codes, 90033 and 50000)."""
    site.wire.answer("/token", given, json=told("server_error", 50000))
    answers = await at_the_callback(site)
    assert answers.status == status
    answers.check("server_error", 50000)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b'{"error": {"code": "x"}}', b"[" * 100_000])
async def test_a_server_error_without_a_code_has_the_remedy_alone(site: Site, body: bytes) -> None:
    """What cannot be read is left out."""
    site.wire.answer("/token", 500, content=body)
    answers = await at_the_callback(site)
    assert (answers.status, answers.facts) == (502, {})
    assert answers.detail.keys() == {"error", "code", "message", "remedy"}
    assert answers.detail["remedy"] == answers.remedy


async def test_an_unknown_tenant_is_named_before_anybody_leaves(make_site: MakeSite) -> None:
    """Discovery answers 400 ``invalid_tenant`` for it (recorded in public repositories, 2026)."""
    site = make_site()
    site.wire.answer("/openid-configuration", 400, json=told("invalid_tenant", 90002))
    answers = [await site.browser().http.get("/auth/login", headers=headers) for headers in ({}, PERSON)]
    Told(*answers).check("invalid_tenant", 90002)


async def test_a_refused_consent_is_told_to_both(site: Site) -> None:
    """The administrator's callback has a page of its own."""
    answers = []
    for headers in ({}, PERSON):
        browser = site.browser()
        asked = await browser.http.get("/auth/admin-consent")
        query = {"error": "access_denied", "error_description": described(90094)}
        query["state"] = query_of(asked.headers["location"])["state"]
        answers.append(await browser.http.get("/auth/admin-consent-callback", params=query, headers=headers))
    Told(*answers).check("access_denied", 90094)


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (AccessDenied("guest_not_allowed", "Guests may not."), 403, "whoever runs this service"),
        (SessionsUnavailable("The session store cannot be reached."), 503, "Wait a minute"),
    ],
)
async def test_our_own_refusals_have_their_remedy(
    site: Site, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, words: str
) -> None:
    """Programs are told what the page says."""

    async def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr(SignIn, "finish", refuse)
    answers = await at_the_callback(site)
    assert answers.status == status
    assert answers.detail["remedy"] == answers.remedy
    assert words in answers.remedy


@pytest.mark.parametrize("path", [CALLBACK, "/auth/admin-consent-callback"])
async def test_a_sign_in_that_is_over_has_its_remedy(site: Site, path: str) -> None:
    """It says where to begin again, to both."""
    answers = [
        await site.browser().http.get(f"{path}?state=s&code=c", headers=headers) for headers in ({}, PERSON)
    ]
    over = Told(*answers)
    assert (over.detail["code"], over.detail["remedy"]) == ("login_expired", over.remedy)


async def test_a_store_that_is_away_hinders_consent(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """503, and how long to wait: to people as to programs."""

    async def refuse(*_: object) -> None:
        raise SessionsUnavailable("The session store cannot be reached.", 7)

    monkeypatch.setattr(SignIn, "finish_consent", refuse)
    path = "/auth/admin-consent-callback?state=s"
    away = Told(*[await site.browser().http.get(path, headers=headers) for headers in ({}, PERSON)])
    assert (away.status, away.detail["remedy"]) == (503, away.remedy)


async def expired(browser: Browser, site: Site) -> httpx.Response:
    """A program's request whose session must be renewed first."""
    site.clock.advance(3600)
    return await browser.http.get("/api")


@pytest.mark.parametrize(
    ("error", "code", "status"), [("invalid_client", 7000222, 502), ("server_error", 90033, 502)]
)
async def test_a_renewal_that_fails_names_the_code(site: Site, error: str, code: int, status: int) -> None:
    """The session survives, and its requests are told what hinders it."""
    browser = await site.browser().signed_in(person=ADA)
    site.wire.answer("/token", 400, json=told(error, code))
    answer = await expired(browser, site)
    assert answer.status_code == status
    detail = answer.json()["detail"]
    assert {name: detail[name] for name in ("error", "aadsts", *IDS)} == {
        "error": "server_error",
        "aadsts": code,
        **IDS,
    }
    site.wire.heal()
    assert await browser.status() == 200
