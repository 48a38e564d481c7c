"""Requests as they reach a dependency, with the headers that a client of an API sends."""

from collections.abc import Iterable

from starlette.requests import Request


def requests_with(tokens: Iterable[str]) -> list[Request]:
    """One request for each token, new, so that nothing an earlier contender left in it is found."""
    return [_request(token) for token in tokens]


def _request(token: str) -> Request:
    return Request(
        {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "https",
            "path": "/incidents",
            "raw_path": b"/incidents",
            "root_path": "",
            "query_string": b"state=ACTIVE",
            "headers": [
                (b"host", b"operate.example.com"),
                (b"user-agent", b"python-httpx/0.28.1"),
                (b"accept", b"application/json"),
                (b"accept-encoding", b"gzip, deflate"),
                (b"connection", b"keep-alive"),
                (b"authorization", f"Bearer {token}".encode()),
            ],
            "client": ("192.0.2.10", 50_000),
            "server": ("192.0.2.1", 443),
            "state": {},
        }
    )
