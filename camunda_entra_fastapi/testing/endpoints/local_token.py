"""A token without a sign-in: the local Entra's own endpoint, which Entra does not have.

It is for the command ``camunda-entra token``. It is served to this machine alone, never to a page in a
browser, and to who knows the credential of a registered client, as the token endpoint is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from camunda_entra_fastapi.testing.clients.credentials import presented_credentials
from camunda_entra_fastapi.testing.directory import Application, Tenant, User
from camunda_entra_fastapi.testing.directory.matching import NotMatched, best_match
from camunda_entra_fastapi.testing.endpoints.token_request import TokenRequest, parse_token_request
from camunda_entra_fastapi.testing.protocol.aadsts import (
    AadstsError,
    error_response,
    json_response,
    no_store_headers,
)
from camunda_entra_fastapi.testing.protocol.parameters import form_of
from camunda_entra_fastapi.testing.protocol.realm import check_account, check_assignment, find_realm
from camunda_entra_fastapi.testing.protocol.request_log import annotate, record_of
from camunda_entra_fastapi.testing.tokens.minting import BACKDATED, LIFETIME, Grant
from camunda_entra_fastapi.testing.tokens.signing import lifetime_of, sign_access_token
from camunda_entra_fastapi.testing.world.world import World

LOCAL_TOKEN_PATH: Final = "/{tenant}/local/token"  # noqa: S105 - a path
MAX_LIFETIME: Final = 86_400
"""Seconds that a token may be valid, or may have expired ago."""
_FORWARDED: Final = ("forwarded", "x-forwarded-for", "origin")
"""Headers by which a proxy or a browser is known."""


class _Refused(Exception):
    """The request is refused in words of the local Entra's own, as Entra has no code for it."""

    def __init__(self, message: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class LocalTokenEndpoint:
    """The endpoint.

    Its form has the client's credential as at the token endpoint, and what the token is to be. ``user`` says
    whose it is, or ``app=true`` with ``application``. ``roles`` and ``scope`` have spaces between names.
    ``audience`` is an application or any text. ``lifetime`` is in seconds, negative for a token that has
    expired. What is left out comes from the directory.
    """

    world: World

    async def answer(self, request: Request) -> Response:
        """The token."""
        annotate(request, did="local token")
        try:
            _check_direct(request)
            return await self._issue(request)
        except AadstsError as problem:
            return error_response(problem, request, self.world.now())
        except (_Refused, NotMatched) as problem:
            status = getattr(problem, "status", HTTPStatus.BAD_REQUEST)
            record_of(request).error = str(problem)
            members = {"error": "invalid_request", "error_description": str(problem)}
            return json_response(members, no_store_headers(), status)

    async def _issue(self, request: Request) -> Response:
        world = self.world
        parameters = await form_of(request)
        realm = find_realm(world.directory, str(request.path_params["tenant"]))
        credentials = presented_credentials(parameters, request.headers.get("authorization"))
        token_request = parse_token_request(world, realm, parameters, credentials, None)
        annotate(request, client=token_request.client)
        await token_request.authenticate()
        grant, audience = _grant(token_request)
        annotate(request, client=grant.client, user=grant.user)
        lifetime = _lifetime(parameters, lifetime_of(world, grant))
        claims: dict[str, Any] = {"exp": int(world.now()) + lifetime}
        if lifetime < 0:
            claims["iat"] = claims["nbf"] = claims["exp"] - LIFETIME - BACKDATED
        if audience:
            claims["aud"] = audience
        # Of the version of whoever asks, so that with another audience nothing else is different.
        version = token_request.client.requested_access_token_version or 1
        token = sign_access_token(world, grant, version=version, claims=claims)
        members = {"token_type": "Bearer", "expires_in": lifetime, "access_token": token}
        return json_response(members, no_store_headers())


def _check_direct(request: Request) -> None:
    """Check that the caller is a program on this machine, and neither a proxy nor a page in a browser."""
    if any(name in request.headers for name in _FORWARDED) or not _is_this_machine(request):
        raise _Refused(
            "Tokens without a sign-in are given to programs on the local Entra's own machine alone. Run "
            "camunda-entra token there, in a container for example, or sign in as an application does.",
            HTTPStatus.FORBIDDEN,
        )


def _is_this_machine(request: Request) -> bool:
    """Whether the caller's address is a loopback one, or the very one that it called."""
    client = request.client.host if request.client else ""
    server = request.scope.get("server") or ("", 0)
    try:
        address = ip_address(client)
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback or client == server[0]


def _grant(request: TokenRequest) -> tuple[Grant, str | None]:
    """The grant, and the audience where it is another than the grant's API."""
    parameters = request.parameters
    home = request.realm.home_for(request.client)
    resource, audience = _resource(parameters.get("audience"), home, request.client)
    scopes = [name.rpartition("/")[2] for name in parameters.get("scope", "").split()]
    scopes = [name for name in scopes if name != ".default"]
    identifier = next(iter(resource.identifier_uris), None)
    if parameters.get("app") == "true":
        if scopes:
            raise _Refused("An application's own token has roles and no scopes. Leave the scope out.")
        client = _application(parameters.get("application"), home, request.client, resource)
        roles = _roles(parameters, client.granted_roles.get(resource.client_id, ()))
        return Grant(home, resource, client, roles=roles, audience=identifier), audience
    tenant, user = _user(parameters.get("user"), request)
    check_account(tenant, user)
    check_assignment(tenant, user, request.client)
    return (
        Grant(
            tenant,
            resource,
            request.client,
            user,
            scopes=tuple(scopes or resource.exposed),
            roles=_roles(parameters, user.roles.get(resource.client_id, ())),
            audience=identifier,
        ),
        audience,
    )


def _roles(parameters: Mapping[str, str], granted: Sequence[str]) -> tuple[str, ...]:
    return tuple(parameters["roles"].split() if "roles" in parameters else granted)


def _resource(name: str | None, home: Tenant, client: Application) -> tuple[Application, str | None]:
    """The API that the token is for; the client's own one with another audience for a name that none has."""
    if name is None:
        return client, None
    known = home.application(name)
    if known is None:
        with_name = (each for each in home.applications if each.name.casefold() == name.casefold())
        known = next(with_name, None)
    return (client, name) if known is None else (known, None)


def _user(name: str | None, request: TokenRequest) -> tuple[Tenant, User]:
    users = list(request.realm.users(request.client))
    if not users:
        raise _Refused(f"There is nobody in '{request.realm.name}'. Add people to the directory.")
    if name is None:
        return users[0]
    candidates = [(each, (each[1].name, each[1].username, each[1].address, each[1].id)) for each in users]
    return best_match("person", name, candidates)


def _application(name: str | None, home: Tenant, client: Application, resource: Application) -> Application:
    """The application whose token it is: by default the last one with a role of the API, else the caller."""
    if name is not None:
        candidates = [(each, (each.name, each.client_id)) for each in home.applications]
        return best_match("application", name, candidates)
    granted = [each for each in home.applications if resource.client_id in each.granted_roles]
    return granted[-1] if granted else client


def _lifetime(parameters: Mapping[str, str], default: int) -> int:
    text = parameters.get("lifetime", str(default))
    if not text.removeprefix("-").isdecimal() or not 0 < abs(int(text[:9])) <= MAX_LIFETIME:
        raise _Refused(
            f"The lifetime must be a number of seconds from 1 to {MAX_LIFETIME}, or a negative one for a "
            "token that has expired."
        )
    return int(text)
