"""Scopes as they stand in a token's ``scp``: the API's own names, without a prefix.

Clients request ``api://<API>/Incidents.Read``, and the token has ``Incidents.Read`` (Learn: scopes and
permissions). A name that no token can have would refuse everybody, so it is refused where it is written.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

OPENID_SCOPES: Final = ("openid", "profile", "email", "offline_access")
"""They ask for an ID token, what is in it, and a refresh token (OpenID Connect Core 1.0, 5.4 and 11)."""

_MAX_CACHED_CHARACTERS: Final = 256
"""Longer scopes come from no code, but from a query, and are looked at each time: the cache stays small."""

# Characters such as the slash may be part of a name, so that only what begins as an API's identifier does
# (Learn: application manifest, identifierUris) makes a name a full one.
_FULL_NAME: Final = re.compile(
    r"(?:[a-z][a-z0-9+.-]*://|urn:|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/).*", re.IGNORECASE | re.DOTALL
)


def check_scope_names(scopes: Iterable[str]) -> None:
    """Each of the scopes may stand in ``scp``.

    Raises:
        ValueError: One never can; the message says which name to write.
    """
    for scope in scopes:
        find_remedy = _remedy_for if len(scope) <= _MAX_CACHED_CHARACTERS else _remedy_for.__wrapped__
        if remedy := find_remedy(scope):
            raise ValueError(f"The scope {scope[:200]!r} is in no token, so nobody would have it. {remedy}")


@lru_cache(maxsize=256)
def _remedy_for(scope: str) -> str:
    """What to write instead of a scope that no token can have; empty for all others."""
    if scope.lower() in OPENID_SCOPES:
        return (
            "It is one of OpenID Connect's own, which clients request and APIs never see. Leave it out, or "
            "write a scope that this API exposes, for example 'access_as_user'."
        )
    if len(names := scope.split()) != 1:
        return f"Write each name by itself: {[name[:40] for name in names[:10]] or ['access_as_user']}."
    short = scope.rpartition("/")[2] if _FULL_NAME.fullmatch(scope) else scope
    if short in ("", ".default") or short.startswith("."):
        return (
            "It stands for all that was consented to, and the token names the scopes one by one. Write the "
            "one that is needed as it stands under Expose an API, for example 'access_as_user'."
        )
    return "" if short == scope else f"In scp, names have no prefix: write {short[:200]!r}."
