"""Who may do what."""

from hmac import compare_digest
from typing import Annotated

from fastapi import Depends
from fastapi.security import APIKeyHeader
from fastapi_azure_auth import (
    MultiTenantAzureAuthorizationCodeBearer,
    SingleTenantAzureAuthorizationCodeBearer,
)
from fastapi_azure_auth.exceptions import ForbiddenHttp, UnauthorizedHttp
from fastapi_azure_auth.user import User

from moved_from_fastapi_azure_auth.before.customers import is_customer
from moved_from_fastapi_azure_auth.before.settings import settings

SCOPES = {f"api://{settings.client_id}/Orders.Read": "See orders"}

employees = SingleTenantAzureAuthorizationCodeBearer(
    app_client_id=settings.client_id, tenant_id=settings.tenant_id, scopes=SCOPES
)


async def issuer_of(tid: str) -> str:
    """The issuer of a customer's tokens."""
    if not await is_customer(tid):
        raise UnauthorizedHttp("Your organization is no customer.")
    return f"https://login.microsoftonline.com/{tid}/v2.0"


partners = MultiTenantAzureAuthorizationCodeBearer(
    app_client_id=settings.client_id, scopes=SCOPES, iss_callable=issuer_of, auto_error=False
)
machine_key = APIKeyHeader(name="X-Orders-Key", auto_error=False)


async def must_be_admin(user: Annotated[User, Depends(employees)]) -> User:
    """The user, who has the role."""
    if "Orders.Admin" not in user.roles:
        raise ForbiddenHttp("This takes the role Orders.Admin.")
    return user


async def partner_or_machine(
    user: Annotated[User | None, Depends(partners)], key: Annotated[str | None, Depends(machine_key)]
) -> str:
    """A customer's person, or a machine with our key."""
    if user:
        return user.tid or "unknown"
    if key and compare_digest(key, settings.machine_key):
        return "machine"
    raise UnauthorizedHttp("Send a bearer token or a key.")
