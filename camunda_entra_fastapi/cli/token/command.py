"""``camunda-entra token``: one access token on standard output, for ``$(…)``."""

import asyncio
import os
import re
import time
from collections.abc import Mapping
from typing import Annotated, Final
from urllib.parse import urlsplit

import typer
from rich.console import Console

from camunda_entra_fastapi.cli.console import print_line
from camunda_entra_fastapi.cli.environment import read_settings, service_environment
from camunda_entra_fastapi.cli.fetching import entra_http
from camunda_entra_fastapi.cli.findings import State, printable
from camunda_entra_fastapi.cli.options import EnvFileOption, EnvOption
from camunda_entra_fastapi.cli.token.failure import NoToken
from camunda_entra_fastapi.cli.token.local import TokenWish, local_token
from camunda_entra_fastapi.cli.token.tenant import app_token, person_token, scope_of
from camunda_entra_fastapi.errors import FetchFailed, SettingsError
from camunda_entra_fastapi.remote.discovery import fetch_discovery
from camunda_entra_fastapi.remote.http import EntraHttp
from camunda_entra_fastapi.runtime import client_of, provider_of
from camunda_entra_fastapi.settings import EntraSettings
from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.urls import is_loopback, is_usable

START: Final = "camunda-entra emulator --env-file .env"
_PORT: Final = re.compile("[0-9]{1,5}")


def token(
    name: Annotated[
        str,
        typer.Option(
            "--as",
            metavar="NAME",
            help="Whose token it is, by name or username or a part that tells; with --app an application's.",
            show_default=False,
        ),
    ] = "",
    app: Annotated[bool, typer.Option("--app", help="An application's own token, without a person.")] = False,
    role: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A role instead of the directory's; may be repeated."),
    ] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A scope; may be repeated. Left out: all that the API exposes."),
    ] = None,
    expired: Annotated[bool, typer.Option("--expired", help="A token that has expired.")] = False,
    audience: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="Another audience: an application, or any text.", show_default=False
        ),
    ] = "",
    env_file: EnvFileOption = None,
    env: EnvOption = None,
    emulator: Annotated[
        str,
        typer.Option(
            metavar="URL|PORT",
            help="A local Entra with the default directory, as of the demo, instead of the variables'.",
            show_default=False,
        ),
    ] = "",
) -> None:
    r"""Print an access token for your API, and nothing else.

    It is of the local Entra, or of the tenant, that the service's variables
    name: those of this shell, of .env here, or of --env-file. The local
    Entra gives it for anybody. A tenant gives the application's own with
    --app; without it you sign in with a code in a browser. --as, --role,
    --expired and --audience are for the local Entra alone.

    Exit codes: 0 done, 1 there is no token, 2 wrongly called.

    Examples:
      curl localhost:8000/me \
        -H "Authorization: Bearer $(camunda-entra token --as ben)"

      camunda-entra token --as ben --role Orders.Admin | camunda-entra explain

      camunda-entra token --app --env-file orders.env
    """
    wish = TokenWish(name, app, tuple(role or ()), tuple(scope or ()), audience, expired)
    own = None
    if emulator:
        if env_file or env:
            raise typer.BadParameter("--emulator stands in place of --env-file and --env. Give it alone.")
        own = _variables_at(emulator)
    errors = Console(stderr=True)
    try:
        with service_environment(env_file, env or (), own):
            settings = _settings(dotenv=env_file is None and own is None)
            asyncio.run(_print_token(settings, wish, errors))
    except (NoToken, FetchFailed, SettingsError) as error:
        print_line(errors, str(error), "red")
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        raise typer.Exit(1) from None


async def _print_token(settings: EntraSettings, wish: TokenWish, errors: Console) -> None:
    typer.echo(await _get_token(settings, wish, errors))


async def _get_token(settings: EntraSettings, wish: TokenWish, errors: Console) -> str:
    http = _http(settings)
    try:
        discovery = await fetch_discovery(http, provider_of(settings))
    except FetchFailed as failure:
        raise NoToken(_words_of(failure, settings)) from None
    endpoint = discovery.token_endpoint
    if endpoint is None:
        raise NoToken(f"The discovery document of {settings.issuer} names no token endpoint.")
    client = client_of(settings, time, lambda: discovery.browser_token_endpoint or endpoint)
    if discovery.is_local:
        if client is None:
            raise NoToken(
                "CAMUNDA_IDENTITY_CLIENT_SECRET is not set, without which the local Entra gives no token. "
                f"Have it write the variables: {START}"
            )
        return await local_token(http, endpoint, client, _for_api(wish, settings))
    _refuse_what_is_local(wish)
    wanted = scope_of(settings.client_id, wish.scopes)
    if wish.app:
        return await app_token(http, endpoint, client, wanted)

    def prompt(words: str) -> None:
        print_line(errors, words, "bold")

    return await person_token(http, endpoint, settings.client_id, client, wanted, prompt, pause)


async def pause(seconds: float) -> None:
    """Wait until it is asked again whether the person has signed in."""
    await asyncio.sleep(seconds)


def _settings(*, dotenv: bool) -> EntraSettings:
    loaded = read_settings(dotenv=dotenv)
    if loaded.settings is not None:
        return loaded.settings
    wrong = [finding for finding in loaded.findings if finding.state is State.WRONG]
    has_none = any(finding.code == "no_variables" for finding in loaded.findings)  # in the shell
    if has_none and all(" is not set" in finding.message for finding in wrong):
        raise NoToken(
            "Nothing here says whose token it is to be. Run this in the folder with the .env that "
            f"{START} writes, name a file with --env-file, or a local Entra with --emulator 8400."
        )
    raise NoToken("\n".join(f"{finding.message} {finding.remedy}".strip() for finding in wrong))


def _for_api(wish: TokenWish, settings: EntraSettings) -> TokenWish:
    """The wish with the audience that the service accepts, where it is another application's."""
    if wish.audience or settings.client_id in settings.audience:
        return wish
    return TokenWish(wish.name, wish.app, wish.roles, wish.scopes, settings.audience[0], wish.expired)


def _refuse_what_is_local(wish: TokenWish) -> None:
    given = {
        "--as": wish.name,
        "--role": wish.roles,
        "--expired": wish.expired,
        "--audience": wish.audience,
    }
    if names := [option for option, value in given.items() if value]:
        raise typer.BadParameter(
            f"{', '.join(names)}: the local Entra alone can do that. A tenant's tokens are of whoever "
            "signs in, with the roles that are assigned there, for the API of --scope."
        )


def _words_of(failure: FetchFailed, settings: EntraSettings) -> str:
    host = urlsplit(settings.issuer_backend_url).hostname or ""
    if failure.fault == "unreachable" and is_loopback(host):
        origin = "/".join(settings.issuer_backend_url.split("/")[:3])
        return f"The local Entra at {origin} does not answer. Start it: {START}"
    return f"{printable(failure.message).removesuffix('.')}. To see what is wrong, run camunda-entra doctor."


def _http(settings: EntraSettings) -> EntraHttp:
    """The service's HTTP client. No proxy of the shell's stands between it and this machine."""
    if is_loopback(urlsplit(settings.issuer_backend_url).hostname or ""):
        for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
            del os.environ[name]  # service_environment brings it back
    return entra_http(settings)


def _variables_at(address: str) -> Mapping[str, str]:
    """The variables of the default directory's application, at a port of this machine or a URL."""
    url = f"http://127.0.0.1:{address}" if _PORT.fullmatch(address) else address.rstrip("/")
    if not is_usable(url, allow_http=True) or urlsplit(url).path:
        raise typer.BadParameter(
            "--emulator must be a port or a URL, for example 8400 or http://127.0.0.1:8400."
        )
    return EntraEmulator(base_url=url).environment()
