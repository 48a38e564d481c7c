"""The page of codes, of ``errors.CODES``, what raises them, ``remedies.REMEDIES`` and ``web.challenges``."""

import ast
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import camunda_entra_fastapi
from camunda_entra_fastapi import errors
from camunda_entra_fastapi.errors import CODES, EntraError, Refusal
from camunda_entra_fastapi.remedies import REMEDIES
from camunda_entra_fastapi.remote.aadsts import MISCONFIGURED
from camunda_entra_fastapi.telemetry import logger
from camunda_entra_fastapi.user import EntraUser
from camunda_entra_fastapi.web.challenges import Challenger, ErrorResponse
from camunda_entra_fastapi.web.permissions import Permissions
from tests.docs.reference.markdown import bullet, coded, generated, prose

NAME: Final = "codes.md"
INTERNAL: Final = frozenset({
    "settings_invalid", "nonce_mismatch", "at_hash_mismatch", "fetch_failed", "delegation_ended",
    "delegation_unreadable",
})  # fmt: skip
"""Codes that no client is answered with: other codes, or none, take their place."""
PUBLIC: Final = [code for code in CODES if code not in INTERNAL]
CLASSES: Final[Mapping[str, type[EntraError]]] = {
    name: value
    for name, value in vars(errors).items()
    if isinstance(value, type) and issubclass(value, EntraError) and value is not EntraError
}
KINDS: Final[Mapping[str, tuple[str, str]]] = {
    "CredentialsMissing": (
        "No credentials",
        "The challenge has no `error`: nothing was sent that could be wrong (RFC 6750, section 3.1).",
    ),
    "InvalidRequest": ("Requests that can be read in two ways", "Nothing of such a request is believed."),
    "InvalidToken": ("Bad tokens", "Another token is needed."),
    "AccessDenied": ("Missing permissions", "The token is a good one, and its user may not do this."),
    "InsufficientClaims": (
        "A stronger sign-in",
        "The challenge has `claims`, which the client asks for in its next sign-in.",
    ),
    "CrossOrigin": ("Another site's page", "There is no challenge: no token would help."),
    "SignInFailed": (
        "Signing in",
        "People get a page, programs get JSON. There is no challenge. `detail` also has `remedy`, and what "
        "Entra said: `aadsts`, `suberror`, `correlation_id`, `trace_id`, `timestamp`, `claims`.",
    ),
    "EntraUnavailable": (
        "Entra is away",
        "It is no fault of the client's. There is no challenge, but `Retry-After` in seconds.",
    ),
    "SessionsUnavailable": (
        "The session store is away",
        "There is no challenge, but `Retry-After` in seconds.",
    ),
    "EntraRefused": ("Entra refuses this service", "There is no challenge: the client can do nothing."),
}
CHALLENGER: Final = Challenger(
    realm="<tenant ID>",
    authorization_uri=lambda: "https://login.microsoftonline.com/<tenant ID>/oauth2/v2.0/authorize",
    client_id="<client ID>",
    documentation_url="https://docs.example.com",
)
INTRODUCTION: Final = """\
# Codes

Each refusal has a code. This page says for each one the status, the meaning, and what to change. Codes stay
the same over releases; the words of messages may change.

## The body

```json
{body}
```

`error` is the name that the protocol has for it, `code` is one of those below, and `message` is for people.
Faults (502, 503, 504) have a sentence and a reference as their message. The log has one line with the same
reference, which says what happened.

## The challenge

Answers of 400, 401 and 403 to requests for a protected route have `WWW-Authenticate` (RFC 6750, section 3).
It is one line, which is broken here to be read:

```http
{challenge}
```

- `scope` is there where another scope would help.
- `claims` is there with `insufficient_claims`, as Base64 of JSON.
- `error_uri` is there where [these pages are published](settings.md#camunda_entra_documentation_url). It
  leads to the code on this page.
- A request without credentials gets neither `error` nor what follows it.
"""


def page() -> str:
    """The page."""
    return generated("\n".join(_lines()), "errors.CODES, remedies.REMEDIES and web/challenges.py")


@cache
def class_of(code: str) -> type[EntraError]:
    """The class of the errors that the package makes with the code; of two, the one of signing in."""
    raised = _raised().get(code, set())
    order = ("SignInFailed", *CLASSES)
    if found := [CLASSES[name] for name in order if name in raised]:
        return found[0]
    # What no call names is handed on from an exchange with Entra that failed.
    assert code in {*errors.UNAVAILABLE_CODES.values(), *MISCONFIGURED}, f"nothing seems to raise {code}"
    return errors.EntraUnavailable


def answer_of(code: str) -> ErrorResponse:
    """What a client is answered."""
    with patch.object(logger, "disabled", new=True):  # faults are logged whenever they become a response
        return CHALLENGER.error_response(_made(class_of(code), code))


def _made(kind: type[EntraError], code: str) -> EntraError:
    arguments: dict[str, tuple[Any, ...]] = {
        "CredentialsMissing": (),
        "InsufficientClaims": ("", {}),
        "CrossOrigin": ("",),
        "SessionsUnavailable": ("",),
        "EntraRefused": ("", Refusal("invalid_client")),
        "EntraUnavailable": (code, "", 1),
    }
    return kind(*arguments.get(kind.__name__, (code, "")))


@cache
def _raised() -> Mapping[str, set[str]]:
    """For each code the classes that are made with it anywhere in the package."""
    found: dict[str, set[str]] = {}
    for path in sorted(Path(camunda_entra_fastapi.__path__[0]).rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and node.name in CLASSES:  # those with one code only
                for call in ast.walk(node):
                    _note(found, call, node.name)
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CLASSES:
                _note(found, node, node.func.id)
    return found


def _note(found: dict[str, set[str]], node: ast.AST, name: str) -> None:
    """Note the codes of a call: the one that it names, or those that fit what it puts together."""
    if not isinstance(node, ast.Call) or not node.args:
        return
    if isinstance(first := node.args[0], ast.Constant):
        found.setdefault(str(first.value), set()).add(name)
    elif isinstance(first, ast.JoinedStr):
        parts = (
            re.escape(str(one.value)) if isinstance(one, ast.Constant) else "[a-z]+" for one in first.values
        )
        fitting = re.compile("".join(parts))
        for code in filter(fitting.fullmatch, CODES):
            found.setdefault(code, set()).add(name)


def _lines() -> Iterator[str]:
    answer = _example()
    parameters = re.sub(', (?=[a-z_]+=")', ",\n  ", answer.headers["WWW-Authenticate"])
    yield INTRODUCTION.format(
        body=json.dumps({"detail": answer.detail}, indent=2),
        challenge=f"HTTP/1.1 403 Forbidden\nWWW-Authenticate: {parameters}",
    )
    for name, (heading, text) in KINDS.items():
        codes = [code for code in PUBLIC if class_of(code).__name__ == name]
        yield f"## {heading}\n"
        yield f"{prose(text)}\n"
        for code in codes:
            answer = answer_of(code)
            yield f"### {code}\n"
            yield f"{CODES[code]}\n"
            yield bullet(f"Status: {answer.status}, `error` is `{answer.detail['error']}`")
            yield bullet(f"What to do: {coded(REMEDIES[code])}")
            yield ""


def _example() -> ErrorResponse:
    """The answer to a person whose token lacks a scope."""
    try:
        Permissions(scopes=("Orders.Read",)).check(EntraUser.from_claims({"sub": "ada", "scp": "openid"}, ""))
    except errors.AccessDenied as error:
        return CHALLENGER.error_response(error)
    raise AssertionError("The example is no refusal.")
