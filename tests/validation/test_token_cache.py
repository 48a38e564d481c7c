"""Tokens verified before: bounded, expiring, gone with their key."""

import pytest

from camunda_entra_fastapi.validation.keys import KeySet, parse_keys
from camunda_entra_fastapi.validation.token_cache import TokenCache
from tests.tokens import KEY_ID, NOW, jwk


def key_set(*names: str) -> KeySet:
    """The keys of those names, read anew from a document."""
    return parse_keys({"keys": [jwk(name) for name in names]})


KEYS = key_set(KEY_ID, "second-key")
KEY = KEYS.by_id[KEY_ID]
SECOND = KEYS.by_id["second-key"]


def filled(size: int, *tokens: str) -> TokenCache[str]:
    """A memory of that size into which the tokens were put, each with itself in capitals as the value."""
    cache: TokenCache[str] = TokenCache(size)
    for token in tokens:
        cache.put(token.encode(), token.upper(), KEY, KEYS, NOW + 10)
    return cache


def test_token_is_found_again() -> None:
    """A token has its own value, and no other token's."""
    cache = filled(10, "a", "b")
    found = [cache.get(token.encode(), KEYS, NOW) for token in ("a", "b", "c", "A", "")]
    assert found == ["A", "B", None, None, None]


def test_token_is_forgotten_at_the_moment_given() -> None:
    """An entry is good until its time and not at it, and is then dropped for good."""
    cache = filled(10, "a", "b")
    assert cache.get(b"a", KEYS, NOW + 9.999) == "A"
    assert cache.get(b"a", KEYS, NOW + 10) is None
    assert len(cache) == 1
    assert cache.get(b"a", KEYS, NOW) is None


@pytest.mark.parametrize("size", [1, 2, 5])
def test_oldest_leaves_when_the_size_is_reached(size: int) -> None:
    """There are never more entries than the size; the newest stay."""
    tokens = "abcdefghij"
    cache = filled(size, *tokens)
    assert len(cache) == size
    found = [token for token in tokens if cache.get(token.encode(), KEYS, NOW)]
    assert found == list(tokens[-size:])


def test_size_of_nothing_caches_nothing() -> None:
    """With a size of 0 the memory is off."""
    cache = filled(0, "a")
    assert len(cache) == 0
    assert cache.get(b"a", KEYS, NOW) is None


def test_token_cached_again_takes_no_other_place() -> None:
    """Two requests that verified one token at the same time cost no other token its place."""
    cache = filled(2, "a", "b", "b")
    assert [cache.get(token.encode(), KEYS, NOW) for token in "ab"] == ["A", "B"]


def test_tokens_leave_with_their_key() -> None:
    """As soon as a set without the key is shown, its tokens are gone, and do not come back with it."""
    cache = filled(10, "a")
    cache.put(b"b", "B", SECOND, KEYS, NOW + 10)
    rotated = key_set("second-key", "third-key")
    assert cache.get(b"a", rotated, NOW) is None
    assert cache.get(b"b", rotated, NOW) == "B"
    assert len(cache) == 1
    assert cache.get(b"a", KEYS, NOW) is None


def test_tokens_leave_when_their_key_id_gets_another_key() -> None:
    """The same ID with other material is another key."""
    cache = filled(10, "a")
    swapped = parse_keys({"keys": [jwk("another-key", kid=KEY_ID)]})
    assert cache.get(b"a", swapped, NOW) is None


def test_tokens_stay_when_the_same_keys_are_read_again() -> None:
    """A refresh that brings the same key costs nothing."""
    cache = filled(10, "a")
    assert cache.get(b"a", key_set(KEY_ID, "new-key"), NOW) == "A"


def test_tokens_leave_also_when_the_new_set_is_seen_first_by_caching() -> None:
    """A token of a new key, cached after a rotation, drops those of the old one."""
    cache = filled(10, "a")
    rotated = key_set("second-key")
    cache.put(b"b", "B", rotated.by_id["second-key"], rotated, NOW + 10)
    assert len(cache) == 1
    assert cache.get(b"b", rotated, NOW) == "B"


def test_tokens_that_end_alike_are_two() -> None:
    """The end finds an entry, and the whole token decides: another one with that end is not in the cache."""
    end = "e" * 64
    cache = filled(10, f"one.{end}")
    assert cache.get(f"two.{end}".encode(), KEYS, NOW) is None
    assert cache.get(f"one.{end}".encode(), KEYS, NOW) == f"ONE.{end.upper()}"
