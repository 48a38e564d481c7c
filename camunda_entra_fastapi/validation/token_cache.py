"""The cache of verified tokens: bounded, expiring, and evicted with the key that signed them."""

from collections import OrderedDict
from typing import Generic, TypeVar

from camunda_entra_fastapi.validation.keys import KeySet, SigningKey

T = TypeVar("T")


class TokenCache(Generic[T]):
    """A value for each verified token, for as long as the token stays valid.

    Only two checks depend on more than the token and the settings: the time, which every ``get``
    checks, and the keys, for which all entries are checked when the key set changes.
    The oldest entry is evicted when ``size`` is reached; a size of 0 caches nothing.

    The token itself is the key. Python hashes bytes with a secret of the process and compares
    in full only on equal hashes, so the time of a look-up reveals nothing.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._entries: OrderedDict[bytes, tuple[T, SigningKey, float]] = OrderedDict()
        self._keys: KeySet | None = None

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, token: bytes, keys: KeySet, now: float) -> T | None:
        """The value of the token, unless it expired or its key is not in ``keys`` any more."""
        if keys is not self._keys:
            self._evict_stale(keys)
        entry = self._entries.get(token)
        if entry is None:
            return None
        value, _, expires_at = entry
        if now >= expires_at:
            del self._entries[token]
            return None
        return value

    def put(self, token: bytes, value: T, key: SigningKey, keys: KeySet, expires_at: float) -> None:
        """Cache the value of a token that ``key`` of ``keys`` verified.

        ``expires_at`` is in seconds since 1970.
        """
        if self._size == 0:
            return
        if keys is not self._keys:
            self._evict_stale(keys)
        if len(self._entries) >= self._size and token not in self._entries:
            self._entries.popitem(last=False)
        self._entries[token] = (value, key, expires_at)

    def _evict_stale(self, keys: KeySet) -> None:
        """Evict the tokens of keys that were removed or changed."""
        self._keys = keys
        stale = [token for token, (_, key, _) in self._entries.items() if keys.find(key.key_id) != key]
        for token in stale:
            del self._entries[token]
