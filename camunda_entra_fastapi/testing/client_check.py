"""Whether a client is the one that it says it is."""

from typing import TYPE_CHECKING

from camunda_entra_fastapi.testing.aadsts import Aadsts
from camunda_entra_fastapi.testing.access import Realm
from camunda_entra_fastapi.testing.assertions import check_assertion
from camunda_entra_fastapi.testing.clients import Presented, check_secret
from camunda_entra_fastapi.testing.directory import Application
from camunda_entra_fastapi.testing.issuers import Issuers
from camunda_entra_fastapi.testing.minting import ClientLevel, issuer_of

if TYPE_CHECKING:
    from camunda_entra_fastapi.testing.emulator import EntraEmulator


async def authenticate(
    emulator: "EntraEmulator", realm: Realm, client: Application, shown: Presented
) -> ClientLevel:
    """How the client proved who it is.

    Raises:
        Aadsts: 7000218, it did not; 700025, it is public and must not; or those of what it showed.
    """
    if shown.is_bare:
        raise Aadsts(
            7000218,
            "invalid_client",
            "The request must have the parameter 'client_secret' or 'client_assertion'.",
        )
    if not client.is_confidential:
        raise Aadsts(
            700025, "invalid_client", f"'{client.name}' has no credentials, so it must not present any."
        )
    if shown.assertion is None:
        check_secret(client, shown.secret or "", emulator.now())
        return "1"
    own = [
        issuer_of(tenant, emulator.base_url, v1=v1)
        for tenant in emulator.directory.tenants
        for v1 in (True, False)
    ]
    await check_assertion(
        shown.assertion,
        client=client,
        audiences=_names_of_endpoint(emulator, realm),
        issuers=Issuers(own, emulator.keys, emulator.outgoing),
        now=emulator.now(),
    )
    return "2"


def _names_of_endpoint(emulator: "EntraEmulator", realm: Realm) -> set[str]:
    """The token endpoint, by all names that the tenant has, and the tenant's issuer."""
    segments = {realm.segment}
    if realm.tenant:
        segments |= {realm.tenant.id, realm.tenant.domain}
    roots = [f"{emulator.base_url}/{segment}" for segment in segments]
    return {f"{root}/{path}" for root in roots for path in ("oauth2/v2.0/token", "oauth2/token", "v2.0")}
