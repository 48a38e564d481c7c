"""Keys that Entra's documents lack for a while: how long they stay good, and when they do not.

Entra's servers publish different sets, see ``recordings``. Microsoft advises to cache keys by ``kid``, for 24
hours each (Learn, "Signing key rollover", best practices, 28 October 2024).
"""

import logging
import math
from collections import Counter
from statistics import median
from typing import Any

import pytest

from camunda_entra_fastapi.errors import EntraError
from camunda_entra_fastapi.remote.keysource import KeySource
from camunda_entra_fastapi.token_validator import TokenValidator
from camunda_entra_fastapi.validation.keys import MAX_KEYS, KeySet, parse_keys
from tests.conftest import FakeClock
from tests.remote.recordings import (
    ADVISED,
    DAY,
    HOUR,
    MINUTE,
    TOKENS,
    Statistics,
    made_up,
    replay,
)
from tests.remote.scripted import LIFETIME, ScriptedEntra, settle
from tests.tokens import HEADER, KEY_ID, NOW, jwk, token, user_claims
from tests.validation.conftest import POLICY


@pytest.fixture
def clock() -> FakeClock:
    """The moment at which all tokens of these tests are looked at."""
    return FakeClock(float(NOW))


@pytest.fixture
def entra() -> ScriptedEntra:
    """An Entra with two keys."""
    entra = ScriptedEntra()
    entra.publish(KEY_ID, "other")
    return entra


@pytest.fixture
def source(entra: ScriptedEntra, clock: FakeClock) -> KeySource:
    """A key source that keeps keys for as long as Microsoft advises."""
    return entra.source(clock, retention=ADVISED)


async def refreshed(source: KeySource, clock: FakeClock, after: float = LIFETIME) -> KeySet:
    """The keys after that time, and after the refresh that is due by then."""
    clock.advance(after)
    source.current()
    await settle()
    keys = source.current()
    assert keys is not None
    return keys


async def verdict(validator: TokenValidator, text: str) -> str:
    """The code of the refusal, or ``accepted``."""
    try:
        await validator.validate_text(text)
    except EntraError as error:
        return error.code
    return "accepted"


def long_lived(key_id: str = KEY_ID, name: str = KEY_ID) -> str:
    """A token that outlives its key."""
    return token(user_claims(exp=NOW + 30 * DAY), dict(HEADER) | {"kid": key_id}, name)


async def test_a_key_outlives_documents_that_lack_it(
    source: KeySource, entra: ScriptedEntra, clock: FakeClock
) -> None:
    """For 24 hours after one last had it (Learn, "Signing key rollover"), to the second, and no longer."""
    await source.prefetch()
    entra.publish("other")
    for _ in range(23):
        assert set((await refreshed(source, clock)).by_id) == {KEY_ID, "other"}
    clock.now = NOW + ADVISED - 0.001
    assert source.current() is await refreshed(source, clock, 0)
    assert (await source.find(KEY_ID))[0] is not None
    assert set((await refreshed(source, clock, 0.001)).by_id) == {"other"}


async def test_a_key_that_comes_back_is_as_before(
    source: KeySource, entra: ScriptedEntra, clock: FakeClock
) -> None:
    """Its time begins anew when it goes again."""
    await source.prefetch()
    first = source.current()
    for _ in range(3):
        entra.publish("other")
        await refreshed(source, clock, 20 * HOUR)
        assert source.ages().kept_ages == {KEY_ID: 20 * HOUR}
        entra.publish("other", KEY_ID)
        assert await refreshed(source, clock, 3.5 * HOUR) == first
        assert source.ages().kept_ages == {}


async def test_documents_that_keep_lacking_a_key_change_nothing(
    source: KeySource, entra: ScriptedEntra, clock: FakeClock
) -> None:
    """The set stays the same object, so that cached tokens need no second look."""
    await source.prefetch()
    entra.publish("other")
    kept = await refreshed(source, clock)
    assert await refreshed(source, clock) is kept
    assert source.ages().kept_ages == {KEY_ID: 2 * LIFETIME}
    assert (source.ages().published, source.ages().published_age) == (("other",), 0.0)


async def test_with_0_the_newest_document_alone_counts(entra: ScriptedEntra, clock: FakeClock) -> None:
    """For the emergency in which Microsoft withdraws a key; good tokens are refused, too."""
    source = entra.source(clock, retention=0)
    await source.prefetch()
    entra.publish("other")
    assert set((await refreshed(source, clock)).by_id) == {"other"}
    assert source.ages().kept_ages == {}


@pytest.mark.parametrize("before", [(KEY_ID, "other"), ("other",)], ids=["published", "kept"])
@pytest.mark.parametrize(
    "newer",
    [
        jwk("another", kid=KEY_ID),
        jwk(issuer="https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0"),
    ],
    ids=["another key", "another issuer"],
)
async def test_a_newer_key_of_the_same_id_replaces_a_known_one_at_once(
    before: tuple[str, ...],
    newer: dict[str, Any],
    source: KeySource,
    entra: ScriptedEntra,
    clock: FakeClock,
) -> None:
    """Whether the known one was published until then, or kept."""
    await source.prefetch()
    entra.publish(*before)
    known = (await refreshed(source, clock)).find(KEY_ID)
    entra.publish("other", newer)
    found = (await refreshed(source, clock)).find(KEY_ID)
    assert known is not None
    assert found is not None
    assert found != known
    assert (found.modulus, found.issuer) == (newer["n"], newer.get("issuer"))
    assert source.ages().kept_ages == {}


@pytest.mark.parametrize(
    "entries",
    [[jwk(use="enc")], [{"kty": "EC", "kid": KEY_ID}], [jwk(), jwk("another", kid=KEY_ID)]],
    ids=["for encryption", "of another type", "two under one kid"],
)
async def test_what_a_document_says_of_a_key_counts_also_when_it_is_of_no_use(
    entries: list[dict[str, Any]], source: KeySource, entra: ScriptedEntra, clock: FakeClock
) -> None:
    """Kept are keys that a document does not speak of; this one says that the key is another."""
    await source.prefetch()
    entra.publish("other", *entries)
    assert set((await refreshed(source, clock)).by_id) == {"other"}


async def test_published_keys_stay_good_through_an_outage_and_kept_ones_do_not(
    source: KeySource, entra: ScriptedEntra, clock: FakeClock
) -> None:
    """An outage is no reason to trust a key for longer that Entra may have withdrawn."""
    await source.prefetch()
    entra.publish("other")
    await refreshed(source, clock)
    entra.down()
    for _ in range(22):
        assert set((await refreshed(source, clock)).by_id) == {KEY_ID, "other"}
    assert set((await refreshed(source, clock, HOUR + MINUTE)).by_id) == {"other"}
    assert set((await refreshed(source, clock, 7 * DAY)).by_id) == {"other"}


async def test_a_key_that_is_missing_after_a_long_outage_is_gone(
    source: KeySource, entra: ScriptedEntra, clock: FakeClock
) -> None:
    """What counts is when it was last seen, not when it was missed."""
    await source.prefetch()
    entra.down()
    await refreshed(source, clock, 2 * DAY)
    assert (await source.find(KEY_ID))[0] is not None
    entra.discovery = ScriptedEntra().discovery
    entra.publish("other")
    assert set((await refreshed(source, clock)).by_id) == {"other"}


async def test_the_document_is_looked_at_once_more_when_a_key_expires(
    entra: ScriptedEntra, clock: FakeClock
) -> None:
    """Where refreshes are rarer than that, a key which came back meanwhile is not lost."""
    source = entra.source(clock, retention=ADVISED, lifetime=0.9 * DAY)
    await source.prefetch()
    entra.publish("other")
    await refreshed(source, clock, 0.9 * DAY)
    entra.publish("other", KEY_ID)
    assert set((await refreshed(source, clock, 0.1 * DAY)).by_id) == {KEY_ID, "other"}
    assert source.ages().kept_ages == {}


async def test_a_kept_key_costs_no_fetch(source: KeySource, entra: ScriptedEntra, clock: FakeClock) -> None:
    """A thousand tokens of it within a minute, none seen before: nobody asks Entra for it."""
    validator = TokenValidator(source, POLICY, cache_size=0, clock=clock)
    await source.prefetch()
    entra.publish("other")
    await refreshed(source, clock)
    text, before = long_lived(), list(entra.requested)
    for _ in range(1000):
        clock.advance(0.06)
        assert await verdict(validator, text) == "accepted"
    assert entra.requested == before


async def test_cached_tokens_of_a_kept_key_stay_cached_until_it_expires(
    source: KeySource, entra: ScriptedEntra, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are not verified anew when the key goes, nor when it comes back, and go with it in the end."""
    validator = TokenValidator(source, POLICY, cache_size=10, clock=clock)
    mine, others = long_lived(), long_lived("other", "other")
    assert [await verdict(validator, text) for text in (mine, others)] == ["accepted"] * 2
    monkeypatch.delattr("camunda_entra_fastapi.validation.keys.SigningKey.verifies")
    for key_ids in (["other"], ["other", KEY_ID], ["other"]):
        entra.publish(*key_ids)
        await refreshed(source, clock)
        assert [await verdict(validator, text) for text in (mine, others)] == ["accepted"] * 2
    await refreshed(source, clock, ADVISED)
    assert [await verdict(validator, text) for text in (mine, others)] == ["key_unknown", "accepted"]


def test_as_many_keys_are_kept_as_a_document_may_have() -> None:
    """A thousand in all (Learn: a cache of 10 to 1000 keys); those that were missed for longest go first."""
    entry = jwk()
    known = parse_keys({"keys": [{**entry, "kid": f"first-{number}"} for number in range(MAX_KEYS)]})
    for step in range(1, 4):
        newer = parse_keys({"keys": [{**entry, "kid": f"{step}-{number}"} for number in range(300)]})
        known = newer.keeping(known, seen_at=float(step))
        assert len(known.by_id) == MAX_KEYS
        assert set(newer.by_id) <= set(known.by_id)
    counted = Counter(key_id.partition("-")[0] for key_id in known.by_id)
    assert counted == {"3": 300, "2": 300, "1": 300, "first": 100}
    assert known.last_seen.keys() == known.by_id.keys() - newer.by_id.keys()
    assert Counter(known.last_seen.values()) == {1.0: 100, 2.0: 300, 3.0: 300}


async def test_before_the_first_fetch_there_is_nothing_to_tell(source: KeySource) -> None:
    """No key is published or kept."""
    ages = source.ages()
    assert (ages.published, ages.published_age, dict(ages.kept_ages)) == ((), math.inf, {})


async def test_a_key_that_is_missing_is_told_once(
    source: KeySource, entra: ScriptedEntra, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """In the log, by its ID, whatever characters that has."""
    caplog.set_level(logging.INFO, "camunda_entra_fastapi")
    entra.publish("other", jwk(kid="line\nbreak"))
    await source.prefetch()
    entra.publish("other")
    for _ in range(3):
        await refreshed(source, clock)
    told = [text for text in caplog.messages if "lacks" in text]
    assert told == ["Entra's newest key document lacks the signing key 'line?break'; it is kept"]


def test_the_made_up_recordings_have_the_statistics_of_real_ones() -> None:
    """Of panva/wellknown, ``issuers/entra-common``, June to October 2024."""
    found = Statistics.of(made_up())
    assert (found.recordings, found.days, found.keys) == (238, 143, 42)
    assert found.steps_that_lack_a_key == 127
    lengths = [each.end - each.start for each in found.absences]
    assert (len(lengths), len({each.key_id for each in found.absences})) == (123, 34)
    expected = (6 * MINUTE, 3 * HOUR, 48 * HOUR)
    assert (min(lengths), median(lengths), max(lengths)) == pytest.approx(expected)


async def test_no_token_of_a_known_key_is_refused_while_keys_come_and_go() -> None:
    """10,000 over 143 days; hundreds of them would be, if the newest document alone counted."""
    outcome = await replay(ADVISED)
    assert (outcome.tokens, outcome.refused) == (TOKENS, 0)
    assert TOKENS == 10_000
    assert outcome.unpublished > 200
