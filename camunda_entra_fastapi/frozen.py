"""Lists and dicts that cannot be changed, yet are lists and dicts to JSON, pydantic and ``==``.

One user object serves every request that brings the same token. What one handler could append
to ``user.roles``, all later ones would find there.
"""

from typing import Any, NoReturn


def _refuse(*_: object, **__: object) -> NoReturn:
    raise TypeError("A user from a token cannot be changed; make a copy with list(...) or dict(...).")


_CONTAINERS = (dict, list)


class FrozenList(list[Any]):
    """A list whose items stay as they are."""

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
    """A dict whose members stay as they are."""

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
    """The JSON value with every list and object in it made unchangeable."""
    if isinstance(value, dict):
        nested = {name: freeze(member) for name, member in value.items() if isinstance(member, _CONTAINERS)}
        return FrozenDict(value | nested) if nested else FrozenDict(value)
    if isinstance(value, list):
        # Most lists hold texts alone; looking is cheaper than rebuilding them.
        return FrozenList(
            map(freeze, value) if any(isinstance(item, _CONTAINERS) for item in value) else value
        )
    return value
