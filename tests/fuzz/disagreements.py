"""Where we and other libraries decide differently about a rightly signed token, and why ours is right."""

import base64
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tests.fuzz.peers import LEEWAY
from tests.tokens import NOW, TENANT

EVERYBODY: Final = ("joserfc", "PyJWT", "Authlib")
TIMES: Final = ("exp", "nbf", "iat")
_YEAR_10000: Final = 253_402_300_800
_REGISTERED: Final = frozenset({"alg", "kid"})


@dataclass
class Facts:
    """A token, read as leniently as can be, by nobody's code but this."""

    text: str
    header: Mapping[str, Any] = field(default_factory=dict)
    claims: Mapping[str, Any] = field(default_factory=dict)
    marks: set[str] = field(default_factory=set)
    """What its JSON and its base64url have that is odd."""

    @classmethod
    def of(cls, text: str) -> "Facts":
        """Read what can be read of a token."""
        facts = cls(text)
        parts = text.split(".")
        for part in parts:
            if base64.urlsafe_b64encode(_decoded(part)).decode().rstrip("=") != part:
                facts.marks.add("spelling")
        if len(parts) == 3:
            facts.header, facts.claims = facts._read(parts[0]), facts._read(parts[1])
        return facts

    def _read(self, part: str) -> Mapping[str, Any]:
        data = _decoded(part)

        def pairs(members: list[tuple[str, Any]]) -> dict[str, Any]:
            if len(dict(members)) != len(members):
                self.marks.add("twice")
            return dict(members)

        def constant(_: str) -> float:
            self.marks.add("constant")
            return float("nan")

        try:
            encoding = json.detect_encoding(data)
            if encoding != "utf-8":
                self.marks.add("encoding")
            text = data.decode(encoding, "surrogatepass")
            value = json.loads(text, object_pairs_hook=pairs, parse_constant=constant)
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            self.marks.add("surrogate")
        except (ValueError, RecursionError):
            return {}
        if _depth(value) > 64:
            self.marks.add("depth")
        return value if isinstance(value, dict) else {}


def _decoded(part: str) -> bytes:
    kept = re.sub("[^A-Za-z0-9_-]", "", part.replace("+", "-").replace("/", "_"))
    return base64.urlsafe_b64decode(kept[: len(kept) - (len(kept) % 4 == 1)] + "==")


def _depth(value: object) -> int:
    depth, level = 0, [value]
    while level := [each for each in level if isinstance(each, dict | list)]:
        depth += 1
        level = [one for each in level for one in (each.values() if isinstance(each, dict) else each)]
    return depth


@dataclass(frozen=True)
class Rule:
    """A reason to decide otherwise than these peers; ``ours`` are our decisions, by their codes."""

    name: str
    peers: tuple[str, ...]
    ours: tuple[str, ...]
    applies: Callable[[Facts], bool]
    source: str


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _times(facts: Facts) -> list[Any]:
    return [facts.claims.get(name) for name in TIMES]


def _marked(mark: str) -> Callable[[Facts], bool]:
    return lambda facts: mark in facts.marks


def _has(*names: str) -> Callable[[Facts], bool]:
    return lambda facts: bool(set(names) & facts.header.keys())


REFUSED: Final = (
    Rule(
        "a time is a number",
        ("PyJWT",),
        ("claim_malformed",),
        lambda facts: any(isinstance(value, str | bool) for value in _times(facts)),
        "RFC 7519, 2: NumericDate is a JSON numeric value; PyJWT makes a number of texts and of true",
    ),
    Rule(
        "a time is one that can be",
        EVERYBODY,
        ("claim_malformed",),
        lambda facts: any(_number(value) and not 0 <= value < _YEAR_10000 for value in _times(facts)),
        "RFC 7519, 2: seconds since 1970, of dates as RFC 3339, 5.6 has them, with four digits for a year",
    ),
    Rule(
        "not on or after exp",
        ("Authlib",),
        ("token_expired",),
        lambda facts: facts.claims.get("exp") == NOW - LEEWAY,
        "RFC 7519, 4.1.4: on or after which the token must not be accepted; Authlib takes the very second",
    ),
    Rule(
        "times have fractions",
        ("PyJWT",),
        ("token_not_yet_valid", "accepted"),
        lambda facts: any(isinstance(value, float) for value in _times(facts)),
        "RFC 7519, 2: non-integer values can be represented; PyJWT cuts them to whole seconds",
    ),
    Rule(
        "each audience is a text",
        EVERYBODY,
        ("claim_malformed",),
        lambda facts: not all(isinstance(one, str) and one for one in _audiences(facts)),
        "RFC 7519, 4.1.3: an array of case-sensitive strings, each a StringOrURI",
    ),
    Rule(
        "the subject is a text",
        ("PyJWT", "Authlib"),
        ("claim_malformed",),
        lambda facts: not isinstance(facts.claims.get("sub"), str) or not facts.claims["sub"],
        "RFC 7519, 4.1.2: a StringOrURI; an empty one names nobody",
    ),
    Rule(
        "the tenant is ours",
        EVERYBODY,
        ("tenant_mismatch",),
        lambda facts: str(facts.claims.get("tid")).lower() != TENANT,
        "Learn, Secure applications and APIs by validating claims: tid; peers know no tenants",
    ),
    Rule(
        "a bound token is no bearer token",
        EVERYBODY,
        ("bound_token",),
        lambda facts: facts.claims.get("cnf") is not None,
        "RFC 7800, 3.1: the presenter must prove possession of the key, which nobody checks here",
    ),
    Rule(
        "an access token has permissions",
        EVERYBODY,
        ("person_without_permissions", "app_without_permissions", "id_token"),
        lambda facts: not isinstance(facts.claims.get("scp"), str) or not facts.claims["scp"].strip(),
        "Learn, Access tokens: check scp or roles; peers leave that to whoever calls them",
    ),
    Rule(
        "extensions are refused",
        EVERYBODY,
        ("header_not_allowed",),
        _has("crit", "b64"),
        "RFC 7515, 4.1.11: what crit names must be understood, never empty; RFC 7797, 6: b64 is in crit",
    ),
    Rule(
        "keys come from the tenant",
        EVERYBODY,
        ("header_not_allowed",),
        _has("jwk", "jku", "x5u", "x5c"),
        "RFC 8725, 3.10: received claims are not to be trusted; a header's key lets senders choose the key",
    ),
    Rule(
        "the key is named",
        EVERYBODY,
        ("key_missing",),
        lambda facts: facts.header.get("kid") is None,
        "Learn, Access tokens: the kid says which key; peers try the only one",
    ),
    Rule(
        "the key is the named one",
        ("PyJWT",),
        ("key_unknown", "token_malformed"),
        lambda facts: facts.header.get("kid") != "current-key",
        "RFC 7515, 4.1.4: kid indicates which key was used; PyJWT is handed a key and looks no further",
    ),
    Rule(
        "a header with enc is a JWE's",
        ("PyJWT", "Authlib"),
        ("token_encrypted",),
        _has("enc"),
        "RFC 7516, 9: a JWE is told from a JWS by its enc",
    ),
    Rule(
        "names are unique",
        EVERYBODY,
        ("token_malformed",),
        _marked("twice"),
        "RFC 7515, 4 and RFC 7519, 4: names must be unique; one reader takes the first and another the last",
    ),
    Rule(
        "NaN and Infinity are no JSON",
        EVERYBODY,
        ("token_malformed",),
        _marked("constant"),
        "RFC 8259, 6: numeric values that cannot be represented in the grammar are not permitted",
    ),
    Rule(
        "JSON is UTF-8 without a mark",
        ("joserfc", "PyJWT"),
        ("token_malformed",),
        _marked("encoding"),
        "RFC 8259, 8.1 and RFC 7519, 7.2: UTF-8, and no byte order mark; Python's reader guesses",
    ),
    Rule(
        "texts are Unicode",
        EVERYBODY,
        ("token_malformed",),
        _marked("surrogate"),
        "RFC 8259, 8.2: half a surrogate pair is no character, and no UTF-8 can hold it",
    ),
    Rule(
        "nesting has an end",
        EVERYBODY,
        ("token_malformed",),
        _marked("depth"),
        "RFC 8259, 9: an implementation may limit the depth of nesting; CWE-674",
    ),
    Rule(
        "one token has one spelling",
        ("PyJWT", "Authlib"),
        ("token_malformed",),
        _marked("spelling"),
        "RFC 7515, 2: base64url without padding; RFC 4648, 3.3, 3.5: no other characters or leftover bits",
    ),
    Rule(
        "a token has a size",
        EVERYBODY,
        ("token_too_large",),
        lambda facts: len(facts.text) > 16 * 1024,
        "CWE-770: an input has a bound before it is read",
    ),
)

ACCEPTED: Final = (
    Rule(
        "1970 is a time",
        ("Authlib",),
        ("accepted",),
        lambda facts: any(_number(value) and value == 0 for value in _times(facts)),
        "RFC 7519, 2: 0 is a NumericDate; Authlib takes it for a claim that is not there",
    ),
    Rule(
        "jti is nobody's concern",
        ("joserfc", "PyJWT"),
        ("accepted",),
        lambda facts: (
            "jti" in facts.claims and not (isinstance(facts.claims["jti"], str) and facts.claims["jti"])
        ),
        "RFC 7519, 4.1.7: jti is optional, and nothing is decided by it here",
    ),
    Rule(
        "unknown headers are ignored",
        ("joserfc",),
        ("accepted",),
        lambda facts: any(
            name not in _REGISTERED and (name != "typ" or not isinstance(facts.header[name], str))
            for name in facts.header
        ),
        "RFC 7515, 4: parameters not understood must be ignored; joserfc refuses them, or their form",
    ),
)

RULES: Final = REFUSED + ACCEPTED


def _audiences(facts: Facts) -> list[Any]:
    audience = facts.claims.get("aud")
    return audience if isinstance(audience, list) else [audience]
