"""The Authorization header: whatever it holds, and the bearer token in it (RFC 6750, 2.1)."""

from typing import Final

from starlette.requests import HTTPConnection
from starlette.types import Scope

from camunda_entra_fastapi.errors import InvalidRequest, InvalidToken

USUAL_SCHEME: Final = b"Bearer "
_SCHEMES: Final = (b"bearer ", b"bearer")
"""In small letters; the second one is a header that ends there."""
_AROUND: Final = b" \t"
"""What may stand before and behind a header's value, and is no part of it (RFC 9110, 5.5)."""
_CONTROL_CHARACTERS: Final = bytes(range(0x20)) + b"\x7f"


def is_handshake(scope: Scope) -> bool:
    """Whether the headers are those of a WebSocket's handshake, which a gateway may show in a request."""
    return scope["type"] == "websocket" or any(name == b"sec-websocket-key" for name, _ in scope["headers"])


def read_credentials(request: HTTPConnection) -> bytes | None:
    """The value of the Authorization header, whatever its scheme; None without the header.

    Raises:
        InvalidRequest: There are several Authorization headers.
    """
    credentials = None
    for name, value in request.scope["headers"]:
        if name == b"authorization":
            if credentials is not None:
                raise InvalidRequest("authorization_repeated", _repeated(request))
            credentials = value
    return credentials


def _repeated(request: HTTPConnection) -> str:
    message = "The request has more than one Authorization header"
    if is_handshake(request.scope):
        message += ", or several tokens, of which one may be in Sec-WebSocket-Protocol"
    return f"{message}."


def parse_bearer_token(credentials: bytes) -> bytes | None:
    """The bearer token in the credentials, unverified; None for credentials of another scheme.

    Raises:
        InvalidRequest: They are of another scheme, and hold control characters.
        InvalidToken: They say Bearer, and no token follows.
    """
    credentials = credentials.strip(_AROUND)  # uvicorn with httptools leaves what stands behind
    if credentials[: len(USUAL_SCHEME)].lower() not in _SCHEMES:
        refuse_control_characters(credentials)
        return None
    token = credentials[len(USUAL_SCHEME) :].lstrip(b" ")
    if not token:
        raise InvalidToken("token_malformed", "The Authorization header says Bearer, but no token follows.")
    return token


def read_bearer_token(request: HTTPConnection) -> bytes | None:
    """The bearer token in the Authorization header, unverified; None without header or with another scheme.

    Raises:
        InvalidRequest: As ``read_credentials`` and ``parse_bearer_token`` do.
        InvalidToken: As ``parse_bearer_token`` does.
    """
    credentials = read_credentials(request)
    return None if credentials is None else parse_bearer_token(credentials)


def refuse_control_characters(text: bytes) -> None:
    """Refuse control characters such as line breaks: no valid header has any.

    Raises:
        InvalidRequest: The text holds one.
    """
    if len(text.translate(None, _CONTROL_CHARACTERS)) != len(text):
        raise InvalidRequest(
            "authorization_malformed", "The Authorization header holds control characters, such as tabs."
        )
