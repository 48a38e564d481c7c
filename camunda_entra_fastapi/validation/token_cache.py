"""Tokens verified before: bounded, expiring, and gone with the key that signed them."""

from collections import OrderedDict
from typing import Generic, TypeVar

from camunda_entra_fastapi.validation.keys import KeySet, SigningKey

T = TypeVar("T")


class TokenCache(Generic[T]):
    """What was made of each token that passed, for as long as it would pass again.

    Of the checks only two depend on more than the token and the settings: the time, looked at
    on every ``get``, and the keys, for which all entries are sifted whenever the set changes.
    The oldest entry leaves when ``size`` is reached; a size of 0 remembers nothing.

    The token itself is the index. Python hashes bytes with a secret of the process and compares
    in full only on equal hashes, so the time of a look-up tells a stranger nothing.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._entries: OrderedDict[bytes, tuple[T, SigningKey, float]] = OrderedDict()
        self._keys: KeySet | None = None

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, token: bytes, keys: KeySet, now: float) -> T | None:
        """What was remembered of the token, unless it expired or its key is not in ``keys`` any more."""
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
        """Keep the value of a token that just passed by ``key`` of ``keys``.

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
        """Drop what was signed by keys that are gone or changed."""
        self._keys = keys
        stale = [token for token, (_, key, _) in self._entries.items() if keys.find(key.key_id) != key]
        for token in stale:
            del self._entries[token]
