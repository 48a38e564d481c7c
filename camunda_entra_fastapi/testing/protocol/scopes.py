"""What a request's scope asks for: resources, and permissions on them (Learn: scopes and permissions)."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from camunda_entra_fastapi.testing.directory import Application, Directory, Tenant
from camunda_entra_fastapi.testing.directory.graph import GRAPH, OIDC
from camunda_entra_fastapi.testing.protocol.aadsts import Aadsts

DEFAULT: Final = ".default"
_MAX_SCOPES: Final = 200


@dataclass(frozen=True, slots=True)
class Asked:
    """A scope, understood.

    Attributes:
        resource: Whose API the access token is for; Microsoft Graph where nothing else is named.
        named_as: How the scope names it: by client ID or App ID URI.
        permissions: What is asked for on it; all that the client's registration lists for ``.default``.
        oidc: The scopes of OpenID Connect among them.
        by_default: Whether it is ``.default`` that was asked for.
        others: What a sign-in asks for on further resources; needs consent, but is in no token.
    """

    resource: Application
    named_as: str
    permissions: tuple[str, ...]
    oidc: tuple[str, ...] = ()
    by_default: bool = False
    others: tuple["Asked", ...] = ()

    @property
    def text(self) -> str:
        """As a token response lists it: with the resource in front, apart from OpenID Connect's own.

        ``offline_access`` is not listed there; ``.default`` is, for clients look for what they asked for.
        """
        prefix = self.named_as.removesuffix("/")
        names = (*self.permissions, DEFAULT) if self.by_default else self.permissions
        oidc = (name for name in self.oidc if name != "offline_access")
        return " ".join((*oidc, *(f"{prefix}/{name}" for name in names)))

    @property
    def parts(self) -> Iterator["Asked"]:
        """All that consent is needed for, by resource."""
        yield replace(self, oidc=(), others=())
        yield from self.others
        if self.oidc:
            yield Asked(GRAPH, GRAPH.identifier_uris[0], self.oidc)


def read_scope(
    scope: str, directory: Directory, tenant: Tenant, client: Application, *, several: bool = False
) -> Asked:
    """The scope of a person's token.

    A sign-in may name ``several`` resources, of which the first is the token's; a token request may not.

    Raises:
        Aadsts: It names several resources (700022), one that does not exist (500011), a permission
            that is not exposed (70011), one that the registration does not list (650057), or the client
            itself by App ID URI (90009).
    """
    words = dict.fromkeys(scope.split())
    if len(words) > _MAX_SCOPES:
        raise Aadsts(70011, "invalid_scope", f"The scope has more than {_MAX_SCOPES} parts.")
    oidc = tuple(word for word in words if word in OIDC)
    split = [split_scope(word) for word in words if word not in OIDC]
    if not split:
        return Asked(GRAPH, GRAPH.identifier_uris[0], ("User.Read",), oidc)
    names = dict.fromkeys(resource for resource, _ in split)
    if len(names) > 1 and not several:
        raise Aadsts(
            700022, "invalid_scope", "The scope names more than one resource; ask for one at a time."
        )
    first, *others = (
        _read_resource(
            find_resource(name, directory, tenant),
            name,
            [word for resource, word in split if resource == name],
            client,
        )
        for name in names
    )
    return replace(first, oidc=oidc, others=tuple(others))


def _read_resource(resource: Application, name: str, permissions: list[str], client: Application) -> Asked:
    if resource.client_id == client.client_id and name.lower() != client.client_id:
        raise Aadsts(
            90009,
            "invalid_request",
            f"The application asks for a token for itself by {name}. Name it by its client ID: "
            f"{client.client_id}/<scope>.",
        )
    if DEFAULT in permissions:
        if len(permissions) > 1:
            raise Aadsts(70011, "invalid_scope", f"{name}/.default must not stand beside other scopes of it.")
        listed = tuple(word for word in client.listed(resource) if word not in OIDC)
        if not listed and client.permissions is not None and resource.client_id not in client.permissions:
            raise Aadsts(
                650057,
                "invalid_resource",
                f"The registration of '{client.name}' lists no permission of '{resource.name}' "
                f"({resource.client_id}), so there is nothing that {name}/.default could mean.",
            )
        return Asked(resource, name, listed, by_default=True)
    if unknown := [word for word in permissions if word not in resource.exposed]:
        raise Aadsts(70011, "invalid_scope", f"{resource.name} exposes no scope {unknown[0]!r}.")
    return Asked(resource, name, tuple(permissions))


def find_resource(name: str, directory: Directory, tenant: Tenant) -> Application:
    """The application that a scope names by client ID or App ID URI.

    Raises:
        Aadsts: 500011, there is none in the tenant; 500014, it is disabled.
    """
    found = directory.application_in(tenant, name)
    if found is None:
        raise Aadsts(
            500011,
            "invalid_resource",
            f"The resource '{name}' is not in '{tenant.name}'. Check the scope up to its last slash.",
        )
    if not found.enabled:
        raise Aadsts(500014, "invalid_resource", f"The service principal of '{found.name}' is disabled.")
    return found


def names_no_resource(scope: str) -> bool:
    """Whether there is nothing in it but OpenID Connect's own scopes."""
    return all(word in OIDC for word in scope.split())


def split_scope(word: str) -> tuple[str, str]:
    """Resource and permission; a permission without a resource is Graph's."""
    resource, _, permission = word.rpartition("/")
    return resource or GRAPH.identifier_uris[0], permission
