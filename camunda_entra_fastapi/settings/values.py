"""From text to values: flags, numbers, times, lists, secrets. Pure, but for ``read_ca_bundle``.

Every function returns the value or raises ``ValueError`` with what is wrong and what a right value
looks like, worded to follow the variable's name. It never repeats a value that may be a secret.
"""

import re
import ssl
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from camunda_entra_fastapi.errors import quoted
from camunda_entra_fastapi.settings.misspellings import refuse_brackets
from camunda_entra_fastapi.validation.entra import is_tenant_id

EXAMPLE_ID: Final = "22222222-3333-4444-8555-666666666666"
EXAMPLE_TENANT: Final = "11111111-2222-4333-8444-555555555555"
FUNCTION: Final = "function"
"""In a tenant's place: a function of the application decides about all that are not named."""

MAX_LIST_CHARACTERS: Final = 64 * 1024
MAX_SECRET_CHARACTERS: Final = 4096
MIN_SESSION_SECRET: Final = 32
"""Characters: enough for 128 bits even when only hexadecimal digits are used."""
SESSION_LIFETIMES: Final = (timedelta(minutes=1), timedelta(days=90))
"""The shortest and the longest."""

_FLAGS: Final = {"true": True, "1": True, "yes": True, "on": True}
_FLAGS.update({"false": False, "0": False, "no": False, "off": False})
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,12}(?:\.[0-9]{1,9})?")
_DURATION: Final = re.compile(
    r"P(?=[0-9T])(?:(?P<weeks>[0-9]{1,6})W)?(?:(?P<days>[0-9]{1,6})D)?"
    r"(?:T(?=[0-9])(?:(?P<hours>[0-9]{1,9})H)?(?:(?P<minutes>[0-9]{1,9})M)?"
    r"(?:(?P<seconds>[0-9]{1,9}(?:\.[0-9]{1,9})?)S)?)?",
    re.IGNORECASE,
)
"""ISO 8601, without years and months, whose length varies."""
_NAME: Final = re.compile(r"[A-Za-z0-9!$%&'()*+.=@^_`|~-]{1,256}")
"""Visible ASCII without the characters that end a name in a URL, a list or a header."""
_WORD: Final = re.compile(r"[!#-&(-+\--Z^-~]{1,1024}")
"""Visible ASCII without comma, quotes, brackets and backslash."""
_PLACEHOLDER: Final = re.compile(
    r"<.*>|\$?\{.*\}|%.+%|\$.+|x{8}(?:-x{4}){3}-x{12}|(?:your|enter|insert)[-_].*|your(?:tenant|client).*",
    re.IGNORECASE,
)


def read_type(value: object) -> str:
    """``AZUREAD``, or its later name ``MICROSOFT``, in upper case."""
    kind = value.upper() if isinstance(value, str) else ""
    if kind in ("AZUREAD", "MICROSOFT"):
        return kind
    if kind == "KEYCLOAK":
        raise ValueError(
            "is KEYCLOAK, but this package speaks to Microsoft Entra ID only. "
            "Set it to AZUREAD if your people sign in with Entra; for Keycloak, use a library for Keycloak."
        )
    if kind == "GENERIC":
        raise ValueError(
            "is GENERIC, which stands for any OpenID Connect provider, but this package speaks to "
            "Microsoft Entra ID only. Set it to AZUREAD if your provider is Entra."
        )
    raise ValueError(f"is {quoted(value, 40)}. Set it to AZUREAD, or to its later name MICROSOFT.")


def read_flag(value: object) -> bool:
    """True or false; also from 1/0, yes/no and on/off, in any case."""
    flag = value if isinstance(value, bool) else _FLAGS.get(str(value).lower())
    if flag is None:
        raise ValueError(f"is {quoted(value, 40)}. Give true or false.")
    return flag


def number(low: float, high: float, example: float) -> Callable[[object], int]:
    """A function that reads whole numbers from ``low`` to ``high``."""

    def read(value: object) -> int:
        parsed = _number_of(value)
        if parsed is None or not low <= parsed <= high or parsed != int(parsed):
            raise ValueError(
                f"is {quoted(value, 40)}. Give a whole number from {low} to {high}, for example {example}."
            )
        return int(parsed)

    return read


def seconds(low: float, high: float, example: float) -> Callable[[object], float]:
    """A function that reads seconds from ``low`` to ``high``, from a number or a duration."""

    def read(value: object) -> float:
        parsed = _seconds_of(value)
        if parsed is None or not low <= parsed <= high:
            raise ValueError(
                f"is {quoted(value, 40)}. Give seconds from {low:g} to {high:g}, for example {example:g}, "
                f"or the same as an ISO 8601 duration, for example PT{example:g}S."
            )
        return parsed

    return read


def whole_seconds(low: int, high: int, example: int) -> Callable[[object], int]:
    """A function that reads whole seconds from ``low`` to ``high``, from a number or a duration."""
    read_seconds = seconds(low, high, example)

    def read(value: object) -> int:
        parsed = read_seconds(value)
        if parsed != int(parsed):
            raise ValueError(f"is {quoted(value, 40)}. Give whole seconds, for example {example}.")
        return int(parsed)

    return read


def read_lifetime(value: object) -> timedelta:
    """The lifetime of a session, from seconds or a duration: one minute to 90 days."""
    parsed = _seconds_of(value)
    shortest, longest = SESSION_LIFETIMES
    if parsed is None or not shortest.total_seconds() <= parsed <= longest.total_seconds():
        raise ValueError(
            f"is {quoted(value, 40)}. Give one minute to 90 days: in seconds, for example 28800, "
            "or as an ISO 8601 duration, for example PT8H."
        )
    return timedelta(seconds=parsed)


def _number_of(value: object) -> float | None:
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return float(value)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _seconds_of(value: object) -> float | None:
    if isinstance(value, timedelta):
        return value.total_seconds()
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return _number_of(value)
    parts = match.groupdict(default="0")
    return timedelta(**{unit: float(count) for unit, count in parts.items()}).total_seconds()


def read_client_id(value: object) -> str:
    """The application (client) ID: a GUID in Entra, any plain name elsewhere."""
    if not isinstance(value, str) or not _NAME.fullmatch(value) or is_placeholder(value):
        kind = "is a URI" if isinstance(value, str) and re.search("[:/]", value) else "is not an ID"
        raise ValueError(
            f"{kind}. Give the Application (client) ID from the overview of the app registration, "
            f"a GUID, for example {EXAMPLE_ID}."
        )
    return value


def is_placeholder(text: str) -> bool:
    """Whether the text is a placeholder that was copied from instructions."""
    return _PLACEHOLDER.fullmatch(text) is not None


def read_secret(value: object) -> SecretStr | None:
    """A client secret: one line, or None."""
    if value is None:
        return None
    refuse_brackets(str(value), "the secret's Value (not its Secret ID)")
    if not isinstance(value, str) or not value.isprintable() or len(value) > MAX_SECRET_CHARACTERS:
        raise ValueError(
            "is not one line of printable text. Give the secret's Value (not its Secret ID) "
            "as Entra showed it when it was made."
        )
    return SecretStr(value)


def read_session_secrets(value: object) -> tuple[SecretStr, ...]:
    """Secrets for sessions, the one that encrypts first."""
    texts = _split(value, ",")
    for text in texts:
        refuse_brackets(text, f"a secret of {MIN_SESSION_SECRET} characters or more")
    if any(len(text) < MIN_SESSION_SECRET or not text.isprintable() for text in texts):
        raise ValueError(
            f"has a secret of fewer than {MIN_SESSION_SECRET} printable characters. Separate by commas, "
            "each made for example by: python -c 'import secrets; print(secrets.token_urlsafe(32))'."
        )
    return tuple(map(SecretStr, texts))


def read_audiences(value: object) -> tuple[str, ...]:
    """The accepted values of ``aud``."""
    audiences = _split(value, ",")
    if not all(map(_WORD.fullmatch, audiences)):
        raise ValueError(
            "has an entry with blanks, quotes or brackets in it. Separate several by commas, "
            f"for example {EXAMPLE_ID},api://{EXAMPLE_ID}."
        )
    return audiences


def read_scopes(value: object) -> tuple[str, ...]:
    """The scopes of a sign-in, which must have ``openid`` (OpenID Connect Core 1.0, 3.1.2.1)."""
    example = f"for example openid profile email offline_access {EXAMPLE_ID}/.default."
    scopes = _split(value, None)
    if not all(map(_WORD.fullmatch, scopes)):
        raise ValueError(f"has an entry with commas or quotes in it. Separate several by blanks, {example}")
    if scopes and "openid" not in scopes:
        raise ValueError(f"lacks openid, without which nobody signs in. Add it, {example}")
    return scopes


def read_tenants(value: object) -> tuple[str, ...]:
    """Tenant IDs in lower case, with ``function`` where one decides about all others; or ``*`` alone."""
    tenants = tuple(dict.fromkeys(text.lower() for text in _split(value, ",")))
    if tenants != ("*",) and not all(one == FUNCTION or is_tenant_id(one) for one in tenants):
        raise ValueError(
            "holds something that is not a tenant ID. Give GUIDs, separated by commas, "
            f"for example {EXAMPLE_TENANT},{EXAMPLE_ID}, or * alone to let in every tenant; "
            "the word function means that CamundaEntra(tenant_allowed=...) decides."
        )
    return tenants


def read_clients(value: object) -> tuple[str, ...]:
    """Client IDs in lower case."""
    clients = tuple(dict.fromkeys(text.lower() for text in _split(value, ",")))
    if not all(map(_NAME.fullmatch, clients)):
        raise ValueError(
            "holds something that is not a client ID. Give Application (client) IDs, separated by commas, "
            f"for example {EXAMPLE_ID}."
        )
    return clients


def read_credential_file(value: object, others: list[str]) -> Path | None:
    """The path of a file with a credential; its content is checked on use."""
    if value is None:
        return None
    if others:
        raise ValueError(
            f"and {' and '.join(others)} are set, but one proof of who this service is must be enough. "
            "Keep one of them."
        )
    if not isinstance(value, str | Path):
        raise ValueError(f"is {quoted(value)}, not the path of a file.")
    return Path(value)


def read_assertion_algorithm(value: object) -> str:
    """``PS256`` or ``RS256``."""
    algorithm = str(value).upper()
    if algorithm not in {"PS256", "RS256"}:
        raise ValueError("is neither PS256 nor RS256. Leave it out, or set RS256 where Entra wants that.")
    return algorithm


def read_ca_bundle(value: object) -> Path | None:
    """A file with certificates in PEM form, loaded once so that a wrong one is found at start."""
    if value is None:
        return None
    try:
        path = Path(value)  # type: ignore[arg-type]  # a value that is no path is a TypeError
        ssl.create_default_context(cafile=path)
    except (OSError, TypeError, ValueError):  # ssl.SSLError is an OSError
        raise ValueError(
            f"is {quoted(str(value))}, not a readable file of certificates in PEM form. "
            "Give its path, for example /etc/ssl/certs/company-ca.pem."
        ) from None
    return path


def _split(value: object, separator: str | None) -> tuple[str, ...]:
    """The entries of a list, from one text or a sequence; each once, none empty."""
    shape = f"Give one value, or several separated by {'commas' if separator else 'blanks'}."
    if isinstance(value, str):
        entries: list[object] = list(value.split(separator))
    elif isinstance(value, Iterable) and not isinstance(value, bytes | Mapping):
        entries = [entry.get_secret_value() if isinstance(entry, SecretStr) else entry for entry in value]
    else:
        entries = [value]
    texts = [entry.strip() for entry in entries if isinstance(entry, str)]
    if len(texts) < len(entries) or sum(map(len, texts)) > MAX_LIST_CHARACTERS:
        raise ValueError(f"is not text, or is longer than {MAX_LIST_CHARACTERS} characters. {shape}")
    if "" in texts:
        raise ValueError(f"has an empty entry. {shape}")
    return tuple(dict.fromkeys(texts))
