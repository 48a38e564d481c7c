"""Inputs: valid material with something changed in it, odd values, and texts that repeat themselves."""

import json
from collections.abc import Sequence
from random import Random
from typing import Any, Final

from hypothesis import strategies as st

from tests.tokens import ABSENT, CALLER, CLIENT_ID, ISSUER, NOW, OTHER_TENANT, PERSONAL_TENANT, TENANT

RAW: Final = "raw JSON: "
"""Begins a text that is written into JSON as it stands, without quotes."""
RAW_NUMBERS: Final = ("1e400", "-1e400", "NaN", "Infinity", "1E2", "-0", "1.0", "0.1e1", "9" * 400, "1e-400")

Mutation = tuple[str, int, int, bytes]

_KINDS: Final = ("replace", "insert", "delete", "double", "swap", "cut", "repeat")
_PLACES: Final = 1 << 16
SNIPPETS: Final = (
    *(
        b"",
        b"\x00",
        b"\t",
        b"\r",
        b"\n",
        b" ",
        b".",
        b"..",
        b"=",
        b"==",
        b"&",
        b";",
        b",",
        b":",
        b"%",
        b"%00",
    ),
    *(b'"', b"\\", b'\\"', b"'", b"/", b"//", b"\\\\", b"?", b"#", b"@", b"[", b"]", b"{", b"}", b"<", b">"),
    *(b"+", b"-", b"_", b"~", b"*", b"null", b"true", b"0", b"1e400", b"NaN", b"{}", b"[[", b"\xef\xbb\xbf"),
    *(b"\xff", b"\x80", b"\xc0\xae", b"\xed\xa0\x80", "é".encode(), "\u2028".encode(), "😀".encode()),
    *(b"\\ud800", b"%0d%0a", b"%252f", b"__Host-", b"Bearer ", b"bearer  ", b"https://evil.example"),
)


def mutate(valid: bytes, mutations: Sequence[Mutation]) -> bytes:
    """The material after these changes; places are shares of its length, so that they shrink well."""
    data = bytearray(valid)
    for kind, place, length, snippet in mutations:
        start = place * len(data) // _PLACES
        end = min(len(data), start + length)
        match kind:
            case "replace":
                data[start : start + len(snippet)] = snippet
            case "insert":
                data[start:start] = snippet
            case "delete":
                del data[start:end]
            case "double":
                data[start:start] = data[start:end]
            case "swap":
                data[start:end] = data[start:end][::-1]
            case "cut":
                del data[start:]
            case _:
                data[start:start] = snippet * length
    return bytes(data)


_mutation = st.tuples(
    st.sampled_from(_KINDS),
    st.integers(0, _PLACES - 1),
    st.integers(1, 40),
    st.one_of(st.sampled_from(SNIPPETS), st.binary(min_size=1, max_size=4)),
)


def mutated(*valid: bytes) -> st.SearchStrategy[bytes]:
    """One of the valid ones, with up to six changes or none."""
    some = st.sampled_from(valid)
    return st.one_of(some, st.builds(mutate, some, st.lists(_mutation, min_size=1, max_size=6)))


def mutated_text(*valid: str) -> st.SearchStrategy[str]:
    """The same for texts."""
    return mutated(*(text.encode() for text in valid)).map(as_text)


def random_mutations(valid: bytes, random: Random) -> bytes:
    """The material after some random changes."""
    changes = [
        (
            random.choice(_KINDS),
            random.randrange(_PLACES),
            random.randint(1, 40),
            random.choice(SNIPPETS) if random.random() < 0.7 else random.randbytes(random.randint(1, 4)),
        )
        for _ in range(random.choice((1, 1, 1, 2, 3, 5)))
    ]
    return mutate(valid, changes)


def as_text(data: bytes) -> str:
    """The text in UTF-8, or else in Latin-1."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def header_value(data: bytes) -> bytes:
    """The bytes as a header's value, as far as servers let them pass: no line ends, no NUL."""
    return data.translate(None, b"\r\n\x00").strip(b" \t")


_texts = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        (
            *("", " ", "x" * 300, "\x00", "\u202e", "é", "\ud800", "eyJ", "true", "0", "1", "app", "user"),
            *(CLIENT_ID, CALLER, TENANT, TENANT.upper(), OTHER_TENANT, PERSONAL_TENANT, ISSUER, ISSUER + "/"),
            *(
                "https://graph.microsoft.com",
                "{tenantid}",
                "RS256",
                "none",
                "HS256",
                "../..",
                "//evil.example",
            ),
        )
    ),
    st.sampled_from(RAW_NUMBERS).map(RAW.__add__),
)
_leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.sampled_from(
        [NOW + seconds for seconds in (-3600, -119, -61, -60, -59, -1, 0, 1, 59, 60, 61, 119, 3600)]
    ),
    st.floats(allow_nan=False, allow_infinity=False),
    _texts,
)
json_values = st.recursive(
    _leaves,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_texts, inner, max_size=3)),
    max_leaves=8,
)
"""Any JSON value, the odd ones often."""


def changed(document: dict[str, Any], *names: str) -> st.SearchStrategy[dict[str, Any]]:
    """The document with members changed, left out or added."""
    named = st.sampled_from((*document, *names))
    changes = st.dictionaries(
        st.one_of(named, named, _texts), st.one_of(json_values, st.just(ABSENT)), max_size=3
    )
    return changes.map(lambda each: {k: v for k, v in (document | each).items() if v is not ABSENT})


def written(document: object) -> bytes:
    """The document as JSON, with ``RAW`` texts as they stand."""
    text = json.dumps(document)
    for raw in RAW_NUMBERS:
        text = text.replace(f'"{RAW}{raw}"', raw)
    return text.encode()


def json_bodies(*documents: dict[str, Any], names: Sequence[str] = ()) -> st.SearchStrategy[bytes]:
    """Bodies of responses: the documents with members changed, or with bytes changed, or something else."""
    return st.one_of(
        *(changed(document, *names).map(written) for document in documents),
        mutated(*(json.dumps(document).encode() for document in documents)),
        json_values.map(written),
    )


def repeated(opening: str, unit: str, closing: str, size: int) -> str:
    """A text of about that size: its opening, the unit again and again, and its closing."""
    return opening + unit * max(1, (size - len(opening) - len(closing)) // len(unit)) + closing
