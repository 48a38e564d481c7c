"""The token request, and the checks of the sign-in that it redeems or refreshes."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from camunda_entra_fastapi.testing.clients.authenticate import authenticate_client
from camunda_entra_fastapi.testing.clients.credentials import PresentedCredentials
from camunda_entra_fastapi.testing.directory import Application, Tenant, User
from camunda_entra_fastapi.testing.endpoints.consents import Consents
from camunda_entra_fastapi.testing.protocol.aadsts import AadstsError
from camunda_entra_fastapi.testing.protocol.conditional_access import (
    ClaimsRequest,
    PolicyEvaluation,
    parse_claims,
)
from camunda_entra_fastapi.testing.protocol.realm import (
    Realm,
    check_account,
    check_assignment,
    find_application,
)
from camunda_entra_fastapi.testing.protocol.scopes import (
    find_resource,
    is_oidc_only,
    parse_scope,
)
from camunda_entra_fastapi.testing.tokens.minting import ClientAuthMethod
from camunda_entra_fastapi.testing.world.state import SignIn, State
from camunda_entra_fastapi.testing.world.world import World


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A token request of a client that is identified, but not authenticated yet."""

    world: World
    realm: Realm
    client: Application
    credentials: PresentedCredentials
    parameters: Mapping[str, str] = field(repr=False)
    origin: str | None
    claims: ClaimsRequest

    @property
    def requests_client_info(self) -> bool:
        """Whether the client requests ``client_info``, as Microsoft's clients do."""
        return self.parameters.get("client_info") == "1"

    async def authenticate(self) -> ClientAuthMethod:
        """Authenticate the client; gives the method that it used.

        Raises:
            AadstsError: Those of ``authenticate_client``.
        """
        return await authenticate_client(self.world, self.realm, self.client, self.credentials)


GrantHandler = Callable[[TokenRequest], Awaitable[dict[str, Any]]]


def parse_token_request(
    world: World,
    realm: Realm,
    parameters: Mapping[str, str],
    credentials: PresentedCredentials,
    origin: str | None,
) -> TokenRequest:
    """The token request with its client.

    Raises:
        AadstsError: 901002, or those of ``find_application`` and ``parse_claims``.
    """
    if "resource" in parameters:
        raise AadstsError(
            901002, "invalid_request", "The parameter 'resource' is of version 1.0; use 'scope'."
        )
    client = find_application(realm, credentials.client_id)
    claims = parse_claims(parameters.get("claims"))
    return TokenRequest(world, realm, client, credentials, parameters, origin, claims)


def required_tenant(request: TokenRequest) -> Tenant:
    """The tenant that the path names.

    Raises:
        AadstsError: 50059, the path stands for several tenants.
    """
    if request.realm.tenant is None:
        raise AadstsError(
            50059,
            "invalid_request",
            f"Nothing tells which tenant /{request.realm.segment} means. Use the tenant's ID or domain.",
        )
    return request.realm.tenant


def check_not_revoked(state: State, sign_in: SignIn) -> None:
    """Check that the user's sign-ins were not revoked after it was issued.

    Raises:
        AadstsError: 50173, they were.
    """
    if state.is_revoked(sign_in):
        raise AadstsError(
            50173,
            "invalid_grant",
            f"The sign-ins of {sign_in.user.name} were revoked. Let the person sign in again.",
            suberror="bad_token",
        )


def current_sign_in(request: TokenRequest, sign_in: SignIn) -> SignIn:
    """The sign-in with its user and client as the directory has them now.

    At another tenant's endpoint it becomes a sign-in to that tenant, if the user has an account there:
    refresh tokens are bound to user and client, not to a tenant (Learn: refresh tokens).

    Raises:
        AadstsError: 50020, the other tenant does not have the account; 50034, the user is gone; or those of
            ``check_not_revoked``, ``check_account`` and ``check_assignment``.
    """
    check_not_revoked(request.world.state, sign_in)
    tenant = request.world.directory.tenant(sign_in.tenant.id)
    user = tenant.user(sign_in.user.id) if tenant else None
    if tenant is None or user is None:
        raise AadstsError(
            50034,
            "invalid_grant",
            f"The account of {sign_in.user.name} is not in '{sign_in.tenant.name}' any more.",
            suberror="bad_token",
        )
    check_account(tenant, user)
    if not request.realm.serves(tenant):
        tenant, user = _account_in_path_tenant(request, tenant, user)
        check_account(tenant, user)
    check_assignment(tenant, user, request.client)
    return replace(sign_in, tenant=tenant, user=user, client=request.client)


def narrow_scope(request: TokenRequest, sign_in: SignIn) -> SignIn:
    """The sign-in with the scope and the claims of the token request, if it has any.

    Raises:
        AadstsError: 65001, there is no consent; or those of ``parse_scope``, ``find_resource``, policies and
            ``check_assignment``.
    """
    tenant, user, requested_scope = sign_in.tenant, sign_in.user, sign_in.requested_scope
    consents = Consents(request.world.state, tenant, request.client)
    if "scope" in request.parameters:
        parsed = parse_scope(request.parameters["scope"], request.world.directory, tenant, request.client)
        base = requested_scope if is_oidc_only(request.parameters["scope"]) else parsed
        requested_scope = replace(base, oidc=tuple(dict.fromkeys((*requested_scope.oidc, *parsed.oidc))))
    resource = find_resource(requested_scope.resource.client_id, request.world.directory, tenant)
    requested_scope = replace(requested_scope, resource=resource)  # as it is registered now
    consents.check_granted(requested_scope, user)
    check_assignment(tenant, user, resource)
    contexts = request.claims.contexts or sign_in.contexts
    PolicyEvaluation(tenant, user, resource, contexts).check_without_interaction(
        second_factor=sign_in.session.second_factor
    )
    return replace(
        sign_in,
        requested_scope=consents.granted_scope(requested_scope, user),
        contexts=contexts,
        cae_capable=request.claims.cae_capable or sign_in.cae_capable,
    )


def check_issuing_tenant(request: TokenRequest, sign_in: SignIn) -> None:
    """Check that the code is redeemed at the endpoint of the tenant that issued it.

    Raises:
        AadstsError: 700005, it is another tenant's.
    """
    if not request.realm.serves(sign_in.tenant):
        raise AadstsError(700005, "invalid_grant", "The code was issued by another tenant; redeem it there.")


def _account_in_path_tenant(request: TokenRequest, tenant: Tenant, user: User) -> tuple[Tenant, User]:
    """The same account in the tenant that the path names: the same home tenant and e-mail address."""
    account = (user.home_tenant or tenant.id, user.address.lower())
    for other, candidate in request.realm.users():
        if account == (candidate.home_tenant or other.id, candidate.address.lower()):
            return other, candidate
    raise AadstsError(
        50020,
        "invalid_grant",
        f"The account of {user.name} is not in '{request.realm.name}'. Renew it at '{tenant.name}', or "
        "invite it as a guest.",
    )
