"""The Authorization header: what is read from it, and what is refused."""

import logging
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import SecurityScopes
from fastapi.testclient import TestClient
from fastapi_azure_auth.auth import AzureAuthorizationCodeBearerBase
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.middleware.base import RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from camunda_entra_fastapi import CamundaEntra, EntraUser
from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.validation.compact import CODES_OF_UNREADABLE_TOKENS
from camunda_entra_fastapi.validation.keys import SigningKey
from tests.conftest import FakeClock
from tests.tokens import part
from tests.web.conftest import bearer


def test_a_good_token_gives_the_user(client: TestClient, emulator: EntraEmulator) -> None:
    """The handler gets the user that the token stands for."""
    answer = client.get("/me", headers=bearer(emulator.token(roles=["Operate.Admin"])))
    assert (answer.status_code, answer.json()["roles"]) == (200, ["Operate.Admin"])


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_is_read_in_any_case(client: TestClient, emulator: EntraEmulator, scheme: str) -> None:
    """RFC 9110, 11.1: authentication schemes are case-insensitive."""
    headers = {"Authorization": f"{scheme}   {emulator.token()} "}
    assert client.get("/me", headers=headers).status_code == 200


def test_a_token_seen_before_still_needs_its_scheme(client: TestClient, emulator: EntraEmulator) -> None:
    """The cache key is the whole header, so no other header with the token in it is accepted."""
    token = emulator.token()
    assert client.get("/me", headers=bearer(token)).status_code == 200
    for header in (token, f"Basic {token}", f"Bearer{token}", f" {token}", f"DPoP {token}"):
        answer = client.get("/me", headers={"Authorization": header})
        assert (answer.status_code, answer.json()["detail"]["code"]) == (401, "credentials_missing")


def test_the_token_is_handed_on_without_what_stood_around_it(
    app: FastAPI, client: TestClient, entra: CamundaEntra, emulator: EntraEmulator
) -> None:
    """However the header was written, the user has the token alone, also when it was seen before."""
    token, seen = emulator.token(), []

    @app.get("/token")
    async def read(user: Annotated[EntraUser, Depends(entra.current_user)]) -> None:
        seen.append(user.access_token)

    for header in (f"Bearer {token}", f"bearer   {token}  "):
        for _ in range(2):
            assert client.get("/token", headers={"Authorization": header}).status_code == 200
    assert seen == [token] * 4


@pytest.mark.parametrize("path", ["/me", "/bearer", "/scoped", "/all", "/any"])
@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic YTpi"}, {"Authorization": "Bearerx"}])
def test_no_bearer_token_is_no_credentials(client: TestClient, path: str, headers: dict[str, str]) -> None:
    """Without a token, or with another scheme, the challenge names no error."""
    answer = client.get(path, headers=headers)
    assert answer.status_code == 401
    assert answer.json()["detail"]["code"] == "credentials_missing"
    assert "error" not in answer.headers["WWW-Authenticate"]


def test_optional_user_is_none_without_credentials(client: TestClient) -> None:
    """Anonymous callers pass, as nobody."""
    assert client.get("/optional").json() == {"name": None}


def test_optional_user_with_a_bad_token_is_refused(client: TestClient) -> None:
    """Optional is not lenient: who shows credentials must show good ones."""
    answer = client.get("/optional", headers=bearer("a.b.c"))
    assert (answer.status_code, answer.json()["detail"]["code"]) == (401, "token_malformed")


def test_optional_user_with_a_good_token_is_the_user(client: TestClient, emulator: EntraEmulator) -> None:
    """Credentials that came are used."""
    assert client.get("/optional", headers=bearer(emulator.token())).json()["name"]


def test_two_headers_are_an_invalid_request(client: TestClient, emulator: EntraEmulator) -> None:
    """Which of two would count depends on who reads them, so neither does."""
    headers = [("Authorization", f"Bearer {emulator.token()}"), ("Authorization", "Basic YTpi")]
    answer = client.get("/me", headers=headers)
    assert (answer.status_code, answer.json()["detail"]["code"]) == (400, "authorization_repeated")
    assert 'error="invalid_request"' in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize("value", [b"Bearer\ttoken", b"Bearer a\x00b", b"Bearer a\x7f", b"Bear\ner x"])
async def test_control_characters_are_an_invalid_request(entra: CamundaEntra, value: bytes) -> None:
    """Servers pass some of them on; none belongs into this header."""
    with pytest.raises(Exception, match="control characters") as refusal:
        await entra.current_user(_request(value), SecurityScopes())
    assert getattr(refusal.value, "status_code", None) == 400


@pytest.mark.parametrize("value", ["Bearer", "Bearer ", "bearer    "])
def test_bearer_without_a_token_is_a_bad_token(client: TestClient, value: str) -> None:
    """The client meant to send one, so it is told that it did not."""
    answer = client.get("/optional", headers={"Authorization": value})
    assert (answer.status_code, answer.json()["detail"]["code"]) == (401, "token_malformed")
    assert "no token follows" in answer.json()["detail"]["message"]


@given(value=st.binary(max_size=300))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_bytes_are_answered(entra: CamundaEntra, value: bytes) -> None:
    """Whatever the header holds, the answer is 400 or 401, never a crash."""
    with pytest.raises(Exception) as refusal:
        await entra.current_user(_request(value), SecurityScopes())
    assert getattr(refusal.value, "status_code", None) in (400, 401)


@given(value=st.binary(max_size=300))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_bytes_after_bearer_are_answered(entra: CamundaEntra, value: bytes) -> None:
    """A token of any bytes is a bad token or a bad request, never a crash, a user or Entra's fault."""
    with pytest.raises(Exception) as refusal:
        await entra.current_user(_request(b"Bearer " + value), SecurityScopes())
    assert getattr(refusal.value, "status_code", None) in (400, 401)


async def test_a_token_of_a_megabyte_is_refused(entra: CamundaEntra) -> None:
    """Nothing of it is decoded."""
    with pytest.raises(Exception, match="larger than 16384 bytes") as refusal:
        await entra.current_user(_request(b"Bearer " + b"a" * 1_000_000), SecurityScopes())
    assert getattr(refusal.value, "status_code", None) == 401


SPELLINGS = ("Bearer {}", "bearer {}", "BEARER {}", "Bearer  {}", "Bearer {}  ", "bearer {blanks}{}")


def test_a_token_has_one_place_in_the_cache_however_it_is_spelled(
    client: TestClient, entra: CamundaEntra, emulator: EntraEmulator, verified: list[SigningKey]
) -> None:
    """RFC 9110, 11.4 allows several blanks: they are answered, and fill no memory (CWE-770)."""
    token = emulator.token()
    for spelling in (*SPELLINGS, *SPELLINGS):
        header = spelling.format(token, blanks=" " * 50_000)
        assert client.get("/me", headers={"Authorization": header}).status_code == 200
    assert len(verified) == 1
    (entry,) = entra.current_user.authentication.validator._cache._entries.values()
    assert entry[0] == f"Bearer {token}".encode()


AROUND = (b"V\t", b"V \t ", b"\tV", b" \t V\t\t")


@pytest.mark.parametrize("around", AROUND)
async def test_tabs_and_blanks_around_the_value_are_no_part_of_it(
    entra: CamundaEntra, emulator: EntraEmulator, verified: list[SigningKey], around: bytes
) -> None:
    """RFC 9110, 5.5; uvicorn with httptools leaves them. They are answered, and fill no memory."""
    token = emulator.token()
    for _ in range(2):
        request = _request(around.replace(b"V", f"Bearer {token}".encode()))
        user = await entra.current_user(request, SecurityScopes())
        assert user is not None
        assert user.access_token == token
        assert await entra.bearer.extract_access_token(request) == token
    assert len(verified) == 1
    (entry,) = entra.current_user.authentication.validator._cache._entries.values()
    assert entry[0] == f"Bearer {token}".encode()


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize(
    ("value", "status", "code"),
    [
        (b"", 401, "credentials_missing"),
        (b"Basic YTpi", 401, "credentials_missing"),
        (b"Bearer", 401, "token_malformed"),
        (b"Bearer a.b.c", 401, "token_malformed"),
        (b"Bearer a.\tb.c", 400, "authorization_malformed"),
        (b"Bearer\ta.b.c", 400, "authorization_malformed"),
        (b"Bearer \ta.b.c", 400, "authorization_malformed"),
        (b"Basic\tYTpi", 400, "authorization_malformed"),
        (b"Bearer a.b.c\x0b", 400, "authorization_malformed"),
    ],
)
async def test_what_stands_around_a_value_changes_no_refusal(
    entra: CamundaEntra, around: bytes, value: bytes, status: int, code: str
) -> None:
    """A tab inside is refused wherever one stands behind, and nothing more is."""
    for header in (value, around.replace(b"V", value)):
        with pytest.raises(HTTPException) as refusal:
            await entra.current_user(_request(header), SecurityScopes())
        detail: Any = refusal.value.detail
        assert (refusal.value.status_code, detail["code"]) == (status, code)


@pytest.mark.parametrize("code", sorted(CODES_OF_UNREADABLE_TOKENS))
def test_control_characters_come_before_any_fault_of_the_header(
    client: TestClient, emulator: EntraEmulator, code: str
) -> None:
    """A payload that was not decoded yet may hold line breaks; whoever sends them is told that first."""
    header = {
        "token_malformed": {"alg": "RS256", "kid": 1},
        "token_encrypted": {"alg": "RSA-OAEP", "enc": "A256GCM"},
        "algorithm_not_allowed": {"alg": "none"},
        "header_not_allowed": {"alg": "RS256", "kid": "k", "jku": "https://example.com"},
        "key_missing": {"alg": "RS256"},
    }[code]
    _, payload, signature = emulator.token().split(".")
    answer = client.get("/me", headers=bearer(f"{part(header)}.{payload}.{signature}"))
    assert answer.json()["detail"]["code"] == code
    answer = client.get("/me", headers=bearer(f"{part(header)}.{payload}\t.{signature}"))
    assert (answer.status_code, answer.json()["detail"]["code"]) == (400, "authorization_malformed")


def test_an_applications_own_handler_may_change_a_refusal(app: FastAPI) -> None:
    """The exception is an ``HTTPException`` to everybody who reads, words or prints it."""
    seen = []

    @app.exception_handler(HTTPException)
    async def add_a_header(_: Request, error: HTTPException) -> Response:
        seen.append((str(error), repr(error), error.detail))
        error.headers = {**(error.headers or {}), "X-Mine": "1"}
        error.detail = "closed"
        return JSONResponse(error.detail, error.status_code, error.headers)

    with TestClient(app) as client:
        answer = client.get("/me")
    assert (answer.status_code, answer.json(), answer.headers["X-Mine"]) == (401, "closed", "1")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer realm=")
    text, printed, detail = seen[0]
    assert text == f"401: {detail}"
    assert printed == f"RefusedRequest(status_code=401, detail={detail!r})"


def test_nothing_is_worded_for_a_logger_that_does_not_listen(
    client: TestClient, caplog: pytest.LogCaptureFixture, emulator: EntraEmulator
) -> None:
    """A service that logs warnings alone has no line for a refusal; one that logs all has the remedy."""
    expired = bearer(emulator.token(lifetime=-3600))
    with caplog.at_level(logging.WARNING, "camunda_entra_fastapi"):
        client.get("/me", headers=expired)
    assert not caplog.records
    with caplog.at_level(logging.INFO, "camunda_entra_fastapi"):
        client.get("/me", headers=expired)
    assert "token_expired" in caplog.text
    assert "Remedy: " in caplog.text


async def test_it_stands_where_fastapi_azure_auth_stood(entra: CamundaEntra, emulator: EntraEmulator) -> None:
    """It is one of its schemes, leaves the user where that does, and finds the token as that does."""
    request = _request(b"Bearer " + emulator.token().encode())
    assert isinstance(entra.bearer, AzureAuthorizationCodeBearerBase)
    user = await entra.bearer(request, SecurityScopes())
    assert isinstance(user, EntraUser)
    assert request.state.user is user
    assert await entra.bearer.extract_access_token(request) == user.access_token


def test_security_scopes_are_checked(client: TestClient, emulator: EntraEmulator) -> None:
    """``Security(scopes=...)`` needs all of them in ``scp``."""
    good = emulator.token(scopes=["access_as_user", "Incidents.Read"])
    assert client.get("/scoped", headers=bearer(good)).status_code == 200
    answer = client.get("/scoped", headers=bearer(emulator.token(scopes=["access_as_user"])))
    assert (answer.status_code, answer.json()["detail"]["code"]) == (403, "scope_missing")
    assert 'scope="Incidents.Read access_as_user"' in answer.headers["WWW-Authenticate"]


def test_a_refusal_is_one_log_line_without_the_token(
    client: TestClient, emulator: EntraEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    """Operators read code and reason; the token stays out of it."""
    token = emulator.token(aud="api://somebody-else")
    with caplog.at_level(logging.DEBUG, "camunda_entra_fastapi"):
        client.get("/me", headers=bearer(token))
    (record,) = [one for one in caplog.records if "refused" in one.getMessage()]
    assert (record.name, record.levelname) == ("camunda_entra_fastapi", "INFO")
    assert "audience_mismatch" in record.getMessage()
    assert token not in caplog.text
    assert token.split(".")[1] not in caplog.text


def test_a_request_without_credentials_is_not_worth_a_line(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    """Probes and first steps of clients would fill the log."""
    with caplog.at_level(logging.INFO, "camunda_entra_fastapi"):
        client.get("/me")
    assert "refused" not in caplog.text


def test_works_in_a_mounted_application(app: FastAPI, emulator: EntraEmulator) -> None:
    """Where no lifespan runs, the keys are fetched on first use."""
    outer = FastAPI()
    outer.mount("/inner", app)
    with TestClient(outer) as client:
        assert client.get("/inner/me", headers=bearer(emulator.token())).status_code == 200


def test_headers_that_middleware_has_changed_are_read_again(
    entra: CamundaEntra, emulator: EntraEmulator
) -> None:
    """Whoever has looked before at who is there, and then takes the token away, gets nobody."""
    app = FastAPI()
    app.get("/me")(_whoami(entra))

    @app.middleware("http")
    async def take_away(request: Request, call_next: RequestResponseEndpoint) -> Response:
        assert await entra.current_user(request, SecurityScopes()) is not None
        request.scope["headers"][:] = [
            (name, value) for name, value in request.scope["headers"] if name != b"authorization"
        ]
        return await call_next(request)

    with TestClient(app) as client:
        assert client.get("/me", headers=bearer(emulator.token())).status_code == 401


async def test_a_stream_that_asks_later_gets_an_answer_of_then(
    entra: CamundaEntra, emulator: EntraEmulator, clock: FakeClock
) -> None:
    """The dependencies of a request share what was found; an hour later the token has expired."""
    request = _request(b"Bearer " + emulator.token().encode())
    user = await entra.current_user(request, SecurityScopes())
    assert await entra.current_user(request, SecurityScopes()) is user
    clock.advance(24 * 3600)
    with pytest.raises(HTTPException) as refusal:
        await entra.current_user(request, SecurityScopes())
    assert refusal.value.detail["code"] == "token_expired"  # type: ignore[index]  # ours is no text


def test_several_side_by_side(entra: CamundaEntra, emulator: EntraEmulator, clock: FakeClock) -> None:
    """Two plugins in one application each let in their own audience only."""
    other = CamundaEntra(
        emulator.settings(audience="api://other"),
        http_client=emulator.http_client(),
        clock=clock,
        scheme_name="Other",
    )
    app = FastAPI()
    app.get("/one")(_whoami(entra))
    app.get("/other")(_whoami(other))
    ours, theirs = bearer(emulator.token()), bearer(emulator.token(aud="api://other"))
    with TestClient(app) as client:
        for _ in range(2):  # the second time the tokens are cached
            assert client.get("/one", headers=ours).status_code == 200
            assert client.get("/one", headers=theirs).status_code == 401
            assert client.get("/other", headers=ours).status_code == 401
            assert client.get("/other", headers=theirs).status_code == 200
        assert set(client.get("/openapi.json").json()["components"]["securitySchemes"]) == {"Entra", "Other"}


def _whoami(entra: CamundaEntra) -> Callable[..., Any]:
    async def whoami(user: EntraUser = Depends(entra.current_user)) -> str | None:  # noqa: B008
        return user.name

    return whoami


def _request(authorization: bytes) -> Request:
    return Request({"type": "http", "headers": [(b"authorization", authorization)]})


@pytest.mark.parametrize("scheme", ["bearer", "current_user", "optional_user"])
def test_what_is_left_over_from_fastapi_azure_auth_says_what_to_do(
    scheme: str, emulator: EntraEmulator
) -> None:
    """``load_config()`` is in each of its applications' lifespans (its README, 5.3)."""
    entra = CamundaEntra(emulator.settings())
    with pytest.raises(AttributeError, match=r"use lifespan=entra\.lifespan") as refused:
        getattr(entra, scheme).openid_config.load_config()
    for here in ("entra.settings.issuer", "entra.settings.authorization_url", "entra.settings.token_url"):
        assert here in str(refused.value)
    assert refused.value.__context__ is None
    assert emulator.count("/openid-configuration") == 0
