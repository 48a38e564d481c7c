"""The variables of Camunda's Orchestration Cluster, 8.8 and newer: a third spelling of some of ours. Pure.

Their names and meanings are from Camunda 8 Docs, Orchestration Cluster > Core settings > Properties,
``camunda.security.authentication.oidc`` (8.8 to 8.10), and "Special OIDC configuration cases". As there,
they count with the method ``oidc`` alone, and single endpoints only without an issuer.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final, Self

from camunda_entra_fastapi.errors import quoted

METHOD: Final = "CAMUNDA_SECURITY_AUTHENTICATION_METHOD"
PREFIX: Final = "CAMUNDA_SECURITY_AUTHENTICATION_OIDC_"
ISSUER: Final = f"{PREFIX}ISSUERURI"
CLIENT_ID: Final = f"{PREFIX}CLIENTID"

_CALLBACKS: Final = (
    "/sso-callback",
    "/identity-callback",
    "/auth/login-callback",
    "/api/authentication/callback",
)
"""The callback paths of Camunda's components; a path before one is where the component is mounted."""
_ENDPOINTS: Final = frozenset({f"{PREFIX}AUTHORIZATIONURI", f"{PREFIX}TOKENURI", f"{PREFIX}JWKSETURI"})


class SpelledText(str):
    """A value, and the variable that it is from, which messages about it name."""

    variable: str

    def __new__(cls, text: str, variable: str) -> Self:
        """Keep the variable's name beside the text."""
        spelled = super().__new__(cls, text)
        spelled.variable = variable
        return spelled


def _entries(value: str) -> list[str]:
    """The entries of a list: separated by commas, in the brackets and quotes of the documentation or not."""
    return [entry.strip(" \"'") for entry in value.strip("[]").split(",")]


def _read_audiences(value: str) -> str:
    return ",".join(_entries(value))


def _read_scopes(value: str) -> str:
    return " ".join(_entries(value))


def _authority_of(kind: str, path: str) -> Callable[[str], str]:
    """A function that tells the issuer's address from one of its endpoints."""

    def read(value: str) -> str:
        authority, mark, rest = value.partition(path)
        if not mark or rest:
            raise ValueError(
                f"is no {kind} of Entra's, which ends in {path}, so that its tenant cannot be told. "
                f"Set {ISSUER}, from which all endpoints are discovered."
            )
        return f"{authority}/v2.0"

    return read


def _redirect_parts(value: str) -> tuple[str | None, str]:
    """The public root of the service, if the URI says it, and the callback path."""
    root, path = re.fullmatch(r"((?:[^/{]*://[^/]*|\{baseUrl\})?)(.*)", value, re.DOTALL).groups()  # type: ignore[union-attr]
    mounted = next((path.removesuffix(each) for each in _CALLBACKS if path.endswith(each)), "")
    return (None if root in {"", "{baseUrl}"} else root + mounted), path[len(mounted) :]


def _read_base_url(value: str) -> str | None:
    return _redirect_parts(value)[0]


def _read_callback_path(value: str) -> str:
    path = _redirect_parts(value)[1]
    if path in {"", "/"}:
        raise ValueError(
            "has no callback path, and Camunda itself does not start with such a value since 8.10. "
            "Append it, as in https://operate.example.com/sso-callback."
        )
    return path


SPELLINGS: Final[dict[str, dict[str, Callable[[str], str | None]]]] = {
    "issuer": {
        ISSUER: str,
        f"{PREFIX}AUTHORIZATIONURI": _authority_of("authorization endpoint", "/oauth2/v2.0/authorize"),
    },
    "issuer_backend_url": {
        f"{PREFIX}TOKENURI": _authority_of("token endpoint", "/oauth2/v2.0/token"),
        f"{PREFIX}JWKSETURI": _authority_of("JWK Set URI", "/discovery/v2.0/keys"),
    },
    "client_id": {CLIENT_ID: str},
    "client_secret": {f"{PREFIX}CLIENTSECRET": str},
    "audience": {f"{PREFIX}AUDIENCES": _read_audiences},
    "scopes": {f"{PREFIX}SCOPE": _read_scopes},
    "base_url": {f"{PREFIX}REDIRECTURI": _read_base_url},
    "callback_path": {f"{PREFIX}REDIRECTURI": _read_callback_path},
}
"""For each field the variables that say it, and a function from their value to the field's own text."""

READ: Final = frozenset(name for spellings in SPELLINGS.values() for name in spellings)
_LISTS: Final = (f"{PREFIX}AUDIENCES", f"{PREFIX}SCOPE")


def in_force(variables: Mapping[str, object]) -> tuple[dict[str, object], list[str]]:
    """Those of the variables that something is read from, and the names of those of no use.

    A list's numbered entries (``…_AUDIENCES_0``) are one value. Both are empty with another method than oidc.
    """
    given = given_in(variables)
    if str(variables.get(METHOD, "")).lower() != "oidc":
        return {}, []
    for name in _LISTS:
        numbered = {
            int(key[len(name) + 1 :]): key for key in given if re.fullmatch(f"{name}_[0-9]{{1,4}}", key)
        }
        entries = [str(given.pop(numbered[number])) for number in sorted(numbered)]
        if entries:
            given.setdefault(name, ",".join(entries))
    read = READ - _ENDPOINTS if ISSUER in map(documented, given) else READ
    of_use = {name: value for name, value in given.items() if documented(name) in read}
    return of_use, sorted(given.keys() - of_use.keys())


def given_in(variables: Mapping[str, object]) -> dict[str, object]:
    """The Orchestration Cluster's variables among these, whether they count or not."""
    return {name: value for name, value in variables.items() if name.startswith(PREFIX)}


def documented(name: str) -> str:
    """The variable's name as Camunda documents it; Spring takes underscores for a property's hyphens, too."""
    rest = name.removeprefix(PREFIX)
    return name if rest == name else PREFIX + rest.replace("_", "")


def is_same(field: str, texts: set[str]) -> bool:
    """Whether the texts say the same of the field, in whatever order a list has its entries."""
    if field in {"audience", "scopes"}:
        return len({frozenset(re.split(r"[\s,]+", text)) for text in texts}) < 2  # noqa: PLR2004
    return len({text.rstrip("/") for text in texts} if field == "base_url" else texts) < 2  # noqa: PLR2004


def missing(variable: str, documented: str) -> str:
    """The problem of a variable without which the others are of no use."""
    return f"{variable} is not set, nor is {documented}. Set either; the others of {PREFIX}… need it."


def not_in_force(variables: Mapping[str, object]) -> str:
    """The problem of variables that do not count, since the method is another one; empty without any."""
    names = sorted(name for name in given_in(variables) if documented(name) in READ)
    if not names:
        return ""
    method = f"is {quoted(variables[METHOD], 40)}" if METHOD in variables else "is not set"
    return f"{METHOD} {method}, so that {names[0]} and its like do not count, as in Camunda. Set it to oidc."
