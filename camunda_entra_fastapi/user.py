"""The current user: what a verified token says of who is asking."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from types import NoneType
from typing import TYPE_CHECKING, Any, Final, Literal, Self, get_args, get_origin

from fastapi_azure_auth.user import User
from pydantic import ConfigDict, Field, PrivateAttr

from camunda_entra_fastapi.frozen import FrozenDict, FrozenList, freeze
from camunda_entra_fastapi.validation.claims import audiences_of
from camunda_entra_fastapi.validation.entra import is_application, is_guest, scopes_of, texts_of


class EntraUser(User):
    """Who is asking: a person, or an application of its own accord (``is_app``).

    Immutable to the last nested list, since one object serves all requests with the same token.
    Key your data by (``tid``, ``oid``); names and addresses change and are not proof of anything.
    A claim whose value is not of the documented kind reads as absent here and as it is in ``claims``.
    """

    model_config = ConfigDict(frozen=True)

    # Kept out of the fields' values, so that no serializer, not even the base class's, can find it.
    access_token: str = Field(exclude=True, repr=False)
    _access_token: str = PrivateAttr()

    def model_post_init(self, _: object, /) -> None:
        """Move the token to where serializers do not look, and freeze the rest."""
        if "access_token" in self.__dict__:
            self._access_token = self.__dict__.pop("access_token")
        self.__dict__.update(freeze(self.__dict__))

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy, with other values for the fields in ``update``; a token in it is kept as this one is."""
        copied = super().model_copy(update=update, deep=deep)
        copied.model_post_init(None)
        return copied

    if not TYPE_CHECKING:  # pragma: no branch - type checkers alone take the other one

        def __getattr__(self, name: str) -> Any:
            if name == "access_token":
                return self._access_token
            return super().__getattr__(name)

    @classmethod
    def from_claims(cls, claims: Mapping[str, Any], access_token: str) -> Self:
        """The user of a token whose claims were verified."""
        frozen: FrozenDict = freeze(dict(claims))
        values = _DEFAULTS.copy()
        for name, value in frozen.items():
            kind = _KINDS.get(name)
            if kind is type(value) or (kind is None and name in _FITS and _FITS[name](value)):
                values[name] = value
        values["aud"] = audiences_of(claims)[0]
        for name in ("exp", "nbf", "iat"):
            values[name] = int(claims[name])  # RFC 7519 allows fractions, the base class does not
        values["scp"] = FrozenList(scopes_of(claims))
        values["roles"] = _texts(frozen, "roles")
        values["groups"] = _texts(frozen, "groups")
        values["is_guest"] = is_guest(claims)
        values["claims"] = frozen
        return cls._assemble(values, access_token)

    @classmethod
    def from_id_token(cls, claims: Mapping[str, Any], access_token: str) -> Self:
        """The user of an ID token whose claims were verified: always a person, who has no scopes here.

        The access token is one for another API, or empty.
        """
        user = cls.from_claims(claims, access_token)
        user.__dict__["idtyp"] = "user"
        return user

    @classmethod
    def _assemble(cls, values: dict[str, Any], access_token: str) -> Self:
        """What ``model_construct`` does, at a twentieth of its cost: the values are known to fit."""
        user = cls.__new__(cls)
        for attribute, value in (
            ("__dict__", values),
            ("__pydantic_fields_set__", _FIELDS.copy()),
            ("__pydantic_extra__", None),
            ("__pydantic_private__", {"_access_token": access_token}),
        ):
            object.__setattr__(user, attribute, value)
        return user

    @property
    def subject(self) -> str:
        """``sub``: who it is, for this application alone (pairwise)."""
        return self.sub

    @property
    def scopes(self) -> list[str]:
        """The delegated permissions (``scp``); empty for applications."""
        return self.scp

    @property
    def is_app(self) -> bool:
        """Whether no user stands behind the token (client credentials)."""
        return is_application(self.idtyp, self.scp)

    @property
    def client_id(self) -> str | None:
        """The application that asked for the token (``azp``, in v1.0 ``appid``)."""
        return self.azp or self.appid

    @property
    def expires_at(self) -> datetime:
        """When the token expires, in UTC."""
        return datetime.fromtimestamp(self.exp, UTC)

    def with_groups(self, groups: Iterable[str]) -> Self:
        """The same user, with these groups."""
        return self._assemble({**self.__dict__, "groups": FrozenList(groups)}, self.access_token)

    def has_role(self, role: str) -> bool:
        """Whether the token has the application role."""
        return role in self.roles

    def has_scope(self, scope: str) -> bool:
        """Whether the token has the delegated permission."""
        return scope in self.scp

    def __hash__(self) -> int:
        return hash((self.iss, self.sub))

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Enough to recognise who it is; what else a token holds is nobody's business in a log."""
        for name in ("name", "oid", "tid", "sub", "client_id", "is_app", "roles", "scopes"):
            yield name, getattr(self, name)


def _texts(frozen: FrozenDict, name: str) -> list[str]:
    """The texts of a list claim; the frozen list itself where there is nothing else in it."""
    texts = texts_of(frozen, name)
    value = frozen.get(name)
    return value if isinstance(value, FrozenList) and len(value) == len(texts) else FrozenList(texts)


def _fit(annotation: Any) -> Callable[[object], bool]:
    """A test whether a value is of the kind that the base class's field declares."""
    kinds = [kind for kind in get_args(annotation) or (annotation,) if kind is not NoneType]
    if get_origin(annotation) in (list, Literal) or len(kinds) > 1:
        kinds = [annotation]
    (kind,) = kinds
    if get_origin(kind) is Literal:
        choices = get_args(kind)
        return lambda value: value in choices and isinstance(value, str)
    if get_origin(kind) is list:
        return lambda value: isinstance(value, list) and all(isinstance(item, str) for item in value)
    return lambda value: type(value) is kind


_OURS: Final = ("aud", "exp", "nbf", "iat", "scp", "roles", "groups", "is_guest", "claims", "access_token")
_FITS: Final = {
    name: _fit(field.annotation) for name, field in User.model_fields.items() if name not in _OURS
}
_DEFAULTS: Final[dict[str, Any]] = {
    name: freeze(field.get_default(call_default_factory=True)) if not field.is_required() else None
    for name, field in User.model_fields.items()
    if name != "access_token"
} | {"ver": "2.0"}
_FIELDS: Final = set(_DEFAULTS)
_KINDS: Final = {
    name: kind
    for name, field in User.model_fields.items()
    for kind in (str, int)
    if name not in _OURS and field.annotation in (kind, kind | None)
}
"""The one type that a field's value may have, where there is one: looked up faster than a test is called."""
