"""The session, its serialization, and the protocol of every session store."""

import json
from base64 import b64decode, b64encode, urlsafe_b64decode
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol
from uuid import UUID

from camunda_entra_fastapi.untrusted_json import MAX_NESTING, parse_json

MAX_HANDLE_CHARACTERS: Final = 48 * 1024
"""More than any session needs: Entra's tokens have 16 KiB at most."""

_FORMAT: Final = 2
_FORMATS: Final = (1, _FORMAT)
"""Those that are read. In the first, a session with its own access token had that token's claims alone."""
_DROPPED_CLAIMS: Final = frozenset({"aio", "at_hash", "c_hash", "nonce", "rh", "uti", "xms_ftd"})
"""Claims for Entra itself, or for the moment of signing in, which would waste room in a cookie."""
_MAX_NESTING: Final = MAX_NESTING + 1
"""Levels of a packed session: those of a token's claims, in a list."""


@dataclass(frozen=True, slots=True)
class Session:
    """The session of one user. Times are in seconds since 1970.

    Its user is constructed from ``claims``, without the access token.
    """

    id: str = field(repr=False)
    """256 random bits, new at every sign-in and unchanged by renewals."""
    claims: Mapping[str, Any] = field(repr=False)
    """The verified claims of the access token where that is for this API, else of the ID token.

    Those for display that the access token lacks, such as ``email``, are the ID token's there, too.
    """
    of_access_token: bool
    """Whether the claims are of the access token."""
    subject: str
    """``sub`` of the ID token, which must stay the same in renewals (OpenID Connect Core 1.0, 12.2)."""
    expires_at: float
    """When the session expires, however often it is renewed."""
    access_expires_at: float
    """When the claims expire; from then on the session must be renewed."""
    renew_at: float
    """When the session is due for renewal."""
    refresh_token: str | None = field(default=None, repr=False)
    access_token: str = field(default="", repr=False)
    """Empty if the store does not keep it."""
    sid: str | None = field(default=None, repr=False)
    """The ID of Entra's own session, which front-channel logouts name."""
    login_hint: str | None = field(default=None, repr=False)
    """For signing out without a choice of accounts (Learn: optional claims)."""

    @property
    def person(self) -> tuple[str, str]:
        """Who signed in: tenant and object ID, else issuer and ``sub``. No secret is needed to tell.

        A store of limited size should drop sessions of who has most of them.
        """
        tenant, object_id = self.claims.get("tid"), self.claims.get("oid")
        if isinstance(tenant, str) and isinstance(object_id, str) and tenant and object_id:
            return tenant, object_id
        return str(self.claims.get("iss", "")), self.subject


class SessionStore(Protocol):
    """Stores sessions under handles, which browsers hold in cookies.

    All methods but ``close`` raise SessionsUnavailable when the store cannot be asked. A browser may send
    anything as a handle: a malformed, forged, ended or expired one, or another deployment's, gives None.
    """

    kind: str
    """Its name in metrics."""
    server_side: bool
    """Whether ending a session invalidates every copy of its cookie."""

    async def create(self, session: Session) -> str:
        """Store a session until it expires; gives its handle, visible ASCII without ``;`` and ``,``."""

    async def read(self, handle: str) -> Session | None:
        """The session as it was stored last."""

    async def replace(self, handle: str, session: Session) -> str | None:
        """Store the session's new state; gives its new handle. None when it was ended meanwhile."""

    async def end(self, handle: str) -> None:
        """End the session, if there is one; if the store cannot be asked, as soon as it can."""

    def end_later(self, handle: str) -> None:
        """End the session of a handle, which could not be looked up, as soon as the store can be asked."""

    async def end_by_sid(self, sid: str) -> int:
        """End all sessions of that ``sid``, now or as soon as the store can be asked; how many.

        Always 0 for a store that is not server-side.
        """

    async def use_once(self, key: str, seconds: float) -> bool:
        """Whether the key was not used within that time before (protection against replay)."""

    def renewing(self, handle: str) -> AbstractAsyncContextManager[None]:
        """A lock for the renewal of the session, among all replicas that share the store."""

    def sweep(self) -> None:
        """Remove from memory what has expired."""

    async def check(self) -> None:
        """Return when the store responds, and takes writes."""

    async def close(self) -> None:
        """Make up for sign-outs that the store could not be told of, as far as it can; close connections."""


def pack(session: Session) -> bytes:
    """The session as compact JSON, without claims that its access token has anyway."""
    in_token = bool(session.access_token) and session.of_access_token
    known = _claims_in(session.access_token).keys() if in_token else _DROPPED_CLAIMS
    claims = {name: value for name, value in session.claims.items() if name not in known}
    groups = None if in_token else _pack_groups(claims.get("groups"))
    if groups is not None:
        del claims["groups"]
    values = [
        _FORMAT,
        session.id,
        claims,
        groups,
        session.of_access_token,
        session.subject,
        session.expires_at,
        session.access_expires_at,
        session.renew_at,
        session.refresh_token,
        session.access_token,
        session.sid,
        session.login_hint,
    ]
    return json.dumps(values, separators=(",", ":"), ensure_ascii=False).encode()


def unpack(data: bytes) -> Session | None:
    """The session from the JSON of ``pack``, which was authenticated before; None for another format."""
    try:
        version, identifier, claims, groups, *others = parse_json(data, _MAX_NESTING)
    except ValueError:
        return None
    if version not in _FORMATS:
        return None
    if groups is not None:
        claims["groups"] = _unpack_groups(groups)
    session = Session(identifier, claims or {}, *others)
    if not (session.of_access_token and session.access_token):
        return session
    return replace(session, claims={**_claims_in(session.access_token), **session.claims})


def _pack_groups(groups: object) -> str | None:
    """The object IDs of groups in base64; None for any other value.

    A token may have 200 of them. As text each takes 32 characters of a cookie, in base64 22.
    """
    try:
        identifiers = [UUID(group) for group in groups]  # type: ignore[attr-defined]  # else a TypeError
    except (TypeError, ValueError, AttributeError):
        return None
    if list(map(str, identifiers)) != groups:
        return None  # another spelling would not come back
    return b64encode(b"".join(identifier.bytes for identifier in identifiers)).decode()


def _unpack_groups(text: str) -> list[str]:
    data = b64decode(text)
    return [str(UUID(bytes=data[start : start + 16])) for start in range(0, len(data), 16)]


def _claims_in(token: str) -> dict[str, Any]:
    """The claims of a token that was verified before it was stored."""
    payload = token.split(".")[1]
    claims: dict[str, Any] = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims
