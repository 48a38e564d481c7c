"""What objects of the package hold: the number of entries of every container, and the bytes of an entry."""

import gc
import sys
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import _lru_cache_wrapper
from types import FunctionType, MappingProxyType
from typing import Any, Final

PACKAGE: Final = "camunda_entra_fastapi"
LEFT_OUT: Final = (f"{PACKAGE}.testing", f"{PACKAGE}.cli")
"""What no service in production runs."""

CONTAINERS: Final = (dict, list, set, frozenset, tuple, deque, MappingProxyType)


def alive() -> list[object]:
    """All objects that the garbage collector knows, but for those that were there when it was frozen."""
    gc.collect()
    return gc.get_objects()


@contextmanager
def only_new_objects() -> Iterator[None]:
    """Whatever is there does not count as alive: other tests' objects, and all that they have imported."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def entries() -> dict[str, int]:
    """The number of entries of the largest container of each name, such as ``TokenCache._entries``."""
    found: dict[str, int] = {}
    for name, container in _containers():
        size = (
            container.cache_info().currsize if isinstance(container, _lru_cache_wrapper) else len(container)
        )
        found[name] = max(found.get(name, 0), size)
    return found


def _containers() -> Iterator[tuple[str, Any]]:
    for name, module in list(sys.modules.items()):
        if _is_ours(name):
            yield from _named(name, vars(module))
            for key, each in list(vars(module).items()):
                if isinstance(each, _lru_cache_wrapper) and _is_ours(each.__module__):
                    yield key, each
    for thing in alive():
        kind = type(thing)
        if isinstance(thing, FunctionType) and thing.__closure__ and _is_ours(thing.__module__):
            cells = [cell.cell_contents for cell in thing.__closure__ if _is_filled(cell)]
            yield from _named(thing.__qualname__, dict(enumerate(cells)))
        elif _is_ours(kind.__module__):
            yield from _named(kind.__qualname__, attributes_of(thing))


def attributes_of(thing: object) -> dict[str, object]:
    """The attributes of an object itself, in a dictionary or in slots."""
    slots = [name for each in type(thing).__mro__ for name in getattr(each, "__slots__", ())]
    there = {name: getattr(thing, name) for name in slots if name != "__dict__" and hasattr(thing, name)}
    return there | getattr(thing, "__dict__", {})


def _named(owner: str, values: Mapping[Any, object]) -> Iterator[tuple[str, Any]]:
    for name, value in list(values.items()):
        if isinstance(value, CONTAINERS):
            yield f"{owner}.{name}", value
            inner = value.values() if isinstance(value, Mapping) else value
            for each in list(inner):
                if isinstance(each, CONTAINERS):
                    yield f"{owner}.{name}[]", each


def _is_filled(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:  # a function that refers to itself, before it is bound
        return False


def _is_ours(module: object) -> bool:
    return isinstance(module, str) and module.startswith(PACKAGE) and not module.startswith(LEFT_OUT)


def bytes_of(value: object, shared: Collection[int] = frozenset()) -> int:
    """The bytes of all objects that a value holds, as Python counts them, each once.

    Args:
        value: The value.
        shared: The identities of objects that do not count, as they are others' as well.
    """
    seen, waiting, size = set(shared), [value], 0
    while waiting:
        each = waiting.pop()
        if (
            id(each) in seen
            or isinstance(each, type | FunctionType)
            or type(each).__module__ == "cryptography"
        ):
            continue
        seen.add(id(each))
        size += sys.getsizeof(each)
        if isinstance(each, Mapping):
            waiting += [*each.keys(), *each.values()]
        elif isinstance(each, list | tuple | set | frozenset | deque):
            waiting += each
        elif _is_ours(type(each).__module__):
            waiting += attributes_of(each).values()
    return size
