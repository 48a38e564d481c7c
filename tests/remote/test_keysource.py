"""``KeySource``: how often Entra is asked for keys, and what becomes of bad answers."""

import asyncio
import logging
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from camunda_entra_fastapi.errors import EntraUnavailable, FetchFailed
from camunda_entra_fastapi.remote.keysource import KeySource
from camunda_entra_fastapi.remote.refresh import FIRST_BACKOFF, FORCED_LOADS
from camunda_entra_fastapi.validation.keys import KeySet
from tests.conftest import FakeClock
from tests.remote.scripted import LIFETIME, ScriptedEntra
from tests.tokens import ABSENT, ISSUER, KEY_ID, OTHER_TENANT, base64url, jwk, number


def elliptic_key(**members: Any) -> dict[str, Any]:
    """An EC key, as other providers publish."""
    numbers = ec.generate_private_key(ec.SECP256R1()).public_key().public_numbers()
    return {"kty": "EC", "crv": "P-256", "x": number(numbers.x), "y": number(numbers.y)} | members


BAD_KEYS: Final = {
    "EC": elliptic_key(kid="ec", use="sig"),
    "EC under the good one's kid": elliptic_key(kid=KEY_ID, use="sig"),
    "oct": {"kty": "oct", "kid": "oct", "k": base64url(b"x" * 32)},
    "for encryption": jwk("enc", use="enc"),
    "RSA of 1024 bits": jwk("small", bits=1024),
    "for another algorithm": jwk("ps", alg="PS256"),
    "without kid": jwk("nameless", kid=ABSENT),
    "with a kid that is no text": jwk("number", kid=7),
    "with a broken modulus": jwk("broken", n="!!!"),
    "no object": 7,
    "nothing": None,
}

USELESS_SETS: Final = {
    "empty": {"keys": []},
    "without keys": {},
    "keys is no list": {"keys": {KEY_ID: jwk()}},
    "HTML": b"<!doctype html><title>Maintenance</title>",
    "truncated": b'{"keys": [{"kty": "RSA", "kid": "cur',
    "a list": b"[]",
    "bad keys only": {"keys": list(BAD_KEYS.values())},
    "two keys under one kid": {"keys": [jwk(), jwk("other", kid=KEY_ID)]},
    "far too many": {"keys": [{"kty": "RSA"}] * 1001},
}


@pytest.fixture
def entra() -> ScriptedEntra:
    """An Entra with one key."""
    return ScriptedEntra()


@pytest.fixture
def source(entra: ScriptedEntra, clock: FakeClock) -> KeySource:
    """A key source that has asked for nothing yet."""
    return entra.source(clock)


async def knows(source: KeySource, key_id: str) -> bool:
    """Whether the key is found, in memory or by asking."""
    key, keys = await source.find(key_id)
    assert key is keys.find(key_id)
    return key is not None


async def unavailable(source: KeySource, key_id: str = KEY_ID) -> EntraUnavailable:
    """The error that looking for a key gives."""
    with pytest.raises(EntraUnavailable) as caught:
        await source.find(key_id)
    return caught.value


async def settle() -> None:
    """Let a refresh in the background come to its end."""
    for _ in range(50):
        await asyncio.sleep(0)


async def refresh(source: KeySource, clock: FakeClock) -> KeySet | None:
    """Let the keys grow old, and give those after the refresh in the background."""
    clock.advance(LIFETIME)
    source.current()
    await settle()
    return source.current()


async def test_the_first_question_costs_two_requests_and_the_next_none(
    source: KeySource, entra: ScriptedEntra
) -> None:
    """One for discovery, one for the keys, for 300 who ask at once and all who ask later."""
    assert source.current() is None
    assert all(await asyncio.gather(*(knows(source, KEY_ID) for _ in range(300))))
    assert await knows(source, KEY_ID)
    assert entra.requested == ["discovery", "keys"]


async def test_prefetching_spares_the_first_question(source: KeySource, entra: ScriptedEntra) -> None:
    """The prefetched keys are there."""
    await source.prefetch()
    assert source.current() is not None
    assert await knows(source, KEY_ID)
    assert entra.requested == ["discovery", "keys"]


async def test_prefetching_from_an_entra_that_is_away_is_no_error(
    source: KeySource, entra: ScriptedEntra, caplog: pytest.LogCaptureFixture
) -> None:
    """Start-up goes on with one warning: keys cannot be fetched either, and for the same reason."""
    entra.down()
    await source.prefetch()
    assert source.current() is None
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert [text.partition(" could")[0] for text in warnings] == ["Entra's discovery document"]
    assert all("requests with tokens get 503" in text for text in warnings)


async def test_an_unknown_key_is_fetched_at_once(source: KeySource, entra: ScriptedEntra) -> None:
    """A rollover needs the keys alone, once for all who bring the new key."""
    await source.prefetch()
    entra.publish("new", KEY_ID)
    assert all(await asyncio.gather(*(knows(source, "new") for _ in range(300))))
    assert await knows(source, KEY_ID)
    assert entra.requested == ["discovery", "keys", "keys"]


async def test_a_key_that_entra_does_not_know_either_is_none(source: KeySource, entra: ScriptedEntra) -> None:
    """The set it was sought in is the newest."""
    await source.prefetch()
    entra.publish("new")
    key, keys = await source.find("invented")
    assert key is None
    assert keys.find("new") is not None


async def test_a_flood_of_unknown_keys_is_five_requests_at_most(
    source: KeySource, entra: ScriptedEntra, clock: FakeClock
) -> None:
    """A thousand invented key IDs in a minute, one after another and at once."""
    await source.prefetch()
    for step in range(50):
        clock.advance(1.1)
        outcomes = await asyncio.gather(*(knows(source, f"invented-{step}-{i}") for i in range(20)))
        assert not any(outcomes)
        assert await knows(source, KEY_ID)
    assert entra.requested.count("keys") <= 1 + FORCED_LOADS
    assert entra.requested.count("discovery") == 1


async def test_known_keys_stay_good_while_entra_is_away(
    source: KeySource, entra: ScriptedEntra, clock: FakeClock
) -> None:
    """For as long as it takes; an unknown one is just unknown meanwhile."""
    await source.prefetch()
    entra.down()
    for _ in range(48):
        await refresh(source, clock)
        assert await knows(source, KEY_ID)
    assert not await knows(source, "new")


async def test_without_any_keys_the_answer_is_that_entra_is_unavailable(
    source: KeySource, entra: ScriptedEntra
) -> None:
    """With the time after which asking again makes sense, and the reason, which is for the log."""
    entra.down()
    error = await unavailable(source)
    assert (error.code, error.retry_after) == ("keys_unavailable", FIRST_BACKOFF)
    assert "cannot be reached: ConnectError: No route" in error.message


async def test_within_the_pause_entra_is_not_asked_again(
    source: KeySource, entra: ScriptedEntra, clock: FakeClock
) -> None:
    """However many tokens come in; afterwards it is, and all is well."""
    entra.down()
    for _ in range(100):
        await unavailable(source)
    assert entra.requested == ["discovery"]
    clock.advance(FIRST_BACKOFF)
    entra.discovery, entra.keys = ScriptedEntra().discovery, ScriptedEntra().keys
    assert await knows(source, KEY_ID)
    assert entra.requested == ["discovery", "discovery", "keys"]


async def test_a_document_of_another_issuer_gives_no_keys(source: KeySource, entra: ScriptedEntra) -> None:
    """They would verify tokens of somebody else; the operator's mistake has a code of its own."""
    entra.discovery = {**ScriptedEntra().discovery, "issuer": ISSUER + "/"}  # type: ignore[dict-item]
    error = await unavailable(source)
    assert error.code == "issuer_unexpected"
    assert f"'{ISSUER}/'" in error.message
    assert error.retry_after == FIRST_BACKOFF
    assert entra.requested == ["discovery"]


async def test_a_broken_discovery_document_later_keeps_new_keys_coming(
    source: KeySource, entra: ScriptedEntra, clock: FakeClock
) -> None:
    """The last good one still says where the keys are."""
    await source.prefetch()
    entra.discovery = b"<html>"
    entra.publish("new")
    keys = await refresh(source, clock)
    assert keys is not None
    assert keys.find("new") is not None


async def test_keys_that_moved_are_found_at_their_new_address(
    source: KeySource, entra: ScriptedEntra, clock: FakeClock
) -> None:
    """Discovery is refreshed as well, on its own."""
    await source.prefetch()
    moved = ISSUER.replace(ISSUER.split("/")[3], OTHER_TENANT) + "/moved/keys"
    entra.discovery = {"issuer": ISSUER, "jwks_uri": moved}
    task = asyncio.create_task(source.keep_discovery_fresh())
    clock.advance(LIFETIME)
    await settle()
    task.cancel()
    entra.publish("new")
    assert await knows(source, "new")
    assert entra.requested[:3] == ["discovery", "keys", "discovery"]


async def test_keys_are_kept_fresh_without_anybody_asking(
    source: KeySource, entra: ScriptedEntra, clock: FakeClock
) -> None:
    """The loop that the lifespan runs."""
    task = asyncio.create_task(source.keep_keys_fresh())
    await settle()
    assert source.current() is not None
    assert entra.requested == ["discovery", "keys"]
    task.cancel()


@pytest.mark.parametrize("bad", BAD_KEYS.values(), ids=BAD_KEYS)
@pytest.mark.parametrize("later", [False, True], ids=["first load", "refresh"])
async def test_one_bad_key_does_not_cost_the_good_ones(
    bad: object, later: bool, entra: ScriptedEntra, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """It is left out, and why is told."""
    source = entra.source(clock)
    if later:
        await source.prefetch()
    caplog.set_level(logging.INFO, "camunda_entra_fastapi")
    entra.publish(bad, KEY_ID, "new")
    assert await knows(source, "new")
    assert await knows(source, KEY_ID)
    assert "A signing key of Entra's was left out: key 0: " in caplog.text


async def test_no_more_than_ten_bad_keys_are_told(
    source: KeySource, entra: ScriptedEntra, caplog: pytest.LogCaptureFixture
) -> None:
    """A document of a thousand bad ones does not fill the log."""
    caplog.set_level(logging.INFO, "camunda_entra_fastapi")
    entra.publish(KEY_ID, *[None] * 900)
    await source.prefetch()
    assert caplog.text.count("was left out") == 10


@pytest.mark.parametrize("useless", USELESS_SETS.values(), ids=USELESS_SETS)
async def test_a_useless_first_set_is_an_unavailable_entra(
    useless: object, source: KeySource, entra: ScriptedEntra, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing can be verified with it; the log says why."""
    entra.keys = useless
    assert (await unavailable(source)).code == "keys_unavailable"
    assert "Entra's signing keys could not be fetched" in caplog.text
    assert "discovery/v2.0/keys answered with" in caplog.text


@pytest.mark.parametrize("useless", USELESS_SETS.values(), ids=USELESS_SETS)
async def test_a_useless_refresh_leaves_the_last_good_keys(
    useless: object, source: KeySource, entra: ScriptedEntra, clock: FakeClock
) -> None:
    """A set is taken whole or not at all."""
    await source.prefetch()
    good = source.current()
    entra.keys = useless
    assert await refresh(source, clock) is good
    assert not await knows(source, "new")
    assert await knows(source, KEY_ID)


async def test_two_keys_under_one_id_are_both_left_out(source: KeySource, entra: ScriptedEntra) -> None:
    """To choose between them would be to guess; the others are good."""
    entra.publish(jwk("one", kid="same"), jwk("two", kid="same"), KEY_ID)
    assert not await knows(source, "same")
    assert await knows(source, KEY_ID)


async def test_a_rotated_out_key_is_gone_after_the_refresh(
    source: KeySource, entra: ScriptedEntra, clock: FakeClock
) -> None:
    """Entra withdrew it, so nothing is verified with it any more."""
    entra.publish(KEY_ID, "new")
    await source.prefetch()
    entra.publish("new")
    assert await knows(source, KEY_ID)
    await refresh(source, clock)
    assert not await knows(source, KEY_ID)


async def test_a_set_that_did_not_change_is_the_same_object(
    source: KeySource, entra: ScriptedEntra, clock: FakeClock
) -> None:
    """So that whoever depends on it sees at a glance that there is nothing to do."""
    entra.publish(KEY_ID, "other")
    await source.prefetch()
    first = source.current()
    entra.publish("other", {"kty": "EC"}, KEY_ID)
    assert await refresh(source, clock) is first
    assert entra.requested.count("keys") == 2
    entra.publish(KEY_ID)
    assert await refresh(source, clock) is not first


async def test_a_key_whose_content_changed_is_a_change(
    source: KeySource, entra: ScriptedEntra, clock: FakeClock
) -> None:
    """The same ID over another modulus is another key."""
    await source.prefetch()
    first = source.current()
    entra.publish(jwk("other", kid=KEY_ID))
    assert await refresh(source, clock) is not first


async def test_discovery_is_fetched_once_for_all_who_ask(source: KeySource, entra: ScriptedEntra) -> None:
    """Signing in asks for endpoints, validating for keys; both share the document."""
    documents = await asyncio.gather(*(source.discovery() for _ in range(10)))
    assert len({document.jwks_uri for document in documents}) == 1
    await source.find(KEY_ID)
    assert entra.requested == ["discovery", "keys"]


async def test_a_failed_discovery_tells_how_it_failed_also_within_the_pause(
    source: KeySource, entra: ScriptedEntra
) -> None:
    """A later caller gets the same failure at once."""
    entra.down()
    for _ in range(2):
        with pytest.raises(FetchFailed) as caught:
            await source.discovery()
        assert caught.value.fault == "unreachable"
