"""From text to an unverified token, and from there to claims."""

import json
from contextlib import suppress
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, hmac, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from camunda_entra_fastapi.errors import InvalidToken
from camunda_entra_fastapi.untrusted_json import MAX_NESTING
from camunda_entra_fastapi.validation.compact import (
    MAX_KEY_ID_CHARACTERS,
    MAX_TOKEN_BYTES,
    parse,
)
from tests.tokens import (
    ABSENT,
    HEADER,
    KEY_ID,
    PublicKey,
    base64url,
    part,
    private_key,
    signed,
    token,
    user_claims,
)

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
GOOD = part(HEADER)
CLAIMS = part(user_claims())
NOT_OURS = "This is not a token that Entra issues: it "
ENCRYPTED = ("token_encrypted", "The token is encrypted (JWE); this API expects a signed one.")
UNFIT = ("signature_invalid", "The token's signature does not fit its content.")


def malformed(what: str) -> tuple[str, str]:
    """The refusal of something that is no token."""
    return "token_malformed", f"{NOT_OURS}{what}."


NOT_THREE_PARTS = malformed("does not consist of three parts separated by dots")


def wrong_algorithm(algorithm: str) -> tuple[str, str]:
    """The refusal of an algorithm."""
    message = f"The token's algorithm is '{algorithm}'; Entra signs with RS256, the only one accepted."
    return "algorithm_not_allowed", message


def wrong_member(names: str) -> tuple[str, str]:
    """The refusal of header members."""
    message = f"The token's header has {names}; keys come from Entra alone, and extensions are not supported."
    return "header_not_allowed", message


def refusal(text: str, key: PublicKey | None = None) -> tuple[str, str]:
    """How the text is refused, by ``parse`` or else by ``open``."""
    with pytest.raises(InvalidToken) as caught:
        parse(text).verified_claims(key or PublicKey())
    return caught.value.code, caught.value.message


def header(**changes: Any) -> dict[str, Any]:
    """A good header with changes; ABSENT leaves a member out."""
    return {name: value for name, value in (dict(HEADER) | changes).items() if value is not ABSENT}


def nested(depth: int) -> str:
    """JSON lists within lists."""
    return "[" * depth + "]" * depth


def test_good_token_opens_to_its_claims() -> None:
    """A token with a right signature gives exactly the claims that were signed."""
    unverified = parse(token(user_claims()))
    assert unverified.key_id == KEY_ID
    assert unverified.graph_nonce is False
    assert unverified.verified_claims(PublicKey()) == user_claims()


def test_unverified_token_has_no_way_to_its_claims() -> None:
    """Only the key ID and Graph's nonce of an unverified token can be read."""
    unverified = parse(token(user_claims()))
    public = {name for name in dir(unverified) if not name.startswith("_")}
    assert public == {"key_id", "graph_nonce", "verified_claims"}


def test_repr_of_an_unverified_token_holds_neither_token_nor_claims() -> None:
    """A log or a debugger shows its key ID alone."""
    expected = f"UnverifiedToken(key_id='{KEY_ID}', graph_nonce=False)"
    assert repr(parse(token(user_claims()))) == expected


def test_payload_is_not_looked_at_before_the_signature() -> None:
    """A payload that is no JSON at all is found out only after its signature was verified."""
    text = token(b"\xff no JSON")
    key = PublicKey()
    unverified = parse(text)
    assert key.verifications == 0
    assert refusal(text, key) == malformed("has a payload that is not well-formed JSON in UTF-8")
    assert key.verifications == 1
    with pytest.raises(InvalidToken) as caught:
        unverified.verified_claims(PublicKey("another-key"))
    assert (caught.value.code, caught.value.message) == UNFIT


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (header(alg="none"), wrong_algorithm("none")),
        (header(alg="None"), wrong_algorithm("None")),
        (header(alg="NONE"), wrong_algorithm("NONE")),
        (header(alg=""), wrong_algorithm("")),
        (header(alg="HS256"), wrong_algorithm("HS256")),
        (header(alg="RS384"), wrong_algorithm("RS384")),
        (header(alg="RS512"), wrong_algorithm("RS512")),
        (header(alg="PS256"), wrong_algorithm("PS256")),
        (header(alg="ES256"), wrong_algorithm("ES256")),
        (header(alg="rs256"), wrong_algorithm("rs256")),
        (header(alg="RS256 "), wrong_algorithm("RS256 ")),
        (header(alg="RS256\x00"), wrong_algorithm("RS256?")),
        (header(alg=ABSENT), wrong_algorithm("None")),
        (header(alg=None), wrong_algorithm("None")),
        (header(alg=["RS256"]), wrong_algorithm("[?RS256?]")),
        (header(alg={"RS256": 1}), wrong_algorithm("{?RS256?: 1}")),
        (header(alg=True), wrong_algorithm("True")),
        (header(jwk={"kty": "RSA"}), wrong_member("jwk")),
        (header(jku="https://attacker.example/keys"), wrong_member("jku")),
        (header(x5u="https://attacker.example/cert"), wrong_member("x5u")),
        (header(x5c=["MIIC"]), wrong_member("x5c")),
        (header(x5c=None), wrong_member("x5c")),
        (header(crit=["exp"]), wrong_member("crit")),
        (header(crit=[]), wrong_member("crit")),
        (header(b64=True), wrong_member("b64")),
        (header(b64=False, crit=["b64"]), wrong_member("b64, crit")),
        (header(enc="A256GCM"), ENCRYPTED),
        (header(enc="A256GCM", alg="RSA-OAEP"), ENCRYPTED),
        (
            header(kid=ABSENT),
            ("key_missing", "The token's header has no kid, so its key cannot be found."),
        ),
        (header(kid=None), ("key_missing", "The token's header has no kid, so its key cannot be found.")),
        (header(kid=""), malformed("has a kid that is not a text of 1 to 256 characters")),
        (header(kid="k" * 257), malformed("has a kid that is not a text of 1 to 256 characters")),
        (header(kid=7), malformed("has a kid that is not a text of 1 to 256 characters")),
        (header(kid=[KEY_ID]), malformed("has a kid that is not a text of 1 to 256 characters")),
        ([header()], malformed("has a first part that is not a JSON object")),
        ("RS256", malformed("has a first part that is not well-formed JSON in UTF-8")),
        ('"RS256"', malformed("has a first part that is not a JSON object")),
        ("null", malformed("has a first part that is not a JSON object")),
        ("", malformed("has a first part that is not well-formed JSON in UTF-8")),
    ],
)
def test_header_is_refused_though_the_signature_is_right(head: object, expected: tuple[str, str]) -> None:
    """Algorithms, members that bring keys, and key IDs are validated before any signature."""
    key = PublicKey()
    assert refusal(token(user_claims(), head), key) == expected
    assert key.verifications == 0


def test_key_id_may_be_as_long_as_the_limit() -> None:
    """The longest key ID that is allowed is read as it is."""
    longest = "k" * MAX_KEY_ID_CHARACTERS
    assert parse(token(user_claims(), header(kid=longest))).key_id == longest


def test_same_header_is_validated_the_same_every_time() -> None:
    """A header seen before, good or bad, is neither trusted nor refused for being known."""
    bad = token(user_claims(), header(jku="https://attacker.example/keys"))
    good = token(user_claims())
    for _ in range(3):
        assert refusal(bad) == wrong_member("jku")
        assert parse(good).verified_claims(PublicKey()) == user_claims()
        assert refusal(token(user_claims(), name="another-key")) == UNFIT


def test_other_header_members_do_no_harm() -> None:
    """Further members of RS256 tokens are no reason to refuse (RFC 7515, 4)."""
    text = token(user_claims(), header(typ="at+jwt", cty="x", x5t=KEY_ID, extra={"jwk": 1}))
    assert parse(text).verified_claims(PublicKey()) == user_claims()


def test_hmac_with_the_public_key_as_secret_is_refused() -> None:
    """Key confusion fails, whatever the header calls the algorithm."""
    public_pem = (
        private_key()
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    for algorithm, expected in (("HS256", wrong_algorithm("HS256")), ("RS256", UNFIT)):
        signing_input = f"{part(header(alg=algorithm))}.{CLAIMS}"
        mac = hmac.HMAC(public_pem, hashes.SHA256())
        mac.update(signing_input.encode())
        assert refusal(f"{signing_input}.{base64url(mac.finalize())}") == expected


def test_hmac_with_the_public_key_in_der_as_secret_is_refused() -> None:
    """CVE-2026-85394: python-jose takes such a secret, up to 3.5.0 at least; it is never asked to."""
    for layout in (serialization.PublicFormat.SubjectPublicKeyInfo, serialization.PublicFormat.PKCS1):
        der = private_key().public_key().public_bytes(serialization.Encoding.DER, layout)
        for algorithm, expected in (("HS256", wrong_algorithm("HS256")), ("RS256", UNFIT)):
            signing_input = f"{part(header(alg=algorithm))}.{CLAIMS}"
            mac = hmac.HMAC(der, hashes.SHA256())
            mac.update(signing_input.encode())
            assert refusal(f"{signing_input}.{base64url(mac.finalize())}") == expected


@pytest.mark.parametrize("algorithm", ["RS384", "PS256", "ES256"])
def test_signature_of_another_algorithm_under_the_name_of_rs256_is_refused(algorithm: str) -> None:
    """A signature by the right key in another way does not fit."""
    signing_input = f"{GOOD}.{CLAIMS}"
    data = signing_input.encode()
    signatures = {
        "RS384": lambda: private_key().sign(data, padding.PKCS1v15(), hashes.SHA384()),
        "PS256": lambda: private_key().sign(
            data, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256()
        ),
        "ES256": lambda: ec.generate_private_key(ec.SECP256R1()).sign(data, ec.ECDSA(hashes.SHA256())),
    }
    assert refusal(f"{signing_input}.{base64url(signatures[algorithm]())}") == UNFIT


def test_embedded_key_does_not_vouch_for_its_own_token() -> None:
    """A token that brings the very key it is rightly signed with is refused for bringing it."""
    numbers = rsa.generate_private_key(65537, 2048).public_key().public_numbers()
    brought = {"kty": "RSA", "n": str(numbers.n), "e": "AQAB"}
    assert refusal(token(user_claims(), header(jwk=brought))) == wrong_member("jwk")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", malformed("does not consist of three parts separated by dots")),
        (GOOD, malformed("does not consist of three parts separated by dots")),
        (f"{GOOD}.{CLAIMS}", malformed("does not consist of three parts separated by dots")),
        (f"{GOOD}.{CLAIMS}.AAAA.AAAA", malformed("does not consist of three parts separated by dots")),
        (f"{GOOD}.{CLAIMS}.AAAA.AAAA.AAAA", ENCRYPTED),
        ("....", ENCRYPTED),
        (
            f"{GOOD}.{CLAIMS}.AAAA.AAAA.AAAA.AAAA",
            malformed("does not consist of three parts separated by dots"),
        ),
        ("..", malformed("has a first part that is not well-formed JSON in UTF-8")),
        (f".{CLAIMS}.AAAA", malformed("has a first part that is not well-formed JSON in UTF-8")),
        (f"{GOOD}.{CLAIMS}.", UNFIT),
        (f"{GOOD}..AAAA", UNFIT),
        (signed(GOOD, ""), malformed("has a payload that is not well-formed JSON in UTF-8")),
    ],
)
def test_number_of_parts_is_three_and_none_is_empty(text: str, expected: tuple[str, str]) -> None:
    """A token has three parts (RFC 7515, 7.1); five are an encrypted one (RFC 7516, 7.1)."""
    assert refusal(text) == expected


@pytest.mark.parametrize("index", [0, 1, 2])
@pytest.mark.parametrize(
    "spelling",
    [
        "{}=",
        "{}==",
        "={}",
        "+{}",
        "/{}",
        " {}",
        "{} ",
        "{}\n",
        "{}\r\n",
        "\t{}",
        "{}\x00",
        "{}%3D",
        "AAAAA",
        "\\u0041AAA{}",
    ],
)
def test_base64url_has_one_spelling_only(index: int, spelling: str) -> None:
    """Padding, foreign characters, blanks and odd lengths are refused in each part (RFC 7515, 2)."""
    parts = token(user_claims()).split(".")
    parts[index] = spelling.format(parts[index])
    name = ("first part", "payload", "signature")[index]
    kinds = {malformed(f"has a {name} that is not {kind}base64url") for kind in ("", "canonical ")}
    assert refusal(".".join(parts)) in kinds


def test_bits_left_over_are_refused() -> None:
    """The last character's unused bits must be zero, or one token could be written in many ways."""
    head, payload, signature = token(user_claims()).split(".")
    assert len(signature) % 4 == 2  # 256 bytes: four bits of the last character are unused
    last = ALPHABET.index(signature[-1])
    for bits in range(1, 16):
        respelt = f"{head}.{payload}.{signature[:-1]}{ALPHABET[last + bits]}"
        assert refusal(respelt) == malformed("has a signature that is not canonical base64url")


@pytest.mark.parametrize("character", ["é", "\x80", "\u2028", "\U0001f600", "\ud800", "\uff21"])
def test_characters_beyond_ascii_are_refused(character: str) -> None:
    """Text that is not ASCII is no token, lone surrogates included."""
    text = token(user_claims())
    for place in (0, 40, len(text)):
        changed = text[:place] + character + text[place:]
        assert refusal(changed) == malformed("holds characters that a token cannot have")


BAD_JSON = [
    b'{"a":1,"a":1}',
    b'{"a":{"b":1,"b":2}}',
    b'{"a":1,"\\u0061":2}',
    b'{"a":NaN}',
    b'{"a":Infinity}',
    b'{"a":-Infinity}',
    b"\xef\xbb\xbf{}",
    "{}".encode("utf-16"),
    "{}".encode("utf-16-le"),
    "{}".encode("utf-32"),
    b'{"a":"\\ud800"}',
    b'{"a":"\\uDFFF"}',
    b'{"\\udc00":1}',
    b'{"a":"\xed\xa0\x80"}',
    b'{"a":"\xff"}',
    b'{"a":"\xc0\xaf"}',
    b'{"a":"\n"}',
    b'{"a":1}{"b":2}',
    b'{"a":1} x',
    b'{"a":1,}',
    b"{'a':1}",
    b'{"a":' + b"9" * 5000 + b"}",
]


@pytest.mark.parametrize("data", BAD_JSON)
def test_ambiguous_or_broken_json_is_refused_in_header_and_payload(data: bytes) -> None:
    """JSON that two readers could understand in two ways is refused, the payload's once it is verified."""
    what = "that is not well-formed JSON in UTF-8"
    assert refusal(signed(base64url(data), CLAIMS)) == malformed(f"has a first part {what}")
    assert refusal(signed(GOOD, base64url(data))) == malformed(f"has a payload {what}")


@pytest.mark.parametrize("name", ["alg", "kid", "nonce", "crit"])
def test_duplicate_header_member_is_refused_even_with_the_same_value(name: str) -> None:
    """Which of two members counts would depend on the reader (RFC 7515, 4)."""
    text = json.dumps(header(nonce="n", crit=[]))
    twice = text.replace("{", f"{{{json.dumps(name)}: {json.dumps(header(nonce='n', crit=[])[name])}, ", 1)
    expected = malformed("has a first part that is not well-formed JSON in UTF-8")
    assert refusal(token(user_claims(), twice)) == expected


@pytest.mark.parametrize("name", ["iss", "aud", "exp", "roles", "tid"])
def test_duplicate_claim_is_refused(name: str) -> None:
    """A claim that is there twice is refused (RFC 7519, 4)."""
    twice = json.dumps(user_claims(roles=[])).replace("{", f'{{"{name}": 1, ', 1)
    assert refusal(token(twice)) == malformed("has a payload that is not well-formed JSON in UTF-8")


@pytest.mark.parametrize("payload", ["[]", "null", "1", '"text"', "true", json.dumps([user_claims()])])
def test_payload_is_a_json_object(payload: str) -> None:
    """Claims are the members of an object (RFC 7519, 4)."""
    assert refusal(token(payload)) == malformed("has a payload that is not a JSON object")


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b'{"a":"\\ud83d\\ude00"}', "\U0001f600"),
        (b'{"a":"\\uD83D\\uDE00"}', "\U0001f600"),
        (b'{"a":"\\\\ud800"}', "\\ud800"),
        ('{"a":"Zoë"}'.encode(), "Zoë"),
        (b'{"a":1e400}', float("inf")),
        (b'{"a":' + b"9" * 4000 + b"}", 10**4000 - 1),
        (b' {"a" : null } ', None),
    ],
)
def test_unusual_json_is_read_as_it_is_meant(data: bytes, value: object) -> None:
    """Escaped pairs of surrogates, escaped backslashes and huge numbers are well-formed."""
    assert parse(signed(GOOD, base64url(data))).verified_claims(PublicKey()) == {"a": value}


BLANK = st.sampled_from(["", "", "", " ", "\n\t"])
NAME = st.sampled_from(['"a"', '"b"', '"\\u0061"', '"a\\""', '""', '"\\\\"', '"é"'])
LEAF = st.one_of(
    NAME,
    st.sampled_from(
        ["null", "true", "false", "0", "-0", "1.0", "1E2", "-0.0", "1e400", "NaN", "01", "[]", "{}"]
    ),
    st.text(max_size=5).map(json.dumps),
    st.integers().map(str),
    st.floats(allow_nan=False).map(repr),
)


def _object(members: list[tuple[str, str, str]]) -> str:
    return "{" + ",".join(f"{blank}{name}{blank}:{value}{blank}" for name, value, blank in members) + "}"


OBJECTS = st.recursive(
    st.lists(st.tuples(NAME, LEAF, BLANK), max_size=4).map(_object),
    lambda inner: st.one_of(
        st.lists(st.tuples(NAME, st.one_of(LEAF, inner), BLANK), max_size=4).map(_object),
        st.lists(inner, max_size=3).map(lambda values: '{"list":[' + ",".join(values) + "]}"),
    ),
    max_leaves=6,
)


def _read(text: str) -> object:
    """As the standard library reads it, but None where a name is repeated or a constant is no JSON."""

    def once(members: list[tuple[str, object]]) -> dict[str, object]:
        if len({name for name, _ in members}) != len(members):
            raise ValueError
        return dict(members)

    def never(_: str) -> object:
        raise ValueError

    try:
        value = json.loads(text, object_pairs_hook=once, parse_constant=never)
        json.dumps(value, ensure_ascii=False).encode()  # no half of a surrogate pair
    except ValueError:
        return None
    return value


@settings(deadline=None, max_examples=500)
@given(OBJECTS)
def test_a_payload_is_read_as_the_standard_library_reads_it(text: str) -> None:
    """To the type of each number; with a repeated name, however it is written, it is refused."""
    unverified, expected = parse(signed(GOOD, base64url(text.encode()))), _read(text)
    if expected is None:
        with pytest.raises(InvalidToken, match="not well-formed JSON"):
            unverified.verified_claims(PublicKey())
    else:
        assert repr(unverified.verified_claims(PublicKey())) == repr(expected)


@pytest.mark.parametrize("where", ["first part", "payload"])
def test_nesting_is_bounded(where: str) -> None:
    """Deeper nesting than the limit is refused, so that nothing later exhausts the stack.

    Where Python's parser gives up depends on its version: after 1,000 levels, or after more than 5,000.
    """
    depths = {}
    for depth in (MAX_NESTING - 1, MAX_NESTING, 900, 5000):
        data = f'{{"alg":"RS256","kid":"{KEY_ID}","deep":{nested(depth)},"flat":[[],[]]}}'
        text = token(user_claims(), data) if where == "first part" else token(data)
        try:
            parse(text).verified_claims(PublicKey())
            depths[depth] = ("read", "")
        except InvalidToken as error:
            depths[depth] = (error.code, error.message)
    too_deep = malformed(f"has a {where} that is nested more than 64 deep")
    assert depths == {MAX_NESTING - 1: ("read", ""), MAX_NESTING: too_deep, 900: too_deep, 5000: too_deep}


def test_many_lists_side_by_side_are_not_deep() -> None:
    """Only depth is bounded: a flat payload may hold any number of lists, and brackets in texts."""
    claims = {"flat": [[] for _ in range(500)], "text": "{[" * 500, "objects": [{} for _ in range(500)]}
    assert parse(token(claims)).verified_claims(PublicKey()) == claims


def test_size_is_limited_to_16_kib_exactly() -> None:
    """A token of 16384 bytes is read; one byte more is refused before anything is decoded."""
    assert MAX_TOKEN_BYTES == 16 * 1024
    rest = len(signed(GOOD, ""))
    sizes = {}
    for missing in range(4):  # base64url has no text of 4n + 1 characters
        payload_size = MAX_TOKEN_BYTES - rest - missing
        if payload_size % 4 != 1:
            filler = "x" * (payload_size * 3 // 4 - len('{"a":""}'))
            text = token(f'{{"a":"{filler}"}}')
            sizes[len(text)] = parse(text).verified_claims(PublicKey()) == {"a": filler}
    assert sizes[MAX_TOKEN_BYTES] is True
    too_large = ("token_too_large", "The token is larger than 16384 bytes.")
    assert refusal(token(user_claims()).ljust(MAX_TOKEN_BYTES + 1, "A")) == too_large
    assert refusal(token({"a": "x" * 1_000_000})) == too_large
    assert refusal("." * 1_000_000) == too_large
    assert refusal("é" * (MAX_TOKEN_BYTES + 1)) == too_large


def test_signature_of_another_key_is_refused() -> None:
    """A key under the right ID, but other material, does not do."""
    assert refusal(token(user_claims(), name="another-key")) == UNFIT


@pytest.mark.parametrize("length", [0, 1, 32, 128, 255, 257, 512])
def test_signature_of_another_length_is_refused(length: int) -> None:
    """A signature that was cut or made longer does not fit, nor makes it anything fail."""
    head, payload, _ = token(user_claims()).split(".")
    whole = private_key().sign(f"{head}.{payload}".encode(), padding.PKCS1v15(), hashes.SHA256())
    assert refusal(f"{head}.{payload}.{base64url((whole * 2)[:length])}") == UNFIT


def test_flipping_any_bit_of_the_signature_is_noticed() -> None:
    """One bit at every byte of the signature, each in turn."""
    head, payload, _ = token(user_claims()).split(".")
    whole = private_key().sign(f"{head}.{payload}".encode(), padding.PKCS1v15(), hashes.SHA256())
    key = PublicKey()
    for place in range(len(whole)):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << place % 8
        assert refusal(f"{head}.{payload}.{base64url(bytes(flipped))}", key) == UNFIT


def test_changing_any_character_is_noticed() -> None:
    """Each character of a good token in turn is replaced by another of the alphabet."""
    text = token(user_claims())
    key = PublicKey()
    for place, character in enumerate(text):
        other = ALPHABET[(ALPHABET.find(character) + 1) % 64]
        refusal(text[:place] + other + text[place + 1 :], key)


def test_signature_belongs_to_its_own_header_and_payload() -> None:
    """Two good tokens that swap payloads or headers are both refused."""
    ada, bob = token(user_claims(sub="ada")).split("."), token(user_claims(sub="bob"), header(x=1)).split(".")
    assert refusal(".".join((ada[0], bob[1], ada[2]))) == UNFIT
    assert refusal(".".join((bob[0], ada[1], ada[2]))) == UNFIT


def test_graph_token_is_recognised_by_its_nonce_when_the_signature_fails() -> None:
    """Graph's tokens cannot be verified by others; the message says what to request instead."""
    text = token(user_claims(), header(nonce="n"), name="another-key")
    assert parse(text).graph_nonce is True
    assert refusal(text) == (
        "graph_token",
        "The token was issued for Microsoft Graph, which alone can verify it. "
        "Request a token for this API instead, with the scope <client ID of this API>/.default.",
    )


def test_nonce_in_the_header_does_no_harm_where_the_signature_fits() -> None:
    """The mark of Graph's tokens explains a failing signature; it is no reason to refuse by itself."""
    assert parse(token(user_claims(), header(nonce="n"))).verified_claims(PublicKey()) == user_claims()


def test_unverified_token_cannot_be_changed() -> None:
    """A parsed token is immutable."""
    with pytest.raises(AttributeError):
        parse(token(user_claims())).key_id = "other"  # type: ignore[misc]


@settings(deadline=None)
@given(
    st.one_of(
        st.text(), st.text(alphabet=ALPHABET + ".="), st.binary().map(lambda data: data.decode("latin-1"))
    )
)
def test_any_text_is_parsed_or_refused_and_nothing_else(text: str) -> None:
    """Whatever is sent, the only error is InvalidToken."""
    with suppress(InvalidToken):
        assert parse(text).key_id


@settings(deadline=None)
@given(
    place=st.integers(0, 2000),
    length=st.integers(0, 60),
    instead=st.one_of(st.text(max_size=60), st.text(alphabet=ALPHABET + ".=+/", max_size=60)),
)
def test_changed_token_is_refused_and_nothing_else(place: int, length: int, instead: str) -> None:
    """A good token in which something was replaced, inserted or left out never passes nor fails otherwise."""
    text = token(user_claims())
    changed = text[: place % len(text)] + instead + text[place % len(text) + length :]
    if changed == text:
        assert parse(changed).verified_claims(PublicKey()) == user_claims()
    else:
        refusal(changed)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from([*HEADER, "nonce", "enc", "crit", "jwk"]), JSON), JSON)
def test_any_json_in_header_and_payload_is_read_or_refused_and_nothing_else(
    head: object, claims: object
) -> None:
    """Values of all kinds in header and payload lead to claims or to InvalidToken."""
    for text in (token(claims, head), token(claims, HEADER)):
        with suppress(InvalidToken):
            assert isinstance(parse(text).verified_claims(PublicKey()), dict)
