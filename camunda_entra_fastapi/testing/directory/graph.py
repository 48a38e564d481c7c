"""Microsoft Graph, as far as a sign-in needs it. It is in every tenant, and nobody registers it."""

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
    ),
    app_roles=("Application.Read.All", "Directory.Read.All", "GroupMember.Read.All", "User.Read.All"),
    requested_access_token_version=None,
)

OIDC: Final = ("openid", "profile", "email", "offline_access")
"""OpenID Connect's own scopes, which Graph exposes (Learn: scopes and permissions)."""
