"""A user's browser in the same process, and the authorization responses that it gets."""

import re
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import jwt

from camunda_entra_fastapi.testing import EntraEmulator
from tests.e2e.browser_less import Page
from tests.testing.conftest import Client


@dataclass
class Browser:
    """Follows pages as a user does; cookies are kept, so that users stay signed in."""

    client: Client
    response: httpx2.Response = field(default_factory=lambda: httpx2.Response(200))

    async def open(self, **changes: Any) -> str:
        """Send the authorization request; gives the page."""
        self.response = await self.client.authorize(**changes)
        return self.response.text

    async def press(self, label: str, *ticked: str, **typed: str) -> str:
        """Press the button that begins so, with boxes ticked and fields filled; gives the next page."""
        for form in Page(self.response.text).forms:
            for text, sent in form.buttons:
                if text.startswith(label):
                    values = form.fields | dict.fromkeys(ticked, "1") | typed | sent
                    return await self._go(form.method, values)
        raise AssertionError(f"No button {label!r}: {self.response.text}")

    async def arrive(self, *presses: str, **changes: Any) -> dict[str, str]:
        """Send the authorization request, press those buttons, and give the authorization response."""
        await self.open(**changes)
        for label in presses:
            await self.press(label)
        return self.answer

    @property
    def answer(self) -> dict[str, str]:
        """The authorization response: in the query, in the fragment, or in a form."""
        target = self.response.headers.get("location")
        if target is None:
            (form,) = Page(self.response.text).forms
            assert form.action, self.response.text
            return form.fields
        parts = urlsplit(target)
        assert not (parts.query and parts.fragment)
        return {name: values[0] for name, values in parse_qs(parts.query or parts.fragment).items()}

    @property
    def shows_accounts(self) -> bool:
        """Whether the page shows the accounts to pick from."""
        return "Who are you" in self.response.text

    async def tokens(self, *presses: str, **changes: Any) -> dict[str, Any]:
        """The token response for the code of a sign-in."""
        answer = await self.arrive(*presses, **changes)
        redeemed = await self.client.redeem_code(code=answer["code"])
        assert redeemed.status_code == 200, redeemed.text
        found: dict[str, Any] = redeemed.json()
        return found

    async def _go(self, method: str, values: dict[str, str]) -> str:
        url = self.response.request.url
        if method == "post":
            self.response = await self.client.http.post(url, data=values)
        else:
            self.response = await self.client.http.get(url.copy_with(query=None), params=values)
        return self.response.text


def code_of(text: str) -> int:
    """The AADSTS code in a page, a description or a body."""
    found = re.search(r"AADSTS(\d+)", text)
    assert found, text
    return int(found[1])


def codes_of(answer: httpx2.Response) -> list[int]:
    """The AADSTS codes of an error response."""
    found: list[int] = answer.json()["error_codes"]
    return found


def people_on(page: str) -> list[str]:
    """The accounts on a page, in the page's order."""
    return re.findall(r'name="user" value="[^"]+"><strong>([^<]+)<', page)


def claims_of(token: str) -> dict[str, Any]:
    """The claims, without verifying the token."""
    found: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return found


def change_tenant(emulator: EntraEmulator, **changes: Any) -> None:
    """Change the default tenant."""
    emulator.directory = emulator.directory.with_tenant(replace(emulator.tenant, **changes))


def change_application(emulator: EntraEmulator, client_id: str, **changes: Any) -> None:
    """Change an application of the default tenant."""
    applications = [
        replace(each, **changes) if each.client_id == client_id else each
        for each in emulator.tenant.applications
    ]
    change_tenant(emulator, applications=tuple(applications))


def change_user(emulator: EntraEmulator, who: str, /, **changes: Any) -> None:
    """Change a user of the default tenant."""
    users = [replace(each, **changes) if each.name == who else each for each in emulator.tenant.users]
    change_tenant(emulator, users=tuple(users))
