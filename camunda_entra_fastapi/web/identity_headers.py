"""What a gateway's upstream is told of the user: headers that any text can be put into, and read back from.

A header is Latin-1, in which names of people seldom fit. What does not is percent-encoded UTF-8, as in
RFC 8187, 3.2.1 but without its notation around; so are control characters, spaces at either end, the
percent sign itself, and commas within members of lists. Reading it: split at commas, then percent-decode.
"""

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote

from camunda_entra_fastapi.user import EntraUser
from camunda_entra_fastapi.validation.entra import has_group_overage

MAX_TEXT: Final = 1_024
"""Characters of a single value. A longer one is left out."""
MAX_LIST: Final = 4_096
"""Characters of a list, of which 110 group IDs make use. Tomcat, which Operate runs on, refuses requests
with more than 8 KB of headers; nginx reads answers of 4 KB unless told otherwise."""

USER: Final = "X-Auth-Request-User"
EMAIL: Final = "X-Auth-Request-Email"
PREFERRED_USERNAME: Final = "X-Auth-Request-Preferred-Username"
ROLES: Final = "X-Auth-Request-Roles"
GROUPS: Final = "X-Auth-Request-Groups"
INCOMPLETE: Final = "X-Auth-Request-Incomplete"
ACCESS_TOKEN: Final = "X-Auth-Request-Access-Token"  # noqa: S105 - a header's name
SET_COOKIE: Final = "X-Auth-Request-Set-Cookie-"
"""And a number from 1 on: the values of ``Set-Cookie`` one by one."""

_NOT_PLAIN: Final = re.compile(r"^ +| +$|[^ -~\xa1-\xff]|%")
_NOT_PLAIN_IN_LISTS: Final = re.compile(rf"{_NOT_PLAIN.pattern}|,")


def identity_headers(user: EntraUser) -> dict[str, str]:
    """All headers but the access token; empty where there is nothing to say.

    None is ever absent: some gateways hand on what a client sent under a name that the answer lacks.
    """
    incomplete: list[str] = []
    headers = {
        USER: _text("user", user.oid, incomplete),
        EMAIL: _text("email", user.email, incomplete),
        PREFERRED_USERNAME: _text("preferred_username", user.preferred_username, incomplete),
        ROLES: _list("roles", user.roles, incomplete),
        GROUPS: _list("groups", user.groups, incomplete),
    }
    if has_group_overage(user.claims):  # Entra lists none of them, which does not mean that there are none
        incomplete.append("groups")
    headers[INCOMPLETE] = ",".join(incomplete)
    return headers


def _text(name: str, value: str | None, incomplete: list[str]) -> str:
    encoded = _NOT_PLAIN.sub(_percent_encoded, value or "")
    if len(encoded) <= MAX_TEXT:
        return encoded
    incomplete.append(name)
    return ""


def _list(name: str, values: Iterable[str], incomplete: list[str]) -> str:
    """As many members as there is room for."""
    encoded = ",".join(_NOT_PLAIN_IN_LISTS.sub(_percent_encoded, value) for value in values)
    if len(encoded) <= MAX_LIST:
        return encoded
    incomplete.append(name)
    return encoded[: MAX_LIST + 1].rpartition(",")[0]


def _percent_encoded(match: re.Match[str]) -> str:
    # A lone surrogate cannot be in a verified token; should one ever be, it becomes a question mark.
    return quote(match[0], safe="", errors="replace")
