"""Sealed data opens with the same secrets and purpose alone, and only unchanged."""

import json
from base64 import urlsafe_b64encode
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwe
from joserfc.jwk import OctKey

from camunda_entra_fastapi.sessions.sealing import MAX_SEALED, Sealer, derive_key

OLD, NEW = "o" * 32, "n" * 32
TEXT = b'{"refresh_token":"1.AXoA"}'
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

BOTH = pytest.mark.parametrize("compress", [False, True])


@BOTH
@pytest.mark.parametrize("salt", [b"", b"salt"])
@pytest.mark.parametrize("size", [0, 1, 2, 3, 1_000, 40_000])
def test_what_is_sealed_opens(compress: bool, salt: bytes, size: int) -> None:
    """Whatever its size, with and without compression and salt."""
    sealer = Sealer([NEW], "session", compress=compress)
    plaintext = bytes(number % 251 for number in range(size))
    assert sealer.open(sealer.seal(plaintext, salt), salt) == plaintext


@BOTH
@pytest.mark.parametrize("text", [TEXT, TEXT + b"x", TEXT + b"xy"])
def test_every_changed_character_is_noticed(compress: bool, text: bytes) -> None:
    """There is one way to write what was sealed; all others, of equal value or not, are refused."""
    sealer = Sealer([NEW], "session", compress=compress)
    sealed = sealer.seal(text)
    opened = [
        (at, other)
        for at, character in enumerate(sealed)
        for other in ALPHABET + ".="
        if other != character and sealer.open(sealed[:at] + other + sealed[at + 1 :]) is not None
    ]
    assert opened == []


def test_what_is_cut_or_longer_is_refused() -> None:
    """No prefix of what was sealed opens, and nothing may follow."""
    sealer = Sealer([NEW], "session")
    sealed = sealer.seal(TEXT)
    others = [sealed[:at] for at in range(len(sealed))] + [sealed + end for end in ("A", ".", "\n", "=")]
    assert [other for other in others if sealer.open(other) is not None] == []


@given(st.text())
def test_any_text_may_be_opened(text: str) -> None:
    """Made-up text gives None, and no error."""
    assert Sealer([NEW], "session").open(text) is None


def test_parts_of_two_do_not_fit() -> None:
    """Nonce, text and tag belong together."""
    sealer = Sealer([NEW], "session")
    first, second = sealer.seal(TEXT).split("."), sealer.seal(TEXT).split(".")
    for part in (1, 2, 3):
        mixed = [*first]
        mixed[part] = second[part]
        assert sealer.open(".".join(mixed)) is None


def test_nothing_is_sealed_alike_twice() -> None:
    """A nonce of its own hides that two texts are equal."""
    sealer = Sealer([NEW], "session")
    assert len({sealer.seal(TEXT) for _ in range(100)}) == 100


def test_each_purpose_has_its_own_key() -> None:
    """A sealed attempt is no session, and neither is another deployment's."""
    sealed = Sealer([NEW], "session here").seal(TEXT)
    assert Sealer([NEW], "attempt here").open(sealed) is None
    assert Sealer([NEW], "session there").open(sealed) is None
    assert Sealer([NEW], "session here").open(sealed) == TEXT


def test_compressed_and_plain_are_not_mistaken() -> None:
    """How it is read is not for the text to say: the header is authenticated and never sent."""
    for compress in (False, True):
        sealed = Sealer([NEW], "session", compress=compress).seal(TEXT)
        assert Sealer([NEW], "session", compress=not compress).open(sealed) is None


def test_secrets_rotate() -> None:
    """The first secret seals, all open, and what is sealed by one that is gone stays closed."""
    before, during, after = Sealer([OLD], "s"), Sealer([NEW, OLD], "s"), Sealer([NEW], "s")
    for salt in (b"", b"salt"):
        assert during.open(before.seal(TEXT, salt), salt) == TEXT
        assert after.open(during.seal(TEXT, salt), salt) == TEXT
        assert before.open(during.seal(TEXT, salt), salt) is None
        assert after.open(before.seal(TEXT, salt), salt) is None


def test_the_salt_is_needed() -> None:
    """Without it, or with another one, nothing opens."""
    sealer = Sealer([NEW], "session")
    sealed = sealer.seal(TEXT, b"right")
    assert [sealer.open(sealed, salt) for salt in (b"right", b"wrong", b"")] == [TEXT, None, None]
    assert sealer.open(sealer.seal(TEXT), b"right") is None


def test_compression_makes_it_small() -> None:
    """Claims, which repeat themselves, take less than half."""
    text = json.dumps([{"role": f"Operate.Role{number}"} for number in range(100)]).encode()
    assert len(Sealer([NEW], "s", compress=True).seal(text)) < len(Sealer([NEW], "s").seal(text)) / 2


def test_little_is_added() -> None:
    """Version, nonce and tag make 42 characters, and the header none."""
    assert len(Sealer([NEW], "session").seal(b"x" * 300)) == 400 + 42


def test_another_implementation_opens_it() -> None:
    """With its header before it, what is sealed is a JWE in compact form, by joserfc's reading too."""
    salt = b"salt"
    version, nonce, ciphertext, tag = Sealer([NEW], "session").seal(TEXT, salt).split(".")
    header = urlsafe_b64encode(b'{"alg":"dir","enc":"A256GCM"}').rstrip(b"=").decode()
    key = OctKey.import_key(derive_key(NEW.encode(), "camunda_entra session", salt))
    assert version == "1"
    assert jwe.decrypt_compact(f"{header}..{nonce}.{ciphertext}.{tag}", key).plaintext == TEXT


def test_keys_are_derived_as_the_rfc_says() -> None:
    """Test case 3 of RFC 5869, appendix A.3: neither salt nor info."""
    expected = "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
    assert derive_key(b"\x0b" * 22, "").hex() == expected


def test_derived_keys_differ() -> None:
    """Other secrets, purposes and salts give other keys."""
    keys = {
        derive_key(secret, purpose, salt)
        for secret in (b"a", b"b")
        for purpose in ("a", "b")
        for salt in (b"", b"a", b"b")
    }
    assert len(keys) == 12
    assert {len(key) for key in keys} == {32}


def test_more_than_anything_sealed_is_not_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is too long is neither decrypted nor looked through (CWE-400); what is as long as allowed, is."""
    sealer = Sealer([OLD, NEW], "session")
    room = MAX_SEALED - len(sealer.seal(b""))
    largest = sealer.seal(b"x" * (room * 3 // 4))
    assert MAX_SEALED - 2 <= len(largest) <= MAX_SEALED
    assert sealer.open(largest) is not None
    tried: list[bytes] = []
    monkeypatch.setattr("jose.jwe.decrypt", lambda token, _: tried.append(token))
    for size in (room * 3 // 4 + 2, 10 * room):
        assert sealer.open(sealer.seal(b"x" * size)) is None
    assert tried == []


def test_what_grows_beyond_measure_is_not_opened() -> None:
    """A few hundred bytes that decompress to megabytes are nothing, whoever sealed them (CWE-409)."""
    sealer = Sealer([NEW], "session", compress=True)
    sealed = sealer.seal(b"x" * 10_000_000)
    assert len(sealed) < MAX_SEALED
    assert sealer.open(sealed) is None


def test_the_largest_session_of_entras_is_opened() -> None:
    """Three tokens of 16 KiB each, which are the largest that are taken, without anything that compresses."""
    noise = "".join(Random(1).choices(ALPHABET, k=16 * 1024))
    claims = {"refresh": noise, "access": noise[::-1], "id": noise[5::2] + noise[6::2], "sid": noise[7:6000]}
    sealer = Sealer([NEW], "session", compress=True)
    sealed = sealer.seal(json.dumps(claims).encode())
    assert 50_000 < len(sealed) < MAX_SEALED
    assert sealer.open(sealed) == json.dumps(claims).encode()
