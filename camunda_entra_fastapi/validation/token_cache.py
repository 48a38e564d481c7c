"""The cache of verified tokens: bounded, expiring, and evicted with the key that signed them."""

from collections import OrderedDict
from typing import Final, Generic, TypeVar

from camunda_entra_fastapi.sweeping import remove_expired
from camunda_entra_fastapi.validation.keys import KeySet, SigningKey

T = TypeVar("T")

_END: Final = 64
"""Characters; they stand for 48 bytes of a signature of 256 or more."""


class TokenCache(Generic[T]):
    """A value for each verified token, for as long as the token stays valid.

    Only two checks depend on more than the token and the settings: the time, which every ``get``
    checks, and the keys, for which all entries are checked when the key set changes.
    The oldest entry is evicted when ``size`` is reached; a size of 0 caches nothing.

    An entry is found by the end of its token, which is part of the signature, and then the whole token is
    compared: hashing all of it would take as long as all else that a look-up does. No two tokens that Entra
    signed end alike. Whoever does not know the end of a token learns nothing from how long that takes.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._entries: OrderedDict[bytes, tuple[bytes, T, SigningKey, float]] = OrderedDict()
        self._keys: KeySet | None = None

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, token: bytes, keys: KeySet, now: float) -> T | None:
        """The value of the token, unless it expired or its key is not in ``keys`` any more."""
        if keys is not self._keys:
            self._evict_stale(keys)
        entry = self._entries.get(token[-_END:])
        if entry is None:
            return None
        known, value, _, expires_at = entry
        if known != token:
            return None
        if now >= expires_at:
            del self._entries[token[-_END:]]
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
        end = token[-_END:]
        if len(self._entries) >= self._size and end not in self._entries:
            self._entries.popitem(last=False)
        self._entries[end] = (token, value, key, expires_at)

    def sweep(self, now: float) -> None:
        """Remove the entries of tokens that expired."""
        remove_expired(self._entries, lambda entry: entry[-1], now)

    def _evict_stale(self, keys: KeySet) -> None:
        """Evict the tokens of keys that were removed or changed."""
        self._keys = keys
        stale = [end for end, (_, _, key, _) in self._entries.items() if keys.find(key.key_id) != key]
        for end in stale:
            del self._entries[end]
