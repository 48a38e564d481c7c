"""Microsoft's own applications that the emulator needs: present in every tenant without a registration."""

from typing import Final

from camunda_entra_fastapi.testing.directory.applications import Application, Scope

GRAPH: Final = Application(
    "00000003-0000-0000-c000-000000000000",
    "Microsoft Graph",
    identifier_uris=("https://graph.microsoft.com", "https://graph.microsoft.com/"),
    scopes=(
        Scope("openid", "Sign you in"),
        Scope("profile", "Read your name and user name"),
        Scope("email", "Read your e-mail address"),
        Scope("offline_access", "Stay signed in while you are away"),
        Scope("User.Read", "Sign you in and read your profile"),
        Scope("GroupMember.Read.All", "Read who is in which group", admin_only=True),
        Scope("Directory.Read.All", "Read the whole directory", admin_only=True),
        Scope("Application.Read.All", "Read all applications", admin_only=True),
        Scope("Application.ReadWrite.All", "Register and change applications", admin_only=True),
        Scope("DelegatedPermissionGrant.ReadWrite.All", "Register consent for everybody", admin_only=True),
    ),
    app_roles=(
        "Application.Read.All",
        "Application.ReadWrite.All",
        "DelegatedPermissionGrant.ReadWrite.All",
        "Directory.Read.All",
        "GroupMember.Read.All",
        "User.Read.All",
    ),
    requested_access_token_version=None,
)

COMMAND_LINE: Final = Application(
    "14d82eec-204b-4c2f-b7e8-296a70dab67e",
    "Microsoft Graph Command Line Tools",
    redirect_uris={"http://localhost": "public"},
    admin_consent=False,
    sign_in_audience="AzureADMultipleOrgs",
    allow_public_client=True,
)
"""The client with which command line tools sign in to call Microsoft Graph."""

OIDC_SCOPES: Final = ("openid", "profile", "email", "offline_access")
"""OpenID Connect's scopes, which Graph exposes (Learn: scopes and permissions)."""
