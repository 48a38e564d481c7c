"""The same decision by other libraries: joserfc, PyJWT and Authlib, each told what we are told.

RS256 alone, one key, issuer, audience, the times with a minute of leeway, and that the claims are there
which we require. What they cannot be told is where they may differ.
"""

import warnings
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any, Final
from unittest import mock

import jwt as pyjwt
from joserfc import jwt as joserfc_jwt
from joserfc.jwk import KeySet

from tests.tokens import CLIENT_ID, ISSUER, NOW, jwk, private_key

with warnings.catch_warnings(action="ignore"):
    import authlib.deprecate  # type: ignore[import-untyped]  # noqa: F401 - it turns on its warnings when loaded
with warnings.catch_warnings(action="ignore"):  # Authlib says that this part of it will be joserfc one day
    from authlib.jose import JsonWebKey, JsonWebToken  # type: ignore[import-untyped]

LEEWAY: Final = 60
REQUIRED: Final = ("exp", "nbf", "iat", "sub", "iss", "aud")

_JOSERFC_KEYS: Final = KeySet.import_key_set({"keys": [jwk()]})
_ESSENTIAL: Final[Mapping[str, Any]] = {name: {"essential": True} for name in REQUIRED}
_VALUES: Final[Mapping[str, Any]] = {
    **_ESSENTIAL,
    "iss": {"essential": True, "value": ISSUER},
    "aud": {"essential": True, "value": CLIENT_ID},
}
_PUBLIC: Final = private_key().public_key()
with warnings.catch_warnings(action="ignore"):
    _AUTHLIB_KEYS: Final = JsonWebKey.import_key_set({"keys": [jwk()]})
    _AUTHLIB: Final = JsonWebToken(["RS256"])


class _Now(datetime):
    @classmethod
    def now(cls, tz: tzinfo | None = None) -> "datetime":  # type: ignore[override]
        return datetime.fromtimestamp(NOW, tz or UTC)


def joserfc(token: str) -> None:
    """Raise unless joserfc takes the token."""
    claims = joserfc_jwt.decode(token, _JOSERFC_KEYS, algorithms=["RS256"]).claims
    joserfc_jwt.JWTClaimsRegistry(now=NOW, leeway=LEEWAY, **_VALUES).validate(claims)


def pyjwt_(token: str) -> None:
    """Raise unless PyJWT does."""
    with mock.patch("jwt.api_jwt.datetime", _Now):
        pyjwt.decode(
            token,
            _PUBLIC,
            algorithms=["RS256"],
            audience=CLIENT_ID,
            issuer=ISSUER,
            leeway=LEEWAY,
            options={"require": list(REQUIRED)},
        )


def authlib_(token: str) -> None:
    """Raise unless Authlib does."""
    with warnings.catch_warnings(action="ignore"):
        claims = _AUTHLIB.decode(token, _AUTHLIB_KEYS, claims_options=dict(_VALUES))
        claims.validate(now=NOW, leeway=LEEWAY)


PEERS: Final[Mapping[str, Callable[[str], None]]] = {"joserfc": joserfc, "PyJWT": pyjwt_, "Authlib": authlib_}


def accepts(peer: str, token: str) -> bool:
    """Whether that library takes the token; whatever it raises, it does not."""
    try:
        PEERS[peer](token)
    except Exception:  # noqa: BLE001 - that it is not its own error is not our concern
        return False
    return True
