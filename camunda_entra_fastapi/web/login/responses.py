"""Responses of the login pages: HTML for a browser's navigation, JSON for programs."""

from collections.abc import Iterable, Mapping
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response

from camunda_entra_fastapi.errors import (
    CrossOrigin,
    EntraError,
    EntraUnavailable,
    SessionsUnavailable,
    SignInFailed,
)
from camunda_entra_fastapi.remote.aadsts import explain
from camunda_entra_fastapi.user import EntraUser
from camunda_entra_fastapi.web.challenges import Challenger, ErrorResponse
from camunda_entra_fastapi.web.login.refusals import log_refused_sign_in
from camunda_entra_fastapi.web.page_requests import is_for_page
from camunda_entra_fastapi.web.pages import Page, render, texts
from camunda_entra_fastapi.web.pages.branding import branding_of
from camunda_entra_fastapi.web.refusal_pages import is_for_people, refusal_page

OK: Final = 200
FOUND: Final = 302
SEE_OTHER: Final = 303

_PRIVATE: Final = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
"""The addresses of these pages hold codes and states, which must not leak."""


def redirect(url: str, status: int = FOUND) -> Response:
    """A redirect that no cache keeps."""
    response = RedirectResponse(url, status, _PRIVATE)
    response.headers["Location"] = url  # exactly: it is percent-encoded already
    return response


def set_cookies(response: Response, values: Iterable[str]) -> None:
    """Add ``Set-Cookie`` headers."""
    for value in values:
        response.headers.append("Set-Cookie", value)


def plain_text(status: int, text: str) -> Response:
    """A line of text, which a frame may show."""
    return PlainTextResponse(text, status, _PRIVATE)


def json_error(error_response: ErrorResponse, remedy: str = "") -> Response:
    """The response for programs, in the shape of FastAPI's errors; with the remedy if there is one."""
    detail = {**error_response.detail, **({"remedy": remedy} if remedy else {})}
    return JSONResponse({"detail": detail}, error_response.status, {**error_response.headers, **_PRIVATE})


def refused(request: Request, challenger: Challenger, error: EntraError) -> Response:
    """A request that is refused before it is about any sign-in."""
    error_response = challenger.error_response(error)
    if not is_for_people(request):
        return json_error(error_response)
    return refusal_page(
        request, error, error_response, login_url=None, here="/", client_id=challenger.client_id
    )


def sign_in_failed(
    request: Request,
    challenger: Challenger,
    error: EntraError,
    *,
    retry_url: str,
    restart_url: str | None = None,
    consent_url: str,
    client_id: str,
) -> Response:
    """A sign-in or sign-out that failed, and the remedy."""
    error_response = challenger.error_response(error, request.scope.get("path", ""))
    log_refused_sign_in(error, challenger, request.scope.get("path", ""))
    if isinstance(error, EntraUnavailable | SessionsUnavailable):
        page = _unavailable(error, error_response, retry_url)
    elif error.code == "login_expired":
        page = texts.expired(retry_url, restart_url)
    elif isinstance(error, SignInFailed) and error.remedy:
        page = texts.misconfigured(retry_url, client_id)
    else:
        refusal = error.refusal if isinstance(error, SignInFailed) else None
        page = texts.sign_in_failed(
            refusal,
            error.message,
            retry_url=retry_url,
            admin_consent_url=consent_url if error.code == "consent_required" else None,
            client_id=client_id,
        )
    return _page_or_json(request, page, error_response, _remedy_of(error) or page.remedy)


def signed_out(request: Request, login_url: str) -> Response:
    """The page after signing out at Entra."""
    if not is_for_page(request.headers):
        return plain_text(OK, "Signed out.")
    return _page(request, texts.signed_out(login_url), OK)


def confirm_sign_out(
    request: Request, challenger: Challenger, error: CrossOrigin, logout_url: str, end_session_url: str | None
) -> Response:
    """A question to the user: another site asks to sign out here."""
    error_response = challenger.error_response(error)
    if not is_for_page(request.headers):
        return json_error(error_response)
    # The form redirects to Entra, which the page's Content Security Policy must allow.
    redirects_to = () if end_session_url is None else (end_session_url,)
    page = texts.confirm_sign_out(logout_url)
    return _page(request, page, error_response.status, redirects_to=redirects_to)


def consent_given(request: Request, login_url: str) -> Response:
    """The page after an administrator consented."""
    if not is_for_page(request.headers):
        return plain_text(OK, "Consent was given.")
    return _page(request, texts.consent_given(login_url), OK)


def consent_failed(
    request: Request, challenger: Challenger, error: EntraError, retry_url: str, login_url: str | None
) -> Response:
    """Consent was not given, or this browser did not ask for it.

    ``login_url`` is given where this service did ask: then the answer is an old one, as after Back.
    """
    error_response = challenger.error_response(error)
    if isinstance(error, SignInFailed) and error.refusal is not None:
        page = texts.consent_failed(error.refusal, retry_url)
    elif isinstance(error, EntraUnavailable | SessionsUnavailable):
        page = _unavailable(error, error_response, retry_url)
    elif login_url is not None:
        page = texts.consent_over(login_url, retry_url)
    else:
        page = texts.expired(retry_url)
    return _page_or_json(request, page, error_response, page.remedy)


def _remedy_of(error: EntraError) -> str:
    """The remedy for whoever runs the service, which people are not told."""
    if not isinstance(error, SignInFailed):
        return ""
    return error.remedy or ("" if error.refusal is None else explain(error.refusal).remedy)


def _unavailable(
    error: EntraUnavailable | SessionsUnavailable, error_response: ErrorResponse, retry_url: str
) -> Page:
    refusal = error.refusal if isinstance(error, EntraUnavailable) else None
    return texts.unavailable(error_response.detail["message"], retry_url, refusal)


def _page_or_json(request: Request, page: Page, error_response: ErrorResponse, remedy: str) -> Response:
    """The page for people; programs get the remedy."""
    if is_for_page(request.headers):
        return _page(request, page, error_response.status, error_response.headers)
    return json_error(error_response, remedy)


def _page(
    request: Request,
    page: Page,
    status: int,
    headers: Mapping[str, str] | None = None,
    redirects_to: Iterable[str] = (),
) -> Response:
    html, page_headers = render(page, branding_of(request), redirects_to=redirects_to)
    return HTMLResponse(html, status, {**(headers or {}), **page_headers})


def user_info(user: EntraUser) -> dict[str, object]:
    """The user as JSON."""
    return {
        "name": user.name,
        "preferred_username": user.preferred_username,
        "email": user.email,
        "subject": user.subject,
        "oid": user.oid,
        "tid": user.tid,
        "roles": list(user.roles),
        "groups": list(user.groups),
        "scopes": list(user.scopes),
        "is_app": user.is_app,
        "is_guest": user.is_guest,
        "client_id": user.client_id,
        "expires_at": user.expires_at.isoformat(),
    }
