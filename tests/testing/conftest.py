"""The emulator, and a client of it."""

import base64
import hashlib
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.directory import BILLING, OPERATE, UNRELATED
from tests.conftest import FakeClock

WEB = "http://localhost:8000/auth/login-callback"
SPA = "http://localhost:8000/"
SECRET = "local-emulator-secret-of-operate"
VERIFIER = "a-verifier-of-at-least-43-characters-as-rfc-7636-says"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
SCOPE = f"openid profile email offline_access {OPERATE}/.default"


class Client:
    """The client's side of the protocol."""

    def __init__(self, http: httpx2.AsyncClient, tenant: str) -> None:
        self.http = http
        self.tenant = tenant

    async def authorize(self, **changes: Any) -> httpx2.Response:
        """An authorization request of Operate; None leaves a parameter out."""
        query = {
            "client_id": OPERATE,
            "response_type": "code",
            "redirect_uri": WEB,
            "scope": SCOPE,
            "state": "a state",
            "nonce": "n0nce",
        } | changes
        parameters = {name: value for name, value in query.items() if value is not None}
        return await self.http.get(f"/{self.tenant}/oauth2/v2.0/authorize", params=parameters)

    async def sign_in(self, name: str = "Ada Admin", **changes: Any) -> httpx2.Response:
        """The response after a user pressed the button with that name, in a new browser."""
        self.http.cookies.clear()
        page = await self.authorize(**changes)
        found = re.search(rf'value="([^"]+)"><strong>{name}<', page.text)
        assert found, page.text
        return await self.http.post(page.request.url, data={"user": found[1]})

    async def code(self, **changes: Any) -> str:
        """The code of a sign-in."""
        answer = await self.sign_in(**changes)
        return parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]

    async def redeem(self, headers: Any = None, **form: Any) -> httpx2.Response:
        """A request at the token endpoint; None leaves a parameter out."""
        parameters = {name: value for name, value in form.items() if value is not None}
        return await self.http.post(f"/{self.tenant}/oauth2/v2.0/token", data=parameters, headers=headers)

    async def redeem_code(self, headers: Any = None, **changes: Any) -> httpx2.Response:
        """The token response for Operate's code, redeemed on its server."""
        form = {
            "grant_type": "authorization_code",
            "client_id": OPERATE,
            "client_secret": SECRET,
            "redirect_uri": WEB,
        }
        return await self.redeem(headers, **(form | changes))

    async def credentials(self, headers: Any = None, **changes: Any) -> httpx2.Response:
        """The token response of client credentials for the billing job."""
        form = {
            "grant_type": "client_credentials",
            "client_id": BILLING,
            "client_secret": "local-emulator-secret-of-billing",
            "scope": f"{OPERATE}/.default",
        }
        return await self.redeem(headers, **(form | changes))

    async def refresh(self, tokens: Mapping[str, Any], **changes: Any) -> httpx2.Response:
        """The token response for Operate's refresh token."""
        form = {
            "grant_type": "refresh_token",
            "client_id": OPERATE,
            "client_secret": SECRET,
            "refresh_token": tokens["refresh_token"],
        }
        return await self.redeem(**(form | changes))

    async def on_behalf_of(
        self, assertion: str | None, headers: Any = None, **changes: Any
    ) -> httpx2.Response:
        """The token response for Operate, which calls another API on behalf of its caller."""
        form = {
            "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
            "client_id": OPERATE,
            "client_secret": SECRET,
            "assertion": assertion,
            "requested_token_use": "on_behalf_of",
            "scope": f"{UNRELATED}/access_as_user",
        }
        return await self.redeem(headers, **(form | changes))

    async def start_device(self, **changes: Any) -> dict[str, Any]:
        """The device authorization response for Operate."""
        form = {"client_id": OPERATE, "scope": f"openid offline_access {OPERATE}/access_as_user"} | changes
        answer = await self.http.post(f"/{self.tenant}/oauth2/v2.0/devicecode", data=form)
        assert answer.headers["cache-control"] == "no-store, no-cache"
        found: dict[str, Any] = answer.json()
        return found

    async def poll_device(
        self, started: Mapping[str, Any], headers: Any = None, **changes: Any
    ) -> httpx2.Response:
        """The token response for a device of Operate, behind which there is a server with a secret."""
        form = {
            "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
            "client_id": OPERATE,
            "client_secret": SECRET,
            "device_code": started["device_code"],
        }
        return await self.redeem(headers, **(form | changes))


@pytest.fixture
def emulator(clock: FakeClock) -> EntraEmulator:
    """An emulator whose clock stands still."""
    return EntraEmulator(clock=clock.time)


@pytest.fixture
async def client(emulator: EntraEmulator) -> AsyncIterator[Client]:
    """A client in the same process."""
    async with emulator.http_client() as http:
        yield Client(http, emulator.tenant.id)
