"""The cookies themselves: names, flags, sizes, and what becomes of rubbish."""

import random
from typing import Any

import pytest
from starlette.requests import HTTPConnection

from camunda_entra_fastapi.web.cookies import MAX_ATTEMPTS_READ, MAX_CHUNK, MAX_CHUNKS, MAX_VALUE, Cookies
from camunda_entra_fastapi.web.public_url import PublicUrl

HANDLE = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz0123456789._-", k=10_000))


def connection(scheme: str = "https") -> HTTPConnection:
    """A request without cookies."""
    return with_cookies("", scheme)


def with_cookies(header: str, scheme: str = "https") -> HTTPConnection:
    """A request with that header."""
    scope: dict[str, Any] = {"type": "http", "method": "GET", "scheme": scheme, "path": "/"}
    return HTTPConnection(scope | {"headers": [(b"host", b"x"), (b"cookie", header.encode("latin-1"))]})


def cookies(domain: str | None = None) -> Cookies:
    """Ours, on a site whose address is the request's."""
    return Cookies("entra_session", domain, PublicUrl(None))


def sent_back(lines: list[str]) -> dict[str, str]:
    """The ``Cookie`` header of a browser after those ``Set-Cookie`` headers."""
    pairs = (line.partition(";")[0].partition("=") for line in lines if "Max-Age=0;" not in line)
    return {name: value for name, _, value in pairs}


def header_of(kept: dict[str, str]) -> str:
    """The ``Cookie`` header."""
    return "; ".join(f"{name}={value}" for name, value in kept.items())


@pytest.mark.parametrize(
    ("scheme", "domain", "line"),
    [
        (
            "https",
            None,
            "__Host-entra_session=handle; Max-Age=90; Path=/; Secure; HttpOnly; SameSite=Lax",
        ),
        (
            "https",
            "x.example",
            "__Secure-entra_session=handle; Max-Age=90; Path=/; Domain=x.example; Secure; "
            "HttpOnly; SameSite=Lax",
        ),
        ("http", None, "entra_session=handle; Max-Age=90; Path=/; HttpOnly; SameSite=Lax"),
    ],
)
def test_flags_and_prefixes_are_as_strict_as_the_address_allows(
    scheme: str, domain: str | None, line: str
) -> None:
    """Scripts never see it, other sites never send it, and no other host can set it."""
    ours, request = cookies(domain), connection(scheme)
    assert ours.set_session(request, "handle", 90.7) == [line]
    assert ours.session(with_cookies(line.partition(";")[0], scheme)) == "handle"


def test_a_cookie_of_the_other_kind_of_address_is_not_read() -> None:
    """On https a cookie without the prefix may have been set by anybody."""
    assert cookies().session(with_cookies("entra_session=handle")) is None
    assert cookies().session(with_cookies("__Host-entra_session=handle", "http")) is None


@pytest.mark.parametrize("size", [1, MAX_CHUNK, MAX_CHUNK + 1, 3 * MAX_CHUNK, 10_000])
def test_large_handles_come_in_chunks_that_browsers_keep(size: int) -> None:
    """Each line stays below 4096 bytes, and together they are the handle again."""
    ours, request = cookies(), connection()
    lines = ours.set_session(request, HANDLE[:size], 60)
    assert max(map(len, lines)) < 4096
    assert len(lines) == -(-size // MAX_CHUNK)
    assert ours.session(with_cookies(header_of(sent_back(lines)))) == HANDLE[:size]


def test_chunks_of_a_longer_session_are_dropped() -> None:
    """A leftover chunk would be in every request."""
    ours = cookies()
    before = sent_back(ours.set_session(connection(), HANDLE, 60))
    lines = ours.set_session(with_cookies(header_of(before)), "short", 60)
    dropped = {line.partition("=")[0] for line in lines if "Max-Age=0;" in line}
    assert dropped == {"__Host-entra_session-1", "__Host-entra_session-2"}
    assert sent_back(lines) == {"__Host-entra_session": "short"}


def test_signing_out_drops_all_there_are() -> None:
    """And the first one also where the browser sent none."""
    ours = cookies()
    before = sent_back(ours.set_session(connection(), HANDLE, 60))
    lines = ours.delete_session(with_cookies(header_of(before)))
    assert {line.partition("=")[0] for line in lines} == before.keys()
    assert all(line.partition("=")[2].startswith("; Max-Age=0;") for line in lines)
    assert len(ours.delete_session(connection())) == 1


@pytest.mark.parametrize(
    "header",
    [
        "",
        ";;;",
        "__Host-entra_session=",
        "__Host-entra_session",
        "=__Host-entra_session",
        "__Host-entra_session-1=x",
        "\xff\xfe=\xff; \x01",
    ],
)
def test_rubbish_is_no_session(header: str) -> None:
    """Neither is a chunk alone."""
    assert cookies().session(with_cookies(header)) is None


@pytest.mark.parametrize("count", ["2", "3", "13"])
def test_missing_chunks_leave_something_that_does_not_open(count: str) -> None:
    """A count is not believed: what is not there is empty."""
    assert cookies().session(with_cookies(f"__Host-entra_session={count}:abc")) == "abc"


@pytest.mark.parametrize("first", ["1:abc", "14:abc", "99999999:abc", "x:abc", "-2:abc", ":abc"])
def test_counts_that_cannot_be_are_none(first: str) -> None:
    """No request makes us look for more chunks than there can be."""
    assert cookies().session(with_cookies(f"__Host-entra_session={first}")) == first
    assert MAX_CHUNKS == 13


def test_attempts_have_cookies_of_their_own() -> None:
    """Named by their IDs, told from sessions, and dropped one by one."""
    ours = cookies()
    lines = [ours.set_attempt(connection(), name, f"sealed-{name}", 600) for name in ("a1", "b2")]
    request = with_cookies(header_of(sent_back(lines)) + "; __Host-entra_session=handle")
    assert ours.attempts(request) == {"a1": "sealed-a1", "b2": "sealed-b2"}
    assert ours.attempt(request, "b2") == "sealed-b2"
    assert ours.attempt(request, "c3") is None
    assert ours.session(request) == "handle"
    assert ours.delete_attempt(request, "a1").startswith("__Host-entra_session_attempt_a1=; Max-Age=0;")


@pytest.mark.parametrize(
    "others",
    [
        {"": "x" * (MAX_VALUE + 1)},
        {"": "x" * 1_000_000},
        {"": "2:x", "-1": "x" * (MAX_CHUNK + 1)},
        {"": "13:x", "-12": "x" * 1_000_000},
        {"": "2:" + "x" * MAX_VALUE, "-1": "x"},
    ],
)
def test_values_longer_than_ours_are_not_read(others: dict[str, str]) -> None:
    """No browser keeps cookies of more than 4096 bytes (RFC 6265bis, 5.6): whoever sends some is none."""
    header = header_of({f"__Host-entra_session{end}": value for end, value in others.items()})
    assert cookies().session(with_cookies(header)) is None


def test_chunks_that_were_not_asked_for_are_not_read() -> None:
    """A handle has the chunks that its first one counts, whatever else is sent along."""
    header = header_of({f"__Host-entra_session-{number}": "x" * 5_000 for number in range(1, 100)})
    assert cookies().session(with_cookies(f"__Host-entra_session=handle; {header}")) == "handle"


def test_the_newest_attempts_are_read() -> None:
    """Browsers send the oldest first (RFC 6265, 5.4); what is too many or too long is not read."""
    ours = cookies()
    kept = {f"__Host-entra_session_attempt_{number:016x}": f"sealed-{number}" for number in range(500)}
    attempts = ours.attempts(with_cookies(header_of(kept)))
    assert list(attempts.values()) == [f"sealed-{number}" for number in range(500 - MAX_ATTEMPTS_READ, 500)]
    name = "__Host-entra_session_attempt_a1"
    for value, is_read in (("x" * MAX_VALUE, True), ("x" * (MAX_VALUE + 1), False)):
        request = with_cookies(f"{name}={value}")
        assert (ours.attempt(request, "a1") == value) == is_read == ("a1" in ours.attempts(request))


@pytest.mark.parametrize("name", ["", "0123456789abcdef0", "A1", "a_1", "a%20", "x" * 10_000])
def test_names_that_no_attempt_has_are_left_alone(name: str) -> None:
    """They would be repeated in what deletes the cookie."""
    assert cookies().attempts(with_cookies(f"__Host-entra_session_attempt_{name}=sealed")) == {}
