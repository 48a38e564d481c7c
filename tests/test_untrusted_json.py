"""JSON from outside: however deep somebody nests it, nobody's stack runs out (CWE-674)."""

import base64
import json
from collections.abc import Callable
from typing import Final

import httpx
import pytest

from camunda_entra_fastapi.errors import FetchFailed
from camunda_entra_fastapi.remote.aadsts import read_refusal
from camunda_entra_fastapi.remote.claims_request import claims_parameter
from camunda_entra_fastapi.remote.http import EntraHttp
from camunda_entra_fastapi.sessions.store import unpack
from camunda_entra_fastapi.sign_in.step_up import decode_claims
from camunda_entra_fastapi.untrusted_json import MAX_NESTING, is_deeper, parse_json, parse_object

DEPTHS: Final = (MAX_NESTING + 1, 300, 600, 900, 1_400, 100_000)
"""From the first that is too deep over those that ``json.loads`` passes here and fails there."""


def nested(depth: int) -> str:
    """An object with as many levels as that, lists and objects in turn."""
    return "".join('{"a":' if level % 2 == 0 else "[" for level in range(depth - 1)) + "{}" + closed(depth)


def closed(depth: int) -> str:
    """The other ends."""
    return "".join("}" if level % 2 == 0 else "]" for level in reversed(range(depth - 1)))


def in_a_deep_stack(work: Callable[[], object], frames: int) -> object:
    """The same where little stack is left, as in a request."""
    return work() if not frames else in_a_deep_stack(work, frames - 1)


def test_what_is_nested_no_deeper_is_read() -> None:
    """RFC 8259, 9: a parser may limit the depth."""
    for depth in range(1, MAX_NESTING + 1):
        text = nested(depth)
        assert parse_json(text) == parse_json(text.encode()) == json.loads(text)
        assert parse_object(text) == json.loads(text)
    assert parse_json("[1, [], {}]") == [1, [], {}]
    assert parse_json("null") is None


@pytest.mark.parametrize("depth", DEPTHS)
def test_what_is_nested_deeper_is_no_json(depth: int) -> None:
    """As what is malformed, with the same error."""
    with pytest.raises(ValueError, match="nested"):
        parse_json(nested(depth))
    assert parse_object(nested(depth)) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "1", '"x"', "null", "\udc80"])
def test_what_is_no_object_has_no_members(text: str) -> None:
    """Callers need not tell one from the other."""
    assert parse_object(text) is None


def test_breadth_is_no_depth() -> None:
    """Side by side there may be as many as there is room for."""
    assert len(parse_json("[" + "[[]]," * 1000 + "{}]")) == 1001


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_levels_are_counted_from_the_value_itself(limit: int) -> None:
    """A text has none, an empty list has one."""
    values: list[object] = ["x", [], [{}], {"a": [{}]}]
    assert [is_deeper(value, limit) for value in values] == [levels > limit for levels in range(4)]


@pytest.mark.parametrize("depth", DEPTHS)
async def test_a_document_of_entras_that_is_nested_too_deeply_is_none(depth: int) -> None:
    """Discovery, key sets and token responses are read in one place."""
    text = nested(depth)
    transport = httpx.MockTransport(lambda request: httpx.Response(int(request.url.path[1:]), text=text))
    async with httpx.AsyncClient(transport=transport) as client:
        http = EntraHttp(client=client)
        with pytest.raises(FetchFailed, match="answered with something that is not JSON"):
            await http.get_json("https://login.example/200")
        with pytest.raises(FetchFailed, match="answered with something that is not JSON"):
            await http.post_form("https://login.example/400", {})
        with pytest.raises(FetchFailed, match="answered with status 500") as failure:
            await http.get_json("https://login.example/500")
    assert failure.value.refusal is None


@pytest.mark.parametrize("depth", [1, MAX_NESTING, *DEPTHS])
def test_claims_that_entra_wants_are_handed_on_or_left_out(depth: int) -> None:
    """What is kept can be read again where less of the stack is left."""
    text = nested(depth)
    kept = read_refusal({"error": "interaction_required", "claims": text}).claims
    assert kept == (text if depth <= MAX_NESTING else None)
    in_a_deep_stack(lambda: claims_parameter(kept), 400)


@pytest.mark.parametrize("depth", [1, MAX_NESTING, *DEPTHS[:3]])
def test_claims_in_a_link_to_sign_in_are_bounded(depth: int) -> None:
    """Anybody can write such a link."""
    link = base64.urlsafe_b64encode(nested(depth).encode()).decode().rstrip("=")
    claims = decode_claims(link)
    assert (claims is not None) == (depth <= MAX_NESTING)
    in_a_deep_stack(lambda: decode_claims(link), 400)


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_session_that_is_nested_too_deeply_is_none(depth: int) -> None:
    """Sealed by whoever has the secret; nobody else gets so far."""
    fields = '"",0,0,0,null,"",null,null'
    assert unpack(f'[2,"id",{nested(MAX_NESTING)},null,false,{fields}]'.encode()) is not None
    assert unpack(f'[2,"id",{nested(depth)},null,false,{fields}]'.encode()) is None


@pytest.mark.parametrize("link", ["a", "äöü", "W10", "bm8", "", "A" * 2049])
def test_what_is_no_link_with_claims_has_none(link: str) -> None:
    """Neither base64url (RFC 4648, 5) nor, in it, a JSON object."""
    assert decode_claims(link) is None
