"""Signing in to a service that another site's page shows in a frame.

Entra refuses to be shown in a frame, so it gets a window. Where cookies are partitioned, its cookies are not
the frame's. So the window hands Entra's answer over to the frame, whose own cookies have the attempt that it
belongs to. The code is redeemed there, and so the session's cookie is set there.
"""

from collections.abc import Callable
from functools import wraps
from typing import Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from camunda_entra_fastapi.web.framed_cookies import FramedCookies, is_in_frame
from camunda_entra_fastapi.web.login.context import LoginContext, LoginPaths, Page
from camunda_entra_fastapi.web.pages import Page as Content
from camunda_entra_fastapi.web.pages import is_safe_link, render, texts
from camunda_entra_fastapi.web.pages.branding import branding_of
from camunda_entra_fastapi.web.public_url import is_navigation

_FOUND: Final = 302
_HERE: Final = "here"
"""The parameter of a callback that was not handed over, as no frame waits for it."""


class Frames:
    """The pages of a sign-in in a frame, in the place of those that browsers would not show there.

    Args:
        context: Returns the login context in use.
        paths: The paths of the pages.
    """

    def __init__(self, context: Callable[[], LoginContext], paths: LoginPaths) -> None:
        self._context = context
        self._paths = paths

    def around(self, path: str, page: Page) -> Page:
        """The page of that path, as frames and the windows that they open need it."""
        if path == self._paths.callback:
            return self._handing_over(page)
        if path == self._paths.of("login"):
            return self._in_a_window(page, texts.sign_in_in_window)
        return self._in_a_window(page, texts.signed_out_here) if path == self._paths.of("logout") else page

    def _in_a_window(self, page: Page, content: Callable[[str], Content]) -> Page:
        """The page; in a frame one with a link that opens Entra in a window, in place of the redirect."""

        @wraps(page)
        async def answer(request: Request) -> Response:
            response = await page(request)
            if not is_in_frame(request) or not self._leads_to_entra(request, response):
                return response
            if not self._may_be_framed(request):
                return response
            link = _page(request, content(response.headers["Location"]))
            cookies = [(name, value) for name, value in response.raw_headers if name == b"set-cookie"]
            link.raw_headers.extend(cookies)
            return link

        return answer

    def _handing_over(self, callback: Page) -> Page:
        """The callback; in a window, first of all a page that hands the answer over to a frame that waits."""

        @wraps(callback)
        async def answer(request: Request) -> Response:
            query = request.query_params
            here = f"{self._context().sessions.public_url.requested_path(request)}&{_HERE}=1"
            is_answer = "state" in query and _HERE not in query and is_safe_link(here)
            is_window = is_navigation(request.headers) and not is_in_frame(request)
            if is_answer and is_window and self._may_be_framed(request):
                return _page(request, texts.going_on(here))
            return await callback(request)

        return answer

    def _leads_to_entra(self, request: Request, response: Response) -> bool:
        """Whether it is a redirect to Entra, which an attempt or the end of a session goes with."""
        own = self._context().sessions.public_url.origin_if_known(request)
        is_own = response.headers.get("location", "").startswith(("/", f"{own}/"))
        return response.status_code == _FOUND and "set-cookie" in response.headers and not is_own

    def _may_be_framed(self, request: Request) -> bool:
        """Whether there are pages that may show ours; then these say so."""
        cookies = self._context().sessions.cookies
        if not isinstance(cookies, FramedCookies) or not cookies.frame_ancestors:
            return False
        cookies.session(request)
        return True


def _page(request: Request, content: Content) -> Response:
    html, headers = render(content, branding_of(request))
    return HTMLResponse(html, headers=headers)
