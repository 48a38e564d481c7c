"""A sign-in with a browser, and all checks of both tokens."""

import time
import webbrowser
from typing import Final

from rich.console import Console

from camunda_entra_fastapi.cli.console import print_finding, print_line
from camunda_entra_fastapi.cli.doctor.context import wrong
from camunda_entra_fastapi.cli.doctor.sign_in_pages import SignInAborted, SignInPages
from camunda_entra_fastapi.cli.findings import Finding
from camunda_entra_fastapi.cli.service import CommandError, check_port
from camunda_entra_fastapi.errors import SettingsError
from camunda_entra_fastapi.runtime import client_of
from camunda_entra_fastapi.settings import EntraSettings
from camunda_entra_fastapi.testing.serving.server import serving

SIGN_IN_TIMEOUT: Final = 300.0
"""Seconds that the sign-in may take."""


def sign_in(
    console: Console,
    settings: EntraSettings,
    *,
    port: int,
    browser: bool,
    quiet: bool,
) -> list[Finding]:
    """Have somebody sign in, and check both tokens.

    Args:
        console: Where findings and prompts are printed.
        settings: The service's settings.
        port: The local page's port; 0 for any that is free.
        browser: Whether to open a browser.
        quiet: Whether to print no findings; prompts go to stderr then.
    """
    prompts = Console(stderr=True) if quiet else console
    try:
        client = client_of(settings, time, lambda: pages.token_url)
        if client is None:
            raise SignInAborted.of(
                "no_credential", "Nobody signs in without a client secret.", "Set one, see above."
            )
        check_port(port, "--port")
        pages = SignInPages(settings, client, time.time)
        findings = _wait_for_sign_in(prompts, pages, port, browser=browser)
    except CommandError as error:
        findings = [wrong("sign-in", str(error), "port_taken")]
    except SettingsError as error:
        findings = [wrong("sign-in", error.problems[0], "settings_invalid")]
    except SignInAborted as aborted:
        findings = [aborted.finding]
    if not quiet:
        print_line(console, "\nSigning in", "bold")
        for finding in findings:
            print_finding(console, finding)
    return findings


def _wait_for_sign_in(prompts: Console, pages: SignInPages, port: int, *, browser: bool) -> list[Finding]:
    with serving(pages.app, port=port) as url:
        pages.origin = url.replace("127.0.0.1", "localhost")
        print_line(prompts, f"\nSign in at {pages.origin}/", "bold")
        print_line(
            prompts, f"It needs the redirect URI {pages.redirect_uri}, registered for the platform Web."
        )
        print_line(prompts, "For localhost, Entra lets the port be any. Ctrl-C gives up.")
        try:
            if browser:
                webbrowser.open(f"{pages.origin}/")
            is_done = pages.done.wait(SIGN_IN_TIMEOUT)
        except KeyboardInterrupt:
            is_done = False
    if not is_done:
        raise SignInAborted.of(
            "nobody_signed_in",
            "Nobody came back from signing in.",
            "If Entra's page showed an error, look its AADSTS code up in its documentation; most often the "
            f"redirect URI {pages.redirect_uri} is not registered.",
        )
    return pages.findings
