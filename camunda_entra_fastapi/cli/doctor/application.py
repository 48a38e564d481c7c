"""The app registration: its credential, its own token, and the scopes of the sign-in."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Final

from camunda_entra_fastapi.cli.doctor.context import ContextClock, DoctorContext, refused, skipped, wrong
from camunda_entra_fastapi.cli.explain.checks import check_access_token
from camunda_entra_fastapi.cli.explain.decode import DecodedToken
from camunda_entra_fastapi.cli.fetching import entra_http
from camunda_entra_fastapi.cli.findings import Finding, State, printable, split_remedy
from camunda_entra_fastapi.errors import EntraRefused, FetchFailed, SettingsError
from camunda_entra_fastapi.remote.aadsts import Kind, explain
from camunda_entra_fastapi.remote.claims_request import claims_parameter
from camunda_entra_fastapi.remote.credentials import Client, ClientCertificate, ClientSecret
from camunda_entra_fastapi.remote.token_endpoint import request_app_token
from camunda_entra_fastapi.runtime import client_of, policy_of
from camunda_entra_fastapi.sign_in.exchange import IDENTITY_REMEDY
from camunda_entra_fastapi.validation.entra import missing_identity

_EXPIRES_SOON_DAYS: Final = 30
"""Days before its expiry from which on there is a note about a certificate."""
_OPENID_SCOPES: Final = frozenset({"openid", "profile", "email", "offline_access"})
_GUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_FILE_REMEDY: Final = (
    "See that the file is there that CAMUNDA_ENTRA_CLIENT_CERTIFICATE or CAMUNDA_ENTRA_FEDERATED_TOKEN_FILE "
    "names, that this process may read it, and that it holds what it should."
)
_APP_ONLY_CODES: Final = frozenset({"app_without_permissions", "client_not_allowed"})
"""Errors that the application's own token has by nature."""


async def credential(context: DoctorContext) -> AsyncIterator[Finding]:
    """Entra takes the credential and issues a token by the client credentials grant."""
    try:
        client = client_of(context.settings, ContextClock(context), lambda: _token_url(context))
    except SettingsError as error:
        yield wrong("credential", error.problems[0], "settings_invalid", _FILE_REMEDY)
        return
    if client is None:
        yield Finding(
            "credential",
            State.NOTE,
            "There is no client secret, certificate or federated token. APIs are protected without one.",
            "For signing in with a browser and for tokens of other services, set "
            "CAMUNDA_IDENTITY_CLIENT_SECRET to the value of a secret from Certificates & secrets.",
            "no_credential",
        )
        return
    for finding in _credential_findings(client, context.clock()):
        yield finding
    try:
        await client.form()
    except FetchFailed as failure:
        yield Finding(
            "credential", State.WRONG, printable(failure.message), _FILE_REMEDY, "credential_unusable"
        )
        return
    if context.discovery is None or context.discovery.token_endpoint is None:
        yield skipped("credential", "Entra's token endpoint is not known")
        return
    if context.settings.is_multi_tenant:
        yield skipped("credential", "an issuer for several tenants gives applications no tokens of their own")
        return
    scope = f"{context.settings.client_id}/.default"
    http = entra_http(context.settings, context.probe.client)
    try:
        tokens = await request_app_token(
            http, context.discovery.token_endpoint, client, scope=scope, claims=claims_parameter(None)
        )
    except EntraRefused as error:
        policy = explain(error.refusal).kind in (Kind.POLICY, Kind.CONSENT)
        yield refused("credential", error.refusal, State.NOTE if policy else State.WRONG)
    except FetchFailed as failure:
        cause, remedy = split_remedy(failure.message)
        fallback = "Correct CAMUNDA_IDENTITY_ISSUER_BACKEND_URL, or what stands between here and Entra."
        yield Finding("credential", State.WRONG, printable(cause), remedy or fallback, failure.code)
    else:
        context.token = tokens.access_token
        yield Finding("credential", State.OK, f"Entra takes the {_name_of(client)}")


async def own_token(context: DoctorContext) -> AsyncIterator[Finding]:
    """The application's own token passes this service's checks: version, audience, issuer."""
    if not context.token:
        yield skipped("own token", "Entra gave none")
        return
    result = check_access_token(context.token, context.keys, policy_of(context.settings), context.clock())
    failed = [
        check for check in result.checks if check.state is State.WRONG and check.code not in _APP_ONLY_CODES
    ]
    for check in failed:
        yield Finding(
            "own token", State.WRONG, check.message, check.remedy, check.code, check.expected, check.actual
        )
    if not failed:
        token = DecodedToken.decode(context.token)
        audience, version = printable(token.claims.get("aud"), 100), printable(token.text("ver"), 10)
        yield Finding("own token", State.OK, f"version {version}, for the audience {audience}")


async def scopes(context: DoctorContext) -> AsyncIterator[Finding]:
    """The scopes of the sign-in bring an access token for this API, and tell who signs in."""
    settings = context.settings
    api_scopes = [scope for scope in settings.scopes if scope not in _OPENID_SCOPES]
    audiences = (settings.client_id, *settings.audience, f"api://{settings.client_id}")
    is_own = all(scope.startswith(tuple(f"{audience}/" for audience in audiences)) for scope in api_scopes)
    if not api_scopes or is_own:
        text = " ".join(settings.scopes)
        if api_scopes:
            yield Finding("scopes", State.OK, text)
        else:
            yield _foreign_scopes(text, "no scope of this API")
    else:
        yield _foreign_scopes(" ".join(settings.scopes), "scopes of other APIs")
    if "profile" not in settings.scopes and missing_identity(
        {"iss": settings.issuer}, has_customers=settings.tenant_type == "external"
    ):
        yield _without_profile(is_identified=bool(api_scopes) and is_own)
    if "offline_access" not in settings.scopes:
        yield Finding(
            "scopes",
            State.NOTE,
            "Without offline_access there is no refresh token: people sign in again every hour or so.",
            "Add offline_access to CAMUNDA_ENTRA_SCOPES.",
            "no_refresh",
        )


def _foreign_scopes(text: str, description: str) -> Finding:
    return Finding(
        "scopes",
        State.NOTE,
        f"Signing in asks for {description}, so that the session has no access token for this API.",
        "Roles then come from the ID token alone. Leave CAMUNDA_ENTRA_SCOPES unset for "
        "openid profile email offline_access <client ID>/.default.",
        "scopes_elsewhere",
        actual=text,
    )


def _without_profile(*, is_identified: bool) -> Finding:
    """Entra's ID tokens have ``oid`` with the scope ``profile`` only (Learn: ID token claims reference)."""
    if is_identified:
        return Finding(
            "scopes",
            State.NOTE,
            "Without profile, ID tokens have neither oid nor name nor preferred_username: the access token "
            "alone says who signs in.",
            "Add profile to CAMUNDA_ENTRA_SCOPES.",
            "no_profile",
        )
    return Finding(
        "scopes",
        State.WRONG,
        "Signing in asks for neither profile nor a scope of this API. Entra's tokens then lack oid, so that "
        "nothing says who signs in, and every sign-in is refused.",
        IDENTITY_REMEDY,
        "identity_missing",
        setting="CAMUNDA_ENTRA_SCOPES",
    )


def _credential_findings(client: Client, now: float) -> list[Finding]:
    """The findings about the credential that need no request."""
    credential = client.credential
    if isinstance(credential, ClientSecret) and _GUID.fullmatch(credential.secret):
        return [
            Finding(
                "credential",
                State.WRONG,
                "CAMUNDA_IDENTITY_CLIENT_SECRET has the form of a Secret ID, which is no secret.",
                "In the Entra admin center, App registrations > this application > Certificates & secrets, "
                "create a new one and take its Value, which is shown once.",
                "secret_id",
            )
        ]
    if not isinstance(credential, ClientCertificate):
        return []
    expiry = credential.file.current().certificate.not_valid_after_utc
    days = int((expiry - datetime.fromtimestamp(now, UTC)).total_seconds() // 86_400)
    remedy = "Make a new one, upload it under Certificates & secrets, then replace the file."
    if days < 0:
        text = f"The client certificate expired on {expiry:%Y-%m-%d}."
        return [Finding("credential", State.WRONG, text, remedy, "certificate_expired")]
    if days < _EXPIRES_SOON_DAYS:
        text = f"The client certificate expires on {expiry:%Y-%m-%d}, in {days} days."
        return [Finding("credential", State.NOTE, text, remedy, "certificate_ends")]
    return [Finding("credential", State.OK, f"the client certificate is good until {expiry:%Y-%m-%d}")]


def _name_of(client: Client) -> str:
    names = {"ClientSecret": "client secret", "ClientCertificate": "client certificate"}
    return names.get(type(client.credential).__name__, "federated token")


def _token_url(context: DoctorContext) -> str:
    """The public token endpoint, for assertions: the discovered one, as the service has it."""
    discovered = context.discovery and context.discovery.browser_token_endpoint
    return discovered or context.settings.token_url
