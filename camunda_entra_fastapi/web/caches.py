"""What caches are told about responses that a session cookie decided (RFC 9111).

RFC 9111, 3.5 keeps shared caches from storing what answers a request with ``Authorization``. It says
nothing of ``Cookie``: a page without ``Cache-Control`` may be stored, and given to the next person. So such
a response has

- ``Vary: Cookie``, as a cache may then use it for requests with the same cookie alone (4.1), whatever the
  application lets it store. What nobody gets has it, too: the next request may be somebody's.
- ``Cache-Control: private`` if it has none: shared caches must not store it (5.2.2.7). The browser's own
  may, and asks whether what it has is still good (``If-None-Match``), which ``no-store`` would forbid.
  ``Vary`` keeps that from whoever signs in next.
- ``no-store`` instead, if it is no success. ``private`` would let the browser store a 401 or a redirect,
  which it could not otherwise (3), and nothing is gained by it.
"""

from collections.abc import Iterable
from typing import Final

Headers = list[tuple[bytes, bytes]]

_LENGTH_OF_VARY: Final = len(b"vary")
_LENGTH_OF_CONTROL: Final = len(b"cache-control")
_VARY: Final = (b"vary", b"Cookie")
_PRIVATE: Final = (b"cache-control", b"private")
_NO_STORE: Final = (b"cache-control", b"no-store")
_MULTIPLE_CHOICES: Final = 300
_NOT_MODIFIED: Final = 304


def set_cookies(headers: Headers, values: Iterable[str]) -> None:
    """Add ``Set-Cookie`` headers. No shared cache may give them to others, whatever the application says."""
    headers += ((b"set-cookie", value.encode("latin-1")) for value in values)
    control = b",".join(value for name, value in headers if name.lower() == b"cache-control")
    if b"private" not in _members(control):
        headers[:] = [header for header in headers if header[0].lower() != b"cache-control"]
        headers.append(_NO_STORE)


def tell_caches(headers: Headers, status: int) -> None:
    """Add ``Vary`` and ``Cache-Control`` for a response that a session cookie decided."""
    has_control = has_vary = False
    for name, _ in headers:
        if len(name) == _LENGTH_OF_VARY:  # the length first: for most headers it is all that is needed
            has_vary = has_vary or name.lower() == b"vary"
        elif len(name) == _LENGTH_OF_CONTROL:
            has_control = has_control or name.lower() == b"cache-control"
    if not has_control:
        # 304 has the headers that 200 would have had (RFC 9110, 15.4.5).
        is_success = status < _MULTIPLE_CHOICES or status == _NOT_MODIFIED
        headers.append(_PRIVATE if is_success else _NO_STORE)
    if has_vary:
        _merge_vary(headers)
    else:
        headers.append(_VARY)


def _merge_vary(headers: Headers) -> None:
    """Add ``Cookie`` to the last ``Vary``, unless one names it already, or everything (RFC 9110, 12.5.5)."""
    positions = [position for position, (name, _) in enumerate(headers) if name.lower() == b"vary"]
    named = _members(b",".join(headers[position][1] for position in positions))
    if not {b"cookie", b"*"} & named:
        name, value = headers[positions[-1]]
        headers[positions[-1]] = (name, value + b", Cookie" if value.strip() else b"Cookie")


def _members(value: bytes) -> set[bytes]:
    """The members of a list, in lower case."""
    return {member.strip(b" \t").lower() for member in value.split(b",")}
