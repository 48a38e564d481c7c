"""Remedies: for each code, where to change what; for logs, the command line and the documentation.

Messages of errors are for whoever sent the request. These are for whoever runs the client or the service, and
has access to the Entra admin center. Refusals of Entra itself are explained in ``remote.aadsts_table``.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_APP: Final = "In the Entra admin center, App registrations > the API's registration > "
_ENTERPRISE: Final = "In the Entra admin center, Enterprise applications > the API > "
_CLIENT: Final = "In the client, "
_SCOPE: Final = "ask for the scope <client ID of the API>/.default, or for one that the API exposes"
_NO_BEARER: Final = f"{_CLIENT}send the access_token of Entra's answer, unchanged"
_DOCTOR: Final = "On the service's machine, camunda-entra doctor finds the cause."
_FRESH: Final = f"{_CLIENT}get a new token; keep tokens no longer than their expires_in"

PERSONAL_ACCOUNT: Final = (
    "Sign in with a work or school account: with an issuer of /organizations, * in "
    "CAMUNDA_ENTRA_ALLOWED_TENANTS lets in those alone. If personal accounts shall be let in, too, set "
    "CAMUNDA_IDENTITY_ISSUER to the one with /common in place of /organizations, or list their tenant, "
    "9188040d-6c67-4c5b-b112-36a304b66dad, together with all others."
)
"""For ``tenant_mismatch`` of a personal account where every organization is let in."""

REMEDIES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "token_too_large": f"{_APP}Token configuration, let tokens have fewer groups: choose those that are "
        "assigned to the application, or use app roles.",
        "token_malformed": f"{_NO_BEARER}: not the refresh token, a code or a client secret.",
        "token_encrypted": f"{_APP}Manifest, take out tokenEncryptionKeyId, so that tokens are signed only. "
        "If it is a session cookie, send it as a cookie.",
        "algorithm_not_allowed": f"{_NO_BEARER}. Entra signs with RS256; whatever does not is not Entra.",
        "header_not_allowed": f"{_NO_BEARER}. Entra's tokens bring no key along; find out who made this one.",
        "key_missing": f"{_NO_BEARER}. Entra's tokens name their key; find out who made this one.",
        "key_unknown": "Compare the tenant and the cloud in CAMUNDA_IDENTITY_ISSUER to the token's issuer. "
        "If "
        "the application has claims mapping or SAML keys of its own, set CAMUNDA_ENTRA_CUSTOM_SIGNING_KEYS="
        "true. If the token is some weeks old, get a new one. Entra's servers publish different sets of "
        "keys: a service that saw the key within CAMUNDA_ENTRA_KEY_RETENTION accepts it all the same.",
        "signature_invalid": f"{_NO_BEARER}: something on the way changed it, or it was cut when it was "
        "copied.",
        "graph_token": f"{_CLIENT}{_SCOPE}; names without a prefix, such as User.Read, are Microsoft "
        "Graph's. "
        "One request can ask for one API only.",
        "v1_token": f"{_APP}Manifest, set requestedAccessTokenVersion to 2 (in api; "
        "accessTokenAcceptedVersion "
        "in the old format), save, and get a new token. Where tokens of version 1.0 must do, set "
        "CAMUNDA_ENTRA_ACCEPT_V1_TOKENS=true.",
        "id_token": f"{_CLIENT}send the access_token instead of the id_token; if there is no access token "
        "for "
        f"the API, {_SCOPE}.",
        "bound_token": f"{_CLIENT}ask for a plain bearer token: no DPoP, no client certificate for the token "
        "(mutual TLS, as at mtlsauth.microsoft.com), and in MSAL none of the proofs of possession.",
        "claim_missing": f"{_NO_BEARER}. Entra's access tokens have this claim; find out who made this one.",
        "claim_malformed": f"{_NO_BEARER}. Entra never writes the claim so; find out who made this token.",
        "issuer_mismatch": "If the token's issuer is your tenant, set CAMUNDA_IDENTITY_ISSUER to it, to the "
        f"letter. Else the client signs in at another tenant: {_CLIENT.lower()}change the authority.",
        "tenant_mismatch": "Add the tenant to CAMUNDA_ENTRA_ALLOWED_TENANTS if its people shall be let in, "
        "with "
        "an issuer for several tenants; else sign in with an account of the right one. With "
        "CamundaEntra(tenant_allowed=...), that function decides, and a refusal is remembered for a while.",
        "audience_mismatch": f"If the audience is another API, {_CLIENT.lower()}{_SCOPE}. If it is the "
        "Application ID URI of this one (api://...), set requestedAccessTokenVersion to 2 in its Manifest, "
        "so that the audience is the client ID, or add the URI to CAMUNDA_IDENTITY_AUDIENCE.",
        "nonce_mismatch": "Sign in again, in one tab.",
        "at_hash_mismatch": "Sign in again. If it stays so, find out what changes answers between Entra and "
        "here.",
        "token_expired": f"{_FRESH}. If it is fresh, set the clock of the service right.",
        "token_not_yet_valid": "Set the clock of the service right, for example with NTP. "
        "CAMUNDA_ENTRA_CLOCK_SKEW is the leeway in seconds, at most 300.",
        "app_without_permissions": f"{_APP}App roles, create one for applications; then in the client's "
        "registration, API permissions > Add > Application permissions, add it and grant admin consent. "
        "Or name the client in CAMUNDA_ENTRA_ALLOWED_CLIENTS, with all others that may call: nobody else is "
        "let in then. For Camunda's own machine tokens (scope <client ID of the API>/.default, and azp the "
        "same as aud) that is the API's own client ID.",
        "person_without_permissions": f"{_APP}Expose an API, add a scope such as access_as_user; then "
        f"{_CLIENT.lower()}ask for <client ID of the API>/.default or for the scope by its full name. In "
        "Azure AD B2C only the full name will do (https://<tenant>.onmicrosoft.com/<API>/<scope>), after it "
        "was added and granted under API permissions.",
        "guest_not_allowed": "Set CAMUNDA_ENTRA_ALLOW_GUESTS=true if guests of the tenant shall be let in.",
        "client_not_allowed": "Add the client's ID (azp, or appid in version 1.0) to "
        "CAMUNDA_ENTRA_ALLOWED_CLIENTS if it shall be let in.",
        "scope_missing": f"{_APP}Expose an API, see that the scope is there and enabled; in the client's "
        "registration, API permissions, add it and consent. Then ask for it.",
        "role_missing": f"{_ENTERPRISE}Users and groups, assign the person (or a group of theirs) the role; "
        "an application gets it in its registration under API permissions > Application permissions. "
        "Then sign in again.",
        "group_missing": "In the Entra admin center, Groups > the group > Members, add the person. If the "
        "token "
        "has no groups at all: App registrations > the API > Token configuration > Add groups claim.",
        "groups_not_listed": "Set CAMUNDA_ENTRA_GROUP_OVERAGE=graph, so that groups are looked up, or under "
        "Token configuration choose only the groups assigned to the application.",
        "permission_missing": f"{_ENTERPRISE}Users and groups, assign one of the roles, or ask for one of "
        "the "
        "scopes in the client. Then sign in again.",
        "insufficient_claims": f"{_CLIENT}sign in again with the claims parameter of the challenge.",
        "credentials_missing": f"{_CLIENT}send the header Authorization: Bearer <access token>. To "
        "get a token, "
        f"{_SCOPE}. People sign in at /auth/login.",
        "authorization_repeated": f"{_CLIENT}send one Authorization header. If a gateway adds one, let it "
        "replace the client's.",
        "authorization_malformed": f"{_CLIENT}send the token without line breaks and tabs; whoever reads it "
        "from a file strips the end of the line.",
        "host_malformed": "Set CAMUNDA_ENTRA_BASE_URL to the public address of the service, or let the proxy "
        "pass on one Host header, the browser's.",
        "access_token_unavailable": "Set CAMUNDA_ENTRA_SESSION_STORE to the URL of a Redis, so that sessions "
        "have room for their access token, or add offline_access to CAMUNDA_ENTRA_SCOPES.",
        "user_required": f"{_CLIENT}call with the token of a person who signed in. A service that acts for "
        "itself calls the other one with its own token: client_credentials.",
        "verify_request_invalid": "In the gateway's configuration, write the query of /auth/verify with "
        "parameters of the documentation alone. The original request's query does not belong there.",
        "tenant_check_failed": "Mend the function in CamundaEntra(tenant_allowed=...), which raised or did "
        "not end in time; the log has what it raised. The client tries again later.",
        "keys_unavailable": f"Wait until Entra can be reached; the service fetches the keys by "
        f"itself. {_DOCTOR}",
        "issuer_unexpected": "Set CAMUNDA_IDENTITY_ISSUER to the issuer that the log names, and "
        f"CAMUNDA_IDENTITY_ISSUER_BACKEND_URL to the same tenant's address. {_DOCTOR}",
        "local_entra": "Set CAMUNDA_IDENTITY_ISSUER to your tenant's. Where the local Entra is meant, in "
        "development alone, set CAMUNDA_ENTRA_ALLOW_LOCAL_ENTRA=true.",
        "cross_origin": f"{_CLIENT}call from a page of the service's own origin, or send a bearer token "
        "instead of the session cookie. If the page is of the same origin, set CAMUNDA_ENTRA_BASE_URL to the "
        "address that browsers see.",
        "login_expired": "Sign in again, in the same browser and within ten minutes. If it happens "
        "each time, "
        "the browser loses the cookie of the sign-in: see that people come to one host name, the one of "
        "CAMUNDA_ENTRA_BASE_URL, and over https.",
        "login_request_invalid": "Begin again at /auth/login. If a link or program made the request, send "
        "each parameter once, and those of the documentation alone.",
        "login_refused": "Look up the AADSTS code of the answer, which names the cause. Whoever signs in "
        "can mend some of them, the service's operators and the tenant's administrators the others.",
        "id_token_invalid": f"Sign in again. If it stays so, the log says which check failed. {_DOCTOR}",
        "identity_missing": "Add profile to CAMUNDA_ENTRA_SCOPES: Entra's ID tokens have oid with it alone. "
        "For a tenant of customers set CAMUNDA_ENTRA_TENANT_TYPE=external.",
        "consent_required": "Let an administrator of the tenant open /auth/admin-consent, or grant "
        "consent in "
        "the Entra admin center, App registrations > this application > API permissions.",
        "entra_unreachable": f"Let the service reach Entra: DNS, firewall, CAMUNDA_ENTRA_HTTP_PROXY, "
        f"CAMUNDA_ENTRA_CA_BUNDLE. The client tries again later. {_DOCTOR}",
        "entra_timeout": f"Try again later. If it stays so, look at the way to Entra. {_DOCTOR}",
        "entra_throttled": "Try again after the seconds of Retry-After. If it stays so, find out "
        "which of the "
        "registration's clients asks for so many tokens.",
        "entra_failed": "Try again later. If it stays so, look up the reference of the answer in the log, "
        f"which says what Entra answered. {_DOCTOR}",
        "sessions_unavailable": "Let the service reach the store of CAMUNDA_ENTRA_SESSION_STORE. Where the "
        "log says that it takes no writes, give it memory or disk, or name its primary. Nobody is signed out "
        "meanwhile; the client tries again later.",
        "entra_refused": "Look up the reference of the answer in the log: its AADSTS code says what "
        "to change "
        "in this service's registration or credential.",
    }
)
"""Code (``errors.CODES``) to one or two sentences, for each code that a client may be answered with."""
