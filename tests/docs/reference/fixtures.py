"""The page of pytest fixtures, of the plugin's functions and what they give."""

import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Final

from camunda_entra_fastapi.testing import AppClients, EntraEmulator
from camunda_entra_fastapi.testing.fixtures import pytest_plugin
from tests.docs.reference.markdown import arguments_of, bullet, docstring, generated, prose

NAME: Final = "fixtures.md"
INTRODUCTION: Final = """\
# pytest fixtures

This page lists the fixtures that the package brings for tests of your application. The extra `emulator`
installs what they need: `pip install "camunda-entra-fastapi[emulator]"`. They issue real, signed tokens
of [a local Entra](local-entra.md) in the test's own process. There is no network, and nothing of your
application is changed.

## In one look

`CamundaEntra()` reads the environment when your module is imported, so `conftest.py` sets the six variables
before:

```python title="conftest.py"
import os

from camunda_entra_fastapi.testing import EntraEmulator

os.environ.update(EntraEmulator().environment())
```

The application:

```python title="main.py"
from typing import Annotated

from fastapi import Depends, FastAPI
from camunda_entra_fastapi import CamundaEntra, EntraUser

entra = CamundaEntra()
app = FastAPI(lifespan=entra.lifespan)
CurrentUser = Annotated[EntraUser, Depends(entra.current_user)]
administrators = Depends(entra.require(roles=["Orders.Admin"]))


@app.get("/me")
async def me(user: CurrentUser):
    return {"name": user.name}


@app.delete("/orders/{key}", dependencies=[administrators])
async def cancel(key: int):
    return {"cancelled": key}
```

Its tests, one of which is a coroutine (with `pytest-asyncio`):

```python title="test_main.py"
import pytest
from main import app, entra


def test_only_administrators_cancel(entra_client):
    admin = entra_client(app, entra, roles=["Orders.Admin"])
    assert admin.delete("/orders/1").status_code == 200
    reader = entra_client(app, entra, roles=[])
    assert reader.delete("/orders/1").status_code == 403


@pytest.mark.asyncio
async def test_people_are_known_by_name(entra_client):
    client = entra_client.asynchronous(app, entra, user="Ada Admin")
    async with client:
        assert (await client.get("/me")).json()["name"] == "Ada Admin"
```

A fixture of your own has a client for a class, a module or the whole run, with `entra_client_factory`:

```python title="test_orders.py"
import pytest
from main import app, entra


@pytest.fixture(scope="module")
def admin(entra_client_factory):
    with entra_client_factory() as entra_client:
        yield entra_client(app, entra, roles=["Orders.Admin"])


def test_an_order_is_cancelled(admin):
    assert admin.delete("/orders/1").json() == {"cancelled": 1}


def test_so_is_another(admin):
    assert admin.delete("/orders/2").json() == {"cancelled": 2}
```

Tenant, registration and clock become the local Entra's. All other settings stay your application's, so a test
meets guests or clients that they refuse as production does. Where tokens do not matter,
`app.dependency_overrides[entra.current_user]` reaches every dependency, `require` included.
"""
MORE: Final[Mapping[str, str]] = {
    "entra_client_factory": "`with entra_client_factory() as entra_client:` gives the same object as the "
    "fixture `entra_client`, until the block ends. The application is started once for all clients that "
    "there are of it, of whichever scopes, so a test's own client ends nothing that a module's client uses. "
    "Where clients of two scopes exist at once, they need one local Entra: override `entra_emulator` in "
    '`conftest.py` with `scope="session"`, and call `entra_client_factory(entra_emulator)`. '
    "Asynchronous clients belong to no event loop, so the wider loops of pytest-asyncio and anyio may use "
    "them. A token lasts as long as one of Entra's, so a client for a run of hours is made with "
    "`lifetime=86400`. It takes one argument:",
    "entra_emulator": "It is the object behind all others. Override the fixture in `conftest.py` for another "
    "directory or clock. These methods change what it does:",
    "entra_token": "It takes these arguments:",
    "entra_client": "`entra_client(app, entra, …)` gives a started `TestClient` whose requests bear a token. "
    "`entra_client.asynchronous(app, entra, …)` gives the same as `httpx2.AsyncClient`, and runs no lifespan."
    " Both take these arguments:",
}
_NAMES: Final = {
    "An": "A local Entra",
    "an": "a local Entra",
    "The": "The local Entra",
    "the": "the local Entra",
}
CONTROLS: Final = (
    "down",
    "up",
    "slow",
    "throttle",
    "travel",
    "revoke",
    "rotate_keys",
    "retire_keys",
    "hide_key",
    "show_key",
    "count",
)


def page() -> str:
    """The page."""
    return generated("\n".join(_lines()), "the package's pytest plugin")


def fixtures() -> dict[str, str]:
    """The fixtures of the plugin, with their texts."""
    found = vars(pytest_plugin).items()
    return {name: _named(docstring(value)) for name, value in found if name.startswith("entra_")}


def _named(text: str) -> str:
    """The text with the name that the documentation has for the object."""
    return re.sub(r"\b(an|the) emulator\b", lambda match: _NAMES[match[1]], text, flags=re.IGNORECASE)


def _lines() -> Iterator[str]:
    yield INTRODUCTION
    for name, text in sorted(fixtures().items()):
        yield f"## {name}\n"
        yield f"{prose(text)}\n"
        yield f"{prose(MORE[name])}\n"
        yield from _details(name)
        yield ""


def _details(name: str) -> Iterator[str]:
    if name == "entra_emulator":
        for control in CONTROLS:
            method = getattr(EntraEmulator, control)
            parameters = list(inspect.signature(method).parameters)[1:]
            yield bullet(f"`{control}({', '.join(parameters)})`: {_named(docstring(method))}")
    elif name == "entra_client_factory":
        yield bullet(
            "`emulator`: The local Entra, which is also `entra_client.emulator`; a new one by default."
        )
    else:
        described = AppClients.__call__ if name == "entra_client" else EntraEmulator.token
        for argument, text in arguments_of(described).items():
            yield bullet(f"`{argument}`: {_named(text)}")
