"""What is wrong with an Authorization header that was spelled by hand: words for its sender (RFC 6750, 2.1).

Statuses and codes are decided elsewhere. Nothing of the header is repeated, as any part may be a secret.
"""

from typing import Final

from camunda_entra_fastapi.errors import CredentialsMissing

_BEGIN: Final = b"eyJ"
"""The first characters of each JSON Web Token: a brace and a quotation mark, in base64url."""
_QUOTES: Final = b"\"'"
_FORM: Final = "The right form is Authorization: Bearer <token>."


def missing_credentials(credentials: bytes | None) -> CredentialsMissing:
    """The error for a request without a bearer token, whose Authorization header may hold something else."""
    credentials = (credentials or b"").strip()
    if not credentials:
        return CredentialsMissing()
    if credentials.lstrip(_QUOTES).startswith(_BEGIN) and b" " not in credentials:
        return CredentialsMissing(
            f"The Authorization header has no scheme: write Bearer before the token. {_FORM}"
        )
    if credentials.strip(_QUOTES)[: len(b"bearer ")].lower() == b"bearer ":
        return CredentialsMissing(
            f"The Authorization header begins with a quotation mark: write it without. {_FORM}"
        )
    return CredentialsMissing(f"The Authorization header has another scheme than Bearer, or none. {_FORM}")


def explanation_of(token: bytes) -> str:
    """What is wrong with how a token was spelled that cannot be read; empty where nothing is seen."""
    begin = token[:7].lower()
    if begin == b"bearer ":
        problem = "begins with the word Bearer: the header has it twice"
    elif begin == b"bearer:":
        problem = "begins with a second Bearer, and a colon"
    elif token[:1] in _QUOTES or token[-1:] in _QUOTES:
        problem = "stands in quotation marks"
    elif token.find(b",") >= 0:  # "in" takes ten times as long
        problem = "is followed by a comma: the header holds several values, as where two headers were joined"
    elif token.find(b" ") >= 0:
        problem = "has blanks or line breaks in it, as where it was copied from several lines"
    else:
        return ""
    return f"The token in the Authorization header {problem}. {_FORM}"
