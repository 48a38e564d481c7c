"""Parameters of a request: each once, bounded, and none that is empty."""

from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request

from camunda_entra_fastapi.testing.protocol.aadsts import Aadsts

MAX_BODY_BYTES: Final = 64 * 1024


def single(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The parameters by name; an empty one counts as left out (RFC 6749, 3.1).

    Raises:
        Aadsts: 9000411, one is there twice.
    """
    found: dict[str, str] = {}
    for name, value in pairs:
        if name in found:
            raise Aadsts(9000411, "invalid_request", f"The parameter '{name}' is there more than once.")
        if value:
            found[name] = value
    return found


def query_of(request: Request) -> dict[str, str]:
    """The parameters of the query."""
    return single(request.query_params.multi_items())


async def form_of(request: Request) -> dict[str, str]:
    """The parameters of a form.

    Raises:
        Aadsts: 9002313, the body is too large or not a form.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise Aadsts(9002313, "invalid_request", f"The body is larger than {MAX_BODY_BYTES} bytes.")
    try:
        return single(parse_qsl(body.decode("utf-8"), keep_blank_values=True))
    except ValueError:
        raise Aadsts(9002313, "invalid_request", "The body is not a form in UTF-8.") from None


def need(parameters: Mapping[str, str], name: str) -> str:
    """A parameter that must be there.

    Raises:
        Aadsts: 900144.
    """
    value = parameters.get(name)
    if value is None:
        raise Aadsts(900144, "invalid_request", f"The request must have the parameter '{name}'.")
    return value
