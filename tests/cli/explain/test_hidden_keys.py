"""What ``explain`` says of a token whose key the document lacks just now."""

from collections.abc import Callable

from camunda_entra_fastapi.testing import EntraEmulator
from tests.cli.conftest import Ran


def test_a_service_may_know_a_key_that_the_document_lacks(
    emulator: EntraEmulator, run: Callable[..., Ran]
) -> None:
    """It asks once and keeps nothing, unlike a service (panva/wellknown, 2024: keys come and go)."""
    emulator.rotate_keys()
    token, signing = emulator.token(), emulator.keys[0].key_id
    emulator.hide_key(signing)
    ran = run("explain", "--json", stdin=token)
    emulator.show_key(signing)
    (found,) = [each for each in ran.json["checks"] if each["name"] == "key"]
    assert (ran.code, found["code"], found["actual"]) == (1, "key_unknown", signing)
    assert "a service that saw the key within CAMUNDA_ENTRA_KEY_RETENTION accepts it" in found["remedy"]
    (found,) = [
        each for each in run("explain", "--json", stdin=token).json["checks"] if each["name"] == "key"
    ]
    assert found["state"] == "ok"
