"""Names of hosts in the settings. Pure; mistakes are ``ValueError`` as in ``values``."""

import re
from collections.abc import Iterable
from typing import Final

MAX_HOSTS: Final = 100
_LABEL: Final = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST: Final = re.compile(rf"(?=.{{1,253}}\Z)(?:{_LABEL}\.)*(?![0-9]){_LABEL}")
"""A name as browsers write it. With a last part of digits it is an address to them (WHATWG URL, 3.5)."""


def read_return_to_hosts(value: object) -> tuple[str, ...]:
    """Hosts that people may return to, in lower case, each once."""
    entries = value.split(",") if isinstance(value, str) else value
    hosts: dict[str, None] = {}
    for entry in entries if isinstance(entries, Iterable) else (entries,):
        host = entry.strip().lower() if isinstance(entry, str) else ""
        if not _HOST.fullmatch(host):
            raise ValueError(
                "has an entry that is no name of a host. Give names without https://, ports and wildcards, "
                "separated by commas, for example shop.example.com,reports.example.com. Names beyond ASCII "
                "are written as browsers send them, xn--..."
            )
        hosts[host] = None
    if len(hosts) > MAX_HOSTS:
        raise ValueError(
            f"names more than {MAX_HOSTS} hosts. Where they are in one domain, set "
            "CAMUNDA_ENTRA_COOKIE_DOMAIN to it, for example apps.example.com."
        )
    return tuple(hosts)
