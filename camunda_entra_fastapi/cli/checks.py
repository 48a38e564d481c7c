"""What ``camunda-entra demo --check`` tries, and what must come of it."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

import httpx

from camunda_entra_fastapi.cli.browser import NAVIGATION, Application, SignInFailed, open_page, sign_in
from camunda_entra_fastapi.cli.people import (
    ADMINISTRATOR,
    APPLICATION,
    READER,
    request_of_application,
    token_for_another_api,
)
from camunda_entra_fastapi.cli.service import INCIDENT
from camunda_entra_fastapi.testing import EntraEmulator

_WAITING: Final = re.compile(r"<strong>(\d+)</strong> waiting")
"""How the page tells how many incidents there are."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One check: what was tried, what was expected, and what was seen."""

    name: str
    expected: str
    seen: str

    @property
    def passed(self) -> bool:
        """Whether it went as it should."""
        return self.seen == self.expected

    @property
    def told(self) -> str:
        """For people."""
        return self.seen if self.passed else f"{self.seen} (expected: {self.expected})"


def run_checks(client: httpx.Client, emulator: EntraEmulator) -> Iterator[Outcome]:
    """Sign in as a browser would and call the API, one outcome after the other.

    Args:
        client: Its base URL is the API's.
        emulator: The Entra that the API trusts; it must be served.
    """
    tokens: dict[str, str] = {}

    def obtain(who: str, how: str, get_token: Callable[[], str]) -> Outcome:
        try:
            tokens[who] = get_token()
            seen = "got a token"
        except SignInFailed as error:
            seen = str(error)
        except httpx.HTTPError as error:
            seen = _unanswered(error)
        return Outcome(f"{who} {how}", "got a token", seen)

    def call(who: str, method: str, path: str, expected: str) -> Outcome:
        headers = {"Authorization": f"Bearer {tokens[who]}"} if who in tokens else {}
        try:
            seen = _told_by(client.request(method, path, headers=headers))
        except httpx.HTTPError as error:
            seen = _unanswered(error)
        return Outcome(f"{method} {path} by {who}", expected, seen)

    for person in (READER, ADMINISTRATOR):
        yield obtain(person, "signs in as from the docs page", partial(_sign_in, client, emulator, person))
    yield obtain(APPLICATION, "asks with its client secret", partial(_ask, client, emulator))
    yield from _visit(client, READER)
    tokens[stranger := "a token for another API"] = token_for_another_api(emulator)

    yield call(READER, "GET", "/incidents", "200")
    yield call("nobody", "GET", "/incidents", "401 credentials_missing")
    yield call(stranger, "GET", "/incidents", "401 audience_mismatch")
    yield call(READER, "DELETE", f"/incidents/{INCIDENT}", "403 role_missing")
    yield call(ADMINISTRATOR, "DELETE", f"/incidents/{INCIDENT}", "200")
    yield call(APPLICATION, "GET", "/export", "200")


def _visit(client: httpx.Client, person: str) -> Iterator[Outcome]:
    """Open the page, sign in, see it, and sign out: by cookies, which nothing else here does."""
    shown, left = f"greets {person} with 3 incidents", "asked to sign in again"
    try:
        page = open_page(client, "/", person)
        found = _WAITING.search(page.text)
        incidents = f" with {found[1]} incidents" if found else ""
        seen = (
            f"greets {person}{incidents}" if person in page.text else f"{page.status_code} of {page.url.path}"
        )
        yield Outcome(f"{person} opens the page and signs in", shown, seen)
        client.post("/auth/logout", headers={"Origin": str(client.base_url).rstrip("/")})
        status = client.get("/", headers=NAVIGATION).status_code
        yield Outcome(f"{person} signs out", left, left if status == httpx.codes.FOUND else str(status))
    except SignInFailed as error:
        yield Outcome(f"{person} opens the page and signs in", shown, str(error))
    except httpx.HTTPError as error:
        yield Outcome(f"{person} opens the page and signs in", shown, _unanswered(error))
    finally:
        client.cookies.clear()


def _sign_in(client: httpx.Client, emulator: EntraEmulator, person: str) -> str:
    url = str(client.base_url).rstrip("/")
    return sign_in(client, Application.of_docs_page(client, url, emulator.application.client_id), person)


def _ask(client: httpx.Client, emulator: EntraEmulator) -> str:
    url, form = request_of_application(emulator)
    return str(client.post(url, data=form).raise_for_status().json()["access_token"])


def _told_by(answer: httpx.Response) -> str:
    """The status, and for refusals the code in the body."""
    if answer.is_success:
        return str(answer.status_code)
    try:
        code = answer.json()["detail"]["code"]
    except (ValueError, LookupError, TypeError):
        code = "without a code"
    return f"{answer.status_code} {code}"


def _unanswered(error: httpx.HTTPError) -> str:
    return f"no proper answer: {error}"
