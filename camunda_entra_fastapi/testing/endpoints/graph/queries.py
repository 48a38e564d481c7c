"""What a request to Microsoft Graph says besides its path: OData's query options, and JSON bodies.

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
from camunda_entra_fastapi.testing.endpoints.graph.responses import bad_request
from camunda_entra_fastapi.testing.protocol.keys import base64url

MAX_BODY_BYTES: Final = 64 * 1024
DEFAULT_PAGE: Final = 100
MAX_IDS_TO_CHECK: Final = 20

_CONDITION: Final = re.compile(r"(\w{1,40}) eq '((?:[^']|''){0,256})'")
_NOT_EMULATED: Final = ("apply", "compute", "expand", "filter", "orderby", "search", "skip")


@dataclass(frozen=True, slots=True)
class Query:
    """The query options of a request.

    Attributes:
        select: The properties that are asked for; none for those that come without asking.
        top: How many objects a page holds at most.
        count: Whether the number of all objects is asked for.
        skip_token: Where the page begins; None for the first one.
        advanced: Whether it is an advanced query, by ``ConsistencyLevel: eventual`` and ``$count=true``.
    """

    select: tuple[str, ...] = ()
    top: int = DEFAULT_PAGE
    count: bool = False
    skip_token: str | None = None
    advanced: bool = False

    def next_page(self, skip_token: str) -> str:
        """The query of the page that begins there."""
        options = {
            "$count": "true" if self.count else None,
            "$select": ",".join(self.select) or None,
            "$top": str(self.top) if self.top != DEFAULT_PAGE else None,
            "$skiptoken": skip_token,
        }
        told = {name: value for name, value in options.items() if value is not None}
        return urlencode(told, safe="$,")


def read_query(request: Request) -> Query:
    """The query options; their dollar sign may be left out, and what is no option of OData's is ignored.

    Raises:
        GraphError: An option is there twice, has a wrong value, or is not emulated.
    """
    options: dict[str, str] = {}
    for written, value in request.query_params.multi_items():
        name = written.removeprefix("$").lower()
        if name in options:
            raise bad_request(f"The query option ${name} is there more than once.")
        if name in _NOT_EMULATED:
            raise bad_request(
                f"The emulator does not know ${name}; Microsoft Graph may.", "Request_UnsupportedQuery"
            )
        options[name] = value
    count = _count_of(options.get("count", "false"))
    eventual = request.headers.get("consistencylevel", "").lower() == "eventual"
    select = (name.strip() for name in options.get("select", "").split(","))
    return Query(
        tuple(dict.fromkeys(name for name in select if name)),
        _top_of(options.get("top", str(DEFAULT_PAGE))),
        count,
        options.get("skiptoken"),
        advanced=count and eventual,
    )


def page_of(groups: Sequence[Group], query: Query) -> tuple[Sequence[Group], str | None]:
    """The page that is asked for, and where the next one begins (None after the last one).

    Raises:
        GraphError: The page begins where nothing is.
    """
    begin: int | None = 0
    if query.skip_token is not None:
        # A place is where a group is, so that pages stay right when others come and go between them.
        places = (index for index, group in enumerate(groups) if _place_of(group) == query.skip_token)
        begin = next(places, None)
    if begin is None:
        raise bad_request(
            "The page that $skiptoken stands for is not there. Begin again with the first page, and follow "
            "@odata.nextLink as it is.",
            "Directory_ExpiredPageToken",
        )
    end = begin + query.top
    return groups[begin:end], _place_of(groups[end]) if end < len(groups) else None


async def body_of(request: Request, parameter: str) -> Any:
    """The one parameter that a body must have.

    Raises:
        GraphError: The body is too large, or not JSON with that parameter alone.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise bad_request("A request with a body needs the header 'Content-Type: application/json'.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise bad_request(f"The body is larger than {MAX_BODY_BYTES} bytes.")
    try:
        members = json.loads(body)
    except (ValueError, RecursionError):
        raise bad_request("The body is not JSON.") from None
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
    wanted = await body_of(request, "securityEnabledOnly")
    if not isinstance(wanted, bool):
        raise bad_request("The parameter 'securityEnabledOnly' must be true or false.")
    return wanted


async def group_ids_of(request: Request) -> list[str]:
    """``groupIds`` of a body, in lower case.

    Raises:
        GraphError: It is missing, has more than 20 members, or something that is no GUID.
    """
    wanted = await body_of(request, "groupIds")
    if not isinstance(wanted, list) or len(wanted) > MAX_IDS_TO_CHECK:
        raise bad_request(f"The parameter 'groupIds' must be a list of at most {MAX_IDS_TO_CHECK} group IDs.")
    try:
        return [str(uuid.UUID(each)) for each in wanted]
    except (ValueError, AttributeError, TypeError):
        raise bad_request("The parameter 'groupIds' must hold object IDs, which are GUIDs.") from None


def filter_of(request: Request, known: tuple[str, ...]) -> dict[str, str]:
    """``$filter``, as far as it is ``name eq 'value'``, perhaps several with ``and``.

    Raises:
        GraphError: It is anything else.
    """
    wanted: dict[str, str] = {}
    for part in filter(None, request.query_params.get("$filter", "").split(" and ")):
        found = _CONDITION.fullmatch(part.strip())
        if found is None or found[1] not in known:
            raise bad_request(f"The emulator filters by {', '.join(known)} alone, with eq and and.")
        wanted[found[1]] = found[2].replace("''", "'")
    return wanted


def fits(members: Mapping[str, Any], wanted: dict[str, str]) -> bool:
    """Whether an object is one of those that are asked for."""
    return all(str(members.get(name)).lower() == value.lower() for name, value in wanted.items())


async def members_of(request: Request, known: tuple[str, ...]) -> dict[str, Any]:
    """The members of a body that may have several.

    Raises:
        GraphError: The body is too large, no JSON object, or has a member that is not known.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise bad_request(f"The body is larger than {MAX_BODY_BYTES} bytes.")
    try:
        members = json.loads(body)
    except (ValueError, RecursionError):
        raise bad_request("Unable to read JSON request payload.", "BadRequest") from None
    if not isinstance(members, dict):
        raise bad_request("The body must be a JSON object.", "BadRequest")
    if unknown := [name for name in members if name not in known]:
        raise bad_request(f"The property '{unknown[0][:100]}' does not exist, or is not known here.")
    return members


def _top_of(value: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,2}", value):
        raise bad_request("The query option $top must be a whole number from 1 to 999.")
    return int(value)


def _count_of(value: str) -> bool:
    if value not in ("true", "false"):
        raise bad_request("The query option $count must be true or false.")
    return value == "true"


def _place_of(group: Group) -> str:
    return base64url(uuid.UUID(group.id).bytes)
