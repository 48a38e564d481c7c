"""Answers to the application that sent a person, and the page for what no application may be told."""

import re
from collections.abc import Mapping
from urllib.parse import quote_plus, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from camunda_entra_fastapi.testing.pages import render
from camunda_entra_fastapi.testing.protocol.aadsts import Aadsts, error_members, request_headers
from camunda_entra_fastapi.testing.protocol.authorize import response_mode_of


def answer_to(
    redirect_uri: str, mode: str, members: Mapping[str, str], encoded: str | None = None
) -> Response:
    """A redirect with the members behind ``?`` or ``#``, or a page that posts them."""
    if mode == "form_post":
        return render("form_post.html", title="Signing in", action=redirect_uri, answer=members)
    if not urlsplit(redirect_uri).path:
        redirect_uri += "/"  # Entra adds it (Learn: reply URLs)
    mark = "#" if mode == "fragment" else "&" if "?" in redirect_uri else "?"
    return RedirectResponse(f"{redirect_uri}{mark}{encoded or urlencode(members)}", 302)


def answer_error(
    problem: Aadsts, request: Request, redirect_uri: str, parameters: Mapping[str, str], now: float
) -> Response:
    """The error, sent to the application in Entra's spelling: lower-case escapes, ``state`` last."""
    members = error_members(problem, request, now)
    told = ("error", "error_description", "error_uri", "claims")
    wanted = {name: members[name] for name in told if name in members}
    return _answer_in_entras_spelling(redirect_uri, parameters, wanted)


def answer_cancelled(redirect_uri: str, parameters: Mapping[str, str]) -> Response:
    """What an application hears when a person turns away: no code, and no words."""
    members = {"error": "access_denied", "error_subcode": "cancel"}
    return _answer_in_entras_spelling(redirect_uri, parameters, members)


def error_page(
    problem: Aadsts,
    request: Request,
    now: float,
    *,
    title: str = "",
    again: Mapping[str, str] | None = None,
) -> HTMLResponse:
    """What people see when the application cannot be told; like Entra's, with status 200.

    ``again`` is the request that lets somebody else try.
    """
    members = error_members(problem, request, now)
    title = title or "Sorry, this does not work"
    page = render("error.html", title=title, problem=problem, members=members, again=again)
    page.headers.update(request_headers(problem.code, members["trace_id"]))
    return page


def _answer_in_entras_spelling(
    redirect_uri: str, parameters: Mapping[str, str], members: dict[str, str]
) -> Response:
    if "state" in parameters:
        members["state"] = parameters["state"]
    encoded = "&".join(f"{name}={_entra_quote(value)}" for name, value in members.items())
    return answer_to(redirect_uri, response_mode_of(parameters), members, encoded)


def _entra_quote(value: str) -> str:
    return re.sub(r"%[0-9A-F]{2}", lambda match: match[0].lower(), quote_plus(value))
