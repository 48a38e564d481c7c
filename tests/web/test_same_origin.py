"""Which requests may rely on the session cookie."""

from typing import Any

import pytest
from starlette.requests import HTTPConnection

from camunda_entra_fastapi.errors import CrossOrigin
from camunda_entra_fastapi.web.public_url import PublicUrl
from camunda_entra_fastapi.web.same_origin import check_same_origin, is_cross_site

OURS = "https://operate.example.com"
SITE = PublicUrl(OURS)


def connection(method: str | None, **headers: str) -> HTTPConnection:
    """A request, or without a method a WebSocket."""
    scope: dict[str, Any] = {"type": "http", "method": method} if method else {"type": "websocket"}
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return HTTPConnection(scope | {"path": "/", "headers": pairs})


GOOD: list[dict[str, str]] = [
    {"sec_fetch_site": "same-origin"},
    {"sec_fetch_site": "same-origin", "origin": "null"},
    {"origin": OURS},
]
BAD: list[dict[str, str]] = [
    {},
    {"sec_fetch_site": "cross-site"},
    {"sec_fetch_site": "same-site"},
    {"sec_fetch_site": "none"},
    {"sec_fetch_site": "cross-site", "origin": OURS},
    {"sec_fetch_site": "nonsense"},
    {"origin": "null"},
    {"origin": "https://evil.example"},
    {"origin": "http://operate.example.com"},
    {"origin": "https://operate.example.com:8443"},
    {"origin": "https://operate.example.com.evil.example"},
    {"origin": "https://sub.operate.example.com"},
    {"referer": f"{OURS}/page"},
]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "ANY", None])
@pytest.mark.parametrize("headers", GOOD)
def test_pages_of_our_own_may_change_things(method: str | None, headers: dict[str, str]) -> None:
    """And open WebSockets."""
    check_same_origin(connection(method, **headers), SITE)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "ANY", None])
@pytest.mark.parametrize("headers", BAD)
def test_nobody_elses_may(method: str | None, headers: dict[str, str]) -> None:
    """Nor a request that does not say whose it is; the message says what to do."""
    with pytest.raises(CrossOrigin, match=r"page of https://operate\.example\.com.*CAMUNDA_ENTRA_BASE_URL"):
        check_same_origin(connection(method, **headers), SITE)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("headers", [*GOOD, *BAD])
def test_what_changes_nothing_is_for_everybody(method: str, headers: dict[str, str]) -> None:
    """A link from elsewhere leads to the page."""
    check_same_origin(connection(method, **headers), SITE)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, False),
        ({"sec_fetch_site": "none"}, False),
        ({"sec_fetch_site": "same-site"}, False),
        ({"sec_fetch_site": "same-origin", "referer": "https://evil.example/"}, False),
        ({"sec_fetch_site": "cross-site"}, True),
        ({"origin": OURS}, False),
        ({"origin": "https://evil.example"}, True),
        ({"referer": f"{OURS}/page"}, False),
        ({"referer": f"{OURS}.evil.example/page"}, True),
    ],
)
def test_a_link_of_another_site_is_recognised(headers: dict[str, str], expected: bool) -> None:
    """For what a link may do within the site: signing out."""
    assert is_cross_site(connection("GET", **headers), SITE) is expected
