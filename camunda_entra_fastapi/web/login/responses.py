"""Answers of the login pages: a page where a person's browser asks, JSON for programs."""

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
from camunda_entra_fastapi.user import EntraUser
from camunda_entra_fastapi.web.challenges import Challenger, ErrorResponse
from camunda_entra_fastapi.web.login.pages import Page, render, texts
from camunda_entra_fastapi.web.public_url import is_navigation

OK: Final = 200
FOUND: Final = 302
SEE_OTHER: Final = 303

_PRIVATE: Final = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
"""Codes and states stand in addresses around here, which are nobody else's business."""


def redirect(url: str, status: int = FOUND) -> Response:
    """To another page, which no cache remembers."""
    response = RedirectResponse(url, status, _PRIVATE)
    response.headers["Location"] = url  # exactly: it is percent-encoded already
    return response


def set_cookies(response: Response, values: Iterable[str]) -> None:
    """Add ``Set-Cookie`` headers."""
    for value in values:
        response.headers.append("Set-Cookie", value)


def plain(status: int, text: str) -> Response:
    """A line of text, which may be shown in a frame."""
    return PlainTextResponse(text, status, _PRIVATE)


def as_json(answer: ErrorResponse) -> Response:
    """What programs get, in the shape of FastAPI's errors."""
    return JSONResponse({"detail": answer.detail}, answer.status, {**answer.headers, **_PRIVATE})


def refused(
    request: Request,
    challenger: Challenger,
    error: EntraError,
    *,
    retry_url: str,
    consent_url: str,
    client_id: str,
) -> Response:
    """A sign-in, or sign-out, that did not work, and what to do about it."""
    answer = challenger.answer(error)
    if not is_navigation(request.headers):
        return as_json(answer)
    if isinstance(error, EntraUnavailable | SessionsUnavailable):
        page = texts.unavailable(error.message, retry_url)
    elif error.code == "login_expired":
        page = texts.expired(retry_url)
    else:
        refusal = error.refusal if isinstance(error, SignInFailed) else None
        page = texts.refused(
            refusal,
            error.message,
            retry_url=retry_url,
            admin_consent_url=consent_url if error.code == "consent_required" else None,
            client_id=client_id,
        )
    return _page(page, answer.status, answer.headers)


def signed_out(request: Request, login_url: str) -> Response:
    """Somebody came back from signing out."""
    if not is_navigation(request.headers):
        return plain(OK, "Signed out.")
    return _page(texts.signed_out(login_url), OK)


def confirm_sign_out(
    request: Request, challenger: Challenger, error: CrossOrigin, logout_url: str, end_session_url: str
) -> Response:
    """Another site wants somebody signed out here; the person decides."""
    answer = challenger.answer(error)
    if not is_navigation(request.headers):
        return as_json(answer)
    # The form's answer redirects to Entra, which the page's policy must allow.
    return _page(texts.confirm_sign_out(logout_url), answer.status, redirects_to=(end_session_url,))


def consent_given(request: Request, login_url: str) -> Response:
    """An administrator consented."""
    if not is_navigation(request.headers):
        return plain(OK, "Consent was given.")
    return _page(texts.consent_given(login_url), OK)


def consent_failed(request: Request, challenger: Challenger, error: EntraError, retry_url: str) -> Response:
    """Consent was not given, or nobody asked for it here."""
    answer = challenger.answer(error)
    if not is_navigation(request.headers):
        return as_json(answer)
    if isinstance(error, SignInFailed) and error.refusal is not None:
        page = texts.consent_failed(error.refusal, retry_url)
    elif isinstance(error, SignInFailed):
        page = texts.expired(retry_url)
    else:
        page = texts.unavailable(error.message, retry_url)
    return _page(page, answer.status)


def _page(
    page: Page, status: int, headers: Mapping[str, str] | None = None, redirects_to: Iterable[str] = ()
) -> Response:
    html, own = render(page, redirects_to=redirects_to)
    return HTMLResponse(html, status, {**(headers or {}), **own})


def described(user: EntraUser) -> dict[str, object]:
    """Who is signed in, for JSON."""
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
