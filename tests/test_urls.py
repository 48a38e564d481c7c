"""Which addresses may be called."""

import pytest

from camunda_entra_fastapi.urls import is_loopback, is_usable


@pytest.mark.parametrize(
    "url", ["https://login.example/x", "http://localhost:8080/x", "http://a.localhost", "http://[::1]:1/x"]
)
def test_encrypted_ones_and_those_of_this_machine(url: str) -> None:
    """https anywhere, http here."""
    assert is_usable(url, allow_http=False)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "x",
        "https://",
        "https:///x",
        "ftp://x/y",
        "https://a b/",
        "https://ä/",
        "https://x:99999/",
        None,
        5,
        "http://login.example/x",
        "https://[::1/",
        "https://x\n/",
    ],
)
def test_all_others_are_not(url: object) -> None:
    """Nor is what is no URL at all."""
    assert not is_usable(url, allow_http=False)


def test_plain_ones_by_permission() -> None:
    """For closed networks."""
    assert is_usable("http://login.example/x", allow_http=True)
    assert not is_usable("ftp://login.example/x", allow_http=True)


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("localhost", True),
        ("a.localhost", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("10.0.0.1", False),
        ("localhost.example", False),
        ("notlocalhost", False),
    ],
)
def test_what_this_machine_is_called(host: str, here: bool) -> None:
    """RFC 6761, 6.3: also every name that ends in .localhost."""
    assert is_loopback(host) is here
