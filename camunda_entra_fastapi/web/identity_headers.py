"""Headers that describe the user to the upstream of a gateway. They can hold any text.

A header is Latin-1, which has no room for many names. Other characters are percent-encoded UTF-8, as in
RFC 8187, 3.2.1 but without its notation around them. So are control characters, spaces at either end, the
percent sign itself, and commas within members of lists. To read a list, split at commas, then percent-decode.
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
"""Characters of a list; enough for 110 group IDs. Tomcat, which Operate runs on, refuses requests
with more than 8 KB of headers; nginx reads responses of 4 KB unless configured otherwise."""

USER: Final = "X-Auth-Request-User"
TENANT: Final = "X-Auth-Request-Tenant"
"""With ``USER`` together the key of a user: an object ID is unique within its tenant only (Learn: secure
applications and APIs by validating claims)."""
EMAIL: Final = "X-Auth-Request-Email"
PREFERRED_USERNAME: Final = "X-Auth-Request-Preferred-Username"
ROLES: Final = "X-Auth-Request-Roles"
GROUPS: Final = "X-Auth-Request-Groups"
INCOMPLETE: Final = "X-Auth-Request-Incomplete"
ACCESS_TOKEN: Final = "X-Auth-Request-Access-Token"  # noqa: S105 - a header's name
SET_COOKIE: Final = "X-Auth-Request-Set-Cookie-"
"""With a number from 1 on behind it: the values of ``Set-Cookie`` one by one."""

_TO_ENCODE: Final = re.compile(r"^ +|(?<! ) +$|[^ -~\xa1-\xff]|%")
_TO_ENCODE_IN_LISTS: Final = re.compile(rf"{_TO_ENCODE.pattern}|,")


def identity_headers(user: EntraUser) -> dict[str, str]:
    """All headers but the access token; empty where the user has no such claim.

    None is ever absent: for a header that the response lacks, some gateways pass on the client's.
    """
    incomplete: list[str] = []
    headers = {
        USER: _text("user", user.oid, incomplete),
        TENANT: _text("tenant", user.tid, incomplete),
        EMAIL: _text("email", user.email, incomplete),
        PREFERRED_USERNAME: _text("preferred_username", user.preferred_username, incomplete),
        ROLES: _list("roles", user.roles, incomplete),
        GROUPS: _list("groups", user.groups, incomplete),
    }
    if has_group_overage(user.claims):  # the token lists none, although there are many
        incomplete.append("groups")
    headers[INCOMPLETE] = ",".join(incomplete)
    return headers


def _text(name: str, value: str | None, incomplete: list[str]) -> str:
    encoded = _TO_ENCODE.sub(_percent_encoded, value or "")
    if len(encoded) <= MAX_TEXT:
        return encoded
    incomplete.append(name)
    return ""


def _list(name: str, values: Iterable[str], incomplete: list[str]) -> str:
    """The members that fit into the header."""
    encoded = ",".join(_TO_ENCODE_IN_LISTS.sub(_percent_encoded, value) for value in values)
    if len(encoded) <= MAX_LIST:
        return encoded
    incomplete.append(name)
    return encoded[: MAX_LIST + 1].rpartition(",")[0]


def _percent_encoded(match: re.Match[str]) -> str:
    # A verified token holds no lone surrogate; if one ever did, it would become a question mark.
    return quote(match[0], safe="", errors="replace")
