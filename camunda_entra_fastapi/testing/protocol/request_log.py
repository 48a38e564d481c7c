"""The request log: what is recorded of a request, and what its handler adds."""

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

from camunda_entra_fastapi.testing.directory import Application, User

KEY: Final = "entra.record"
"""Where the record is in the ASGI scope."""


@dataclass(slots=True)
class RecordedRequest:
    """A request that reached the emulator.

    Attributes:
        method: The HTTP method.
        path: The path.
        query: The query, without the question mark.
        status: The status of the answer; 0 while there is none.
        did: What was asked for: the grant type, or what a page is for. Empty for documents.
        client: The application's name, once it is known.
        user: The person's name, once it is known.
        error: The AADSTS code with its sentence; empty when all went well.
    """

    method: str
    path: str
    query: str
    status: int = 0
    did: str = ""
    client: str = ""
    user: str = ""
    error: str = ""


def record_of(request: Request) -> RecordedRequest:
    """The record of a request that came through ``EntraEmulator``."""
    record: RecordedRequest = request.scope[KEY]
    return record


def tell(
    request: Request, *, did: str = "", client: Application | None = None, user: User | None = None
) -> None:
    """Tell what is going on, as far as it is known."""
    record = record_of(request)
    record.did = did or record.did
    record.client = client.name if client else record.client
    record.user = user.name if user else record.user
