"""Who appears in the demo, out of the emulator's default directory."""

from typing import Final

from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.directory import BILLING, UNRELATED

ADMINISTRATOR: Final = "Ada Admin"
READER: Final = "Ben Reader"
APPLICATION: Final = "Billing job"


def token_of(emulator: EntraEmulator, person: str) -> str:
    """The token that somebody who signed in for the API would have."""
    return emulator.token(user=person, scopes=tuple(emulator.application.exposed))


def token_for_another_api(emulator: EntraEmulator) -> str:
    """A good token with nothing wrong but its audience: of version 2.0, as the API's own ones."""
    return emulator.token(user=READER, application=UNRELATED, version=2)


def request_of_application(emulator: EntraEmulator) -> tuple[str, dict[str, str]]:
    """Where, and with which form, the application asks for a token of its own (RFC 6749, 4.4.2)."""
    client = next(app for app in emulator.tenant.applications if app.client_id == BILLING)
    return f"{emulator.base_url}/{emulator.tenant.id}/oauth2/v2.0/token", {
        "grant_type": "client_credentials",
        "client_id": client.client_id,
        "client_secret": client.known_secrets[0].value,
        "scope": f"{emulator.application.client_id}/.default",
    }
