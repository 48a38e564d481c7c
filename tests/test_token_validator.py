"""``TokenValidator``: how every token is validated, and which users are cached."""

import asyncio
from base64 import urlsafe_b64encode
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from camunda_entra_fastapi.errors import AccessDenied, EntraError, EntraUnavailable, InvalidToken
from camunda_entra_fastapi.remote.keysource import KeySource
from camunda_entra_fastapi.token_validator import TokenValidator
from camunda_entra_fastapi.validation.keys import SigningKey
from camunda_entra_fastapi.validation.policy import Policy
from tests.conftest import FakeClock
from tests.remote.scripted import LIFETIME, ScriptedEntra
from tests.tokens import (
    ABSENT,
    CALLER,
    CLIENT_ID,
    HEADER,
    KEY_ID,
    NOW,
    app_claims,
    jwk,
    token,
    user_claims,
)
from tests.validation.conftest import POLICY, verdict

SKEW = int(POLICY.clock_skew)


@pytest.fixture
def clock() -> FakeClock:
    """The moment at which all tokens of these tests are looked at."""
    return FakeClock(float(NOW))


@pytest.fixture
def entra() -> ScriptedEntra:
    """An Entra with one key."""
    return ScriptedEntra()


@pytest.fixture
def source(entra: ScriptedEntra, clock: FakeClock) -> KeySource:
    """Its keys."""
    return entra.source(clock)


@pytest.fixture
def validator(source: KeySource, clock: FakeClock) -> TokenValidator:
    """The validator under test."""
    return made(source, clock)


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys with which signatures were verified, one entry for each time."""
    calls: list[str] = []
    original = SigningKey.verifies

    def verifies(key: SigningKey, signing_input: bytes, signature: bytes) -> bool:
        calls.append(key.key_id)
        return original(key, signing_input, signature)

    monkeypatch.setattr(SigningKey, "verifies", verifies)
    return calls


def made(
    source: KeySource, clock: FakeClock, policy: Policy = POLICY, *, cache_size: int = 100
) -> TokenValidator:
    """A validator with that policy."""
    return TokenValidator(source, policy, cache_size=cache_size, clock=clock)


def signed_by(name: str, **claims: Any) -> str:
    """A good token signed with the key of that name."""
    return token(user_claims(**claims), dict(HEADER) | {"kid": name}, name)


async def refreshed(source: KeySource, clock: FakeClock) -> None:
    """Let the keys grow old and be fetched again."""
    clock.advance(LIFETIME)
    source.current()
    for _ in range(50):
        await asyncio.sleep(0)


async def test_a_good_token_gives_its_user(validator: TokenValidator) -> None:
    """Everything that the token says of who is asking, and the token itself for calling on."""
    text = token(user_claims())
    user = await validator.validate_text(text)
    assert (user.subject, user.name, user.scopes) == (
        "pairwise-subject",
        "Ada Example",
        ["Incidents.Read", "access_as_user"],
    )
    assert user.access_token == text
    assert not user.is_app
    assert (await validator.validate_text(token(app_claims()))).is_app


async def test_a_token_seen_before_is_not_verified_again(
    validator: TokenValidator, entra: ScriptedEntra, verified: list[str]
) -> None:
    """The same user comes back, without a verification and without asking Entra."""
    text = token(user_claims())
    first = await validator.validate_text(text)
    again = [await validator.validate_text(text) for _ in range(10)]
    assert all(user is first for user in again)
    assert verified == [KEY_ID]
    assert entra.requested == ["discovery", "keys"]


async def test_another_spelling_is_another_token(validator: TokenValidator, verified: list[str]) -> None:
    """The cache key is the whole text, the signature included."""
    text = token(user_claims())
    await validator.validate_text(text)
    head, _, signature = text.rpartition(".")
    forged = f"{head}.{'A' * len(signature)}"
    assert await verdict(validator, forged[:-1] + "A") == "signature_invalid"
    assert len(verified) == 2


async def test_refused_tokens_are_not_cached(validator: TokenValidator, verified: list[str]) -> None:
    """Neither as good nor as bad: each time it is validated again."""
    text = token(user_claims(aud="api://other"))
    assert [await verdict(validator, text) for _ in range(3)] == ["audience_mismatch"] * 3
    assert len(verified) == 3


@pytest.mark.parametrize("cache_size", [0, 100], ids=["never remembered", "remembered"])
@pytest.mark.parametrize("lifetime", [3600, 3600.5])
async def test_expiry_is_the_same_to_the_second_for_cached_tokens(
    cache_size: int, lifetime: float, source: KeySource, clock: FakeClock, verified: list[str]
) -> None:
    """``exp`` and the clock skew decide, not how often a token was seen."""
    validator = made(source, clock, cache_size=cache_size)
    text = token(user_claims(exp=NOW + lifetime))
    assert await verdict(validator, text) == "accepted"
    clock.now = NOW + lifetime + SKEW - 0.001
    assert await verdict(validator, text) == "accepted"
    assert len(verified) == (1 if cache_size else 2)
    clock.now = NOW + lifetime + SKEW
    assert [await verdict(validator, text) for _ in range(2)] == ["token_expired"] * 2


async def test_a_rotated_out_key_takes_its_cached_tokens_with_it(
    validator: TokenValidator, entra: ScriptedEntra, source: KeySource, clock: FakeClock
) -> None:
    """Until the next refresh they are good, afterwards they are not; those of other keys stay."""
    entra.publish(KEY_ID, "new")
    old, new = signed_by(KEY_ID, exp=NOW + 90_000), signed_by("new", exp=NOW + 90_000)
    assert [await verdict(validator, text) for text in (old, new)] == ["accepted"] * 2
    entra.publish("new")
    assert await verdict(validator, old) == "accepted"
    await refreshed(source, clock)
    assert [await verdict(validator, text) for text in (old, new)] == ["key_unknown", "accepted"]


async def test_a_key_that_was_exchanged_under_its_id_takes_its_tokens_with_it(
    validator: TokenValidator, entra: ScriptedEntra, source: KeySource, clock: FakeClock
) -> None:
    """The ID is a name; the key is what verified."""
    text = token(user_claims(exp=NOW + 90_000))
    assert await verdict(validator, text) == "accepted"
    entra.publish(jwk("another", kid=KEY_ID))
    await refreshed(source, clock)
    assert await verdict(validator, text) == "signature_invalid"


async def test_a_refresh_that_changes_nothing_forgets_nothing(
    validator: TokenValidator,
    entra: ScriptedEntra,
    source: KeySource,
    clock: FakeClock,
    verified: list[str],
) -> None:
    """Nor does one that adds a key or fails."""
    text = token(user_claims(exp=NOW + 90_000))
    await validator.validate_text(text)
    await refreshed(source, clock)
    entra.publish("new", KEY_ID)
    await refreshed(source, clock)
    entra.down()
    await refreshed(source, clock)
    assert await verdict(validator, text) == "accepted"
    assert verified == [KEY_ID]
    assert entra.requested.count("keys") == 4


async def test_two_with_other_audiences_share_keys_but_no_verdicts(
    source: KeySource, entra: ScriptedEntra, clock: FakeClock
) -> None:
    """The cache of one is not used by the other."""
    one = made(source, clock)
    other = made(source, clock, replace(POLICY, audiences=frozenset({"api://other"})))
    ours, theirs = token(user_claims()), token(user_claims(aud="api://other"))
    for _ in range(2):
        assert [await verdict(one, text) for text in (ours, theirs)] == ["accepted", "audience_mismatch"]
        assert [await verdict(other, text) for text in (ours, theirs)] == ["audience_mismatch", "accepted"]
    assert entra.requested == ["discovery", "keys"]


async def test_no_more_is_cached_than_the_size_allows(
    source: KeySource, clock: FakeClock, verified: list[str]
) -> None:
    """The oldest leaves for the newest; it is verified again when it comes back."""
    validator = made(source, clock, cache_size=2)
    texts = [token(user_claims(uti=str(number))) for number in range(3)]
    for text in texts:
        await validator.validate_text(text)
    for text in reversed(texts):
        await validator.validate_text(text)
    assert len(verified) == 4


@pytest.mark.parametrize("text", ["", "a.b.c", "x" * 20_000, "a.b.c.d.e", "ö.ö.ö"])
async def test_what_is_no_token_is_refused_without_asking_entra(
    text: str, validator: TokenValidator, entra: ScriptedEntra
) -> None:
    """A stranger's nonsense costs no request."""
    with pytest.raises(InvalidToken):
        await validator.validate_text(text)
    assert entra.requested == []


async def test_an_unknown_key_is_a_bad_token(validator: TokenValidator, entra: ScriptedEntra) -> None:
    """After Entra was asked once more; the message says what may be the matter."""
    with pytest.raises(InvalidToken) as caught:
        await validator.validate_text(signed_by("foreign"))
    assert caught.value.code == "key_unknown"
    assert "another tenant or cloud" in caught.value.message
    assert entra.requested == ["discovery", "keys", "keys"]


async def test_a_guest_who_is_not_let_in_is_not_cached(source: KeySource, clock: FakeClock) -> None:
    """A refusal by policy is one each time."""
    validator = made(source, clock, replace(POLICY, allow_guests=False))
    text = token(user_claims(acct=1))
    for _ in range(2):
        with pytest.raises(AccessDenied) as caught:
            await validator.validate_text(text)
        assert caught.value.code == "guest_not_allowed"


async def test_without_keys_no_token_can_be_validated(
    validator: TokenValidator, entra: ScriptedEntra
) -> None:
    """That is told as such, never as a bad token; all is well as soon as Entra is back."""
    entra.down()
    with pytest.raises(EntraUnavailable):
        await validator.validate_text(token(user_claims()))


async def test_an_outage_later_changes_nothing_for_known_keys(
    validator: TokenValidator, entra: ScriptedEntra, source: KeySource, clock: FakeClock
) -> None:
    """Tokens seen before and tokens never seen: as long as the key is known, they are validated."""
    seen = token(user_claims(exp=NOW + 90_000))
    await validator.validate_text(seen)
    entra.down()
    await refreshed(source, clock)
    unseen = token(user_claims(exp=NOW + 90_000, uti="another"))
    foreign = token(user_claims(exp=NOW + 90_000, aud="api://other"))
    assert [await verdict(validator, text) for text in (seen, unseen, foreign)] == [
        "accepted",
        "accepted",
        "audience_mismatch",
    ]


async def test_three_hundred_first_tokens_at_once_are_one_fetch(
    validator: TokenValidator, entra: ScriptedEntra
) -> None:
    """Good and bad ones together, each with its own verdict."""
    good = [token(user_claims(uti=str(number))) for number in range(3)] * 50
    bad = [token(user_claims(aud=CLIENT_ID[::-1]))] * 150
    verdicts = await asyncio.gather(*(verdict(validator, text) for text in good + bad))
    assert verdicts == ["accepted"] * 150 + ["audience_mismatch"] * 150
    assert entra.requested == ["discovery", "keys"]


# What comes with a sign-in


def id_token(**changes: Any) -> str:
    """The claims of Entra's ID token for an application."""
    return token(user_claims(**{"azp": ABSENT, "azpacr": ABSENT, "scp": ABSENT, "nonce": "n"} | changes))


async def refused(validator: TokenValidator, text: str, *, is_id_token: bool = False) -> str:
    """The code of the refusal of what came with a sign-in, or ``accepted``."""
    try:
        if is_id_token:
            await validator.validate_id_token(text, nonce="n", access_token="a.b.c")
        else:
            await validator.validate_own_access_token(text)
    except EntraError as error:
        return error.code
    return "accepted"


async def test_an_access_token_of_our_own_gives_its_claims(
    validator: TokenValidator, entra: ScriptedEntra, verified: list[str]
) -> None:
    """It is verified as others are, and not cached: sessions have their own memory."""
    claims = user_claims(azp=CLIENT_ID)
    for _ in range(2):
        assert await validator.validate_own_access_token(token(claims)) == claims
    assert len(verified) == 2
    assert entra.requested == ["discovery", "keys"]


@pytest.mark.parametrize("client_id", [CLIENT_ID, CLIENT_ID.upper()])
async def test_our_own_client_is_let_in_beside_those_that_are_listed(
    source: KeySource, clock: FakeClock, client_id: str
) -> None:
    """A list of clients is about bearer tokens, and who signs in here comes by this client."""
    listed = "dddddddd-1111-4222-8333-444444444444"
    policy = replace(POLICY, client_id=client_id, allowed_clients=frozenset({listed}))
    validator = made(source, clock, policy)
    own = token(user_claims(azp=CLIENT_ID))
    assert await refused(validator, own) == "accepted"
    assert await refused(validator, token(user_claims(azp=CALLER))) == "client_not_allowed"
    assert await verdict(validator, own) == "client_not_allowed"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"aud": "00000003-0000-0000-c000-000000000000"}, "graph_token"),
        ({"aud": "api://other"}, "audience_mismatch"),
        ({"exp": NOW - SKEW - 1}, "token_expired"),
        ({"acct": 1}, "guest_not_allowed"),
    ],
)
async def test_our_own_access_token_is_validated_like_any_other(
    source: KeySource, clock: FakeClock, changes: dict[str, Any], code: str
) -> None:
    """The policy is the same for people with a token and people with a session."""
    validator = made(source, clock, replace(POLICY, allow_guests=False))
    assert await refused(validator, token(user_claims(**changes))) == code


async def test_an_id_token_gives_its_claims(validator: TokenValidator, entra: ScriptedEntra) -> None:
    """By the same keys, with the nonce and the access token that it belongs to."""
    at_hash = urlsafe_b64encode(sha256(b"a.b.c").digest()[:16]).rstrip(b"=").decode()
    claims = await validator.validate_id_token(id_token(at_hash=at_hash), nonce="n", access_token="a.b.c")
    assert claims["name"] == "Ada Example"
    assert entra.requested == ["discovery", "keys"]
    with pytest.raises(InvalidToken) as caught:
        await validator.validate_id_token(id_token(at_hash=at_hash), nonce="n", access_token="a.b.d")
    assert caught.value.code == "at_hash_mismatch"
    renewed = id_token(nonce=ABSENT)
    assert await validator.validate_id_token(renewed, nonce=None, access_token="a.b.c")
    assert await refused(validator, renewed, is_id_token=True) == "claim_missing"


async def test_an_id_token_is_validated_at_the_time_that_it_is(
    validator: TokenValidator, clock: FakeClock
) -> None:
    """One that has expired says nothing of who is there now."""
    assert await refused(validator, id_token(), is_id_token=True) == "accepted"
    clock.advance(3600 + SKEW)
    assert await refused(validator, id_token(), is_id_token=True) == "token_expired"


@pytest.mark.parametrize("is_id_token", [False, True])
async def test_a_key_that_entra_has_just_changed_is_fetched_at_sign_in(
    validator: TokenValidator, entra: ScriptedEntra, *, is_id_token: bool
) -> None:
    """A sign-in after a rollover does not wait for the next refresh."""
    claims = user_claims(azp=CLIENT_ID, nonce="n")
    assert await refused(validator, token(claims), is_id_token=is_id_token) == "accepted"
    rotated = token(claims, dict(HEADER) | {"kid": "next"}, "next")
    assert await refused(validator, rotated, is_id_token=is_id_token) == "key_unknown"
    entra.publish("next")
    assert await refused(validator, rotated, is_id_token=is_id_token) == "accepted"


@pytest.mark.parametrize("is_id_token", [False, True])
async def test_without_keys_nobody_signs_in(
    validator: TokenValidator, entra: ScriptedEntra, *, is_id_token: bool
) -> None:
    """It is told as Entra's absence; nonsense is refused without asking."""
    entra.down()
    for text in ("", "a.b.c", "x" * 20_000):
        assert (await refused(validator, text, is_id_token=is_id_token)).startswith("token_")
    assert entra.requested == []
    assert await refused(validator, id_token(), is_id_token=is_id_token) == "keys_unavailable"
