"""Tokens: mutated ones, and odd ones with a right signature. What is accepted, a second verifier accepts."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

import pytest
from hypothesis import strategies as st

from camunda_entra_fastapi.errors import AccessDenied, InvalidToken
from camunda_entra_fastapi.token_validator import TokenValidator
from camunda_entra_fastapi.user import EntraUser
from camunda_entra_fastapi.validation.keys import KeySet, SigningKey, parse_keys
from camunda_entra_fastapi.validation.policy import Policy
from tests.conftest import FakeClock
from tests.fuzz.engine import Fuzzer
from tests.fuzz.material import changed, json_values, mutated, written
from tests.fuzz.second_verifier import verified_access_token, verified_token
from tests.fuzz.silence import assert_silent, recorded
from tests.tokens import CLIENT_ID, HEADER, KEY_ID, NOW, app_claims, jwk, part, private_key, signed, token
from tests.tokens import user_claims as user_claims_of
from tests.validation.conftest import ANY_TENANT, POLICY

PLANTED: Final = "planted-in-the-token-x7x7x7x7x7"
USER: Final = user_claims_of(xms_planted=PLANTED)
APP: Final = app_claims(xms_planted=PLANTED)
PUBLIC: Final = {name: private_key(name).public_key() for name in (KEY_ID, "other-key")}
ID_TOKEN: Final = {**USER, "nonce": "n-0S6_WzA2Mj", "azp": CLIENT_ID}


class KeysAtHand:
    """A key source that asks nobody."""

    def __init__(self) -> None:
        self._keys = parse_keys(
            {"keys": [jwk(), jwk("other-key", issuer="https://elsewhere/{tenantid}/v2.0")]}
        )

    def current(self) -> KeySet:
        """The keys."""
        return self._keys

    async def find(self, key_id: str) -> tuple[SigningKey | None, KeySet]:
        """The key, or nothing."""
        return self._keys.find(key_id), self._keys


def made(policy: Policy) -> TokenValidator:
    """A validator that remembers a few, as a service does."""
    keys: Any = KeysAtHand()
    return TokenValidator(keys, policy, cache_size=8, clock=FakeClock(float(NOW)))


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    """An event loop for all inputs: one for each would cost more than what is tested."""
    with asyncio.Runner() as runner:
        yield runner


def odd_tokens() -> st.SearchStrategy[bytes]:
    """Signed rightly, with a header and claims that may be anything."""
    names = ("typ", "crit", "b64", "jwk", "jku", "x5u", "x5c", "enc", "zip", "nonce", "cty")
    times = st.dictionaries(st.sampled_from(("exp", "nbf", "iat")), _edges, max_size=2)
    claims = st.one_of(
        changed(USER, "cnf", "idtyp", "acct", "idp", "roles", "groups", "_claim_names", "hasgroups"),
        changed(APP, "appid", "acr", "tfp", "name", "email"),
        st.builds(lambda claims, odd: claims | odd, st.sampled_from((USER, APP)), times),
    )
    payloads = st.one_of(claims.map(written), mutated(json.dumps(USER).encode(), json.dumps(APP).encode()))

    def made_of(header: dict[str, Any], payload: bytes, name: str, *, is_named: bool) -> bytes:
        named = header | ({"kid": name} if is_named else {})
        return signed(part(written(named)), part(payload), name).encode()

    return st.builds(
        made_of,
        st.one_of(st.just(dict(HEADER)), changed(dict(HEADER), *names)),
        payloads,
        st.sampled_from((KEY_ID, KEY_ID, "other-key")),
        is_named=st.sampled_from((True, True, True, False)),
    )


_edges: Final = st.one_of(
    st.sampled_from([NOW + sign * seconds for sign in (-1, 1) for seconds in (0, 59, 60, 61, 90, 120, 3600)]),
    json_values,
)


def any_tokens() -> st.SearchStrategy[bytes]:
    """Odd ones, mutated ones, and both at once."""
    valid = (token(USER).encode(), token(APP).encode(), token(ID_TOKEN).encode())
    return st.one_of(
        odd_tokens(),
        mutated(*valid),
        st.sampled_from(valid),
        st.binary(max_size=200),
        st.builds(bytes.__add__, odd_tokens(), st.sampled_from((b".", b"=", b" ", b"\n", b"\x00", b".."))),
    )


def use(user: EntraUser) -> list[object]:
    """All that a handler may ask of a user; gives what must not show the token."""
    names = ("subject", "scopes", "is_app", "is_guest", "client_id", "expires_at", *type(user).model_fields)
    for name in names:
        getattr(user, name)
    user.has_role("Operate.Admin"), user.has_scope("Incidents.Read")
    user.model_dump(mode="json"), user.model_dump_json()
    assert user.claims is not None
    return [repr(user), str(user)]


def check(runner: asyncio.Runner, validator: TokenValidator, text: bytes, accepted: Any) -> int:
    """Judge a token: documented errors alone, silently, as the second verifier does; gives how far it got."""
    credentials = b"Bearer " + text
    outputs: list[object] = []
    with recorded() as logged:
        try:
            user = runner.run(validator.validate(text, credentials))
        except (InvalidToken, AccessDenied) as error:
            outputs += [error, error.message]
            depth = _ORDER.index(error.code) if error.code in _ORDER else len(_ORDER)
            assert validator.cached(credentials) is None
        else:
            depth = len(_ORDER) + 1
            assert accepted(text)["sub"] == user.claims["sub"]
            assert validator.cached(credentials) is user
            outputs += use(user)
        outputs += logged
    parts = [piece.decode("latin-1") for piece in text.split(b".")[1:]]
    assert_silent(outputs, (PLANTED, text.decode("latin-1"), *parts))
    return depth


_ORDER: Final = (
    *("token_too_large", "token_malformed", "token_encrypted", "algorithm_not_allowed", "header_not_allowed"),
    *("key_missing", "key_unknown", "signature_invalid", "graph_token", "issuer_mismatch", "tenant_mismatch"),
)
"""Codes in the order of the checks: Hypothesis is steered towards what gets far."""


def test_tokens_of_one_tenant(fuzzer: Fuzzer, runner: asyncio.Runner) -> None:
    """Whatever comes as a bearer token is refused as documented, or good to the second verifier, too."""
    validator = made(POLICY)
    fuzzer.run_with_mutants(
        any_tokens(),
        lambda text: check(runner, validator, text, lambda it: verified_access_token(it, PUBLIC)),
    )


def test_tokens_of_any_tenant(fuzzer: Fuzzer, runner: asyncio.Runner) -> None:
    """The same where the issuer depends on the token's tenant, and keys say for whom they sign."""
    validator = made(ANY_TENANT)
    keys = {KEY_ID: PUBLIC[KEY_ID]}  # the other one signs for somebody else
    fuzzer.run_with_mutants(
        any_tokens(),
        lambda text: check(
            runner, validator, text, lambda it: verified_access_token(it, keys, any_tenant=True)
        ),
    )


def test_odd_tokens(fuzzer: Fuzzer, runner: asyncio.Runner) -> None:
    """The same for rightly signed tokens alone, which get further than those with changed bytes."""
    single, several = made(POLICY), made(ANY_TENANT)
    keys = {KEY_ID: PUBLIC[KEY_ID]}

    def judge(text: bytes) -> int:
        check(runner, several, text, lambda it: verified_access_token(it, keys, any_tenant=True))
        return check(runner, single, text, lambda it: verified_access_token(it, PUBLIC))

    fuzzer.run(odd_tokens(), judge)


def test_id_tokens(fuzzer: Fuzzer, runner: asyncio.Runner) -> None:
    """An ID token that is accepted is signed, current, for this application alone and for this sign-in."""
    validator = made(replace(POLICY, allow_guests=False))

    def judge(text: bytes) -> None:
        try:
            claims = runner.run(
                validator.validate_id_token(
                    text.decode("latin-1"), nonce="n-0S6_WzA2Mj", access_token="a.b.c"
                )
            )
        except (InvalidToken, AccessDenied) as error:
            assert_silent([error], (PLANTED, text.decode("latin-1")))
            return
        assert claims["nonce"] == "n-0S6_WzA2Mj"
        assert claims["aud"] in (CLIENT_ID, [CLIENT_ID])
        assert verified_token(text, PUBLIC) == claims

    fuzzer.run_with_mutants(
        st.one_of(any_tokens(), changed(ID_TOKEN, "at_hash", "c_hash").map(_id_token)), judge
    )


def _id_token(claims: Mapping[str, Any]) -> bytes:
    return signed(part(dict(HEADER)), part(written(claims))).encode()


def test_own_access_tokens_and_texts(fuzzer: Fuzzer, runner: asyncio.Runner) -> None:
    """Tokens that come as texts, with whatever letters, end in documented errors alone, too."""
    validator = made(POLICY)

    def judge(text: str) -> None:
        for call in (validator.validate_text, validator.validate_own_access_token):
            try:
                runner.run(call(text))
            except (InvalidToken, AccessDenied) as error:
                assert_silent([error], [text])

    fuzzer.run_with_mutants(any_tokens().map(lambda text: text.decode("utf-8", "replace")), judge)
