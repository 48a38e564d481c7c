"""The directory: tenants with their users, groups and applications, as an administrator would set them up."""

from camunda_entra_fastapi.testing.directory.applications import (
    Application,
    FederatedCredential,
    OptionalClaims,
    Platform,
    Scope,
    Secret,
)
from camunda_entra_fastapi.testing.directory.default import (
    BILLING,
    CONTOSO,
    OPERATE,
    UNRELATED,
)
from camunda_entra_fastapi.testing.directory.directory import Directory
from camunda_entra_fastapi.testing.directory.people import Group, User
from camunda_entra_fastapi.testing.directory.tenants import (
    CONSUMERS,
    ConditionalAccess,
    Consent,
    Tenant,
)

__all__ = [
    "BILLING",
    "CONSUMERS",
    "CONTOSO",
    "OPERATE",
    "UNRELATED",
    "Application",
    "ConditionalAccess",
    "Consent",
    "Directory",
    "FederatedCredential",
    "Group",
    "OptionalClaims",
    "Platform",
    "Scope",
    "Secret",
    "Tenant",
    "User",
]
