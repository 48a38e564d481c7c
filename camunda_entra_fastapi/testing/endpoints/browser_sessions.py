"""The sessions of a browser: a cookie names the browser, the emulator's state has its sessions."""

from dataclasses import replace
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from camunda_entra_fastapi.testing.directory import User
from camunda_entra_fastapi.testing.tokens.optional_claims import login_hint_of
from camunda_entra_fastapi.testing.world.state import Session
from camunda_entra_fastapi.testing.world.world import World

COOKIE: Final = "local_emulator_browser"
"""The cookie that names the browser, so that users stay signed in."""


def matches_login_hint(user: User, hint: str) -> bool:
    """Whether a hint in lower case names the user: by username, or by the claim ``login_hint``."""
    return bool(hint) and (hint == user.username.lower() or hint == login_hint_of(user).lower())


def browser_sessions(world: World, request: Request) -> list[Session]:
    """The sessions of the request's browser, with tenant and user as the directory has them now."""
    found = []
    for session in world.state.sessions_of(request.cookies.get(COOKIE)):
        tenant = world.directory.tenant(session.tenant.id)
        user = tenant.user(session.user.id) if tenant else None
        if tenant and user:
            found.append(replace(session, tenant=tenant, user=user))
    return found


def store_browser_sessions(
    world: World, request: Request, response: Response, sessions: list[Session]
) -> None:
    """Store the sessions of the request's browser, and set its cookie.

    The cookie is ``SameSite=None`` where browsers allow it, because silent sign-ins happen in frames of other
    sites.
    """
    value = world.state.store_sessions(request.cookies.get(COOKIE), sessions)
    secure = world.base_url.startswith("https:")
    response.set_cookie(COOKIE, value, httponly=True, secure=secure, samesite="none" if secure else "lax")
