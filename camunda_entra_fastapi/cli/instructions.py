"""The demo's instructions: variables, lines to paste, and at last the addresses to open."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from rich.console import Console

from camunda_entra_fastapi.cli.console import print_line
from camunda_entra_fastapi.cli.invocation import invocation
from camunda_entra_fastapi.cli.people import ADMINISTRATOR, APPLICATION, READER
from camunda_entra_fastapi.cli.service import INCIDENT
from camunda_entra_fastapi.testing import EntraEmulator


def print_instructions(
    console: Console, emulator: EntraEmulator, url: str, notes: Sequence[str] = ()
) -> None:
    """Print the instructions, on 30 rows. Lines to copy are neither wrapped, nor coloured, nor cut.

    Args:
        console: The console to print to.
        emulator: The emulator that the API trusts; it must be served.
        url: The API's URL.
        notes: Sentences before all others.
    """

    def title(text: str) -> None:
        console.print(text, style="bold", markup=False, highlight=False)

    def curl(arguments: str, wish: str) -> None:
        token = f"{invocation()} token {wish} --emulator {urlsplit(emulator.base_url).port}"
        print_line(console, f'curl -i -w "\\n" {arguments} -H "Authorization: Bearer $({token})"')

    for note in notes:
        print_line(console, note, "yellow")
    title(f"A local Entra ({emulator.base_url}) and a sample of Operate, started with:")
    for name, value in emulator.environment().items():
        print_line(console, f"{name}={value}")

    title(f"\nIn another terminal, in this folder: {READER} lists the incidents: 200")
    curl(f"{url}/incidents", "--as ben")
    title(f"{ADMINISTRATOR} resolves one: 200. {READER}'s token would get 403, role_missing")
    curl(f"-X DELETE {url}/incidents/{INCIDENT}", "--as ada")
    title("A token for another API is refused: 401, audience_mismatch")
    curl(f"{url}/incidents", "--audience 'Unrelated API'")
    title(f"The application {APPLICATION}, whose role opens /export: 200")
    curl(f"{url}/export", "--app")

    title("\nIts API, to try out: press Authorize, and sign in as one of three people")
    print_line(console, f"{url}/docs")
    title("Open in a browser, pick a person, and see the page:")
    print_line(console, url)
    console.print("Ctrl-C ends the demo.")
