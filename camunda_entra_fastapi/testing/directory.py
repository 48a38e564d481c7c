"""Who there is: tenants with their users and applications, as an administrator would set them up."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

Platform = Literal["web", "spa", "public"]

CONTOSO: Final = "c0de0000-1111-4222-8333-444455556666"
OPERATE: Final = "0be7a7e0-1111-4222-8333-444455556666"
BILLING: Final = "b1111109-1111-4222-8333-444455556666"
UNRELATED: Final = "0ddba110-1111-4222-8333-444455556666"


@dataclass(frozen=True, slots=True)
class User:
    """A person in a tenant.

    Attributes:
        id: The object ID, unique in the directory.
        name: The name that people see.
        username: The user principal name.
        roles: App roles, by the client ID of the application that defines them.
        groups: Object IDs of groups.
        home_tenant: The tenant of a guest; None for a member.
        email: The e-mail address; the user principal name when left out.
    """

    id: str
    name: str
    username: str
    roles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    groups: tuple[str, ...] = ()
    home_tenant: str | None = None
    email: str = ""

    @property
    def address(self) -> str:
        """The e-mail address that tokens tell."""
        return self.email or self.username


@dataclass(frozen=True, slots=True)
class Application:
    """An app registration with its service principal.

    Attributes:
        client_id: The application (client) ID.
        name: The display name.
        secrets: Client secrets; none makes it a public client.
        redirect_uris: Where it may be answered, each with its platform.
        identifier_uris: App ID URIs, by which scopes name it besides the client ID.
        scopes: The delegated permissions that it exposes.
        app_roles: The roles that it defines, for people and applications.
        granted_roles: Roles of other applications granted to it, by their client IDs.
        requested_access_token_version: 2, or 1 or None for tokens of version 1.0.
        id: The service principal's object ID; derived from the client ID when left out.
    """

    client_id: str
    name: str
    secrets: tuple[str, ...] = field(default=(), repr=False)
    redirect_uris: Mapping[str, Platform] = field(default_factory=dict)
    identifier_uris: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    app_roles: tuple[str, ...] = ()
    granted_roles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    requested_access_token_version: Literal[1, 2] | None = 2
    id: str = ""

    @property
    def object_id(self) -> str:
        """The service principal's object ID, which is another one than the client ID."""
        return self.id or self.client_id[::-1].replace("-", "")[:8] + self.client_id[8:]


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant: its ID, a verified domain, its people and applications."""

    id: str
    name: str
    domain: str
    users: tuple[User, ...] = ()
    applications: tuple[Application, ...] = ()

    def application(self, name: str) -> Application | None:
        """The application of that client ID or App ID URI."""
        known = (app for app in self.applications if name in (app.client_id, *app.identifier_uris))
        return next(known, None)

    def user(self, id_or_name: str) -> User | None:
        """The user of that object ID, username or display name."""
        known = (user for user in self.users if id_or_name in (user.id, user.username, user.name))
        return next(known, None)


@dataclass(frozen=True, slots=True)
class Directory:
    """All tenants. The first one, its first application and its first user are the defaults.

    Raises:
        ValueError: Something is there twice, or grants what does not exist.
    """

    tenants: tuple[Tenant, ...]

    def __post_init__(self) -> None:
        if not self.tenants:
            raise ValueError("A directory needs at least one tenant.")
        names = ((tenant.id.lower(), tenant.domain.lower()) for tenant in self.tenants)
        _refuse_doubles("tenant", (name for each in names for name in each))
        for tenant in self.tenants:
            _refuse_doubles("user", (user.id for user in tenant.users))
            _refuse_doubles("username", (user.username for user in tenant.users))
            applications = ((app.client_id, *app.identifier_uris) for app in tenant.applications)
            _refuse_doubles("application", (name for each in applications for name in each))
            _check_grants(tenant)

    def tenant(self, name: str) -> Tenant | None:
        """The tenant of that ID or domain, in any case."""
        wanted = name.lower()
        known = (each for each in self.tenants if wanted in (each.id.lower(), each.domain.lower()))
        return next(known, None)

    @classmethod
    def default(cls) -> "Directory":
        """One tenant with an Operate registered as Camunda's guide says, people, and a daemon."""
        local = ("http://localhost:8000", "http://127.0.0.1:8000")
        operate = Application(
            OPERATE,
            "Operate",
            secrets=("local-emulator-secret-of-operate",),
            redirect_uris={
                **{f"{origin}/auth/login-callback": "web" for origin in local},
                **{f"{origin}/docs/oauth2-redirect": "spa" for origin in local},
            },
            identifier_uris=(f"api://{OPERATE}",),
            scopes=("access_as_user", "Incidents.Read"),
            app_roles=("Operate.Admin", "Incidents.Read.All"),
        )
        billing = Application(
            BILLING,
            "Billing job",
            secrets=("local-emulator-secret-of-billing",),
            granted_roles={OPERATE: ("Incidents.Read.All",)},
        )
        unrelated = Application(
            UNRELATED,
            "Unrelated API",
            identifier_uris=(f"api://{UNRELATED}",),
            scopes=("access_as_user",),
            requested_access_token_version=None,
        )
        users = (
            User(
                "be110000-0000-4000-8000-000000000002",
                "Ben Reader",
                "ben@contoso.example",
                groups=("9a0b0000-0000-4000-8000-000000000002",),
            ),
            User(
                "ada00000-0000-4000-8000-000000000001",
                "Ada Admin",
                "ada@contoso.example",
                roles={OPERATE: ("Operate.Admin",)},
                groups=("9a0b0000-0000-4000-8000-000000000001", "9a0b0000-0000-4000-8000-000000000002"),
            ),
            User(
                "6ab10000-0000-4000-8000-000000000003",
                "Gabi Guest",
                "gabi_fabrikam.example#EXT#@contoso.example",
                groups=("9a0b0000-0000-4000-8000-000000000003",),
                home_tenant="fab00000-1111-4222-8333-444455556666",
                email="gabi@fabrikam.example",
            ),
        )
        applications = (operate, billing, unrelated)
        return cls((Tenant(CONTOSO, "Contoso Workflow", "contoso.onmicrosoft.com", users, applications),))


def _refuse_doubles(kind: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"The {kind} {name!r} is in the directory twice.")
        seen.add(name)


def _check_grants(tenant: Tenant) -> None:
    grants = [(user.name, user.roles) for user in tenant.users]
    grants += [(app.name, app.granted_roles) for app in tenant.applications]
    for name, granted in grants:
        for client_id, roles in granted.items():
            resource = tenant.application(client_id)
            if resource is None:
                raise ValueError(f"{name} has roles of the application {client_id!r}, which does not exist.")
            if unknown := [role for role in roles if role not in resource.app_roles]:
                raise ValueError(f"{name} has the role {unknown[0]!r}, unknown to {resource.name}.")
