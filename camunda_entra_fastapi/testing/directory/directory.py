"""The directory: all tenants."""

from dataclasses import replace

from pydantic.dataclasses import dataclass

from camunda_entra_fastapi.testing.directory.applications import Application
from camunda_entra_fastapi.testing.directory.default import default_tenants
from camunda_entra_fastapi.testing.directory.names import doubles, refuse
from camunda_entra_fastapi.testing.directory.references import unknown_references
from camunda_entra_fastapi.testing.directory.shapes import STRICT
from camunda_entra_fastapi.testing.directory.tenants import Tenant


@dataclass(frozen=True, slots=True, config=STRICT)
class Directory:
    """All tenants. The first one, its first application and its first user are the defaults.

    Raises:
        ValueError: Something is there twice, or names what does not exist.
    """

    tenants: tuple[Tenant, ...]

    def __post_init__(self) -> None:
        if not self.tenants:
            raise ValueError("A directory needs at least one tenant.")
        registered = (app.client_id for tenant in self.tenants for app in tenant.applications)
        tenants = (name for each in self.tenants for name in (each.id, each.domain.lower()))
        refuse((*doubles("tenant", tenants), *doubles("client ID", registered)))
        refuse(unknown_references(self.tenants, self.application_in))

    def tenant(self, name: str) -> Tenant | None:
        """The tenant of that ID or domain, in any case."""
        wanted = name.lower()
        known = (each for each in self.tenants if wanted in (each.id, each.domain.lower()))
        return next(known, None)

    def home_of(self, client_id: str) -> Tenant | None:
        """The tenant in which an application is registered."""
        homes = (tenant for tenant in self.tenants if client_id in (a.client_id for a in tenant.applications))
        return next(homes, None)

    def application_in(self, tenant: Tenant, name: str) -> Application | None:
        """The application of that client ID or App ID URI that people of the tenant can use."""
        elsewhere = (each.application(name) for each in self.tenants if each is not tenant)
        return tenant.application(name) or next(
            (app for app in elsewhere if app and (app.for_many_tenants or app.for_personal_accounts)), None
        )

    def with_tenant(self, tenant: Tenant) -> "Directory":
        """The same with one tenant changed."""
        return replace(self, tenants=tuple(tenant if each.id == tenant.id else each for each in self.tenants))

    @classmethod
    def default(cls) -> "Directory":
        """An Operate registered as Camunda's guide says, people, a daemon, and a second tenant."""
        return cls(default_tenants())
