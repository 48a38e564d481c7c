"""What people paste, and what is printed of it."""

import base64
import contextlib
import io
import json
import os
import pty
import sys
import termios
from collections.abc import Callable

import pytest

from camunda_entra_fastapi.cli.explain.decode import DecodedToken, format_relative, format_time, redacted
from camunda_entra_fastapi.cli.explain.input import MAX_CHARACTERS, parse_input
from camunda_entra_fastapi.cli.explain.paste import paste
from camunda_entra_fastapi.testing import EntraEmulator
from tests.cli.conftest import Ran
from tests.cli.explain.test_tokens import unsigned
from tests.growth_of_work import LIMIT, growth_of
from tests.waiting import wait_for

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
    """However it was copied; what was stripped is a note."""
    token_input = parse_input(text)
    assert (token_input.token, token_input.opaque) == (TOKEN, "")
    assert note in " ".join(token_input.notes)
    assert bool(token_input.notes) == bool(note)
    assert TOKEN not in repr(token_input)


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
    """It is never printed, as it may be a secret."""
    ran = run("explain", "-", stdin=text)
    assert ran.code == 1
    printed = " ".join(ran.output.split())
    assert f"This is {what}" in printed
    assert remedy in printed or remedy == "only"
    assert len(text) < 6 or text not in ran.output
    explanation = run("explain", "--json", stdin=text).json
    assert (explanation["verdict"], explanation["code"]) == ("refused", "token_malformed")


def test_nothing_is_asked_of_entra_for_what_is_no_token(
    emulator: EntraEmulator, run: Callable[..., Ran]
) -> None:
    """A secret pasted by mistake stays on this machine."""
    before = len(emulator.requests)
    run("explain", stdin=SECRET)
    assert len(emulator.requests) == before


def test_a_token_as_an_argument(emulator: EntraEmulator, run: Callable[..., Ran]) -> None:
    """It is taken as it is; the shell's history has it then."""
    assert run("explain", emulator.token(scopes=("access_as_user",))).code == 0


def test_what_is_read_is_bounded(run: Callable[..., Ran]) -> None:
    """Half a gigabyte by mistake costs nothing."""
    ran = run("explain", "--json", stdin="a" * (MAX_CHARACTERS * 10))
    assert len(ran.output) < 2_000


def on_a_terminal(typed: bytes, variables: dict[str, str], script: str = "main()") -> str:
    """What the command prints in a terminal of its own, where the text is pasted at the prompt."""
    command = f"from camunda_entra_fastapi.cli import main; {script}"
    process, terminal = pty.fork()
    if process == 0:
        os.environ.update(variables)
        os.execv(sys.executable, [sys.executable, "-c", command, "explain"])
    printed = b""
    with contextlib.suppress(OSError):  # how a terminal ends
        while b"Ctrl-D:" not in printed:
            printed += os.read(terminal, 4096)
        wait_for(lambda: not termios.tcgetattr(terminal)[3] & termios.ICANON)  # no line is collected
        for start in range(0, len(typed), 1000):
            os.write(terminal, typed[start : start + 1000])
        while chunk := os.read(terminal, 4096):
            printed += chunk
    os.waitpid(process, 0)
    os.close(terminal)
    return printed.decode("utf-8", "replace")


def test_long_tokens_can_be_pasted_into_a_terminal(emulator: EntraEmulator) -> None:
    """They are longer than a terminal's line, and nothing of them is printed."""
    groups = [f"9a0b0000-0000-4000-9000-{number:012d}" for number in range(190)]
    token = emulator.token(scopes=("access_as_user",), groups=groups)
    assert len(token) > 8_000
    printed = on_a_terminal(token.encode() + b"\n\x04", emulator.environment())
    assert "The service accepts it." in printed
    assert token[200:260] not in printed


def test_a_terminal_gets_a_prompt(
    emulator: EntraEmulator, monkeypatch: pytest.MonkeyPatch, run: Callable[..., Ran]
) -> None:
    """Nobody is left with a silent cursor; the prompt is no part of the output."""
    token = emulator.token(scopes=("access_as_user",))
    monkeypatch.setattr("camunda_entra_fastapi.cli.explain.command.is_terminal", lambda: True)
    monkeypatch.setattr("camunda_entra_fastapi.cli.explain.command.paste", lambda limit: token[:limit])
    ran = run("explain", "--json")
    assert ran.json["verdict"] == "accepted"
    assert ran.error.startswith("Paste the token, which is not shown, then press Ctrl-D:")


def test_pasting_ends_with_the_terminal_or_the_limit(
    monkeypatch: pytest.MonkeyPatch, emulator: EntraEmulator
) -> None:
    """A terminal that is closed, one that brings more than there can be, and a system without terminals."""
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "r") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        os.write(ours, b"a" * 3_000)
        assert paste(2_000) == "a" * 2_000
        monkeypatch.setattr(os, "read", lambda *_: b"")
        assert paste(2_000) == ""
    os.close(ours)
    monkeypatch.setitem(sys.modules, "termios", None)
    monkeypatch.setattr(sys, "stdin", io.StringIO("a token"))
    assert paste(2_000) == "a token"


def test_claims_cannot_write_on_the_terminal(run: Callable[..., Ran]) -> None:
    """Control characters are replaced, endless values cut, tokens within tokens masked."""
    members = {
        "sub": "\x1b[2J\u202eevil",
        "long": "x" * 3_000,
        "idp_access_token": "secret-of-another",
        "inner": {"deep": ["eyJhbGciOi", 4, None]},
        "\x1b[31mname": 1,
    }
    ran = run("explain", stdin=unsigned({"alg": "RS256", "kid": "k"}, members))
    assert "\x1b" not in ran.output
    assert "\u202e" not in ran.output
    assert "x" * 500 not in ran.output
    assert "secret-of-another" not in ran.output
    assert redacted(members)["inner"] == {"deep": ["*** (not shown)", 4, None]}


def test_parts_that_cannot_be_read_are_empty() -> None:
    """Explaining goes on with what there is."""
    assert DecodedToken.decode("!.W10.x").claims == {}
    assert DecodedToken.decode("e30.a.x").claims == {}
    assert DecodedToken.decode("e30.bm90IGpzb24.x").claims == {}
    assert DecodedToken.decode("e30.eyJzdWIiOjF9.x").text("sub") == ""


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
    assert format_relative(seconds) == words


@pytest.mark.parametrize(
    ("value", "words"), [("soon", "no time in seconds"), (True, "no time"), (1e30, "can be")]
)
def test_times_that_are_none(value: object, words: str) -> None:
    """They are printed as they are."""
    assert words in format_time(value, 0)


@pytest.mark.parametrize("depth", [65, 300, 600, 900, 1500])
@pytest.mark.parametrize("option", ["--json", "--offline"])
def test_claims_nested_deeply_are_a_malformed_token(run: Callable[..., Ran], depth: int, option: str) -> None:
    """The validator refuses more than 64 levels, and nothing of them is walked through (CWE-674)."""
    nested = '{"a":' * depth + "1" + "}" * depth
    payload = base64.urlsafe_b64encode(nested.encode()).decode().rstrip("=")
    token = f"eyJhbGciOiJSUzI1NiIsImtpZCI6IngifQ.{payload}.c2ln"
    result = run("explain", "--offline", option, stdin=token)
    assert result.code == 1
    assert ("token_malformed" if option == "--json" else "payload cannot be read") in result.output
    result = run("explain", "--offline", stdin=nested)
    assert "no JSON Web Token" in result.output


@pytest.mark.parametrize(
    ("beginning", "piece", "end"),
    [
        ("M.C1_", "a", "/"),
        ("M.C", "1", "/"),
        ("E", "w", "\u00e9"),
        ("0.A", "a", "\u00e9"),
        ("", "a", "Q~"),
        ("", "a.", ""),
        ("", ".", ""),
        ("{", '"token":', "{"),
        ("", " ", "x"),
        ("Authorization: Bearer ", "a ", ""),
        ("", "https://x.okta", "/"),
    ],
)
def test_what_was_pasted_is_looked_at_in_one_pass(beginning: str, piece: str, end: str) -> None:
    """Work grows as the input does, whatever is repeated in it (CWE-1333)."""

    def look(size: int) -> None:
        assert parse_input(beginning + piece * (size // len(piece)) + end) is not None

    assert growth_of(look, 4000) < LIMIT


@pytest.mark.parametrize(
    ("payload", "code"), [("{}", "claim_missing"), ("[]", "token_malformed"), ("{", "token_malformed")]
)
def test_without_claims_a_token_is_refused_whoever_signed_it(
    run: Callable[..., Ran], payload: str, code: str
) -> None:
    """RFC 7519, 7.2: the payload is a JSON object; and nothing that a check needs is in an empty one."""
    encoded = base64.urlsafe_b64encode(payload.encode()).decode().rstrip("=")
    result = run("explain", "--offline", "--json", stdin=f"eyJhbGciOiJSUzI1NiIsImtpZCI6IngifQ.{encoded}.c2ln")
    assert (result.code, result.json["verdict"], result.json["code"]) == (1, "refused", code)
