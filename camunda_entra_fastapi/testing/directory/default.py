"""The tenants of the default directory."""

from typing import Final

from camunda_entra_fastapi.testing.directory.applications import Application, OptionalClaims, Platform, Scope
from camunda_entra_fastapi.testing.directory.people import Group, User
from camunda_entra_fastapi.testing.directory.tenants import Tenant

CONTOSO: Final = "c0de0000-1111-4222-8333-444455556666"
FABRIKAM: Final = "fab00000-1111-4222-8333-444455556666"
OPERATE: Final = "0be7a7e0-1111-4222-8333-444455556666"
BILLING: Final = "b1111109-1111-4222-8333-444455556666"
UNRELATED: Final = "0ddba110-1111-4222-8333-444455556666"

_ADMINISTRATORS: Final = Group("Operate administrators", "9a0b0000-0000-4000-8000-000000000001")
_STAFF: Final = Group("Staff", "9a0b0000-0000-4000-8000-000000000002")
_PARTNERS: Final = Group("Partners", "9a0b0000-0000-4000-8000-000000000003")


def default_tenants() -> tuple[Tenant, ...]:
    """An Operate registered as Camunda's guide says, users, a daemon, and a second tenant."""
    contoso = Tenant(
        CONTOSO,
        "Contoso Workflow",
        "contoso.onmicrosoft.com",
        users=(
            User(
                "ben@contoso.example", "Ben Reader", "be110000-0000-4000-8000-000000000002", groups=("Staff",)
            ),
            User(
                "ada@contoso.example",
                "Ada Admin",
                "ada00000-0000-4000-8000-000000000001",
                roles={OPERATE: ("Operate.Admin",)},
                groups=(_ADMINISTRATORS.name, _STAFF.name),
                administrator=True,
            ),
            User(
                "gabi_fabrikam.example#EXT#@contoso.example",
                "Gabi Guest",
                "6ab10000-0000-4000-8000-000000000003",
                groups=(_PARTNERS.name,),
                home_tenant=FABRIKAM,
                email="gabi@fabrikam.example",
            ),
        ),
        applications=(_operate(), _billing(), _unrelated()),
        groups=(_ADMINISTRATORS, _STAFF, _PARTNERS),
    )
    fabrikam = Tenant(
        FABRIKAM,
        "Fabrikam",
        "fabrikam.onmicrosoft.com",
        users=(User("gabi@fabrikam.example", "Gabi Guest", "6ab10000-0000-4000-8000-000000000004"),),
    )
    return contoso, fabrikam


def _operate() -> Application:
    origins = ("http://localhost:8000", "http://127.0.0.1:8000")
    paths = ("/auth/login-callback", "/docs/oauth2-redirect", "/auth/admin-consent-callback")
    web: dict[str, Platform] = {f"{origin}{path}": "web" for origin in origins for path in paths}
    spa: dict[str, Platform] = {f"{origin}/": "spa" for origin in origins}
    return Application(
        OPERATE,
        "Operate",
        secrets=("local-emulator-secret-of-operate",),
        redirect_uris=web | spa,
        identifier_uris=(f"api://{OPERATE}",),
        scopes=(
            Scope("access_as_user", "Use Operate as you"),
            Scope("Incidents.Read", "Read the incidents that you may see"),
        ),
        app_roles=("Operate.Admin", "Incidents.Read.All"),
        group_membership_claims="SecurityGroup",
        optional_claims=OptionalClaims(id_token=("login_hint", "sid")),
        logout_url="http://localhost:8000/auth/front-channel-logout",
    )


def _billing() -> Application:
    return Application(
        BILLING,
        "Billing job",
        secrets=("local-emulator-secret-of-billing",),
        granted_roles={OPERATE: ("Incidents.Read.All",)},
    )


def _unrelated() -> Application:
    return Application(
        UNRELATED,
        "Unrelated API",
        identifier_uris=(f"api://{UNRELATED}",),
        scopes=("access_as_user",),
        requested_access_token_version=None,
    )
