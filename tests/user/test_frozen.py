"""Lists and dicts that cannot be changed."""

import copy
import json
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from camunda_entra_fastapi.user.frozen import FrozenDict, FrozenList, freeze

MESSAGE = r"^A user from a token cannot be changed; make a copy with list\(\.\.\.\) or dict\(\.\.\.\)\.$"

LIST_CHANGES: dict[str, Callable[[Any], object]] = {
    "append": lambda items: items.append("x"),
    "extend": lambda items: items.extend(["x"]),
    "insert": lambda items: items.insert(0, "x"),
    "remove": lambda items: items.remove("a"),
    "pop": lambda items: items.pop(),
    "clear": lambda items: items.clear(),
    "sort": lambda items: items.sort(reverse=True),
    "reverse": lambda items: items.reverse(),
    "__setitem__": lambda items: items.__setitem__(0, "x"),
    "slice": lambda items: items.__setitem__(slice(0, 1), []),
    "__delitem__": lambda items: items.__delitem__(0),
    "__iadd__": lambda items: items.__iadd__(["x"]),
    "__imul__": lambda items: items.__imul__(2),
}
DICT_CHANGES: dict[str, Callable[[Any], object]] = {
    "pop": lambda members: members.pop("a"),
    "popitem": lambda members: members.popitem(),
    "clear": lambda members: members.clear(),
    "update": lambda members: members.update(a="x"),
    "setdefault": lambda members: members.setdefault("x", 1),
    "__setitem__": lambda members: members.__setitem__("a", "x"),
    "__delitem__": lambda members: members.__delitem__("a"),
    "__ior__": lambda members: members.__ior__({"x": 1}),
}


@pytest.mark.parametrize("change", LIST_CHANGES.values(), ids=LIST_CHANGES)
def test_list_refuses_every_change(change: Callable[[Any], object]) -> None:
    """Each way to change a list is refused, saying what to do instead, and changes nothing."""
    items = FrozenList(["a", "b"])
    with pytest.raises(TypeError, match=MESSAGE):
        change(items)
    assert items == ["a", "b"]


@pytest.mark.parametrize("change", DICT_CHANGES.values(), ids=DICT_CHANGES)
def test_dict_refuses_every_change(change: Callable[[Any], object]) -> None:
    """Each way to change a dict is refused, saying what to do instead, and changes nothing."""
    members = FrozenDict({"a": 1, "b": 2})
    with pytest.raises(TypeError, match=MESSAGE):
        change(members)
    assert members == {"a": 1, "b": 2}


# A constructor called once more could change them; nobody does that by accident.
NOT_TRIED = {"__init__", "__new__", "__getattribute__", "__repr__"}


@pytest.mark.parametrize(("frozen", "plain"), [(FrozenList, list), (FrozenDict, dict)])
def test_no_method_of_the_plain_kind_is_a_way_around(frozen: Any, plain: Any) -> None:
    """Whatever methods Python gives its lists and dicts, none that is not refused changes the frozen ones."""
    value = freeze(["a", "b"] if plain is list else {"a": 1, "b": 2})
    before = plain(value)
    for name in set(vars(plain)) - set(vars(frozen)) - NOT_TRIED:
        member = getattr(value, name)
        for arguments in ((), ("a",), (0,), ("a", 1), (["x"],), ({"x": 1},), (0, "x")):
            try:
                member(*arguments)
            except (TypeError, ValueError, KeyError, IndexError, AttributeError):
                continue
    assert value == before


def test_augmented_assignment_of_a_name_is_refused() -> None:
    """``+=``, ``*=`` and ``|=`` would change in place, so they are refused too."""
    items, members = FrozenList(["a"]), FrozenDict({"a": 1})
    with pytest.raises(TypeError, match=MESSAGE):
        items += ["x"]
    with pytest.raises(TypeError, match=MESSAGE):
        items *= 2
    with pytest.raises(TypeError, match=MESSAGE):
        members |= {"x": 1}
    with pytest.raises(TypeError, match=MESSAGE):
        del items[0]


def test_frozen_values_are_lists_and_dicts_to_everybody_else() -> None:
    """They compare, serialize and combine as what they are."""
    items, members = FrozenList(["a"]), FrozenDict({"a": 1})
    assert isinstance(items, list)
    assert isinstance(members, dict)
    assert items == ["a"]
    assert members == {"a": 1}
    assert json.dumps([items, members]) == '[["a"], {"a": 1}]'
    assert (items + ["b"], members | {"b": 2}) == (["a", "b"], {"a": 1, "b": 2})  # noqa: RUF005
    assert {**members} == {"a": 1}


def test_plain_copies_can_be_changed() -> None:
    """The copies that the message recommends work, and so do ``.copy()`` and slices."""
    for items in (list(FrozenList(["a"])), FrozenList(["a"]).copy(), FrozenList(["a"])[:]):
        items.append("b")
        assert items == ["a", "b"]
    for members in (dict(FrozenDict({"a": 1})), FrozenDict({"a": 1}).copy()):
        members["b"] = 2
        assert members == {"a": 1, "b": 2}


@pytest.mark.parametrize("value", [freeze(["a", {"b": ["c"]}]), freeze({"a": [{"b": 1}]})])
def test_copies_of_a_frozen_value_are_frozen(value: Any) -> None:
    """The modules copy and pickle give equal values of the same kind; a copy may be the thing itself."""
    assert copy.copy(value) is value
    assert copy.deepcopy(value) is value
    again = pickle.loads(pickle.dumps(value))
    assert again == value
    assert type(again) is type(value)
    inner = again[1]["b"] if isinstance(again, list) else again["a"][0]
    assert type(inner) in (FrozenList, FrozenDict)


def test_freezing_goes_to_the_last_nested_value_and_leaves_the_original() -> None:
    """Lists and objects at any depth are frozen; what was given stays as it was."""
    original: dict[str, Any] = {"a": [{"b": [1, "x", None, True, 1.5]}], "c": {}}
    frozen = freeze(original)
    assert frozen == original
    for value in (frozen, frozen["a"], frozen["a"][0], frozen["a"][0]["b"], frozen["c"]):
        assert type(value) in (FrozenList, FrozenDict)
    original["a"][0]["b"].append(2)
    assert frozen["a"][0]["b"] == [1, "x", None, True, 1.5]


@pytest.mark.parametrize("value", ["text", 7, 1.5, True, None])
def test_values_that_cannot_change_are_left_as_they_are(value: object) -> None:
    """Texts, numbers, booleans and null need no freezing."""
    assert freeze(value) is value
