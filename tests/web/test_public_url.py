"""Where a service is, as browsers see it, by its base URL or by the request."""

from typing import Any
from urllib.parse import unquote, unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import HTTPConnection

from camunda_entra_fastapi.web.public_url import PublicUrl, is_navigation
from tests.odd_addresses import FROM_HAND, LEADING_HOME, ODD


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


def asked(target: str, **scope: Any) -> HTTPConnection:
    """A request for it, as uvicorn, granian, hypercorn, daphne and gunicorn hand it over."""
    path, _, query = target.partition("?")
    return connection(unquote(path), raw_path=path.encode(), query_string=query.encode(), **scope)


@pytest.mark.parametrize("address", [*ODD, *FROM_HAND, *LEADING_HOME])
@pytest.mark.parametrize("root_path", ["", "/operate", "/operate/"])
def test_an_address_comes_back_as_it_was_spelled(address: str, root_path: str) -> None:
    """Two addresses are never one, whichever the server's convention for a prefix."""
    public_url = PublicUrl(None)
    prefix = root_path.rstrip("/")
    assert public_url.requested_path(asked(address, root_path=root_path)) == prefix + address
    included = asked(root_path + address, root_path=root_path)  # the server leaves it in the path, or adds it
    assert public_url.requested_path(included) == prefix + address


@pytest.mark.parametrize("address", ODD)
def test_the_public_prefix_stands_before_the_spelled_rest(address: str) -> None:
    """The prefix inside gives way to that of the base URL, and mounted applications belong to the rest."""
    public_url = PublicUrl("https://x.example/outer")
    assert public_url.requested_path(asked(address)) == f"/outer{address}"
    inner = asked(f"/inner{address}", root_path="/inner")
    assert public_url.requested_path(inner) == f"/outer{address}"
    mounted = asked(f"/inner/m{address}", root_path="/inner/m", app_root_path="/inner")
    assert public_url.requested_path(mounted) == f"/outer/m{address}"


@pytest.mark.parametrize(
    ("path", "raw_path", "root_path", "expected"),
    [
        # servers and middleware that know none, that of before a rewrite, or one with the query
        ("/x/%41", None, "", "/x/%2541"),
        ("/x/%41", b"", "", "/x/%2541"),
        ("/x/a?b#c", None, "", "/x/a%3Fb%23c"),
        ("/x/a b", b"/before", "", "/x/a%20b"),
        ("/x/a/b", b"/before/x/a%2Fb", "", "/x/a/b"),
        ("/x/a/b", b"/x/a%2Fb?q=%2F", "", "/x/a%2Fb"),
        # bytes that browsers encode
        ("/caf\u00e9", b"/caf\xc3\xa9", "", "/caf%C3%A9"),
        ("/\ufffd", b"/\xff", "", "/%FF"),
        ('/a"b<c>` \x01#d', b'/a"b<c>` \x01#d', "", '/a"b<c>`%20%01%23d'),
        # a root that is spelled in another way, and one of which nobody can say where it ends
        ("/operate/x%41", b"/%6Fperate/x%2541", "/operate", "/operate/x%2541"),
        ("/operate/x/y", b"/operate%2Fx%2Fy", "/operate", "/operate/x/y"),
        ("/a/b/x/y", b"/a%2Fb/x%2Fy", "/a/b", "/a/b/x/y"),
        ("/operate", b"/operate", "/operate", "/operate"),
        # what is no path
        ("*", b"*", "", "*"),
        ("", b"", "", ""),
    ],
)
def test_a_raw_path_counts_where_it_is_that_of_the_path(
    path: str, raw_path: bytes | None, root_path: str, expected: str
) -> None:
    """All that does not fit together is encoded from the path, and stays the same address to the service."""
    scope = connection(path, raw_path=raw_path, root_path=root_path)
    assert PublicUrl(None).requested_path(scope) == expected


@given(st.binary(max_size=30), st.sampled_from(["", "/", "/r", "/r/", "/r%2F", "/\u00e9"]))
def test_whatever_a_server_hands_over_is_told_as_one_address(raw: bytes, root_path: str) -> None:
    """It is visible ASCII without an end of its own, and decodes to what the service got."""
    raw_path = b"/" + raw.replace(b"?", b"")
    path = unquote_to_bytes(raw_path).decode("utf-8", "replace")
    scope = connection(path, raw_path=raw_path, root_path=root_path)
    told = PublicUrl("https://x.example").requested_path(scope)
    assert told.isascii()
    assert told.isprintable()
    assert not set(" ?#") & set(told)
    assert unquote(told) in {path, path.removeprefix(root_path), path.removeprefix(root_path.rstrip("/"))}


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
