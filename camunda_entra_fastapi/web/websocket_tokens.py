"""Access tokens among the subprotocols of a WebSocket's handshake, where a browser's script can put them.

A script can set no header of a handshake but ``Sec-WebSocket-Protocol``. Nothing sends such a token by
itself, as browsers do with cookies, so it proves the page's intent, and no Origin need be looked at.
"""

import base64
import binascii
import re
from collections.abc import Iterable
from typing import Any, Final

from starlette.types import Scope

from camunda_entra_fastapi.validation.compact import MAX_TOKEN_BYTES

_PROTOCOLS: Final = b"sec-websocket-protocol"
_KUBERNETES: Final = b"base64url.bearer.authorization.k8s.io."
"""What Kubernetes' API reads: the token follows in base64url once more, without padding."""
_PREFIXES: Final = (b"authorization.bearer.", b"bearer.")
"""Microsoft's SDK for Azure AI projects writes the first; the token follows as it is."""
_ALONE: Final = b"bearer"
"""The protocol after this one is the token."""
_VISIBLE: Final = re.compile(rb"[!-~]+")


def has_token(scope: Scope) -> bool:
    """Whether a token is among the subprotocols."""
    return bool(_separate(_offered(scope))[1])


def move_token(scope: Scope) -> None:
    """Let the tokens among the subprotocols be Authorization headers, so that all who read it find them.

    They are gone from the subprotocols, so that nobody can choose one, which would send it back. Besides
    another Authorization header they make two, which are refused (RFC 6750, 2: one method in each request).
    """
    others, tokens = _separate(_offered(scope))
    if not tokens:
        return
    headers = [(name, value) for name, value in scope["headers"] if name != _PROTOCOLS]
    if others:
        headers.append((_PROTOCOLS, b", ".join(others)))
    headers.extend((b"authorization", b"Bearer " + token) for token in tokens)
    _replace(scope, "headers", headers)
    _replace(scope, "subprotocols", [protocol.decode("latin-1") for protocol in others])


def _offered(scope: Scope) -> list[bytes]:
    """The subprotocols; several headers are like one with all of their values (RFC 6455, 11.3.4)."""
    values = b",".join(value for name, value in scope["headers"] if name == _PROTOCOLS)
    return [protocol for each in values.split(b",") if (protocol := each.strip(b" \t"))]


def _separate(offered: Iterable[bytes]) -> tuple[list[bytes], list[bytes]]:
    """The subprotocols that are none of a token's, and the tokens."""
    others: list[bytes] = []
    tokens: list[bytes] = []
    is_next = False
    for protocol in offered:
        if is_next:
            is_next = False
            tokens.append(protocol)
        elif (token := _token_in(protocol)) is not None:
            tokens.append(token)
        else:
            is_next = protocol.lower() == _ALONE
            others.append(protocol)
    return others, tokens


def _token_in(protocol: bytes) -> bytes | None:
    """The token in a subprotocol; None for one of the application's own."""
    lowered = protocol[: len(_KUBERNETES)].lower()
    if lowered == _KUBERNETES:
        return _decoded(protocol[len(_KUBERNETES) :])
    for prefix in _PREFIXES:
        if lowered.startswith(prefix):
            return protocol[len(prefix) :]
    return None


def _decoded(encoded: bytes) -> bytes:
    """The token; what cannot be decoded stays as it is, and is refused like all that is no token."""
    if len(encoded) > 2 * MAX_TOKEN_BYTES:
        return encoded
    try:
        token = base64.b64decode(encoded + b"=" * (-len(encoded) % 4), b"-_", validate=True)
    except binascii.Error:
        return encoded
    return token if _VISIBLE.fullmatch(token) else encoded


def _replace(scope: Scope, key: str, values: list[Any]) -> None:
    """Replace a list of the scope for those, too, who hold it already."""
    known = scope.get(key)
    if isinstance(known, list):
        known[:] = values
    else:
        scope[key] = values
