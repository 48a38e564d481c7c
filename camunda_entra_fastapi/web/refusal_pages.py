"""A refused request's response for people in a browser; programs get JSON."""

from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse

from camunda_entra_fastapi.errors import EntraError, InsufficientClaims
from camunda_entra_fastapi.sign_in.step_up import MAX_CLAIMS, encode_claims
from camunda_entra_fastapi.web.challenges import ErrorResponse
from camunda_entra_fastapi.web.page_requests import is_for_page
from camunda_entra_fastapi.web.pages import is_safe_link, render
from camunda_entra_fastapi.web.pages.branding import branding_of
from camunda_entra_fastapi.web.pages.refusals import Visitor, refused


def is_for_people(request: HTTPConnection) -> bool:
    """Whether a person reads the response: a browser navigates, and no program says who it is.

    A service worker may ask in the browser's place.

    Browsers send no bearer token with a navigation, so whoever sends ``Authorization`` is a program.
    """
    return (
        request.scope["type"] == "http"
        and is_for_page(request.headers)
        and "authorization" not in request.headers
    )


def refusal_page(
    request: HTTPConnection,
    error: EntraError,
    error_response: ErrorResponse,
    *,
    login_url: str | None,
    here: str,
    client_id: str,
) -> HTMLResponse:
    """The page for a refused request, with all headers that programs get.

    Args:
        request: The request.
        error: Why it is refused.
        error_response: The response for programs.
        login_url: Where one signs in and comes back; None without login pages.
        here: The page that was asked for; ``/`` takes its place where browsers could read another site in it.
        client_id: The application's ID.
    """
    if login_url is not None and isinstance(error, InsufficientClaims):
        claims = encode_claims(error.claims)
        login_url += f"&claims={claims}" if len(claims) <= MAX_CLAIMS else ""
    visitor = Visitor(login_url, here if is_safe_link(here) else "/", _account_of(request), client_id)
    page = refused(error, error_response.detail["message"], visitor)
    html, headers = render(page, branding_of(request))
    return HTMLResponse(html, error_response.status, {**error_response.headers, **headers})


def _account_of(request: HTTPConnection) -> str:
    """The user name of who is signed in; empty where the request was refused before that was known."""
    user = request.scope.get("state", {}).get("user")
    return str(getattr(user, "preferred_username", None) or getattr(user, "name", None) or "")
