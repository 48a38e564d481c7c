"""Parsing what was pasted: the token in it, or what it is instead of a token. Pure."""

import re
from dataclasses import dataclass, field
from typing import Final

from camunda_entra_fastapi.untrusted_json import parse_object

MAX_CHARACTERS: Final = 64 * 1024
"""The limit of what is read: four of the largest tokens there are."""

_COMPACT: Final = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*){2}(?:\.[A-Za-z0-9_-]*){0,2}")
_CLIENT_SECRET: Final = re.compile(r"[A-Za-z0-9_.~-]{3}\dQ~[A-Za-z0-9_.~-]{31,37}")
_GUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_REFRESH_TOKEN: Final = re.compile(r"[01]\.A[A-Za-z0-9_-]{20,}+.*")
_PERSONAL_ACCOUNT_TOKEN: Final = re.compile(r"M\.[CR]\d+_[A-Za-z0-9][.!*$\w-]*|E[wW][A-Za-z0-9+/=]{100,}")
_TOKEN_MEMBERS: Final = ("access_token", "id_token", "assertion", "token", "refresh_token")

_OPAQUE_FORMS: Final = (
    (
        _CLIENT_SECRET,
        "a client secret",
        "Whoever saw it can act as the application: create a new one and delete it.",
    ),
    (_GUID, "an ID, not a token", "Give the access token that the client sends."),
    (
        _REFRESH_TOKEN,
        "a refresh token or an authorization code of Entra's",
        "Only Entra's token endpoint reads it. Give the access token that came with it.",
    ),
    (
        _PERSONAL_ACCOUNT_TOKEN,
        "a token of a personal Microsoft account, which only Microsoft reads",
        "Ask for a scope of this API, so that the token is one for it.",
    ),
)


@dataclass(frozen=True, slots=True)
class TokenInput:
    """The parsed input.

    Attributes:
        token: The token's text; the whole input, where nothing in it looks like a token.
        notes: What was stripped from around the token.
        opaque: What the input is instead of a JSON Web Token; empty for one.
        remedy: What to do about that.
    """

    token: str = field(repr=False)
    notes: tuple[str, ...] = ()
    opaque: str = ""
    remedy: str = ""


def parse_input(text: str) -> TokenInput:
    """Find the token in a text, with ``Bearer``, quotes, line breaks or a whole token response around it."""
    notes: list[str] = []
    text = _from_json(text.strip().strip("\"'").strip(), notes)
    scheme, _, rest = text.partition(" ")
    if scheme.lower().removesuffix(":") == "authorization":
        scheme, _, rest = rest.strip().partition(" ")
        text = rest if scheme.lower() == "bearer" else text
        notes.append("It stood in an Authorization header.")
    elif scheme.lower() == "bearer":
        text = rest
        notes.append("The word Bearer stood before it.")
    if len(token := "".join(text.split())) < len(text):
        notes.append("Blanks and line breaks in it were left out.")
    token = token.strip("\"',")
    if _COMPACT.fullmatch(token) and not any(pattern.fullmatch(token) for pattern, *_ in _OPAQUE_FORMS):
        return TokenInput(token, tuple(notes))
    return _opaque_input(token, tuple(notes))


def _from_json(text: str, notes: list[str]) -> str:
    members = parse_object(text) if text.startswith("{") else None
    if members is None:
        return text
    for name in _TOKEN_MEMBERS:
        if isinstance(value := members.get(name), str):
            notes.append(f"It stood in the member {name} of a JSON object.")
            return value.strip()
    return text


def _opaque_input(text: str, notes: tuple[str, ...]) -> TokenInput:
    for pattern, description, remedy in _OPAQUE_FORMS:
        if pattern.fullmatch(text):
            return TokenInput(text, notes, description, remedy)
    if text.startswith(("PHNhbW", "PEFzc2VydGlvb", "PD94bWw", "<")):
        return TokenInput(
            text,
            notes,
            "a SAML assertion or other XML",
            "This service speaks OpenID Connect. Register the application for that, and ask for an access "
            "token.",
        )
    if not text:
        return TokenInput(text, notes, "empty", "Give a token, or - to read it from standard input.")
    return TokenInput(
        text,
        notes,
        "no JSON Web Token: it does not consist of parts in base64url with dots between",
        "Give the access_token of Entra's answer, all of it.",
    )
