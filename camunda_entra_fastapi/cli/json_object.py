"""Parsing JSON that should be an object."""

import json
from typing import Any


def parse_object(text: str | bytes) -> dict[str, Any] | None:
    """The members of a JSON object; None for anything else."""
    try:
        members = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return members if isinstance(members, dict) else None
