"""Authorization responses to the redirect URI, and the error page for errors that must not be sent there."""

import re
from collections.abc import Mapping
from urllib.parse import quote_plus, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from camunda_entra_fastapi.testing.pages import render
from camunda_entra_fastapi.testing.pages.titles import title_of
from camunda_entra_fastapi.testing.protocol.aadsts import AadstsError, diagnostic_headers, error_members
from camunda_entra_fastapi.testing.protocol.authorize import response_mode_of


def authorization_response(
    redirect_uri: str, mode: str, members: Mapping[str, str], encoded: str | None = None
) -> Response:
    """A redirect with the members in query or fragment, or a page that posts them."""
    if mode == "form_post":
        return render("form_post.html", title="Signing in", action=redirect_uri, answer=members)
    if not urlsplit(redirect_uri).path:
        redirect_uri += "/"  # Entra adds it (Learn: reply URLs)
    separator = "#" if mode == "fragment" else "&" if "?" in redirect_uri else "?"
    return RedirectResponse(f"{redirect_uri}{separator}{encoded or urlencode(members)}", 302)


def authorization_error_response(
    problem: AadstsError, request: Request, redirect_uri: str, parameters: Mapping[str, str], now: float
) -> Response:
    """The error, sent to the redirect URI in Entra's spelling: lower-case escapes, ``state`` last."""
    members = error_members(problem, request, now)
    names = ("error", "error_description", "error_uri", "claims")
    selected = {name: members[name] for name in names if name in members}
    return _entra_spelled_response(redirect_uri, parameters, selected)


def authorization_cancelled_response(redirect_uri: str, parameters: Mapping[str, str]) -> Response:
    """The error when the user cancels: neither a number nor a description."""
    members = {"error": "access_denied", "error_subcode": "cancel"}
    return _entra_spelled_response(redirect_uri, parameters, members)


def error_page(
    problem: AadstsError,
    request: Request,
    now: float,
    *,
    title: str = "",
    retry: Mapping[str, str] | None = None,
) -> HTMLResponse:
    """The error page, when the error cannot be sent to the redirect URI; with status 200 like Entra's.

    ``retry`` has the parameters of the same request with another account.
    """
    members = error_members(problem, request, now)
    title = title or title_of(problem.code)
    page = render("error.html", title=title, problem=problem, members=members, retry=retry)
    page.headers.update(diagnostic_headers(problem.code, members["trace_id"]))
    return page


def _entra_spelled_response(
    redirect_uri: str, parameters: Mapping[str, str], members: dict[str, str]
) -> Response:
    if "state" in parameters:
        members["state"] = parameters["state"]
    encoded = "&".join(f"{name}={_entra_quote(value)}" for name, value in members.items())
    return authorization_response(redirect_uri, response_mode_of(parameters), members, encoded)


def _entra_quote(value: str) -> str:
    return re.sub(r"%[0-9A-F]{2}", lambda match: match[0].lower(), quote_plus(value))
