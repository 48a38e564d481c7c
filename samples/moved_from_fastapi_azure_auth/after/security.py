"""Who may do what."""

from hmac import compare_digest
from typing import Annotated

from fastapi import Depends
from fastapi.security import APIKeyHeader
from fastapi_azure_auth.exceptions import UnauthorizedHttp
from fastapi_azure_auth.user import User

from camunda_entra_fastapi import CamundaEntra, EntraSettings
from moved_from_fastapi_azure_auth.after.customers import is_customer
from moved_from_fastapi_azure_auth.after.settings import settings

entra = CamundaEntra(scheme_name="AzureAD_PKCE_single_tenant")
employees = entra.current_user
must_be_admin = entra.require(roles=["Orders.Admin"])

COMMON = "https://login.microsoftonline.com/common/v2.0"
partner_entra = CamundaEntra(
    EntraSettings(issuer=COMMON, issuer_backend_url=COMMON, allowed_tenants="function"),
    scheme_name="AzureAD_PKCE_multi_tenant",
    tenant_allowed=is_customer,
)
partners = partner_entra.optional_user
machine_key = APIKeyHeader(name="X-Orders-Key", auto_error=False)


async def partner_or_machine(
    user: Annotated[User | None, Depends(partners)], key: Annotated[str | None, Depends(machine_key)]
) -> str:
    """A customer's person, or a machine with our key."""
    if user:
        return user.tid or "unknown"
    if key and compare_digest(key, settings.machine_key):
        return "machine"
    raise UnauthorizedHttp("Send a bearer token or a key.")
