"""The tokens that this service accepts: one frozen value from the settings, read by every rule."""

from dataclasses import dataclass, field, replace
from typing import Final

TENANT_PLACEHOLDER: Final = "{tenantid}"
"""As Entra writes it in the issuer of its ``common`` documents (Learn: access tokens)."""
PERSONAL_TENANT: Final = "9188040d-6c67-4c5b-b112-36a304b66dad"
"""The tenant of all personal Microsoft accounts (Learn: ID token claims, ``tid``)."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The accepted issuers, audiences, tenants and clients, and the clock skew.

    ``issuer`` is compared to ``iss`` exactly; ``{tenantid}`` in it stands for the token's ``tid``.
    """

    issuer: str
    audiences: frozenset[str]
    client_id: str
    """This API's client ID, for messages that name the scope to request."""
    tenant: str | None = None
    """The required ``tid``, a GUID, where the issuer names a single workforce tenant."""
    v1_issuer: str | None = None
    """The issuer of this tenant's v1.0 tokens; None where there are no such tokens."""
    accept_v1: bool = False
    allowed_tenants: frozenset[str] | None = field(default=frozenset())
    """Lower-case GUIDs for issuers with ``{tenantid}``; None allows every tenant."""
    asks_about_tenants: bool = False
    """Whether the application decides about all other tenants, once these checks have passed."""
    organizations_only: bool = False
    """Whether every tenant is every organization's: personal accounts must be among ``allowed_tenants``."""
    allowed_clients: frozenset[str] = frozenset()
    """Lower-case client IDs; empty allows every client."""
    requires_permissions: bool = True
    """Whether an access token must have a scope, a role, or an allowed client."""
    allow_guests: bool = True
    has_customers: bool = False
    """Whether it is a customers' tenant (B2C, External ID), which has no guests, whatever its domain is."""
    clock_skew: float = 60
    """Seconds of leeway on ``exp``, ``nbf`` and ``iat``."""

    multi_tenant: bool = field(init=False)
    """Whether the issuer stands for several tenants."""
    only_v2_issuer: str | None = field(init=False)
    """The issuer where it stands for one tenant, and no v1.0 token can have it; else None."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "multi_tenant", TENANT_PLACEHOLDER in self.issuer)
        v1_start = self.v1_issuer and self.v1_issuer.partition(TENANT_PLACEHOLDER)[0]
        is_only = not (self.multi_tenant or (v1_start and self.issuer.startswith(v1_start)))
        object.__setattr__(self, "only_v2_issuer", self.issuer if is_only else None)

    def for_own_sign_ins(self) -> "Policy":
        """The policy for access tokens that this service itself requests when people sign in.

        Such a token names this service as its client, whichever other clients are allowed. It says who
        signed in. A registration that exposes no scope and has no app role gives it no permission, and
        needs none for that.
        """
        allowed_clients = self.allowed_clients and self.allowed_clients | {self.client_id.lower()}
        return replace(self, allowed_clients=allowed_clients, requires_permissions=False)

    def lists(self, tenant: str) -> bool:
        """Whether the tenant is one of those that are let in, or all are."""
        return self.allowed_tenants is None or tenant.lower() in self.allowed_tenants

    def issuer_of(self, tenant: str) -> str:
        """The v2.0 issuer of that tenant's tokens."""
        return self.issuer.replace(TENANT_PLACEHOLDER, tenant) if self.multi_tenant else self.issuer

    def v1_issuer_of(self, tenant: str) -> str | None:
        """The v1.0 issuer of that tenant's tokens, where there is one."""
        return self.v1_issuer and self.v1_issuer.replace(TENANT_PLACEHOLDER, tenant)
