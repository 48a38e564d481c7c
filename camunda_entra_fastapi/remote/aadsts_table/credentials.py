"""Codes where what the application, or a caller of it, proves itself with is wrong."""

from typing import Final

from camunda_entra_fastapi.remote.aadsts_table.explanation import APP, Texts

_ASSERTION: Final = (
    "Where CAMUNDA_ENTRA_CLIENT_CERTIFICATE or CAMUNDA_ENTRA_FEDERATED_TOKEN_FILE is set, compare it and "
    "CAMUNDA_IDENTITY_CLIENT_ID to the app registration"
)

CREDENTIALS: Final[Texts] = {
    (7000215,): (
        "The client secret is wrong; often it is the secret's ID instead of its value.",
        f"{APP}Certificates & secrets, create one and put its value into CAMUNDA_IDENTITY_CLIENT_SECRET.",
    ),
    (7000222,): (
        "The client secret has expired.",
        f"{APP}Certificates & secrets, put the value of a new one into CAMUNDA_IDENTITY_CLIENT_SECRET.",
    ),
    (7000216, 7000218): (
        "The application has to prove itself to Entra, but no client secret was sent.",
        "Set CAMUNDA_IDENTITY_CLIENT_SECRET.",
    ),
    (700025,): (
        "A client secret was sent for an application that is registered as a public client.",
        f"{APP}Authentication, register the redirect URI for the platform Web.",
    ),
    (700027,): (
        "The signature that the application proves itself with fits none of its certificates.",
        f"{APP}Certificates & secrets, upload the certificate that this service signs with.",
    ),
    (700024,): ("What the application proves itself with is not valid at this time.", "Set the clock right."),
    (70021, 700211, 700212, 700213, 700229): (
        "No federated credential of the application fits the token that it proved itself with.",
        f"{APP}Certificates & secrets > Federated credentials, compare issuer, subject and audience.",
    ),
    (50012,): (
        "Entra does not trust the certificate or the assertion that the application proves itself with.",
        f"{APP}Certificates & secrets, compare the thumbprint to that of CAMUNDA_ENTRA_CLIENT_CERTIFICATE, "
        "and upload what is missing.",
    ),
    (50027,): (
        "A token that was sent to Entra is malformed, lacks a claim, or is of the wrong issuer or time: a "
        "client assertion, or a token to act on behalf of somebody.",
        f"{_ASSERTION}. Callers have to send an access token for this API.",
    ),
    (50048, 700021): (
        "What the application proves itself with names another application, or its iss and sub differ.",
        f"{_ASSERTION}; in an assertion of your own making, iss and sub are both the client ID.",
    ),
    (700022,): (
        "What the application proves itself with has no subject. Before 2025: scopes of several APIs.",
        "Let iss and sub of the assertion be the client ID. If scopes are meant, let CAMUNDA_ENTRA_SCOPES "
        "name one API besides openid, profile, email and offline_access.",
    ),
    (700023,): (
        "What the application proves itself with has another audience than this tenant's token endpoint. "
        "Before 2025: a scope that is not valid.",
        "Let CAMUNDA_IDENTITY_ISSUER name the tenant of the app registration, and aud of an assertion be its "
        "token endpoint. If scopes are meant, correct CAMUNDA_ENTRA_SCOPES.",
    ),
    (700030,): (
        "The certificate that the application proves itself with has a subject that is not authorized, or is "
        "of another cloud.",
        "Put the application's own certificate first into the file of CAMUNDA_ENTRA_CLIENT_CERTIFICATE, "
        "before those of its issuers, and compare its subject to the app registration.",
    ),
    (1000502,): (
        "The certificate that the application proves itself with has expired, or is not valid yet.",
        f"{APP}Certificates & secrets, upload a new one, and replace the file of "
        "CAMUNDA_ENTRA_CLIENT_CERTIFICATE.",
    ),
    (7000214, 7000277): (
        "The certificate that the application proves itself with was revoked.",
        "Have its issuer make a new one, upload it under Certificates & secrets, and replace the file of "
        "CAMUNDA_ENTRA_CLIENT_CERTIFICATE.",
    ),
    (5002730,): (
        "What the application proves itself with is signed in a way that Entra does not take.",
        "Sign assertions with PS256 or RS256, as this service does with CAMUNDA_ENTRA_CLIENT_CERTIFICATE.",
    ),
    (50166,): (
        "Entra cannot reach the identity provider that would have to confirm this, such as the issuer of a "
        "federated credential.",
        "See that the issuer's discovery document and keys can be fetched from the Internet, then try again.",
    ),
    (50013, 500131, 7000114, 240002): (
        "The token to act on behalf of the person is not one that Entra takes for it.",
        "Clients have to send an access token for this API, whose aud is CAMUNDA_IDENTITY_CLIENT_ID; "
        "ID tokens and tokens of applications will not do.",
    ),
}
