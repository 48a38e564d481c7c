"""Rightly signed tokens with odd claims, headers and spellings: our decisions beside those of three peers."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from hypothesis import strategies as st

from camunda_entra_fastapi.errors import EntraError
from camunda_entra_fastapi.validation.compact import parse
from camunda_entra_fastapi.validation.keys import parse_keys
from camunda_entra_fastapi.validation.verifier import verify_access_token
from tests.fuzz.disagreements import RULES, TIMES, Facts, Rule
from tests.fuzz.engine import Fuzzer
from tests.fuzz.material import RAW, changed, written
from tests.fuzz.peers import PEERS, accepts
from tests.tokens import (
    ABSENT,
    CLIENT_ID,
    HEADER,
    ISSUER,
    NOW,
    OTHER_TENANT,
    TENANT,
    jwk,
    part,
    signed,
    user_claims,
)
from tests.validation.conftest import POLICY

KEYS: Final = parse_keys({"keys": [jwk()]})
ONE_AUDIENCE: Final = replace(POLICY, audiences=frozenset({CLIENT_ID}))
"""The policy that peers can be told as well."""
GOOD: Final = dict(HEADER)
LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

ODD_TIMES: Final = (
    *(
        True,
        False,
        None,
        "",
        "1760000000",
        str(NOW + 50),
        [],
        {},
        -1,
        -0.5,
        0,
        1e300,
        2**63,
        10**400,
        NOW + 0.5,
    ),
    *(NOW - 60, NOW - 61, NOW - 59.5, NOW - 60.5, NOW + 60, NOW + 61, NOW + 59.5, NOW + 60.5, ABSENT),
    *(RAW + raw for raw in ("1e400", "-1e400", "NaN", "Infinity", "-0", "1E2")),
)
ODD_CLAIMS: Final[dict[str, tuple[Any, ...]]] = {
    **dict.fromkeys(TIMES, ODD_TIMES),
    "aud": (
        *(
            [CLIENT_ID],
            [CLIENT_ID, "x"],
            [CLIENT_ID, 1],
            [CLIENT_ID, ""],
            [CLIENT_ID, None],
            [[CLIENT_ID]],
            [],
            "",
        ),
        *(None, {}, {CLIENT_ID: 1}, 1, True, CLIENT_ID.upper(), CLIENT_ID + " ", f"x{CLIENT_ID}x", ABSENT),
    ),
    "iss": (
        *(ISSUER + "/", ISSUER.upper(), ISSUER[:-1], ISSUER + " ", ISSUER.replace("https", "http")),
        *([ISSUER], {ISSUER: 1}, None, 1, "", True, ABSENT),
    ),
    "sub": ("", None, 1, [], {}, True, ["a"], ABSENT),
    "tid": ("", "x", OTHER_TENANT, TENANT.upper(), 1, None, [TENANT], ABSENT),
    "jti": ("", 1, None, [], "x"),
    "cnf": ("", {}, {"jkt": "x"}, None),
    "scp": ("", " ", ABSENT, ["Incidents.Read"]),
    "zz": (*(RAW + raw for raw in ("NaN", "Infinity", "1e400", "1e-400")), "\ud800", "\u2028", 10**400),
}
ODD_HEADERS: Final[dict[str, tuple[Any, ...]]] = {
    "typ": (1, None, [], "jwt", "at+jwt", "", ABSENT),
    "alg": ("rs256", "RS256 ", "none", "None", None, ["RS256"], "RS512", "PS256", "HS256", "", ABSENT),
    "kid": ("x", "", 1, None, [], "a" * 300, "Current-Key", ABSENT),
    "crit": ([], ["exp"], ["b64"], "x", None),
    "b64": (True, False),
    "jwk": (jwk(), {}),
    **dict.fromkeys(("jku", "x5u"), ("https://evil.example",)),
    "x5c": ([], ["MIIC"]),
    "x5t": ("x", 1),
    "enc": ("A256GCM", None),
    "zip": ("DEF",),
    "zz": (RAW + "NaN", RAW + "1e400", {"a": [1]}),
    "cty": ("JWT", 1),
}


def decided(text: str) -> str:
    """Our decision: ``accepted``, or the code of the refusal."""
    try:
        token = parse(text.encode(errors="replace"))
        key = KEYS.find(token.key_id)
        if key is None:
            return "key_unknown"
        verify_access_token(token, key, ONE_AUDIENCE, NOW)
    except EntraError as error:
        return error.code
    return "accepted"


def rules_of(text: str) -> list[tuple[Rule, str]]:
    """The rule, and the peer, of each disagreement about this token.

    Raises:
        AssertionError: No rule names one of them.
    """
    ours, facts = decided(text), Facts.of(text)
    found = []
    for peer in PEERS:
        if accepts(peer, text) != (ours == "accepted"):
            named = [
                rule for rule in RULES if peer in rule.peers and ours in rule.ours and rule.applies(facts)
            ]
            assert named, f"{peer} decides otherwise than {ours}, and no rule says why: {facts}"
            found += [(rule, peer) for rule in named]
    return found


def odd_texts() -> Iterator[str]:
    """Texts of JSON that readers differ about, and spellings that decoders differ about."""
    claims, header = json.dumps(user_claims()), json.dumps(GOOD)
    open_claims = claims[:-1]
    for payload in (
        *(claims.replace('{"aud"', '{"aud": "x", "aud"'), open_claims + ', "aud": "x"}', f"\ufeff{claims}"),
        *(
            open_claims + ', "zz": {"a": 1, "a": 2}}',
            open_claims + r', "zz": 1, "\u007az": 2}',
            f" \n{claims}\r\n\t",
        ),
        *(open_claims + ', "zz": ' + "[" * depth + "]" * depth + "}" for depth in (60, 66, 600)),
        *(
            claims + "x",
            claims + claims,
            f"[{claims}]",
            json.dumps(claims),
            "null",
            "",
            claims + "\0",
            "\x0c" + claims,
        ),
        *(
            claims.replace('"', "'"),
            open_claims + ",}",
            open_claims + "/**/}",
            open_claims + ', "zz": "a\tb"}',
        ),
        *(
            claims.replace(str(NOW + 3600), number)
            for number in ("1.8E9", f"0{NOW + 3600}", f"+{NOW + 3600}")
        ),
        *(
            claims.encode("utf-16"),
            claims.encode("utf-16-le"),
            (open_claims + ', "zz": "é"}').encode("latin-1"),
        ),
        *(open_claims + ', "zz": ' + "9" * 5000 + "}", open_claims + f', "zz": "{"a" * 20_000}"}}'),
    ):
        yield signed(part(GOOD), part(payload))
    for odd in (f"\ufeff{header}", f" {header}\n", header[:-1] + ', "alg": "none"}', header.encode("utf-16")):
        yield signed(part(odd), part(claims))
    head, body, signature = signed(part(GOOD), part(claims)).split(".")
    other = LETTERS[LETTERS.index(signature[-1]) ^ 1]
    for spelled in (
        *(
            signature + "=",
            signature + "==",
            signature + " ",
            signature + "\n",
            signature[:-1] + other,
            signature[:-4],
        ),
        *(
            signature.replace("-", "+").replace("_", "/"),
            "",
            signature + ".",
            signature + ".x",
            signature + "=x",
        ),
        *(signature[:9] + each + signature[9:] for each in (" ", "\n", "!", "é", "*", "=")),
    ):
        yield f"{head}.{body}.{spelled}"
    yield from (
        f" {head}.{body}.{signature}",
        f".{head}.{body}.{signature}",
        f"{head}..{body}.{signature}",
        "..",
        "",
    )
    for length in range(3):
        spelled = part(user_claims(zz="a" * length))
        yield signed(head, spelled + "=" * (-len(spelled) % 4))
        yield signed(head, spelled[:-1] + LETTERS[LETTERS.index(spelled[-1]) ^ 1])
    for letter in (" ", "\n", "!", "*", "\0", "+"):
        yield signed(head, body[:8] + letter + body[8:])
        yield signed(head[:8] + letter + head[8:], body)


def odd_tokens() -> Iterator[str]:
    """Each oddity of the tables alone."""
    for name, values in ODD_CLAIMS.items():
        for value in values:
            yield signed(part(GOOD), part(written(user_claims(**{name: value}))))
    for name, values in ODD_HEADERS.items():
        for value in values:
            members = {key: each for key, each in (GOOD | {name: value}).items() if each is not ABSENT}
            yield signed(part(written(members)), part(user_claims()))
    yield signed(part(GOOD), part(user_claims(scp=ABSENT, azp=ABSENT)))
    yield signed(part(GOOD), part(user_claims(scp=ABSENT, name=ABSENT, preferred_username=ABSENT)))
    yield from odd_texts()


def test_every_disagreement_has_a_rule_and_every_rule_a_disagreement() -> None:
    """Over the tables: no decision differs without a rule, and no rule, for no peer, is there for nothing."""
    used, unnamed = set(), []
    for text in odd_tokens():
        try:
            used |= {(rule.name, peer) for rule, peer in rules_of(text)}
        except AssertionError as error:
            unnamed.append(str(error)[:700])
    assert not unnamed
    assert used == {(rule.name, peer) for rule in RULES for peer in rule.peers}


def test_what_is_good_is_good_to_all() -> None:
    """A token as Entra issues it is accepted by everybody: the peers are told the right things."""
    text = signed(part(GOOD), part(user_claims()))
    assert decided(text) == "accepted"
    assert all(accepts(peer, text) for peer in PEERS)


def test_disagreements(fuzzer: Fuzzer) -> None:
    """Over combinations of oddities, and values nobody thought of: no decision differs without a rule."""
    odd_claims = st.sampled_from([(name, value) for name, values in ODD_CLAIMS.items() for value in values])
    odd_headers = st.sampled_from([(name, value) for name, values in ODD_HEADERS.items() for value in values])
    combined = st.lists(odd_claims, max_size=3).map(lambda pairs: user_claims(**dict(pairs)))
    claims = st.one_of(combined, combined, changed(user_claims(), "jti", "cnf", "tid", "roles"))
    headers = st.one_of(st.just([]), st.just([]), st.lists(odd_headers, max_size=2)).map(
        lambda pairs: {name: value for name, value in (GOOD | dict(pairs)).items() if value is not ABSENT}
    )
    texts = st.sampled_from(tuple(odd_texts()))
    tokens = st.builds(
        lambda header, body: signed(part(written(header)), part(written(body))), headers, claims
    )
    fuzzer.run(st.one_of(tokens, tokens, tokens, texts), rules_of_any)


def rules_of_any(text: str) -> int:
    """How many disagreements there are, all of them named."""
    return len(rules_of(text))
