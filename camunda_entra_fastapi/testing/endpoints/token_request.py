"""A request at the token endpoint, and the sign-in that it renews or narrows."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from camunda_entra_fastapi.testing.clients.authenticate import authenticate
from camunda_entra_fastapi.testing.clients.presented import Presented
from camunda_entra_fastapi.testing.directory import Application, Tenant, User
from camunda_entra_fastapi.testing.endpoints.consents import Consents
from camunda_entra_fastapi.testing.protocol.aadsts import Aadsts
from camunda_entra_fastapi.testing.protocol.conditional_access import ClaimsRequest, Demand, read_claims
from camunda_entra_fastapi.testing.protocol.realm import (
    Realm,
    check_assignment,
    check_person,
    find_application,
)
from camunda_entra_fastapi.testing.protocol.scopes import (
    find_resource,
    names_no_resource,
    read_scope,
)
from camunda_entra_fastapi.testing.tokens.minting import ClientLevel
from camunda_entra_fastapi.testing.world.state import SignIn, State
from camunda_entra_fastapi.testing.world.world import World


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A request at the token endpoint, from a client that is known but not yet believed."""

    world: World
    realm: Realm
    client: Application
    presented: Presented
    parameters: Mapping[str, str]
    origin: str | None
    claims: ClaimsRequest

    @property
    def wants_client_info(self) -> bool:
        """Whether Microsoft's clients ask where the account is at home."""
        return self.parameters.get("client_info") == "1"

    async def authenticate(self) -> ClientLevel:
        """How the client proved who it is.

        Raises:
            Aadsts: It did not.
        """
        return await authenticate(self.world, self.realm, self.client, self.presented)


Redeem = Callable[[TokenRequest], Awaitable[dict[str, Any]]]


def read_token_request(
    world: World,
    realm: Realm,
    parameters: Mapping[str, str],
    presented: Presented,
    origin: str | None,
) -> TokenRequest:
    """The request, once its client is found.

    Raises:
        Aadsts: 901002, or those of ``find_application`` and ``read_claims``.
    """
    if "resource" in parameters:
        raise Aadsts(901002, "invalid_request", "The parameter 'resource' is of version 1.0; use 'scope'.")
    client = find_application(realm, presented.client_id)
    claims = read_claims(parameters.get("claims"))
    return TokenRequest(world, realm, client, presented, parameters, origin, claims)


def tenant_of(request: TokenRequest) -> Tenant:
    """The tenant, where nothing else tells which.

    Raises:
        Aadsts: 50059.
    """
    if request.realm.tenant is None:
        raise Aadsts(
            50059,
            "invalid_request",
            f"Nothing tells which tenant /{request.realm.segment} means. Use the tenant's ID or domain.",
        )
    return request.realm.tenant


def refuse_revoked(state: State, sign_in: SignIn) -> None:
    """Refuse what was issued before a person's sign-ins were revoked.

    Raises:
        Aadsts: 50173.
    """
    if state.is_revoked(sign_in):
        raise Aadsts(
            50173,
            "invalid_grant",
            f"The sign-ins of {sign_in.user.name} were revoked. Let the person sign in again.",
            suberror="bad_token",
        )


def renewed(request: TokenRequest, sign_in: SignIn) -> SignIn:
    """The sign-in with its person and application as the directory knows them now.

    At another tenant's endpoint, it is that tenant's for those who are guests there, or at home: refresh
    tokens are bound to person and application alone (Learn: refresh tokens).

    Raises:
        Aadsts: 50020, the other tenant does not have the person; 50034, the person is gone; or those of
            ``refuse_revoked``, ``check_person`` and ``check_assignment``.
    """
    refuse_revoked(request.world.state, sign_in)
    tenant = request.world.directory.tenant(sign_in.tenant.id)
    user = tenant.user(sign_in.user.id) if tenant else None
    if tenant is None or user is None:
        raise Aadsts(
            50034,
            "invalid_grant",
            f"The account of {sign_in.user.name} is not in '{sign_in.tenant.name}' any more.",
            suberror="bad_token",
        )
    check_person(tenant, user)
    if not request.realm.is_endpoint_of(tenant):
        tenant, user = _elsewhere(request, tenant, user)
        check_person(tenant, user)
    check_assignment(tenant, user, request.client)
    return replace(sign_in, tenant=tenant, user=user, client=request.client)


def narrow(request: TokenRequest, sign_in: SignIn) -> SignIn:
    """The sign-in for the scope and the claims that the redemption names, if it names some.

    Raises:
        Aadsts: 65001, there is no consent; or those of ``read_scope``, ``find_resource``, policies and
            ``check_assignment``.
    """
    tenant, user, asked = sign_in.tenant, sign_in.user, sign_in.asked
    consents = Consents(request.world.state, tenant, request.client)
    if "scope" in request.parameters:
        named = read_scope(request.parameters["scope"], request.world.directory, tenant, request.client)
        kept = asked if names_no_resource(request.parameters["scope"]) else named
        asked = replace(kept, oidc=tuple(dict.fromkeys((*asked.oidc, *named.oidc))))
    resource = find_resource(asked.resource.client_id, request.world.directory, tenant)
    asked = replace(asked, resource=resource)  # as it is registered now
    consents.demand(asked, user)
    check_assignment(tenant, user, resource)
    contexts = request.claims.contexts or sign_in.contexts
    Demand(tenant, user, resource, contexts).refuse_silence(second_factor=sign_in.session.second_factor)
    return replace(
        sign_in,
        asked=consents.usable(asked, user),
        contexts=contexts,
        continuous=request.claims.continuous or sign_in.continuous,
    )


def refuse_elsewhere(request: TokenRequest, sign_in: SignIn) -> None:
    """Refuse a code at another tenant's endpoint than the one that was signed in to.

    Raises:
        Aadsts: 700005.
    """
    if not request.realm.is_endpoint_of(sign_in.tenant):
        raise Aadsts(700005, "invalid_grant", "The code was issued by another tenant; redeem it there.")


def _elsewhere(request: TokenRequest, tenant: Tenant, user: User) -> tuple[Tenant, User]:
    """The same account in the tenant that the path names: at home in the same one, with the same address."""
    account = (user.home_tenant or tenant.id, user.address.lower())
    for other, person in request.realm.people():
        if account == (person.home_tenant or other.id, person.address.lower()):
            return other, person
    raise Aadsts(
        50020,
        "invalid_grant",
        f"The account of {user.name} is not in '{request.realm.name}'. Renew it at '{tenant.name}', or "
        "invite it as a guest.",
    )
