"""Redirects of the login pages, for pages whose service worker asks in the browser's place."""

from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from camunda_entra_fastapi.web.page_requests import is_refetched_navigation
from camunda_entra_fastapi.web.pages import is_safe_link, render, texts
from camunda_entra_fastapi.web.pages.branding import branding_of

_OK: Final = 200


def for_service_worker(request: Request, response: Response) -> Response:
    """The response; in a redirect's place a page that goes on by itself, where a service worker asked.

    What a worker fetches by its address follows redirects. To Entra that fails, which is another origin; and
    of this service, browsers show no page that a worker was redirected to (Fetch, 4.3).
    """
    location = response.headers.get("location", "")
    if not is_safe_link(location) or not is_refetched_navigation(request.headers):
        return response
    if request.headers.get("sec-fetch-site") != "same-origin":
        return response  # its own pages' worker alone may read the state of a sign-in
    html, headers = render(texts.go_on(location), branding_of(request))
    page = HTMLResponse(html, _OK, headers | {"Refresh": f"0;url={location}"})
    for value in response.headers.getlist("set-cookie"):
        page.headers.append("Set-Cookie", value)
    return page
