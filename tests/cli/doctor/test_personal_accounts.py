"""``doctor --sign-in`` by a personal Microsoft account, where every organization is let in.

Learn, "OpenID Connect on the Microsoft identity platform": ``organizations`` is for work or school accounts.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.directory import OPERATE
from tests.cli.conftest import Ran
from tests.cli.doctor.test_sign_in import MODULE, ada, browser_opens, port
from tests.testing.browsing import change_application, claims_of
from tests.tokens import PERSONAL_TENANT

__all__ = ["port"]


@pytest.mark.parametrize(("segment", "found"), [("organizations", 2), ("common", 0)])
def test_both_of_its_tokens_are_refused_with_a_remedy_of_their_own(
    port: str,
    emulator: EntraEmulator,
    run: Callable[..., Ran],
    monkeypatch: pytest.MonkeyPatch,
    segment: str,
    found: int,
) -> None:
    """And the page in the browser says so."""
    from camunda_entra_fastapi.remote.token_endpoint import redeem_code

    change_application(emulator, OPERATE, sign_in_audience="AzureADMultipleOrgs")
    issuer = f"{emulator.base_url}/{segment}/v2.0"

    def personal(token: str) -> str:
        whose = {"tid": PERSONAL_TENANT, "iss": f"{emulator.base_url}/{PERSONAL_TENANT}/v2.0"}
        claims = claims_of(token) | whose
        claims.pop("at_hash", None)
        return emulator.sign(claims, v1=False)

    async def redeemed(*arguments: Any, **options: Any) -> Any:
        tokens = await redeem_code(*arguments, **options)
        assert tokens.id_token is not None
        access_token, id_token = personal(tokens.access_token), personal(tokens.id_token)
        return replace(tokens, access_token=access_token, id_token=id_token)

    monkeypatch.setattr(f"{MODULE}_pages.redeem_code", redeemed)
    with browser_opens(monkeypatch, ada) as pages:
        ran = run(
            *("doctor", "--json", "--sign-in", "--port", port),
            CAMUNDA_IDENTITY_ISSUER=issuer,
            CAMUNDA_IDENTITY_ISSUER_BACKEND_URL=issuer,
            CAMUNDA_ENTRA_ALLOWED_TENANTS="*",
        )
    refused = [each for each in ran.json["findings"] if each.get("code") == "tenant_mismatch"]
    assert [each["name"] for each in refused] == ["ID token", "access token"][:found]
    assert all("/common in place of /organizations" in each["remedy"] for each in refused)
    assert ("personal Microsoft account" in pages[0].text) is bool(found)
