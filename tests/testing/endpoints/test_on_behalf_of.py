"""Whose tokens an API may trade for others, beyond the plain cases: who is still there, and what is odd."""

from typing import Any

import httpx2
import pytest

from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.directory import OPERATE, UNRELATED
from tests.testing.browsing import Browser, change_application, change_user, claims_of
from tests.testing.conftest import Client


def codes_of(answer: httpx2.Response) -> list[int]:
    """The AADSTS codes of an error."""
    assert answer.json()["error"] == "invalid_grant", answer.text
    found: list[int] = answer.json()["error_codes"]
    return found


async def test_a_sign_in_is_carried_on(emulator: EntraEmulator, client: Client) -> None:
    """The caller's own token, from a real sign-in, gives one for the same person and the next API."""
    tokens = await Browser(client).tokens("Ada Admin")
    answer = (await client.on_behalf_of(tokens["access_token"])).json()
    claims = claims_of(answer["access_token"])
    assert (claims["aud"], claims["appid"], claims["appidacr"]) == (UNRELATED, OPERATE, "1")
    assert claims["oid"] == claims_of(tokens["access_token"])["oid"]
    assert answer["scope"] == f"{UNRELATED}/access_as_user"


@pytest.mark.parametrize(("change", "code"), [({"enabled": False}, 50057), ({"locked": True}, 50053)])
async def test_a_token_outlives_its_person_but_buys_no_others(
    emulator: EntraEmulator, client: Client, change: dict[str, bool], code: int
) -> None:
    """A disabled user's token gives no further tokens, even while it is valid."""
    token = emulator.token(user="Ada Admin")
    change_user(emulator, "Ada Admin", **change)
    assert codes_of(await client.on_behalf_of(token)) == [code]


async def test_an_assignment_that_ended_ends_this_too(emulator: EntraEmulator, client: Client) -> None:
    """AADSTS50105 for people who are not assigned to the API that acts for them."""
    token = emulator.token(user="Ben Reader")
    change_application(emulator, OPERATE, assignment_required=True)
    refused = await client.on_behalf_of(token)
    assert (refused.json()["error"], refused.json()["error_codes"]) == ("interaction_required", [50105])
    assert (await client.on_behalf_of(emulator.token(user="Ada Admin"))).status_code == 200


async def test_an_assertion_is_good_as_long_as_its_key_is_published(
    emulator: EntraEmulator, client: Client
) -> None:
    """A key that does not sign any more still counts until it is retired."""
    token = emulator.token()
    emulator.rotate_keys()
    assert (await client.on_behalf_of(token)).status_code == 200
    emulator.retire_keys()
    assert codes_of(await client.on_behalf_of(token)) == [50013]
    assert (await client.on_behalf_of(emulator.token())).status_code == 200


@pytest.mark.parametrize(("seconds", "status"), [(-300, 400), (-299, 200), (300, 200), (301, 400)], ids=str)
async def test_clocks_may_differ_by_five_minutes(
    emulator: EntraEmulator, client: Client, seconds: int, status: int
) -> None:
    """The tolerance holds for the end of a token as for its beginning, to the second; AADSTS500133 beyond."""
    now = int(emulator.now())
    times: dict[str, Any] = {"exp": now + seconds} if seconds < 0 else {"nbf": now + seconds}
    answer = await client.on_behalf_of(emulator.token(**times))
    assert answer.status_code == status
    assert answer.json().get("error_codes") == ([500133] if status == 400 else None)


@pytest.mark.parametrize(
    "claims", [{"iat": None}, {"nbf": "now"}, {"exp": "never"}, {"exp": None}, {"iat": [1]}]
)
async def test_tokens_made_by_hand_without_proper_times(
    emulator: EntraEmulator, client: Client, claims: dict[str, Any]
) -> None:
    """They are refused like any malformed assertion, and never break the endpoint."""
    assert codes_of(await client.on_behalf_of(emulator.token(**claims))) == [50013]


async def test_a_token_made_by_hand_with_an_odd_identifier(emulator: EntraEmulator, client: Client) -> None:
    """``uti`` is opaque: whatever stands there, the person is acted for."""
    assert (await client.on_behalf_of(emulator.token(uti=["odd"]))).status_code == 200


async def test_the_next_api_counts_as_it_is_registered_now(emulator: EntraEmulator, client: Client) -> None:
    """Disabled, it gets no token, whoever asks."""
    change_application(emulator, UNRELATED, enabled=False)
    refused = await client.on_behalf_of(emulator.token())
    assert (refused.json()["error"], refused.json()["error_codes"]) == ("invalid_resource", [500014])
