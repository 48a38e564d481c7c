"""The page of the local Entra: written by hand, but for who is in its directory."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from camunda_entra_fastapi.testing import Directory
from tests.docs.reference.markdown import table

NAME: Final = "local-entra.md"
PATH: Final = Path(__file__).parents[3] / "docs/reference" / NAME
_DIRECTORY: Final = re.compile(r"(<!-- generated: directory -->\n).*?(<!-- generated: end -->)", re.DOTALL)


def page() -> str:
    """The page, with the tables of the default directory."""
    text = PATH.read_text(encoding="utf-8")
    assert _DIRECTORY.search(text), f"{NAME} says where its directory stands"
    return _DIRECTORY.sub(lambda match: f"{match[1]}\n{directory()}\n\n{match[2]}", text)


def directory() -> str:
    """People and applications of the default directory."""
    people = table(["person", "username", "has"], _people())
    return f"{people}\n\n{table(['application', 'client ID', 'has'], _applications())}"


def _people() -> Iterator[list[str]]:
    for tenant in Directory.default().tenants:
        for user in tenant.users:
            roles = [f"`{role}`" for names in user.roles.values() for role in names]
            has = [
                *roles,
                *["administrator"] * user.administrator,
                *["guest"] * (user.home_tenant is not None),
            ]
            yield [user.name, f"`{user.username}`", ", ".join(has) or f"in {tenant.name}"]


def _applications() -> Iterator[list[str]]:
    for tenant in Directory.default().tenants:
        for application in tenant.applications:
            has = [f"secret `{getattr(one, 'value', one)}`" for one in application.secrets]
            has += [f"role `{role}`" for names in application.granted_roles.values() for role in names]
            yield [application.name, f"`{application.client_id}`", ", ".join(has) or "no credential"]
