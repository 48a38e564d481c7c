"""The consents to an application, and those that are missing (Learn: permissions and consent overview)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from camunda_entra_fastapi.testing.directory import Application, Scope, Tenant, User
from camunda_entra_fastapi.testing.directory.graph import OIDC_SCOPES
from camunda_entra_fastapi.testing.protocol.aadsts import AadstsError
from camunda_entra_fastapi.testing.protocol.scopes import RequestedScope
from camunda_entra_fastapi.testing.world.state import State


@dataclass(frozen=True, slots=True)
class Consents:
    """The consents to a client in a tenant: those of its administrators, and those of its users."""

    state: State
    tenant: Tenant
    client: Application

    def granted_permissions(self, resource: Application, user: User | None) -> set[str]:
        """The resource's permissions that the client has for the user; without a user, for everybody."""
        found: set[str] = set()
        at_home = any(self.client.client_id == each.client_id for each in self.tenant.applications)
        if self.client.admin_consent and at_home:
            everything = self.client.permissions is None
            found.update(resource.exposed if everything else (*self.client.listed(resource), *OIDC_SCOPES))
        if self.client.client_id in resource.preauthorized:
            found.update(resource.exposed)
        return found | self._recorded(resource, user)

    def _recorded(self, resource: Application, user: User | None) -> set[str]:
        """The permissions that were consented to in the directory or on a page."""
        found: set[str] = set()
        for consent in self.tenant.consents:
            if (consent.client, consent.resource) == (self.client.client_id, resource.client_id) and (
                consent.user is None or (user is not None and user.is_named(consent.user))
            ):
                found.update(consent.scopes)
        for user_id in (None, user.id if user else None):
            key = (self.tenant.id, self.client.client_id, resource.client_id, user_id)
            found.update(self.state.consents.get(key, ()))
        return found

    def missing(self, requested: RequestedScope, user: User) -> list[RequestedScope]:
        """The scopes that lack consent, by resource. For ``.default`` any granted permission is enough."""
        return [part for part in self._without_granted(requested, user) if part.permissions]

    def _without_granted(self, requested: RequestedScope, user: User) -> Iterator[RequestedScope]:
        for part in requested.by_resource:
            granted = self.granted_permissions(part.resource, user)
            if not (part.is_default and granted):
                yield replace(
                    part,
                    permissions=tuple(name for name in part.permissions if name not in granted),
                )

    def granted_scope(self, requested: RequestedScope, user: User) -> RequestedScope:
        """The scope of the token. For ``.default`` it has all granted permissions, registered or not."""
        if not requested.is_default:
            return requested
        granted = self.granted_permissions(requested.resource, user) & set(requested.permissions)
        granted |= self._recorded(requested.resource, user) - set(OIDC_SCOPES)
        return replace(
            requested,
            permissions=tuple(name for name in requested.resource.exposed if name in granted),
        )

    def check_granted(self, requested: RequestedScope, user: User) -> None:
        """Check that no consent is missing, where no page can ask for it.

        Raises:
            AadstsError: 65001, a consent is missing.
        """
        if missing := self.missing(requested, user):
            raise AadstsError(
                65001,
                "invalid_grant",
                f"Neither the user nor an administrator has consented to let '{self.client.name}' "
                f"({self.client.client_id}) use {scope_text(missing)}. Let the person sign in for that "
                "scope.",
                suberror="consent_required",
            )

    @property
    def has_service_principal(self) -> bool:
        """Whether the tenant has the application's service principal: by registration or by consent."""
        client_id = self.client.client_id
        return (
            self.tenant.application(client_id) is not None
            or any(consent.client == client_id for consent in self.tenant.consents)
            or any(key[:2] == (self.tenant.id, client_id) for key in self.state.consents)
        )


def requires_admin_consent(missing: Iterable[RequestedScope], tenant: Tenant) -> bool:
    """Whether only an administrator can consent."""
    return not tenant.user_consent or any(scope.admin_only for scope in scopes_in(missing))


def scopes_in(requested_scopes: Iterable[RequestedScope]) -> Iterator[Scope]:
    """The requested permissions with their descriptions."""
    for requested in requested_scopes:
        yield from (requested.resource.exposed[name] for name in requested.permissions)


def scope_text(requested_scopes: Iterable[RequestedScope]) -> str:
    """The permissions as a scope string."""
    return " ".join(
        f"{requested.resource_identifier.removesuffix('/')}/{name}"
        for requested in requested_scopes
        for name in requested.permissions
    )
