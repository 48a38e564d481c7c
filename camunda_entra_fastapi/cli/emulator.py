"""``camunda-entra emulator``: a local Entra alone, and who asks it for what."""

import ipaddress
import shlex
import socket
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from camunda_entra_fastapi.cli.interrupts import until_interrupted, wait
from camunda_entra_fastapi.cli.invocation import invocation
from camunda_entra_fastapi.cli.local_variables import check_file, write_local_variables
from camunda_entra_fastapi.cli.request_log import RequestLog, short_domain
from camunda_entra_fastapi.cli.service import CommandError, check_port
from camunda_entra_fastapi.testing import Application, Directory, EntraEmulator, Tenant, User
from camunda_entra_fastapi.testing.directory.file import dump_directory, load_directory
from camunda_entra_fastapi.testing.directory.matching import shortest_name

_MAX_LISTED: Final = 20
_TRUST: Final = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "CAMUNDA_ENTRA_CA_BUNDLE")
_CLIENT_ID: Final = "client ID"

EXAMPLE_HEAD: Final = """\
# A directory for: camunda-entra emulator --directory FILE
# The first tenant and its first application are the ones that the six variables name.
# A secret is a text; the emulator takes what stands here, so never put a real one in.
"""


def run_emulator(
    console: Console,
    warnings: Console,
    *,
    host: str,
    port: int,
    tls: bool,
    directory_file: Path | None,
    env_file: Path | None = None,
    force: bool = False,
) -> None:
    """Start it, tell how it is used, and then of each request, until Ctrl-C.

    Args:
        console: Where to tell it.
        warnings: Where warnings go.
        host: Where it listens.
        port: 0 for any that is free.
        tls: Whether it speaks HTTPS.
        directory_file: Who there is; the default directory when left out.
        env_file: Where the variables are written.
        force: Whether the file is overwritten, whatever is in it.

    Raises:
        DirectoryError: The file describes no directory.
        CommandError: It cannot listen there, or write the file.
    """
    directory = Directory.default() if directory_file is None else load_directory(directory_file)
    if env_file is not None:
        check_file(env_file)
    _check_host(host)
    check_port(port, "--port", (host,))
    emulator = EntraEmulator(directory=directory, on_request=RequestLog(console, directory))
    with until_interrupted(), ExitStack() as stack:
        stack.enter_context(emulator.serve(host, port, tls=tls))
        written = None
        if env_file is not None:
            written = env_file, write_local_variables(env_file, _variables(emulator), force=force)
        if not _is_loopback(host):
            _print(
                warnings,
                f"Whoever reaches {host} is let in as anybody: the emulator asks for no password.",
                "yellow",
            )
        _print_instructions(console, emulator, written)
        wait()


def example_directory() -> str:
    """The default directory as YAML, to start one's own from."""
    return EXAMPLE_HEAD + dump_directory(Directory.default())


def _variables(emulator: EntraEmulator) -> dict[str, str]:
    """The variables of a service that trusts it.

    Raises:
        CommandError: There is no application, so there are none.
    """
    if not emulator.tenant.applications:
        raise CommandError(
            f"--env-file: the tenant {emulator.tenant.name} has no application, so there are no variables to "
            "write. Add one to the directory file."
        )
    trust = {_TRUST[-1]: str(emulator.ca_file)} if emulator.ca_file else {}
    return emulator.environment() | trust


def _print_instructions(console: Console, emulator: EntraEmulator, written: tuple[Path, bool] | None) -> None:
    tenant = emulator.tenant
    _print(console, f"\nA local Entra listens at {emulator.base_url}. It asks for no password.")
    if tenant.applications:
        _print(console, f"\nThe variables of {emulator.application.name}:", "bold")
        for name, value in emulator.environment().items():
            _print(console, f"{name}={value}")
    else:
        _print(console, f"\nThe tenant {tenant.name} has no application, so there are no variables to set.")
    if emulator.ca_file:
        _print(console, "\nWhat makes clients trust its certificate, as long as it runs:", "bold")
        for name in _TRUST:
            _print(console, f"{name}={emulator.ca_file}")
    if written:
        path, is_new = written
        are = "were written to" if is_new else "are already in"
        use = "A service that is started there takes them." if path.name == ".env" else ""
        _print(console, f"\nThey {are} {path}. {use}".rstrip())

    tenants = emulator.directory.tenants
    people = [(tenant, user) for tenant in tenants for user in tenant.users]
    applications = [(tenant, application) for tenant in tenants for application in tenant.applications]
    _print_table(
        console, "People", ("", "username", "tenant", "roles"), [_user_row(*each) for each in people]
    )
    _print_table(
        console,
        "Applications",
        ("", _CLIENT_ID, "tenant", "credentials"),
        [_application_row(*each) for each in applications],
    )
    _print(console, "\nWhere to look:", "bold")
    _print(console, f"{emulator.base_url}/{tenant.id}/v2.0/.well-known/openid-configuration")
    if tenant.applications and tenant.users:
        _print_token_line(console, emulator, written and written[0])
    _print(console, "\nCtrl-C ends it. What it is asked:\n")


def _print_token_line(console: Console, emulator: EntraEmulator, env_file: Path | None) -> None:
    """Print a line with a token for a route of one's own, as the first person."""
    users = [(user.name, user.username) for user in emulator.tenant.users]
    command = f"{invocation()} token --as {shlex.quote(shortest_name(users, 0))}"
    where = ""
    if env_file is not None:
        command += "" if env_file == Path(".env") else f" --env-file {shlex.quote(str(env_file))}"
    elif _variables(emulator) == EntraEmulator(base_url=emulator.base_url).environment():
        command += f" --emulator {emulator.base_url}"
    else:
        where = ", with these variables in the shell"
    _print(console, f"\nA route of your own, called by {users[0][0]}{where}:", "bold")
    _print(console, f'curl http://localhost:8000/me -H "Authorization: Bearer $({command})"')


def _user_row(tenant: Tenant, user: User) -> tuple[str, ...]:
    roles = ", ".join(role for granted in user.roles.values() for role in granted)
    flags = [
        word for word, is_so in (("administrator", user.administrator), ("guest", user.home_tenant)) if is_so
    ]
    return user.name, user.username, short_domain(tenant.domain), ", ".join(filter(None, (roles, *flags)))


def _application_row(tenant: Tenant, application: Application) -> tuple[str, ...]:
    credentials = {
        "secret": application.secrets,
        "certificate": application.certificates,
        "federated credential": application.federated_credentials,
    }
    present = ", ".join(name for name, values in credentials.items() if values)
    return application.name, application.client_id, short_domain(tenant.domain), present


def _print_table(console: Console, title: str, columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    table = Table(title, *columns[1:], box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in table.columns:
        column.overflow, column.no_wrap = "fold", column.header == _CLIENT_ID
    for row in rows[:_MAX_LISTED]:
        table.add_row(*(Text(cell) for cell in row))
    console.print()
    console.print(table)
    if len(rows) > _MAX_LISTED:
        _print(console, f"and {len(rows) - _MAX_LISTED} more")


def _print(console: Console, text: str, style: str = "") -> None:
    """To be read or copied: neither wrapped nor taken for markup."""
    console.print(text, style=style, markup=False, highlight=False, emoji=False, soft_wrap=True)


def _check_host(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        if not host:
            raise OSError  # which would mean all addresses
        socket.create_server((host, 0), family=family).close()
    except (OSError, UnicodeError):
        raise CommandError(
            f"Cannot listen on {host!r}, which is no address of this machine. "
            "Give --host 127.0.0.1 for this machine alone, or --host 0.0.0.0 for everybody."
        ) from None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
