"""The scripts and styles of Swagger UI and ReDoc from this service, where no CDN can be reached.

The package fastapi-offline brings them: the extra ``swagger-ui``. Nothing of it is imported.
"""

import inspect
from collections.abc import Mapping
from functools import partial
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Route

from camunda_entra_fastapi.web.openapi import Page, replace_pages
from camunda_entra_fastapi.web.pages import is_safe_link
from camunda_entra_fastapi.web.public_url import INSTALLED_AT

AUTO: Final = "auto"
"""The value of ``docs_assets`` for those that are installed."""
_PACKAGE: Final = "fastapi_offline"
_FILES: Final[Mapping[str, str]] = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "redoc.standalone.js": "text/javascript",
    "favicon.png": "image/png",
}
"""The files that are served, and no others of that package."""
_HEADERS: Final = {"Cache-Control": "public, max-age=3600", "X-Content-Type-Options": "nosniff"}
_GOOGLE_FONTS: Final = "https://fonts.googleapis.com/css?family=Montserrat:300,400,700|Roboto:300,400,700"
"""What ReDoc's page loads beside; with a CDN out of reach, so is this."""
_EXTRA: Final = "camunda-entra-fastapi[swagger-ui]"


def _defaults(function: object, **files: str) -> dict[str, str]:
    """The URLs in FastAPI's page, to the file that each stands for."""
    parameters: Mapping[str, Any] = inspect.signature(function).parameters  # type: ignore[arg-type]  # functions
    return {parameters[name].default: file for name, file in files.items()}


_SWAGGER_UI: Final = _defaults(
    get_swagger_ui_html,
    swagger_js_url="swagger-ui-bundle.js",
    swagger_css_url="swagger-ui.css",
    swagger_favicon_url="favicon.png",
)
_REDOC: Final = _defaults(get_redoc_html, redoc_js_url="redoc.standalone.js", redoc_favicon_url="favicon.png")


def use_docs_assets(app: FastAPI, docs_assets: str | None) -> list[Route]:
    """Let FastAPI's own pages load other files than the CDN's; gives the routes that serve them.

    Args:
        app: The application, with Swagger UI or ReDoc or none of them.
        docs_assets: ``auto``, the URL or path of a folder with the files, or None to change nothing.

    Raises:
        ValueError: It is neither of these.
    """
    if docs_assets is not None and docs_assets != AUTO and not is_safe_link(docs_assets):
        raise ValueError(
            "docs_assets is 'auto', None, or the http(s) URL or path of a folder, such as /static/docs."
        )
    folder = _installed_folder() if docs_assets == AUTO else None
    routes: list[Route] = []
    for path, files in ((app.docs_url, _SWAGGER_UI), (app.redoc_url, _REDOC)):
        if path is None or docs_assets is None:
            continue
        if docs_assets != AUTO:
            replace_pages(app, {path}, partial(_with_files, files, f"{docs_assets.rstrip('/')}/"))
        elif folder is None:
            replace_pages(app, {path}, partial(_with_hint, files))
        else:
            # Relative to the page: whatever a proxy puts before its path is before theirs as well.
            name = path.rpartition("/")[2]
            replace_pages(app, {path}, partial(_with_files, files, f"{name}/" if name else ""))
            routes += (_route(f"{path.rstrip('/')}/{file}", folder / file) for file in files.values())
    return routes


def _installed_folder() -> Path | None:
    """Where fastapi-offline has the files; None where it is not installed, or has others."""
    spec = find_spec(_PACKAGE)
    for location in (spec and spec.submodule_search_locations) or ():
        folder = Path(location) / "static"
        if all((folder / file).is_file() for file in _FILES):
            return folder
    return None


def _route(path: str, file: Path) -> Route:
    async def serve(_: Request) -> Response:
        return FileResponse(file, headers=_HEADERS, media_type=_FILES[file.name])

    return Route(path, serve, include_in_schema=False)


def _with_files(files: Mapping[str, str], folder: str, page: Page) -> Page:
    """The page, which loads its files from that folder."""

    async def page_with_files(request: Request) -> Response:
        scope = request.scope
        root = scope.get(INSTALLED_AT, scope.get("root_path", "")) if folder.startswith("/") else ""
        html = await _html_of(page, request)
        html = html.replace(f'<link href="{_GOOGLE_FONTS}" rel="stylesheet">', "")
        for url, file in files.items():
            html = html.replace(f'"{url}"', f'"{escape(root.rstrip("/") + folder + file)}"')
        return HTMLResponse(html)

    return page_with_files


def _with_hint(files: Mapping[str, str], page: Page) -> Page:
    """The page, which says what to do where its script cannot be loaded."""
    script = next(url for url, file in files.items() if file.endswith(".js"))
    words = (
        f"This page's script could not be loaded from {script.rpartition('/npm/')[0]}. "
        f"Where that is closed, install {_EXTRA}, which brings it along."
    )
    onerror = escape(f"document.body.prepend({words!r})")

    async def page_with_hint(request: Request) -> Response:
        html = await _html_of(page, request)
        return HTMLResponse(html.replace(f'src="{script}"', f'src="{script}" onerror="{onerror}"'))

    return page_with_hint


async def _html_of(page: Page, request: Request) -> str:
    return bytes((await page(request)).body).decode().replace("<html>", '<html lang="en">', 1)
