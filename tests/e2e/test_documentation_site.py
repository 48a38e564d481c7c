"""axe-core over the documentation site, from all sides, and nothing of it comes from elsewhere."""

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

import pytest

from tests.docs.building import build
from tests.e2e.test_accessibility import Looker, browser, looker

__all__ = ["browser", "looker"]

PAGES: Final = [
    "",
    "tutorial/first-route/",
    "how-to/run/nginx/",
    "how-to/move/fastapi-azure-auth/",
    "reference/settings/",
    "reference/python-api/",
    "reference/aadsts/",
    "explanation/speed/",
    "explanation/entra-in-ten-minutes/",
    "404.html",
]
"""One of each shape: home, steps, a long recipe, wide tables, generated headings, signatures, tables
that scroll on a phone, a picture."""


class Quiet(SimpleHTTPRequestHandler):
    """Serves files, and logs nothing."""

    def log_message(self, *_: Any) -> None:
        """Nobody reads it."""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The site, served."""
    handler = partial(Quiet, directory=str(build(tmp_path_factory.mktemp("site"))))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_the_documentation_site(looker: Looker, address: str) -> None:
    """No violation, nothing scrolls sideways, and everything that is loaded is its own."""
    loaded: list[str] = []
    looker.page.on("request", lambda request: loaded.append(request.url))
    for page in PAGES:
        looker.open(f"{address}/{page}")
    assert {url for url in loaded if not url.startswith((address, "data:", "blob:"))} == set()
