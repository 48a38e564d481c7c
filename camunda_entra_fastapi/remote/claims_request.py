"""The ``claims`` parameter (OpenID Connect Core 1.0, 5.5; Learn: claims challenges, CAE)."""

import json
from typing import Any, Final

CAPABILITY: Final = {"xms_cc": {"values": ["cp1"]}}
"""Declares that this client understands claims challenges (Learn: continuous access evaluation)."""


def claims_parameter(claims: str | None) -> str:
    """The parameter: the requested claims, as JSON, and this client's capability for claims challenges."""
    requested: dict[str, Any] = {} if claims is None else json.loads(claims)
    access_token = requested.get("access_token")
    requested["access_token"] = {**CAPABILITY, **(access_token if isinstance(access_token, dict) else {})}
    return json.dumps(requested, separators=(",", ":"))
