"""Where people return to after signing in: a path of this service, or a page of an allowed host.

Whatever might lead elsewhere is ``/`` (CWE-601). An address has one spelling here, the plainest: what a
browser would have to mend, such as a backslash, a tab or upper case in the host, is none.
"""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from camunda_entra_fastapi.errors import quoted
from camunda_entra_fastapi.settings.cookies import is_in_domain
from camunda_entra_fastapi.telemetry import logger
from camunda_entra_fastapi.urls import is_loopback

MAX_RETURN_TO: Final = 2_048
"""Characters as people see them: a letter that is percent-encoded counts once, whatever its alphabet."""
MAX_RETURN_TO_BYTES: Final = 2_400
"""The same in UTF-8: 1,200 letters of two bytes, such as Cyrillic ones, or 800 of three."""
# The narrowest place on the way is the attempt's cookie. Browsers keep 4,096 bytes, with name and flags:
#
#     2,400  the address, with its letters as UTF-8 (Attempt.pack)
#   +   355  the rest of an attempt: state, nonce, verifier, digest, time, a redirect URI of 120
#   = 2,755  x 4/3 in base64url + 42 for version, nonce and tag = 3,716
#   +    60  the name + 110 the flags, with a domain of 40 characters = 3,886
#
# In headers the letters are percent-encoded, three characters for each byte: 7,200 in the address itself, and
# in the login page's query, where each % is %25, 12,000. uvicorn reads 64 KiB, and the gateways of
# samples/gateways 32 KiB or more. Addresses in ASCII have room in the 8 KiB, too, that other proxies read.

_SAFE: Final = "/%?#[]@!$&'()*+,;=:|{}^~\\\t\r\n\x00"
# The characters of a path and its query (RFC 3986, 3.3 and 3.4), without the backslash, which browsers
# read as a slash, and without an authority, which a second slash at the beginning would start.
_PATH: Final = re.compile(r"/(?!/)[A-Za-z0-9._~!$&'()*+,;=:@%/?#\[\]|{}^-]*")
_DOTS: Final = {".", ".."}
_ORIGIN: Final = re.compile(r"(https?)://([a-z0-9._-]{1,253})(?::([1-9][0-9]{0,4}))?(?=/|\Z)")
_LABEL: Final = re.compile(r"(?!xn--)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_LETTERS: Final = re.compile("(?:%[89A-F][0-9A-F])+")
_NOT_ASCII: Final = re.compile("[^\x00-\x7f]+")
_PASSWORD: Final = re.compile("//[^/]*@")
DEFAULT_PORTS: Final = {"https": "443", "http": "80"}


@dataclass(frozen=True, slots=True)
class ReturnHosts:
    """The hosts that people may return to by whole addresses. Without a domain and names there are none.

    Attributes:
        base_url: The public root of this service; its port is good for the others, too.
        domain: The domain of the cookies, whose hosts share the sign-in.
        names: Further hosts, by their exact names.
    """

    base_url: str | None = None
    domain: str | None = None
    names: frozenset[str] = frozenset()

    def shares_sign_in(self, origin: str) -> bool:
        """Whether it is the origin of a host that gets the session cookie."""
        match = _ORIGIN.fullmatch(origin)
        return match is not None and self._is_in_domain(match[2]) and self._is_reachable(match)

    def origin_of(self, address: str) -> str | None:
        """The origin that an allowed address begins with; None for all others."""
        match = _ORIGIN.match(address)
        if match is None or not (match[2] in self.names or self._is_in_domain(match[2])):
            return None
        return match[0] if self._is_reachable(match) else None

    def _is_in_domain(self, host: str) -> bool:
        if self.domain is None or not is_in_domain(host, self.domain):
            return False
        own = host.removesuffix(self.domain)
        return not own or all(map(_LABEL.fullmatch, own[:-1].split(".")))

    def _is_reachable(self, match: "re.Match[str]") -> bool:
        """Whether scheme and port are a public page's; plain http is for development on one machine."""
        scheme, host, port = match.groups()
        base = urlsplit(self.base_url or "")
        is_local = base.scheme == "http" and is_loopback(base.hostname or "") and is_loopback(host)
        ports = {None, DEFAULT_PORTS[scheme], str(base.port) if base.scheme == scheme else None}
        return (scheme == "https" or is_local) and port in ports


NO_OTHER_HOSTS: Final = ReturnHosts()


def safe_return_to(value: str, forbidden: str, hosts: ReturnHosts = NO_OTHER_HOSTS) -> str:
    """Where to return to after signing in; ``/`` for anything that might lead elsewhere.

    Args:
        value: The requested path, or the whole address of an allowed host; non-ASCII characters are
            percent-encoded.
        forbidden: The path of the login pages, which are not returned to, at any host.
        hosts: The hosts that may stand in a whole address.
    """
    encoded = _encoded(value)
    if encoded is None:
        return "/"
    origin = hosts.origin_of(encoded) or ""
    rest = encoded[len(origin) :] or "/"
    if not _PATH.fullmatch(rest):
        return "/"
    path = unquote(rest.partition("?")[0].partition("#")[0])
    if "\\" in path or "//" in path or not path.isprintable() or _DOTS & set(path.split("/")):
        return "/"
    if path == forbidden or path.startswith(f"{forbidden}/"):
        return "/"
    return origin + rest


def find_return_to(value: str, forbidden: str, hosts: ReturnHosts) -> str:
    """Where to return to, as ``safe_return_to`` says.

    The log has a line where it is ``/`` only because the address is too long, or its host is in no setting.
    """
    found = safe_return_to(value, forbidden, hosts)
    if found == "/" and _encoded(value) is None:
        logger.info(
            "An address to return to has more than %d characters, or %d bytes, so somebody comes to / "
            "instead. Without its query it begins with %s",
            MAX_RETURN_TO,
            MAX_RETURN_TO_BYTES,
            quoted(_PASSWORD.sub("//", re.split("[?#]", value[:MAX_RETURN_TO], maxsplit=1)[0]), 100),
        )
    elif found == "/" and (match := _ORIGIN.match(value)) and hosts.origin_of(value) is None:
        logger.info(
            "Somebody was to return to %s, and comes to / instead: whole addresses are those of hosts in "
            "CAMUNDA_ENTRA_COOKIE_DOMAIN or CAMUNDA_ENTRA_RETURN_TO_HOSTS, by https, without another port",
            quoted(match[0], 300),
        )
    return found


def readable(address: str) -> str:
    """The address with letters for percent-encoded UTF-8 beyond ASCII; ``percent_encoded`` undoes it."""
    return _LETTERS.sub(lambda match: _letters(match[0]), address)


def percent_encoded(address: str) -> str:
    """The address in ASCII, to the letter as ``readable`` got it."""
    return _NOT_ASCII.sub(lambda match: quote(match[0]), address)


def _letters(escapes: str) -> str:
    try:
        return bytes.fromhex(escapes.replace("%", "")).decode()
    except UnicodeDecodeError:
        return escapes


def _encoded(value: str) -> str | None:
    """The address in ASCII; None if it is too long."""
    if len(value) > 3 * MAX_RETURN_TO_BYTES:  # the most that so many bytes have when they are encoded
        return None
    encoded = quote(value, safe=_SAFE, errors="surrogatepass")
    letters = readable(encoded)
    is_short = len(letters) <= MAX_RETURN_TO and len(letters.encode()) <= MAX_RETURN_TO_BYTES
    return encoded if is_short else None
