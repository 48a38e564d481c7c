"""From what somebody pasted to the token in it, and what it is where it is none. Pure."""

import json
import re
from dataclasses import dataclass, field
from typing import Final

MAX_CHARACTERS: Final = 64 * 1024
"""Of what is read. Four of the largest tokens there are."""

_COMPACT: Final = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*){2}(?:\.[A-Za-z0-9_-]*){0,2}")
_SECRET: Final = re.compile(r"[A-Za-z0-9_.~-]{3}\dQ~[A-Za-z0-9_.~-]{31,37}")
_GUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_REFRESH: Final = re.compile(r"[01]\.A[A-Za-z0-9_-]{20,}.*")
_PERSONAL: Final = re.compile(r"M\.[CR]\d+_[A-Za-z0-9]+[.!*$\w-]*|E[wW][A-Za-z0-9+/=]{100,}")
_MEMBERS: Final = ("access_token", "id_token", "assertion", "token", "refresh_token")

_OPAQUE: Final = (
    (
        _SECRET,
        "a client secret",
        "Whoever saw it can act as the application: create a new one and delete it.",
    ),
    (_GUID, "an ID, not a token", "Give the access token that the client sends."),
    (
        _REFRESH,
        "a refresh token or an authorization code of Entra's",
        "Only Entra's token endpoint reads it. Give the access token that came with it.",
    ),
    (
        _PERSONAL,
        "a token of a personal Microsoft account, which only Microsoft reads",
        "Ask for a scope of this API, so that the token is one for it.",
    ),
)


@dataclass(frozen=True, slots=True)
class Given:
    """What was pasted.

    Attributes:
        token: The token's text, or all of it where nothing in it looks like one.
        notes: What was taken away around it.
        opaque: What it is instead of a token that can be read; empty for one that can.
        remedy: What to do about that.
    """

    token: str = field(repr=False)
    notes: tuple[str, ...] = ()
    opaque: str = ""
    remedy: str = ""


def read_given(text: str) -> Given:
    """The token in a text: with ``Bearer``, quotes, line breaks or Entra's whole answer around it."""
    notes: list[str] = []
    text = _out_of_json(text.strip().strip("\"'").strip(), notes)
    scheme, _, rest = text.partition(" ")
    if scheme.lower().removesuffix(":") == "authorization":
        scheme, _, rest = rest.strip().partition(" ")
        text = rest if scheme.lower() == "bearer" else text
        notes.append("It stood in an Authorization header.")
    elif scheme.lower() == "bearer":
        text = rest
        notes.append("The word Bearer stood before it.")
    if len(joined := "".join(text.split())) < len(text):
        notes.append("Blanks and line breaks in it were left out.")
    joined = joined.strip("\"',")
    if _COMPACT.fullmatch(joined) and not any(form.fullmatch(joined) for form, *_ in _OPAQUE):
        return Given(joined, tuple(notes))
    return _opaque(joined, tuple(notes))


def _out_of_json(text: str, notes: list[str]) -> str:
    if not text.startswith("{"):
        return text
    try:
        members = json.loads(text)
    except (ValueError, RecursionError):
        return text
    for name in _MEMBERS:
        if isinstance(value := members.get(name), str):
            notes.append(f"It stood in the member {name} of a JSON object.")
            return value.strip()
    return text


def _opaque(text: str, notes: tuple[str, ...]) -> Given:
    for form, what, remedy in _OPAQUE:
        if form.fullmatch(text):
            return Given(text, notes, what, remedy)
    if text.startswith(("PHNhbW", "PEFzc2VydGlvb", "PD94bWw", "<")):
        return Given(
            text,
            notes,
            "a SAML assertion or other XML",
            "This service speaks OpenID Connect. Register the application for that, and ask for an access "
            "token.",
        )
    if not text:
        return Given(text, notes, "empty", "Give a token, or - to read it from standard input.")
    return Given(
        text,
        notes,
        "no JSON Web Token: it does not consist of parts in base64url with dots between",
        "Give the access_token of Entra's answer, all of it.",
    )
