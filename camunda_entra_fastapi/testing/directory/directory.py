"""The directory: all tenants."""

from dataclasses import replace

from pydantic.dataclasses import dataclass

from camunda_entra_fastapi.testing.directory.applications import Application
from camunda_entra_fastapi.testing.directory.default import default_tenants
from camunda_entra_fastapi.testing.directory.names import duplicates, raise_problems
from camunda_entra_fastapi.testing.directory.references import unknown_references
from camunda_entra_fastapi.testing.directory.shapes import STRICT
from camunda_entra_fastapi.testing.directory.tenants import Tenant


@dataclass(frozen=True, slots=True, config=STRICT)
class Directory:
    """All tenants. The first one, its first application and its first user are the defaults.

    Raises:
        ValueError: A name is there twice, or a reference leads nowhere.
    """

    tenants: tuple[Tenant, ...]

    def __post_init__(self) -> None:
        if not self.tenants:
            raise ValueError("A directory needs at least one tenant.")
        registered = (app.client_id for tenant in self.tenants for app in tenant.applications)
        tenants = (name for each in self.tenants for name in (each.id, each.domain.lower()))
        raise_problems((*duplicates("tenant", tenants), *duplicates("client ID", registered)))
        raise_problems(unknown_references(self.tenants, self.application_in))

    def tenant(self, name: str) -> Tenant | None:
        """The tenant with that ID or domain; letter case does not matter."""
        normalized = name.lower()
        known = (each for each in self.tenants if normalized in (each.id, each.domain.lower()))
        return next(known, None)

    def home_of(self, client_id: str) -> Tenant | None:
        """The tenant in which an application is registered."""
        tenants = (
            tenant for tenant in self.tenants if client_id in (a.client_id for a in tenant.applications)
        )
        return next(tenants, None)

    def application_in(self, tenant: Tenant, name: str) -> Application | None:
        """The application with that client ID or App ID URI that users of the tenant can use."""
        elsewhere = (each.application(name) for each in self.tenants if each is not tenant)
        return tenant.application(name) or next(
            (app for app in elsewhere if app and (app.for_many_tenants or app.for_personal_accounts)), None
        )

    def with_tenant(self, tenant: Tenant) -> "Directory":
        """A copy of the directory with one tenant changed."""
        return replace(self, tenants=tuple(tenant if each.id == tenant.id else each for each in self.tenants))

    @classmethod
    def default(cls) -> "Directory":
        """An Operate registered as Camunda's guide says, users, a daemon, and a second tenant."""
        return cls(default_tenants())
