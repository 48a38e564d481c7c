"""Step-up: signing in again with claims that a route or another service requires (claims challenges)."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

from camunda_entra_fastapi.untrusted_json import parse_object

MAX_CLAIMS: Final = 2048
"""Characters of encoded claims in the login page's address."""
STEP_UP_LIFETIME: Final = 60
"""Seconds after a step-up in which the same one is not asked for again: it would change nothing."""


def encode_claims(claims: Mapping[str, Any]) -> str:
    """The claims, encoded for the login page's address."""
    text = json.dumps(claims, separators=(",", ":"), sort_keys=True)
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_claims(text: str) -> str | None:
    """The claims as JSON; None for text that ``encode_claims`` does not write."""
    if not 0 < len(text) <= MAX_CLAIMS:
        return None
    try:
        claims = parse_object(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except ValueError:
        return None
    return None if claims is None else json.dumps(claims, separators=(",", ":"), sort_keys=True)


def digest_of_claims(encoded: str) -> str:
    """A short digest of encoded claims."""
    return sha256(encoded.encode()).hexdigest()[:16]
