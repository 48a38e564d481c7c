"""Parameters of a request: each once, none empty, and the body bounded."""

from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request

from camunda_entra_fastapi.testing.protocol.aadsts import AadstsError

MAX_BODY_BYTES: Final = 64 * 1024


def unique(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The parameters by name; an empty one counts as left out (RFC 6749, 3.1).

    Raises:
        AadstsError: 9000411, a parameter is repeated.
    """
    found: dict[str, str] = {}
    for name, value in pairs:
        if name in found:
            raise AadstsError(9000411, "invalid_request", f"The parameter '{name}' is there more than once.")
        if value:
            found[name] = value
    return found


def query_of(request: Request) -> dict[str, str]:
    """The parameters of the query."""
    return unique(request.query_params.multi_items())


async def query_and_form_of(request: Request) -> dict[str, str]:
    """The parameters of the query and, in a POST request, of the form.

    Raises:
        AadstsError: Those of ``form_of``.
    """
    return query_of(request) | (await form_of(request) if request.method == "POST" else {})


async def form_of(request: Request) -> dict[str, str]:
    """The parameters of a form.

    Raises:
        AadstsError: 9002313, the body is too large or not a form.
    """
    try:
        body = await read_body(request)
    except ValueError as error:
        raise AadstsError(9002313, "invalid_request", str(error)) from None
    try:
        return unique(parse_qsl(body.decode("utf-8"), keep_blank_values=True))
    except ValueError:
        raise AadstsError(9002313, "invalid_request", "The body is not a form in UTF-8.") from None


async def read_body(request: Request) -> bytes:
    """The body of a request, up to ``MAX_BODY_BYTES``.

    Raises:
        ValueError: It is larger, or the client hung up in the middle of it.
    """
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                raise ValueError(f"The body is larger than {MAX_BODY_BYTES} bytes.")
    except ClientDisconnect:  # nobody will see the response
        raise ValueError("The client hung up in the middle of the body.") from None
    return bytes(body)


def required(parameters: Mapping[str, str], name: str) -> str:
    """The value of a required parameter.

    Raises:
        AadstsError: 900144, it is missing.
    """
    value = parameters.get(name)
    if value is None:
        raise AadstsError(900144, "invalid_request", f"The request must have the parameter '{name}'.")
    return value
