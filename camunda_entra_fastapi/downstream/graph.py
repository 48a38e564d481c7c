"""The groups of users with too many for a token, from Microsoft Graph (Learn: groups overage claim).

The endpoint that the token itself names belongs to Azure AD Graph, which is retired; it is never asked.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from camunda_entra_fastapi.downstream.user_token import UserGrant, UserTokens
from camunda_entra_fastapi.errors import AccessDenied, EntraUnavailable, FetchFailed, quoted
from camunda_entra_fastapi.remote.http import EntraHttp
from camunda_entra_fastapi.single_flight import SingleFlight
from camunda_entra_fastapi.sweeping import remove_expired
from camunda_entra_fastapi.telemetry import logger

LIFETIME: Final = 300.0
"""Seconds for which a user's groups are cached."""
MAX_CACHED: Final = 200_000
"""Users and group IDs in the cache, of all users together."""
MAX_ID_CHARACTERS: Final = 64
"""Characters of a group's object ID, which is a GUID."""
MAX_PAGES: Final = 100
"""Pages of 999 that are read for a user in more groups than Graph lists at once."""
RETRY_AFTER: Final = 5.0
_OK: Final = 200
_TOO_MANY: Final = "Directory_ResultSizeLimitExceeded"


@dataclass(frozen=True, slots=True)
class _CachedGroups:
    groups: frozenset[str]
    expires_at: float

    @property
    def cost(self) -> int:
        """What it counts: nobody is in the cache for nothing."""
        return 1 + len(self.groups)


class GraphGroups:
    """The groups of users, requested from Microsoft Graph on their behalf.

    Args:
        http: For calls to Graph.
        tokens: Gives tokens for Graph.
        url: The address of Graph.
        resource: The resource that scopes of Graph begin with.
        clock: Returns seconds since 1970.
    """

    def __init__(
        self, http: EntraHttp, tokens: UserTokens, url: str, resource: str, clock: Callable[[], float]
    ) -> None:
        self._http = http
        self._tokens = tokens
        self._url = url
        self._scope = f"{resource}/User.Read"
        self._clock = clock
        self._cache: OrderedDict[tuple[str, str], _CachedGroups] = OrderedDict()
        self._count = 0
        self._requests: SingleFlight[tuple[str, str], frozenset[str]] = SingleFlight("groups")

    async def of(self, user_key: tuple[str, str], grant: UserGrant) -> frozenset[str]:
        """The object IDs of the groups that a user is in, nested ones included.

        Args:
            user_key: Issuer and object ID, or what else identifies the user there.
            grant: Proves on whose behalf.

        Raises:
            EntraError: Entra or Graph refuses or cannot be asked.
        """
        cached = self._cache.get(user_key)
        if cached is not None and self._clock() < cached.expires_at:
            self._cache.move_to_end(user_key)
            return cached.groups
        return await self._requests.run(user_key, lambda: self._request(user_key, grant))

    def sweep(self) -> None:
        """Remove the groups that have to be looked up again anyway."""
        remove_expired(self._cache, lambda cached: cached.expires_at, self._clock())
        self._count = sum(cached.cost for cached in self._cache.values())

    async def _request(self, user_key: tuple[str, str], grant: UserGrant) -> frozenset[str]:
        token = await self._tokens.of(grant, self._scope).get()
        try:
            groups = await self._read(token)
        except FetchFailed as failure:
            logger.warning("Somebody's groups are not known: %s", failure.message)
            raise EntraUnavailable(
                "entra_throttled" if failure.fault == "throttled" else "entra_failed",
                f"The groups of this person cannot be told right now: {failure.message}",
                failure.retry_after or RETRY_AFTER,
            ) from None
        self._put(user_key, groups)
        return groups

    async def _read(self, token: str) -> frozenset[str]:
        url = f"{self._url}/v1.0/me/getMemberObjects"
        status, document = await self._http.call_api("POST", url, token, {"securityEnabledOnly": False})
        if status == _OK:
            return _check_ids(document.get("value"), url)
        if _error_of(document) != _TOO_MANY:
            raise self._refused(status, document)
        ids: set[str] = set()
        next_url = f"{self._url}/v1.0/me/transitiveMemberOf?$select=id&$top=999"
        for _ in range(MAX_PAGES):
            status, document = await self._http.call_api("GET", next_url, token)
            if status != _OK:
                raise self._refused(status, document)
            ids |= _check_ids(_ids_of_objects(document), next_url)
            next_link = document.get("@odata.nextLink")
            if next_link is None:
                return frozenset(ids)
            if not isinstance(next_link, str) or not next_link.startswith(f"{self._url}/"):
                raise FetchFailed(f"{self._url} names a next page that is not its own.")
            next_url = next_link
        raise FetchFailed(f"{self._url} has more than {MAX_PAGES} pages of groups for one person.")

    def _refused(self, status: int, document: dict[str, Any]) -> AccessDenied:
        return AccessDenied(
            "groups_not_listed",
            "The user has more groups than a token lists, and Microsoft Graph does not tell them: "
            f"{status} {quoted(_error_of(document), 80)}. Give this service the permission User.Read.",
        )

    def _put(self, user_key: tuple[str, str], groups: frozenset[str]) -> None:
        before = self._cache.pop(user_key, None)
        self._cache[user_key] = cached = _CachedGroups(groups, self._clock() + LIFETIME)
        self._count += cached.cost - (0 if before is None else before.cost)
        while self._count > MAX_CACHED and len(self._cache) > 1:
            _, evicted = self._cache.popitem(last=False)
            self._count -= evicted.cost


def _error_of(document: dict[str, Any]) -> str:
    error = document.get("error")
    return str(error.get("code", "")) if isinstance(error, dict) else ""


def _ids_of_objects(document: dict[str, Any]) -> object:
    """The IDs of the objects that a page lists."""
    value = document.get("value")
    if not isinstance(value, list):
        return None
    return [each.get("id") if isinstance(each, dict) else None for each in value]


def _check_ids(value: object, url: str) -> frozenset[str]:
    if not isinstance(value, list) or not all(
        isinstance(each, str) and len(each) <= MAX_ID_CHARACTERS for each in value
    ):
        raise FetchFailed(f"{url} answered without a usable list.")
    return frozenset(value)
