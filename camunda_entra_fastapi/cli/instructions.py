"""What the demo prints: addresses, variables, and lines to paste."""

from rich.console import Console

from camunda_entra_fastapi.cli.people import (
    ADMINISTRATOR,
    APPLICATION,
    READER,
    request_of_application,
    token_for_another_api,
    token_of,
)
from camunda_entra_fastapi.cli.service import INCIDENT
from camunda_entra_fastapi.testing import EntraEmulator


def print_instructions(console: Console, emulator: EntraEmulator, url: str) -> None:
    """Print what can be tried. Lines to copy are neither wrapped, nor coloured, nor cut.

    Args:
        console: Where to.
        emulator: The Entra that the API trusts; it must be served.
        url: The API's address.
    """

    def title(text: str) -> None:
        console.print()
        console.print(text, style="bold", markup=False, highlight=False)

    def to_copy(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    to_copy(f"\nA local Entra ({emulator.base_url}) and a sample of Operate ({url}) are running.")
    title("Open in a browser, pick a person, and see the page:")
    to_copy(url)
    title("The sample was started with these six variables. The secret is an invented one.")
    for name, value in emulator.environment().items():
        to_copy(f"{name}={value}")

    console.print("\nLines to paste into another terminal. Their tokens are good for one hour.")
    title(f"{READER} lists the incidents: 200")
    to_copy(_call(f"{url}/incidents", token_of(emulator, READER)))
    title(f"{ADMINISTRATOR} resolves one: 200. {READER}'s token would get 403, role_missing")
    to_copy(_call(f"-X DELETE {url}/incidents/{INCIDENT}", token_of(emulator, ADMINISTRATOR)))
    title("A token for another API is refused: 401, audience_mismatch")
    to_copy(_call(f"{url}/incidents", token_for_another_api(emulator)))
    title(f"Another token, for the application {APPLICATION}, whose role opens /export")
    to_copy(_token_request(emulator))

    title("Its API, to try out: press Authorize and sign in as one of three people")
    to_copy(f"{url}/docs")
    console.print("\nCtrl-C ends the demo.")


def _call(what: str, token: str) -> str:
    return f'curl -i -w "\\n" {what} -H "Authorization: Bearer {token}"'


def _token_request(emulator: EntraEmulator) -> str:
    url, form = request_of_application(emulator)
    data = " ".join(f"-d {name}={value}" for name, value in form.items())
    return f'curl -w "\\n" {url} {data}'
