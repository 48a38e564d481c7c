"""What an API's ``WWW-Authenticate`` may say, and how little it may cost to read it."""

import base64
import json
from typing import Any, Final

import httpx
import pytest

from camunda_entra_fastapi import CamundaEntra
from camunda_entra_fastapi.downstream.claims_challenge import MAX_CHALLENGE, MAX_HEADERS, challenged_claims
from camunda_entra_fastapi.untrusted_json import MAX_NESTING
from tests.downstream.conftest import SCOPE, grants
from tests.growth_of_work import FACTOR, LIMIT, growth_of
from tests.site import Wire

CLAIMS: Final = {"access_token": {"acrs": {"essential": True, "value": "c1"}}}
CAPABILITY: Final = {"xms_cc": {"values": ["cp1"]}}


def encoded(text: str) -> str:
    """Claims as a challenge has them."""
    return base64.b64encode(text.encode()).decode()


ENCODED: Final = encoded(json.dumps(CLAIMS))
WANTED: Final = f'error="insufficient_claims", claims="{ENCODED}"'


async def asked_for(entra: CamundaEntra, wire: Wire, *headers: str) -> Any:
    """The claims that Entra is asked for after an API refused a token with those header lines."""
    auth = entra.client_credentials(SCOPE)
    old = await auth.token()
    challenges = [(b"WWW-Authenticate", each.encode()) for each in headers]

    def answer(request: httpx.Request) -> httpx.Response:
        is_old = old in request.headers["Authorization"]
        return httpx.Response(401, headers=challenges) if is_old else httpx.Response(200)

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer), auth=auth) as client:
        await client.get("https://api.example.com/")
    return json.loads(grants(wire)[1]["claims"])["access_token"]


@pytest.mark.parametrize(
    "headers",
    [
        [f"Bearer {WANTED}"],
        [f"bearer  Error = insufficient_claims ,, CLAIMS\t=\t{ENCODED}"],
        [f'Bearer realm="", error="insufficient_claims" claims="{ENCODED}"'],
        [f"Negotiate, Bearer {WANTED}"],
        [f"Negotiate YWJj/+==, Bearer {WANTED}"],
        [f'Digest realm="a, Bearer b", nonce="x", Bearer {WANTED}'],
        [f'Bearer error_description="say \\"no\\", please", {WANTED}'],
        [f'Bearer {WANTED}, Basic realm="x", error="invalid_token", claims="e30="'],
        ['Basic realm="x"', 'Bearer error="invalid_token"', f"Bearer {WANTED}"],
        ["x" * (MAX_CHALLENGE + 1), f"Bearer {WANTED}"],
        ['Bearer realm="never closed', f"Bearer {WANTED}"],
        [f'Bearer authorization_uri=https://login.windows.net/x; resource_id="y"; {WANTED}'],
    ],
)
async def test_claims_are_found_wherever_the_grammar_allows_them(
    entra: CamundaEntra, wire: Wire, headers: list[str]
) -> None:
    """RFC 9110, 11.6.1: in any header line, in any of its challenges; also where commas are missing."""
    assert await asked_for(entra, wire, *headers) == CAPABILITY | CLAIMS["access_token"]


@pytest.mark.parametrize(
    "headers",
    [
        [f"Basic {WANTED}"],
        [f'Bearer error="invalid_token", Basic {WANTED}'],
        [f'Bearer error="insufficient_claims", Digest claims="{ENCODED}"'],
        [f'error="insufficient_claims", claims="{ENCODED}"'],
        [f'Bearer realm="never closed, {WANTED}'.replace('"insufficient', "insufficient")],
        [f"Bearer {WANTED}{' ' * MAX_CHALLENGE}"],
        ["Basic"] * MAX_HEADERS + [f"Bearer {WANTED}"],
        ['Bearer error="insufficient_claims", claims="ä"'],
        [f'Bearer error="insufficient_claims", claims="{encoded("[" * 2000)}"'],
        [f'Bearer error="insufficient_claims", claims="{encoded(chr(123) + chr(34) + "x" * 8000)}"'],
    ],
)
async def test_nothing_else_is_taken_for_claims(entra: CamundaEntra, wire: Wire, headers: list[str]) -> None:
    """Another challenge's parameters, what is too long or too many, and what is not well-formed."""
    assert await asked_for(entra, wire, *headers) == CAPABILITY


@pytest.mark.parametrize("depth", [MAX_NESTING, MAX_NESTING + 1, 300, 900, 1400])
async def test_nested_claims_are_bounded_before_they_are_handed_on(
    entra: CamundaEntra, wire: Wire, depth: int
) -> None:
    """What passes is read again deeper in the stack, so that its nesting has a limit of its own (CWE-674)."""
    nested = '{"a":' * (depth - 2) + "[]" + "}" * (depth - 2)
    text = f'{{"access_token":{nested}}}'
    asked = await asked_for(entra, wire, f'Bearer error="insufficient_claims", claims="{encoded(text)}"')
    assert asked == (CAPABILITY | json.loads(nested) if depth <= MAX_NESTING else CAPABILITY)


@pytest.mark.parametrize(
    "piece",
    ["a", " ", "a ", "a=", 'a="', "a=b,", 'a="\\', '\\"', ",", "Bearer ", "=", "a\t", 'a="b" ', "é", "+/="],
)
@pytest.mark.parametrize(
    ("beginning", "end"), [("Bearer ", ""), ('Bearer a="', ""), ("a", "="), ("", "\x00")]
)
def test_reading_takes_one_pass(beginning: str, piece: str, end: str) -> None:
    """Work grows as the header does, whatever is repeated in it (CWE-1333)."""
    size = MAX_CHALLENGE // FACTOR - 16

    def read(length: int) -> None:
        assert challenged_claims([beginning + piece * (length // len(piece)) + end]) is None

    assert growth_of(read, size) < LIMIT
