"""The AADSTS codes: kind, cause and remedy of each, in our own words.

The codes are those of Learn: Microsoft Entra authentication and authorization error codes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Kind(StrEnum):
    """Who can act on a refusal."""

    CONSENT = "consent"
    """An administrator or the user must consent."""
    PERSON = "person"
    """The user can act: choose another account, finish a step."""
    REGISTRATION = "registration"
    """The app registration or the settings are wrong."""
    POLICY = "policy"
    """An administrator of the tenant decides: Conditional Access, assignment, a disabled account."""
    SESSION = "session"
    """A new sign-in is needed: codes and tokens expire and are revoked."""
    ENTRA = "entra"
    """A temporary fault of Entra."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Cause and remedy of a refusal: one or two plain sentences each, for people and logs."""

    cause: str
    remedy: str
    kind: Kind


_Texts = Mapping[tuple[int, ...], tuple[str, str]]
"""Codes to cause and remedy."""

_PLACE: Final = "App registrations > this application > "
_APP: Final = f"In the Entra admin center, {_PLACE}"
_ENTERPRISE: Final = "In the Entra admin center, Enterprise applications > this application > "
_GRANT: Final = f"{_ENTERPRISE}Permissions, an administrator has to grant admin consent"
_AGAIN: Final = "Sign in again."

_CONSENT: Final[_Texts] = {
    (65001,): (
        "Nobody has consented yet to the permissions that this service asks for.",
        "Sign in again and accept. Where that is left to administrators, one of them has to consent.",
    ),
    (65004,): (
        "Consent to the permissions that this service asks for was declined.",
        "Sign in again and accept, or ask an administrator to consent for the whole organization.",
    ),
    (90093, 90094): (
        "Only an administrator may consent to the permissions that this service asks for.",
        f"{_GRANT}. Then sign in again.",
    ),
    (90095,): (
        "An administrator has to approve the permissions that this service asks for.",
        "Send the request that Entra's page offers, or ask an administrator to consent for the whole "
        "organization. Then sign in again.",
    ),
    (900941, 900981): (
        "Entra finds this application risky or its publisher unverified, so an administrator must consent.",
        f"{_GRANT}. Under {_PLACE}Branding & properties, its owner can have the publisher verified.",
    ),
    (90099,): (
        "This application is not authorized in the customer's tenant that the sign-in is for.",
        "An administrator of that tenant has to consent to the application.",
    ),
    (650056,): (
        "The permissions asked for are missing from the registration, or consent to them in this tenant.",
        f"{_APP}API permissions, add what CAMUNDA_ENTRA_SCOPES names, then grant admin consent.",
    ),
    (700011, 7000229): (
        "This application is not there in the tenant of the sign-in: it has no service principal in it.",
        "An administrator of that tenant has to consent to the application once, "
        "or run az ad sp create --id <client ID>.",
    ),
}

_PERSON: Final[_Texts] = {
    (16000, 50020, 90072): (
        "The account belongs to another organization and has no access to this one.",
        "Sign in with another account, or ask an administrator to invite this one as a guest.",
    ),
    (50034,): (
        "The organization has no such account.",
        "Check how the name is spelled, or sign in with another account.",
    ),
    (50126,): ("The user name or the password is wrong.", "Sign in again, or reset the password."),
    (50053,): (
        "The account is locked after too many failed sign-ins, or the sign-in came from a blocked address.",
        "Wait some minutes and sign in again, or ask an administrator to unlock the account.",
    ),
    (50055, 50144): ("The password has expired.", "Change the password, then sign in again."),
    (50074, 50076, 50078): (
        "This sign-in needs multifactor authentication, and it was not done or has expired.",
        "Sign in again and confirm it in the way that Entra asks for.",
    ),
    (50072, 50079): (
        "This sign-in needs multifactor authentication, and the account has no method registered for it.",
        "Sign in again and register a method when Entra asks for it, or at https://aka.ms/mfasetup.",
    ),
    (500121,): (
        "The multifactor authentication failed, was declined, or was not answered in time.",
        "Sign in again and confirm it, or choose another method.",
    ),
    (70016,): ("The sign-in on the other device is not finished yet.", "Finish it there, then try again."),
    (700003,): (
        "The device that the sign-in came from is no longer known to its organization.",
        "Register the device again in its settings for work or school accounts, then sign in again.",
    ),
}

_POLICY: Final[_Texts] = {
    (50057,): ("The account is disabled.", "In the Entra admin center, Users > this account, enable it."),
    (50105, 501051): (
        "This application requires assignment, and this account or application has none.",
        f"{_ENTERPRISE}Users and groups, assign the person or a group of theirs; "
        "for an application, grant it one of the app roles.",
    ),
    (53003, 530032, 530035): (
        "A Conditional Access policy or the security defaults of the organization block this sign-in.",
        "Sign in as the policy demands, from a known network or device. Administrators find the policy "
        "in the Entra admin center under Sign-in logs, by the correlation ID.",
    ),
    (50097, 53000, 53001, 53002): (
        "The organization lets in managed devices and approved apps only, and this one does not count.",
        "Sign in from a device that the organization manages, or have an administrator enroll this one.",
    ),
    (650052,): (
        "An API that this service asks for is not subscribed to or enabled in the organization.",
        "An administrator has to subscribe to it, or create its service principal in the tenant.",
    ),
    (7000112,): (
        "This application is disabled in the tenant.",
        f"{_ENTERPRISE}Properties, let it be enabled for users to sign in.",
    ),
}

_SESSION: Final[_Texts] = {
    (50058,): (
        "Nobody is signed in to Entra in this browser, or the browser holds its cookies back.",
        _AGAIN,
    ),
    (50089,): ("Entra's sign-in page stayed open too long.", _AGAIN),
    (54005,): ("The answer to this sign-in was used already, as when a page is loaded twice.", _AGAIN),
    (70008, 700082, 700084): ("The sign-in has expired, or was not used for too long.", _AGAIN),
    (50132, 50133, 50173): (
        "The sign-in was revoked, as after a changed password or signing out everywhere.",
        _AGAIN,
    ),
    (70043, 70044): ("The organization demands a new sign-in from time to time, and it is due.", _AGAIN),
    (501481,): (
        "The answer belongs to another attempt to sign in: its PKCE code verifier does not fit.",
        "Sign in again, in one tab.",
    ),
    (9002313,): ("Entra cannot read the code or the refresh token that it was sent.", _AGAIN),
    (500133,): (
        "The token to act on behalf of the person has expired or is not valid yet.",
        "Sign in again. If it happens to fresh tokens, set the clock of this service right.",
    ),
    (50196,): (
        "The same was asked of Entra too often in a short time, as in a loop of sign-ins.",
        "Wait some minutes, then sign in again. Let the browser keep the cookies of this site.",
    ),
}

_REGISTRATION: Final[_Texts] = {
    (50011, 900971): (
        "The redirect URI that this service sends is not registered.",
        f"{_APP}Authentication, add exactly the URI that the service logs at start, for the platform Web. "
        "If that one is wrong, set CAMUNDA_ENTRA_BASE_URL.",
    ),
    (700016,): (
        "The tenant knows no application with this client ID.",
        "Compare CAMUNDA_IDENTITY_CLIENT_ID and the tenant in CAMUNDA_IDENTITY_ISSUER to what the "
        f"Entra admin center shows under {_PLACE}Overview.",
    ),
    (90002, 900023): (
        "Entra knows no tenant of this name or ID.",
        "Set the tenant in CAMUNDA_IDENTITY_ISSUER to the directory ID that the Entra admin center shows "
        "under Overview; national clouds have a host of their own.",
    ),
    (50059, 50128, 90019, 90124, 90130, 9001023): (
        "Entra cannot tell which tenant is meant, or does this for a single tenant only.",
        "Name the tenant by its ID in CAMUNDA_IDENTITY_ISSUER, not as common or organizations.",
    ),
    (50194,): (
        "The application is for one tenant, but was used with the endpoint for several.",
        f"Name the tenant in CAMUNDA_IDENTITY_ISSUER, or allow several under {_PLACE}Authentication.",
    ),
    (90038, 900439): (
        "The tenant or the application is in another national cloud.",
        "Set CAMUNDA_IDENTITY_ISSUER and CAMUNDA_IDENTITY_ISSUER_BACKEND_URL to that cloud's host.",
    ),
    (700005,): (
        "The code was issued by one tenant and redeemed at another.",
        "Let CAMUNDA_IDENTITY_ISSUER and CAMUNDA_IDENTITY_ISSUER_BACKEND_URL name the same tenant.",
    ),
    (90008,): (
        "The app registration lacks the permission to sign people in and read their profile.",
        f"{_APP}API permissions, add User.Read of Microsoft Graph, then grant admin consent.",
    ),
    (65005, 650057): (
        "An API that this service asks for is not among the permissions of the app registration.",
        f"{_APP}API permissions, add what CAMUNDA_ENTRA_SCOPES names, then grant admin consent.",
    ),
    (500011,): (
        "The tenant has no API of the name that a scope begins with.",
        "Compare CAMUNDA_ENTRA_SCOPES to the API's Application ID URI under Expose an API, "
        "and see that the API has a service principal in the tenant.",
    ),
    (28002, 28003, 70011, 700023): (
        "A scope is unknown or empty, or .default is mixed with other scopes of an API.",
        "Correct CAMUNDA_ENTRA_SCOPES, for example: openid email offline_access <client ID>/.default",
    ),
    (1002012,): (
        "An application asked for a token on its own account with a scope that is not <API>/.default.",
        "Ask for exactly one scope of the form api://<API>/.default, encoded once.",
    ),
    (700022,): (
        "One request for a token names scopes of several APIs.",
        "Let CAMUNDA_ENTRA_SCOPES name one API besides openid, profile, email and offline_access.",
    ),
    (90009,): (
        "This application asks for a token for itself by its Application ID URI.",
        "Write <client ID>/.default in CAMUNDA_ENTRA_SCOPES, not api://<name>/.default.",
    ),
    (7000215,): (
        "The client secret is wrong; often it is the secret's ID instead of its value.",
        f"{_APP}Certificates & secrets, create one and put its value into CAMUNDA_IDENTITY_CLIENT_SECRET.",
    ),
    (7000222,): (
        "The client secret has expired.",
        f"{_APP}Certificates & secrets, put the value of a new one into CAMUNDA_IDENTITY_CLIENT_SECRET.",
    ),
    (7000216, 7000218): (
        "The application has to prove itself to Entra, but no client secret was sent.",
        "Set CAMUNDA_IDENTITY_CLIENT_SECRET.",
    ),
    (700025,): (
        "A client secret was sent for an application that is registered as a public client.",
        f"{_APP}Authentication, register the redirect URI for the platform Web.",
    ),
    (700027,): (
        "The signature that the application proves itself with fits none of its certificates.",
        f"{_APP}Certificates & secrets, upload the certificate that this service signs with.",
    ),
    (700024,): ("What the application proves itself with is not valid at this time.", "Set the clock right."),
    (70021, 700211, 700212, 700213, 700229): (
        "No federated credential of the application fits the token that it proved itself with.",
        f"{_APP}Certificates & secrets > Federated credentials, compare issuer, subject and audience.",
    ),
    (50147, 501491): (
        "The PKCE code challenge or verifier has a wrong size or form (RFC 7636, 4.1 and 4.2).",
        "Send 43 to 128 letters, digits and -._~ as code verifier, and its S256 code challenge.",
    ),
    (9002325, 9002326, 9002327): (
        "The redirect URI is registered for another platform than the one that redeems the code.",
        f"{_APP}Authentication, register it for Web where this service redeems the code, "
        "and for Single-page application where the browser does.",
    ),
    (90100, 900144, 900561, 901002): (
        "The request to Entra lacks a parameter, has one that version 2.0 does not take, or a wrong method.",
        "See that CAMUNDA_IDENTITY_ISSUER ends in /v2.0 and that proxies pass requests to Entra unchanged.",
    ),
    (700054,): (
        "The application may not get ID tokens from the authorization endpoint.",
        f"Ask for response_type=code, or allow ID tokens under {_PLACE}Authentication.",
    ),
    (50013, 500131, 7000114, 240002): (
        "The token to act on behalf of the person is not one that Entra takes for it.",
        "Clients have to send an access token for this API, whose aud is CAMUNDA_IDENTITY_CLIENT_ID; "
        "ID tokens and tokens of applications will not do.",
    ),
}

EXPLANATIONS: Final[Mapping[int, Explanation]] = MappingProxyType(
    {
        code: Explanation(cause, remedy, kind)
        for kind, texts in {
            Kind.CONSENT: _CONSENT,
            Kind.PERSON: _PERSON,
            Kind.POLICY: _POLICY,
            Kind.SESSION: _SESSION,
            Kind.REGISTRATION: _REGISTRATION,
        }.items()
        for codes, (cause, remedy) in texts.items()
        for code in codes
    }
)
"""All known codes. Others are explained by their OAuth error."""
