"""The table of what stays in memory, in ARCHITECTURE.md, held against the code."""

import ast
import random
import uuid
from collections.abc import Collection, Iterator, Mapping
from importlib import import_module
from typing import Any

import pytest

from camunda_entra_fastapi.settings import EntraSettings
from camunda_entra_fastapi.testing import EntraEmulator
from camunda_entra_fastapi.testing.directory import OPERATE
from tests.architecture.structure import PACKAGE, modules_of
from tests.growth.caches import CACHES, NAMED, Cache
from tests.growth.inspection import alive, attributes_of, bytes_of
from tests.growth.traffic import OVERAGE, Traffic, with_all_routes
from tests.site import ADA, MakeSite
from tests.testing.browsing import change_application, change_user

GROWING = {
    "dict",
    "set",
    "list",
    "deque",
    "OrderedDict",
    "defaultdict",
    "WeakKeyDictionary",
    "WeakValueDictionary",
}
CACHING = {"cache", "lru_cache"}
INDIRECT = {"ExpiringSet": "ExpiringSet._expires_at", "SingleFlight": "SingleFlight._tasks"}
"""Classes whose containers have rows of their own."""
SHORT_LIVED = {
    "VariablesSource._orchestration": "it lives while the settings are read",
    "InsufficientClaims.claims": "it lives as long as an exception",
    "DelegationEnded.claims": "it lives as long as an exception",
    "_Reader.items": "it lives as long as a request's stream, and holds the one item that is wanted",
}
REPLACED_AS_A_WHOLE = {"KeySet.by_id", "KeySet.last_seen", "KeySet.named", "KeySet.skipped"}
"""Values that nobody can change, in the place of which others come."""
SHARED = ("SigningKey", "IdentitySigner")
"""What entries refer to, and all of them to the same."""


@pytest.mark.parametrize("cache", CACHES, ids=lambda cache: cache.names[0])
def test_the_number_is_that_of_the_code(cache: Cache) -> None:
    """A constant, the size of a function's cache, or the default of the setting."""
    if cache.constant is None:
        setting = EntraSettings.model_fields["token_cache_size"]
        assert cache.entries in (None, 1, setting.default)
        return
    module, _, name = cache.constant.rpartition(".")
    value = getattr(import_module(module), name)
    assert cache.entries == (value if isinstance(value, int) else value.cache_parameters()["maxsize"])


def growing() -> Iterator[str]:
    """Attributes that begin as empty containers, and functions with a cache, by their names in the table."""
    for module, path in modules_of(PACKAGE).items():
        if module.split(".")[0] in ("cli", "testing"):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and any(
                _name_of(each) in CACHING for each in node.decorator_list
            ):
                yield node.name
            if isinstance(node, ast.ClassDef):
                for each in ast.walk(node):
                    if isinstance(each, ast.Assign | ast.AnnAssign) and each.value is not None:
                        target = each.target if isinstance(each, ast.AnnAssign) else each.targets[0]
                        if isinstance(target, ast.Attribute) and _name_of(target.value) == "self":
                            yield from _kept(f"{node.name}.{target.attr}", each.value)


def _kept(name: str, value: ast.expr) -> Iterator[str]:
    kind = _name_of(value)
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Call) and _name_of(value.func) in CACHING:
        yield name
    elif kind in INDIRECT:
        yield INDIRECT[kind]
    elif kind in GROWING or (
        isinstance(value, ast.Dict | ast.List)
        and not (value.keys if isinstance(value, ast.Dict) else value.elts)
    ):
        yield name


def _name_of(node: ast.AST) -> str:
    while isinstance(node, ast.Call | ast.Subscript):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def test_whatever_can_grow_has_a_row() -> None:
    """Nobody adds a cache without saying how large it becomes."""
    found = set(growing())
    assert found - NAMED.keys() - SHORT_LIVED.keys() == set()
    assert NAMED.keys() - found == REPLACED_AS_A_WHOLE


SOURCE = random.Random(19)
LISTS: dict[str, Any] = {
    "groups": [str(uuid.UUID(int=SOURCE.getrandbits(128), version=4)) for _ in range(200)],
    "roles": [f"R.{SOURCE.getrandbits(160):x}" for _ in range(75)],
}
"""They make a token as large as one can be: with 200 groups, of more Entra does not list any."""


MEASURED = {"CookieStore._cache", "MemoryStore._sessions", "SignedIdentities._cache", "TokenCache._entries"}


@pytest.mark.parametrize("store", ["cookie", "memory"])
@pytest.mark.usefixtures("nothing_else")
async def test_the_largest_entry_is_no_larger_than_the_table_says(
    store: str, make_site: MakeSite, emulator: EntraEmulator
) -> None:
    """With tokens of almost 16 KiB, of which the caches keep what they keep of any other."""
    change_application(emulator, OPERATE, app_roles=(*emulator.application.app_roles, *LISTS["roles"]))
    change_user(emulator, ADA, groups=tuple(LISTS["groups"]), roles={OPERATE: tuple(LISTS["roles"])})
    site = with_all_routes(make_site(session_store=store, group_overage="graph"))
    traffic = Traffic(site, site.entra.client_credentials(f"{OPERATE}/.default"))
    largest = f"Bearer {emulator.token(user=ADA)}"
    assert 15 * 1024 < len(largest) <= 16 * 1024
    for path in ("/api", "/called-on", "/auth/me", "/auth/verify?token=true&identity=backend"):
        assert (await traffic.ask(path, largest)).status_code == 200
    assert (await traffic.ask("/member", traffic.somebody(**OVERAGE))).status_code == 200
    browser = await site.browser().signed_in()
    for path in ("/api", "/called-on", "/auth/me", "/auth/verify?token=true&identity=backend"):
        assert (await browser.http.get(path)).status_code == 200
    await site.browser().open("/auth/login-callback?code=c&state=s")
    await traffic.app_tokens.token()
    told = {name: cache.kilobytes for name, cache in NAMED.items() if cache.kilobytes is not None}
    sizes = {name: size for name, size in sizes_of_entries().items() if name in told}
    assert {name: size for name, size in sizes.items() if size > 1024 * told[name]} == {}
    # Nor are the figures of thin air, for the caches that this token fills.
    filled = MEASURED & sizes.keys()
    assert {name: sizes[name] for name in filled if sizes[name] < 1024 * told[name] / 2} == {}


def sizes_of_entries() -> dict[str, int]:
    """The bytes of the largest entry of each container."""
    things = [thing for thing in alive() if type(thing).__module__.startswith("camunda_entra_fastapi")]
    shared = {id(thing) for thing in things if type(thing).__name__ in SHARED}
    found: dict[str, int] = {}
    for thing in things:
        owned = shared if type(thing).__name__ == "KeySet" else set()
        for attribute, value in attributes_of(thing).items():
            if isinstance(value, Collection) and not isinstance(value, str | bytes):
                parts = value.items() if isinstance(value, Mapping) else value
                name = f"{type(thing).__qualname__}.{attribute}"
                found[name] = max(
                    [found.get(name, 0), *(bytes_of(part, shared - owned) for part in list(parts))]
                )
    return found
