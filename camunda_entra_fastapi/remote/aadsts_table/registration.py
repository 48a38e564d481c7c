"""Codes where the app registration or the settings are wrong."""

from typing import Final

from camunda_entra_fastapi.remote.aadsts_table.explanation import APP, PLACE, Texts

REGISTRATION: Final[Texts] = {
    (900971, 500113): (
        "No redirect URI is registered for this application.",
        f"{APP}Authentication, add exactly the URI that camunda-entra doctor prints, for the platform Web. "
        "If that one is wrong, set CAMUNDA_ENTRA_BASE_URL.",
    ),
    (500112,): (
        "The redirect URI that the code is redeemed with differs from that of the sign-in, as where a proxy "
        "changes https to http, or the host, in one of the two.",
        "Set CAMUNDA_ENTRA_BASE_URL to the address that browsers see, and let proxies pass host and scheme "
        "on unchanged.",
    ),
    (700009,): (
        "The code was redeemed without the redirect URI that the sign-in had.",
        "Send redirect_uri along with the code, the same as in the sign-in, and let proxies pass requests to "
        "Entra unchanged.",
    ),
    (50011,): (
        "The redirect URI that this service sends is not registered.",
        f"{APP}Authentication, add exactly the URI that camunda-entra doctor prints, for the platform Web. "
        "If that one is wrong, set CAMUNDA_ENTRA_BASE_URL.",
    ),
    (700016,): (
        "The tenant knows no application with this client ID.",
        "Compare CAMUNDA_IDENTITY_CLIENT_ID and the tenant in CAMUNDA_IDENTITY_ISSUER to what the "
        f"Entra admin center shows under {PLACE}Overview.",
    ),
    (700038,): (
        "The client ID is no application's: it is all zeros, or what an example had in its place.",
        "Put the Application (client) ID, which the Entra admin center shows under "
        f"{PLACE}Overview, into CAMUNDA_IDENTITY_CLIENT_ID.",
    ),
    (65002,): (
        "The client ID is that of an application of Microsoft's own, which this API does not know.",
        "Register an application of your own, and put its ID into CAMUNDA_IDENTITY_CLIENT_ID.",
    ),
    (9002331, 9002346): (
        "The application is registered for personal Microsoft accounts alone, and the issuer names others.",
        f"{APP}Authentication, let Supported account types have those of your organization.",
    ),
    (9002332,): (
        "The application is registered for accounts of organizations alone, and the endpoint is that of "
        "personal accounts.",
        "Name the tenant by its ID in CAMUNDA_IDENTITY_ISSUER, or under "
        f"{PLACE}Authentication let Supported account types have personal accounts.",
    ),
    (50049,): (
        "Entra has no cloud at the host that was asked for.",
        "Let CAMUNDA_IDENTITY_ISSUER begin with the host of your cloud, such as "
        "https://login.microsoftonline.com, or https://login.microsoftonline.us for the US Government.",
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
        f"Name the tenant in CAMUNDA_IDENTITY_ISSUER, or allow several under {PLACE}Authentication.",
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
        f"{APP}API permissions, add User.Read of Microsoft Graph, then grant admin consent.",
    ),
    (650053,): (
        "A scope that this service asks for does not exist on its API. One without an API in front is taken "
        "for a scope of Microsoft Graph.",
        "Compare CAMUNDA_ENTRA_SCOPES to the scopes under Expose an API of the API's registration, and write "
        "them in full: api://<API>/<scope>.",
    ),
    (65005,): (
        "A scope that this service asks for does not exist, or its API is not among the permissions of the "
        "app registration.",
        f"Correct CAMUNDA_ENTRA_SCOPES, and compare it to {PLACE}API permissions and to the API's own "
        "Expose an API.",
    ),
    (650057,): (
        "An API that this service asks for is not among the permissions of the app registration.",
        f"{APP}API permissions, add what CAMUNDA_ENTRA_SCOPES names, then grant admin consent.",
    ),
    (500011,): (
        "The tenant has no API of the name that a scope begins with.",
        "Compare CAMUNDA_ENTRA_SCOPES to the API's Application ID URI under Expose an API, "
        "and see that the API has a service principal in the tenant.",
    ),
    (28002, 28003, 70011): (
        "A scope is unknown or empty, or .default is mixed with other scopes of an API.",
        "Correct CAMUNDA_ENTRA_SCOPES, for example: openid profile email offline_access <client ID>/.default",
    ),
    (1002012,): (
        "An application asked for a token on its own account with a scope that is not <API>/.default.",
        "Ask for exactly one scope of the form api://<API>/.default, encoded once.",
    ),
    (28000,): (
        "One request for a token names scopes of several APIs.",
        "Let CAMUNDA_ENTRA_SCOPES name one API besides openid, profile, email and offline_access.",
    ),
    (90009,): (
        "This application asks for a token for itself by its Application ID URI.",
        "Write <client ID>/.default in CAMUNDA_ENTRA_SCOPES, not api://<name>/.default.",
    ),
    (50147, 501491): (
        "The PKCE code challenge or verifier has a wrong size or form (RFC 7636, 4.1 and 4.2).",
        "Send 43 to 128 letters, digits and -._~ as code verifier, and its S256 code challenge.",
    ),
    (9002325, 9002326, 9002327): (
        "The redirect URI is registered for another platform than the one that redeems the code.",
        f"{APP}Authentication, register it for Web where this service redeems the code, "
        "and for Single-page application where the browser does.",
    ),
    (901002, 9010010): (
        "The request has the parameter resource, which does not fit the scopes.",
        "Leave resource out, and write the API in front of each scope: api://<API>/<scope>. For a client "
        "that always sends it, the API needs its value as Application ID URI, and scopes that begin with it.",
    ),
    (90023, 9000410, 9000411): (
        "A parameter of the request to Entra has a value that it does not know or cannot read, or is there "
        "twice.",
        "Correct the parameter, and let proxies pass requests to Entra unchanged.",
    ),
    (70003,): (
        "Entra does not know the grant type of the request, or does not take it from this application.",
        "Ask with authorization_code, refresh_token, client_credentials or on behalf of somebody, and let "
        "proxies pass requests to Entra unchanged.",
    ),
    (70007,): (
        "Entra does not know the response mode, or does not send tokens in it.",
        "Ask for response_type=code, without a response_mode.",
    ),
    (90014, 90100, 900144, 900561): (
        "The request to Entra lacks a parameter, has one that version 2.0 does not take, or a wrong method.",
        "See that CAMUNDA_IDENTITY_ISSUER ends in /v2.0 and that proxies pass requests to Entra unchanged.",
    ),
    (700051, 700054): (
        "The application may not get tokens from the authorization endpoint.",
        f"Ask for response_type=code, or allow what you ask for under {PLACE}Authentication.",
    ),
}
