"""The demo's users and application, from the emulator's default directory."""

from typing import Final

from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.directory import BILLING, UNRELATED

ADMINISTRATOR: Final = "Ada Admin"
READER: Final = "Ben Reader"
APPLICATION: Final = "Billing job"


def other_api_token(emulator: EntraEmulator) -> str:
    """A token whose audience alone is wrong: of version 2.0, as the API's own tokens."""
    return emulator.token(user=READER, application=UNRELATED, version=2)


def client_credentials_request(emulator: EntraEmulator) -> tuple[str, dict[str, str]]:
    """The URL and the form of the application's client credentials grant (RFC 6749, 4.4.2)."""
    client = next(app for app in emulator.tenant.applications if app.client_id == BILLING)
    return f"{emulator.base_url}/{emulator.tenant.id}/oauth2/v2.0/token", {
        "grant_type": "client_credentials",
        "client_id": client.client_id,
        "client_secret": client.known_secrets[0].value,
        "scope": f"{emulator.application.client_id}/.default",
    }
