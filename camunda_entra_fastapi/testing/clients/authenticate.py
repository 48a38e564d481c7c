"""Client authentication at the token endpoint (RFC 6749, 2.3)."""

from camunda_entra_fastapi.testing.clients.assertions import check_assertion
from camunda_entra_fastapi.testing.clients.credentials import PresentedCredentials, check_secret
from camunda_entra_fastapi.testing.clients.issuers import Issuers
from camunda_entra_fastapi.testing.directory import Application
from camunda_entra_fastapi.testing.protocol.aadsts import AadstsError
from camunda_entra_fastapi.testing.protocol.realm import Realm
from camunda_entra_fastapi.testing.tokens.minting import ClientAuthMethod, issuer_of
from camunda_entra_fastapi.testing.world.world import World


async def authenticate_client(
    world: World, realm: Realm, client: Application, credentials: PresentedCredentials
) -> ClientAuthMethod:
    """Authenticate the client; gives the method that it used.

    Raises:
        AadstsError: 7000218, it presents no credential; 700025, it is public and must present none; or those
            of its credential.
    """
    if not credentials.has_credential:
        raise AadstsError(
            7000218,
            "invalid_client",
            "The request must have the parameter 'client_secret' or 'client_assertion'.",
        )
    if not client.is_confidential:
        raise AadstsError(
            700025, "invalid_client", f"'{client.name}' has no credentials, so it must not present any."
        )
    if credentials.assertion is None:
        check_secret(client, credentials.secret or "", world.now())
        return "1"
    own = [
        issuer_of(tenant, world.base_url, v1=v1) for tenant in world.directory.tenants for v1 in (True, False)
    ]
    await check_assertion(
        credentials.assertion,
        client=client,
        audiences=_token_endpoint_names(world, realm),
        issuers=Issuers(own, world.keys, world.outgoing),
        now=world.now(),
    )
    return "2"


def _token_endpoint_names(world: World, realm: Realm) -> set[str]:
    """The token endpoint by all names of the tenant, and the tenant's issuer."""
    segments = {realm.segment}
    if realm.tenant:
        segments |= {realm.tenant.id, realm.tenant.domain}
    roots = [f"{world.base_url}/{segment}" for segment in segments]
    return {f"{root}/{path}" for root in roots for path in ("oauth2/v2.0/token", "oauth2/token", "v2.0")}
