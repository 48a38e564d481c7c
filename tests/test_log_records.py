"""What operators see: faults of the service itself as errors, once; fields that machines read; no secrets."""

import logging
from typing import Any, Final

import httpx
import pytest
from fastapi import Security

from camunda_entra_fastapi import EntraRefused
from camunda_entra_fastapi.errors import CODES
from camunda_entra_fastapi.log_records import DOCTOR, LOG_FIELDS, MAX_FIELD, REMIND_AFTER, Trouble, log_fields
from camunda_entra_fastapi.testing.directory import OPERATE
from tests.conftest import FakeClock
from tests.site import ADA, BEN, MakeSite, Site, emulator, make_site, site
from tests.web.conftest import bearer
from tests.web.login.test_docs_token import FORM, OURS

__all__ = ["emulator", "make_site", "site"]

LOGGER: Final = "camunda_entra_fastapi"
CLIENT_ERRORS: Final = {
    90002: "invalid_tenant",
    700016: "unauthorized_client",
    7000215: "invalid_client",
    7000222: "invalid_client",
    50011: "invalid_request",
}
"""Codes that this service's operators alone can end (Learn: Entra's error codes), with their OAuth errors."""


@pytest.fixture(autouse=True)
def all_levels(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is hidden."""
    caplog.set_level(logging.DEBUG, LOGGER)


def records(caplog: pytest.LogCaptureFixture, level: int, begin: str = "") -> list[logging.LogRecord]:
    """Our records of that level, with that beginning."""
    ours = [record for record in caplog.records if record.name == LOGGER]
    return [one for one in ours if one.levelno == level and one.getMessage().startswith(begin)]


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """The fields that the record has besides those of each record."""
    return {name: value for name, value in record.__dict__.items() if name in LOG_FIELDS}


def refusal(code: int) -> dict[str, Any]:
    """An error response of Entra's with that code, and its own description."""
    error = CLIENT_ERRORS.get(code, "invalid_request")
    description = f"AADSTS{code}: words of Entra's. Trace ID: x Correlation ID: y"
    return {"json": {"error": error, "error_codes": [code], "error_description": description}}


# --- a trouble that lasts ----------------------------------------------------------------------------------


def test_a_trouble_is_news_when_it_begins_when_it_changes_and_now_and_then(clock: FakeClock) -> None:
    """So a log of days is short, and still says what is wrong now."""
    trouble = Trouble(clock.monotonic)
    assert [trouble.is_news("a"), trouble.is_news("a"), trouble.is_news("b"), trouble.is_news("b")] == [
        *(True, False),
        *(True, False),
    ]
    clock.advance(REMIND_AFTER - 1)
    assert not trouble.is_news("b")
    clock.advance(1)
    assert trouble.is_news("b")
    assert (trouble.end(), trouble.end()) == (True, False)
    assert trouble.is_news("b")


@pytest.mark.parametrize("code", CLIENT_ERRORS)
async def test_a_refused_discovery_document_is_one_error_with_the_code_in_its_body(
    site: Site, caplog: pytest.LogCaptureFixture, code: int
) -> None:
    """Not one for the document and one for the keys, and not one each second (row 9)."""
    site.wire.answer("/openid-configuration", 400, **refusal(code))
    for _ in range(30):
        await site.browser().http.get("/api", headers=bearer(site.emulator.token()))
        site.clock.advance(15)
    (error,) = records(caplog, logging.ERROR)
    text = error.getMessage()
    assert f"answered AADSTS{code}, with status 400: " in text
    assert text.endswith(DOCTOR)
    assert "words of Entra's" not in text
    assert fields_of(error) == {"code": "entra_failed", "aadsts": f"AADSTS{code}"}
    assert len(records(caplog, logging.DEBUG, "Entra's discovery document could not be fetched")) >= 29
    assert not records(caplog, logging.DEBUG, "Entra's signing keys could not be fetched")
    site.clock.advance(REMIND_AFTER)
    await site.browser().http.get("/api", headers=bearer(site.emulator.token()))
    assert len(records(caplog, logging.ERROR)) == 2
    site.wire.heal()
    site.clock.advance(15)
    answer = await site.browser().http.get("/api", headers=bearer(site.emulator.token()))
    assert answer.status_code == 200
    assert records(caplog, logging.WARNING, "Entra's discovery document fetched")


async def test_an_issuer_that_the_settings_do_not_name_is_an_error(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    """It is no fault of Entra's, and waiting does not end it."""
    site.wire.change("/openid-configuration", lambda document: document | {"issuer": "https://other.example"})
    await site.browser().http.get("/api", headers=bearer(site.emulator.token()))
    (error,) = records(caplog, logging.ERROR)
    assert error.getMessage().endswith(DOCTOR)
    assert fields_of(error) == {"code": "issuer_unexpected"}


async def test_entra_away_is_one_warning_however_it_is_away(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    """The texts of systems' errors change; that nobody answers does not."""
    numbers = iter(range(1000))

    async def away(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError(f"[Errno {next(numbers)}]")

    site.wire.handle("/openid-configuration", away)
    for _ in range(10):
        await site.browser().http.get("/api", headers=bearer(site.emulator.token()))
        site.clock.advance(15)
    (warning,) = records(caplog, logging.WARNING, "Entra's")
    assert "could not be fetched" in warning.getMessage()
    assert fields_of(warning) == {"code": "entra_unreachable"}
    assert not records(caplog, logging.ERROR)


async def test_keys_that_fail_by_themselves_have_a_line_of_their_own(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    """The document is there, so the trouble is another one."""
    site.wire.answer("/keys", 404)
    await site.browser().http.get("/api", headers=bearer(site.emulator.token()))
    (warning,) = records(caplog, logging.WARNING, "Entra's")
    assert warning.getMessage().startswith("Entra's signing keys could not be fetched")


# --- sign-ins ----------------------------------------------------------------------------------------------


async def refused_sign_in(site: Site, code: int) -> httpx.Response:
    """Somebody who comes back from Entra, which refuses this service."""
    site.wire.answer("/token", 401, **refusal(code))
    browser = site.browser()
    return await browser.open(await browser.come_back(person=BEN))


@pytest.mark.parametrize("code", [code for code in CLIENT_ERRORS if code != 90002])
async def test_a_sign_in_that_fails_by_the_services_fault_is_an_error_once(
    site: Site, caplog: pytest.LogCaptureFixture, code: int
) -> None:
    """Its operators have to act, and no visitor can; the next visitors are information (row 4)."""
    for _ in range(3):
        assert (await refused_sign_in(site, code)).status_code == 400
    (error,) = records(caplog, logging.ERROR)
    text = error.getMessage()
    assert text.startswith(f"Sign-in refused: login_refused: AADSTS{code}: ")
    assert text.endswith(DOCTOR)
    assert fields_of(error) == {
        "code": "login_refused",
        "path": "/auth/login-callback",
        "aadsts": f"AADSTS{code}",
    }
    assert len(records(caplog, logging.INFO, "Sign-in refused")) == 2


async def test_another_fault_is_another_error(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """Who mended one thing sees the next one."""
    for code in (7000222, 7000215, 7000215):
        await refused_sign_in(site, code)
    assert [fields_of(one)["aadsts"] for one in records(caplog, logging.ERROR)] == [
        "AADSTS7000222",
        "AADSTS7000215",
    ]


@pytest.mark.parametrize("code", [50105, 65004, 50076])
async def test_what_people_or_their_administrators_decide_is_no_error(
    site: Site, caplog: pytest.LogCaptureFixture, code: int
) -> None:
    """Nothing of this service has to change."""
    await refused_sign_in(site, code)
    assert not records(caplog, logging.ERROR)
    (line,) = records(caplog, logging.INFO, "Sign-in refused")
    assert fields_of(line)["aadsts"] == f"AADSTS{code}"
    assert DOCTOR not in line.getMessage()


async def test_an_expired_secret_at_renewals_is_an_error_once(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    """However many sessions are due."""
    browsers = [await site.browser().signed_in(person=person) for person in (ADA, BEN)]
    site.wire.answer("/token", 401, **refusal(7000222))
    site.clock.advance(3600)
    for browser in browsers:
        assert await browser.status() == 502
    (error,) = records(caplog, logging.ERROR)
    assert error.getMessage().startswith("Entra refuses to renew sessions: The client secret has expired.")
    assert error.getMessage().endswith(DOCTOR)
    assert fields_of(error) == {"code": "entra_failed", "aadsts": "AADSTS7000222"}


async def test_an_expired_secret_at_swagger_ui_is_an_error_once(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    """It shows Entra's words to whoever tries, and its operators see them as well."""
    site.wire.answer("/token", 401, **refusal(7000222))
    for _ in range(2):
        answer = await site.browser().http.post("/auth/token", data=FORM, headers=OURS)
        assert answer.status_code == 401
    (error,) = records(caplog, logging.ERROR)
    assert error.getMessage().startswith("Swagger UI got no token: AADSTS7000222: The client secret has")
    assert fields_of(error) == {"code": "entra_refused", "path": "/auth/token", "aadsts": "AADSTS7000222"}
    caplog.clear()
    site.wire.answer("/token", 400, **refusal(70008))
    assert (await site.browser().http.post("/auth/token", data=FORM, headers=OURS)).status_code == 400
    assert not records(caplog, logging.ERROR)


async def test_an_expired_secret_for_other_services_is_an_error_once(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    """The backoff asks again for days, and the log says it once."""
    site.wire.answer("/token", 401, **refusal(7000222))
    token = site.entra.client_credentials(f"{OPERATE}/.default")
    for _ in range(5):
        with pytest.raises(EntraRefused):
            await token.token()
        site.clock.advance(15)
    (error,) = records(caplog, logging.ERROR, "No token for")
    assert error.getMessage().endswith(DOCTOR)
    assert fields_of(error) == {"code": "entra_refused", "aadsts": "AADSTS7000222"}
    site.wire.heal()
    assert await token.token()
    site.wire.fail("/token")
    site.clock.advance(7200)
    with pytest.raises(Exception, match="no token"):
        await token.token()
    (warning,) = records(caplog, logging.WARNING, "No token for")
    assert fields_of(warning) == {"code": "entra_unreachable"}


# --- fields ------------------------------------------------------------------------------------------------


async def test_a_refused_request_has_its_code_path_and_client(
    make_site: MakeSite, caplog: pytest.LogCaptureFixture
) -> None:
    """Who asks too much is found by its client; the query is not there, and nobody's ID."""
    site = make_site()
    site.app.include_router(site.entra.forward_auth_router())
    client = "11111111-0000-4000-8000-00000000aaaa"
    expired = bearer(site.emulator.token(lifetime=-3600, azp=client))
    roleless = bearer(site.emulator.token(user=ADA, roles=[], azp=client))
    http = site.browser().http
    await http.get("/api?secret=s3cr3t", headers=expired)
    await http.get("/api?secret=s3cr3t", headers=bearer("nonsense"))
    await http.get("/auth/verify?role=Boss", headers=roleless | {"X-Original-URI": "/orders/1?secret=s3cr3t"})
    await http.get("/auth/me", headers=expired)
    found = [fields_of(one) for one in records(caplog, logging.INFO, "Request refused")]
    assert found == [
        {"code": "token_expired", "path": "/api", "azp": client},
        {"code": "token_malformed", "path": "/api"},
        {"code": "role_missing", "path": "/orders/1", "azp": client},
        {"code": "token_expired", "path": "/auth/me", "azp": client},
    ]
    for record in caplog.records:
        if record.name == LOGGER:
            assert "s3cr3t" not in f"{record.getMessage()} {record.__dict__}"


async def test_a_scope_that_lacks_names_the_client_too(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """Whether ``require`` or FastAPI's ``Security`` asks for it."""

    @site.app.get("/by-security", dependencies=[Security(site.entra.current_user, scopes=["Orders.Read"])])
    async def by_security() -> None: ...

    token = bearer(site.emulator.token(scopes=["Other"], azp=OPERATE))
    await site.browser().http.get("/by-security", headers=token)
    (line,) = records(caplog, logging.INFO, "Request refused")
    assert fields_of(line) == {"code": "scope_missing", "path": "/by-security", "azp": OPERATE}


async def test_a_fault_has_status_and_reference(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """The client names the reference, and whoever searches the log for it finds all of it."""
    site.wire.fail("")
    answer = await site.browser().http.get("/api", headers=bearer(site.emulator.token()))
    (line,) = records(caplog, logging.WARNING, "Answered 503")
    fields = fields_of(line)
    assert fields.pop("reference") in answer.json()["detail"]["message"]
    assert fields == {"code": "keys_unavailable", "status": 503, "path": "/api"}


def test_fields_are_printable_and_bounded() -> None:
    """CWE-117 and CWE-779: anybody chooses a path."""
    fields = log_fields(path="/a\r\n\x1b[2J\u202e" + "b" * 10_000, code=None, status=503)
    assert fields.keys() == {"path", "status"}
    path = str(fields["path"])
    assert path.isprintable()
    assert path.startswith("/a??")
    assert len(path) == MAX_FIELD + 3


def test_codes_in_records_are_documented_ones() -> None:
    """A machine that groups by code needs to know them all."""
    assert set(LOG_FIELDS) >= {"code", "azp", "path"}
    assert {"entra_failed", "entra_refused", "entra_unreachable"} <= CODES.keys()


async def test_a_token_of_version_1_names_its_client_by_appid(
    make_site: MakeSite, caplog: pytest.LogCaptureFixture
) -> None:
    """Version 1.0 has no azp; a client that is no text is left out."""
    site = make_site()
    http = site.browser().http
    for change in ({"azp": None, "appid": OPERATE}, {"azp": 7}):
        await http.get("/api", headers=bearer(site.emulator.token(aud="x", **change)))
    found = [fields_of(one).get("azp") for one in records(caplog, logging.INFO, "Request refused")]
    assert found == [OPERATE, None]
