"""Whether a client is the one that it says it is."""

from camunda_entra_fastapi.testing.clients.assertions import check_assertion
from camunda_entra_fastapi.testing.clients.issuers import Issuers
from camunda_entra_fastapi.testing.clients.presented import Presented, check_secret
from camunda_entra_fastapi.testing.directory import Application
from camunda_entra_fastapi.testing.protocol.aadsts import Aadsts
from camunda_entra_fastapi.testing.protocol.realm import Realm
from camunda_entra_fastapi.testing.tokens.minting import ClientLevel, issuer_of
from camunda_entra_fastapi.testing.world.world import World


async def authenticate(world: World, realm: Realm, client: Application, shown: Presented) -> ClientLevel:
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
        check_secret(client, shown.secret or "", world.now())
        return "1"
    own = [
        issuer_of(tenant, world.base_url, v1=v1) for tenant in world.directory.tenants for v1 in (True, False)
    ]
    await check_assertion(
        shown.assertion,
        client=client,
        audiences=_names_of_endpoint(world, realm),
        issuers=Issuers(own, world.keys, world.outgoing),
        now=world.now(),
    )
    return "2"


def _names_of_endpoint(world: World, realm: Realm) -> set[str]:
    """The token endpoint, by all names that the tenant has, and the tenant's issuer."""
    segments = {realm.segment}
    if realm.tenant:
        segments |= {realm.tenant.id, realm.tenant.domain}
    roots = [f"{world.base_url}/{segment}" for segment in segments]
    return {f"{root}/{path}" for root in roots for path in ("oauth2/v2.0/token", "oauth2/token", "v2.0")}
