"""Permissions of a user: scopes, roles and groups, all of them or at least one."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from camunda_entra_fastapi.errors import AccessDenied, InsufficientClaims, quoted
from camunda_entra_fastapi.user import EntraUser
from camunda_entra_fastapi.validation.entra import has_group_overage, texts_of
from camunda_entra_fastapi.validation.scope_names import check_scope_names

_CONTEXT: Final = re.compile("c[1-9][0-9]?")


class PermissionCheck(Protocol):
    """A check whether the user has permissions."""

    def __call__(self, user: EntraUser, *, groups_complete: bool = False) -> None:
        """Raise ``AccessDenied`` or another ``EntraError`` for a user who has not."""


@dataclass(frozen=True, slots=True)
class Permissions:
    """The permissions that a route requires. Names are compared exactly; groups are object IDs."""

    scopes: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    auth_context: str | None = None
    """An authentication context of Conditional Access, ``c1`` to ``c99``."""

    @classmethod
    def from_names(
        cls,
        scopes: Iterable[str],
        roles: Iterable[str],
        groups: Iterable[str],
        auth_context: str | None = None,
    ) -> "Permissions":
        """The permissions from a developer's arguments.

        Raises:
            TypeError: An argument is a text instead of a list; its letters would be taken for names.
            ValueError: The authentication context is none of ``c1`` to ``c99``, or a scope is in no token.
        """
        if auth_context is not None and not _CONTEXT.fullmatch(auth_context):
            raise ValueError(f"auth_context is one of c1 to c99, and not {auth_context[:80]!r}.")
        for argument, names in (("scopes", scopes), ("roles", roles), ("groups", groups)):
            if isinstance(names, str):
                raise TypeError(f"{argument} takes a list, for example {argument}=[{names!r}].")
        permissions = cls(tuple(scopes), tuple(roles), tuple(groups), auth_context)
        check_scope_names(permissions.scopes)
        return permissions

    def check(self, user: EntraUser, *, groups_complete: bool = False) -> None:
        """The user has all of the permissions.

        Args:
            user: The user of the request.
            groups_complete: Whether the user's groups are complete, whatever the token says.

        Raises:
            AccessDenied: ``scope_missing``, ``role_missing``, ``group_missing`` or ``groups_not_listed``.
            InsufficientClaims: The authentication context is missing.
            ValueError: A scope can be in no token: ``Security(…, scopes=[…])`` names it wrongly.
        """
        if missing := [scope for scope in self.scopes if scope not in user.scp]:
            check_scope_names(missing)
            again = " Sign in again, where consent may be needed."
            raise self._lacking("scope", missing, _scope_hint(user), again)
        if missing := [role for role in self.roles if role not in user.roles]:
            hint = " Assign it in Entra (Enterprise applications, Users and groups) and"
            raise self._lacking("role", missing, f"{hint} request a new token.", f"{hint} sign in again.")
        if missing := [group for group in self.groups if group not in user.groups]:
            raise self._group_missing(user, missing, groups_complete=groups_complete)
        if self.auth_context is not None and self.auth_context not in texts_of(user.claims, "acrs"):
            raise InsufficientClaims(
                f"This needs a sign-in with the authentication context {self.auth_context}.",
                {"access_token": {"acrs": {"essential": True, "value": self.auth_context}}},
            )

    def check_any(self, user: EntraUser, *, groups_complete: bool = False) -> None:
        """The user has at least one of the permissions.

        Args:
            user: The user of the request.
            groups_complete: As for ``check``.

        Raises:
            AccessDenied: ``permission_missing`` or, where groups are required, ``groups_not_listed``.
        """
        if any(
            required in granted
            for names, granted in (
                (self.scopes, user.scp),
                (self.roles, user.roles),
                (self.groups, user.groups),
            )
            for required in names
        ):
            return
        if self.groups and has_group_overage(user.claims) and not groups_complete:
            raise self._group_missing(user, self.groups, groups_complete=False)
        required = ", ".join(f"{kind} {quoted(name)}" for kind, name in self._named())
        lacking = f"has none of these, and one is needed: {required}."
        raise AccessDenied(
            "permission_missing",
            f"The token {lacking}",
            self.scopes,
            missing=self._named(),
            of_session=f"The session {lacking}",
        )

    def _lacking(self, kind: str, names: list[str], of_token: str, of_session: str) -> AccessDenied:
        """The error for missing scopes or roles, with what to do about it for tokens and for sessions."""
        lacking = f"lacks the {kind}{'s' if len(names) > 1 else ''} {', '.join(map(quoted, names))}."
        return AccessDenied(
            f"{kind}_missing",
            f"The token {lacking}{of_token}",
            self.scopes,
            missing=((kind, name) for name in names),
            of_session=f"The session {lacking}{of_session}",
        )

    def _group_missing(
        self, user: EntraUser, missing: Iterable[str], *, groups_complete: bool
    ) -> AccessDenied:
        """The error for no member, or unknown: above 200 groups a token lists none (groups overage claim)."""
        if has_group_overage(user.claims) and not groups_complete:
            return AccessDenied(
                "groups_not_listed",
                "The user has more groups than a token lists, so membership cannot be told. Set "
                "CAMUNDA_ENTRA_GROUP_OVERAGE=graph to look them up, use app roles, or set "
                "groupMembershipClaims to ApplicationGroup in the app registration.",
                self.scopes,
            )
        names = ", ".join(map(quoted, missing))
        return AccessDenied(
            "group_missing",
            f"The user is not in the group {names}.",
            self.scopes,
            missing=(("group", name) for name in missing),
        )

    def _named(self) -> list[tuple[str, str]]:
        """Kinds and names of all that is required."""
        by_kind = (("scope", self.scopes), ("role", self.roles), ("group", self.groups))
        return [(kind, name) for kind, names in by_kind for name in names]


def _scope_hint(user: EntraUser) -> str:
    if user.is_app and not user.scp:  # in Azure AD B2C, applications have scopes
        return " It is an application's own token, which has roles but never scopes."
    return " Request it from Entra, where consent may be needed."
