"""JSON from outside: bounded in its nesting, so that whoever walks through it later needs little stack."""

import json
from typing import Any, Final

MAX_NESTING: Final = 64
"""Levels of objects and lists. Entra's documents have five; some hundreds exhaust the stack."""


def parse_json(text: str | bytes, max_nesting: int = MAX_NESTING) -> Any:
    """The value of a JSON text. Parsers may limit its depth (RFC 8259, 9).

    Raises:
        ValueError: It is no JSON, or is nested too deeply.
    """
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError("The JSON is nested too deeply.") from None
    if is_deeper(value, max_nesting):
        raise ValueError(f"The JSON is nested more than {max_nesting} deep.")
    return value


def parse_object(text: str | bytes) -> dict[str, Any] | None:
    """The members of a JSON object; None for anything else, and for one that is nested too deeply."""
    try:
        members = parse_json(text)
    except ValueError:
        return None
    return members if isinstance(members, dict) else None


def is_deeper(value: object, limit: int) -> bool:
    """Whether a value has more levels of objects and lists than that; without recursion."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(limit):
        inner = (node.values() if isinstance(node, dict) else node for node in level)
        level = [node for nodes in inner for node in nodes if isinstance(node, dict | list)]
    return bool(level)
