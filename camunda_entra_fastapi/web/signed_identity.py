"""Signs identities for backends that do not trust their network, and publishes the keys that verify them."""

from collections.abc import Callable
from typing import Any, Final, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from camunda_entra_fastapi.errors import InvalidRequest
from camunda_entra_fastapi.sweeping import SWEEP_EVERY, remove_expired
from camunda_entra_fastapi.token_validator import Clock
from camunda_entra_fastapi.user import EntraUser
from camunda_entra_fastapi.validation.entra import has_group_overage
from camunda_entra_fastapi.validation.identity import IdentitySigner

IDENTITY: Final = "X-Entra-Identity"
CACHE_SECONDS: Final = 30.0
"""Seconds for which a signed identity is reused. It is valid for as long again."""
MAX_CACHED: Final = 1_000
MAX_LIST: Final = 4_096
"""Characters of all members of a list together."""

_CLAIMS: Final = (
    *("sub", "oid", "tid", "name", "preferred_username", "email"),
    *("scp", "azp", "appid", "idtyp", "acct", "ver"),
)


class SigningRuntime(Protocol):
    """What signing needs of the runtime."""

    @property
    def identity_signer(self) -> IdentitySigner | None:
        """The signer; None without a secret to derive a key from."""

    @property
    def clock(self) -> Clock:
        """The time."""


class SignedIdentities:
    """Signed identities of users, for backends.

    Args:
        runtime: Returns the runtime in use.
    """

    def __init__(self, runtime: Callable[[], SigningRuntime]) -> None:
        self._runtime = runtime
        self._cache: dict[tuple[int, str], tuple[EntraUser, IdentitySigner, float, str]] = {}
        self._sweep_at = float("-inf")

    def sign(self, user: EntraUser, audience: str) -> str:
        """The user's identity, signed for that backend alone.

        Raises:
            InvalidRequest: There is no secret to derive a key from.
        """
        runtime = self._runtime()
        signer = runtime.identity_signer
        if signer is None:
            raise InvalidRequest(
                "verify_request_invalid",
                "Signed identities need a secret to derive their key from: "
                "set CAMUNDA_ENTRA_SESSION_SECRET or CAMUNDA_IDENTITY_CLIENT_SECRET on this service.",
            )
        now = runtime.clock.time()
        cached = self._cache.get((id(user), audience))
        if cached is not None and cached[0] is user and cached[1] is signer and now < cached[2]:
            return cached[3]
        text = signer.sign(_claims(user), audience, now, float(user.exp))
        if now >= self._sweep_at:
            self._sweep_at = now + SWEEP_EVERY
            remove_expired(self._cache, lambda entry: entry[2], now)
        if len(self._cache) >= MAX_CACHED:
            self._cache.clear()
        reuse_until = min(now + CACHE_SECONDS, float(user.exp))
        self._cache[id(user), audience] = (user, signer, reuse_until, text)
        return text

    async def keys(self, _: Request) -> Response:
        """The public keys, as a JSON Web Key Set (RFC 7517)."""
        signer = self._runtime().identity_signer
        document = {"keys": []} if signer is None else signer.jwks()
        return JSONResponse(document, headers={"Cache-Control": "public, max-age=300"})


def _claims(user: EntraUser) -> dict[str, Any]:
    claims: dict[str, Any] = {name: user.claims[name] for name in _CLAIMS if name in user.claims}
    incomplete = ["groups"] if has_group_overage(user.claims) else []
    for name in ("roles", "groups"):
        values = list(getattr(user, name))
        while sum(map(len, values)) > MAX_LIST:
            del values[len(values) // 2 :]
            incomplete.append(name)
        if values:
            claims[name] = values
    if incomplete:
        claims["incomplete"] = sorted(set(incomplete))
    return claims
