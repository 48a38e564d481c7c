"""``--help`` and ``--version``: what they print fits a terminal, and can be pasted."""

import re
import shlex
from typing import Any

import pytest
import typer

from camunda_entra_fastapi.cli.commands import commands
from tests.cli.conftest import run_command

NAMES = ["demo", "emulator", "token", "register", "doctor", "explain"]
PROGRAM: Any = typer.main.get_command(commands)


def help_of(*command: str) -> str:
    """The help as a terminal of 80 columns has it."""
    ran = run_command(*command, "--help", COLUMNS="80")
    assert (ran.code, ran.error) == (0, "")
    assert all(len(line) <= 80 for line in ran.output.splitlines())
    return ran.output


def examples_of(name: str) -> list[str]:
    """The examples, each in one line, as a shell reads them."""
    text = PROGRAM.commands[name].help.partition("Examples:\n")[2]
    return [line for line in text.replace("\\\n", "").splitlines() if line.strip()]


def test_who_is_new_finds_the_demo_first() -> None:
    """Commands stand in the order of the first hour, and the help says where the documentation is."""
    text = help_of()
    assert re.findall(r"^\u2502 (\w+) ", text, re.MULTILINE) == NAMES
    assert "documentation" in text


@pytest.mark.parametrize("name", NAMES)
def test_each_command_and_the_program_tell_the_version(name: str) -> None:
    """As a Dockerfile or a bug report wants it."""
    expected = r"camunda-entra \d+\.\d+\S* \(Python \d+\.\d+\.\d+\)\n"
    for command in ([], [name]):
        ran = run_command(*command, "--version")
        assert (ran.code, ran.error) == (0, "")
        assert re.fullmatch(expected, ran.output)
        assert "--version" in help_of(*command)


@pytest.mark.parametrize("name", ["", *NAMES])
def test_flags_have_no_type(name: str) -> None:
    """Nobody can give one a value, and no name of a type of Python's stands behind an option."""
    text = help_of(*name.split())
    options = text.partition("Options \u2500")[2]
    for word in ("<bool>", "BOOLEAN", "<int range>", "INTEGER RANGE", "<str>", "TEXT"):
        assert word not in options


@pytest.mark.parametrize("name", NAMES)
def test_no_word_is_broken(name: str) -> None:
    """What an option takes stands in one piece beside it."""
    text = help_of(name)
    for param in PROGRAM.commands[name].params:
        if param.metavar and param.opts[0].startswith("-"):
            option = max(param.opts, key=len)
            assert re.search(rf"{re.escape(option)}\b.* {re.escape(param.metavar)} ", text), option


@pytest.mark.parametrize("name", [name for name in NAMES if name != "demo"])
def test_examples_can_be_pasted(name: str) -> None:
    """They stand in the help as they were written, with backslashes, and their options exist."""
    printed = [line.rstrip() for line in help_of(name).splitlines()]
    for line in PROGRAM.commands[name].help.partition("Examples:\n")[2].splitlines():
        assert f" {line}".rstrip() in printed
    for example in examples_of(name):
        for call in re.findall(r"camunda-entra (\w+)([^|)>]*)", example):
            words = shlex.split(call[1])
            params = PROGRAM.commands[call[0]].params
            known = {option for param in params for option in param.opts}
            assert {word for word in words if word.startswith("--")} <= known, example


def test_sign_in_is_a_switch_in_one_command_and_a_choice_in_none() -> None:
    """``register --sign-in-with``; the former name goes on working, as ``--sign-in az``."""
    assert "--sign-in-with" in help_of("register")
    for option in ("--sign-in", "--sign-in-with"):
        ran = run_command("register", "x", option, "nonsense")
        assert (ran.code, "'device', 'az'" in ran.error) == (2, True)
