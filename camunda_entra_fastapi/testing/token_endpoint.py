"""The token endpoint: from a code, a refresh token or a secret to tokens."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

from camunda_entra_fastapi.testing.aadsts import Aadsts
from camunda_entra_fastapi.testing.clients import authenticate, authenticate_for, client_credentials, is_spa
from camunda_entra_fastapi.testing.directory import Application, Tenant
from camunda_entra_fastapi.testing.minting import LIFETIME, Grant, client_info
from camunda_entra_fastapi.testing.parameters import need
from camunda_entra_fastapi.testing.scopes import find_resource, read_scope
from camunda_entra_fastapi.testing.state import REFRESH_LIFETIME, SPA_REFRESH_LIFETIME, SignIn, State


@dataclass(frozen=True, slots=True)
class Issued:
    """What is to be issued: an access token for the grant, and for people what else they asked for."""

    grant: Grant
    sign_in: SignIn | None = None
    refresh_token: str | None = None
    with_client_info: bool = False

    def answer(self, access_token: str, id_token: str | None) -> dict[str, Any]:
        """The token response, members in Entra's order."""
        lifetime = LIFETIME - 1
        times = {"expires_in": lifetime, "ext_expires_in": lifetime}
        if self.sign_in is None:
            return {"token_type": "Bearer", **times, "access_token": access_token}
        answer = {
            "token_type": "Bearer",
            "scope": self.sign_in.asked.text,
            **times,
            "access_token": access_token,
            "refresh_token": self.refresh_token,
            "id_token": id_token,
            "client_info": client_info(self.sign_in.tenant, self.sign_in.user)
            if self.with_client_info
            else None,
        }
        return {name: value for name, value in answer.items() if value is not None}


def redeem(
    tenant: Tenant,
    form: Mapping[str, str],
    *,
    authorization: str | None,
    origin: str | None,
    state: State,
    now: float,
) -> Issued:
    """Judge a request.

    Args:
        tenant: Whose endpoint was called.
        form: The parameters of the body.
        authorization: The header, for clients that authenticate with Basic (RFC 6749, 2.3.1).
        origin: The header that browsers send across origins.
        state: Codes and refresh tokens.
        now: Seconds since 1970.

    Raises:
        Aadsts: As Entra would refuse it.
    """
    parameters = dict(form)
    grant_type = need(parameters, "grant_type")
    client_id, secret = client_credentials(parameters, authorization)
    client = tenant.application(client_id)
    if client is None or client.client_id != client_id:
        raise Aadsts(
            700016, "unauthorized_client", f"There is no application '{client_id}' in '{tenant.name}'."
        )
    match grant_type:
        case "authorization_code":
            sign_in = _find_code(tenant, client, need(parameters, "code"), state)
            issued = _redeem_code(
                sign_in, client, parameters, secret=secret, origin=origin, state=state, now=now
            )
            return replace(issued, with_client_info=parameters.get("client_info") == "1")
        case "refresh_token":
            issued = _redeem_refresh_token(
                client, parameters, secret=secret, origin=origin, state=state, now=now
            )
            return replace(issued, with_client_info=parameters.get("client_info") == "1")
        case "client_credentials":
            if origin is not None:
                raise Aadsts(9002326, "invalid_request", "A browser must not use an application's secret.")
            return _redeem_credentials(tenant, client, secret, parameters)
    raise Aadsts(70003, "unsupported_grant_type", f"The grant type '{grant_type}' is not supported.")


def _find_code(tenant: Tenant, client: Application, code: str, state: State) -> SignIn:
    sign_in = state.codes.get(code)
    if sign_in is None or sign_in.client.client_id != client.client_id:
        raise Aadsts(9002313, "invalid_grant", "The code is malformed, or was issued to another application.")
    if sign_in.tenant.id != tenant.id:
        raise Aadsts(700005, "invalid_grant", "The code was issued by another tenant; redeem it there.")
    return sign_in


def _redeem_code(
    sign_in: SignIn,
    client: Application,
    parameters: dict[str, str],
    *,
    secret: str | None,
    origin: str | None,
    state: State,
    now: float,
) -> Issued:
    authenticate_for(sign_in, client, secret, origin)
    if sign_in.redeemed:
        raise Aadsts(54005, "invalid_grant", "The code was redeemed before. Each code is good for one time.")
    if now >= sign_in.expires:
        raise Aadsts(70008, "invalid_grant", "The code has expired.")
    if parameters.get("redirect_uri", sign_in.redirect_uri) != sign_in.redirect_uri:
        raise Aadsts(500112, "invalid_grant", "The code was asked for with another redirect URI.")
    _check_verifier(sign_in, parameters.get("code_verifier"))
    narrowed = _narrow(sign_in, parameters)
    sign_in.redeemed = True  # at the very end: a mistake in the request costs nobody the code
    lifetime = SPA_REFRESH_LIFETIME if is_spa(sign_in) else REFRESH_LIFETIME
    return _issue(narrowed, state, now + lifetime)


def _redeem_refresh_token(
    client: Application,
    parameters: dict[str, str],
    *,
    secret: str | None,
    origin: str | None,
    state: State,
    now: float,
) -> Issued:
    sign_in = state.refresh_tokens.get(need(parameters, "refresh_token"))
    if sign_in is None or sign_in.client.client_id != client.client_id:
        raise Aadsts(9002313, "invalid_grant", "The refresh token is malformed, or of another application.")
    authenticate_for(sign_in, client, secret, origin)
    spa = is_spa(sign_in)
    if now >= sign_in.expires:
        if spa:
            raise Aadsts(700084, "invalid_grant", "A single-page application's sign-in ends after 24 hours.")
        raise Aadsts(700082, "invalid_grant", "The refresh token has expired.")
    until = sign_in.expires if spa else now + REFRESH_LIFETIME
    return _issue(replace(_narrow(sign_in, parameters), nonce=None), state, until)


def _redeem_credentials(
    tenant: Tenant, client: Application, secret: str | None, parameters: dict[str, str]
) -> Issued:
    if secret is None:
        raise Aadsts(
            7000216,
            "invalid_client",
            "The request must have 'client_secret', 'client_assertion' or a Basic header.",
            HTTPStatus.UNAUTHORIZED,
        )
    authenticate(client, secret)
    scope = need(parameters, "scope")
    name, _, permission = scope.rpartition("/")
    if len(scope.split()) != 1 or permission != ".default":
        raise Aadsts(
            1002012, "invalid_scope", f"The scope '{scope}' must be one resource with '/.default' behind it."
        )
    resource = find_resource(name, tenant)
    if resource is client and name != client.client_id:
        raise Aadsts(90009, "invalid_request", f"Name the application by its client ID: {client.client_id}")
    roles = client.granted_roles.get(resource.client_id, ())
    return Issued(Grant(tenant, resource, client, roles=roles, audience=name))


def _narrow(sign_in: SignIn, parameters: dict[str, str]) -> SignIn:
    """The sign-in for the scope that the redemption names, if it names one."""
    if "scope" not in parameters:
        return sign_in
    asked = read_scope(parameters["scope"], sign_in.tenant, sign_in.client)
    return replace(sign_in, asked=replace(asked, oidc=sign_in.asked.oidc))


def _check_verifier(sign_in: SignIn, verifier: str | None) -> None:
    """RFC 7636, 4.6."""
    if sign_in.code_challenge is None:
        return
    if verifier is None:
        raise Aadsts(50148, "invalid_grant", "The code was asked for with a challenge; send its verifier.")
    proof = verifier
    if sign_in.code_challenge_method == "S256":
        proof = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    if not hmac.compare_digest(proof.encode(), sign_in.code_challenge.encode()):
        raise Aadsts(501481, "invalid_grant", "The code verifier does not fit the code challenge.")


def _issue(sign_in: SignIn, state: State, refresh_until: float) -> Issued:
    refresh_token = None
    if "offline_access" in sign_in.asked.oidc:
        refresh_token = state.add_refresh_token(replace(sign_in, expires=refresh_until))
    resource = sign_in.asked.resource
    grant = Grant(
        sign_in.tenant,
        resource,
        sign_in.client,
        sign_in.user,
        scopes=sign_in.asked.permissions,
        roles=sign_in.user.roles.get(resource.client_id, ()),
        audience=sign_in.asked.named_as,
    )
    return Issued(grant, sign_in, refresh_token)
