"""The ``scope`` parameter: resources, and permissions on them (Learn: scopes and permissions)."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from camunda_entra_fastapi.testing.directory import Application, Directory, Tenant
from camunda_entra_fastapi.testing.directory.graph import GRAPH, OIDC_SCOPES
from camunda_entra_fastapi.testing.protocol.aadsts import AadstsError

DEFAULT: Final = ".default"
_MAX_SCOPES: Final = 200


@dataclass(frozen=True, slots=True)
class RequestedScope:
    """A parsed scope.

    Attributes:
        resource: The API that the access token is for; Microsoft Graph when the scope names none.
        resource_identifier: How the scope names the resource: by client ID or App ID URI.
        permissions: The requested permissions; for ``.default`` all that the client's registration lists.
        oidc: The OpenID Connect scopes.
        is_default: Whether the scope is ``.default``.
        others: Scopes of further resources in a sign-in; they need consent, but are in no token.
    """

    resource: Application
    resource_identifier: str
    permissions: tuple[str, ...]
    oidc: tuple[str, ...] = ()
    is_default: bool = False
    others: tuple["RequestedScope", ...] = ()

    @property
    def text(self) -> str:
        """The ``scope`` of the token response: the resource stands before all but OpenID Connect's scopes.

        ``offline_access`` is left out; ``.default`` is kept, because clients look for what they requested.
        """
        prefix = self.resource_identifier.removesuffix("/")
        names = (*self.permissions, DEFAULT) if self.is_default else self.permissions
        oidc = (name for name in self.oidc if name != "offline_access")
        return " ".join((*oidc, *(f"{prefix}/{name}" for name in names)))

    @property
    def by_resource(self) -> Iterator["RequestedScope"]:
        """All scopes that need consent, by resource."""
        yield replace(self, oidc=(), others=())
        yield from self.others
        if self.oidc:
            yield RequestedScope(GRAPH, GRAPH.identifier_uris[0], self.oidc)


def parse_scope(
    scope: str, directory: Directory, tenant: Tenant, client: Application, *, multiple_resources: bool = False
) -> RequestedScope:
    """The scope of a token for a user.

    A sign-in may name ``multiple_resources``, of which the first is the token's; a token request may not.

    Raises:
        AadstsError: It names several resources (700022), one that does not exist (500011), a permission
            that is not exposed (70011), one that the registration does not list (650057), or the client
            itself by App ID URI (90009).
    """
    words = dict.fromkeys(scope.split())
    if len(words) > _MAX_SCOPES:
        raise AadstsError(70011, "invalid_scope", f"The scope has more than {_MAX_SCOPES} parts.")
    oidc = tuple(word for word in words if word in OIDC_SCOPES)
    split = [split_scope(word) for word in words if word not in OIDC_SCOPES]
    if not split:
        return RequestedScope(GRAPH, GRAPH.identifier_uris[0], ("User.Read",), oidc)
    names = dict.fromkeys(resource for resource, _ in split)
    if len(names) > 1 and not multiple_resources:
        raise AadstsError(
            700022, "invalid_scope", "The scope names more than one resource; ask for one at a time."
        )
    first, *others = (
        _parse_resource_scope(
            find_resource(name, directory, tenant),
            name,
            [word for resource, word in split if resource == name],
            client,
        )
        for name in names
    )
    return replace(first, oidc=oidc, others=tuple(others))


def _parse_resource_scope(
    resource: Application, name: str, permissions: list[str], client: Application
) -> RequestedScope:
    if resource.client_id == client.client_id and name.lower() != client.client_id:
        raise AadstsError(
            90009,
            "invalid_request",
            f"The application asks for a token for itself by {name}. Name it by its client ID: "
            f"{client.client_id}/<scope>.",
        )
    if DEFAULT in permissions:
        if len(permissions) > 1:
            raise AadstsError(
                70011, "invalid_scope", f"{name}/.default must not stand beside other scopes of it."
            )
        listed = tuple(word for word in client.listed(resource) if word not in OIDC_SCOPES)
        if not listed and client.permissions is not None and resource.client_id not in client.permissions:
            raise AadstsError(
                650057,
                "invalid_resource",
                f"The registration of '{client.name}' lists no permission of '{resource.name}' "
                f"({resource.client_id}), so there is nothing that {name}/.default could mean.",
            )
        return RequestedScope(resource, name, listed, is_default=True)
    if unknown := [word for word in permissions if word not in resource.exposed]:
        raise AadstsError(70011, "invalid_scope", f"{resource.name} exposes no scope {unknown[0]!r}.")
    return RequestedScope(resource, name, tuple(permissions))


def find_resource(name: str, directory: Directory, tenant: Tenant) -> Application:
    """The resource that a scope names by client ID or App ID URI.

    Raises:
        AadstsError: 500011, there is none in the tenant; 500014, it is disabled.
    """
    found = directory.application_in(tenant, name)
    if found is None:
        raise AadstsError(
            500011,
            "invalid_resource",
            f"The resource '{name}' is not in '{tenant.name}'. Check the scope up to its last slash.",
        )
    if not found.enabled:
        raise AadstsError(500014, "invalid_resource", f"The service principal of '{found.name}' is disabled.")
    return found


def is_oidc_only(scope: str) -> bool:
    """Whether the scope has nothing but OpenID Connect's scopes."""
    return all(word in OIDC_SCOPES for word in scope.split())


def split_scope(word: str) -> tuple[str, str]:
    """The resource and the permission; a permission without a resource is Graph's."""
    resource, _, permission = word.rpartition("/")
    return resource or GRAPH.identifier_uris[0], permission
