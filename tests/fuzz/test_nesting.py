"""JSON nested as deep as there is room for: read or refused, and no RecursionError on the way."""

import asyncio
import base64
import json
from collections.abc import Callable
from typing import Any, Final

import httpx
from hypothesis import strategies as st

from camunda_entra_fastapi.cli.explain.explanation import explain_token
from camunda_entra_fastapi.downstream.claims_challenge import challenged_claims
from camunda_entra_fastapi.errors import EntraError
from camunda_entra_fastapi.remote.aadsts import read_refusal
from camunda_entra_fastapi.remote.claims_request import claims_parameter
from camunda_entra_fastapi.remote.http import EntraHttp
from camunda_entra_fastapi.remote.token_endpoint import read_tokens
from camunda_entra_fastapi.sign_in.step_up import decode_claims
from camunda_entra_fastapi.validation.compact import parse, parse_object
from camunda_entra_fastapi.validation.identity import parse_identity
from camunda_entra_fastapi.validation.keys import parse_keys
from tests.fuzz.engine import Fuzzer
from tests.tokens import HEADER, ISSUER, NOW, part

DEEPEST: Final = 2_500
"""Levels; Python's own limit is at about 1,000."""


def challenged(data: bytes) -> None:
    """Read the claims of a challenge, and ask for them."""
    text = base64.b64encode(data).decode()
    claims = challenged_claims([f'Bearer error="insufficient_claims", claims="{text}"'])
    if claims is not None:
        claims_parameter(claims)


def in_address(data: bytes) -> None:
    """Read the claims of the login page's address, and ask for them."""
    claims = decode_claims(base64.urlsafe_b64encode(data).decode())
    if claims is not None:
        claims_parameter(claims)


def refused(data: bytes) -> None:
    """Read the claims of a refusal of Entra's, and ask for them."""
    claims = read_refusal({"error": "interaction_required", "claims": data.decode()}).claims
    if claims is not None:
        claims_parameter(claims)


def fetched(data: bytes) -> None:
    """Read a document of Entra's, of each kind."""
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=data))
    with asyncio.Runner() as runner:
        document = runner.run(EntraHttp(client=httpx.AsyncClient(transport=transport)).get_json(ISSUER))
    read_tokens(document, ISSUER)


def explained(data: bytes) -> None:
    """Explain a token whose claims, and header, are nested, and print it as JSON."""
    for text in (f"{part(dict(HEADER))}.{part(data)}.AAAA", f"{part(data)}.{part(data)}.AAAA", data.decode()):
        json.dumps(explain_token(text, None, None, NOW).as_json())


READERS: Final[dict[str, Callable[[bytes], Any]]] = {
    "payload": lambda data: parse_object(data, "payload"),
    "header": lambda data: parse(f"{part(data)}.e30.AAAA"),
    "identity": lambda data: parse_identity(f"{part(data)}.e30.AAAA"),
    "challenge": challenged,
    "address": in_address,
    "refusal": refused,
    "document": fetched,
    "key set": lambda data: parse_keys({"keys": [data.decode()]}),
    "explanation": explained,
}


def test_nesting(fuzzer: Fuzzer) -> None:
    """However deep objects and lists are in each other, no reader runs out of stack."""

    def judge(drawn: tuple[str, int, str, str, int]) -> None:
        name, depth, opening, closing, frames = drawn
        data = ('{"a":' + opening * depth + "1" + closing * depth + "}").encode()
        below(frames, lambda: read(name, data))

    shapes = st.sampled_from((("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")))
    depths = st.one_of(st.integers(50, 1_100), st.integers(1, DEEPEST))
    inputs = st.builds(
        lambda name, depth, shape, frames: (name, depth, *shape, frames),
        st.sampled_from(tuple(READERS)),
        depths,
        shapes,
        st.sampled_from((0, 0, 100)),
    )
    fuzzer.run(inputs, judge)


def read(name: str, data: bytes) -> None:
    """Read it; documented errors are answers like others."""
    try:
        READERS[name](data)
    except (EntraError, ValueError):
        return


def below(frames: int, work: Callable[[], None]) -> None:
    """Work with so many frames above it, as below frameworks and middleware."""
    if frames:
        below(frames - 1, work)
    else:
        work()
