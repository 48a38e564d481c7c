"""Stands for the database of customers: which organizations may order."""

CUSTOMERS: set[str] = set()
"""Tenant IDs."""


async def is_customer(tenant_id: str) -> bool:
    """Whether people of that tenant may order."""
    return tenant_id in CUSTOMERS
