"""The AADB2C codes of Azure AD B2C, whose numbers mean something else than those of AADSTS codes.

The codes are those of Learn: Error codes: Azure Active Directory B2C.
"""

from typing import Final

from camunda_entra_fastapi.remote.aadsts_table.explanation import AGAIN, Texts

_APP: Final = "In the Azure portal, Azure AD B2C > App registrations > this application > "

PERSON: Final[Texts] = {
    (90091,): ("The sign-in was cancelled.", "Sign in again, whenever you like."),
    (90118,): (
        "The person has forgotten the password, and this user flow does not give another one.",
        "Reset the password with the user flow for it, then sign in again. A recommended user flow for "
        "signing up and in has self-service password reset under Properties.",
    ),
    (90001,): ("There is an account of this name already.", "Sign in with it instead of signing up."),
    (90052, 90053, 90054, 90225): (
        "The user name or the password is wrong, or there is no such account.",
        "Sign in again, or reset the password.",
    ),
    (90111, 90114): (
        "The account is locked, after too many failed sign-ins or by an administrator.",
        "Wait some minutes and sign in again, or ask whoever runs this service.",
    ),
    (90151, 90155, 90156, 90157, 90158, 90159): (
        "A step of the sign-in, such as a code by phone or e-mail, failed or was tried too often.",
        "Sign in again from the start.",
    ),
}
POLICY: Final[Texts] = {
    (90092,): (
        "This application is disabled in the B2C tenant.",
        "In the Entra admin center, Enterprise applications > this application > Properties, let it be "
        "enabled for users to sign in.",
    ),
}
SESSION: Final[Texts] = {
    (90077,): ("Nobody is signed in to B2C in this browser.", AGAIN),
    (90080, 90128, 90129): (
        "The sign-in has expired or was revoked, or its account is there no more.",
        AGAIN,
    ),
    (90087, 90088, 90279): (
        "The sign-in was for another user flow, another version of it, or another application.",
        AGAIN,
    ),
    (90182, 90183): (
        "The answer belongs to another attempt to sign in: its PKCE code verifier does not fit.",
        "Sign in again, in one tab.",
    ),
    (90046, 90211, 90212, 90255): (
        "B2C has lost track of this sign-in, as when its cookies are held back.",
        "Sign in again from the start, in one tab. Let the browser keep the cookies of B2C.",
    ),
}
REGISTRATION: Final[Texts] = {
    (90006, 90007, 90287): (
        "The redirect URI that this service sends is not registered.",
        f"{_APP}Authentication, add exactly the URI that camunda-entra doctor prints, for the platform Web. "
        "If that one is wrong, set CAMUNDA_ENTRA_BASE_URL.",
    ),
    (90011, 90018, 90068, 90285, 90296): (
        "The B2C tenant knows no application with this client ID, or it was registered in another way.",
        "Compare CAMUNDA_IDENTITY_CLIENT_ID and the tenant in CAMUNDA_IDENTITY_ISSUER to what the "
        "Azure portal shows under Azure AD B2C > App registrations.",
    ),
    (90012, 90055, 90117, 90205, 99005): (
        "B2C does not know a scope that this service asks for, or has not granted it to the application.",
        "Write scopes of APIs in CAMUNDA_ENTRA_SCOPES in full, as under Expose an API, and grant them: "
        f"{_APP}API permissions.",
    ),
    (90146,): (
        "One request for a token names scopes of several APIs.",
        "Let CAMUNDA_ENTRA_SCOPES name one API besides openid, profile and offline_access.",
    ),
    (90010, 90107, 90110, 90115): (
        "The scopes lack openid, or anything that an access token could be for.",
        "Let CAMUNDA_ENTRA_SCOPES have openid, offline_access, and the client ID or a scope of an API.",
    ),
    (90079,): (
        "The application has to prove itself to B2C, but no client secret was sent.",
        "Set CAMUNDA_IDENTITY_CLIENT_SECRET.",
    ),
    (90081,): (
        "The client secret is wrong or has expired.",
        f"{_APP}Certificates & secrets, create one and put its value into CAMUNDA_IDENTITY_CLIENT_SECRET.",
    ),
    (90058, 90084, 99059): (
        "The redirect URI is registered for another platform: that of a web application has a client secret.",
        f"{_APP}Authentication, register the redirect URI for the platform Web.",
    ),
    (90057,): (
        "The application may not get tokens from the authorization endpoint.",
        f"Ask for response_type=code, or allow what you ask for: {_APP}Authentication.",
    ),
    (90284,): (
        "Consent to openid and offline_access was not granted to the application.",
        f"{_APP}API permissions, grant admin consent.",
    ),
    (90008, 90013, 90014, 90043, 90083, 90086, 90120, 90122, 90184, 99013): (
        "The request to B2C lacks a parameter, or has one that it does not know.",
        "See that CAMUNDA_IDENTITY_ISSUER names the user flow, and that proxies pass requests unchanged.",
    ),
    (
        *(90002, 90019, 90021, 90022, 90023, 90025, 90027, 90028, 90031, 90037, 90040, 90044, 90047),
        *(90051, 90075, 90108, 90178, 90188, 90194, 90220, 90223, 90242, 90243, 90261, 90273, 90276),
        *(90277, 90288, 99006, 99011),
    ): (
        "The user flow or custom policy is wrong, or an identity provider or API that it calls fails.",
        "In the Azure portal, Azure AD B2C > User flows or Identity Experience Framework, run it by itself; "
        "the correlation ID finds its log in Application Insights.",
    ),
}
ENTRA: Final[Texts] = {
    (90035, 90048, 90085, 90206): ("B2C has trouble of its own at the moment.", "Try again in a minute."),
    (90244,): (
        "B2C is too busy, or gets too many requests for this tenant.",
        "Wait some minutes, then try again.",
    ),
    (90289,): ("B2C cannot reach the identity provider that the person chose.", "Try again in a minute."),
}
TOO_MANY_REQUESTS: Final = frozenset({90244})
CANCELLED: Final = 90091
FORGOTTEN_PASSWORD: Final = 90118
