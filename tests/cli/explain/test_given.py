"""What people paste, and what is shown of it."""

import json
from collections.abc import Callable

import pytest

from camunda_entra_fastapi.cli.explain.anatomy import Anatomy, at, relative, shown
from camunda_entra_fastapi.cli.explain.given import MAX_CHARACTERS, read_given
from camunda_entra_fastapi.testing import EntraEmulator
from tests.cli.conftest import Ran
from tests.cli.explain.test_tokens import unsigned

TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln"
SECRET = "abc8Q~" + "x" * 34


@pytest.mark.parametrize(
    ("text", "note"),
    [
        (TOKEN, ""),
        (f"  {TOKEN}\n", ""),
        (f'"{TOKEN}"', ""),
        (f"Bearer {TOKEN}", "The word Bearer stood before it."),
        (f"Authorization: Bearer {TOKEN}", "It stood in an Authorization header."),
        (f"{TOKEN[:20]}\n  {TOKEN[20:]}", "Blanks and line breaks in it were left out."),
        (json.dumps({"access_token": TOKEN, "refresh_token": "x"}), "It stood in the member access_token"),
        (json.dumps({"id_token": f" {TOKEN} "}), "It stood in the member id_token"),
    ],
)
def test_the_token_is_found_in_what_stands_around_it(text: str, note: str) -> None:
    """However it was copied, and it is told what was taken away."""
    given = read_given(text)
    assert (given.token, given.opaque) == (TOKEN, "")
    assert note in " ".join(given.notes)
    assert bool(given.notes) == bool(note)
    assert TOKEN not in repr(given)


@pytest.mark.parametrize(
    ("text", "what", "remedy"),
    [
        (SECRET, "a client secret", "create a new one and delete it"),
        ("0be7a7e0-1111-4222-8333-444455556666", "an ID", "Give the access token"),
        ("0.AXoA" + "x" * 60, "a refresh token or an authorization code", "Only Entra's token endpoint"),
        ("1.AXoA" + "x" * 60 + ".a.b", "a refresh token or an authorization code", "came with it"),
        ("M.C507_BL2.0.U." + "x" * 40, "a token of a personal Microsoft account", "a scope of this API"),
        ("EwA" + "x" * 200, "a token of a personal Microsoft account", "only"),
        ("PHNhbWxwOlJlc3BvbnNl", "a SAML assertion", "OpenID Connect"),
        ("<saml:Assertion>", "a SAML assertion", "OpenID Connect"),
        ("", "empty", "standard input"),
        ("Authorization: Basic abc", "no JSON Web Token", "access_token"),
        ("{not json", "no JSON Web Token", "access_token"),
        ('{"error": "invalid_grant"}', "no JSON Web Token", "access_token"),
        ("[" * 100_000, "no JSON Web Token", "access_token"),
        ("a.b", "no JSON Web Token", "all of it"),
    ],
)
def test_what_is_no_token_is_called_by_its_name(
    text: str, what: str, remedy: str, run: Callable[..., Ran]
) -> None:
    """And never shown: it may be a secret."""
    ran = run("explain", "-", given=text)
    assert ran.code == 1
    told = " ".join(ran.output.split())
    assert f"This is {what}" in told
    assert remedy in told or remedy == "only"
    assert len(text) < 6 or text not in ran.output
    machine = run("explain", "--json", given=text).json
    assert (machine["verdict"], machine["code"]) == ("refused", "token_malformed")


def test_nothing_is_asked_of_entra_for_what_is_no_token(
    emulator: EntraEmulator, run: Callable[..., Ran]
) -> None:
    """A secret pasted by mistake stays on this machine."""
    before = len(emulator.requests)
    run("explain", given=SECRET)
    assert len(emulator.requests) == before


def test_a_token_as_an_argument(emulator: EntraEmulator, run: Callable[..., Ran]) -> None:
    """As it is, where somebody does not mind the history."""
    assert run("explain", emulator.token(scopes=("access_as_user",))).code == 0


def test_what_is_read_is_bounded(run: Callable[..., Ran]) -> None:
    """Half a gigabyte by mistake costs nothing."""
    ran = run("explain", "--json", given="a" * (MAX_CHARACTERS * 10))
    assert len(ran.output) < 2_000


def test_on_a_terminal_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch, run: Callable[..., Ran]) -> None:
    """Whoever starts it without a token is not left with a silent cursor."""
    monkeypatch.setattr("camunda_entra_fastapi.cli.explain.command.is_terminal", lambda: True)
    ran = run("explain", given=TOKEN)
    assert "Paste the token, then press Enter and Ctrl-D" in ran.error


def test_claims_cannot_write_on_the_terminal(run: Callable[..., Ran]) -> None:
    """Control characters are replaced, endless values cut, tokens within tokens masked."""
    members = {
        "sub": "\x1b[2J\u202eevil",
        "long": "x" * 3_000,
        "idp_access_token": "secret-of-another",
        "inner": {"deep": ["eyJhbGciOi", 4, None]},
        "\x1b[31mname": 1,
    }
    ran = run("explain", given=unsigned({"alg": "RS256", "kid": "k"}, members))
    assert "\x1b" not in ran.output
    assert "\u202e" not in ran.output
    assert "x" * 500 not in ran.output
    assert "secret-of-another" not in ran.output
    assert shown(members)["inner"] == {"deep": ["*** (not shown)", 4, None]}


def test_parts_that_cannot_be_read_are_empty() -> None:
    """Explaining goes on with what there is."""
    assert Anatomy.of("!.W10.x").claims == {}
    assert Anatomy.of("e30.bm90IGpzb24.x").claims == {}
    assert Anatomy.of("e30.eyJzdWIiOjF9.x").text("sub") == ""


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "now"),
        (1, "in 1 second"),
        (-61, "1 minute 1 second ago"),
        (-3_605, "1 hour ago"),
        (2 * 86_400 + 3_600, "in 2 days 1 hour"),
    ],
)
def test_times_from_now(seconds: float, words: str) -> None:
    """In two units at most."""
    assert relative(seconds) == words


@pytest.mark.parametrize(
    ("value", "words"), [("soon", "no time in seconds"), (True, "no time"), (1e30, "can be")]
)
def test_times_that_are_none(value: object, words: str) -> None:
    """They are shown as they are."""
    assert words in at(value, 0)
