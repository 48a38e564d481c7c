"""From a JWKS document to the keys that can verify."""

import base64
import dataclasses
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from hypothesis import given, settings
from hypothesis import strategies as st

from camunda_entra_fastapi.errors import InvalidToken
from camunda_entra_fastapi.validation.compact import parse
from camunda_entra_fastapi.validation.keys import MAX_KEYS, parse_keys
from tests.tokens import ABSENT, KEY_ID, base64url, jwk, private_key, token, user_claims

EC_KEY = {
    "kty": "EC",
    "crv": "P-256",
    "kid": "ec",
    "use": "sig",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}
OCT_KEY = {"kty": "oct", "kid": "oct", "k": "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T"}

# RFC 7515, A.2
RFC7515_MODULUS = (
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SF"
    "d2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo"
    "7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkM"
    "Ls91kzk2PAcDTW9gb54h4FRWyuXpoQ"
)
RFC7515_TOKEN = (
    "eyJhbGciOiJSUzI1NiJ9."
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdb"
    "F9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383"
    "LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWy"
    "wlVmtVrBp0igcN_IoypGlUPQGe77Rw"
)

# RFC 7520, 3.3 and 4.1
RFC7520_KEY = {
    "kty": "RSA",
    "kid": "bilbo.baggins@hobbiton.example",
    "use": "sig",
    "n": "n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMaJMR"
    "BSFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5l"
    "FHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__"
    "kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw",
    "e": "AQAB",
}
RFC7520_TOKEN = (
    "eyJhbGciOiJSUzI1NiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9."
    "SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGUgcm9h"
    "ZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3"
    "ZXB0IG9mZiB0by4."
    "MRjdkly7_-oTPTS3AXP41iQIGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoFmKZopdHM1O2U4mwzJdQx996ivp83xuglII7PNDi84wnB"
    "-BDkoBwA78185hX-Es4JIwmDLJK3lfWRa-XtL0RnltuYv746iYTh_qHRD68BNt1uSNCrUCTJDt5aAE6x8wW1Kt9eRo4QPocSadnHXFxn"
    "t8Is9UzpERV0ePPQdLuW3IS_de3xyIrDaLGdjluPxUAhb6L2aXic1U12podGU0KLUQSE_oI-ZnmKJ3F4uOZDnd6QZWJushZ41Axf_fcI"
    "e8u9ipH84ogoree7vjbU5y18kDquDg"
)


def decoded(text: str) -> bytes:
    """The bytes of a base64url text."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def problem(document: Any) -> str:
    """The message for a document that cannot be used."""
    with pytest.raises(ValueError, match=r"^it has |^it is |^none of ") as caught:
        parse_keys(document)
    return str(caught.value)


def test_rfc_7515_signature_is_verified() -> None:
    """The RS256 example of RFC 7515, A.2 verifies, and not with one bit changed."""
    key = parse_keys({"keys": [{"kty": "RSA", "kid": "a2", "n": RFC7515_MODULUS, "e": "AQAB"}]}).find("a2")
    assert key is not None
    signing_input, _, signature = RFC7515_TOKEN.rpartition(".")
    right = decoded(signature)
    assert key.verifies(signing_input.encode(), right) is True
    assert key.verifies(signing_input.encode(), right[:-1] + bytes([right[-1] ^ 1])) is False
    assert key.verifies(signing_input.encode() + b" ", right) is False


def test_rfc_7520_signature_is_verified() -> None:
    """The RS256 example of RFC 7520, 4.1 passes the signature; its payload is prose and no claims."""
    unverified = parse(RFC7520_TOKEN)
    key = parse_keys({"keys": [RFC7520_KEY]}).find(unverified.key_id)
    assert key is not None
    with pytest.raises(InvalidToken, match="has a payload that is not well-formed JSON") as caught:
        unverified.verified_claims(key)
    assert caught.value.code == "token_malformed"


def test_entra_key_is_read_with_everything_around_it() -> None:
    """A key as Entra publishes it verifies what its private half signed, and keeps its issuer."""
    issuer = "https://login.microsoftonline.com/{tenantid}/v2.0"
    entry = jwk(x5t=KEY_ID, x5c=["MIIC"], cloud_instance_name="microsoftonline.com", issuer=issuer)
    keys = parse_keys({"keys": [entry], "extra": 1})
    key = keys.find(KEY_ID)
    assert key is not None
    assert (key.key_id, key.issuer, keys.skipped) == (KEY_ID, issuer, ())
    assert parse(token(user_claims())).verified_claims(key) == user_claims()
    assert keys.find("other") is None


@pytest.mark.parametrize(
    "members",
    [
        {"use": ABSENT},
        {"alg": "RS256"},
        {"key_ops": ["verify"]},
        {"key_ops": ["verify", "wrapKey"], "use": ABSENT},
        {"issuer": None},
        {"kid": "k" * 256},
    ],
)
def test_optional_members_may_be_there_or_not(members: dict[str, Any]) -> None:
    """A key is not skipped for members that RFC 7517 leaves open."""
    entry = jwk(**members)
    keys = parse_keys({"keys": [entry]})
    assert list(keys.by_id) == [entry["kid"]]
    assert keys.by_id[entry["kid"]].issuer is None


BAD_ENTRIES: list[tuple[object, str]] = [
    ("text", "not an object"),
    (None, "not an object"),
    ([], "not an object"),
    ({}, "not an RSA key"),
    (EC_KEY, "not an RSA key"),
    (OCT_KEY, "not an RSA key"),
    (
        {"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
        "not an RSA key",
    ),
    (jwk("bad", kty="rsa"), "not an RSA key"),
    (jwk("bad", use="enc"), "not for signatures (use)"),
    (jwk("bad", use=["sig"]), "not for signatures (use)"),
    (jwk("bad", key_ops=["encrypt"]), "not for verifying (key_ops)"),
    (jwk("bad", key_ops=[]), "not for verifying (key_ops)"),
    (jwk("bad", key_ops="verify"), "not for verifying (key_ops)"),
    (jwk("bad", alg="RS512"), "for another algorithm (alg)"),
    (jwk("bad", alg="RSA-OAEP"), "for another algorithm (alg)"),
    (jwk("bad", kid=ABSENT), "without a usable kid"),
    (jwk("bad", kid=""), "without a usable kid"),
    (jwk("bad", kid=7), "without a usable kid"),
    (jwk("bad", kid="k" * 257), "without a usable kid"),
    (jwk("bad", n=ABSENT), "without a usable n"),
    (jwk("bad", n=7), "without a usable n"),
    (jwk("bad", n=""), "without a usable n"),
    (jwk("bad", n="not base64!"), "without a usable n"),
    (jwk("bad", n="A" * 5000), "without a usable n"),
    (jwk("bad", e=ABSENT), "without a usable e"),
    (jwk("bad", e=65537), "without a usable e"),
    (jwk("bad", e="A+/="), "without a usable e"),
    (jwk("bad", e="AQ"), "not a valid RSA key"),
    (jwk("bad", e="BA"), "not a valid RSA key"),
    (jwk("bad", n="AA"), "not a valid RSA key"),
    (jwk("bad", n="A"), "not a valid RSA key"),
    (jwk("bad", issuer=7), "with an issuer that is no text"),
    (jwk("bad", issuer="i" * 1025), "with an issuer of more than 1024 characters"),
    (jwk("bad", bits=1024), "of 1024 bits, fewer than 2048"),
    (jwk("bad", bits=2047), "of 2047 bits, fewer than 2048"),
]


@pytest.mark.parametrize(("entry", "reason"), BAD_ENTRIES)
def test_unusable_key_is_left_out_and_does_not_cost_the_others(entry: object, reason: str) -> None:
    """Each kind of bad key is skipped with its reason; a good key before and after it stays."""
    keys = parse_keys({"keys": [jwk("first"), entry, jwk("last")]})
    assert list(keys.by_id) == ["first", "last"]
    assert keys.skipped == (f"key 1: {reason}",)
    assert problem({"keys": [entry]}) == f"none of its 1 keys can verify RS256 (key 0: {reason})"


def test_private_members_are_not_read() -> None:
    """A JWK that wrongly holds its private half is used as the public key that it also is."""
    numbers = private_key().private_numbers()
    private: dict[str, Any] = {
        name: base64url(getattr(numbers, name).to_bytes(256, "big")) for name in ("d", "p", "q")
    }
    key = parse_keys({"keys": [jwk(**private, dp="AQ", dq="AQ", qi="AQ", oth=[])]}).find(KEY_ID)
    assert key is not None
    assert parse(token(user_claims())).verified_claims(key) == user_claims()
    assert private["d"] not in repr(key)


def test_same_key_twice_counts_once() -> None:
    """A key that is listed twice with the same material is one key."""
    keys = parse_keys({"keys": [jwk(), jwk(x5t="other")]})
    assert (list(keys.by_id), keys.skipped) == ([KEY_ID], ())


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (0, 2, 1)])
def test_two_keys_under_one_id_are_both_left_out(order: tuple[int, ...]) -> None:
    """To choose one of two keys would be to guess; the others stay, in whatever order they come."""
    entries = [jwk("one", kid="shared"), jwk("two", kid="shared"), jwk("alone")]
    keys = parse_keys({"keys": [entries[index] for index in order]})
    assert list(keys.by_id) == ["alone"]
    assert keys.skipped == ("two different keys share one kid",)


def test_one_key_for_two_issuers_is_ambiguous() -> None:
    """The same material under one ID for different issuers is no single answer either."""
    entries = [jwk(issuer="https://one.example"), jwk(issuer="https://two.example"), jwk(issuer=None)]
    assert problem({"keys": entries}) == (
        "none of its 3 keys can verify RS256 (two different keys share one kid)"
    )


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({}, "it is not a JSON Web Key Set: it has no list 'keys'"),
        ({"keys": None}, "it is not a JSON Web Key Set: it has no list 'keys'"),
        ({"keys": {}}, "it is not a JSON Web Key Set: it has no list 'keys'"),
        ({"keys": "text"}, "it is not a JSON Web Key Set: it has no list 'keys'"),
        ({"keys": []}, "none of its 0 keys can verify RS256 (it is empty)"),
        (
            {"keys": [EC_KEY, OCT_KEY, None, None]},
            "none of its 4 keys can verify RS256 (key 0: not an RSA key; key 1: not an RSA key; "
            "key 2: not an object)",
        ),
        ({"keys": [None] * 1001}, "it has 1001 keys; at most 1000 are read"),
    ],
)
def test_document_without_usable_keys_is_refused(document: Any, expected: str) -> None:
    """A document that would leave no key is an error, so that whoever fetched it keeps the last one."""
    assert problem(document) == expected


def test_document_may_have_1000_keys() -> None:
    """A document of exactly the limit is read whole."""
    entries = [jwk(kid=f"key-{index}") for index in range(MAX_KEYS)]
    assert len(parse_keys({"keys": entries}).by_id) == 1000
    assert problem({"keys": [*entries, jwk()]}) == "it has 1001 keys; at most 1000 are read"


def test_keys_are_compared_by_what_they_verify() -> None:
    """Two readings of one key are equal whatever was skipped; another key, ID or issuer is not."""
    keys = parse_keys({"keys": [jwk()]})
    assert keys == parse_keys({"keys": [jwk(), EC_KEY]})
    for other in (jwk("other", kid=KEY_ID), jwk(kid="other"), jwk(issuer="https://one.example")):
        assert keys != parse_keys({"keys": [other]})


def test_key_sets_cannot_be_changed() -> None:
    """Neither the set nor a key in it can be written to, since all requests share them."""
    keys = parse_keys({"keys": [jwk()]})
    with pytest.raises(TypeError):
        keys.by_id["other"] = keys.by_id[KEY_ID]  # type: ignore[index]
    with pytest.raises(dataclasses.FrozenInstanceError):
        keys.by_id[KEY_ID].issuer = "other"  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        keys.by_id = {}  # type: ignore[misc]


def test_key_verifies_rs256_only() -> None:
    """The same key's signatures with another hash or padding do not fit, even if a JWK asks for them."""
    key = parse_keys({"keys": [jwk(alg="RS256")]}).find(KEY_ID)
    assert key is not None
    private, text = private_key(), b"text"
    assert key.verifies(text, private.sign(text, padding.PKCS1v15(), hashes.SHA256())) is True
    assert key.verifies(text, private.sign(text, padding.PKCS1v15(), hashes.SHA512())) is False
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    assert key.verifies(text, private.sign(text, pss, hashes.SHA256())) is False


@settings(deadline=None)
@given(st.binary(), st.binary(max_size=600))
def test_no_signature_makes_a_key_fail(signing_input: bytes, signature: bytes) -> None:
    """Any bytes as a signature are a wrong signature and never an error."""
    key = parse_keys({"keys": [jwk()]}).find(KEY_ID)
    assert key is not None
    assert key.verifies(signing_input, signature) is False


MEMBERS = st.sampled_from(["kty", "kid", "n", "e", "use", "alg", "key_ops", "issuer", "d", "x5c"])
VALUES = st.one_of(
    st.none(),
    st.integers(),
    st.text(),
    st.text(alphabet="AQB-_=", max_size=400),
    st.lists(st.text(max_size=3), max_size=2),
)


@settings(deadline=None)
@given(st.lists(st.dictionaries(MEMBERS, VALUES).map(lambda changes: jwk() | changes), max_size=3))
def test_any_entries_are_read_or_skipped_and_nothing_else(entries: list[dict[str, Any]]) -> None:
    """Whatever a document lists, good keys are read and the only error is ValueError."""
    keys = parse_keys({"keys": [*entries, jwk("good")]})
    assert keys.find("good") is not None
