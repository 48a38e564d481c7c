"""What a request's handler tells the request log."""

from typing import Final

from starlette.requests import Request

from camunda_entra_fastapi.testing.directory import Application, User
from camunda_entra_fastapi.testing.reaching import RecordedRequest

KEY: Final = "entra.record"
"""Where the record is in the ASGI scope."""


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
