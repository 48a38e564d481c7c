"""Requests to Microsoft Graph: OData's query options, and JSON bodies.

The rules are Learn's: query parameters, paging, and advanced query capabilities of Microsoft Graph.
"""

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request

from camunda_entra_fastapi.testing.directory import Group
from camunda_entra_fastapi.testing.endpoints.graph.responses import GraphError, bad_request
from camunda_entra_fastapi.testing.protocol.keys import base64url
from camunda_entra_fastapi.testing.protocol.parameters import read_body

DEFAULT_PAGE: Final = 100
MAX_IDS_TO_CHECK: Final = 20

_CONDITION: Final = re.compile(r"(\w{1,40}) eq '((?:[^']|''){0,256})'")
_NOT_EMULATED: Final = ("apply", "compute", "expand", "filter", "orderby", "search", "skip")


@dataclass(frozen=True, slots=True)
class Query:
    """The query options of a request.

    Attributes:
        select: The selected properties; none for the default ones.
        top: The greatest number of objects on a page.
        count: Whether the number of all objects is requested.
        skip_token: The beginning of the page; None for the first one.
        advanced: Whether it is an advanced query, by ``ConsistencyLevel: eventual`` and ``$count=true``.
    """

    select: tuple[str, ...] = ()
    top: int = DEFAULT_PAGE
    count: bool = False
    skip_token: str | None = None
    advanced: bool = False

    def next_page(self, skip_token: str) -> str:
        """The query string of the page that begins there."""
        options = {
            "$count": "true" if self.count else None,
            "$select": ",".join(self.select) or None,
            "$top": str(self.top) if self.top != DEFAULT_PAGE else None,
            "$skiptoken": skip_token,
        }
        sent = {name: value for name, value in options.items() if value is not None}
        return urlencode(sent, safe="$,")


def parse_query(request: Request) -> Query:
    """The query options; the dollar sign is optional, and other parameters are ignored.

    Raises:
        GraphError: An option is repeated, has a wrong value, or is not emulated.
    """
    options: dict[str, str] = {}
    for option, value in request.query_params.multi_items():
        name = option.removeprefix("$").lower()
        if name in options:
            raise bad_request(f"The query option ${name} is there more than once.")
        if name in _NOT_EMULATED:
            raise bad_request(
                f"The emulator does not know ${name}; Microsoft Graph may.", "Request_UnsupportedQuery"
            )
        options[name] = value
    count = _parse_count(options.get("count", "false"))
    eventual = request.headers.get("consistencylevel", "").lower() == "eventual"
    select = (name.strip() for name in options.get("select", "").split(","))
    return Query(
        tuple(dict.fromkeys(name for name in select if name)),
        _parse_top(options.get("top", str(DEFAULT_PAGE))),
        count,
        options.get("skiptoken"),
        advanced=count and eventual,
    )


def page_of(groups: Sequence[Group], query: Query) -> tuple[Sequence[Group], str | None]:
    """The requested page, and the skip token of the next one (None after the last page).

    Raises:
        GraphError: The skip token of the query is unknown.
    """
    begin: int | None = 0
    if query.skip_token is not None:
        # The token names a group, so that pages stay right when other groups come and go between them.
        positions = (index for index, group in enumerate(groups) if _skip_token_of(group) == query.skip_token)
        begin = next(positions, None)
    if begin is None:
        raise bad_request(
            "The page that $skiptoken stands for is not there. Begin again with the first page, and follow "
            "@odata.nextLink as it is.",
            "Directory_ExpiredPageToken",
        )
    end = begin + query.top
    return groups[begin:end], _skip_token_of(groups[end]) if end < len(groups) else None


async def body_parameter(request: Request, parameter: str) -> Any:
    """The value of the only parameter that the body must have.

    Raises:
        GraphError: The body is too large, or not JSON with that parameter alone.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise bad_request("A request with a body needs the header 'Content-Type: application/json'.")
    members = await _json_of(request, bad_request("The body is not JSON."))
    if not isinstance(members, dict) or parameter not in members:
        raise bad_request(f"The body must be a JSON object with the parameter '{parameter}'.")
    if unknown := [name for name in members if name != parameter]:
        raise bad_request(f"The body has the parameter '{unknown[0][:100]}', which is not known here.")
    return members[parameter]


async def security_only_of(request: Request) -> bool:
    """``securityEnabledOnly`` of a body.

    Raises:
        GraphError: It is missing, or neither true nor false.
    """
    value = await body_parameter(request, "securityEnabledOnly")
    if not isinstance(value, bool):
        raise bad_request("The parameter 'securityEnabledOnly' must be true or false.")
    return value


async def group_ids_of(request: Request) -> list[str]:
    """``groupIds`` of a body, in lower case.

    Raises:
        GraphError: It is missing, has more than 20 members, or something that is no GUID.
    """
    values = await body_parameter(request, "groupIds")
    if not isinstance(values, list) or len(values) > MAX_IDS_TO_CHECK:
        raise bad_request(f"The parameter 'groupIds' must be a list of at most {MAX_IDS_TO_CHECK} group IDs.")
    try:
        return [str(uuid.UUID(each)) for each in values]
    except (ValueError, AttributeError, TypeError):
        raise bad_request("The parameter 'groupIds' must hold object IDs, which are GUIDs.") from None


def parse_filter(request: Request, known: tuple[str, ...]) -> dict[str, str]:
    """``$filter`` with conditions ``name eq 'value'``, joined by ``and``.

    Raises:
        GraphError: It is another expression.
    """
    conditions: dict[str, str] = {}
    for part in filter(None, request.query_params.get("$filter", "").split(" and ")):
        found = _CONDITION.fullmatch(part.strip())
        if found is None or found[1] not in known:
            raise bad_request(f"The emulator filters by {', '.join(known)} alone, with eq and and.")
        conditions[found[1]] = found[2].replace("''", "'")
    return conditions


def matches(members: Mapping[str, Any], conditions: dict[str, str]) -> bool:
    """Whether an object fulfils the conditions of a filter."""
    return all(str(members.get(name)).lower() == value.lower() for name, value in conditions.items())


async def body_members(request: Request, known: tuple[str, ...]) -> dict[str, Any]:
    """The members of a body, of which none is required.

    Raises:
        GraphError: The body is too large, no JSON object, or has an unknown member.
    """
    members = await _json_of(request, bad_request("Unable to read JSON request payload.", "BadRequest"))
    if not isinstance(members, dict):
        raise bad_request("The body must be a JSON object.", "BadRequest")
    if unknown := [name for name in members if name not in known]:
        raise bad_request(f"The property '{unknown[0][:100]}' does not exist, or is not known here.")
    return members


async def _json_of(request: Request, malformed: GraphError) -> Any:
    try:
        body = await read_body(request)
    except ValueError as error:
        raise bad_request(str(error)) from None
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise malformed from None


def _parse_top(value: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,2}", value):
        raise bad_request("The query option $top must be a whole number from 1 to 999.")
    return int(value)


def _parse_count(value: str) -> bool:
    if value not in ("true", "false"):
        raise bad_request("The query option $count must be true or false.")
    return value == "true"


def _skip_token_of(group: Group) -> str:
    return base64url(uuid.UUID(group.id).bytes)
