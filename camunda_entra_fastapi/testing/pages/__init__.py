"""The emulator's pages. Each says that it is a local emulator, not Microsoft."""

import secrets
from functools import cache
from typing import Any, Final

from jinja2 import Environment, PackageLoader, select_autoescape
from starlette.responses import HTMLResponse

_NONE: Final = "'none'"


def render(template: str, *, frame_sources: str = "", **values: Any) -> HTMLResponse:
    """A page. It loads nothing but frames of those origins, and runs no script but its own."""
    nonce = secrets.token_urlsafe(16)
    policy = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; "
        f"frame-src {frame_sources or _NONE}; base-uri 'none'; frame-ancestors 'none'"
    )
    headers = {
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    return HTMLResponse(_environment().get_template(template).render(nonce=nonce, **values), 200, headers)


@cache
def _environment() -> Environment:
    return Environment(loader=PackageLoader(__name__, ""), autoescape=select_autoescape())
