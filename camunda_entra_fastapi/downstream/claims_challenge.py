"""Claims challenges of APIs that were called: ``WWW-Authenticate`` (RFC 9110, 11.6.1), in one pass."""

import base64
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from camunda_entra_fastapi.untrusted_json import parse_object

MAX_HEADERS: Final = 16
"""Header lines of one answer that are looked at."""
MAX_CHALLENGE: Final = 16 * 1024
"""Characters of a header line; longer ones are passed over."""
MAX_CLAIMS: Final = 8 * 1024

_ITEM: Final = re.compile(
    r"""[\s,;]*+([!#$%&'*+./^_`|~0-9A-Za-z-]++)"""  # a scheme, or the name of a parameter
    r"""(?:\s*+=\s*+(?:"((?:[^"\\]|\\.)*+)"|([^\s,"]++)))?""",
    re.DOTALL,
)
"""Possessive, so that no character is looked at more than a few times, whatever an API sends."""


def challenged_claims(headers: Sequence[str]) -> str | None:
    """The claims that an API requires in a token, as JSON; None if it names none.

    See https://learn.microsoft.com/entra/identity-platform/claims-challenge.
    """
    for header in headers[:MAX_HEADERS]:
        if len(header) > MAX_CHALLENGE:
            continue
        for scheme, parameters in _challenges(header):
            if scheme == "bearer" and (claims := _claims(parameters)) is not None:
                return claims
    return None


def _challenges(header: str) -> Iterator[tuple[str, Mapping[str, str]]]:
    """The scheme of each challenge in small letters, and its parameters; up to the first that is none."""
    scheme, position = "", 0
    parameters: dict[str, str] = {}
    while (item := _ITEM.match(header, position)) is not None:
        name, quoted, plain = item.groups()
        if quoted is None and plain is None:
            yield scheme, parameters
            scheme, parameters = name.lower(), {}
        else:
            parameters[name.lower()] = quoted or plain or ""
        position = item.end()
    yield scheme, parameters


def _claims(parameters: Mapping[str, str]) -> str | None:
    encoded = parameters.get("claims", "")
    if parameters.get("error") != "insufficient_claims" or not 0 < len(encoded) <= MAX_CLAIMS:
        return None
    try:
        members = parse_object(base64.b64decode(encoded, validate=True))
    except ValueError:
        return None
    return None if members is None else json.dumps(members, separators=(",", ":"))
