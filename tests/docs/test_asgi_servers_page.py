"""The page about ASGI servers says what ``make servers`` saw, in the versions that are pinned."""

import pytest

from tests.asgi_servers.checks import ADDRESSES, SIZES
from tests.asgi_servers.commands import COMMANDS
from tests.asgi_servers.kept import PAGE, SAME, is_pinned, kept, with_tables

TEXT = PAGE.read_text("utf-8")


def test_every_server_was_looked_at_in_its_pinned_version() -> None:
    """A pin that goes up takes a run of `make servers` along."""
    assert list(kept()) == list(COMMANDS)
    assert all(is_pinned(server, told) for server, told in kept().items())


def test_the_tables_say_what_was_seen() -> None:
    """They are written by `python -m tests.asgi_servers --keep`, and not by hand."""
    assert with_tables(TEXT) == TEXT
    assert TEXT.count("| gunicorn, asgi |") == TEXT.count("<!-- table:")


@pytest.mark.parametrize("column", SAME)
def test_what_is_the_same_on_all_is_the_same(column: str) -> None:
    """The page says so in one place."""
    (told,) = {seen[column] for seen in kept().values()}
    wanted = {
        "tokens": "200; 401 credentials_missing with challenge; 401 token_malformed with challenge; "
        "400 authorization_repeated with challenge",
        "challenges": "2 challenges",
        "tabs": "200 behind, 200 before, 400 inside",
        "addresses": f"{len(ADDRESSES)} of {len(ADDRESSES)} to the letter",
        "accepted WebSocket": "101 Ada Admin",
        "streams": "part by part",
    }
    assert told == wanted[column]


def test_numbers_on_the_page_are_those_of_the_run() -> None:
    """Sizes and addresses."""
    assert f"and {len(ADDRESSES) - 3} others" in TEXT
    assert all(f"{size:,}" in TEXT for size in SIZES)
