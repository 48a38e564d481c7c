"""Keys that the emulator's documents lack for a while, as Entra's do (panva/wellknown, 2024)."""

import pytest

from camunda_entra_fastapi.testing import EntraEmulator
from tests.testing.conftest import Client


async def published(client: Client, path: str = "discovery/v2.0/keys") -> list[str]:
    """The key IDs of the document."""
    return [key["kid"] for key in (await client.http.get(f"/{client.tenant}/{path}")).json()["keys"]]


@pytest.mark.parametrize("path", ["discovery/v2.0/keys", "discovery/keys"])
async def test_a_hidden_key_is_left_out_of_the_documents_until_it_is_shown(
    path: str, emulator: EntraEmulator, client: Client
) -> None:
    """The others stay; what is hidden or shown twice is so."""
    emulator.rotate_keys()
    new, old = (key.key_id for key in emulator.keys)
    for _ in range(2):
        emulator.hide_key(new)
        assert await published(client, path) == [old]
    emulator.hide_key(old)
    assert await published(client, path) == []
    for _ in range(2):
        emulator.show_key(new)
        assert await published(client, path) == [new]
    emulator.show_key(old)
    assert await published(client, path) == [new, old]


async def test_a_hidden_key_signs_and_verifies_as_before(emulator: EntraEmulator, client: Client) -> None:
    """As at Entra, where only some servers publish a key, and all of them use it."""
    key = emulator.keys[0]
    emulator.hide_key(key.key_id)
    assert emulator.keys == (key,)
    graph = emulator.token(application="https://graph.microsoft.com", scopes=["User.Read"])
    answer = await client.http.get("/v1.0/me", headers={"Authorization": f"Bearer {graph}"})
    assert answer.status_code == 200
    emulator.rotate_keys()
    assert await published(client) == [emulator.keys[0].key_id]


@pytest.mark.parametrize("method", ["hide_key", "show_key"])
def test_a_key_that_is_not_there_can_be_neither_hidden_nor_shown(
    method: str, emulator: EntraEmulator
) -> None:
    """The message names those that are."""
    first = emulator.keys[0].key_id
    emulator.rotate_keys(overlap=False)
    with pytest.raises(ValueError, match="is none of the keys") as caught:
        getattr(emulator, method)(first)
    assert str(caught.value) == f"{first!r} is none of the keys. They are: {emulator.keys[0].key_id}."
