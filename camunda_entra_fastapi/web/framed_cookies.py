"""Cookies of a service that other sites' pages may show in a frame (RFC 6265bis, SameSite; CHIPS).

They are *partitioned*: what is set in a frame of one site is neither sent in frames of another site nor in a
tab of the service itself.
"""

from dataclasses import dataclass
from typing import Final

from starlette.requests import HTTPConnection

from camunda_entra_fastapi.settings import EntraSettings
from camunda_entra_fastapi.web.cookies import Cookies
from camunda_entra_fastapi.web.pages.branding import FRAME_ANCESTORS
from camunda_entra_fastapi.web.public_url import PublicUrl

_FRAMES: Final = frozenset({"iframe", "frame", "embed", "object"})
"""Destinations of a navigation that is none of a tab (Fetch, 2.2.5)."""


@dataclass(frozen=True, slots=True)
class FramedCookies(Cookies):
    """As the others, for frames. They are a class of their own so that those cost nothing.

    Attributes:
        is_partitioned: Whether cookies are sent in frames of other sites.
        frame_ancestors: The origins whose pages may show our own pages.
    """

    is_partitioned: bool = False
    frame_ancestors: tuple[str, ...] = ()

    def session(self, connection: HTTPConnection) -> str | None:
        """The session's handle; None also for what the page around a frame loads as if it were its own.

        With ``SameSite=Lax`` browsers send no cookie with that either. The navigation of a frame is what
        the setting is for.
        """
        connection.scope[FRAME_ANCESTORS] = self.frame_ancestors
        headers = connection.headers
        if headers.get("sec-fetch-site") == "cross-site" and headers.get("sec-fetch-mode") != "navigate":
            return None
        return Cookies.session(self, connection)

    def delete_session(self, connection: HTTPConnection) -> list[str]:
        """Delete also what was set before cookies were partitioned, which is another cookie of that name."""
        lines = Cookies.delete_session(self, connection)
        former = [line.removesuffix("; Partitioned") for line in lines]
        return [*lines, *(line for line in former if line not in lines)]

    def flags(self, connection: HTTPConnection) -> str:
        """The attributes of each cookie. Without ``Secure`` browsers refuse it, also at localhost."""
        if self.is_partitioned:
            return "; Secure; HttpOnly; SameSite=None; Partitioned"
        return Cookies.flags(self, connection)


def cookies_for(settings: EntraSettings, public_url: PublicUrl) -> Cookies:
    """The cookies that the settings ask for."""
    name, domain = settings.cookie_name, settings.cookie_domain
    is_partitioned, frame_ancestors = settings.cookie_same_site == "none", settings.frame_ancestors
    if is_partitioned or frame_ancestors:
        return FramedCookies(name, domain, public_url, is_partitioned, frame_ancestors)
    return Cookies(name, domain, public_url)


def is_in_frame(connection: HTTPConnection) -> bool:
    """Whether the browser opens the page in a frame."""
    return connection.headers.get("sec-fetch-dest") in _FRAMES
