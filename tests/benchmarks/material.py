"""The material of the benchmark: one key, and many tokens of Entra's form, signed before the clock starts."""

import base64
import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from tests.tokens import CALLER, CLIENT_ID, ISSUER, TENANT, base64url, jwk, part, private_key, signed

KEY_ID: Final = "k3yThumbprint27charsBase64u"
"""As long as Entra's, which are SHA-1 thumbprints."""

HOUR: Final = 3600
GROUPS: Final = 200
"""How many groups a tenant has: most of those that a token lists, others list, too."""


@dataclass(frozen=True, slots=True)
class Supply:
    """Tokens for one contender, handed out in turn, and again from the first when all were used."""

    tokens: tuple[str, ...]
    _turn: Iterator[str]

    @classmethod
    def of(cls, tokens: tuple[str, ...]) -> "Supply":
        """A supply that begins with the first token."""
        return cls(tokens, cycle(tokens))

    def take(self, count: int) -> list[str]:
        """The next tokens; no two are the same as long as ``count`` is no more than there are."""
        return list(islice(self._turn, count))


@dataclass(frozen=True, slots=True)
class Material:
    """The key, and tokens of each kind: good ones, and those that are refused for one reason each."""

    public_jwk: dict[str, Any]
    public_key: RSAPublicKey
    good: tuple[str, ...]
    expired: tuple[str, ...]
    forged: tuple[str, ...]
    garbage: tuple[str, ...]
    too_large: tuple[str, ...]
    of_unknown_keys: tuple[str, ...]


def mint(count: int) -> Material:
    """``count`` good tokens, all different, and a tenth as many of each other kind."""
    few = max(count // 10, 2)
    # Reproducible, so that two runs validate tokens of the same content; nothing here is secret.
    chance = random.Random(2048)
    now = int(time.time())
    pool = [_guid(chance) for _ in range(GROUPS)]
    good = tuple(_sign(_claims(chance, pool, issued=now - 300)) for _ in range(count))
    return Material(
        public_jwk=jwk(KEY_ID, issuer=ISSUER),
        public_key=private_key(KEY_ID).public_key(),
        good=good,
        expired=tuple(_sign(_claims(chance, pool, issued=now - 3 * HOUR)) for _ in range(few)),
        forged=tuple(_exchange_signature(good[turn], good[turn - 1]) for turn in range(few)),
        garbage=tuple(_scramble(chance, good[turn]) for turn in range(few)),
        too_large=tuple(good[turn] + "A" * 16 * 1024 for turn in range(few)),
        of_unknown_keys=tuple(_with_unknown_key(chance, good[turn]) for turn in range(few)),
    )


def more_valid(number: int, count: int) -> tuple[str, ...]:
    """``count`` more good tokens, others for each number."""
    chance = random.Random(f"more {number}")
    pool = [_guid(chance) for _ in range(GROUPS)]
    return tuple(_sign(_claims(chance, pool, issued=int(time.time()) - 300)) for _ in range(count))


def split(token: str) -> tuple[bytes, bytes]:
    """Signature and signed text of a token, as the bare check needs them."""
    signed_text, _, signature = token.rpartition(".")
    return base64.urlsafe_b64decode(signature + "=="), signed_text.encode()


def _sign(claims: dict[str, Any]) -> str:
    header = {"typ": "JWT", "alg": "RS256", "kid": KEY_ID}
    return signed(part(_compact(header)), part(_compact(claims)), KEY_ID)


def _claims(chance: random.Random, pool: list[str], *, issued: int) -> dict[str, Any]:
    """A person's version 2.0 access token, its members in Entra's order (Learn: access token claims)."""
    return {
        "aud": CLIENT_ID,
        "iss": ISSUER,
        "iat": issued,
        "nbf": issued,
        "exp": issued + HOUR + HOUR // 4,
        "aio": _opaque(chance, 66),
        "azp": CALLER,
        "azpacr": "1",
        "groups": chance.sample(pool, 10),
        "name": "Ada Example",
        "oid": _guid(chance),
        "preferred_username": "ada@contoso.example",
        "rh": f"1.{_opaque(chance, 33)}.",
        "roles": ["Operate.Admin", "Incidents.Read.All"],
        "scp": "Incidents.Read access_as_user",
        "sub": _opaque(chance, 32),
        "tid": TENANT,
        "uti": _opaque(chance, 16),
        "ver": "2.0",
    }


def _exchange_signature(token: str, other: str) -> str:
    return f"{token.rpartition('.')[0]}.{other.rpartition('.')[2]}"


def _with_unknown_key(chance: random.Random, token: str) -> str:
    header = {"typ": "JWT", "alg": "RS256", "kid": _opaque(chance, 20)}
    return f"{part(_compact(header))}.{token.partition('.')[2]}"


def _scramble(chance: random.Random, token: str) -> str:
    """Three parts as long as the token's that decode, to bytes that mean nothing."""
    return ".".join(_opaque(chance, len(part) * 3 // 4) for part in token.split("."))


def _compact(value: dict[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"))


def _opaque(chance: random.Random, size: int) -> str:
    return base64url(chance.randbytes(size))


def _guid(chance: random.Random) -> str:
    text = chance.randbytes(16).hex()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-8{text[17:20]}-{text[20:]}"
