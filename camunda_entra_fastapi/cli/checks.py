"""The checks of ``camunda-entra demo --check``."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

from camunda_entra_fastapi.cli.browser import (
    NAVIGATION,
    BrowserSignInFailed,
    PublicClient,
    open_page,
    sign_in,
)
from camunda_entra_fastapi.cli.people import (
    ADMINISTRATOR,
    APPLICATION,
    READER,
    client_credentials_request,
    other_api_token,
)
from camunda_entra_fastapi.cli.service import INCIDENT
from camunda_entra_fastapi.http_library import httpx
from camunda_entra_fastapi.testing import EntraEmulator

_INCIDENT_COUNT: Final = re.compile(r"<strong>(\d+)</strong> waiting")
"""The number of incidents on the page."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of a check: its name, what was expected, and what came."""

    name: str
    expected: str
    actual: str

    @property
    def passed(self) -> bool:
        """Whether the check passed."""
        return self.actual == self.expected

    @property
    def description(self) -> str:
        """The result, for people."""
        return self.actual if self.passed else f"{self.actual} (expected: {self.expected})"


def run_checks(client: httpx.Client, emulator: EntraEmulator) -> Iterator[CheckResult]:
    """Sign in as a browser does and call the API; one result after the other.

    Args:
        client: An HTTP client with the API's base URL.
        emulator: The emulator that the API trusts; it must be served.
    """
    tokens: dict[str, str] = {}

    def get_token(caller: str, action: str, request_token: Callable[[], str]) -> CheckResult:
        try:
            tokens[caller] = request_token()
            actual = "got a token"
        except BrowserSignInFailed as error:
            actual = str(error)
        except httpx.HTTPError as error:
            actual = _describe_http_error(error)
        return CheckResult(f"{caller} {action}", "got a token", actual)

    def call(caller: str, method: str, path: str, expected: str) -> CheckResult:
        headers = {"Authorization": f"Bearer {tokens[caller]}"} if caller in tokens else {}
        try:
            actual = _status_and_code(client.request(method, path, headers=headers))
        except httpx.HTTPError as error:
            actual = _describe_http_error(error)
        return CheckResult(f"{method} {path} by {caller}", expected, actual)

    for user in (READER, ADMINISTRATOR):
        yield get_token(user, "signs in as from the docs page", partial(_sign_in, client, emulator, user))
    yield get_token(APPLICATION, "asks with its client secret", partial(_request_token, client, emulator))
    yield from _check_page(client, READER)
    tokens[other_api := "a token for another API"] = other_api_token(emulator)

    yield call(READER, "GET", "/incidents", "200")
    yield call("nobody", "GET", "/incidents", "401 credentials_missing")
    yield call(other_api, "GET", "/incidents", "401 audience_mismatch")
    yield call(READER, "DELETE", f"/incidents/{INCIDENT}", "403 role_missing")
    yield call(ADMINISTRATOR, "DELETE", f"/incidents/{INCIDENT}", "200")
    yield call(APPLICATION, "GET", "/export", "200")


def _check_page(client: httpx.Client, user: str) -> Iterator[CheckResult]:
    """Open the page, sign in, and sign out: the only checks with session cookies."""
    greeting, signed_out = f"greets {user} with 3 incidents", "asked to sign in again"
    try:
        page = open_page(client, "/", user)
        match = _INCIDENT_COUNT.search(page.text)
        incidents = f" with {match[1]} incidents" if match else ""
        actual = (
            f"greets {user}{incidents}" if user in page.text else f"{page.status_code} of {page.url.path}"
        )
        yield CheckResult(f"{user} opens the page and signs in", greeting, actual)
        client.post("/auth/logout", headers={"Origin": str(client.base_url).rstrip("/")})
        status = client.get("/", headers=NAVIGATION).status_code
        yield CheckResult(
            f"{user} signs out", signed_out, signed_out if status == httpx.codes.FOUND else str(status)
        )
    except BrowserSignInFailed as error:
        yield CheckResult(f"{user} opens the page and signs in", greeting, str(error))
    except httpx.HTTPError as error:
        yield CheckResult(f"{user} opens the page and signs in", greeting, _describe_http_error(error))
    finally:
        client.cookies.clear()


def _sign_in(client: httpx.Client, emulator: EntraEmulator, user: str) -> str:
    url = str(client.base_url).rstrip("/")
    return sign_in(client, PublicClient.from_openapi(client, url, emulator.application.client_id), user)


def _request_token(client: httpx.Client, emulator: EntraEmulator) -> str:
    url, form = client_credentials_request(emulator)
    return str(client.post(url, data=form).raise_for_status().json()["access_token"])


def _status_and_code(response: httpx.Response) -> str:
    """The status, with the body's code of an error response."""
    if response.is_success:
        return str(response.status_code)
    try:
        code = response.json()["detail"]["code"]
    except (ValueError, LookupError, TypeError):
        code = "without a code"
    return f"{response.status_code} {code}"


def _describe_http_error(error: httpx.HTTPError) -> str:
    return f"no proper answer: {error}"
