"""The local Entra's pages. Each says that it is not Microsoft."""

import re
import secrets
from functools import cache
from typing import Any, Final

from jinja2 import Environment, PackageLoader, select_autoescape
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse

_NONE: Final = "'none'"
_AFTER: Final = re.compile("([@.])")


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
    environment = Environment(loader=PackageLoader(__name__, ""), autoescape=select_autoescape())
    environment.filters["breakable"] = _breakable
    environment.filters["uncapitalized"] = _uncapitalized
    return environment


def _breakable(text: str) -> Markup:
    """The name, which may be broken after @ and dots rather than inside of a word."""
    return Markup(_AFTER.sub(r"\1<wbr>", str(escape(text))))  # noqa: S704 - it is escaped


def _uncapitalized(text: str) -> str:
    """The sentence as it stands within another one."""
    return text[:1].lower() + text[1:]
