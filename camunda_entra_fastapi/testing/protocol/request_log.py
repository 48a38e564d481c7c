"""The request log: the record of each request, which its endpoint annotates."""

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

from camunda_entra_fastapi.testing.directory import Application, User

SCOPE_KEY: Final = "entra.record"
"""The key of the record in the ASGI scope."""


@dataclass(slots=True)
class RecordedRequest:
    """A request that reached the emulator.

    Attributes:
        method: The HTTP method.
        path: The path.
        query: The query, without the question mark.
        status: The status of the response; 0 while there is none.
        did: The action: the grant type, or the purpose of a page. Empty for documents.
        client: The application's name, once it is known.
        user: The user's name, once it is known.
        error: The AADSTS code with its sentence; empty when there is no error.
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
    record: RecordedRequest = request.scope[SCOPE_KEY]
    return record


def annotate(
    request: Request, *, did: str = "", client: Application | None = None, user: User | None = None
) -> None:
    """Add action, client and user to the record, as far as they are known."""
    record = record_of(request)
    record.did = did or record.did
    record.client = client.name if client else record.client
    record.user = user.name if user else record.user
