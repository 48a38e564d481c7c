"""Work is bounded by the length of the input: twice as long takes twice as much, whatever repeats in it."""

import asyncio
import json
from collections.abc import Callable
from typing import Any, Final

import httpx
import pytest
from hypothesis import strategies as st
from starlette.requests import Request

from camunda_entra_fastapi.cli.explain.explanation import explain_token
from camunda_entra_fastapi.downstream.claims_challenge import challenged_claims
from camunda_entra_fastapi.errors import EntraError
from camunda_entra_fastapi.remote.aadsts import explain, read_refusal
from camunda_entra_fastapi.remote.discovery import Provider, read_discovery
from camunda_entra_fastapi.remote.http import EntraHttp
from camunda_entra_fastapi.remote.token_endpoint import read_tokens
from camunda_entra_fastapi.sessions.cookie import CookieStore
from camunda_entra_fastapi.settings import EntraSettings
from camunda_entra_fastapi.sign_in.protocol import single_valued
from camunda_entra_fastapi.sign_in.return_to import ReturnHosts, safe_return_to
from camunda_entra_fastapi.sign_in.step_up import decode_claims
from camunda_entra_fastapi.validation.compact import parse, parse_object
from camunda_entra_fastapi.validation.entra import scopes_of
from camunda_entra_fastapi.validation.identity import parse_identity
from camunda_entra_fastapi.validation.keys import parse_keys
from camunda_entra_fastapi.web.cookies import Cookies
from camunda_entra_fastapi.web.credentials import parse_bearer_token
from camunda_entra_fastapi.web.forward_auth import VerifyOptions
from camunda_entra_fastapi.web.public_url import PublicUrl
from tests.fuzz.engine import Fuzzer
from tests.fuzz.growth import Work, check_growth, check_time, steps_of
from tests.fuzz.material import repeated
from tests.fuzz.test_stored import CLOCK, sealer
from tests.tokens import CLIENT_ID, ISSUER, NOW, TENANT

COOKIES: Final = Cookies("entra_session", None, PublicUrl(None))
UNITS: Final = (
    *(
        "a",
        " ",
        "\t",
        ".",
        "..",
        "=",
        "==",
        ",",
        ", ",
        ";",
        "; ",
        ":",
        "&",
        "&&",
        "a=",
        "a=&",
        "a=b&",
        "%",
        "%2",
        "%41",
    ),
    *(
        '"',
        '""',
        "'",
        "\\",
        '\\"',
        '="',
        'a="',
        'a="\\',
        "a =",
        "a = ",
        "/",
        "//",
        "/.",
        "/..",
        "?",
        "#",
        "@",
        "-",
        "_",
    ),
    *(
        "[",
        "]",
        "{",
        "}",
        '{"a":',
        '{"a":[',
        "[[",
        '"a",',
        '"a":1,',
        "1,",
        "0",
        "9",
        "eyJ",
        "e30",
        "e30.",
        "é",
        "\u2028",
    ),
    *(
        "Trace ID: ",
        "Trace ID:    ",
        "AADSTS",
        "AADSTS1",
        "0d2f4a9c-",
        "Bearer ",
        "bearer",
        "Bearer a=b,",
        "entra_session=",
    ),
    *("entra_session-1=a;", "scope=a&", "1.", "1:", "13:", "https://", "a@", "a.b.", "\\ud800", '\\u0000"'),
)
OPENINGS: Final = (
    "",
    "Bearer ",
    "Bearer a",
    '{"',
    '{"a":"',
    '{"keys":[',
    "/",
    "1.",
    "13:",
    "Authorization: Bearer ",
    '"',
)
CLOSINGS: Final = ("", "x", '"', "}", "]}", ".", "=", "\n")


def quietly(work: Callable[[str], Any], *allowed: type[Exception]) -> Work:
    """The work, whose documented errors are results like others."""

    expected: tuple[type[Exception], ...] = (EntraError, *allowed)

    def done(text: str) -> None:
        try:
            work(text)
        except expected:
            return

    return done


def loaded(text: str) -> dict[str, Any]:
    """The text as a document, if it is JSON."""
    value = json.loads(text)
    return value if isinstance(value, dict) else {"keys": value, "error": text}


def request_with(query: str = "", **headers: str) -> Request:
    """A request with these headers."""
    sent = [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]
    return Request(
        {
            "type": "http",
            "scheme": "http",
            "method": "GET",
            "path": "/",
            "headers": sent,
            "query_string": query.encode(),
        }
    )


def read_cookies(text: str) -> None:
    """Find the session and the attempts among the cookies, and read the session."""
    request = request_with(cookie=text)
    handle = COOKIES.session(request)
    COOKIES.attempts(request)
    if handle is not None:
        with asyncio.Runner() as runner:
            runner.run(CookieStore(sealer(), CLOCK.time).read(handle))


def read_answer(text: str) -> None:
    """Read a token endpoint's answer of that text, and a refusal with it as description."""
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=text.encode(errors="replace")))
    with asyncio.Runner() as runner:
        document = runner.run(EntraHttp(client=httpx.AsyncClient(transport=transport)).get_json(ISSUER))
    read_tokens(document, ISSUER)


WORKS: Final[dict[str, Work]] = {
    "tokens": quietly(lambda text: parse(text.encode(errors="replace"))),
    "payloads": quietly(lambda text: parse_object(text.encode(errors="replace"), "payload")),
    "bearer headers": quietly(lambda text: parse_bearer_token(text.encode(errors="replace"))),
    "scopes": quietly(lambda text: scopes_of({"scp": text})),
    "key sets": quietly(lambda text: parse_keys(loaded(text)), ValueError, RecursionError),
    "many keys": quietly(
        lambda text: parse_keys({"keys": [{"kty": "RSA", "kid": char} for char in text]}), ValueError
    ),
    "discovery documents": quietly(
        lambda text: read_discovery({"issuer": text, "jwks_uri": text}, Provider(text, ISSUER))
    ),
    "token answers": quietly(read_answer),
    "AADSTS texts": quietly(
        lambda text: explain(read_refusal({"error": text, "error_description": text, "claims": text}))
    ),
    "challenges": quietly(lambda text: challenged_claims([text])),
    "bearer challenges": quietly(lambda text: challenged_claims(["Bearer " + text])),
    "many challenges": quietly(
        lambda text: challenged_claims(["Bearer " + each for each in text.split(",")])
    ),
    "claims in addresses": quietly(decode_claims),
    "cookies": quietly(read_cookies),
    "return_to": quietly(lambda text: safe_return_to(text, "/auth", ReturnHosts(None, "apps.example.com"))),
    "callback parameters": quietly(lambda text: single_valued([(each, each) for each in text.split("&")])),
    "verify queries": quietly(lambda text: VerifyOptions().with_query(request_with(text))),
    "signed identities": quietly(parse_identity),
    "explanations": quietly(lambda text: explain_token(text, None, None, NOW).as_json()),
    "settings": quietly(
        lambda text: EntraSettings(
            type="AZUREAD",
            issuer=ISSUER,
            client_id=CLIENT_ID,
            audience=text,
            scopes=text,
            base_url=text,
            allowed_clients=text,
        )
    ),
    "settings of issuers": quietly(
        lambda text: EntraSettings(type=text, issuer=f"https://{text}", client_id=TENANT)
    ),
    "settings of stores": quietly(
        lambda text: EntraSettings(
            type="AZUREAD",
            issuer=ISSUER,
            client_id=CLIENT_ID,
            session_store=f"redis://{text}",
            session_lifetime=text,
        )
    ),
}


def test_growth(fuzzer: Fuzzer) -> None:
    """Lines of Python, memory and time: at most 2.6 times as much for twice the input."""

    def judge(shape: tuple[str, str, str, str]) -> float:
        name, opening, unit, closing = shape
        return check_growth(WORKS[name], lambda size: repeated(opening, unit, closing, size))

    units = st.lists(st.sampled_from(UNITS), min_size=1, max_size=3).map("".join)
    works, openings, closings = (st.sampled_from(tuple(each)) for each in (WORKS, OPENINGS, CLOSINGS))
    fuzzer.run(st.tuples(works, openings, units, closings), judge, slow=True)


@pytest.mark.parametrize("name", WORKS)
def test_no_repetition_takes_long(name: str) -> None:
    """Each unit of the table, by the processor time of up to 32 KiB, which sees work in C, too."""
    work = WORKS[name]
    for unit in UNITS:
        check_time(work, lambda size, unit=unit: repeated("", unit, "x", size))  # type: ignore[misc]


def test_quadratic_work_would_be_found() -> None:
    """The measures tell quadratic work, in Python and in a regular expression, from linear work."""
    import re

    def pairs(text: str) -> int:
        return sum(1 for one in text[::16] for other in text[::16] if one != other)

    pattern = re.compile("a*b")
    with pytest.raises(AssertionError, match="steps become"):
        check_growth(pairs, lambda size: repeated("", "a", "", size))
    with pytest.raises(AssertionError, match="seconds become"):
        check_time(pattern.findall, lambda size: repeated("", "a", "", size))
    with pytest.raises(AssertionError, match="bytes become"):
        check_growth(lambda text: bytearray(len(text) ** 2 // 512), lambda size: repeated("", "a", "", size))
    assert steps_of(str.split, "a b") == 0
