"""Codes where an administrator of the tenant decides, and those where a new sign-in helps."""

from typing import Final

from camunda_entra_fastapi.remote.aadsts_table.explanation import AGAIN, ENTERPRISE, Texts

POLICY: Final[Texts] = {
    (50057,): ("The account is disabled.", "In the Entra admin center, Users > this account, enable it."),
    (50105, 501051): (
        "This application requires assignment, and this account or application has none.",
        f"{ENTERPRISE}Users and groups, assign the person or a group of theirs; "
        "for an application, grant it one of the app roles.",
    ),
    (53003, 530031, 530035): (
        "A Conditional Access policy or the security defaults of the organization block this sign-in.",
        "Sign in as the policy demands, from a known network or device. Administrators find the policy "
        "in the Entra admin center under Sign-in logs, by the correlation ID.",
    ),
    (50097, 50129, 53000, 53001, 53002, 530003, 530021): (
        "The organization lets in managed devices and approved apps only, and this one does not count.",
        "Sign in from a device that the organization manages, or have an administrator enroll this one.",
    ),
    (50131,): (
        "The device is not in the state that the organization demands, or the sign-in looked suspicious.",
        "Sign in from a device that the organization manages. Administrators find the reason "
        "in the Entra admin center under Sign-in logs, by the correlation ID.",
    ),
    (53011, 530032, 530034): (
        "The account counts as at risk in its home organization, which blocks it.",
        "An administrator of that organization finds the account in the Entra admin center under "
        "ID Protection > Risky users, and lets it in again once it is safe.",
    ),
    (530036,): (
        "The sign-in began with a device code or was transferred, and a policy forbids what came of that.",
        "Sign in again, in the browser. Administrators find the policy in the Entra admin center under "
        "Conditional Access, among the conditions for authentication flows.",
    ),
    (50158,): (
        "The organization demands a further check by a provider outside of Entra, and it was not passed.",
        "Sign in again and pass it. If it is not offered, an administrator has to look at Conditional Access "
        "in the Entra admin center.",
    ),
    (500021, 500022): (
        "The network or device of the browser lets people sign in to certain tenants alone "
        "(tenant restrictions), and this one is not among them.",
        "Sign in from elsewhere, or ask the administrators of that network or device to allow this tenant.",
    ),
    (5000224,): (
        "The tenant or the application that is asked for is not available: Entra has blocked or removed it.",
        "See that CAMUNDA_IDENTITY_ISSUER names the right tenant. If it does, its administrators have to ask "
        "Microsoft's support.",
    ),
    (5000225,): (
        "Entra has blocked the tenant because nobody used it for a long time.",
        "An administrator of the tenant has to ask Microsoft's support to open it again.",
    ),
    (500014,): (
        "The API that a scope belongs to is disabled in the tenant, or its subscription has lapsed.",
        "In the Entra admin center, Enterprise applications > the API > Properties, let it be enabled for "
        "users to sign in.",
    ),
    (650052,): (
        "An API that this service asks for is not subscribed to or enabled in the organization.",
        "An administrator has to subscribe to it, or create its service principal in the tenant.",
    ),
    (7000112,): (
        "This application is disabled in the tenant.",
        f"{ENTERPRISE}Properties, let it be enabled for users to sign in.",
    ),
}

SESSION: Final[Texts] = {
    (50058,): (
        "Nobody is signed in to Entra in this browser, or the browser holds its cookies back.",
        AGAIN,
    ),
    (50140,): (
        "Entra's question whether to stay signed in was not answered.",
        "Sign in again, and answer it.",
    ),
    (50089,): ("Entra's sign-in page stayed open too long.", AGAIN),
    (54005,): ("The answer to this sign-in was used already, as when a page is loaded twice.", AGAIN),
    (70000,): (
        "Entra does not take the code or the refresh token: it is damaged, has expired or was revoked.",
        AGAIN,
    ),
    (700007,): (
        "The code or the refresh token was issued to another application.",
        "Sign in again. If it stays so, see that all replicas have the same CAMUNDA_IDENTITY_CLIENT_ID.",
    ),
    (70018, 70019, 70020): (
        "The code for the other device has expired, was mistyped, or was used already.",
        "Begin anew, and enter the new code there.",
    ),
    (70008, 700082, 700084): ("The sign-in has expired, or was not used for too long.", AGAIN),
    (50132, 50133, 50173): (
        "The sign-in was revoked, as after a changed password or signing out everywhere.",
        AGAIN,
    ),
    (70043, 70044): ("The organization demands a new sign-in from time to time, and it is due.", AGAIN),
    (50148, 501481): (
        "The answer belongs to another attempt to sign in: its PKCE code verifier does not fit.",
        "Sign in again, in one tab.",
    ),
    (9002313,): ("Entra cannot read the code or the refresh token that it was sent.", AGAIN),
    (500133,): (
        "The token to act on behalf of the person has expired or is not valid yet.",
        "Sign in again. If it happens to fresh tokens, set the clock of this service right.",
    ),
    (50196,): (
        "The same was asked of Entra too often in a short time, as in a loop of sign-ins.",
        "Wait some minutes, then sign in again. Let the browser keep the cookies of this site.",
    ),
}
