"""What a request's scope asks for: one resource, and permissions on it (Learn: scopes and permissions)."""

from dataclasses import dataclass, replace
from typing import Final

from camunda_entra_fastapi.testing.aadsts import Aadsts
from camunda_entra_fastapi.testing.directory import Application, Tenant

OIDC: Final = ("openid", "profile", "email", "offline_access")

GRAPH: Final = Application(
    "00000003-0000-0000-c000-000000000000",
    "Microsoft Graph",
    identifier_uris=("https://graph.microsoft.com",),
    scopes=("User.Read", "email", "openid", "profile"),
    requested_access_token_version=None,
)


@dataclass(frozen=True, slots=True)
class Asked:
    """A scope, understood.

    Attributes:
        resource: Whose API the access token is for; Microsoft Graph where nothing else is named.
        named_as: How the scope names it: by client ID or App ID URI.
        permissions: What is asked for on it; everything for ``.default``.
        oidc: The scopes of OpenID Connect among them.
    """

    resource: Application
    named_as: str
    permissions: tuple[str, ...]
    oidc: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """As a token response lists it: with the resource in front, apart from OpenID Connect's own."""
        return " ".join((*self.oidc, *(f"{self.named_as}/{name}" for name in self.permissions)))


def read_scope(scope: str, tenant: Tenant, client: Application, *, several: bool = False) -> Asked:
    """The scope of a person's token.

    A sign-in may name ``several`` resources, of which the first is the token's; a token request may not.

    Raises:
        Aadsts: It names several resources (700022), one that does not exist (500011), a permission
            that is not exposed (70011), or the client itself by App ID URI (90009).
    """
    words = dict.fromkeys(scope.split())
    oidc = tuple(word for word in words if word in OIDC)
    split = [_split(word) for word in words if word not in OIDC]
    if not split:
        return Asked(GRAPH, GRAPH.identifier_uris[0], ("User.Read",), oidc)
    names = dict.fromkeys(resource for resource, _ in split)
    if len(names) > 1 and not several:
        raise Aadsts(
            700022, "invalid_scope", "The scope names more than one resource; ask for one at a time."
        )
    asked = [
        _read_resource(
            name, [permission for resource, permission in split if resource == name], tenant, client
        )
        for name in names
    ]
    return replace(asked[0], oidc=oidc)


def _read_resource(name: str, permissions: list[str], tenant: Tenant, client: Application) -> Asked:
    resource = find_resource(name, tenant)
    if resource.client_id == client.client_id and name != client.client_id:
        raise Aadsts(
            90009,
            "invalid_request",
            f"The application asks for a token for itself by {name}. Name it by its client ID: "
            f"{client.client_id}/<scope>.",
        )
    if ".default" in permissions:
        if len(permissions) > 1:
            raise Aadsts(70011, "invalid_scope", f"{name}/.default must not stand beside other scopes of it.")
        return Asked(resource, name, resource.scopes)
    if unknown := [permission for permission in permissions if permission not in resource.scopes]:
        raise Aadsts(70011, "invalid_scope", f"{resource.name} exposes no scope {unknown[0]!r}.")
    return Asked(resource, name, tuple(permissions))


def find_resource(name: str, tenant: Tenant) -> Application:
    """The application that a scope names by client ID or App ID URI.

    Raises:
        Aadsts: 500011, there is none in the tenant.
    """
    if name in (GRAPH.client_id, *GRAPH.identifier_uris):
        return GRAPH
    found = tenant.application(name)
    if found is None:
        raise Aadsts(
            500011,
            "invalid_resource",
            f"The resource '{name}' is not in '{tenant.name}'. Check the scope up to its last slash.",
        )
    return found


def _split(word: str) -> tuple[str, str]:
    """Resource and permission; a permission without a resource is Graph's."""
    resource, _, permission = word.rpartition("/")
    return resource or GRAPH.identifier_uris[0], permission
