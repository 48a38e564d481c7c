"""From text to an unverified token: size, three parts, canonical base64url, header (JWS compact form).

An unverified token has no claims to read. ``UnverifiedToken.verified_claims`` returns them:
it takes the key and verifies the signature first.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Protocol

from pydantic import ConfigDict, TypeAdapter
from pydantic_core import from_json

from camunda_entra_fastapi.errors import InvalidToken, quoted
from camunda_entra_fastapi.untrusted_json import MAX_NESTING, is_deeper

MAX_TOKEN_BYTES: Final = 16 * 1024
"""Entra's access tokens stay far below; 200 groups and 30 roles make about 11 KiB."""

MAX_KEY_ID_CHARACTERS: Final = 256

CODES_OF_UNREADABLE_TOKENS: Final = frozenset(
    {"token_malformed", "token_encrypted", "algorithm_not_allowed", "header_not_allowed", "key_missing"}
)
"""The codes with which ``parse`` refuses tokens that it did not decode as a whole, but for too large ones."""

# Members that bring a key, or change how the rest is read (RFC 7515, 4.1;
# RFC 7797). Entra sends none of them, and a verifier that follows one lets the sender choose the key.
_FORBIDDEN_MEMBERS: Final = frozenset({"jwk", "jku", "x5u", "x5c", "crit", "b64"})

_decode_json_bytes: Final = TypeAdapter(
    bytes, config=ConfigDict(val_json_bytes="base64")
).validator.validate_json
_SURROGATE_ESCAPES: Final = (b"\\ud", b"\\uD")


_TEXTS: Final = frozenset({str})


class VerifyingKey(Protocol):
    """A key that verifies signatures."""

    def verifies(self, signing_input: bytes, signature: bytes) -> bool:
        """Whether the signature was made over the input with the key's private half."""


@dataclass(slots=True, repr=False)
class UnverifiedToken:
    """A well-formed token whose signature is not verified yet. It has no claims, on purpose.

    Properties make it read-only: a frozen dataclass takes four times as long to construct.
    """

    _key_id: str
    _graph_nonce: bool
    _signing_input: bytes
    _signature: bytes
    _payload: bytes

    @property
    def key_id(self) -> str:
        """The ID of the key in the header."""
        return self._key_id

    @property
    def graph_nonce(self) -> bool:
        """Whether the header has a ``nonce``, as tokens have that only Microsoft Graph can verify."""
        return self._graph_nonce

    def __repr__(self) -> str:
        return f"UnverifiedToken(key_id={self._key_id!r}, graph_nonce={self._graph_nonce})"

    def verified_claims(self, key: VerifyingKey) -> dict[str, Any]:
        """The claims, after the signature is verified (RFC 7515, 5.2).

        Raises:
            InvalidToken: The signature does not fit, or the payload is not a JSON object.
        """
        if not key.verifies(self._signing_input, self._signature):
            if self._graph_nonce:
                raise InvalidToken(
                    "graph_token",
                    "The token was issued for Microsoft Graph, which alone can verify it. "
                    "Request a token for this API instead, with the scope <client ID of this API>/.default.",
                )
            raise InvalidToken("signature_invalid", "The token's signature does not fit its content.")
        return parse_object(self._payload, "payload")


def parse(token: str | bytes) -> UnverifiedToken:
    """Parse a token in compact form (RFC 7515, 7.1).

    Raises:
        InvalidToken: The token is too large, is not a signed JSON Web Token, is not signed with
            RS256, or has a header that is not allowed.
    """
    if len(token) > MAX_TOKEN_BYTES:
        raise InvalidToken("token_too_large", f"The token is larger than {MAX_TOKEN_BYTES} bytes.")
    if not token.isascii():
        raise _malformed("holds characters that a token cannot have")
    if isinstance(token, str):
        token = token.encode()
    signing_input, _, signature_part = token.rpartition(b".")
    header_part, dot, payload_part = signing_input.partition(b".")
    if not dot or b"." in payload_part:
        if token.count(b".") == 4:  # noqa: PLR2004 - RFC 7516, 9: five parts make a JWE
            raise InvalidToken(
                "token_encrypted", "The token is encrypted (JWE); this API expects a signed one."
            )
        raise _malformed("does not consist of three parts separated by dots")
    key_id, graph_nonce = _read_header(header_part)
    return UnverifiedToken(
        key_id,
        graph_nonce,
        signing_input,
        decode(signature_part, "signature"),
        decode(payload_part, "payload"),
    )


@lru_cache(maxsize=64)  # all tokens that one key signed begin with the same header
def _read_header(part: bytes) -> tuple[str, bool]:
    """The key ID of an allowed header, and whether it has a nonce (RFC 8725, 3.1 and 3.10).

    An allowed header says RS256, and has no member that brings a key or changes how the token is read.
    """
    # Not "header": whoever sent the token has just written one of HTTP.
    header = parse_object(decode(part, "first part"), "first part")
    if "enc" in header:
        raise InvalidToken("token_encrypted", "The token is encrypted (JWE); this API expects a signed one.")
    algorithm = header.get("alg")
    if algorithm != "RS256":
        raise InvalidToken(
            "algorithm_not_allowed",
            f"The token's algorithm is {quoted(algorithm)}; Entra signs with RS256, the only one accepted.",
        )
    if forbidden := sorted(_FORBIDDEN_MEMBERS & header.keys()):
        raise InvalidToken(
            "header_not_allowed",
            f"The token's header has {', '.join(forbidden)}; "
            "keys come from Entra alone, and extensions are not supported.",
        )
    key_id = header.get("kid")
    if key_id is None:
        raise InvalidToken("key_missing", "The token's header has no kid, so its key cannot be found.")
    if not isinstance(key_id, str) or not 0 < len(key_id) <= MAX_KEY_ID_CHARACTERS:
        raise _malformed(f"has a kid that is not a text of 1 to {MAX_KEY_ID_CHARACTERS} characters")
    return key_id, "nonce" in header


def decode(part: bytes, name: str) -> bytes:
    """Decode strict base64url (RFC 7515, 2): no padding, no foreign characters, no bits left over.

    The standard library's decoder skips unknown characters, so that one token could be written
    in many ways. Pydantic's refuses all spellings but one, and takes a quarter of the time. It also
    reads the other alphabet, which is refused first, and padding and JSON escapes, which the length
    reveals: both take more characters than the bytes they stand for.
    """
    try:
        if part.find(b"+") >= 0 or part.find(b"/") >= 0:  # "in" takes ten times as long
            raise ValueError
        data: bytes = _decode_json_bytes(b'"%b"' % part)
        if len(data) != len(part) * 3 // 4:
            raise ValueError
    except ValueError:
        raise _malformed(f"has a {name} that is not canonical base64url") from None
    return data


def parse_object(data: bytes, name: str) -> dict[str, Any]:
    """A JSON object in UTF-8 whose member names are unique (RFC 7515, 4; RFC 7519, 4)."""
    value = _read_plain(data)
    return _read_any(data, name) if value is None else value


def _read_plain(data: bytes) -> dict[str, Any] | None:
    """A fast parser for the JSON of Entra's tokens; None where the strict parser must decide.

    It takes half the time. Pydantic's parser keeps the last of two members with one name. Counting proves
    that there are none: each text in the data has at least two quotes, and all of them are in the result.
    """
    try:
        value = from_json(data, allow_inf_nan=False)
        if type(value) is dict and 2 * (len(value) + _count_texts(value.values(), 1)) == data.count(b'"'):
            return value
    except ValueError:
        pass
    return None


def _count_texts(values: Iterable[Any], depth: int) -> int:
    """The number of texts, including names of members.

    Raises:
        ValueError: The values are nested too deeply.
    """
    if depth >= MAX_NESTING:
        raise ValueError
    count = 0
    for value in values:
        kind = type(value)
        if kind is str:
            count += 1
        elif kind is list:
            texts = _TEXTS.issuperset(map(type, value))
            count += len(value) if texts else _count_texts(value, depth + 1)
        elif kind is dict:
            count += len(value) + _count_texts(value.values(), depth + 1)
    return count


def _read_any(data: bytes, name: str) -> dict[str, Any]:
    try:
        value = _STRICT_JSON.decode(data.decode("utf-8"))
        if b"\\" in data and any(escape in data for escape in _SURROGATE_ESCAPES):
            # A lone surrogate passes JSON and fails later, when the text is encoded.
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except RecursionError:  # how deep the parser goes depends on Python's version
        raise _too_deep(name) from None
    except ValueError:
        raise _malformed(f"has a {name} that is not well-formed JSON in UTF-8") from None
    if not isinstance(value, dict):
        raise _malformed(f"has a {name} that is not a JSON object")
    if data.count(b"{") + data.count(b"[") > MAX_NESTING and is_deeper(value, MAX_NESTING):
        raise _too_deep(name)
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError
    return members


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


_STRICT_JSON: Final = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse_constant)


def _too_deep(name: str) -> InvalidToken:
    return _malformed(f"has a {name} that is nested more than {MAX_NESTING} deep")


def _malformed(problem: str) -> InvalidToken:
    return InvalidToken("token_malformed", f"This is not a token that Entra issues: it {problem}.")
