"""The HTML pages for people. They load nothing, escape all values, and run no script but their own."""

import base64
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from camunda_entra_fastapi.web.pages.branding import Branding

if TYPE_CHECKING:
    from jinja2 import Environment

_ORIGIN: Final = re.compile(r"https?://(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
"""Nothing in it could end a source expression of a Content Security Policy (CSP Level 3, 2.3.1)."""

_OURS: Final = Branding()
_NOBODY: Final = "'none'"


@dataclass(frozen=True, slots=True)
class Action:
    """A link, or with ``post`` a button that sends an empty form.

    Raises:
        ValueError: ``href`` is neither an http(s) URL nor a path of this site.
    """

    label: str
    href: str
    post: bool = False

    def __post_init__(self) -> None:
        if not is_safe_link(self.href):
            raise ValueError("href must be an http(s) URL or a path that begins with a single /.")


@dataclass(frozen=True, slots=True)
class Page:
    """The content of one page.

    Raises:
        ValueError: ``link`` is neither an http(s) URL nor a path of this site, or ``onward`` is no such path.
    """

    title: str
    what: str
    """What happened, in one or two sentences."""
    remedy: str = ""
    """What to do."""
    who: str | None = None
    """Who must do it."""
    actions: tuple[Action, ...] = ()
    """The first one is the recommended one."""
    facts: tuple[tuple[str, str], ...] = ()
    """Names and values that support asks for."""
    good: bool | None = None
    """Success or failure; None for a question."""
    link: str | None = None
    """A link for somebody else, whom the reader sends it to. It stands below the facts."""
    onward: str | None = None
    """A path of this site that the browser goes on to by itself."""
    script: str = ""
    """The file of what it does by itself, on pages without facts."""

    def __post_init__(self) -> None:
        if self.link is not None and not is_safe_link(self.link):
            raise ValueError("link must be an http(s) URL or a path that begins with a single /.")
        if self.onward is not None and not (self.onward.startswith("/") and is_safe_link(self.onward)):
            raise ValueError("onward must be a path that begins with a single /.")


def render(
    page: Page, branding: Branding = _OURS, *, redirects_to: Iterable[str] = ()
) -> tuple[str, dict[str, str]]:
    """The page's HTML, and the headers that it must be sent with.

    ``redirects_to`` are URLs that the response to the page's form may redirect to: browsers apply
    ``form-action`` to redirects, too (CSP Level 3, 6.4.1.1).

    Raises:
        ValueError: One of them is no http(s) URL.
    """
    environment = _environment()
    style = "\n".join(filter(None, (environment.get_template("style.css").render(), branding.css)))
    script_file = "copy.js" if page.facts else page.script
    script = environment.get_template(script_file).render() if script_file else ""
    targets = " ".join(["'self'", *sorted({_source_of(url) for url in redirects_to})])
    policy = [
        "default-src 'none'",
        f"style-src {_hash_of(style)}",
        *([f"script-src {_hash_of(script)}"] if script else ()),
        *(["img-src data:"] if branding.logo else ()),
        f"form-action {targets}",
        "base-uri 'none'",
        f"frame-ancestors {' '.join(branding.frame_ancestors) or _NOBODY}",
    ]
    headers = {
        "Content-Security-Policy": "; ".join(policy),
        "Cache-Control": "no-store",
        # Under no-referrer, browsers send "Origin: null" with a form, which is no proof of being our page.
        "Referrer-Policy": "same-origin" if any(action.post for action in page.actions) else "no-referrer",
        "X-Content-Type-Options": "nosniff",
        # It cannot name other origins, and browsers that know frame-ancestors ignore it.
        **({} if branding.frame_ancestors else {"X-Frame-Options": "DENY"}),
    }
    template = environment.get_template("page.html")
    return template.render(page=page, branding=branding, style=style, script=script), headers


def _hash_of(text: str) -> str:
    """What allows an element with exactly this text (CSP Level 3, 2.3.1)."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - few requests need it

    return Environment(
        loader=PackageLoader(__name__, ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def is_safe_link(href: str) -> bool:
    """Whether it is an http(s) URL or a path, and browsers read it as that.

    Browsers remove tabs and line ends and read a backslash as a slash (WHATWG URL, 4.4).
    """
    if not href.isascii() or not href.isprintable() or " " in href or "\\" in href:
        return False
    if href.startswith("/"):
        return not href.startswith("//")
    return _origin_of(href) is not None


def _source_of(url: str) -> str:
    origin = _origin_of(url)
    if origin is None:
        raise ValueError("redirects_to must hold http(s) URLs with a host and no user name.")
    return origin


def _origin_of(url: str) -> str | None:
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    origin = f"{parts.scheme}://{parts.netloc}"
    return origin if _ORIGIN.fullmatch(origin) else None
