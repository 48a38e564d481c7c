"""Web pages for the small Operate beside this folder: people sign in with Entra and see its incidents.

It reads the six CAMUNDA_IDENTITY_* variables. Run it in the folder above with
``uvicorn operate_web.main:app``. All that ``operate_api`` serves is there as well.
"""

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import Depends, FastAPI, Request
from fastapi.exception_handlers import http_exception_handler
from fastapi.responses import FileResponse, RedirectResponse, Response
from fastapi.templating import Jinja2Templates
from operate_api.main import app as api
from operate_api.main import entra, find, incidents, resolve_incident
from starlette.exceptions import HTTPException

from camunda_entra_fastapi import EntraUser

FOLDER = Path(__file__).parent
ADMIN = "Operate.Admin"

app: FastAPI = api
templates = Jinja2Templates(FOLDER / "templates")

CurrentUser = Annotated[EntraUser, Depends(entra.current_user)]
Admin = Annotated[EntraUser, Depends(entra.require(roles=[ADMIN]))]


def page(request: Request, name: str, user: EntraUser | None, status: int = 200, **values: Any) -> Response:
    """A page with what all pages have: who is signed in, and headers that let it load nothing foreign."""
    values |= {"user": user, "may_resolve": user is not None and user.has_role(ADMIN)}
    response = templates.TemplateResponse(request, name, values, status)
    # Signing out is a form whose answer goes on to Entra, which browsers hold against form-action, too.
    entra_origin = "{0.scheme}://{0.netloc}".format(urlsplit(entra.settings.authorization_url))
    response.headers["Content-Security-Policy"] = (
        f"default-src 'none'; style-src 'self'; form-action 'self' {entra_origin}; "
        "base-uri 'none'; frame-ancestors 'none'"
    )
    response.headers["Cache-Control"] = "no-store"
    return response


@app.get("/", include_in_schema=False)
async def dashboard(request: Request, user: CurrentUser) -> Response:
    """What is waiting for somebody, and what was done."""
    everything = sorted(incidents.values(), key=lambda incident: incident.created, reverse=True)
    return page(
        request,
        "dashboard.html",
        user,
        waiting=[incident for incident in everything if incident.resolved_by is None],
        resolved=[incident for incident in everything if incident.resolved_by is not None],
    )


@app.get("/operate/incidents/{key}", include_in_schema=False)
async def detail(request: Request, key: int, user: CurrentUser) -> Response:
    """One incident, under an address that can be passed on."""
    return page(request, "incident.html", user, incident=find(key))


@app.post("/operate/incidents/{key}/resolve", include_in_schema=False)
async def resolve(request: Request, key: int, user: Admin) -> Response:
    """The button of administrators; then back to the page."""
    await resolve_incident(key, user)
    return RedirectResponse(request.url_for("detail", key=key).path, 303)


@app.get("/operate/style.css", include_in_schema=False)
async def style() -> Response:
    """The one style sheet, for everybody."""
    return FileResponse(FOLDER / "style.css")


@app.exception_handler(404)
async def nothing_here(request: Request, error: Exception) -> Response:
    """A page where a person's browser asked for one; programs get JSON as always."""
    assert isinstance(error, HTTPException)  # noqa: S101 - for type checkers; Starlette knows
    if "text/html" not in request.headers.get("accept", ""):
        return await http_exception_handler(request, error)
    told = "The address may be mistyped, or out of date." if error.detail == "Not Found" else error.detail
    user = getattr(request.state, "user", None)
    return page(request, "nothing_here.html", user, error.status_code, told=told)
