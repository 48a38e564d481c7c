"""No class of the package shows in its ``repr`` what is nobody else's business (CWE-532)."""

import dataclasses
import inspect
import pkgutil
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from importlib import import_module
from types import ModuleType
from typing import Any, NamedTuple

import pytest
from pydantic import BaseModel, Field, SecretStr

import camunda_entra_fastapi

SECRET = {
    *(
        "assertion",
        "body",
        "code",
        "codes",
        "cookie",
        "cookies",
        "fields",
        "form",
        "handle",
        "headers",
        "nonce",
    ),
    *("parameters", "password", "sealed", "secret", "secrets", "sid", "state", "states", "token", "tokens"),
    "verifier",
}
"""Last words of names: a ``token_url`` is none, an ``access_token`` is one."""
OWN_REPR = {
    "downstream.http_auth.BearerAuth",
    "settings.model.EntraSettings",
    "user.user.EntraUser",
    "validation.compact.UnverifiedToken",
}
"""Classes that write their ``repr`` themselves, and were looked at."""
NO_SECRETS = {
    "cli.findings.Finding": ["code"],
    "sign_in.endpoints.BrowserEndpoints": ["token"],
    "testing.endpoints.graph.queries.Query": ["skip_token"],
}
"""The name of a refusal, the address of an endpoint, the number of a page."""


def modules() -> Iterator[ModuleType]:
    """All modules of the package."""
    for found in pkgutil.walk_packages(camunda_entra_fastapi.__path__, "camunda_entra_fastapi."):
        if not found.name.endswith("__main__"):
            yield import_module(found.name)


def classes() -> list[type]:
    """All classes of the package."""
    return [
        value
        for module in modules()
        for value in vars(module).values()
        if inspect.isclass(value) and value.__module__ == module.__name__ and not issubclass(value, Enum)
    ]


def name_of(cls: type) -> str:
    """Module and name, without the package's own."""
    return f"{cls.__module__}.{cls.__qualname__}".removeprefix("camunda_entra_fastapi.")


def shown_fields(cls: type) -> Iterator[tuple[str, Any]]:
    """The fields that the generated ``repr`` shows, with their types."""
    if dataclasses.is_dataclass(cls):
        hints = typing.get_type_hints(cls)
        yield from ((each.name, hints[each.name]) for each in dataclasses.fields(cls) if each.repr)
    elif issubclass(cls, BaseModel):
        yield from ((name, info.annotation) for name, info in cls.model_fields.items() if info.repr)
    elif issubclass(cls, tuple) and hasattr(cls, "_fields"):
        yield from typing.get_type_hints(cls).items()


def may_be_text(hint: Any) -> bool:
    """Whether a value of that type may be text or hold some; objects of other classes have their own turn."""
    arguments = typing.get_args(hint)
    if typing.get_origin(hint) is typing.Literal:
        return False
    if arguments:
        return any(map(may_be_text, arguments))
    return hint in (str, bytes, bytearray, Any, object, dict, list, tuple, Mapping)


def secrets_in_repr(cls: type) -> list[str]:
    """The fields whose names and types say that the class shows a secret."""
    return [
        name for name, hint in shown_fields(cls) if name.rpartition("_")[2] in SECRET and may_be_text(hint)
    ]


def writes_its_own(cls: type) -> bool:
    """Whether somebody wrote its ``repr``, or what that is made of."""
    own = vars(cls)
    has_generated = dataclasses.is_dataclass(cls) and cls.__dataclass_params__.repr  # type: ignore[attr-defined]
    return "__repr_args__" in own or "__str__" in own or ("__repr__" in own and not has_generated)


@pytest.mark.parametrize("cls", classes(), ids=name_of)
def test_no_class_shows_a_secret(cls: type) -> None:
    """A field with such a name needs ``repr=False``; whoever writes a ``repr`` has it looked at."""
    if writes_its_own(cls) and not issubclass(cls, Exception):
        assert name_of(cls) in OWN_REPR
    else:
        assert secrets_in_repr(cls) == NO_SECRETS.get(name_of(cls), [])


def test_the_list_of_own_reprs_is_true() -> None:
    """Nothing is excepted that is not there."""
    assert {name_of(cls) for cls in classes() if writes_its_own(cls)} == OWN_REPR


def test_the_rule_finds_what_it_is_for() -> None:
    """In dataclasses, models and named tuples; other names, hidden fields and masked types pass."""

    @dataclass
    class Sent:
        body: bytes
        access_token: str | None
        codes: Mapping[str, str]
        nonce: str = field(repr=False)
        token_url: str = ""
        password: SecretStr | None = None
        token: bool = False
        state: typing.Literal["on", "off"] = "on"

    class Model(BaseModel):
        secret: str
        handle: str = Field(repr=False)

    class Pair(NamedTuple):
        state: str
        at: float

    found = [secrets_in_repr(cls) for cls in (Sent, Model, Pair)]
    assert found == [["body", "access_token", "codes"], ["secret"], ["state"]]
