"""The rights of the documentation, read from its page, and users of a Redis who have them."""

import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from tests.sessions.conftest import RedisServer

USER: Final = "orders"
REFUSED_WITHOUT_HARM: Final = frozenset({"client|setinfo"})
"""What redis-py asks for and does without."""

_PAGE: Final = Path(__file__).parents[2] / "docs" / "how-to" / "run" / "redis.md"
_COMMAND: Final = "ACL SETUSER orders "


def _rights_of_the_page() -> dict[str, list[str]]:
    """The rights in each command of the page, by the comment behind it."""
    found = {}
    for line in _PAGE.read_text(encoding="utf-8").replace("\\\n", "").splitlines():
        if line.startswith("$ redis-cli") and _COMMAND in line:
            words, _, comment = line.partition(_COMMAND)[2].partition("  # ")
            found[comment] = [word for word in shlex.split(words) if word not in ("on", "><secret>")]
    return found


PAGE: Final = _rights_of_the_page()
LEAST: Final = PAGE["every Redis"]


def given_rights(server: RedisServer, rights: Iterable[str]) -> None:
    """Give the user more rights, or take some, for a server that has no password for administrators."""
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", USER, "on", ">geheim", *rights)


def url_of(server: RedisServer) -> str:
    """The server's URL with that user."""
    return server.url.replace("//", f"//{USER}:geheim@")


def refused_to(server: RedisServer) -> set[str]:
    """What the user asked for and did not get."""
    with server.client() as client:
        return {str(entry["object"]) for entry in client.acl_log()}
