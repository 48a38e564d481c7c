"""Requests for pages that are no navigations: those of htmx, and those of a page's service worker.

A redirect to Entra is no use to either. Browsers follow it by themselves, and Entra's page is of another
origin, which scripts may not read.
"""

from collections.abc import Mapping
from typing import Final

from starlette.requests import HTTPConnection

from camunda_entra_fastapi.web.public_url import SAFE_METHODS, PublicUrl, is_navigation

HX_REDIRECT: Final = "HX-Redirect"
"""htmx goes there, whatever the status of the response (htmx: response headers)."""
_REFETCHED: Final = ("cors", "same-origin")
"""Modes of what a worker fetches by the address of a navigation, or as a request made of it (Fetch, 5.4)."""
_OF_DOCUMENTS: Final = ("document", "empty")


def is_htmx(headers: Mapping[str, str]) -> bool:
    """Whether htmx asks for a part of a page (htmx: request headers)."""
    return headers.get("hx-request") == "true"


def htmx_page_url(headers: Mapping[str, str], *, is_safe: bool) -> str | None:
    """The address of the page that htmx asks from; None where what it asks for is the page.

    That is so for a boosted link, which leads to a page, and for requests that are not of htmx.

    Args:
        headers: Those of the request.
        is_safe: Whether its method is safe.
    """
    if not is_htmx(headers) or (is_safe and headers.get("hx-boosted") == "true"):
        return None
    return headers.get("hx-current-url", "")


def htmx_page(request: HTTPConnection, public_url: PublicUrl) -> str | None:
    """The same as a path, with query and fragment; ``/`` where the page is none of ours."""
    url = htmx_page_url(request.headers, is_safe=request.scope["method"] in SAFE_METHODS)
    if url is None:
        return None
    origin = public_url.origin_if_known(request)
    is_ours = origin is not None and url.startswith(f"{origin}/")
    return url.removeprefix(origin or "") if is_ours else public_url.path(request, "/")


def is_for_page(headers: Mapping[str, str]) -> bool:
    """Whether a browser navigates to a page, or a service worker asks for it in the browser's place."""
    return is_navigation(headers) or is_refetched_navigation(headers)


def is_refetched_navigation(headers: Mapping[str, str]) -> bool:
    """Whether a service worker asks for a page in a navigation's place, as ``fetch(event.request.url, …)``.

    It sends the headers of the navigation, whose ``Accept`` begins with ``text/html``. Scripts that ask for
    that get a page as well.
    """
    if headers.get("sec-fetch-mode") not in _REFETCHED:
        return False
    if "hx-request" in headers or "x-requested-with" in headers:
        return False
    first, _, others = headers.get("accept", "").lower().partition(",")
    if first.partition(";")[0].strip() != "text/html":
        return False
    # Who leaves out Sec-Fetch-Dest is no browser, or behind a proxy that drops it: the whole list tells.
    return headers.get("sec-fetch-dest", "document" if others else "") in _OF_DOCUMENTS
