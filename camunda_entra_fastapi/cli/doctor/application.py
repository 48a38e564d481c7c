"""The app registration: its credential, the token that it gets, and what signing in asks for."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Final

from camunda_entra_fastapi.cli.doctor.context import Case, refused, skipped
from camunda_entra_fastapi.cli.explain.checks import check_access_token
from camunda_entra_fastapi.cli.explain.decode import DecodedToken
from camunda_entra_fastapi.cli.fetching import entra_http
from camunda_entra_fastapi.cli.findings import Finding, State, printable, split_remedy
from camunda_entra_fastapi.errors import EntraRefused, FetchFailed, SettingsError
from camunda_entra_fastapi.remote.aadsts import Kind, explain
from camunda_entra_fastapi.remote.claims_request import merged
from camunda_entra_fastapi.remote.credentials import Client, ClientCertificate, ClientSecret
from camunda_entra_fastapi.remote.token_endpoint import request_app_token
from camunda_entra_fastapi.runtime import client_of, policy_of

_SOON: Final = 30
"""Days before its end from which on a certificate is told of."""
_OF_OPENID: Final = frozenset({"openid", "profile", "email", "offline_access"})
_GUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_FILE: Final = (
    "See that the file is there that CAMUNDA_ENTRA_CLIENT_CERTIFICATE or CAMUNDA_ENTRA_FEDERATED_TOKEN_FILE "
    "names, that this process may read it, and that it holds what it should."
)
_NOT_OURS: Final = frozenset({"app_without_permissions", "client_not_allowed"})
"""What holds of the application's own token and of nobody else's."""


class _Clock:
    """The case's clock in the form that credentials want."""

    def __init__(self, case: Case) -> None:
        self.time = self.monotonic = case.clock


async def credential(case: Case) -> AsyncIterator[Finding]:
    """Entra takes what proves who the application is: it gives it a token for itself."""
    try:
        client = client_of(case.settings, _Clock(case))
    except SettingsError as error:
        cause, remedy = split_remedy(error.problems[0])
        yield Finding("credential", State.WRONG, cause, remedy or _FILE, "settings_invalid")
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
    for finding in _about(client, case.clock()):
        yield finding
    try:
        await client.form()
    except FetchFailed as failure:
        yield Finding("credential", State.WRONG, printable(failure.message), _FILE, "credential_unusable")
        return
    if case.discovery is None or case.discovery.token_endpoint is None:
        yield skipped("credential", "Entra's token endpoint is not known")
        return
    if case.settings.is_multi_tenant:
        yield skipped("credential", "an issuer for several tenants gives applications no tokens of their own")
        return
    scope = f"{case.settings.client_id}/.default"
    http = entra_http(case.settings, case.probe.client)
    try:
        tokens = await request_app_token(
            http, case.discovery.token_endpoint, client, scope=scope, claims=merged(None)
        )
    except EntraRefused as error:
        policy = explain(error.refusal).kind in (Kind.POLICY, Kind.CONSENT)
        yield refused("credential", error.refusal, State.NOTE if policy else State.WRONG)
    except FetchFailed as failure:
        cause, remedy = split_remedy(failure.message)
        again = "Correct CAMUNDA_IDENTITY_ISSUER_BACKEND_URL, or what stands between here and Entra."
        yield Finding("credential", State.WRONG, printable(cause), remedy or again, failure.code)
    else:
        case.token = tokens.access_token
        yield Finding("credential", State.OK, f"Entra takes the {_name(client)}")


async def own_token(case: Case) -> AsyncIterator[Finding]:
    """The token is one that this service would take: version, audience, issuer."""
    if not case.token:
        yield skipped("own token", "Entra gave none")
        return
    result = check_access_token(case.token, case.keys, policy_of(case.settings), case.clock())
    wrong = [each for each in result.checks if each.state is State.WRONG and each.code not in _NOT_OURS]
    for each in wrong:
        yield Finding(
            "own token", State.WRONG, each.message, each.remedy, each.code, each.expected, each.actual
        )
    if not wrong:
        token = DecodedToken.decode(case.token)
        audience, version = printable(token.claims.get("aud"), 100), printable(token.text("ver"), 10)
        yield Finding("own token", State.OK, f"version {version}, for the audience {audience}")


async def scopes(case: Case) -> AsyncIterator[Finding]:
    """What signing in asks for brings an access token for this API."""
    settings = case.settings
    wanted = [scope for scope in settings.scopes if scope not in _OF_OPENID]
    ours = (settings.client_id, *settings.audience, f"api://{settings.client_id}")
    if not wanted or all(scope.startswith(tuple(f"{own}/" for own in ours)) for scope in wanted):
        told = " ".join(settings.scopes)
        if wanted:
            yield Finding("scopes", State.OK, told)
        else:
            yield _strange(told, "no scope of this API")
    else:
        yield _strange(" ".join(settings.scopes), "scopes of other APIs")
    if "offline_access" not in settings.scopes:
        yield Finding(
            "scopes",
            State.NOTE,
            "Without offline_access there is no refresh token: people sign in again every hour or so.",
            "Add offline_access to CAMUNDA_ENTRA_SCOPES.",
            "no_refresh",
        )


def _strange(told: str, what: str) -> Finding:
    return Finding(
        "scopes",
        State.NOTE,
        f"Signing in asks for {what}, so that the session has no access token for this API.",
        "Roles then come from the ID token alone. Leave CAMUNDA_ENTRA_SCOPES unset for "
        "openid email offline_access <client ID>/.default.",
        "scopes_elsewhere",
        actual=told,
    )


def _about(client: Client, now: float) -> list[Finding]:
    """What is known of the credential without asking anybody."""
    held = client.credential
    if isinstance(held, ClientSecret) and _GUID.fullmatch(held.secret):
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
    if not isinstance(held, ClientCertificate):
        return []
    ends = held.file.current().certificate.not_valid_after_utc
    days = int((ends - datetime.fromtimestamp(now, UTC)).total_seconds() // 86_400)
    remedy = "Make a new one, upload it under Certificates & secrets, then replace the file."
    if days < 0:
        told = f"The client certificate expired on {ends:%Y-%m-%d}."
        return [Finding("credential", State.WRONG, told, remedy, "certificate_expired")]
    if days < _SOON:
        told = f"The client certificate expires on {ends:%Y-%m-%d}, in {days} days."
        return [Finding("credential", State.NOTE, told, remedy, "certificate_ends")]
    return [Finding("credential", State.OK, f"the client certificate is good until {ends:%Y-%m-%d}")]


def _name(client: Client) -> str:
    names = {"ClientSecret": "client secret", "ClientCertificate": "client certificate"}
    return names.get(type(client.credential).__name__, "federated token")
