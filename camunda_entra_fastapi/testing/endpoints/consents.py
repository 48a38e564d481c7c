"""What was granted to an application, and what is missing (Learn: permissions and consent overview)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from camunda_entra_fastapi.testing.directory import Application, Scope, Tenant, User
from camunda_entra_fastapi.testing.directory.graph import OIDC
from camunda_entra_fastapi.testing.protocol.aadsts import Aadsts
from camunda_entra_fastapi.testing.protocol.scopes import Asked
from camunda_entra_fastapi.testing.world.state import State


@dataclass(frozen=True, slots=True)
class Consents:
    """What has been granted to a client in a tenant, by its administrator, by its people, or by both."""

    state: State
    tenant: Tenant
    client: Application

    def granted(self, resource: Application, user: User | None) -> set[str]:
        """The resource's permissions that it has for that person; without one, what it has for everybody."""
        found: set[str] = set()
        at_home = any(self.client.client_id == each.client_id for each in self.tenant.applications)
        if self.client.admin_consent and at_home:
            everything = self.client.permissions is None
            found.update(resource.exposed if everything else (*self.client.listed(resource), *OIDC))
        if self.client.client_id in resource.preauthorized:
            found.update(resource.exposed)
        return found | self._recorded(resource, user)

    def _recorded(self, resource: Application, user: User | None) -> set[str]:
        """What somebody consented to, in the directory or on a page."""
        found: set[str] = set()
        for consent in self.tenant.consents:
            if (consent.client, consent.resource) == (self.client.client_id, resource.client_id) and (
                consent.user is None or (user is not None and user.is_named(consent.user))
            ):
                found.update(consent.scopes)
        for whom in (None, user.id if user else None):
            key = (self.tenant.id, self.client.client_id, resource.client_id, whom)
            found.update(self.state.consents.get(key, ()))
        return found

    def missing(self, asked: Asked, user: User) -> list[Asked]:
        """What has to be consented to, by resource. ``.default`` is content with anything it has."""
        return [part for part in self._missing_parts(asked, user) if part.permissions]

    def _missing_parts(self, asked: Asked, user: User) -> Iterator[Asked]:
        for part in asked.parts:
            granted = self.granted(part.resource, user)
            if not (part.by_default and granted):
                yield replace(
                    part, permissions=tuple(name for name in part.permissions if name not in granted)
                )

    def usable(self, asked: Asked, user: User) -> Asked:
        """The same with what a token may bear: ``.default`` bears whatever was granted, listed or not."""
        if not asked.by_default:
            return asked
        granted = self.granted(asked.resource, user) & set(asked.permissions)
        granted |= self._recorded(asked.resource, user) - set(OIDC)
        return replace(asked, permissions=tuple(name for name in asked.resource.exposed if name in granted))

    def demand(self, asked: Asked, user: User) -> None:
        """Refuse where consent is missing and nobody can be asked.

        Raises:
            Aadsts: 65001.
        """
        if missing := self.missing(asked, user):
            raise Aadsts(
                65001,
                "invalid_grant",
                f"Neither the user nor an administrator has consented to let '{self.client.name}' "
                f"({self.client.client_id}) use {words_for(missing)}. Let the person sign in for that scope.",
                suberror="consent_required",
            )

    @property
    def has_principal(self) -> bool:
        """Whether the application is in the tenant: at home, or because somebody consented to it."""
        client_id = self.client.client_id
        return (
            self.tenant.application(client_id) is not None
            or any(consent.client == client_id for consent in self.tenant.consents)
            or any(key[:2] == (self.tenant.id, client_id) for key in self.state.consents)
        )


def needs_administrator(missing: Iterable[Asked], tenant: Tenant) -> bool:
    """Whether people cannot consent for themselves."""
    return not tenant.user_consent or any(scope.admin_only for scope in described(missing))


def described(asked: Iterable[Asked]) -> Iterator[Scope]:
    """The permissions with their descriptions."""
    for part in asked:
        yield from (part.resource.exposed[name] for name in part.permissions)


def words_for(asked: Iterable[Asked]) -> str:
    """The permissions as words of a scope."""
    return " ".join(
        f"{part.named_as.removesuffix('/')}/{name}" for part in asked for name in part.permissions
    )
