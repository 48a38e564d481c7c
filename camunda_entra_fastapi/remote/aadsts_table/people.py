"""Codes that somebody at the screen, or whoever may consent, can act on."""

from typing import Final

from camunda_entra_fastapi.remote.aadsts_table.explanation import APP, ENTERPRISE, PLACE, Texts

_GRANT: Final = f"{ENTERPRISE}Permissions, an administrator has to grant admin consent"

CONSENT: Final[Texts] = {
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
        f"{_GRANT}. Under {PLACE}Branding & properties, its owner can have the publisher verified.",
    ),
    (90099,): (
        "This application is not authorized in the customer's tenant that the sign-in is for.",
        "An administrator of that tenant has to consent to the application.",
    ),
    (650056,): (
        "The permissions asked for are missing from the registration, or consent to them in this tenant.",
        f"{APP}API permissions, add what CAMUNDA_ENTRA_SCOPES names, then grant admin consent.",
    ),
    (700011, 7000229): (
        "This application is not there in the tenant of the sign-in: it has no service principal in it.",
        "An administrator of that tenant has to consent to the application once, "
        "or run az ad sp create --id <client ID>.",
    ),
}

PERSON: Final[Texts] = {
    (16000, 16003, 50020, 50177, 50178, 90072): (
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
    (500207, 500208): (
        "The account is of a type, or of a domain, that this application or its tenant does not let in: "
        "personal instead of work or school, or the other way round.",
        "Sign in with another account. Whoever runs this service decides under "
        f"{PLACE}Authentication which account types are supported.",
    ),
    (70017,): ("The sign-in on the other device was declined.", "Begin anew, and accept it there."),
    (70016,): ("The sign-in on the other device is not finished yet.", "Finish it there, then try again."),
    (90013,): (
        "Entra cannot read what was entered at the sign-in.",
        "Sign in again from the start, without the browser's Back button.",
    ),
    (700003,): (
        "The device that the sign-in came from is no longer known to its organization.",
        "Register the device again in its settings for work or school accounts, then sign in again.",
    ),
}
