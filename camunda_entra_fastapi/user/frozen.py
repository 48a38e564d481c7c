"""Read-only lists and dicts, which are lists and dicts to JSON, pydantic and ``==``.

One user object serves every request with the same token. If a handler could append to ``user.roles``,
all later requests would have that role.
"""

from typing import Any, NoReturn


def _refuse(*_: object, **__: object) -> NoReturn:
    raise TypeError("A user from a token cannot be changed; make a copy with list(...) or dict(...).")


_CONTAINERS = (dict, list)
_TEXTS = frozenset({str})


class FrozenList(list[Any]):
    """A read-only list."""

    __slots__ = ()

    append = extend = insert = remove = pop = clear = sort = reverse = _refuse
    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse

    def __copy__(self) -> "FrozenList":
        return self

    def __deepcopy__(self, memo: object) -> "FrozenList":
        return self

    def __reduce__(self) -> tuple[type, tuple[list[Any]]]:
        return FrozenList, (list(self),)


class FrozenDict(dict[str, Any]):
    """A read-only dict."""

    __slots__ = ()

    pop = popitem = clear = update = setdefault = _refuse
    __setitem__ = __delitem__ = __ior__ = _refuse

    def __copy__(self) -> "FrozenDict":
        return self

    def __deepcopy__(self, memo: object) -> "FrozenDict":
        return self

    def __reduce__(self) -> tuple[type, tuple[dict[str, Any]]]:
        return FrozenDict, (dict(self),)


def freeze(value: Any) -> Any:
    """The JSON value, with every list and object in it read-only."""
    if isinstance(value, dict):
        frozen = FrozenDict(value)
        for name, member in value.items():
            # Nearly all members are texts, and this runs for each claim of each new token.
            if type(member) is not str and isinstance(member, _CONTAINERS):
                dict.__setitem__(frozen, name, freeze(member))
        return frozen
    if isinstance(value, list):
        # Most lists hold texts alone; checking is cheaper than copying them item by item.
        return FrozenList(value if _TEXTS.issuperset(map(type, value)) else map(freeze, value))
    return value
