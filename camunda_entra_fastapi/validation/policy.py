"""What this service accepts: one frozen value, made from the settings, read by every rule."""

from dataclasses import dataclass, field
from typing import Final

TENANT_PLACEHOLDER: Final = "{tenantid}"
"""As Entra writes it in the issuer of its ``common`` documents (Learn: access tokens)."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Who may have issued a token, for whom, to whom, and how exact the clocks are.

    ``issuer`` is compared to ``iss`` exactly; ``{tenantid}`` in it stands for the token's ``tid``.
    """

    issuer: str
    audiences: frozenset[str]
    client_id: str
    """This API's own, for messages that say which scope to ask for."""
    tenant: str | None = None
    """The GUID that ``tid`` must be, where the issuer names a single workforce tenant."""
    v1_issuer: str | None = None
    """The issuer of this tenant's v1.0 tokens; None where there are no such tokens."""
    accept_v1: bool = False
    allowed_tenants: frozenset[str] | None = field(default=frozenset())
    """Lower-case GUIDs for issuers with ``{tenantid}``; None lets every tenant in."""
    allowed_clients: frozenset[str] = frozenset()
    """Lower-case client IDs; empty lets every client in."""
    allow_guests: bool = True
    clock_skew: float = 60
    """Seconds of leeway on ``exp``, ``nbf`` and ``iat``."""

    multi_tenant: bool = field(init=False)
    """Whether the issuer stands for more tenants than one."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "multi_tenant", TENANT_PLACEHOLDER in self.issuer)

    def issuer_of(self, tenant: str) -> str:
        """The v2.0 issuer of that tenant's tokens."""
        return self.issuer.replace(TENANT_PLACEHOLDER, tenant) if self.multi_tenant else self.issuer

    def v1_issuer_of(self, tenant: str) -> str | None:
        """The v1.0 issuer of that tenant's tokens, where there is one."""
        return self.v1_issuer and self.v1_issuer.replace(TENANT_PLACEHOLDER, tenant)
