"""The demo's instructions: addresses, variables, and lines to paste."""

from rich.console import Console

from camunda_entra_fastapi.cli.console import print_line
from camunda_entra_fastapi.cli.people import (
    ADMINISTRATOR,
    APPLICATION,
    READER,
    client_credentials_request,
    other_api_token,
    user_token,
)
from camunda_entra_fastapi.cli.service import INCIDENT
from camunda_entra_fastapi.testing import EntraEmulator


def print_instructions(console: Console, emulator: EntraEmulator, url: str) -> None:
    """Print the instructions. Lines to copy are neither wrapped, nor coloured, nor cut.

    Args:
        console: The console to print to.
        emulator: The emulator that the API trusts; it must be served.
        url: The API's URL.
    """

    def title(text: str) -> None:
        console.print()
        console.print(text, style="bold", markup=False, highlight=False)

    print_line(console, f"\nA local Entra ({emulator.base_url}) and a sample of Operate ({url}) are running.")
    title("Open in a browser, pick a person, and see the page:")
    print_line(console, url)
    title("The sample was started with these six variables. The secret is an invented one.")
    for name, value in emulator.environment().items():
        print_line(console, f"{name}={value}")

    console.print("\nLines to paste into another terminal. Their tokens are good for one hour.")
    title(f"{READER} lists the incidents: 200")
    print_line(console, _curl(f"{url}/incidents", user_token(emulator, READER)))
    title(f"{ADMINISTRATOR} resolves one: 200. {READER}'s token would get 403, role_missing")
    print_line(console, _curl(f"-X DELETE {url}/incidents/{INCIDENT}", user_token(emulator, ADMINISTRATOR)))
    title("A token for another API is refused: 401, audience_mismatch")
    print_line(console, _curl(f"{url}/incidents", other_api_token(emulator)))
    title(f"Another token, for the application {APPLICATION}, whose role opens /export")
    print_line(console, _token_request(emulator))

    title("Its API, to try out: press Authorize and sign in as one of three people")
    print_line(console, f"{url}/docs")
    console.print("\nCtrl-C ends the demo.")


def _curl(arguments: str, token: str) -> str:
    return f'curl -i -w "\\n" {arguments} -H "Authorization: Bearer {token}"'


def _token_request(emulator: EntraEmulator) -> str:
    url, form = client_credentials_request(emulator)
    data = " ".join(f"-d {name}={value}" for name, value in form.items())
    return f'curl -w "\\n" {url} {data}'
