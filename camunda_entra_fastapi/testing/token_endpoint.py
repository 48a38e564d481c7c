"""The token endpoint: from a code, a refresh token, a credential or another token to tokens."""

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from camunda_entra_fastapi.testing.aadsts import Aadsts
from camunda_entra_fastapi.testing.access import (
    Realm,
    check_assignment,
    check_person,
    find_application,
)
from camunda_entra_fastapi.testing.client_check import authenticate
from camunda_entra_fastapi.testing.clients import Presented, check_origin
from camunda_entra_fastapi.testing.consents import Consents
from camunda_entra_fastapi.testing.directory import Application, Tenant, User
from camunda_entra_fastapi.testing.issuing import credentials_response, token_response
from camunda_entra_fastapi.testing.keys import base64url
from camunda_entra_fastapi.testing.minting import ClientLevel, Grant
from camunda_entra_fastapi.testing.parameters import need
from camunda_entra_fastapi.testing.policies import ClaimsRequest, Demand, read_claims
from camunda_entra_fastapi.testing.scopes import DEFAULT, find_resource, names_no_resource, read_scope
from camunda_entra_fastapi.testing.state import REFRESH_LIFETIME, SPA_REFRESH_LIFETIME, SignIn, State

if TYPE_CHECKING:
    from camunda_entra_fastapi.testing.emulator import EntraEmulator


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A request at the token endpoint, from a client that is known but not yet believed."""

    emulator: "EntraEmulator"
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
        return await authenticate(self.emulator, self.realm, self.client, self.presented)


Redeem = Callable[[TokenRequest], Awaitable[dict[str, Any]]]


def read_token_request(
    emulator: "EntraEmulator",
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
    return TokenRequest(emulator, realm, client, presented, parameters, origin, claims)


async def redeem_code(request: TokenRequest) -> dict[str, Any]:
    """RFC 6749, 4.1.3."""
    emulator = request.emulator
    sign_in = _find_code(request)
    platform = check_origin(sign_in, request.presented, request.origin)
    level = await request.authenticate() if platform == "web" else "0"
    if sign_in.redeemed:
        raise Aadsts(54005, "invalid_grant", "The code was redeemed before. Each code is good for one time.")
    if emulator.now() >= sign_in.expires:
        raise Aadsts(70008, "invalid_grant", "The code has expired.")
    if request.parameters.get("redirect_uri", sign_in.redirect_uri) != sign_in.redirect_uri:
        raise Aadsts(500112, "invalid_grant", "The code was asked for with another redirect URI.")
    _check_verifier(sign_in, request.parameters.get("code_verifier"))
    narrowed = narrow(request, renewed(request, sign_in))
    sign_in.redeemed = True  # at the very end: a mistake in the request costs nobody the code
    lifetime = SPA_REFRESH_LIFETIME if platform == "spa" else REFRESH_LIFETIME
    return token_response(
        emulator,
        narrowed,
        level,
        refresh_until=emulator.now() + lifetime,
        with_client_info=request.wants_client_info,
    )


async def redeem_refresh_token(request: TokenRequest) -> dict[str, Any]:
    """RFC 6749, 6."""
    emulator = request.emulator
    sign_in = emulator.state.refresh_tokens.get(need(request.parameters, "refresh_token"))
    if sign_in is None or sign_in.client.client_id != request.client.client_id:
        raise Aadsts(9002313, "invalid_grant", "The refresh token is malformed, or of another application.")
    platform = check_origin(sign_in, request.presented, request.origin)
    level = await request.authenticate() if platform == "web" else "0"
    spa = platform == "spa"
    if emulator.now() >= sign_in.expires:
        if spa:
            raise Aadsts(700084, "invalid_grant", "A single-page application's sign-in ends after 24 hours.")
        raise Aadsts(700082, "invalid_grant", "The refresh token has expired.")
    narrowed = narrow(request, renewed(request, sign_in))
    return token_response(
        emulator,
        narrowed,
        level,
        refresh_until=sign_in.expires if spa else emulator.now() + REFRESH_LIFETIME,
        with_client_info=request.wants_client_info,
    )


async def redeem_credentials(request: TokenRequest) -> dict[str, Any]:
    """RFC 6749, 4.4."""
    if request.origin is not None:
        raise Aadsts(9002326, "invalid_request", "A browser must not use an application's credential.")
    if request.presented.is_bare:
        raise Aadsts(
            7000216,
            "invalid_client",
            "The request must have 'client_secret', 'client_assertion' or a Basic header.",
        )
    tenant = tenant_of(request)
    level = await request.authenticate()
    scope = need(request.parameters, "scope")
    name, _, permission = scope.rpartition("/")
    if len(scope.split()) != 1 or permission != DEFAULT:
        raise Aadsts(
            1002012, "invalid_scope", f"The scope '{scope}' must be one resource with '/.default' behind it."
        )
    consents = Consents(request.emulator.state, tenant, request.client)
    if not consents.has_principal:
        raise Aadsts(
            7000229,
            "invalid_client",
            f"The application '{request.client.name}' has no service principal in '{tenant.name}'. Let an "
            "administrator of that tenant consent to it.",
        )
    resource = find_resource(name, request.emulator.directory, tenant)
    if resource.client_id == request.client.client_id and name.lower() != resource.client_id:
        raise Aadsts(90009, "invalid_request", f"Name the application by its client ID: {resource.client_id}")
    check_assignment(tenant, request.client, resource)
    roles = request.client.granted_roles.get(resource.client_id, ())
    grant = Grant(
        tenant,
        resource,
        request.client,
        roles=roles,
        audience=name,
        client_level=level,
        continuous=request.claims.continuous,
    )
    return credentials_response(request.emulator, grant)


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
    refuse_revoked(request.emulator.state, sign_in)
    tenant = request.emulator.directory.tenant(sign_in.tenant.id)
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
    consents = Consents(request.emulator.state, tenant, request.client)
    if "scope" in request.parameters:
        named = read_scope(request.parameters["scope"], request.emulator.directory, tenant, request.client)
        kept = asked if names_no_resource(request.parameters["scope"]) else named
        asked = replace(kept, oidc=tuple(dict.fromkeys((*asked.oidc, *named.oidc))))
    resource = find_resource(asked.resource.client_id, request.emulator.directory, tenant)
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


def _find_code(request: TokenRequest) -> SignIn:
    sign_in = request.emulator.state.codes.get(need(request.parameters, "code"))
    if sign_in is None or sign_in.client.client_id != request.client.client_id:
        raise Aadsts(9002313, "invalid_grant", "The code is malformed, or was issued to another application.")
    refuse_elsewhere(request, sign_in)
    return sign_in


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


def _check_verifier(sign_in: SignIn, verifier: str | None) -> None:
    """RFC 7636, 4.6."""
    if sign_in.code_challenge is None:
        return
    if verifier is None:
        raise Aadsts(50148, "invalid_grant", "The code was asked for with a challenge; send its verifier.")
    proof = verifier
    if sign_in.code_challenge_method == "S256":
        proof = base64url(hashlib.sha256(verifier.encode()).digest())
    if not hmac.compare_digest(proof.encode(), sign_in.code_challenge.encode()):
        raise Aadsts(501481, "invalid_grant", "The code verifier does not fit the code challenge.")
