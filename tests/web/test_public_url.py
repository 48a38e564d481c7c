"""Where a service is, as browsers see it, by its base URL or by the request."""

from typing import Any

import pytest
from starlette.requests import HTTPConnection

from camunda_entra_fastapi.web.public_url import PublicUrl, is_navigation


def connection(path: str = "/", **scope: Any) -> HTTPConnection:
    """A request for the path, as a server hands it over."""
    headers = [(b"host", scope.pop("host", b"operate.example.com"))] if scope.get("host", True) else []
    scope.pop("host", None)
    made = {"type": "http", "method": "GET", "scheme": "http", "path": path, "headers": headers}
    return HTTPConnection(made | scope)


@pytest.mark.parametrize(
    ("base_url", "scope", "origin"),
    [
        ("https://Operate.example.com", {}, "https://operate.example.com"),
        ("https://operate.example.com:443/operate", {"scheme": "http"}, "https://operate.example.com"),
        ("http://localhost:8000", {"scheme": "https"}, "http://localhost:8000"),
        (None, {"scheme": "https"}, "https://operate.example.com"),
        (None, {"scheme": "http", "host": b"localhost:8000"}, "http://localhost:8000"),
        (None, {"scheme": "http", "host": b"localhost:80"}, "http://localhost"),
        (None, {"scheme": "wss", "host": b"Operate.Example.com:443"}, "https://operate.example.com"),
        (None, {"scheme": "ws", "host": b"localhost:8000"}, "http://localhost:8000"),
        (None, {"host": b"[::1]:8000"}, "http://[::1]:8000"),
        (None, {"host": b"operate_web.svc:65535"}, "http://operate_web.svc:65535"),
    ],
)
def test_the_origin_is_written_as_browsers_write_it(
    base_url: str | None, scope: dict[str, Any], origin: str
) -> None:
    """Lower case, without the scheme's own port; the base URL counts more than the request."""
    public_url = PublicUrl(base_url)
    assert public_url.origin(connection(**scope)) == origin
    assert public_url.is_secure(connection(**scope)) is origin.startswith("https:")


@pytest.mark.parametrize(
    ("base_url", "scope", "expected"),
    [
        ("https://x.example", {"root_path": "/ignored"}, "https://x.example/auth/login"),
        ("https://x.example/operate", {}, "https://x.example/operate/auth/login"),
        (None, {}, "http://operate.example.com/auth/login"),
        (None, {"root_path": "/operate"}, "http://operate.example.com/operate/auth/login"),
        (None, {"root_path": "/operate/"}, "http://operate.example.com/operate/auth/login"),
        (None, {"root_path": "/a b"}, "http://operate.example.com/a%20b/auth/login"),
        (
            None,
            {"root_path": "/operate/mounted", "app_root_path": "/operate"},
            "http://operate.example.com/operate/auth/login",
        ),
    ],
)
def test_addresses_of_ours_have_what_stands_before_them(
    base_url: str | None, scope: dict[str, Any], expected: str
) -> None:
    """A proxy's prefix is in all of them, a mounted application's is not."""
    assert PublicUrl(base_url).url(connection(**scope), "/auth/login") == expected


@pytest.mark.parametrize(
    ("path", "root_path", "root"),
    [
        ("/auth/login", "", ""),
        ("/operate/auth/login", "/operate", "/operate"),
        ("/auth/login", "/operate", "/operate"),
        ("/operate/sub/auth/login", "/operate/sub", "/operate/sub"),
        ("/operate//auth/login", "/operate/", "/operate/"),
        ("/included/auth/login", "", "/included"),
    ],
)
def test_the_root_is_what_stands_before_an_own_path(path: str, root_path: str, root: str) -> None:
    """Whether servers leave a proxy's prefix in the path or take it out, and wherever the router is."""
    assert PublicUrl(None).root_of(connection(path, root_path=root_path), "/auth/login") == root


@pytest.mark.parametrize(
    ("base_url", "path", "scope", "expected"),
    [
        (None, "/incidents/7", {"query_string": b"tab=a%20b&x="}, "/incidents/7?tab=a%20b&x="),
        (None, "/operate/x", {"root_path": "/operate"}, "/operate/x"),
        (None, "/x", {"root_path": "/operate"}, "/operate/x"),
        (None, "/operated/x", {"root_path": "/operate"}, "/operate/operated/x"),
        (None, "/größe <x>", {}, "/gr%C3%B6%C3%9Fe%20%3Cx%3E"),
        ("https://x.example/outer", "/x", {}, "/outer/x"),
        ("https://x.example/outer", "/inner/x", {"root_path": "/inner"}, "/outer/x"),
        (None, "/sub/x", {"root_path": "/sub", "app_root_path": ""}, "/sub/x"),
        (None, "/operate//x", {"root_path": "/operate/"}, "/operate/x"),
        (None, "/operate/x", {"root_path": "/operate/"}, "/operate/x"),
        (None, "/x", {"root_path": "/operate/"}, "/operate/x"),
        (None, "//x", {"root_path": "/"}, "/x"),
        (None, "/x", {"root_path": "/"}, "/x"),
        (None, "/operate", {"root_path": "/operate"}, "/operate"),
    ],
)
def test_what_was_asked_for_is_told_as_the_browser_asked(
    base_url: str | None, path: str, scope: dict[str, Any], expected: str
) -> None:
    """Percent-encoded, with query, and with the public prefix in place of the inner one."""
    assert PublicUrl(base_url).requested_path(connection(path, **scope)) == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"sec-fetch-mode": "navigate"}, True),
        ({"sec-fetch-mode": "navigate", "accept": "*/*"}, True),
        ({"sec-fetch-mode": "cors", "accept": "text/html"}, False),
        ({"accept": "text/html,application/xhtml+xml"}, True),
        ({"accept": "Text/HTML"}, True),
        ({"accept": "text/html", "x-requested-with": "XMLHttpRequest"}, False),
        ({"accept": "application/json"}, False),
        ({"accept": "*/*"}, False),
        ({}, False),
    ],
)
def test_a_navigation_is_told_from_a_programs_request(headers: dict[str, str], expected: bool) -> None:
    """By what the browser says itself, else by what is accepted."""
    assert is_navigation(headers) is expected
