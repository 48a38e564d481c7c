"""Validators of fields that depend on fields before them; the others are in ``values`` and ``urls``."""

import os
from pathlib import Path

from pydantic import ValidationInfo

from camunda_entra_fastapi.settings import issuers, urls, values
from camunda_entra_fastapi.settings.sources import variables_of


def issuer(value: object, info: ValidationInfo) -> str:
    """The issuer of the tenant."""
    return issuers.read_issuer(value, allow_http=_allows_http(info))


def backend_url(value: object, info: ValidationInfo) -> str:
    """The address under which this service reaches the issuer."""
    return issuers.read_backend_url(value, info.data.get("issuer"), allow_http=_allows_http(info))


def tenant_type(value: object, info: ValidationInfo) -> str:
    """Whose tenant it is: by default what issuer and backend URL tell."""
    issuer, backend = info.data.get("issuer", ""), info.data.get("issuer_backend_url", "")
    return issuers.read_tenant_type(value, issuer, backend)


def base_url(value: object, info: ValidationInfo) -> str | None:
    """The public root of this service."""
    return urls.read_base_url(value, allow_http=_allows_http(info))


def documentation_url(value: object, info: ValidationInfo) -> str | None:
    """Where this package's documentation is published."""
    return urls.read_documentation_url(value, allow_http=_allows_http(info))


def client_certificate(value: object, info: ValidationInfo) -> Path | None:
    """The certificate that takes the place of a secret."""
    return values.read_credential_file(value, _credentials(info, "client_secret"))


def federated_token_file(value: object, info: ValidationInfo) -> Path | None:
    """The token file that takes the place of a secret or a certificate."""
    others = _credentials(info, "client_secret", "client_certificate")
    # Kubernetes sets Azure's variable for every process; what was set for this one goes first.
    return values.read_credential_file(
        value or (None if others else os.environ.get("AZURE_FEDERATED_TOKEN_FILE") or None), others
    )


def audience(value: object, info: ValidationInfo) -> tuple[str, ...]:
    """The accepted audiences: the client ID where none is set."""
    return values.read_audiences(value) or (info.data.get("client_id", ""),)


def scopes(value: object, info: ValidationInfo) -> tuple[str, ...]:
    """The scopes of a sign-in: those of OpenID Connect and this API where none are set."""
    default_scope = f"{info.data.get('client_id')}/.default"
    return values.read_scopes(value) or ("openid", "profile", "email", "offline_access", default_scope)


def group_overage(value: object, info: ValidationInfo) -> str | None:
    """The address of Microsoft Graph for groups, or None."""
    issuer = info.data.get("issuer", "")
    return issuers.read_group_overage(value, issuer, allow_http=_allows_http(info))


def callback_path(value: object, info: ValidationInfo) -> str:
    """The path of the redirect URI: below the login prefix where none is set."""
    return urls.read_path(value or f"{info.data.get('login_prefix', '')}/login-callback")


def post_logout_path(value: object, info: ValidationInfo) -> str:
    """The path after signing out: the callback path where none is set."""
    callback = info.data.get("callback_path", "/callback")  # a wrong one was told already
    return "/" if value == "/" else urls.read_path(value or callback)


def allowed_tenants(value: object, info: ValidationInfo) -> tuple[str, ...]:
    """The tenants, which must fit the issuer."""
    tenants = values.read_tenants(value)
    issuer = info.data.get("issuer")
    return issuers.check_tenants(tenants, issuer) if issuer else tenants


def _allows_http(info: ValidationInfo) -> bool:
    return bool(info.data.get("allow_http", False))


def _credentials(info: ValidationInfo, *fields: str) -> list[str]:
    return [variables_of(field)[0] for field in fields if info.data.get(field) is not None]
