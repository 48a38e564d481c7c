"""The current user, from a verified token."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Self

from fastapi_azure_auth.user import User
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from camunda_entra_fastapi.user.fields import READERS
from camunda_entra_fastapi.user.frozen import freeze
from camunda_entra_fastapi.validation.entra import PERSONAL_CLAIMS, is_application, is_guest

_VALUES: Final[Any] = BaseModel.__dict__["__dict__"]
"""Direct access to the ``__dict__`` of a model, without the property below."""


class EntraUser(User):
    """The user of a request: a person, or an application that calls on its own (``is_app``).

    It is immutable, nested lists included, since one object serves all requests with the same token.
    Key your data by (``tid``, ``oid``). Names and addresses change and prove nothing.
    A claim whose value does not have the documented type is absent here, and as it is in ``claims``.
    """

    # What a user from a token is constructed with; fields are read on first access. Thus construction takes
    # one microsecond instead of ten, and a cached user a third of the memory. ``_claims`` is None once all
    # fields are read. Users that an application constructs itself have neither.
    __slots__ = ("_claims", "_credentials")

    model_config = ConfigDict(frozen=True)

    # Kept apart from the fields' values, so that no serializer, not even the base class's, finds it.
    access_token: str = Field(exclude=True, repr=False)
    _access_token: str = PrivateAttr()

    def model_post_init(self, _: object, /) -> None:
        """Move the token to where no serializer finds it, and freeze the rest."""
        if "access_token" in self.__dict__:
            self._access_token = self.__dict__.pop("access_token")
        self.__dict__.update(freeze(self.__dict__))

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with other values for the fields in ``update``; a token among them is protected, too."""
        copied = super().model_copy(update=update, deep=deep)
        copied.model_post_init(None)
        return copied

    if not TYPE_CHECKING:  # pragma: no branch - only type checkers take the other one

        def __getattr__(self, name: str) -> Any:
            if name in READERS:
                if (claims := _slot(self, "_claims")) is not None:
                    value = _VALUES.__get__(self)[name] = READERS[name](claims)
                    return value
                values = _VALUES.__get__(self)
                if name in values:  # another thread has read all fields meanwhile
                    return values[name]
            if name == "access_token":
                return self._access_token
            if name in _PYDANTIC_SLOTS and (credentials := _slot(self, "_credentials")) is not None:
                value = _PYDANTIC_SLOTS[name](credentials)
                object.__setattr__(self, name, value)
                return value
            return super().__getattr__(name)

        @property
        def __dict__(self) -> dict[str, Any]:
            """All fields. Pydantic, ``pickle`` and ``copy`` use this; reading one field does not."""
            if (claims := _slot(self, "_claims")) is not None:
                values = _VALUES.__get__(self)
                all_values = {
                    name: values[name] if name in values else READERS[name](claims) for name in READERS
                }
                _VALUES.__set__(self, all_values)
                object.__setattr__(self, "_claims", None)
            return _VALUES.__get__(self)

        @__dict__.setter
        def __dict__(self, values: dict[str, Any]) -> None:
            _VALUES.__set__(self, values)

    @classmethod
    def from_claims(
        cls, claims: Mapping[str, Any], access_token: str, *, has_customers: bool = False
    ) -> Self:
        """The user of a token, by its verified claims.

        ``has_customers`` says that the tenant is one of customers, which its own domain does not tell.
        """
        return cls.from_owned_claims(freeze(dict(claims)), access_token.encode(), has_customers=has_customers)

    @classmethod
    def from_owned_claims(
        cls, claims: dict[str, Any], credentials: bytes, *, has_customers: bool = False
    ) -> Self:
        """The same, without a copy of the claims, which nothing else may refer to.

        The credentials are the access token, alone or after ``Bearer``.
        """
        user = cls.__new__(cls)
        _SET_CLAIMS(user, claims)
        _SET_CREDENTIALS(user, credentials)
        if has_customers:
            _VALUES.__get__(user)["is_guest"] = is_guest(claims, has_customers=True)
        return user

    @classmethod
    def from_sign_in(
        cls, claims: Mapping[str, Any], access_token: str, *, has_customers: bool = False
    ) -> Self:
        """The user of a sign-in, by verified claims of its tokens: always a person, also without scopes.

        The access token may be one for another API, or empty.
        """
        user = cls.from_claims(claims, access_token, has_customers=has_customers)
        _VALUES.__get__(user)["idtyp"] = "user"
        return user

    def with_groups(self, groups: Iterable[str]) -> Self:
        """The same user, with these groups."""
        return self.model_copy(update={"groups": list(groups)})

    @property
    def subject(self) -> str:
        """``sub``: the user's identifier for this application alone (pairwise)."""
        return self.sub

    @property
    def scopes(self) -> list[str]:
        """The delegated permissions (``scp``); empty for applications."""
        return self.scp

    @property
    def is_app(self) -> bool:
        """Whether it is an application's own token, without a user (client credentials)."""
        fields = {name: getattr(self, name) for name in _TELLING_FIELDS}
        return is_application({**self.claims, **fields}, self.scp)

    @property
    def client_id(self) -> str | None:
        """The application that requested the token (``azp``, in v1.0 ``appid``)."""
        return self.azp or self.appid

    @property
    def expires_at(self) -> datetime:
        """When the token expires, in UTC."""
        return datetime.fromtimestamp(self.exp, UTC)

    def has_role(self, role: str) -> bool:
        """Whether the token has the application role."""
        return role in self.roles

    def has_scope(self, scope: str) -> bool:
        """Whether the token has the delegated permission."""
        return scope in self.scp

    def __hash__(self) -> int:
        return hash((self.iss, self.sub))

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Enough to recognise the user; other claims do not belong in a log."""
        for name in ("name", "oid", "tid", "sub", "client_id", "is_app", "roles", "scopes"):
            yield name, getattr(self, name)


def _slot(user: EntraUser, name: str) -> Any:
    """The value of a slot; None for a user that is not from a token, or not constructed yet."""
    try:
        return object.__getattribute__(user, name)
    except AttributeError:
        return None


def _token_of(credentials: bytes) -> str:
    return credentials.rstrip().rpartition(b" ")[2].decode()


_SET_CLAIMS: Final[Any] = EntraUser.__dict__["_claims"].__set__
_SET_CREDENTIALS: Final[Any] = EntraUser.__dict__["_credentials"].__set__

_TELLING_FIELDS: Final = tuple(name for name in ("idtyp", "sub", "oid", *PERSONAL_CLAIMS) if name in READERS)
"""What tells people and applications apart, where it has a field of its own."""

_FIELDS: Final = set(READERS)
"""Shared by all users: as they are frozen, it never changes."""

_PYDANTIC_SLOTS: Final[Mapping[str, Callable[[bytes], Any]]] = {
    "__pydantic_fields_set__": lambda _: _FIELDS,
    "__pydantic_extra__": lambda _: None,
    "__pydantic_private__": lambda credentials: {"_access_token": _token_of(credentials)},
}
"""The values of pydantic's own slots."""
